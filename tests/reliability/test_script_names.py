"""A customer named like a script: text on the page, and nothing that runs or asks the network."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import test_report_browser as pages
from browser import Opened
from test_report import HOSTILE, Reader, assert_harmless, shop, with_texts

from churnkit.report.page import render

browser, opened, hostile = pages.browser, pages.opened, pages.hostile
Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return shop()


@pytest.mark.parametrize("text", HOSTILE)
def test_21_hostile_text_is_shown_and_never_runs(summary: dict[str, Any], text: str) -> None:
    page = render(with_texts(summary, text))
    assert_harmless(page)
    ids = re.findall(r'<td class="id"><bdi>(.*?)</bdi>', page)
    assert [Reader(written).tags for written in ids] == [[]] * 5, "text, no element"
    assert " ".join(text.split()) in Reader(page).text


def test_21_a_customer_named_like_a_script_is_escaped_and_asks_no_network(hostile, opened: Open):
    found = opened(hostile)
    assert found.page.evaluate("document.scripts.length") == 1
    for element in ("img", "iframe", "link", "object", "embed", "form"):
        assert found.page.locator(element).count() == 0, element
    assert HOSTILE[0] in pages.shown(found)
    assert found.page.locator("[onerror], [onload], [onmouseover]").count() == 0
    assert found.page.locator("select option").filter(has_text="onerror").count() == 2
    assert not found.too_wide

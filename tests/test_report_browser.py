"""The report in a real browser: search, order, filter, export, keyboard, phone, print, rtl."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import browser as chromium
import pytest
from browser import Opened
from test_report import HOSTILE, call, shop
from test_report_lights import judged, rule
from test_report_why import kpis, watch

from churnkit.language import language_named
from churnkit.report import write_report
from churnkit.spreadsheet import FORMULA_STARTS

browser, opened = chromium.browser, chromium.opened
Open = Callable[..., Opened]
CALLS = 120
OWNERS, SEGMENTS = ("anna", "retention team", "service"), ("private", "trade")
LIGHTS = ("red", "yellow", "yellow")
FORMULAS = [f"{start}2+2" for start in FORMULA_STARTS]
PHONE = {"viewport": {"width": 390, "height": 844}}


def calls() -> list[dict[str, Any]]:
    """A list of 120: owners, segments, lights and reasons in turn, one without a value."""
    listed = [
        call(
            k + 1,
            f"C{(k * 37) % CALLS:05}",
            LIGHTS[k % 3],
            round(0.95 - 0.004 * k, 4),
            value_at_risk=None if k == 7 else 900.0 - (k * 11) % CALLS,
            owner=OWNERS[k % 3],
            segment=SEGMENTS[k % 2],
            reason="open_complaint" if k % 4 == 0 else "recency",
            due=f"2025-01-{2 + k % 5:02}T17:00:00+00:00",
        )
        for k in range(CALLS)
    ]
    listed[0] |= {"rules": ["open complaint: yellow → red"]}
    return listed


def full() -> dict[str, Any]:
    """A summary in which every part is there."""
    return {
        **shop(),
        "calls": calls(),
        "calls_total": 400,
        "rules": [{**rule("open complaint", 30, 20), "name": "open_complaint"}],
        "before": "2024-12-24",
        "transitions": {
            "green": {"green": 2_862, "yellow": 12, "red": 0},
            "yellow": {"green": 3, "yellow": 1_796, "red": 5},
            "red": {"green": 0, "yellow": 1, "red": 639},
        },
        "changes": [{"customer_id": "C00001", "before": "green", "light": "yellow",
                     "changed": "risk went from 39% to 44%"}],
        "changes_total": 21,
        "planned": {"call": 400, "waiting": 4, "control": 9, "by_playbook": {},
                    "by_channel": {"mail": 300, "call": 100},
                    "by_owner": dict.fromkeys(OWNERS, 40)},
        "kpis": kpis(),
        "watch": {**watch(), "outcomes": judged()["outcomes"]},
        "whole": {"name": "report.csv", "link": "./report.csv", "rows": 5_321},
    }  # fmt: skip


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return full()


@pytest.fixture(scope="module")
def report(summary: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(summary, path)
    return path


@pytest.fixture(scope="module")
def hostile(summary: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of customers, owners and segments whose names are attacks."""
    path = tmp_path_factory.mktemp("page") / "hostile.html"
    texts = [*HOSTILE, *FORMULAS]
    rows = [
        call(k + 1, text, "red", 0.5, owner=text, segment=text, action=text, reasons=[text])
        for k, text in enumerate(texts)
    ]
    write_report({**summary, "calls": rows, "calls_total": len(rows)}, path)
    return path


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of one customer, without surveys, amounts, a held-out period, or a plan."""
    path = tmp_path_factory.mktemp("page") / "bare.html"
    told = shop()
    only = {**told["calls"][0], "value_at_risk": None, "action": "", "owner": "", "due": ""}
    counts = {"red": (1, 1.0), "yellow": (0, 0.0), "green": (0, 0.0)}
    for light in told["lights"]:
        light |= {"value_at_risk": None, "held_out": None}
        light["customers"], light["share"] = counts[light["light"]]
    nothing = {"models": [], "calibration": [], "lift": [], "drivers": [], "verdict": None}
    gone = {"profit": None, "spend": None, "held_out_cutoff": None, "grade": None}
    data = told["data"][:1]
    write_report({**told, **nothing, **gone, "data": data, "calls": [only], "calls_total": 1}, path)
    return path


@pytest.fixture(scope="module")
def persian(summary: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "rtl.html"
    write_report(summary, path, language_named("fa", "jalali"))
    return path


def shown(found: Opened) -> list[str]:
    """Ids of the customers that can be seen, from top to bottom."""
    return found.page.locator(".calls tbody tr:visible td.id bdi").all_inner_texts()


def choose(found: Opened, name: str, value: str) -> None:
    found.page.get_by_role("combobox", name=name, exact=True).select_option(value)


def searched(found: Opened) -> None:
    """Wait until the search has been done: it is not done at every letter."""
    found.page.wait_for_selector(".calls tr[hidden]", state="attached")


def count(found: Opened) -> str:
    return found.page.get_by_role("status").inner_text()


def exported(found: Opened, how: Callable[[], None] | None = None) -> list[dict[str, str]]:
    """The rows of the file that the page hands out."""
    with found.page.expect_download() as waiting:
        (how or found.page.get_by_role("button", name="Export as CSV").click)()
    assert waiting.value.suggested_filename == "calls-2024-12-31.csv"
    text = Path(waiting.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def ids(**wanted: Any) -> list[str]:
    return [c["customer_id"] for c in calls() if all(c[k] == v for k, v in wanted.items())]


# ── The list ────────────────────────────────────────────────────────────────────────────────


def test_the_list_opens_at_its_first_page_in_the_order_of_the_ranks(report, opened: Open):
    found = opened(report)
    assert shown(found) == ids()[:25]
    assert count(found) == "1 to 25 of 120"
    found.page.get_by_role("button", name="Next").click()
    assert shown(found) == ids()[25:50]
    choose(found, "Rows", "100")
    assert shown(found) == ids()[:100]
    found.page.get_by_role("button", name="Next").click()
    assert (shown(found), count(found)) == (ids()[100:], "101 to 120 of 120")
    assert found.page.get_by_role("button", name="Next").is_disabled()


def test_a_column_orders_the_list_down_and_up_and_what_is_unknown_comes_last(report, opened: Open):
    found = opened(report)
    head = found.page.get_by_role("columnheader", name="Value at risk")
    by_value = sorted((c for c in calls() if c["value_at_risk"] is not None),
                      key=lambda c: (-c["value_at_risk"], c["rank"]))  # fmt: skip
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert shown(found) == [c["customer_id"] for c in by_value[:25]]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert shown(found)[0] == by_value[-1]["customer_id"]
    for _ in range(4):
        found.page.get_by_role("button", name="Next").click()
    assert shown(found)[-1] == calls()[7]["customer_id"]
    found.page.get_by_role("button", name="Customer").click()
    assert shown(found) == sorted(ids())[:25]
    assert found.page.locator(".calls th[aria-sort=ascending]").all_inner_texts() == ["Customer"]


def test_filters_by_light_owner_segment_and_reason_go_together(report, opened: Open):
    found = opened(report)
    choose(found, "Light", "yellow")
    assert count(found) == "1 to 25 of 80, chosen from 120"
    choose(found, "Owner", "service")
    choose(found, "Segment", "trade")
    wanted = ids(light="yellow", owner="service", segment="trade")
    assert shown(found) == wanted
    choose(found, "Foremost reason", "open complaint")
    assert shown(found) == []
    assert count(found) == "Nobody fits what is asked for."
    found.page.get_by_role("button", name="Show all").click()
    assert count(found) == "1 to 25 of 120"


@pytest.mark.parametrize(
    ("sought", "customers"),
    [
        ("c00037", ["C00037"]),
        ("۰۰۰۳۷", ["C00037"]),
        ("yellow → red", [calls()[0]["customer_id"]]),
        ("anna TRADE", ids(owner="anna", segment="trade")),
    ],
)
def test_search_looks_through_all_that_a_row_tells(report, opened: Open, sought, customers):
    found = opened(report)
    found.page.get_by_role("searchbox").fill(sought)
    searched(found)
    assert shown(found) == customers[:25]
    assert count(found).endswith(f"of {len(customers)}, chosen from 120")


def test_export_holds_what_is_filtered_in_its_order_beyond_the_page(report, opened: Open):
    found = opened(report)
    choose(found, "Light", "yellow")
    found.page.get_by_role("button", name="Customer").click()
    rows = exported(found)
    assert [row["Customer"] for row in rows] == sorted(ids(light="yellow"))
    first = next(c for c in calls() if c["customer_id"] == rows[0]["Customer"])
    told = dict(rows[0])
    why = told.pop("Why: rules that fired, and what goes with the risk")
    assert why == "; ".join([*first["rules"], *first["reasons"]])
    assert told == {
        "Rank": str(first["rank"]), "Customer": first["customer_id"], "Segment": first["segment"],
        "Light": "yellow", "Probability": f"{first['churn_probability']:g}",
        "Value at risk": f"{first['value_at_risk']:g}", "What to do": "personal call",
        "Owner": first["owner"], "Channel": first["channel"], "Due": first["due"],
    }  # fmt: skip


def test_cells_starting_with_formula_signs_are_neutralised_in_the_exported_list(
    hostile, opened: Open
):
    rows = exported(opened(hostile))
    assert len(rows) == len(HOSTILE) + len(FORMULAS)
    texts = [text for row in rows for text in row.values()]
    assert [text for text in texts if text.startswith(FORMULA_STARTS)] == []
    for formula in FORMULAS:
        told = f"'{formula}" if formula == formula.strip() else formula.strip()
        assert told in [row["Owner"] for row in rows]
    assert {row["Probability"] for row in rows} == {"0.5"}, "numbers stay numbers"


# ── What nobody may do to it ────────────────────────────────────────────────────────────────


def test_names_of_500_letters_emoji_and_marks_break_nothing_on_a_phone(hostile, opened: Open):
    found = opened(hostile, **PHONE)
    assert not found.too_wide
    assert "x" * 500 in shown(found)
    assert any("👩‍👩‍👧" in name for name in shown(found))


def test_one_customer_without_surveys_and_amounts_leaves_the_page_whole(bare, opened: Open):
    found = opened(bare)
    text = found.page.locator("main").inner_text()
    for says in (
        "This week: see to the 1 customer on the call list.",
        "Value at risk is not known: there are no amounts to add up.",
        "nobody has counted yet how many of each light leave",
        "Not among the logs: surveys, activity.",
        "The model was not compared with plain rules.",
        "Not known: there is no held-out period to reckon with.",
        "nothing is planned",
    ):
        assert says in text, says
    assert (shown(found), count(found)) == (["C00412"], "1 to 1 of 1")
    assert [list(row.values())[4] for row in exported(found)] == [""], "no plan, no owner"
    assert not found.too_wide


def test_without_a_script_the_whole_list_is_there_and_no_button_that_does_nothing(
    report, opened: Open
):
    found = opened(report, java_script_enabled=False)
    assert found.page.locator(".calls tbody tr:visible").count() == CALLS
    assert found.page.locator("button:visible, select:visible, input:visible").count() == 0


# ── Ways to read it ─────────────────────────────────────────────────────────────────────────


def test_everything_is_done_by_keyboard_alone(report, opened: Open):
    found = opened(report)
    keyboard = found.page.keyboard

    def focused() -> str:
        return found.page.evaluate("document.activeElement.textContent.trim()")

    keyboard.press("Tab")
    assert focused() == "Skip to the call list"
    keyboard.press("Enter")
    assert found.page.url.endswith("#part-calls")
    keyboard.press("Tab")
    keyboard.type("trade")
    searched(found)
    assert shown(found) == ids(segment="trade")[:25]
    keyboard.press("Tab")  # light
    keyboard.press("ArrowDown")
    assert shown(found) == ids(segment="trade", light="red")
    for _ in range(4):
        keyboard.press("Tab")  # owner, segment, reason, show all
    assert focused() == "Show all"
    keyboard.press("Tab")
    assert focused() == "Export as CSV"
    assert len(exported(found, lambda: keyboard.press("Enter"))) == len(shown(found))
    keyboard.press("Tab")
    keyboard.press("Tab")
    assert focused() == "Customer"
    keyboard.press("Enter")
    assert shown(found) == sorted(ids(segment="trade", light="red"))
    assert focused() == "Customer", "the focus stays"


def test_on_a_phone_rows_are_cards_with_named_values_and_an_order(report, opened: Open):
    found = opened(report, **PHONE)
    assert not found.too_wide
    card = found.page.locator(".calls tbody tr").first
    named = "getComputedStyle(e, '::before').content"
    said = card.locator("td.r, td.p, td.v, td.deed, td.due").evaluate_all(
        f"all => all.map(e => {named})"
    )
    assert said == ['"#"', '"Probability"', '"Value at risk"', '"What to do"', '"Due"']
    choose(found, "Order by", "Customer")
    assert shown(found) == sorted(ids())[:25]


def test_print_shows_all_that_is_filtered_and_says_so(report, opened: Open):
    found = opened(report)
    choose(found, "Light", "red")
    printed = found.page.pdf()
    assert printed.startswith(b"%PDF")
    found.page.emulate_media(media="print")
    assert shown(found) == ids(light="red")
    assert found.page.locator(".printed").inner_text() == "Printed: 40 of 120 · Light: red"
    found.page.emulate_media(media="screen")
    choose(found, "Light", "all")
    found.page.emulate_media(media="print")
    assert shown(found) == ids()[:100]  # the rest is in the file
    assert found.page.locator(".printed").inner_text() == "Printed: 100 of 120"
    visible = "nav:visible, button:visible, select:visible, input:visible"
    assert found.page.locator(".controls, .pager").locator(visible).count() == 0
    assert not found.page.locator("nav.parts").is_visible()


def test_dark_is_dark(report, opened: Open):
    background = "getComputedStyle(document.body).backgroundColor"
    light, dark = (
        opened(report, color_scheme=scheme).page.evaluate(background)
        for scheme in ("light", "dark")
    )
    assert (light, dark) == ("rgb(245, 246, 248)", "rgb(17, 21, 27)")


def test_from_right_to_left_the_page_is_mirrored_and_counts_in_its_digits(
    report, persian, opened: Open
):
    def places(path: Path) -> list[float]:
        found = opened(path)
        assert not found.too_wide
        boxes = (found.page.locator(".calls thead th").nth(k).bounding_box() for k in (0, 1))
        return [box["x"] for box in boxes if box]

    first, second = places(report)
    assert first < second
    first, second = places(persian)
    assert first > second
    phone = opened(persian, **PHONE)
    assert not phone.too_wide
    assert "۱۲۰" in count(phone)


@pytest.mark.parametrize(
    ("page", "options"),
    [
        ("report", {}),
        ("report", {"color_scheme": "dark"}),
        ("report", PHONE),
        ("persian", {}),
        ("hostile", PHONE),
        ("bare", {}),
    ],
    ids=["light", "dark", "phone", "right to left", "hostile", "bare"],
)
def test_axe_finds_no_violation(page, options, opened: Open, request: pytest.FixtureRequest):
    assert opened(request.getfixturevalue(page), **options).violations() == []


# ── What it weighs ──────────────────────────────────────────────────────────────────────────


def test_a_row_of_the_list_weighs_less_than_a_kilobyte(summary, report, opened: Open, tmp_path):
    empty = tmp_path / "empty.html"
    write_report({**summary, "calls": calls()[:1]}, empty)
    whole, bare = report.stat().st_size, empty.stat().st_size
    timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
    ready = opened(report).page.evaluate(timing)
    print(f"{whole / 1024:.0f} KB with {CALLS} calls, {bare / 1024:.0f} KB with one; "
          f"interactive after {ready:.0f} ms")  # fmt: skip
    assert (whole - bare) / (CALLS - 1) < 1024


@pytest.mark.parametrize("code", ["en", "fa", "ar"])
def test_no_window_must_be_scrolled_sideways(summary, opened: Open, tmp_path, code):
    page = tmp_path / "report.html"
    write_report(summary, page, language_named(code))
    found = opened(page)
    for width in (320, 721, 768, 901, 1060, 1061):
        found.page.set_viewport_size({"width": width, "height": 900})
        assert not found.too_wide, width


def test_whoever_wants_less_motion_is_not_scrolled_smoothly(report, opened: Open):
    for wish, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        found = opened(report, reduced_motion=wish)
        style = "getComputedStyle(document.documentElement).scrollBehavior"
        assert found.page.evaluate(style) == behaviour


def test_on_paper_the_reasons_have_room(report, opened: Open):
    found = opened(report, viewport={"width": 720, "height": 900})
    found.page.emulate_media(media="print")
    table, why = (found.page.locator(part).first.bounding_box() for part in (".calls", "td.why"))
    assert table
    assert why
    assert why["width"] > 0.3 * table["width"]

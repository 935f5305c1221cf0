"""The generated pages are true, the examples run, and the links of the README lead somewhere."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
generate: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "generate.py"))


def test_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "own_frames.py"), run_name="__main__")
    printed = capsys.readouterr().out.splitlines()
    assert "is used" in printed[0]
    assert len(printed) == 6


def test_own_features_of_the_guide_are_point_in_time() -> None:
    """The example, audited on the sample with the built-in features beside it."""
    from churnkit.audit import audit
    from churnkit.clock import cutoffs_between
    from churnkit.features import FeatureSpec, load_own
    from churnkit.sources import read_logs

    logs = read_logs(ROOT / "data" / "purchases.csv")
    cutoffs = cutoffs_between(logs.first_day("purchases"), logs.last_day("purchases"), 1)
    try:
        names = load_own(ROOT / "examples" / "own_features.py")
        result = audit(logs, FeatureSpec.learn(logs, cutoffs[0]), cutoffs, customers=30)
        own = [c.name for c in FeatureSpec.learn(logs, cutoffs[0]).columns() if c.feature.own]
    finally:
        load_own()
    assert names == ("large_purchases_count",)
    assert len(own) == 6
    assert result.leaks == ()


def test_readme_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    assert [t for t in targets if not (ROOT / t).exists()] == []


@pytest.mark.parametrize("name", list(generate["PAGES"]))
def test_generated_page_is_true(name: str) -> None:
    page: Callable[[], str] = generate["PAGES"][name]
    committed = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert committed == page(), "run `make docs`"


def test_the_two_commands_are_make_targets() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test"):
        assert f"`make {target}`" in README
        assert re.search(rf"^{target}: ", makefile, re.MULTILINE)

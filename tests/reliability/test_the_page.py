"""docs/reliability.md tells of every line, and every line has tests."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
import reliability  # noqa: E402  (a program, not a package)

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_the_page_has_25_lines():
    assert sorted(reliability.lines(PAGE)) == [*range(1, 26)]


@pytest.mark.parametrize("number", range(1, 26))
def test_a_line_has_tests_the_page_names_their_files_and_tells_what_they_saw(number):
    line = reliability.lines(PAGE)[number]
    tests = reliability.named()[number]
    assert tests, f"no test_{number:02d}_… in tests/reliability"
    assert line.tests == ", ".join(f"`{file}`" for file in tests)
    assert "passed" in line.figures
    assert "FAILED" not in line.figures


def test_figures_of_a_run_take_the_place_of_those_before_and_others_stay():
    report = ET.fromstring(
        "<testsuite><testcase name='test_02_full'><properties>"
        "<property name='disks filled' value='5'/></properties></testcase>"
        "<testcase name='test_02_limits'><skipped/></testcase>"
        "<testcase name='test_02_other[a]'><failure/></testcase></testsuite>"
    )
    figures = reliability.seen(report)
    told = "5 disks filled; 1 passed; FAILED: test_02_other[a]; skipped: test_02_limits"
    assert str(figures[2]) == told
    rows = reliability.lines(reliability.written(PAGE, figures))
    assert rows[2].figures == told
    assert rows[3] == reliability.lines(PAGE)[3]

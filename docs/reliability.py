"""Run the tests of reliability at full length, and write what they saw into docs/reliability.md.

Usage: ``python docs/reliability.py [LINE…]``: all lines of the page, or those with these numbers;
the others keep the figures of the run before.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reliability.md"
TESTS = ROOT / "tests" / "reliability"
TEST = re.compile(r"^\s*(?:async )?def (test_(\d\d)_\w+)\(", re.MULTILINE)
ROW = re.compile(r"^\| (\d+) \|(.*)\|(.*)\|(.*)\|(.*)\|$", re.MULTILINE)


@dataclass
class Line:
    """A fault or attack, what is expected, and what the tests saw."""

    number: int
    fault: str
    expected: str
    tests: str = ""
    figures: str = ""

    def __str__(self) -> str:
        return f"| {self.number} | {self.fault} | {self.expected} | {self.tests} | {self.figures} |"


@dataclass
class Seen:
    """What the tests of a line told in a run."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        told = [f"{number} {what}" for what, number in self.figures.items()]
        told.append(f"{self.passed} passed")
        told += [f"FAILED: {name}" for name in self.failed]
        told += [f"skipped: {name}" for name in self.skipped]
        return "; ".join(told)


def lines(page: str) -> dict[int, Line]:
    """The rows of the page's table."""
    found = (Line(int(row[0]), *(cell.strip() for cell in row[1:])) for row in ROW.findall(page))
    return {line.number: line for line in found}


def named() -> dict[int, dict[str, list[str]]]:
    """Line → file → the tests that are named for it."""
    found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(TESTS.glob("test_*.py")):
        for name, number in TEST.findall(path.read_text(encoding="utf-8")):
            found[int(number)][path.name].append(name)
    return found


def run(numbers: Iterable[int]) -> dict[int, Seen]:
    """Run the tests of these lines at full length."""
    wanted = " or ".join(f"test_{number:02d}_" for number in numbers)
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told.xml"
        # The figures are properties of tests, which the usual family of reports has not.
        report = [f"--junitxml={told}", "-o", "junit_family=xunit1"]
        subprocess.run(
            [sys.executable, "-m", "pytest", str(TESTS), "-q", "-k", wanted, *report],
            cwd=ROOT,
            env={**os.environ, "CHURNKIT_TRIALS": "full"},
            check=False,
        )
        return seen(ET.parse(told).getroot())


def seen(report: ET.Element) -> dict[int, Seen]:
    """What a run of pytest told, by line."""
    found: dict[int, Seen] = defaultdict(Seen)
    for case in report.iter("testcase"):
        name = case.get("name", "")
        line = found[int(name.removeprefix("test_")[:2])]
        if case.find("skipped") is not None:
            line.skipped.append(name)
        elif case.find("failure") is not None or case.find("error") is not None:
            line.failed.append(name)
        else:
            line.passed += 1
        for told in case.iter("property"):
            line.figures[told.get("name", "")] = told.get("value", "")
    return found


def written(page: str, figures: Mapping[int, Seen]) -> str:
    """The page with the tests of each line, and the figures of a run."""
    tests, rows = named(), lines(page)

    def row(match: re.Match[str]) -> str:
        line = rows[int(match[1])]
        line.tests = ", ".join(f"`{file}`" for file in tests[line.number])
        if line.number in figures:
            line.figures = str(figures[line.number])
        return str(line)

    return ROW.sub(row, page)


def main(numbers: list[int]) -> int:
    """Run, write the page, and say whether anything failed."""
    figures = run(numbers or sorted(lines(PAGE.read_text(encoding="utf-8"))))
    # Read only now, since a run of other lines may have written theirs meanwhile.
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(written(page, figures), encoding="utf-8")
    for number, line in sorted(figures.items()):
        print(f"{number:2d}  {line}")
    return int(any(line.failed for line in figures.values()))


if __name__ == "__main__":
    sys.exit(main([int(number) for number in sys.argv[1:]]))

"""What a page shows against what is printed now: the same words, and numbers that are close."""

from __future__ import annotations

import re

NUMBER = re.compile(r"-?(?:\d[\d,]*)?\.?\d+")


def numbers(line: str) -> list[float]:
    return [float(n.replace(",", "")) for n in NUMBER.findall(line)]


SECONDS = re.compile(r"^([●○] \w+ +done +)[\d.]+(?=\s|$)")
RUN = re.compile(r"\b[0-9a-f]{12}\b")


def masked(line: str) -> str:
    """A line without the name of a run and the seconds of a step, which differ every time."""
    return RUN.sub("RUN", SECONDS.sub(r"\1", line))


def words(line: str) -> str:
    return " ".join(NUMBER.sub("#", line).split())


def close(shown: float, now: float) -> bool:
    """Learnt numbers move a little with the versions of the libraries below."""
    return abs(shown - now) <= 0.05 + 0.15 * abs(shown)


def outside_calls(lines: list[str]) -> list[str]:
    """Lines that do not depend on which customers happen to come first."""
    kept, in_calls = [], False
    for line in lines:
        in_calls = (in_calls or line.startswith("Call list")) and bool(line.strip())
        if line.strip() and (not in_calls or line.startswith(("Call list", "rank"))):
            kept.append(masked(line))
    return kept


def assert_shown(then: list[str], now: list[str]) -> None:
    """Words are the same and numbers close, line by line; the call list may change its order."""
    shown, printed = outside_calls(then), outside_calls(now)
    assert [words(line) for line in printed] == [words(line) for line in shown]
    for line_now, line_then in zip(printed, shown, strict=True):
        assert all(map(close, numbers(line_then), numbers(line_now))), (line_then, line_now)

"""The story of one customer, on a terminal: in short, since the page has all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from churnkit.lights import SHAPES
from churnkit.terminal import out, printable, table

_ISSUES = {
    "complaint": "complaint", "ticket": "support ticket", "payment": "failed payment",
    "cancellation": "cancellation",
}  # fmt: skip
_POINTS = 13


def show_story(story: Mapping[str, Any]) -> None:
    """The customer's own rhythm, what is open and planned, and its light over time."""
    console = out()
    console.print()
    for sentence in _sentences(story):
        console.print(printable(sentence, lines=False), soft_wrap=True)
    points = [_point(point) for point in story["course"][-_POINTS:]]
    if points:
        console.print()
        console.print(table("Over time", ["day", "said by", "light", "churn", "changed"], points))


def _sentences(story: Mapping[str, Any]) -> Iterator[str]:
    rhythm, purchases = story["rhythm"], story["purchases"]
    if purchases and purchases["count"]:
        money = "" if purchases["spent"] is None else f" for {purchases['spent']:,.0f}"
        yield f"{purchases['count']:,} purchases{money} since {purchases['first']}"
    if rhythm["median"] is not None:
        yield (
            f"Its own interval: {rhythm['median']:.0f} days, nine in ten within "
            f"{rhythm['p90']:.0f}; silent for {rhythm['silent']:.0f}"
            f"{': overdue' if rhythm['overdue'] else ''}"
        )
    for issue in story["issues"]:
        if issue["open"]:
            yield f"Open: {_ISSUES[issue['what']]} since {issue['day']}"
    for deed in story["deeds"]:
        if deed["state"] == "open":
            yield f"To be done: {deed['action']} ({deed['owner']}, due {deed['due']})"


def _point(point: Mapping[str, Any]) -> list[str]:
    by = "scored then" if point["source"] == "ledger" else "model of now"
    if not point["at_risk"]:
        return [point["day"], by, "not at risk", "", ""]
    light = f"{SHAPES[point['light']]} {point['light']}"
    share = f"{point['churn_probability']:.0%}"
    return [point["day"], by, light, share, point["changed"]]

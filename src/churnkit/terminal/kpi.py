"""The key figures on a terminal: tables that fit 80 columns, and every definition below them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from churnkit.report.kpi import figure_in_words, short_name
from churnkit.terminal.console import out
from churnkit.terminal.tables import table

_COLUMNS: Mapping[str, Sequence[str]] = {
    "Customers": (
        "active_start", "churned", "churn_rate", "retention", "new", "won_back", "active_end",
    ),
    "Revenue": (
        "revenue", "revenue_start", "revenue_churned", "contraction", "expansion", "nrr", "grr",
    ),
    "Lifetime value": ("clv", "clv_margin", "clv_retention"),
    "Surveys": ("nps", "nps_response", "ces", "ces_response", "csat", "csat_response"),
}  # fmt: skip
_WITH_INTERVALS = ("churn_rate", "nrr", "clv", "nps", "ces", "csat")
_OF_SEGMENTS = ("active_end", "churn_rate", "nrr", "clv", "nps", "ces", "csat")
_MANY = 1e6  # from such sums on, money is told in thousands
_AGES = 12  # so many months of a cohort fit 80 columns


def show_kpis(told: Mapping[str, Any]) -> None:
    """Month by month, the last month by segment with intervals, cohorts, and the definitions."""
    console = out()
    for sentence in told["says"]:
        console.print(sentence)
    for sentence in told["warnings"]:
        console.print(f"Note: {sentence}.")
    everybody, *segments = told["segments"]
    for title, names in _COLUMNS.items():
        _show_months(console, title, names, told["months"], everybody["figures"])
    _show_intervals(console, told["months"][-1], everybody["figures"])
    if segments:
        _show_segments(console, told)
    _show_cohorts(console, everybody["cohorts"])
    console.print()
    for rule in told["rules"].values():
        console.print(rule)
    for path in told.get("paths", {}).values():
        console.print(f"Wrote {path}", soft_wrap=True)


def _show_months(
    console: Console,
    title: str,
    names: Sequence[str],
    months: Sequence[str],
    figures: Mapping[str, Any],
) -> None:
    there = [name for name in names if name in figures]
    if there:
        by, unit = _money_unit([figure for name in there for figure in figures[name]], title)
        rows = (
            [month, *(_scaled(name, figures[name][k], by) for name in there)]
            for k, month in enumerate(months)
        )
        console.print()
        _print(console, title + unit, ["month", *map(short_name, there)], rows)


def _money_unit(figures: Sequence[Mapping[str, Any]], title: str) -> tuple[float, str]:
    """What money is divided by so that its columns stay narrow, and how that is told."""
    largest = max((abs(figure["value"] or 0) for figure in figures), default=0)
    if title != "Revenue" or largest < _MANY:
        return 1.0, ""
    return (1e6, ", in millions") if largest >= 1e3 * _MANY else (1e3, ", in thousands")


def _scaled(name: str, figure: Mapping[str, Any], by: float) -> str:
    value = figure["value"]
    if value is None or name in ("nrr", "grr"):
        return figure_in_words(name, figure)
    return figure_in_words(name, {"value": value / by})


def _print(console: Console, title: str, columns: Sequence[str], rows: Iterator[list[str]]) -> None:
    """A table whose figures, all but the first column, are aligned to the right."""
    console.print(table(title, columns, rows, right=range(1, len(columns))))


def _show_intervals(console: Console, month: str, figures: Mapping[str, Any]) -> None:
    rows = (
        [
            short_name(name),
            figure_in_words(name, figure),
            figure_in_words(name, {"value": figure["low"]}),
            figure_in_words(name, {"value": figure["high"]}),
            f"{figure['n']:,}",
        ]
        for name in _WITH_INTERVALS
        if name in figures
        for figure in [figures[name][-1]]
    )
    console.print()
    _print(console, f"{month} with 95 % intervals", ["", "value", "from", "to", "n"], rows)


def _show_segments(console: Console, told: Mapping[str, Any]) -> None:
    names = [name for name in _OF_SEGMENTS if name in told["segments"][0]["figures"]]
    rows = (
        [
            segment["segment"],
            *(figure_in_words(name, segment["figures"][name][-1]) for name in names),
        ]
        for segment in told["segments"]
    )
    console.print()
    title = f"{told['months'][-1]} by {told['column']}"
    _print(console, title, [told["column"], *map(short_name, names)], rows)


def _show_cohorts(console: Console, cohorts: Sequence[Mapping[str, Any]]) -> None:
    ages = min(max(len(cohort["there"]) for cohort in cohorts), _AGES)
    rows = (
        [
            cohort["month"],
            f"{cohort['customers']:,}",
            *(_cell(cohort, age) for age in range(ages)),
        ]
        for cohort in cohorts
    )
    console.print()
    columns = ["month", "new", *map(str, range(ages))]
    _print(console, "Cohorts: % there so many months later", columns, rows)


def _cell(cohort: Mapping[str, Any], age: int) -> str:
    if age >= len(cohort["shares"]):
        return ""
    share = cohort["shares"][age]["value"]
    return "–" if share is None else f"{100 * share:.0f}"

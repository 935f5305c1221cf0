"""What the terminal shows: tables made of plain values, and progress for those who wait."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from churnkit.audit import value_in_words
from churnkit.lights import SHAPES
from churnkit.logs.profile.finding import some

_STYLES = {"green": "green", "yellow": "yellow", "red": "red"}
_SEVERITIES = {"stop": ("■", "red"), "warn": ("▲", "yellow"), "note": ("○", "dim")}
_BLOCKS = "▁▂▃▄▅▆▇█"
_MONTHS_SHOWN, _BAR = 36, 40
_EXPECTED = {"up": "more churn", "down": "less churn", "": ""}
_PIPED_WIDTH = 160
_METRIC_WIDTH = 20
_FEATURES_WIDTH = {"log": 140, "unit": 140, "windows": 100, "higher means": 120}


def out() -> Console:
    """The console of results; wide when piped, unless COLUMNS says otherwise."""
    measured = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if measured else _PIPED_WIDTH, highlight=False)


def note(message: str) -> None:
    """A line for people, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(message))


def print_json(value: Any) -> None:
    """One JSON document on standard output; undefined numbers are null."""
    sys.stdout.write(json.dumps(_defined(value), ensure_ascii=False, indent=1) + "\n")


def _nobody(message: str) -> None:
    """Shows nothing: nobody is looking."""


@contextmanager
def progress() -> Iterator[Any]:
    """A function that shows what is being done; silent unless standard error is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _nobody
        return
    with console.status("starting") as status:
        yield lambda message: status.update(Text(message))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table of plain values; numbers are aligned to the right."""
    listed = [list(row) for row in rows]
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for k, name in enumerate(columns):
        numeric = all(isinstance(row[k], int | float) for row in listed) and bool(listed)
        made.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        made.add_row(*(_cell(value) for value in row))
    return made


def models_table(
    models: Sequence[Mapping[str, Any]], test: Mapping[str, Any], width: int = _PIPED_WIDTH
) -> Table:
    """Model against plain rules at one test cutoff, each metric with its interval.

    Metrics that do not fit the width are left to ``--json``.
    """
    metrics = list(models[0]["metrics"])[: max((width - 16) // _METRIC_WIDTH, 1)]
    return table(
        f"Test at {test['cutoff']}: {test['customers']:,} customers at risk, "
        f"{test['base_rate']:.1%} churned (95 % intervals)",
        ["model", *metrics],
        (
            [
                ("→ " if m["used"] else "  ") + m["name"],
                *(_interval(m["metrics"][name]) for name in metrics),
            ]
            for m in models
        ),
    )


def lights_table(lights: Sequence[Mapping[str, Any]], held_out: str) -> Table:
    """Customers of each light now, and how those of the test turned out."""
    return table(
        "Lights",
        ["light", "customers", "value at risk", f"at {held_out}", "of these churned"],
        (
            [
                _light(told["light"]),
                told["customers"],
                "unknown" if told["value_at_risk"] is None else f"{told['value_at_risk']:,.0f}",
                told["held_out"]["customers"],
                _share(told["held_out"]["churned"]),
            ]
            for told in lights
        ),
    )


def calls_table(calls: Sequence[Mapping[str, Any]]) -> Table:
    """The first rows of the call list with their reasons."""
    return table(
        "Call list",
        ["rank", "customer", "light", "churn", "value", "why"],
        (
            [
                call["rank"],
                call["customer_id"],
                _light(call["light"]),
                f"{call['churn_probability']:.0%}",
                "" if call["value_at_risk"] is None else f"{call['value_at_risk']:,.0f}",
                "; ".join([*(f"! {rule}" for rule in call["rules"]), *call["reasons"]]),
            ]
            for call in calls
        ),
    )


def show_proposals(config: Path, proposals: Sequence[Mapping[str, Any]]) -> None:
    """Which column is read as what and why, what is not used, and what could not be decided."""
    console = out()
    rows = [
        [p["log"], name, column, p["reasons"][name]["sure"], p["reasons"][name]["why"]]
        for p in proposals
        for name, column in p["columns"].items()
    ]
    console.print(table("Columns", ["log", "means", "column", "how sure", "why"], rows))
    console.print()
    for proposal in proposals:
        for sentence in _said_of(proposal):
            console.print(Text(sentence))
    console.print(Text(f"Wrote {config}. Look it over, then: churnkit check"))


def _said_of(proposal: Mapping[str, Any]) -> Iterator[str]:
    log = proposal["log"]
    if proposal["unused"]:
        yield f"Not used of {log}: {', '.join(proposal['unused'])}"
    if proposal["provenance"]:
        yield f"Says only where rows of {log} are from: {', '.join(proposal['provenance'])}"
    yield from (f"Noticed in {log}: {sentence}" for sentence in proposal["noticed"])
    yield from (f"Undecided in {log}: {sentence}" for sentence in proposal["undecided"])


def show_checkup(summary: Mapping[str, Any]) -> None:
    """What became of every row, what to look at, when, who, and whether it is enough."""
    console = out()
    console.print(_read_table(summary["logs"]))
    _show_set_aside(console, summary)
    _show_findings(console, summary["findings"])
    _show_months(console, summary["profiles"])
    _show_customers(console, summary["coverage"], summary["one_in"])
    _show_horizon(console, summary["horizon"])
    console.print(f"\nThe question: {summary['question']}")
    for sentence in summary["too_little"]:
        console.print(Text(f"Too little: {sentence}"))
    if not summary["too_little"]:
        console.print("The logs are enough for it. Next: churnkit train")


def _read_table(checks: Sequence[Mapping[str, Any]]) -> Table:
    columns = ["log", "rows", "kept", "events", "customers", "from", "to"]
    keys = ["log", "read", "kept", "folded", "customers", "first", "last"]
    return table("What was read", columns, ([c[key] or "" for key in keys] for c in checks))


def _show_set_aside(console: Console, summary: Mapping[str, Any]) -> None:
    from churnkit.report.checkup import set_aside_rows

    rows = [
        [row["log"], row["reason"], row["rows"], next(iter(row["examples"]), "")]
        for row in set_aside_rows(summary)
    ]
    console.print()
    if not rows:
        console.print("Nothing was set aside.")
        return
    console.print(table("What was set aside", ["log", "reason", "rows", "first, masked"], rows))
    if summary["rejected"]:
        listed = Text(f"Rows set aside are listed in {summary['rejected']}")
        console.print(listed, soft_wrap=True)


def _show_findings(console: Console, findings: Sequence[Mapping[str, Any]]) -> None:
    console.print()
    if not findings:
        console.print("Nothing stands out.")
        return
    told = Table(title="What to look at", title_justify="left", title_style="bold",
                 box=None, pad_edge=False, show_header=False)  # fmt: skip
    for finding in findings:
        mark, style = _SEVERITIES[finding["severity"]]
        says = Text(f"{finding['log']}: {finding['says']}")
        if finding["hint"]:
            says.append(f"\n{finding['hint']}", style="dim")
        told.add_row(Text(mark, style=style), says)
    console.print(told)


def _show_months(console: Console, profiles: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        [
            profile["log"],
            _blocks([month["rows"] for month in months]),
            f"{months[0]['month']} to {months[-1]['month']}",
            max(month["rows"] for month in months),
        ]
        for profile in profiles
        if (months := profile["months"][-_MONTHS_SHOWN:])
    ]
    if rows:
        console.print()
        console.print(table("Rows by month", ["log", "", "months", "at most"], rows))


def _blocks(numbers: Sequence[int]) -> str:
    """A small plot of block characters; a dot where there is nothing."""
    most = max([*numbers, 1])
    return "".join(_BLOCKS[max(-(-8 * n // most) - 1, 0)] if n else "·" for n in numbers)


def _show_customers(console: Console, coverage: Mapping[str, Any], one_in: int) -> None:
    customers, once = coverage["customers"], coverage["once"]
    console.print()
    if one_in > 1:
        console.print(f"What follows is read from one in {one_in:,} customers.")
    console.print(
        f"{some(customers, 'customer')} in {coverage['log']}, "
        f"{once / customers:.0%} of them once only"
    )
    for other in coverage["shared"]:
        console.print(f"  {other['both'] / customers:.0%} of them also in {other['log']}")


def _show_horizon(console: Console, horizon: Mapping[str, Any]) -> None:
    console.print(f"\n{horizon['says']}")
    if not horizon["curve"]:
        return
    rows = [
        [
            point["days"],
            f"{point['within']:.0%}",
            "█" * round(_BAR * point["within"]),
            "← suggested" if point["days"] == horizon["suggested_days"] else "",
        ]
        for point in horizon["curve"]
    ]
    console.print(table("Came back within as long again", ["days silent", "share", "", ""], rows))


def show_features(features: Sequence[Mapping[str, Any]]) -> None:
    """Every feature with its meaning and, as far as the width allows, what else is known of it."""
    console = out()
    told_of = {
        "feature": [told["name"] + ("_{window}" if told["windows"] else "") for told in features],
        "log": [told["log"] or "all" for told in features],
        "unit": [told["unit"] for told in features],
        "windows": [
            " ".join("all" if days is None else str(days) for days in told["windows"])
            for told in features
        ],
        "higher means": [_EXPECTED[told["direction"]] for told in features],
        "meaning": [
            told["says"].replace("{window}", "in the window")
            + (" (your own)" if told["own"] else "")
            for told in features
        ],
    }
    columns = [name for name in told_of if console.width >= _FEATURES_WIDTH.get(name, 0)]
    rows = list(zip(*(told_of[name] for name in columns), strict=True))
    shown = table(f"{len(rows)} features", columns, rows)
    shown.columns[0].no_wrap = True  # a name is to be copied
    console.print(shown)
    hidden = [name for name in told_of if name not in columns]
    if hidden:
        note(f"Not shown for want of width: {', '.join(hidden)}; --json tells everything.")


def show_built(told: Mapping[str, Any]) -> None:
    """What a feature table holds, and where it is."""
    for warning in told["warnings"]:
        note(f"Warning: {warning}")
    cutoffs = told["cutoffs"]
    when = cutoffs[0] if len(cutoffs) == 1 else f"{cutoffs[0]} to {cutoffs[-1]}"
    out().print(
        f"Wrote {some(told['rows'], 'row')} × {told['features']} features to {told['out']}\n"
        f"As of {when}, {some(len(cutoffs), 'cutoff')}.",
        soft_wrap=True,
    )


def show_audit(told: Mapping[str, Any]) -> None:
    """What was compared, and every leak with a customer that shows it."""
    console = out()
    console.print(
        f"{told['columns']} features × {some(told['customers'], 'customer')} × "
        f"{some(len(told['cutoffs']), 'cutoff')} ({', '.join(told['cutoffs'])}) × "
        f"{len(told['trials'])} trials: {told['compared']:,} values compared to the last bit."
    )
    console.print(f"Trials: {', '.join(told['trials'])}.\n")
    if not told["leaks"]:
        console.print("None of them sees the future.")
        return
    columns = ["feature", "trial", "customer", "as of", "was", "became", "customers"]
    keys = ["feature", "trial", "customer_id", "cutoff", "value", "other", "customers"]
    rows = [
        [value_in_words(leak[key]) if key in {"value", "other"} else leak[key] for key in keys]
        for leak in told["leaks"]
    ]
    console.print(table("Leaks", columns, rows))
    console.print()
    trials: dict[tuple[str, str], list[str]] = {}
    for leak in told["leaks"]:
        showing = trials.setdefault((leak["fault"], leak["mend"]), [])
        showing += [leak["trial"]] if leak["trial"] not in showing else []
    meanings = [[", ".join(names), fault, mend] for (fault, mend), names in trials.items()]
    console.print(table("What that means", ["trial", "the feature", "mend"], meanings))


def show_training(summary: Mapping[str, Any], models: Sequence[Mapping[str, Any]]) -> None:
    """Model against plain rules, the lights of the test, the gates, and where the model is."""
    console = out()
    test = summary["trials"][-1]
    console.print(f"The question: {summary['question']}\n")
    console.print(models_table(models, test, console.width))
    console.print(f"\n{summary['verdict']}\n")
    rows = [[_light(t["light"]), t["customers"], _share(t["churned"])] for t in summary["lights"]]
    console.print(table("Lights of the test", ["light", "customers", "of these churned"], rows))
    console.print()
    for gate in summary["gates"]:
        console.print(
            f"{'passed' if gate['passed'] else 'FAILED'}: {gate['name']} ({gate['says']})"
        )
    role = "now the champion" if summary["champion"] else "not the champion"
    console.print(f"\nVersion {summary['version']} in {summary['bundle']}, {role}.")


def show_scores(summary: Mapping[str, Any], calls: int = 10) -> None:
    """Model against rules, the lights, the first calls, and what was written."""
    console = out()
    console.print(f"As of {summary['as_of']}: {summary['question']}\n")
    for warning in summary["warnings"]:
        note(f"Warning: {warning}")
    console.print(models_table(summary["models"], summary["test"], console.width))
    console.print(f"\n{summary['verdict']}\n")
    console.print(lights_table(summary["lights"], summary["held_out_cutoff"]))
    console.print()
    console.print(calls_table(summary["calls"][:calls]))
    console.print()
    console.print(table("Written", ["what", "where"], summary["paths"].items()))


def show_sets(sets: Sequence[Mapping[str, Any]]) -> None:
    """The public sets that can be fetched, with licence and page."""
    console = out()
    rows = [[s["name"], s["what"], s["licence"], s["page"]] for s in sets]
    console.print(table("Public sets", ["name", "what", "licence", "page"], rows))
    console.print("\nNext: churnkit fetch NAME")


def show_fetched(told: Mapping[str, Any]) -> None:
    """Where a public set is, how it was verified, and how it is read."""
    console = out()
    deed = "Fetched" if told["downloaded"] else "Already there, nothing was downloaded:"
    console.print(f"{deed} {told['path']} ({told['bytes']:,} bytes)", soft_wrap=True)
    console.print(f"Verified: {told['check']}, {told['sha256']}", soft_wrap=True)
    console.print(f"Licence and citation: {told['notice']}", soft_wrap=True)
    console.print(f"Next: {told['init']}", soft_wrap=True)


def _light(light: str) -> Text:
    return Text(f"{SHAPES[light]} {light}", style=_STYLES[light])


def _cell(value: Any) -> Text:
    if isinstance(value, Text):
        return value
    return Text(f"{value:,}" if isinstance(value, int) else str(value))


def _interval(told: Mapping[str, Any]) -> str:
    from churnkit.training import interval_of

    return str(interval_of(told))


def _share(told: Mapping[str, Any]) -> str:
    if told["value"] is None:
        return "nobody to tell"
    return f"{told['value']:.0%} [{told['low']:.0%}, {told['high']:.0%}]"


def _defined(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _defined(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

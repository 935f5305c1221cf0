"""What the terminal shows: tables made of plain values, and progress for those who wait."""

from __future__ import annotations

import json
import math
import os
import re
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
_PULLS = ("", "log-odds", "", "theme", "associated with")
_THEMES_SHOWN, _PULL_BAR = 8, 16
_WITH_TIMES = 104  # so wide a terminal shows when each model was trained
_WITH_DEEDS, _DEED_WIDTH = 112, 30  # what to do gets a column of its own, of that width
_WITH_INTERVALS = 112  # so wide a terminal shows the intervals of outcomes
_METRIC_WIDTH = 20
_FEATURES_WIDTH = {"log": 140, "unit": 140, "windows": 100, "higher means": 120}
# What a terminal obeys, cannot write, or turns the rest of the line round for. Joiners and marks
# of direction, which Persian and emoji need, are none of it.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_UNPRINTABLE_BUT_LINES = re.compile(rf"(?!\n){_UNPRINTABLE.pattern}")


def printable(text: str, *, lines: bool = True) -> str:
    """The text with U+FFFD for every character that a terminal would not show but obey.

    Ids and categories come from the logs, and a log may hold escape sequences.

    Parameters
    ----------
    text
        Any text.
    lines
        Whether line feeds are meant, and stay.
    """
    return (_UNPRINTABLE_BUT_LINES if lines else _UNPRINTABLE).sub("\ufffd", text)


class _Plain(Console):
    """Shows texts as they are: brackets in them are no markup, and nothing in them is obeyed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def out() -> Console:
    """The console of results; wide when piped, unless COLUMNS says otherwise."""
    measured = sys.stdout.isatty() or "COLUMNS" in os.environ
    return _Plain(width=None if measured else _PIPED_WIDTH, highlight=False)


def note(message: str) -> None:
    """A line for people, on standard error."""
    _Plain(stderr=True, highlight=False, soft_wrap=True).print(message)


def print_json(value: Any) -> None:
    """One JSON document on standard output; undefined numbers are null."""
    told = json.dumps(_defined(value), ensure_ascii=False, indent=1)
    # JSON escapes the first 32 characters only; the others stand nowhere but in texts.
    told = _UNPRINTABLE_BUT_LINES.sub(lambda match: f"\\u{ord(match[0]):04x}", told)
    sys.stdout.write(told + "\n")


def _nobody(message: str) -> None:
    """Shows nothing: nobody is looking."""


@contextmanager
def progress() -> Iterator[Any]:
    """A function that shows what is being done; silent unless standard error is a terminal."""
    console = _Plain(stderr=True)
    if not console.is_terminal:
        yield _nobody
        return
    with console.status("starting") as status:
        yield lambda message: status.update(Text(printable(message)))


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


def calls_table(calls: Sequence[Mapping[str, Any]], width: int = _PIPED_WIDTH) -> Table:
    """The first rows of the call list with their reasons, and shorter horizons if asked for.

    Where the width is narrow, what to do and why share a column.
    """
    within = list(calls[0]["within_days"]) if calls else []
    last = ["what to do", "why"] if width >= _WITH_DEEDS else ["what to do, and why"]
    made = table(
        "Call list",
        ["rank", "customer", "light", "churn", *(f"{days} d" for days in within), "value", *last],
        (
            [
                call["rank"],
                call["customer_id"],
                _light(call["light"]),
                f"{call['churn_probability']:.0%}",
                *(f"{call['within_days'][days]:.0%}" for days in within),
                "" if call["value_at_risk"] is None else f"{call['value_at_risk']:,.0f}",
                *_deed_and_why(call, len(last) == 1),
            ]
            for call in calls
        ),
    )
    made.columns[-len(last)].max_width = None if len(last) == 1 else _DEED_WIDTH
    return made


def _deed_and_why(call: Mapping[str, Any], together: bool) -> list[Any]:
    """What is to be done and why, in two cells or below each other in one."""
    deed, changed = _deed(call), [f"changed: {call['changed']}"] if call["changed"] else []
    why = "; ".join([*(f"! {rule}" for rule in call["rules"]), *call["reasons"], *changed])
    if not together:
        return [deed, why]
    above, below = (Text(printable(told, lines=False)) for told in (deed, why))
    return [Text("\n").join(told for told in (above, below) if told)]


def _deed(call: Mapping[str, Any]) -> str:
    """What is to be done, by whom, by when."""
    if not call["action"]:
        return ""
    until = f" by {call['due'][:16].replace('T', ' ')}" if call["due"] else ""
    return f"{call['action']} ({call['owner']}{until})"


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
            console.print(sentence)
    console.print(f"Wrote {config}. Look it over, then: churnkit check")


def _said_of(proposal: Mapping[str, Any]) -> Iterator[str]:
    log = proposal["log"]
    if proposal["unused"]:
        yield f"Not used of {log}: {', '.join(proposal['unused'])}"
    if proposal["provenance"]:
        yield f"Says only where rows of {log} are from: {', '.join(proposal['provenance'])}"
    if proposal["groups"]:
        yield (
            f"Could be features: {', '.join(proposal['groups'])}. Name those that never change for "
            f"a customer, and are known from the first day, in static of [logs.{log}]"
        )
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
        console.print(f"Too little: {sentence}")
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
        console.print(f"Rows set aside are listed in {summary['rejected']}", soft_wrap=True)


def _show_findings(console: Console, findings: Sequence[Mapping[str, Any]]) -> None:
    console.print()
    if not findings:
        console.print("Nothing stands out.")
        return
    told = Table(title="What to look at", title_justify="left", title_style="bold",
                 box=None, pad_edge=False, show_header=False)  # fmt: skip
    for finding in findings:
        mark, style = _SEVERITIES[finding["severity"]]
        says = Text(printable(f"{finding['log']}: {finding['says']}"))
        if finding["hint"]:
            says.append(printable(f"\n{finding['hint']}"), style="dim")
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
    from churnkit.gates import Grade
    from churnkit.training import gate_word

    console = out()
    test = summary["trials"][-1]
    console.print(f"The question: {summary['question']}\n")
    console.print(models_table(models, test, console.width))
    console.print(f"\n{summary['verdict']}.")
    console.print(f"{Grade(summary['grade'], summary['grade_says'])}.")
    console.print(f"Tuning: {summary['tuning']['says']}.\n" if summary["tuning"] else "")
    if summary["untreated"]:
        console.print(f"Treated customers: {summary['untreated']}.\n", soft_wrap=True)
    rows = [[_light(t["light"]), t["customers"], _share(t["churned"])] for t in summary["lights"]]
    console.print(table("Lights of the test", ["light", "customers", "of these churned"], rows))
    profit = summary["profit"]
    console.print(f"\nProfit: {profit['says']}; [money]: {profit['money']['rule']}.\n")
    for gate in summary["gates"]:
        console.print(f"{gate_word(gate)}: {gate['name']} ({gate['says']})")
    for warning in summary["warnings"]:
        note(f"Warning: {warning}")
    show_release(summary)


def show_rolling(summary: Mapping[str, Any]) -> None:
    """Every rung over all cutoffs, each cutoff, the learning curves, and segments."""
    console = out()
    chosen, rule = summary["chosen"], summary["best_rule"]
    console.print(f"The question: {summary['question']}\n")
    columns = ["model", "auroc", "log loss", f"{chosen} less it: auroc", "log loss"]
    rows = [
        [
            ("→ " if m["used"] else "  ") + m["name"],
            *(_interval(m["metrics"][name]) for name in ("auroc", "log_loss")),
            *("" if m["used"] else _interval(m["behind"][n]) for n in ("auroc", "log_loss")),
        ]
        for m in summary["models"]
    ]
    number = some(len(summary["trials"]), "test cutoff")
    console.print(table(f"Mean over {number} (95 % intervals by customer)", columns, rows))
    console.print(f"\n{summary['verdict']}.\n")
    console.print(_course_table(summary["trials"], chosen, rule))
    for skipped in summary["skipped"]:
        console.print(f"Not tested at {skipped['cutoff']}: {skipped['why']}")
    console.print()
    console.print(_curves_table(summary, chosen))
    console.print()
    console.print(_segments_table(summary["segments"], rule))


def _course_table(trials: Sequence[Mapping[str, Any]], chosen: str, rule: str) -> Table:
    columns = ["at", "trained on", "customers", "churned", "expected", "auroc", "log loss",
               f"log loss of {rule}", ""]  # fmt: skip
    rows = [
        [
            told["cutoff"],
            some(told["training_cutoffs"], "cutoff"),
            told["customers"],
            f"{told['base_rate']:.1%}",
            f"{told['expected']:.1%}",
            *(_interval(told["metrics"][chosen][name]) for name in ("auroc", "log_loss")),
            _interval(told["metrics"][rule]["log_loss"]),
            "the base rate moved" if told["base_rate_moved"] else "",
        ]
        for told in trials
    ]
    return table(f"{chosen}, cutoff by cutoff", columns, rows)


def _curves_table(summary: Mapping[str, Any], chosen: str) -> Table:
    rows = [
        [what, point["customers"], point["cutoffs"], point["rows"],
         *(_interval(point["metrics"][name]) for name in ("auroc", "log_loss"))]
        for what, key in (("customers", "by_customers"), ("cutoffs", "by_cutoffs"))
        for point in summary[key]
    ]  # fmt: skip
    columns = ["more", "customers", "cutoffs", "rows", "auroc", "log loss"]
    return table(f"{chosen}, learnt from more and more, at the last test", columns, rows)


def _segments_table(segments: Sequence[Mapping[str, Any]], rule: str) -> Table:
    rows = [
        [
            told["by"],
            told["name"],
            told["rows"],
            f"{told['base_rate']:.1%}",
            *(
                _interval(told["metrics"][name]) if told["metrics"] else "too few"
                for name in ("auroc", "log_loss")
            ),
            _interval(told["gain"]) if told["gain"] else "",
        ]
        for told in segments
    ]
    columns = ["by", "customers", "rows", "churned", "auroc", "log loss",
               f"log loss less than {rule}"]  # fmt: skip
    return table("Segments", columns, rows)


def show_release(told: Mapping[str, Any]) -> None:
    """Where a model is, whether it is used, and why."""
    role = {"champion": "now the champion", "challenger": "the challenger"}
    out().print(
        f"\nVersion {told['version']} in {told['bundle']}, "
        f"{role.get(told['alias'], 'not the champion')}: {told['standing']}.",
        soft_wrap=True,
    )


def show_models(models: Sequence[Mapping[str, Any]]) -> None:
    """Every version of the model, which of them scores, and how good each was at its test."""
    console = out()
    if not models:
        console.print("There is no model yet. Next: churnkit train")
        return
    columns = ["version", "alias", "model", "test", "auroc", "log_loss", "grade"]
    rows = [
        [
            told["version"],
            told["alias"],
            told["model"] or "",
            told["test_cutoff"] or "",
            _interval(told["auroc"]),
            _interval(told["log_loss"]),
            told["grade"] or "",
        ]
        for told in models
    ]
    if console.width >= _WITH_TIMES:
        columns.append("trained")
        for row, told in zip(rows, models, strict=True):
            row.append((told["trained"] or "")[:16].replace("T", " "))
    console.print(table("Models", columns, rows))
    console.print(f"\n{_questions(models)}")


def _questions(models: Sequence[Mapping[str, Any]]) -> str:
    """What the models ask: once if it is the same for all, else with the versions that ask it."""
    asking: dict[str, list[str]] = {}
    for told in models:
        asking.setdefault(told["question"] or "what is not known", []).append(told["version"])
    if len(asking) == 1:
        return f"Asked: {next(iter(asking))}."
    return "\n".join(f"Asked by {', '.join(who)}: {what}." for what, who in asking.items())


def show_crowned(told: Mapping[str, Any]) -> None:
    """Which version scores now, and which did before."""
    if told["gates"] not in (None, "passed"):
        note(f"Warning: version {told['version']} {told['gates']}")
    before = f", in place of version {told['before']}" if told["before"] else ""
    same = told["before"] == told["version"]
    deed = "is the champion already" if same else f"is now the champion{before}"
    out().print(
        f"Version {told['version']} ({told['model']}) {deed}.\nIt asks: {told['question']}.\n"
        f"A copy is kept in {told['bundle']}.",
        soft_wrap=True,
    )


def show_scores(summary: Mapping[str, Any], calls: int = 10) -> None:
    """Model against rules, the lights, the first calls, and what was written."""
    console = out()
    console.print(f"As of {summary['as_of']}: {summary['question']}\n")
    for warning in summary["warnings"]:
        note(f"Warning: {warning}")
    console.print(models_table(summary["models"], summary["test"], console.width))
    console.print(f"\n{summary['verdict']}\n")
    console.print(lights_table(summary["lights"], summary["held_out_cutoff"]))
    console.print(f"\n{summary['policy']}")
    for line in _said_of_lights(summary):
        console.print(line)
    console.print()
    console.print(calls_table(summary["calls"][:calls], console.width))
    console.print()
    console.print(table("Written", ["what", "where"], summary["paths"].items()))
    console.print(f"\n{summary['published']['says']}")


def _said_of_lights(summary: Mapping[str, Any]) -> Iterator[str]:
    """What rules did, which lights changed, and what is planned."""
    did = [
        f"{rule['name']} {rule['fired']:,} (changed {rule['lifted'] + rule['lowered']:,})"
        for rule in summary["rules"]
        if rule["fired"]
    ]
    if did:
        yield f"rules fired: {', '.join(did)}"
    moved = summary["transitions"]
    if moved is not None:
        turned = [
            f"{n:,} {was} → {now}"
            for was, row in moved.items()
            for now, n in row.items()
            if n and was != now
        ]
        yield f"since {summary['before']}: {', '.join(turned) or 'no light changed'}"
    planned = summary["planned"]
    if planned is not None:
        waiting = f", {planned['waiting']:,} wait" if planned["waiting"] else ""
        held = f", {planned['control']:,} are held out as controls" if planned["control"] else ""
        yield f"to be done now: {some(planned['call'], 'customer')}{waiting}{held}"
    if summary["unknown"]:
        sides = [f"{side} of {some(n, 'customer')}" for side, n in summary["unknown"].items()]
        yield f"nothing is known of {', '.join(sides)}"


def show_replay(summary: Mapping[str, Any]) -> None:
    """Policies side by side, what was promised, and what the rules did."""
    console = out()
    weeks, policies = summary["weeks"], summary["policies"]
    console.print(f"{summary['question']}\n")
    console.print(
        f"{len(weeks)} weekly scorings from {weeks[0]} to {weeks[-1]} by {summary['model']}, "
        f"{summary['customers']:,.0f} customers each on average.\n",
        soft_wrap=True,
    )
    columns = ["policy", "light", "customers", "churned", "of all churners"]
    rows = [
        [
            policy["name"] if k == 0 else "",
            _light(colour["light"]),
            f"{colour['customers']:,.0f}",
            _share(colour["churned"]),
            "" if colour["caught"] is None else f"{colour['caught']:.0%}",
        ]
        for policy in policies
        for k, colour in enumerate(policy["colours"])
    ]
    console.print(table("Lights in a week, and what came of them", columns, rows))
    console.print()
    columns = ["policy", "profit a week", "new calls a week", "changed", "flicker"]
    rows = [
        [
            policy["name"],
            f"{policy['profit']:,.0f}",
            f"{policy['calls']:,.0f}",
            f"{policy['changed'] or 0:.1%}",
            f"{policy['flicker'] or 0:.1%}",
        ]
        for policy in policies
    ]
    console.print(table("If every red customer is called", columns, rows))
    console.print(f"\nProfit: {summary['money']} where the value of a customer is not known.")
    for policy in policies:
        _show_promises(policy)
    _show_rules(policies[0])


def _show_promises(policy: Mapping[str, Any]) -> None:
    for told in policy["promises"]:
        bound = "at least" if told["light"] == "red" else "at most"
        came = (
            "nobody had the colour"
            if told["verdict"] == "nobody"
            else f"{_share(told['realised'])} of {told['customers']:,} churned: {told['verdict']}"
        )
        out().print(
            Text.assemble(
                f"{policy['name']}: ",
                _light(told["light"]),
                f" promised {bound} {told['promised']:.0%}, before any rule; {came}",
            )
        )
    for warning in policy["warnings"]:
        note(f"Warning, {policy['name']}: {warning}")


def _show_rules(policy: Mapping[str, Any]) -> None:
    rows = [
        [
            rule["name"],
            *(f"{rule[what]:,.1f}" for what in ("fired", "lifted", "lowered")),
            "" if rule["speaks"] else "the logs tell nothing of it",
        ]
        for rule in policy["rules"]
    ]
    out().print()
    columns = ["rule", "fired", "lifted", "lowered", ""]
    out().print(table(f"What the rules did in a week, with {policy['name']}", columns, rows))


def show_calls(told: Mapping[str, Any]) -> None:
    """Who has how many to act on, and what was written."""
    console = out()
    waiting = f"; {told['waiting']:,} wait for want of time" if told["waiting"] else ""
    console.print(f"As of {told['as_of']}: {some(told['call'], 'customer')} to act on{waiting}.\n")
    console.print(table("Owners", ["owner", "customers"], told["by_owner"].items()))
    console.print()
    written = {**told["paths"], **({"table": told["table"]} if "table" in told else {})}
    console.print(table("Written", ["what", "where"], written.items()))


def say(sentence: str) -> None:
    """One sentence."""
    out().print(printable(sentence), soft_wrap=True)


def show_outcomes(told: Mapping[str, Any]) -> None:
    """Treated against control by light and action, what it saved, and how to rank."""
    console = out()
    console.print(f"Asked is: {told['question']}; lists from {told['first']} to {told['last']}.\n")
    groups = [*told["groups"], told["together"]]
    console.print(_outcomes_table(groups, console.width))
    console.print()
    for one in groups:
        name = f"{one['light']}, {one['action']}" if one["light"] else "All together"
        console.print(printable(f"{name}: {one['says']}."))
    worth = told["together"]["saved_value"]
    if worth is not None:
        console.print(
            f"\nSaved among those treated: {worth['value']:,.0f} "
            f"[{worth['low']:,.0f}, {worth['high']:,.0f}] of value at risk, "
            f"for {told['together']['cost']:,.0f} recorded as cost."
        )
    for sentence in (*told["notes"], told["ranking"]["says"]):
        console.print(printable(sentence))


def _outcomes_table(groups: Sequence[Mapping[str, Any]], width: int) -> Table:
    """Treated beside control; where it is narrow, intervals are left to the sentences below."""
    wide = width >= _WITH_INTERVALS

    def share(told: Mapping[str, Any] | None) -> str:
        if told is None or told["value"] is None:
            return "nobody to tell" if wide else "nobody"
        return _share(told) if wide else f"{told['value']:.0%}"

    columns = ["light", "action", "treated", "churned", "control", "churned", "open"]
    rows = [
        [
            _light(one["light"]) if one["light"] else "all",
            one["action"],
            one["treated"],
            share(one["churn_treated"]),
            one["control"],
            share(one["churn_control"]),
            one["open"],
        ]
        for one in groups
    ]
    if wide:
        columns.insert(-1, "difference")
        for row, one in zip(rows, groups, strict=True):
            row.insert(-1, "" if one["difference"] is None else _points(one["difference"]))
    return table(f"Churn by what chance assigned{', in points' if wide else ''}", columns, rows)


def _points(told: Mapping[str, Any]) -> str:
    """A difference of shares in points, with its interval."""
    value, low, high = (100 * told[key] for key in ("value", "low", "high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def show_override(told: Mapping[str, Any]) -> None:
    """An override that was set or taken back."""
    was = Text.assemble(", before ", _light(told["before"])) if told["before"] else Text("")
    who = f"by {told['owner']}: {told['reason']}"
    deed = (
        Text.assemble(_light(told["light"]), f" from {told['day']} until {told['until']} {who}")
        if told["light"]
        else Text(f"no longer overridden from {told['day']} on, {who}")
    )
    out().print(Text.assemble(f"Customer {told['customer']}: ", deed, was))


def show_overrides(told: Mapping[str, Any]) -> None:
    """The overrides of a day, or all that were ever made."""
    if not told["overrides"]:
        out().print(f"No override holds on {told['as_of']}.")
        return
    rows = [
        [
            one["customer"],
            _light(one["light"]) if one["light"] else "cleared",
            one["day"],
            one["until"],
            one["owner"],
            one["reason"],
            _light(one["before"]) if one["before"] else "",
        ]
        for one in told["overrides"]
    ]
    columns = ["customer", "light", "from", "until", "owner", "reason", "before"]
    out().print(table("Overrides", columns, rows))


def show_explained(told: Mapping[str, Any]) -> None:
    """Why a customer has its probability and light, and what moved them."""
    console = out()
    for warning in told["warnings"]:
        note(f"Warning: {warning}")
    console.print(_state_of(told, f"{told['customer_id']} as of {told['as_of']}: "))
    if told["unknown"]:
        console.print(f"Nothing is known of {', '.join(told['unknown'])}.")
    console.print(f"Asked is: {told['question']} (model {told['model']})\n")
    start = [["", f"{told['start']:+.2f}", "", "", "where everybody starts"]]
    rows = [*start, *_pulls(told["reasons"], told["rest"])]
    console.print(table("Why", _PULLS, rows))
    says = f"Together {told['log_odds']:+.2f} in log-odds, that is {told['churn_probability']:.0%}."
    console.print(f"{says} Associations, not causes.")
    since = told["since"]
    if since is not None:
        console.print()
        console.print(_state_of(since, f"Since {since['as_of']}, then: "))
        rows = _pulls(since["moves"], since["rest"])
        console.print(table("What moved it", _PULLS, rows))
        console.print(f"Together {since['change']:+.2f} in log-odds.")


def _state_of(told: Mapping[str, Any], before: str) -> Text:
    rules = "".join(f"; ! {rule}" for rule in told["rules"])
    light = _light(told["light"])
    churn = f"{told['churn_probability']:.0%} churn, "
    return Text.assemble((printable(before), "bold"), churn, light, printable(rules))


def _pulls(pulls: Sequence[Mapping[str, Any]], rest: float) -> list[list[Any]]:
    """Themes with their weights as bars, red towards churn and green away from it."""
    shown, others = pulls[:_THEMES_SHOWN], pulls[_THEMES_SHOWN:]
    most = max((abs(pull["weight"]) for pull in shown), default=1.0)
    rows = [
        [
            "↑" if pull["weight"] > 0 else "↓",
            f"{pull['weight']:+.2f}",
            Text(
                "█" * max(round(_PULL_BAR * abs(pull["weight"]) / most), 1),
                style="red" if pull["weight"] > 0 else "green",
            ),
            pull["theme"],
            pull["says"],
        ]
        for pull in shown
    ]
    left = rest + sum(pull["weight"] for pull in others)
    return [*rows, ["", f"{left:+.2f}", "", "", "all else"]]


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
    return Text(f"{value:,}" if isinstance(value, int) else printable(str(value), lines=False))


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

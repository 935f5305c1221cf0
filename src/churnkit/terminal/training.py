"""What the terminal shows of a training, and of tests at every cutoff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from churnkit.logs.profile.finding import some
from churnkit.terminal.console import PIPED_WIDTH, hint, note, out, say
from churnkit.terminal.tables import (
    Listing,
    interval,
    light,
    share,
    table,
)
from churnkit.terminal.versions import show_release

_METRIC_WIDTH = 20


def models_table(
    models: Sequence[Mapping[str, Any]], test: Mapping[str, Any], width: int = PIPED_WIDTH
) -> Listing:
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
                *(interval(m["metrics"][name]) for name in metrics),
            ]
            for m in models
        ),
    )


def show_training(
    summary: Mapping[str, Any],
    models: Sequence[Mapping[str, Any]],
    config: Path | str | None = None,
) -> None:
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
    if summary["sample"]:
        say(f"Sample: {summary['sample']['says']}.")
    if summary["untreated"]:
        say(f"Treated customers: {summary['untreated']}.\n")
    rows = [[light(t["light"]), t["customers"], share(t["churned"])] for t in summary["lights"]]
    console.print(table("Lights of the test", ["light", "customers", "of these churned"], rows))
    profit = summary["profit"]
    console.print(f"\nProfit: {profit['says']}; [money]: {profit['money']['rule']}.\n")
    for gate in summary["gates"]:
        console.print(f"{gate_word(gate)}: {gate['name']} ({gate['says']})")
    for warning in summary["warnings"]:
        note(f"Warning: {warning}")
    show_release(summary)
    hint("churnkit score --as-of DATE", "churnkit backtest", config=config)


def show_rolling(summary: Mapping[str, Any]) -> None:
    """Every rung over all cutoffs, each cutoff, the learning curves, and segments."""
    console = out()
    chosen, rule = summary["chosen"], summary["best_rule"]
    console.print(f"The question: {summary['question']}\n")
    columns = ["model", "auroc", "log loss", f"{chosen} less it: auroc", "log loss"]
    rows = [
        [
            ("→ " if m["used"] else "  ") + m["name"],
            *(interval(m["metrics"][name]) for name in ("auroc", "log_loss")),
            *("" if m["used"] else interval(m["behind"][n]) for n in ("auroc", "log_loss")),
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


def _course_table(trials: Sequence[Mapping[str, Any]], chosen: str, rule: str) -> Listing:
    columns = ["at", "trained on", "customers", "churned", "expected", "auroc", "log loss",
               f"log loss of {rule}", ""]  # fmt: skip
    rows = [
        [
            told["cutoff"],
            some(told["training_cutoffs"], "cutoff"),
            told["customers"],
            f"{told['base_rate']:.1%}",
            f"{told['expected']:.1%}",
            *(interval(told["metrics"][chosen][name]) for name in ("auroc", "log_loss")),
            interval(told["metrics"][rule]["log_loss"]),
            "the base rate moved" if told["base_rate_moved"] else "",
        ]
        for told in trials
    ]
    return table(f"{chosen}, cutoff by cutoff", columns, rows)


def _curves_table(summary: Mapping[str, Any], chosen: str) -> Listing:
    rows = [
        [what, point["customers"], point["cutoffs"], point["rows"],
         *(interval(point["metrics"][name]) for name in ("auroc", "log_loss"))]
        for what, key in (("customers", "by_customers"), ("cutoffs", "by_cutoffs"))
        for point in summary[key]
    ]  # fmt: skip
    columns = ["more", "customers", "cutoffs", "rows", "auroc", "log loss"]
    return table(f"{chosen}, learnt from more and more, at the last test", columns, rows)


def _segments_table(segments: Sequence[Mapping[str, Any]], rule: str) -> Listing:
    rows = [
        [
            told["by"],
            told["name"],
            told["rows"],
            f"{told['base_rate']:.1%}",
            *(
                interval(told["metrics"][name]) if told["metrics"] else "too few"
                for name in ("auroc", "log_loss")
            ),
            interval(told["gain"]) if told["gain"] else "",
        ]
        for told in segments
    ]
    columns = ["by", "customers", "rows", "churned", "auroc", "log loss",
               f"log loss less than {rule}"]  # fmt: skip
    return table("Segments", columns, rows, head=2)

"""What the terminal shows of a look at a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from churnkit.terminal.console import out
from churnkit.terminal.tables import light, marked, table

_LIGHT_OF = {"ok": "green", "watch": "yellow", "retrain": "red"}
_FEATURES_SHOWN = 5
_METRICS = ("auroc", "log_loss", "ece", "lift_top_decile")


def show_monitor(told: Mapping[str, Any]) -> None:
    """Verdict, alarms, notes, logs, and what came of past runs."""
    console = out()
    console.print(_verdict(told["verdict"]), f"{told['as_of']}: {told['reason']}")
    _show_alarms(console, told)
    console.print()
    console.print(_logs(told))
    for part in (_outcomes, _lights, _features):
        for shown in part(told):
            console.print()
            console.print(shown)
    if told["untried"]:
        console.print()
        console.print("Not looked at, for want of data:")
        for one in told["untried"]:
            console.print(f"  {one['check']}: {one['why']}")


def _verdict(word: str) -> Text:
    return marked(_LIGHT_OF[word], word, "bold")


def _show_alarms(console: Console, told: Mapping[str, Any]) -> None:
    for alarm in told["alarms"]:
        console.print()
        console.print(_verdict(alarm["severity"]), f"{alarm['what']}.")
        console.print(f"  → {alarm['do']}")
    for note in told["notes"]:
        console.print(f"○ {note}")


def _logs(told: Mapping[str, Any]) -> Any:
    return table(
        "Logs",
        ["log", "rows", "set aside", "last days", "events", "usual", "days behind"],
        (
            [
                log["log"], log["rows"], log["faulty"], log["recent_days"], log["recent"],
                log["usual"], log["behind"],
            ]
            for log in told["inputs"]
        ),
    )  # fmt: skip


def _outcomes(told: Mapping[str, Any]) -> Iterator[Any]:
    found = told["outcomes"]
    if not found or not found["judged"]:
        return
    judged = found["judged"]
    if judged["judged_on"] == "untreated":
        yield f"{judged['churned']['value']:.1%} churned with those who were acted on; without:"
        judged = {**judged["untreated"], "test": judged["test"]}
    yield table(
        f"What came of the runs of {', '.join(judged['days'])}",
        ["light", "customers", "mean probability", "churned"],
        (
            [light(one["light"]), one["customers"], _percent(one["mean"]), _share(one["churned"])]
            for one in judged["lights"]
        ),
    )
    test = judged["test"] or {}
    yield table(
        "How good the scores were",
        ["metric", "now", "test of the card"],
        (
            [name, _interval(judged["metrics"][name]), _interval(test.get(name))]
            for name in _METRICS
        ),
    )


def _lights(told: Mapping[str, Any]) -> Iterator[Any]:
    runs = told["runs"]
    if not runs or not runs["steps"]:
        return
    last = runs["steps"][0]
    flicker = "" if runs["flicker"] is None else f", {runs['flicker']:.1%} came back"
    if last["changed"] is not None:
        yield (
            f"Since {last['before']} {last['changed']:.1%} of {last['customers']:,} customers "
            f"changed their light{flicker}; PSI of the scores {last['psi']:.3f} (limit "
            f"{last['psi_limit']:.2f})"
        )


def _features(told: Mapping[str, Any]) -> Iterator[Any]:
    drift = told["drift"]
    if not drift or not drift["features"]:
        return
    yield table(
        f"Features farthest from where the model learnt ({drift['far']} of {drift['compared']} "
        "beyond the limit)",
        ["feature", "PSI", "limit", "within 28 days", "its limit"],
        (
            [f["feature"], *(_number(f[k]) for k in ("psi", "limit", "psi_step", "step_limit"))]
            for f in drift["features"][:_FEATURES_SHOWN]
        ),
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _share(told: Mapping[str, Any] | None) -> str:
    if told is None or told["value"] is None:
        return "–"
    return f"{told['value']:.1%} [{_percent(told['low'])}, {_percent(told['high'])}]"


def _interval(told: Mapping[str, Any] | None) -> str:
    if told is None or told["value"] is None:
        return "–"
    return f"{told['value']:.3f} [{_number(told['low'])}, {_number(told['high'])}]"

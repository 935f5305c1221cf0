"""One dictionary that tells a whole run; page, terminal and ``--json`` are made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from churnkit import __version__
from churnkit.clock import Cutoff
from churnkit.gates import Grade
from churnkit.lights import LIGHTS
from churnkit.logs import CustomerLogs, LogCheck, Texts
from churnkit.metrics import METRICS, proportion
from churnkit.model import LADDER
from churnkit.plots.trust import gains
from churnkit.report.calls import CALLS, call_told, first_calls
from churnkit.scoring import Scores, Totals


def summarise(
    scores: Scores,
    card: Mapping[str, Any],
    logs: CustomerLogs,
    warnings: Sequence[str] = (),
    plan: Mapping[str, Texts] | None = None,
) -> dict[str, Any]:
    """Everything a report shows, as JSON-ready values.

    Parameters
    ----------
    scores
        Scores of one cutoff.
    card
        Card of the model that scored, which holds its test.
    logs
        The logs that were scored.
    warnings
        Sentences to be shown on top.
    plan
        What is planned for each customer, see `churnkit.actions.planned`. The call list is what is
        to be done now; without a plan, all red and yellow customers.
    """
    return summary_of(Totals.of(scores, plan), card, logs, warnings)


def summary_of(
    totals: Totals, card: Mapping[str, Any], logs: CustomerLogs, warnings: Sequence[str] = ()
) -> dict[str, Any]:
    """What `summarise` tells, from what is told of all customers together."""
    test = card["trials"][-1]
    return {
        "as_of": str(totals.as_of),
        "question": card["question"],
        "churnkit": __version__,
        "model_version": totals.version,
        "model_name": card["model"],
        "verdict": card["verdict"],
        "grade": str(Grade(card["grade"], card["grade_says"])),
        "warnings": list(warnings),
        "lights": [_light(light, totals, card) for light in reversed(LIGHTS)],
        "held_out_cutoff": test["cutoff"],
        "policy": totals.policy,
        "spend": _spend(card),
        "unknown": dict(totals.unknown),
        "rules": [asdict(count) for count in totals.rules],
        "before": totals.before,
        "transitions": totals.transitions,
        "changes": [_change(row) for row in totals.changes],
        "changes_total": totals.changes_total,
        "planned": totals.planned,
        "metrics": [{"name": m.name, "better": m.better, "says": m.says} for m in METRICS.values()],
        "models": model_rows(card),
        "test": {key: test[key] for key in ("cutoff", "customers", "base_rate")},
        "calibration": card["calibration"],
        "lift": lift(card["calibration"]),
        "profit": card["profit"],
        "drivers": card["drivers"],
        "calls": [call_told(row) for row in totals.calls],
        "calls_total": totals.calls_total,
        "data": [check_dict(check, logs.zone) for check in logs.checks],
    }


def completed(
    told: Mapping[str, Any],
    run: Path,
    most: int = CALLS,
    kpis: Mapping[str, Any] | None = None,
    watch: Mapping[str, Any] | None = None,
    whole: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The summary of a published run with all that its page shows beside it.

    Parameters
    ----------
    told
        What `summarise` told of the run; one of an earlier version will do.
    run
        The Parquet file of its rows, from which the call list is read.
    most
        So many calls at most.
    kpis, watch
        What `churnkit.kpi.Kpis.told` and `churnkit.monitor.monitor` tell; ``None`` where nobody
        looked.
    whole
        Where everybody is who was scored: ``name``, ``link`` (relative to the page, ``None`` where
        a reader of the page cannot open it) and ``rows``; ``None`` if nowhere.

    Returns
    -------
    dict
        ``told`` with ``calls``, ``calls_total``, ``lift``, ``kpis``, ``watch`` and ``whole``.
    """
    calls, total = first_calls(run, most)
    return {
        **told,
        "lift": lift(told["calibration"]),
        "calls": calls,
        "calls_total": total,
        "kpis": kpis,
        "watch": watch,
        "whole": whole,
    }


def lift(bins: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the likeliest customers hold together, bin by bin, with intervals.

    Parameters
    ----------
    bins
        Of a calibration, in rising order of ``predicted``: ``customers``, and ``observed``, an
        estimate of the share that churned.

    Returns
    -------
    list of dict
        From the likeliest bin to all of them: ``customers`` and ``churners``; ``share`` of all
        customers; the estimates ``caught`` (share of all churners) and ``lift`` (how many times as
        many as by lot), whose 95 % intervals are those of the churn among them (Wilson), with the
        churn of all taken for certain. Empty where it is not known what came, or nobody left.
    """
    points = gains(bins)[1:]
    if not points:
        return []
    rate = points[-1]["churners"] / points[-1]["customers"]
    return [_lift_at(point, rate) for point in points]


def _lift_at(point: Mapping[str, float], rate: float) -> dict[str, Any]:
    customers, churners = round(point["customers"]), round(point["churners"])
    found = proportion(churners, customers)
    ends = {name: getattr(found, name) / rate for name in ("value", "low", "high")}
    caught = {name: min(end * point["share"], 1.0) for name, end in ends.items()}
    counted = {"customers": customers, "churners": churners, "share": point["share"]}
    return {**counted, "caught": caught, "lift": ends}


def check_dict(check: LogCheck, zone: str = "UTC") -> dict[str, Any]:
    """What became of the rows of a log, as JSON-ready values; days are in the business zone."""
    days = {
        name: None if us is None else str(Cutoff(us, zone).local.date())
        for name, us in (("first", check.first), ("last", check.last))
    }
    return {
        "log": check.log,
        "source": check.source,
        "read": check.read,
        "kept": check.kept,
        "folded": check.folded,
        "customers": check.customers,
        **days,
        "rejected": dict(check.rejected),
    }


def _light(light: str, totals: Totals, card: Mapping[str, Any]) -> dict[str, Any]:
    theirs = totals.lights[light]
    held_out = next((told for told in card["lights"] if told["light"] == light), None)
    return {
        "light": light,
        "customers": theirs.customers,
        "share": theirs.customers / totals.customers,
        "value_at_risk": theirs.value,
        "held_out": held_out,
    }


def _spend(card: Mapping[str, Any]) -> dict[str, str] | None:
    """What value at risk stands on; ``None`` without amounts, and for cards of earlier versions."""
    spend = card.get("spend")
    return spend and {"way": spend["ways"][spend["used"]]["says"], "says": spend["says"]}


def model_rows(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Model against plain rules on the test of a card, in the order of the ladder."""
    says = {rung.name: rung.says for rung in LADDER}
    return [
        {"name": name, "says": says.get(name, ""), "used": name == card["model"], "metrics": told}
        for name, told in card["trials"][-1]["metrics"].items()
    ]


def _change(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "customer_id": row["customer_id"],
        "before": row["light_before"],
        "light": row["light"],
        "changed": row["changed"],
    }

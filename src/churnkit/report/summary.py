"""One dictionary that tells a whole run; page, terminal and ``--json`` are made from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit import __version__
from churnkit.actions import counted
from churnkit.clock import Cutoff
from churnkit.gates import Grade
from churnkit.lights import LIGHTS, SIDES
from churnkit.logs import CustomerLogs, LogCheck
from churnkit.metrics import METRICS
from churnkit.model import LADDER
from churnkit.scoring import Scores

if TYPE_CHECKING:
    import pandas as pd

CALLS_SHOWN = 25


def summarise(
    scores: Scores,
    card: Mapping[str, Any],
    logs: CustomerLogs,
    warnings: Sequence[str] = (),
    run: pd.DataFrame | None = None,
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
    run
        The run with what is planned for each customer, see `churnkit.actions.plan`. The call list
        is what is to be done now; without a run, all red and yellow customers.
    """
    test = card["trials"][-1]
    calls = scores.call_list() if run is None else run[run["listed"] == "call"]
    return {
        "as_of": str(scores.as_of),
        "question": card["question"],
        "churnkit": __version__,
        "model_version": scores.model.version,
        "model_name": card["model"],
        "verdict": card["verdict"],
        "grade": str(Grade(card["grade"], card["grade_says"])),
        "warnings": list(warnings),
        "lights": [_light(light, scores, card) for light in reversed(LIGHTS)],
        "held_out_cutoff": test["cutoff"],
        "policy": scores.policy,
        "spend": _spend(card),
        "unknown": _unknown(scores),
        "rules": [asdict(count) for count in scores.lights.counts],
        "before": None if scores.before is None else scores.before.day,
        "transitions": scores.transitions,
        "changes": _changes(scores),
        "changes_total": sum(bool(cause) for cause in scores.changed),
        "planned": None if run is None else counted(run),
        "metrics": [{"name": m.name, "better": m.better, "says": m.says} for m in METRICS.values()],
        "models": model_rows(card),
        "test": {key: test[key] for key in ("cutoff", "customers", "base_rate")},
        "calibration": card["calibration"],
        "profit": card["profit"],
        "drivers": card["drivers"],
        "calls": _calls(calls, scores),
        "calls_total": len(calls),
        "data": [check_dict(check, logs.zone) for check in logs.checks],
    }


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


def _light(light: str, scores: Scores, card: Mapping[str, Any]) -> dict[str, Any]:
    mask = scores.lights.light == light
    value = scores.value_at_risk[mask]
    held_out = next((told for told in card["lights"] if told["light"] == light), None)
    return {
        "light": light,
        "customers": int(mask.sum()),
        "share": float(mask.mean()),
        "value_at_risk": _money(value),
        "held_out": held_out,
    }


def _spend(card: Mapping[str, Any]) -> dict[str, str] | None:
    """What value at risk stands on; ``None`` without amounts, and for cards of earlier versions."""
    spend = card.get("spend")
    return spend and {"way": spend["ways"][spend["used"]]["says"], "says": spend["says"]}


def _money(value: np.ndarray) -> float | None:
    return None if np.isnan(value).all() else float(np.nansum(value))


def model_rows(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Model against plain rules on the test of a card, in the order of the ladder."""
    says = {rung.name: rung.says for rung in LADDER}
    return [
        {"name": name, "says": says.get(name, ""), "used": name == card["model"], "metrics": told}
        for name, told in card["trials"][-1]["metrics"].items()
    ]


def _calls(calls: Any, scores: Scores) -> list[dict[str, Any]]:
    row_of = {customer: row for row, customer in enumerate(scores.features.customer_id)}
    return [
        {
            "rank": int(call["rank"]),
            "customer_id": call["customer_id"],
            "light": call["light"],
            "churn_probability": float(call["churn_probability"]),
            "within_days": {
                str(days): float(p[row_of[call["customer_id"]]])
                for days, p in scores.within.items()
            },
            "value_at_risk": None if np.isnan(call["value_at_risk"]) else call["value_at_risk"],
            "reasons": scores.reasons[row_of[call["customer_id"]]],
            "rules": scores.lights.rules[row_of[call["customer_id"]]],
            "before": call["light_before"],
            "changed": call["changed"],
            **{key: call.get(key, "") for key in ("action", "channel", "owner", "due")},
        }
        for call in calls.head(CALLS_SHOWN).to_dict("records")
    ]


def _unknown(scores: Scores) -> dict[str, int]:
    """Side → customers of whom nothing is known there, in the order of the sides."""
    found = Counter(side for sides in scores.lights.unknown for side in sides)
    return {side: found[side] for side in SIDES if found[side]}


def _changes(scores: Scores) -> list[dict[str, Any]]:
    """The customers whose light changed, the first to be called first."""
    moved = [row for row in np.argsort(scores.rank) if scores.changed and scores.changed[row]]
    return [
        {
            "customer_id": str(scores.features.customer_id[row]),
            "before": scores.light_before[row],
            "light": str(scores.lights.light[row]),
            "changed": scores.changed[row],
        }
        for row in moved[:CALLS_SHOWN]
    ]

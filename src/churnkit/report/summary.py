"""One dictionary that tells a whole run; page, terminal and ``--json`` are made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from churnkit import __version__
from churnkit.clock import Cutoff
from churnkit.lights import LIGHTS
from churnkit.logs import CustomerLogs, LogCheck
from churnkit.metrics import METRICS
from churnkit.model import LADDER
from churnkit.scoring import Scores

CALLS_SHOWN = 25


def summarise(
    scores: Scores, card: Mapping[str, Any], logs: CustomerLogs, warnings: Sequence[str] = ()
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
    """
    test = card["trials"][-1]
    calls = scores.call_list()
    return {
        "as_of": str(scores.as_of),
        "question": card["question"],
        "churnkit": __version__,
        "model_version": scores.model.version,
        "model_name": card["model"],
        "verdict": card["verdict"],
        "warnings": list(warnings),
        "lights": [_light(light, scores, card) for light in reversed(LIGHTS)],
        "held_out_cutoff": test["cutoff"],
        "metrics": [{"name": m.name, "better": m.better, "says": m.says} for m in METRICS.values()],
        "models": model_rows(card),
        "test": {key: test[key] for key in ("cutoff", "customers", "base_rate")},
        "calibration": card["calibration"],
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
            "value_at_risk": None if np.isnan(call["value_at_risk"]) else call["value_at_risk"],
            "reasons": scores.reasons[row_of[call["customer_id"]]],
            "rules": scores.lights.rules[row_of[call["customer_id"]]],
        }
        for call in calls.head(CALLS_SHOWN).to_dict("records")
    ]

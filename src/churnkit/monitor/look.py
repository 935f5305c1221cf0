"""All checks of one run together, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from churnkit.clock import Cutoff
from churnkit.features.static import StaticColumn
from churnkit.inputs import inputs_told
from churnkit.labels import Question
from churnkit.ledger import Ledger
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel
from churnkit.monitor.alarm import Found, verdict
from churnkit.monitor.behaviour import Shift, behaviour
from churnkit.monitor.columns import Inputs, columns
from churnkit.monitor.days import LogDays, days_of
from churnkit.monitor.drift import drift
from churnkit.monitor.realised import realised
from churnkit.monitor.runs import day_before, runs
from churnkit.monitor.sizes import sizes
from churnkit.monitor.volumes import Level, Span, level_of, market_moved, volumes
from churnkit.outcomes import Deeds

_DAYS_SHOWN, _SHIFTS_SHOWN, _FEATURES_SHOWN = 56, 12, 25
_USUAL_STEP = 7


def monitor(
    logs: CustomerLogs,
    as_of: Cutoff,
    question: Question,
    *,
    ledger: Ledger,
    deeds: Deeds,
    model: ChurnModel | None = None,
    card: Mapping[str, Any] | None = None,
    before: Sequence[Inputs] = (),
    closed: Sequence[str] = (),
) -> dict[str, Any]:
    """Look at one run: its inputs, features, scores and lights, and what came of past runs.

    A check for which there are too few data says so and raises no alarm.

    Parameters
    ----------
    logs
        Checked logs. What happened at the cutoff or later is not looked at.
    as_of
        The cutoff of the run.
    question
        What is asked, if there is no model.
    ledger, deeds
        The runs, and what was done.
    model, card
        The model in use and its card; without one only logs and lights are looked at.
    before
        What `churnkit.inputs.inputs_told` told of the runs before, in rising order.
    closed
        ISO days on which the shop was closed: nothing is expected on them.

    Returns
    -------
    dict
        JSON-ready: ``as_of``, ``question``, ``since`` (day of the run before, ``None`` for the
        first), ``days`` (looked at for what is new), ``verdict`` (ok, watch or retrain),
        ``reason``, ``alarms`` (see `churnkit.monitor.Alarm`), ``notes``, ``untried`` (``check`` and
        ``why``), ``model`` (``version``, ``rung``, ``trained_until``, ``age_days``), ``inputs``,
        ``behaviour``, ``drift``, ``runs`` and ``outcomes``, ``None`` where there is nothing to
        tell.
    """
    asked = question if model is None else model.question
    found, told = Found(), inputs_told(logs, as_of, with_digests=False)
    since = day_before(ledger, as_of)
    span = _span(since, as_of)
    days = days_of(logs, as_of)
    found.add(volumes(days, as_of, span, asked.log, closed))
    found.add(sizes(days, span, logs.instruments))
    found.add(columns(told, before))
    shifts: list[Shift] = []
    if asked.log in logs.measures:
        here, shifts = behaviour(logs, asked, as_of, _static(logs, as_of, model))
        found.add(here)
    drifts, outcomes = None, None
    if model is None or card is None:
        found.too_little("drift of features", "there is no model yet")
        found.too_little("realised outcomes", "there is no model yet")
    else:
        here, compared = drift(model, logs, as_of, _market(days, asked))
        found.add(here)
        drifts = {
            **asdict(compared),
            "far": sum(one.far for one in compared.features),
            "sudden": sum(one.sudden for one in compared.features),
            "compared": len(compared.features),
            "features": [one.told() for one in compared.features[:_FEATURES_SHOWN]],
        }
        here, outcomes = realised(ledger, deeds, logs, model, card, as_of)
        found.add(here)
    here, of_runs = runs(ledger, as_of)
    found.add(here)
    word, reason = verdict(found.alarms)
    return {
        "as_of": str(as_of),
        "question": asked.rule,
        "since": since,
        "days": span.days,
        "verdict": word,
        "reason": reason,
        "alarms": [alarm.told() for alarm in found.alarms],
        "notes": found.notes,
        "untried": [{"check": check, "why": why} for check, why in found.untried],
        "model": None if model is None else _model(model, as_of),
        "inputs": [_log(log, told["logs"].get(log), days[log], span) for log in days],
        "behaviour": [{**asdict(s), "moved": s.moved} for s in shifts[:_SHIFTS_SHOWN]],
        "drift": drifts,
        "runs": of_runs,
        "outcomes": outcomes,
    }


def _market(days: Mapping[str, LogDays], question: Question) -> Level | None:
    return market_moved(days[question.log]) if question.log in days else None


def _static(
    logs: CustomerLogs, as_of: Cutoff, model: ChurnModel | None
) -> tuple[StaticColumn, ...]:
    """The static columns as the model knows them; without one, as the logs fill them."""
    if model is not None:
        return model.spec.static
    told = logs.static_words(as_of)
    return tuple(StaticColumn.learn(name, words) for name, words in told.items() if words)


def _span(since: str | None, as_of: Cutoff) -> Span:
    if since is None:
        return Span.of(_USUAL_STEP)
    then = Cutoff.parse(since, as_of.zone)
    return Span.of((as_of.local.date() - then.local.date()).days)


def _model(model: ChurnModel, as_of: Cutoff) -> dict[str, Any]:
    last = max(Cutoff.parse(day, as_of.zone) for day in model.trained_on)
    known = last.shifted(model.question.horizon_days)
    return {
        "version": model.version,
        "rung": model.rung,
        "trained_until": str(known),
        "age_days": (as_of.local.date() - known.local.date()).days,
    }


def _log(log: str, told: Inputs | None, days: LogDays, span: Span) -> dict[str, Any]:
    level = level_of(days.rows, span.weeks, days.begun)
    rows = (told or {}).get("read")
    return {
        "log": log,
        "rows": rows,
        "faulty": (told or {}).get("faulty"),
        "rejected": (told or {}).get("rejected", {}),
        "first": (told or {}).get("first"),
        "last": (told or {}).get("last"),
        "behind": days.behind,
        "recent": int(days.rows[-span.weeks :].sum()),
        "recent_days": span.weeks,
        "usual": None if level is None else level.usual,
        "ratio": None if level is None else level.ratio,
        "by_day": days.rows[-_DAYS_SHOWN:].tolist(),
    }

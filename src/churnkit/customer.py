"""One customer: why this probability now, and what moved it since an earlier day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from churnkit.audit.sample import only
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.explain import Reason, moves, why
from churnkit.features import Features
from churnkit.index import BlockIndex
from churnkit.labels import Question
from churnkit.lights import TrafficLight
from churnkit.logs import CustomerLogs, Logs
from churnkit.model import ChurnModel
from churnkit.scoring import at_risk


def explain_customer(
    model: ChurnModel,
    logs: CustomerLogs,
    customer: str,
    as_of: Cutoff,
    since: Cutoff | None = None,
    light: TrafficLight | None = None,
    margin: float = 1.0,
) -> dict[str, Any]:
    """Why a customer has its probability and light at a cutoff, and what moved them.

    The features are those of `churnkit.scoring.score`, and so is the probability.

    Parameters
    ----------
    model, logs, customer
        The model, checked logs, and the id of the customer.
    as_of, since
        The cutoff, and an earlier one to compare with.
    light
        How lights are assigned.
    margin
        Share of the spend that is margin, see `churnkit.scoring.at_risk`.

    Returns
    -------
    dict
        JSON-ready: ``customer_id``, ``question``, the state at the cutoff (``as_of``,
        ``churn_probability``, ``log_odds``, ``light``, ``base_light``, ``rules``),
        ``value_at_risk``, ``start`` (the log-odds that everybody starts from), ``reasons``
        (themes with ``weight`` in log-odds, ``says`` and ``features``) and ``rest``, the weight of
        what is too small to be told: start, reasons and rest add up to the log-odds. ``since`` is
        ``None`` or the state at the earlier cutoff with the ``change`` of the log-odds, ``moves``
        and ``rest``, which add up to it.

    Raises
    ------
    ConfigError
        If the logs do not know the customer, or ``since`` is not before ``as_of``.
    DataError
        If the customer is not at risk at one of the cutoffs, or the logs lack a log the model was
        trained on.
    """
    cutoffs = [as_of] if since is None else [since, as_of]
    if since is not None and since == max(cutoffs):
        raise ConfigError(f"{since} is not before {as_of}", "Let --since be an earlier day.")
    own = _own_logs(logs, customer)
    for cutoff in cutoffs:
        _require_at_risk(model.question, own, cutoff)
    features, value = at_risk(model, logs, cutoffs, margin)
    theirs = features.customer_id == customer
    # Others at the cutoff, too: what is high or low is told by their median, as in all scores.
    everyone = features.where(features.cutoff == as_of.us)
    now = features.where(theirs & (features.cutoff == as_of.us))
    state = {"as_of": str(as_of), **_state(model, features, value, as_of, customer, light)}
    start = state["log_odds"] - float(model.contributions(now).sum())
    found = why(model, everyone, int(np.flatnonzero(everyone.customer_id == customer)[0]))
    return {
        "customer_id": customer,
        "question": model.question.rule,
        "model": model.rung,
        "model_version": model.version,
        **state,
        "value_at_risk": _money(value[theirs][-1]),
        "start": start,
        "reasons": [asdict(reason) for reason in found],
        "rest": state["log_odds"] - start - _total(found),
        "since": None
        if since is None
        else _since(
            model,
            features.where(theirs),
            state,
            _state(model, features, value, since, customer, light),
        ),
    }


def _state(
    model: ChurnModel,
    features: Features,
    value: np.ndarray,
    at: Cutoff,
    customer: str,
    light: TrafficLight | None,
) -> dict[str, Any]:
    """Probability, log-odds and light of one customer, among all others at a cutoff."""
    then = features.cutoff == at.us
    everyone = features.where(then)
    probability = model.churn_probability(everyone)
    lights = (light or TrafficLight()).assign(probability, everyone, value[then])
    row = int(np.flatnonzero(everyone.customer_id == customer)[0])
    p = float(probability[row])
    return {
        "churn_probability": p,
        "log_odds": float(np.log(p) - np.log1p(-p)),
        "light": str(lights.light[row]),
        "base_light": str(lights.base[row]),
        "rules": lights.rules[row],
        "unknown": lights.unknown[row],
    }


def _since(
    model: ChurnModel, both: Features, state: dict[str, Any], then: dict[str, Any]
) -> dict[str, Any]:
    """The state at the earlier of two cutoffs, and what moved it to the later one."""
    before, after = (both.where(np.array([k])) for k in range(2))
    change = state["log_odds"] - then["log_odds"]
    found = moves(model, before, after)
    return {
        "as_of": str(Cutoff(int(before.cutoff[0]), both.zone)),
        **then,
        "change": change,
        "moves": [asdict(move) for move in found],
        "rest": change - _total(found),
    }


def _total(found: Sequence[Reason]) -> float:
    return float(sum(reason.weight for reason in found))


def _money(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _own_logs(logs: CustomerLogs, customer: str) -> Logs:
    """The logs of the customer alone."""
    alike: list[str] = []
    for block in logs.blocks():
        found = np.flatnonzero(block.customer_ids == customer)
        if len(found):
            return only(block, found)
        alike += [known for known in block.customer_ids if _bare(known) == _bare(customer)]
    hint = f"Did you mean {alike[0]!r}? " if alike else ""
    raise ConfigError(
        f"no log knows the customer {customer!r}",
        f"{hint}Ids are texts, as they stand in the logs: 00123 is not 123.",
    )


def _bare(customer: str) -> str:
    """An id without what is easily lost or added: capitals, spaces, leading zeros, ``.0``."""
    return customer.strip().casefold().removesuffix(".0").lstrip("0")


def _require_at_risk(question: Question, own: Logs, cutoff: Cutoff) -> None:
    """Refuse a customer whom the question is not asked about, and say why.

    Raises
    ------
    DataError
        If the customer has not come yet, has been silent for too long, or has left.
    """
    block = BlockIndex(own)
    at = block.at(cutoff)
    if question.at_risk(block, at)[0]:
        return
    customer, what = own.customer_ids[0], question.sign_of_life
    silent = float(question.signs_of_life(block).days_since_last(at)[0])
    if np.isnan(silent):
        raise DataError(
            f"customer {customer!r} is not known as of {cutoff}: there is no {what} before",
            "Ask for a later day.",
        )
    last = f"the last {what} was {silent:,.0f} days before"
    if silent > question.lookback_days:
        raise DataError(
            f"customer {customer!r} is not at risk as of {cutoff}: {last}, and asked is about "
            f"customers with {what} in the {question.lookback_days} days before",
            "Ask for an earlier day; who has been silent for longer has left already.",
        )
    raise DataError(
        f"customer {customer!r} is not at risk as of {cutoff}: it had left by then; {last}",
        "Ask for a day before it left.",
    )

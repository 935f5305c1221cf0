"""One customer: why this probability now, and what moved it since an earlier day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np

from churnkit.audit.sample import only
from churnkit.changes import rules_turned
from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.explain import Reason, moves, why
from churnkit.features import Features, build_beside, plan_features
from churnkit.index import BlockIndex
from churnkit.labels import Question
from churnkit.lights import Cost, Fixed, Promise, TrafficLight
from churnkit.logs import CustomerLogs, Logs
from churnkit.model import ChurnModel
from churnkit.progress import Progress, Step, silent
from churnkit.scoring import at_risk
from churnkit.scoring.population import money_beside, require_same_logs, value_at_risk

_MOVES_TOLD = 2


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
    own = own_logs(logs, customer)
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


def retrace_customer(
    model: ChurnModel,
    logs: CustomerLogs,
    customer: str,
    cutoffs: Sequence[Cutoff],
    light: TrafficLight | None = None,
    margin: float = 1.0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """What a model says of a customer at several cutoffs, and what moved it between them.

    Each cutoff is judged by itself, from the rows before it: no colour is held by hysteresis, and
    overrides are not in it. The model may have learnt from later days than these.

    Parameters
    ----------
    model, logs, customer
        The model, checked logs, and the id of the customer.
    cutoffs
        The cutoffs, rising.
    light
        How lights are assigned. Others are looked at only where its policy ranks them together.
    margin
        Share of the spend that is margin, see `churnkit.scoring.at_risk`.
    progress
        Told what is being done.

    Returns
    -------
    dict
        ``points``: for each cutoff ``day``, and ``at_risk``; if that is true also
        ``churn_probability``, ``value_at_risk``, ``light``, ``base_light``, ``rules``,
        ``yellow_from`` and ``red_from`` (edges of the policy, ``None`` where the colour is never
        reached), ``moves`` (themes that moved the log-odds since the cutoff before, as in
        `explain_customer`) and ``changed``, why the light is another than then; both are empty
        without a cutoff before at which the customer was at risk. ``moved``: ``day``,
        ``churn_probability`` and ``light`` of the first of these, and the ``moves`` from there to
        the last; ``None`` if there are no two.

    Raises
    ------
    ConfigError
        If the logs do not know the customer.
    DataError
        If the logs lack a log the model was trained on.
    """
    own, lit = own_logs(logs, customer), light or TrafficLight()
    if isinstance(lit.policy, Fixed | Cost | Promise):
        progress(Step(f"looking back at {len(cutoffs)} days", 0, 1))
        theirs, value = _alone(model, logs, own, cutoffs, margin)
        told = dict(_judged(model, theirs, value, customer, lit))
    else:
        told = dict(_among_all(model, logs, customer, cutoffs, lit, margin, progress))
        theirs, _ = _alone(model, logs, own, cutoffs, margin)
    says = {rule.name: rule.says for rule in lit.rules}
    for one, other in pairwise(theirs.cutoff.tolist()):
        told[other] |= _turn(model, theirs, told[one], told[other], says)
    first: dict[str, Any] = {"moves": [], "changed": ""}
    points = []
    for cutoff in cutoffs:
        state = told.get(cutoff.us)
        known = {} if state is None else {**first, **_shown(state)}
        points.append({"day": str(cutoff), "at_risk": state is not None, **known})
    there = [point for point in points if point["at_risk"]]
    return {"points": points, "moved": _moved(model, theirs, there) if len(there) > 1 else None}


def _moved(
    model: ChurnModel, features: Features, points: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What moved the score from the first of some points to the last, which have a row each."""
    before, after = (features.where(np.array([k])) for k in (0, len(features) - 1))
    told = {name: points[0][name] for name in ("day", "churn_probability", "light")}
    return {**told, "moves": [asdict(move) for move in moves(model, before, after)]}


def _alone(
    model: ChurnModel, logs: CustomerLogs, own: Logs, cutoffs: Sequence[Cutoff], margin: float
) -> tuple[Features, np.ndarray]:
    """What `at_risk` tells of one customer; what all do together is counted, but not built."""
    require_same_logs(model.spec, logs)
    plan = plan_features(logs, cutoffs, model.spec)
    population = model.question.at_risk
    features, beside = build_beside(own, plan, money_beside(model), population=population)
    return features, value_at_risk(model, features, beside, margin)


def _among_all(
    model: ChurnModel,
    logs: CustomerLogs,
    customer: str,
    cutoffs: Sequence[Cutoff],
    light: TrafficLight,
    margin: float,
    progress: Progress,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """What `_judged` tells, where the policy must see everybody; a cutoff after the other."""
    for k, cutoff in enumerate(cutoffs):
        progress(Step(f"looking back at {cutoff}", k, len(cutoffs)))
        features, value = at_risk(model, logs, [cutoff], margin)
        yield from _judged(model, features, value, customer, light)


def _judged(
    model: ChurnModel, features: Features, value: np.ndarray, customer: str, light: TrafficLight
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each cutoff at which the customer is at risk, and its state then."""
    for us in np.unique(features.cutoff).tolist():
        then = features.cutoff == us
        some = features.where(then)
        rows = np.flatnonzero(some.customer_id == customer)
        if not len(rows):
            continue
        row, probability = int(rows[0]), model.churn_probability(some)
        lights = light.assign(probability, some, value[then])
        edges = lights.edges
        yield (
            us,
            {
                "us": us,
                "churn_probability": float(probability[row]),
                "value_at_risk": _money(value[then][row]),
                "light": str(lights.light[row]),
                "base_light": str(lights.base[row]),
                "rules": lights.rules[row],
                "fired": lights.fired[row],
                "yellow_from": _edge(edges.yellow[row]),
                "red_from": _edge(edges.red[row]),
            },
        )


def _turn(
    model: ChurnModel,
    features: Features,
    was: Mapping[str, Any],
    now: Mapping[str, Any],
    says: Mapping[str, str],
) -> dict[str, Any]:
    """What moved the score from one state to the next, and why the light changed."""
    before, after = (features.where(features.cutoff == state["us"]) for state in (was, now))
    found = moves(model, before, after)
    changed = ""
    if was["light"] != now["light"]:
        changed = "; ".join(_causes(was, now, found, says)) or "the rules changed"
    return {"moves": [asdict(move) for move in found], "changed": changed}


def _causes(
    was: Mapping[str, Any], now: Mapping[str, Any], found: Sequence[Reason], says: Mapping[str, str]
) -> Iterator[str]:
    """Why a light changed, in the words of `churnkit.changes`."""
    if was["base_light"] != now["base_light"]:
        rose = now["churn_probability"] > was["churn_probability"]
        told = [move.says for move in found if (move.weight > 0) == rose][:_MOVES_TOLD]
        moved = f" ({'; '.join(told)})" if told else ""
        shares = [state["churn_probability"] for state in (was, now)]
        digits = 1 if f"{shares[0]:.0%}" == f"{shares[1]:.0%}" else 0
        before, after = (f"{share:.{digits}%}" for share in shares)
        yield f"risk went from {before} to {after}{moved}"
    yield from rules_turned(was["fired"], now["fired"], says)


def _shown(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name not in ("us", "fired")}


def _edge(probability: float) -> float | None:
    """The edge of a colour; none where it is never reached."""
    return float(probability) if probability <= 1 else None


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


def own_logs(logs: CustomerLogs, customer: str) -> Logs:
    """The logs of the customer alone.

    Raises
    ------
    ConfigError
        If no log knows the customer; an id that is like it is named.
    """
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

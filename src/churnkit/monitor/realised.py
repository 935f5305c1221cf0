"""What came of past runs: churn per light against what was promised, and how good the scores were.

Only runs whose horizon is over by the logs are looked at. A model is stale when it ranks clearly
worse than in the test of its card, says clearly another churn than there is, or is no better than
saying the same of everybody. Customers who were acted on are told with and without: a risk model
says what happens if nothing is done.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.clock import Cutoff, has_come, horizon_ends_by, reaches_back
from churnkit.dataset import Dataset
from churnkit.features import Features, FeatureSpec, build_beside, plan_features
from churnkit.ledger import Ledger
from churnkit.lights import LIGHTS
from churnkit.logs import CustomerLogs
from churnkit.metrics import METRICS, Interval, clustered, evaluate, log_loss
from churnkit.model import ChurnModel
from churnkit.monitor.alarm import Alarm, Found
from churnkit.monitor.runs import days_until
from churnkit.monitor.sample import chosen, one_in, some
from churnkit.monitor.volumes import YEAR
from churnkit.outcomes import Deeds, churned_since, without_treated
from churnkit.outcomes.assigned import ARMS
from churnkit.training import interval_dict

if TYPE_CHECKING:
    import pandas as pd

    from churnkit.labels import Question

RUNS, NEWEST = 8, 4
"""Runs that are shown, and the newest of them, which are judged; a week or more apart."""

LEAST_OF_EACH = 50
"""With fewer churners or stayers, nothing is judged."""

WORSE_RANKING = 0.03
"""So much AUROC must be lost against the test of the card."""

GAP, LARGE_GAP = 0.4, 0.6
"""Churn may be so far, in log-odds, from the mean probability before it is told, or retrained.

From 50 % that is to 60 and to 65 %, from 5 % to 7 and to 9 %.
"""

SURPRISE = 3.5
"""Standard errors of what is no chance."""

_CUSTOMERS = 100_000
_NARROW, _HALF = 0.999, 1.96
_SHORT = 0.05  # of a promise
_LEAST_IN_LIGHT = 30
_PROMISE = re.compile(r"at least (\d+)% of red churn and at most (\d+)% of green")
_OF_ARMS = ("customer_id", "as_of", "campaign", "light", "action", "arm")
_KEPT = ("customer_id", "churn_probability", "light", "base_light", "policy", "model_version")


@dataclass(frozen=True)
class Judged:
    """Rows of past runs with what came of them.

    Attributes
    ----------
    rows
        Columns of the ledger, ``as_of`` and ``churned`` (0 or 1).
    weight
        How many rows each stands for.
    """

    rows: pd.DataFrame
    weight: np.ndarray

    @property
    def y(self) -> np.ndarray:
        """1 churned, 0 stayed."""
        return self.rows["churned"].to_numpy(float)

    @property
    def p(self) -> np.ndarray:
        """Churn probabilities."""
        return self.rows["churn_probability"].to_numpy(float)

    @property
    def customers(self) -> np.ndarray:
        """Customer of each row."""
        return self.rows["customer_id"].to_numpy(object)

    @property
    def enough(self) -> bool:
        """Whether there are enough of both outcomes to judge."""
        churned = int(self.y.sum())
        return min(churned, len(self.rows) - churned) >= LEAST_OF_EACH

    def of(self, days: Sequence[str]) -> Judged:
        """The rows of some runs."""
        mask = self.rows["as_of"].isin(days).to_numpy()
        return Judged(self.rows[mask], self.weight[mask])

    def where(self, mask: np.ndarray) -> Judged:
        """The rows for which a mask holds."""
        return Judged(self.rows[mask], self.weight[mask])


def realised(
    ledger: Ledger,
    deeds: Deeds,
    logs: CustomerLogs,
    model: ChurnModel,
    card: Mapping[str, Any],
    as_of: Cutoff,
) -> tuple[Found, dict[str, Any] | None]:
    """Judge past runs by what came of them.

    Parameters
    ----------
    ledger, deeds
        The runs, and what was done.
    logs
        What happened; only what precedes the cutoff, and the last day of the log, is known.
    model, card
        The model in use and its card. Runs of other models are shown and not judged.
    as_of
        The cutoff of the run.

    Returns
    -------
    tuple
        What was found; and ``runs`` (day, model, customers, churned, mean, AUROC of each), and of
        the judged ones ``days``, ``customers``, ``churned``, ``mean``, ``metrics`` and those of
        the ``test`` of the card, ``lights``, ``calibration``, ``promises``, and ``untreated``, the
        same without customers who were acted on (``None`` if nobody was). ``None`` if no horizon
        is over.
    """
    found, question = Found(), model.question
    end = min(as_of, logs.last_day(question.log))
    over = [
        day
        for day in days_until(ledger, as_of)
        if horizon_ends_by(Cutoff.parse(day, as_of.zone), question.horizon_days, end)
    ]
    days = _apart(over, as_of.zone)
    if not days:
        found.too_little(
            "realised outcomes", f"no run lies {question.horizon_days} days before {end}"
        )
        return found, None
    whole = _judged(ledger, logs, question, days, end)
    own = [d for d in days if (whole.of([d]).rows["model_version"] == model.version).all()]
    told: dict[str, Any] = {"runs": [_run(whole.of([day]), day) for day in days], "judged": None}
    newest = [day for day in own if len(whole.of([day]).rows)][:NEWEST]
    if not newest:
        found.too_little("realised outcomes", f"no run of the model {model.version} is over yet")
        return found, told
    judged = whole.of(newest)
    if not judged.enough:
        found.too_little(
            "realised outcomes",
            f"fewer than {LEAST_OF_EACH} customers churned or stayed in the runs that are over",
        )
        return found, told
    untreated = _untreated(judged, ledger, deeds, question, as_of.zone)
    base = untreated if untreated is not None and untreated.enough else judged
    test = card["trials"][-1]["metrics"].get(model.rung)
    everyone = _told(judged, newest)
    left = None if untreated is None else _told(untreated, newest)
    on = "untreated" if base is untreated else "all"
    told["judged"] = {**everyone, "test": test, "untreated": left, "judged_on": on}
    metrics = left if left is not None and base is untreated else everyone
    _ranking(found, metrics["metrics"]["auroc"], card, model.rung)
    earlier = whole.of(own[NEWEST:]) if len(own) == RUNS else None
    then = [Cutoff.parse(day, as_of.zone) for day in newest]
    _calibration(found, base, earlier, _last_year(logs, question, then))
    _no_better(found, base, card)
    _lights(found, base)
    return found, told


def _apart(over: Sequence[str], zone: str) -> list[str]:
    """The latest runs, a week or more apart, the newest first."""
    kept: list[str] = []
    for day in reversed(over):
        if not kept or horizon_ends_by(Cutoff.parse(day, zone), 6, Cutoff.parse(kept[-1], zone)):
            kept.append(day)
        if len(kept) == RUNS:
            break
    return kept


def _judged(
    ledger: Ledger, logs: CustomerLogs, question: Question, days: Sequence[str], end: Cutoff
) -> Judged:
    import pandas as pd

    share = one_in(logs.customer_count, _CUSTOMERS)
    parts = [ledger.read(day, _KEPT).assign(as_of=day) for day in days]
    rows = pd.concat(
        [part[chosen(part["customer_id"].to_numpy(object), share)] for part in parts],
        ignore_index=True,
    )
    rows["churned"] = churned_since(logs, question, rows[["customer_id", "as_of"]], end)
    rows = rows[rows["churned"].notna()].reset_index(drop=True)
    return Judged(rows, np.ones(len(rows)))


def _untreated(
    judged: Judged, ledger: Ledger, deeds: Deeds, question: Question, zone: str
) -> Judged | None:
    """The rows that no action touched, the control standing in; ``None`` if none was touched."""
    rows, done = judged.rows, deeds.current()
    assigned = _assigned(ledger, min(rows["as_of"]), zone)
    if not len(assigned) and not done["done"].any():
        return None
    us = rows["as_of"].map({day: Cutoff.parse(day, zone).us for day in rows["as_of"].unique()})
    order = np.arange(len(rows))
    table = Features(judged.customers, us.to_numpy(np.int64), {"row": order}, FeatureSpec({}), zone)
    left = without_treated(
        Dataset(table, judged.y.astype(bool)), assigned, done, question.horizon_days
    )
    if not left.treated + left.reached:
        return None
    kept = left.dataset.features.columns["row"]
    return Judged(rows.iloc[kept], left.weight)


def _assigned(ledger: Ledger, since: str, zone: str) -> pd.DataFrame:
    """Every customer and day from one on, on which chance had put it into an arm."""
    import pandas as pd

    first = Cutoff.parse(since, zone)
    days = [day for day in ledger.days() if has_come(first, Cutoff.parse(day, zone))]
    runs = (ledger.read(day, _OF_ARMS) for day in days if "arm" in ledger.columns(day))
    parts = [run[run["arm"].isin(ARMS)] for run in runs]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*_OF_ARMS])


# ── What is told ────────────────────────────────────────────────────────────────────────────


def _run(of: Judged, day: str) -> dict[str, Any]:
    churned = clustered(of.y, of.customers) if len(of.rows) else None
    both = len(of.rows) and 0 < of.y.sum() < len(of.rows)
    return {
        "day": day,
        "model": str(of.rows["model_version"].iloc[0]) if len(of.rows) else "",
        "customers": len(of.rows),
        "churned": None if churned is None else interval_dict(churned),
        "mean": float(of.p.mean()) if len(of.rows) else None,
        "auroc": METRICS["auroc"].function(of.y, of.p, None) if both else None,
        "lights": {
            light: _share(of, (of.rows["light"] == light).to_numpy()) for light in reversed(LIGHTS)
        },
    }


def _share(of: Judged, mask: np.ndarray) -> dict[str, Any]:
    if not mask.any():
        return {"customers": 0, "churned": None, "mean": None}
    return {
        "customers": int(mask.sum()),
        "churned": interval_dict(clustered(of.y[mask], of.customers[mask])),
        "mean": float(of.p[mask].mean()),
    }


def _told(of: Judged, days: Sequence[str]) -> dict[str, Any]:
    metrics = evaluate(of.y, of.p, of.customers, weight=of.weight)
    return {
        "days": sorted(days),
        "customers": len(of.rows),
        "distinct": len(set(of.customers.tolist())),
        "churned": interval_dict(_rate(of, 0.95)),
        "mean": float(np.average(of.p, weights=of.weight)),
        "metrics": {name: interval_dict(told) for name, told in metrics.items()},
        "lights": [
            {"light": light, **_share(of, (of.rows["light"] == light).to_numpy())}
            for light in reversed(LIGHTS)
        ],
        "calibration": _bins(of),
        "promises": [
            {**told, "realised": interval_dict(told["realised"])} for told in _promises(of)
        ],
    }


def _bins(of: Judged, bins: int = 10) -> list[dict[str, Any]]:
    """Mean probability and churn in tenths of the rows, by probability."""
    order = np.argsort(of.p, kind="stable")
    told = []
    for part in np.array_split(order, min(bins, len(order))):
        share = clustered(of.y[part], of.customers[part])
        told.append({"predicted": float(of.p[part].mean()), "customers": len(part),
                     "observed": interval_dict(share)})  # fmt: skip
    return told


def _rate(of: Judged, level: float) -> Interval:
    """Churn of the rows, each as often as it weighs, with an interval clustered by customer."""
    if (of.weight == 1).all():
        return clustered(of.y, of.customers, level)
    rate = float(np.average(of.y, weights=of.weight))
    _, place = np.unique(of.customers.astype(str), return_inverse=True)
    residual = np.bincount(place, weights=of.weight * (of.y - rate))
    half = NormalDist().inv_cdf((1 + level) / 2) * sqrt(float((residual**2).sum()))
    half /= float(of.weight.sum())
    return Interval(rate, max(rate - half, 0.0), min(rate + half, 1.0))


def _promises(of: Judged) -> list[dict[str, Any]]:
    """Of a promise: for red and green, before any rule, what was promised and what came of it."""
    told = []
    for policy in sorted(of.rows["policy"].unique()):
        match = _PROMISE.search(policy)
        if match is None:
            continue
        shares = (int(n) / 100 for n in match.groups())
        for light, share in zip(("red", "green"), shares, strict=True):
            mask = ((of.rows["policy"] == policy) & (of.rows["base_light"] == light)).to_numpy()
            if mask.sum() >= _LEAST_IN_LIGHT:
                told.append({
                    "light": light, "promised": share, "customers": int(mask.sum()),
                    "realised": clustered(of.y[mask], of.customers[mask], _NARROW),
                })  # fmt: skip
    return told


# ── What is judged ──────────────────────────────────────────────────────────────────────────


def _ranking(found: Found, now: Mapping[str, float], card: Mapping[str, Any], rung: str) -> None:
    trials = (trial["metrics"][rung] for trial in card["trials"] if rung in trial["metrics"])
    tests = [told["auroc"] for told in trials if None not in told["auroc"].values()]
    if not tests:
        found.too_little("ranking of past runs", "the card tells no test")
        return
    then = float(np.mean([test["value"] for test in tests]))
    errors = [_error(test["low"], test["high"]) for test in tests]
    apart = float(np.var([test["value"] for test in tests]))
    own = _error(now["low"], now["high"])
    error = sqrt(own**2 + float(np.mean(errors)) ** 2 / len(tests) + apart)
    lost = then - now["value"]
    if lost >= WORSE_RANKING and lost >= SURPRISE * error:
        found.alarms.append(
            Alarm(
                "ranking_lost", "retrain", "outcomes", "auroc",
                f"AUROC of the runs that are over is {now['value']:.3f}, and was {then:.3f} in the "
                "tests of the model: it no longer tells who leaves as it did",
                now["value"], then - max(WORSE_RANKING, SURPRISE * error),
                "Train anew: churnkit train.",
            )
        )  # fmt: skip


def _error(low: float, high: float) -> float:
    return (high - low) / (2 * _HALF)


def _calibration(found: Found, of: Judged, earlier: Judged | None, last_year: float | None) -> None:
    rate, mean = _rate(of, _NARROW), float(np.average(of.p, weights=of.weight))
    gap = _log_odds(rate.value) - _log_odds(mean)
    if abs(gap) < GAP or rate.low <= mean <= rate.high:
        return
    what = (
        f"{rate.value:.0%} churned in the runs that are over, and the mean probability was "
        f"{mean:.0%}"
    )
    if last_year is not None and abs(_log_odds(rate.value) - _log_odds(last_year)) < abs(gap) / 2:
        found.notes.append(f"{what}; {last_year:.0%} did at this time last year: a season")
        return
    # A closure or a holiday passes; what stays for two months does not.
    large = abs(gap) >= LARGE_GAP and earlier is not None and _same_gap(gap, earlier)
    found.alarms.append(
        Alarm(
            "calibration", "retrain" if large else "watch", "outcomes", "churn_probability",
            what, gap, LARGE_GAP if large else GAP,
            "Train anew: churnkit train." if large
            else "Is it a holiday, or the season? If it stays, train anew.",
        )
    )  # fmt: skip


def _same_gap(gap: float, earlier: Judged) -> bool:
    rate, mean = float(earlier.y.mean()), float(earlier.p.mean())
    before = _log_odds(rate) - _log_odds(mean)
    return before * gap > 0 and abs(before) >= GAP


def _log_odds(share: float) -> float:
    kept = min(max(share, 1e-4), 1 - 1e-4)
    return log(kept / (1 - kept))


def _last_year(logs: CustomerLogs, question: Question, days: Sequence[Cutoff]) -> float | None:
    """Churn of those at risk a year before some days; ``None`` where the logs begin later."""
    first = logs.first_day(question.log)
    then = [day.shifted(-YEAR) for day in days]
    if any(reaches_back(day, question.lookback_days, first) for day in then):
        return None
    plan = plan_features(logs, then, FeatureSpec({}))
    share = one_in(logs.customer_count, _CUSTOMERS)
    _, told = build_beside(
        logs, plan, {"churned": question.churned}, population=some(question.at_risk, share)
    )
    return float(told["churned"].mean()) if len(told["churned"]) else None


def _no_better(found: Found, of: Judged, card: Mapping[str, Any]) -> None:
    """Whether saying of everybody what the training knew of all would have been as good."""
    constant = float(card["training"]["base_rate"])
    own = log_loss(of.y, of.p, of.weight)
    plain = log_loss(of.y, np.full(len(of.y), constant), of.weight)
    if own >= plain:
        found.alarms.append(
            Alarm(
                "no_better_than_base_rate", "retrain", "outcomes", "log_loss",
                f"log loss of the runs that are over is {own:.3f}; saying {constant:.0%} of "
                f"everybody would have given {plain:.3f}",
                own, plain, "Train anew: churnkit train.",
            )
        )  # fmt: skip


def _lights(found: Found, of: Judged) -> None:
    for told in _promises(of):
        realised_, promised = told["realised"], told["promised"]
        broken = realised_.high < promised if told["light"] == "red" else realised_.low > promised
        if broken:
            short = abs(realised_.value - promised)
            word = "at least" if told["light"] == "red" else "at most"
            found.alarms.append(
                Alarm(
                    "promise_broken", "retrain" if short >= _SHORT else "watch", "lights",
                    told["light"],
                    f"{realised_.value:.0%} of {told['customers']:,} {told['light']} customers "
                    f"churned, and {word} {promised:.0%} was promised",
                    realised_.value, promised,
                    "Train anew, so that the edges are found on what is known now.",
                )
            )  # fmt: skip
    shares = []
    for light in reversed(LIGHTS):
        mask = (of.rows["light"] == light).to_numpy()
        if mask.sum() >= _LEAST_IN_LIGHT:
            shares.append((light, clustered(of.y[mask], of.customers[mask], _NARROW)))
    for (worse, one), (better, other) in pairwise(shares):
        if one.high < other.low:
            found.alarms.append(
                Alarm(
                    "lights_out_of_order", "retrain", "lights", worse,
                    f"{one.value:.0%} of the {worse} customers churned, and {other.value:.0%} of "
                    f"the {better} ones",
                    one.value, other.value,
                    "Look at the rules in [lights], and train anew.",
                )
            )  # fmt: skip

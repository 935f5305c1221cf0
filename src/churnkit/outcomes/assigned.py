"""Who was assigned to what by chance, and what came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churnkit.clock import Cutoff, happened_within, horizon_ends_by
from churnkit.errors import DataError
from churnkit.features import FeatureSpec, build_beside, plan_features
from churnkit.index import BlockIndex, Observations
from churnkit.labels import Question
from churnkit.ledger import Ledger
from churnkit.logs import CustomerLogs
from churnkit.metrics import Floats

if TYPE_CHECKING:
    import pandas as pd

ARMS = ("treated", "control")
_KEPT = [
    "customer_id", "as_of", "churn_probability", "value_at_risk", "light", "playbook", "action",
    "arm", "campaign",
]  # fmt: skip


def first_assigned(ledger: Ledger, campaign: str | None = None) -> pd.DataFrame:
    """Every customer once: the first run in which chance put it into an arm.

    Later runs are left out, since what they say of a customer (its light, whether it is at risk
    at all) may itself come of the action; and a customer who counts once is independent of all
    others.

    Parameters
    ----------
    ledger
        The runs.
    campaign
        Only runs of this campaign; by default the first of any.

    Returns
    -------
    DataFrame
        Columns of the ledger: ``customer_id``, ``as_of``, ``churn_probability``,
        ``value_at_risk``, ``light``, ``playbook``, ``action``, ``arm`` (treated or control),
        ``campaign``; in order of day and customer.

    Raises
    ------
    DataError
        If a run cannot be read, or nobody was put into an arm.
    """
    import pandas as pd

    parts: list[pd.DataFrame] = []
    seen = pd.Index([], dtype="object")
    campaigns: set[str] = set()
    for day in ledger.days():
        if "arm" not in ledger.columns(day):  # a run of before there were campaigns
            continue
        run = ledger.read(day, _KEPT)
        chosen = run[run["arm"].isin(ARMS) & ~run["customer_id"].isin(seen)]
        campaigns |= set(chosen["campaign"])
        if campaign is not None:
            chosen = chosen[chosen["campaign"] == campaign]
        parts.append(chosen[_KEPT].sort_values("customer_id"))
        seen = seen.append(pd.Index(chosen["customer_id"]))
    if not sum(map(len, parts)):
        of = f" of the campaign {campaign!r}" if campaign else ""
        raise DataError(
            f"no run in {ledger.says} has customers in an arm{of}",
            f"There are {', '.join(sorted(campaigns))}."
            if campaigns
            else "Outcomes are compared with a control: set a share in [holdout], and score.",
        )
    return pd.concat(parts, ignore_index=True)


def churned_since(
    logs: CustomerLogs, question: Question, pairs: pd.DataFrame, end: Cutoff | None = None
) -> Floats:
    """What came of customers within the horizon that began on a day.

    Parameters
    ----------
    logs
        What happened; a horizon must be over before the last day of the log begins, since that
        day is often cut short.
    question
        What churn is.
    pairs
        Columns ``customer_id`` and ``as_of`` (ISO day).
    end
        When knowledge ends; by default when the last day of the log begins.

    Returns
    -------
    array of shape (pairs,)
        1 churned, 0 stayed; NaN where the horizon is not over, or the logs no longer hold the
        customer.

    Raises
    ------
    ConfigError
        If the question needs a log that is absent.
    """
    import pandas as pd

    question.require(logs)
    known_to = logs.last_day(question.log) if end is None else end
    days = {day: Cutoff.parse(day, logs.zone) for day in sorted(set(pairs["as_of"]))}
    over = {
        day: cutoff
        for day, cutoff in days.items()
        if horizon_ends_by(cutoff, question.horizon_days, known_to)
    }
    if not over:
        return np.full(len(pairs), np.nan)
    told = _labels(logs, question, list(over.values()), set(pairs["customer_id"]))
    cutoff = pairs["as_of"].map({day: cutoff.us for day, cutoff in over.items()})
    asked = pd.DataFrame({"customer_id": pairs["customer_id"].astype(object), "cutoff": cutoff})
    return asked.merge(told, on=["customer_id", "cutoff"], how="left")["churned"].to_numpy(float)


def _labels(
    logs: CustomerLogs, question: Question, cutoffs: list[Cutoff], customers: set[str]
) -> pd.DataFrame:
    import pandas as pd

    wanted = np.array(sorted(customers), dtype=object)

    def asked(block: BlockIndex, at: Observations) -> np.ndarray:
        return np.isin(block.customer_ids, wanted)[at.customer]

    plan = plan_features(logs, cutoffs, FeatureSpec({}))
    rows, found = build_beside(logs, plan, {"churned": question.churned}, population=asked)
    columns = {"customer_id": rows.customer_id, "cutoff": rows.cutoff.astype(float)}
    return pd.DataFrame({**columns, "churned": found["churned"].astype(float)})


def with_deeds(assigned: pd.DataFrame, deeds: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """The assigned customers with what was done to them before their horizon was over.

    A customer may be on the lists of several runs, and acted on by any of them.

    Parameters
    ----------
    assigned
        As `first_assigned` gives it.
    deeds
        As `churnkit.outcomes.Deeds.current` gives it.
    horizon_days
        Of the question.

    Returns
    -------
    DataFrame
        ``assigned`` with ``told`` (anything recorded), ``done`` (reached), ``cost`` (0 where none
        is known).
    """
    both = assigned[["customer_id", "as_of"]].merge(
        deeds[["customer_id", "as_of", "done", "cost"]], on="customer_id", suffixes=("", "_deed")
    )
    first, then = (_instants(both[name]) for name in ("as_of", "as_of_deed"))
    inside = happened_within(then, first, horizon_days) & ~happened_within(then, first, 0)
    by = both[inside].groupby("customer_id")
    told = by.agg(done=("done", "any"), cost=("cost", "sum"))
    joined = assigned.join(told, on="customer_id")
    return joined.assign(
        told=joined["done"].notna(),
        done=joined["done"].eq(True),
        cost=joined["cost"].fillna(0.0),
    )


def _instants(days: pd.Series) -> np.ndarray:
    us = {day: Cutoff.parse(day).us for day in days.unique()}
    return days.map(us).to_numpy(np.int64)

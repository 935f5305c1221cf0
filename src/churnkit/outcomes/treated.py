"""Rows whose outcome an action may have changed: left out of training, and stood in for.

A risk model is to say what happens if nothing is done. Customers who were assigned to an action
within their label window do not tell that, whether they were reached or not (who is reached is no
matter of chance). They are left out; the control of the same group, which chance made alike, stands
in for them by a weight of group / control (inverse probability weighting, Horvitz and Thompson
1952).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from churnkit.clock import Cutoff, happened_within
from churnkit.dataset import Dataset, Untreating
from churnkit.ledger import Ledger
from churnkit.metrics import Floats
from churnkit.outcomes.assigned import ARMS
from churnkit.outcomes.store import Deeds

if TYPE_CHECKING:
    import pandas as pd

_GROUP = ["campaign", "light", "action"]
_KEPT = ["customer_id", "as_of", *_GROUP, "arm"]


@dataclass(frozen=True)
class Untreated:
    """A dataset of what happens if nothing is done.

    Attributes
    ----------
    dataset
        The rows that no action touched.
    weight
        Of each row: 1, or for one of a control the number of rows it stands for.
    treated
        Rows left out since chance assigned an action to the customer.
    reached
        Rows left out since the customer, of the control or of no arm, was reached nevertheless.
    lost
        Those of both that no control stands in for: the group had none.
    """

    dataset: Dataset
    weight: Floats
    treated: int
    reached: int
    lost: int

    @property
    def weighed(self) -> Dataset:
        """The rows with their weights, and what was done; no weights where all are 1."""
        weight = None if (self.weight == 1).all() else self.weight
        return replace(self.dataset, weight=weight, untreated=self.says)

    @property
    def says(self) -> str:
        """What was done, in a sentence."""
        if not self.treated + self.reached:
            return "no action touched what came of the customers learnt from"
        stand_in = int((self.weight != 1).sum())
        lost = f"; for {self.lost:,} of them there is no control" if self.lost else ""
        return (
            f"{self.treated + self.reached:,} rows are left out, since an action may have changed "
            f"what came of them; {stand_in:,} rows of the control stand in for them, by weight"
            f"{lost}"
        )


def untreating(ledger: Ledger, deeds: Deeds, horizon_days: int) -> Untreating | None:
    """What takes out of rows what the recorded actions have changed; ``None`` if there are none.

    Parameters
    ----------
    ledger, deeds
        Who was assigned to what, and what was done.
    horizon_days
        Of the question.

    Raises
    ------
    DataError
        If a file of either cannot be read.
    """
    assigned, done = all_assigned(ledger), deeds.current()
    if assigned.empty and not done["done"].any():
        return None
    return lambda dataset: without_treated(dataset, assigned, done, horizon_days).weighed


def all_assigned(ledger: Ledger) -> pd.DataFrame:
    """Every customer and day on which chance had put it into an arm.

    Columns: ``customer_id``, ``as_of``, ``campaign``, ``light``, ``action``, ``arm``.

    Raises
    ------
    DataError
        If a run cannot be read.
    """
    import pandas as pd

    with_arms = (day for day in ledger.days() if "arm" in ledger.columns(day))
    runs = (ledger.read(day, _KEPT) for day in with_arms)
    parts = [run[run["arm"].isin(ARMS)] for run in runs]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_KEPT, dtype=str)


def without_treated(
    dataset: Dataset,
    assigned: pd.DataFrame,
    deeds: pd.DataFrame,
    horizon_days: int,
    lasting_days: int = 0,
) -> Untreated:
    """The rows that no action touched, weighed so that they stand for all.

    Parameters
    ----------
    dataset
        Rows with labels.
    assigned
        As `all_assigned` gives it.
    deeds
        As `churnkit.outcomes.Deeds.current` gives it.
    horizon_days
        Of the question: an action touches a row from the cutoff until the horizon is over.
    lasting_days
        So long before the cutoff an action touches it as well.
    """
    keep = np.ones(len(dataset), dtype=bool)
    weight = np.ones(len(dataset))
    counts = np.zeros(3, dtype=int)
    table, zone = dataset.features, dataset.features.zone
    chance = _timed(assigned, zone)
    done = _timed(deeds[deeds["done"].astype(bool)], zone)
    for us in np.unique(table.cutoff):
        at = np.flatnonzero(table.cutoff == us)
        begin = Cutoff(int(us), zone).shifted(-lasting_days).us
        spans = begin, horizon_days + lasting_days
        group, treated = _first_group(table.customer_id[at], _inside(chance, *spans))
        reached = np.isin(table.customer_id[at], _inside(done, *spans)["customer_id"].unique())
        touched = treated | reached
        keep[at] = ~touched
        weight[at], without = _stand_ins(group, touched)
        counts += [treated.sum(), (reached & ~treated).sum(), (touched & without).sum()]
    return Untreated(dataset.where(keep), weight[keep], *(int(n) for n in counts))


def _timed(rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    us = {day: Cutoff.parse(day, zone).us for day in rows["as_of"].unique()}
    return rows.assign(us=rows["as_of"].map(us).astype("int64")).sort_values("us", kind="stable")


def _inside(rows: pd.DataFrame, begin: int, days: int) -> pd.DataFrame:
    then, first = rows["us"].to_numpy(), np.array(begin)
    return rows[happened_within(then, first, days) & ~happened_within(then, first, 0)]


def _first_group(ids: np.ndarray, runs: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The group of each customer in its first run, −1 for none; and whether it was ever treated.

    Later groups are no matter of chance any more: an action may have moved the customer there.
    """
    first = runs.drop_duplicates("customer_id").set_index("customer_id")
    codes = first.groupby(_GROUP).ngroup().reindex(ids, fill_value=-1).to_numpy(dtype=int)
    return codes, np.isin(ids, runs.loc[runs["arm"] == "treated", "customer_id"].unique())


def _stand_ins(group: np.ndarray, touched: np.ndarray) -> tuple[Floats, np.ndarray]:
    """Weight of each row by what is left of its group, and whether nothing is left of it."""
    in_group = group >= 0
    size = np.bincount(group[in_group], minlength=1)
    left = np.bincount(group[in_group & ~touched], minlength=len(size))
    weight = np.ones(len(group))
    ratio = np.divide(size, left, where=left > 0, out=np.ones(len(size)))
    weight[in_group] = ratio[group[in_group]]
    without = ~in_group
    without[in_group] = left[group[in_group]] == 0
    return weight, without

"""What the runs of the ledger say of each other: scores that jump, lights that move and flicker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.clock import Cutoff, has_come
from churnkit.ledger import Ledger
from churnkit.lights import LIGHTS
from churnkit.monitor.alarm import Alarm, Found
from churnkit.monitor.stability import stability

if TYPE_CHECKING:
    import pandas as pd

LEAST_CUSTOMERS = 50
"""With fewer customers in both runs, nothing is said of them."""

_RUNS, _RUNS_OF_MANY, _MANY = 9, 3, 1_000_000
_MOVED, _TIMES, _SURPRISE = 0.10, 2.0, 5.0
_COLUMNS = ("customer_id", "churn_probability", "light", "model_version", "policy")


def days_until(ledger: Ledger, as_of: Cutoff) -> list[str]:
    """The days of runs up to a cutoff, in rising order."""
    return [day for day in ledger.days() if has_come(Cutoff.parse(day, as_of.zone), as_of)]


def day_before(ledger: Ledger, as_of: Cutoff) -> str | None:
    """The day of the latest run before a cutoff; ``None`` if there is none."""
    earlier = [day for day in ledger.days() if not has_come(as_of, Cutoff.parse(day, as_of.zone))]
    return earlier[-1] if earlier else None


@dataclass(frozen=True)
class Step:
    """From one run to the next, over the customers of both.

    Attributes
    ----------
    before, now
        Days.
    customers
        How many are in both.
    changed
        Share of them with another light.
    transitions
        Light before → light now → customers.
    psi, psi_limit
        Of the scores of all customers of both runs; the limit is the size-aware one.
    mean_before, mean_now
        Mean churn probability of all customers.
    same
        Whether model and policy were the same.
    """

    before: str
    now: str
    customers: int
    changed: float | None
    transitions: Mapping[str, Mapping[str, int]]
    psi: float
    psi_limit: float
    mean_before: float
    mean_now: float
    same: bool

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


def runs(ledger: Ledger, as_of: Cutoff) -> tuple[Found, dict[str, Any] | None]:
    """Compare the run of a cutoff, or the latest before it, with those before.

    Returns
    -------
    tuple
        What was found; and ``day``, ``customers``, ``lights`` (light → customers), ``mean``,
        ``flicker`` (share of customers whose light came back after one run; ``None`` if it is not
        known) and ``steps``, the latest first. ``None`` without a run.
    """
    found, days = Found(), days_until(ledger, as_of)
    if not days:
        found.too_little("scores and lights", f"there is no run up to {as_of}")
        return found, None
    now = ledger.read(days[-1], _COLUMNS)
    names = list(reversed(days))[: _RUNS if len(now) <= _MANY else _RUNS_OF_MANY]
    kept = [now, *(ledger.read(day, _COLUMNS) for day in names[1:])]
    steps = [_step(kept[k + 1], names[k + 1], kept[k], names[k]) for k in range(len(kept) - 1)]
    told = {
        "day": days[-1],
        "customers": len(now),
        "lights": {light: int((now["light"] == light).sum()) for light in reversed(LIGHTS)},
        "mean": float(now["churn_probability"].mean()),
        "flicker": _flicker(kept),
        "steps": [step.told() for step in steps],
    }
    if not steps:
        found.too_little("scores and lights", "there is no run before")
    elif steps[0].customers < LEAST_CUSTOMERS:
        found.too_little("scores and lights", f"{steps[0].customers} customers are in both runs")
    else:
        _look(found, steps)
    return found, told


def _step(before: pd.DataFrame, then: str, now: pd.DataFrame, day: str) -> Step:
    told = before[["customer_id", "light"]].merge(
        now[["customer_id", "light"]], on="customer_id", suffixes=("_before", "_now")
    )
    counts = told.groupby(["light_before", "light_now"]).size()
    moves = {
        str(a): {str(b): int(counts.get((a, b), 0)) for b in LIGHTS if (a, b) in counts}
        for a in LIGHTS
    }
    moved = stability(
        now["churn_probability"].to_numpy(float), before["churn_probability"].to_numpy(float)
    )
    same = all(before[name].iloc[0] == now[name].iloc[0] for name in ("model_version", "policy"))
    changed = (told["light_before"] != told["light_now"]).mean() if len(told) else None
    return Step(
        then, day, len(told), None if changed is None else float(changed), moves,
        moved.psi, moved.limit,
        float(before["churn_probability"].mean()), float(now["churn_probability"].mean()), same,
    )  # fmt: skip


def _look(found: Found, steps: Sequence[Step]) -> None:
    last = steps[0]
    usual = [s.changed for s in steps[1:] if s.same and s.changed is not None]
    if not last.same:
        found.notes.append(
            f"another model or policy than in the run of {last.before}: scores and lights may move"
        )
        return
    if last.psi > last.psi_limit:
        found.alarms.append(
            Alarm(
                "score_drift", "watch", "scores", "churn_probability",
                f"the scores are distributed otherwise than in the run of {last.before}: PSI "
                f"{last.psi:.2f}, mean {last.mean_before:.0%} before and {last.mean_now:.0%} now",
                last.psi, last.psi_limit,
                "Look at the inputs first; nothing else moves all scores at once.",
            )
        )  # fmt: skip
    if len(usual) < 2 or last.changed is None:
        found.too_little("migration of lights", "fewer than three runs of this model and policy")
        return
    habit = float(np.median(usual))
    error = sqrt(max(habit * (1 - habit), 0.01) / last.customers)
    limit = max(habit + _MOVED, _TIMES * habit, habit + _SURPRISE * error)
    if last.changed > limit:
        found.alarms.append(
            Alarm(
                "light_migration", "watch", "lights", "",
                f"{last.changed:.0%} of the customers changed their light since {last.before}, and "
                f"{habit:.0%} usually do",
                last.changed, limit,
                "Look at the inputs and at the rules in [lights] before anybody calls.",
            )
        )  # fmt: skip


def _flicker(kept: Sequence[pd.DataFrame]) -> float | None:
    """Share of the customers of the last three runs whose light went and came back."""
    if len(kept) < 3:
        return None
    one, two, three = (run[["customer_id", "light"]] for run in kept[:3])
    both = one.merge(two, on="customer_id", suffixes=("_now", "_mid"))
    both = both.merge(three, on="customer_id")
    if both.empty:
        return None
    back = (both["light_now"] == both["light"]) & (both["light_now"] != both["light_mid"])
    return float(back.mean())

"""What acting has done: churn of treated against control, by what chance assigned them to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from churnkit.errors import ConfigError
from churnkit.labels import Question
from churnkit.ledger import Ledger
from churnkit.logs import CustomerLogs
from churnkit.metrics import Floats, Interval, proportion
from churnkit.outcomes.assigned import churned_since, first_assigned, with_deeds
from churnkit.outcomes.effect import (
    LEVEL,
    POWER,
    Arms,
    difference,
    holm,
    p_value,
    per_contact,
    sample_size,
    saved_value,
)
from churnkit.outcomes.store import Deeds
from churnkit.training import interval_dict

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["helps", "harms", "unclear", "not comparable"]
_SAYS: Mapping[Verdict, str] = {
    "helps": "helps",
    "harms": "does harm",
    "unclear": "cannot be told yet",
    "not comparable": "cannot be compared",
}
_MOST = 1_000_000  # customers: nobody waits for more


@dataclass(frozen=True)
class Effect:
    """What an action did to the customers of a light.

    Attributes
    ----------
    light, action
        The group; both empty for all together.
    treated, control
        Customers whose horizon is over, by the arm chance assigned them to.
    open
        Customers whose horizon is not over, or of whom the logs tell nothing any more.
    churn_treated, churn_control
        Share that churned, each with its interval.
    difference
        The first less the second; below zero acting helps. Over all together it is the mean over
        the groups, weighed as `churnkit.outcomes.effect` says.
    p
        Of no effect, adjusted for the number of groups (Holm); that of all together is not.
    reached, leaked
        Share of treated, and of control, that the action reached.
    per_contact
        Effect of being reached, see `churnkit.outcomes.effect.per_contact`.
    saved_customers, saved_value
        Customers and value that acting has kept among the treated.
    cost
        What is recorded as spent on the treated.
    needed
        Customers that treatment and control need in all, to find the effect with a chance of
        80 %.
    least
        The difference that ``needed`` is for.
    verdict, says
        The finding, and a sentence.
    """

    light: str
    action: str
    treated: int
    control: int
    open: int
    churn_treated: Interval
    churn_control: Interval
    difference: Interval | None
    p: float
    reached: float
    leaked: float
    per_contact: Interval | None
    saved_customers: Interval | None
    saved_value: Interval | None
    cost: float
    needed: tuple[int, int] | None
    least: float
    verdict: Verdict = "unclear"
    says: str = ""

    @property
    def more_needed(self) -> tuple[int, int] | None:
        """Customers that treatment and control still lack."""
        if self.needed is None:
            return None
        return max(self.needed[0] - self.treated, 0), max(self.needed[1] - self.control, 0)

    def told(self) -> dict[str, Any]:
        """The same as JSON-ready values; what is unknown is null."""
        intervals = (
            "churn_treated", "churn_control", "difference", "per_contact", "saved_customers",
            "saved_value",
        )  # fmt: skip
        plain = ("light", "action", "treated", "control", "open", "cost", "verdict", "says")
        shares = ("p", "reached", "leaked", "least")
        return {
            **{name: getattr(self, name) for name in plain},
            **{name: _finite(getattr(self, name)) for name in shares},
            **{name: _told(getattr(self, name)) for name in intervals},
            "needed": None if self.needed is None else list(self.needed),
            "more_needed": None if self.more_needed is None else list(self.more_needed),
        }


@dataclass(frozen=True)
class OutcomeReport:
    """Whether acting helps, and what it is worth.

    Attributes
    ----------
    question
        What churn is, in words.
    campaign
        The campaign; empty for all of them.
    together
        All customers.
    groups
        Light and action, in order of lights and names.
    first, last
        First and last day on which customers were assigned.
    untold
        Treated customers whose horizon is over and of whom nothing was recorded; they count as not
        reached.
    notes
        What to keep in mind, as sentences.
    """

    question: str
    campaign: str
    together: Effect
    groups: tuple[Effect, ...]
    first: str
    last: str
    untold: int
    notes: tuple[str, ...] = field(default=())

    def told(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return {
            "question": self.question,
            "campaign": self.campaign,
            "first": self.first,
            "last": self.last,
            "level": LEVEL,
            "power": POWER,
            "untold": self.untold,
            "together": self.together.told(),
            "groups": [group.told() for group in self.groups],
            "notes": list(self.notes),
        }


def outcome_report(
    ledger: Ledger,
    deeds: Deeds,
    logs: CustomerLogs,
    question: Question,
    campaign: str | None = None,
    least: float | None = None,
) -> OutcomeReport:
    """Churn of treated against control, per light and action and all together.

    Parameters
    ----------
    ledger, deeds, logs, question
        Who was assigned to what, what was done, what came of it, and what churn is.
    campaign
        Only this one; by default all.
    least
        The least effect that matters, as a share such as 0.05: how many customers it takes to
        find that one. By default the effect seen.

    Raises
    ------
    DataError
        If nobody was assigned, or a file cannot be read.
    ConfigError
        If ``least`` is no share, or the question needs a log that is absent.
    """
    rows = first_assigned(ledger, campaign)
    churned = churned_since(logs, question, rows)
    acted = with_deeds(rows, deeds.current(), question.horizon_days)
    return report_of(acted, churned, question.rule, campaign or "", least)


def report_of(
    rows: pd.DataFrame,
    churned: Floats,
    question: str = "",
    campaign: str = "",
    least: float | None = None,
) -> OutcomeReport:
    """The report of customers and what came of them; see `outcome_report`.

    Parameters
    ----------
    rows
        One row per customer: ``light``, ``action``, ``arm``, ``value_at_risk``, ``as_of``, and
        ``told``, ``done``, ``cost`` of `churnkit.outcomes.with_deeds`.
    churned
        1, 0 or NaN (open), one per row.
    """
    if least is not None and not 0 < least < 1:
        raise ConfigError(
            f"the least effect that matters is {least:g}, which is no share inside (0, 1)",
            "Write 5 points as 0.05.",
        )
    codes, names = _grouped(rows)
    seen = rows.assign(churned=churned, group=codes)
    groups = [_effect(seen[codes == k], *name, least) for k, name in enumerate(names)]
    adjusted = holm([group.p for group in groups])
    judged = [_judged(replace(g, p=float(p))) for g, p in zip(groups, adjusted, strict=True)]
    over = seen[seen["churned"].notna()]
    untold = int(((over["arm"] == "treated") & ~over["told"]).sum())
    return OutcomeReport(
        question=question,
        campaign=campaign,
        together=_judged(_effect(seen, "", "", least)),
        groups=tuple(judged),
        first=str(rows["as_of"].min()),
        last=str(rows["as_of"].max()),
        untold=untold,
        notes=tuple(_notes(judged, untold)),
    )


def _grouped(rows: pd.DataFrame) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """The code of each row's group, and the light and action of each code: red first."""
    lights = {"red": 0, "yellow": 1, "green": 2}
    pairs = list(zip(rows["light"].astype(str), rows["action"].astype(str), strict=True))
    names = sorted(set(pairs), key=lambda pair: (lights.get(pair[0], 3), pair))
    code = {name: k for k, name in enumerate(names)}
    return np.array([code[pair] for pair in pairs], dtype=np.intp), names


def _effect(rows: pd.DataFrame, light: str, action: str, least: float | None) -> Effect:
    over = rows[rows["churned"].notna()]
    group = over["group"].to_numpy(np.intp)
    arm = (over["arm"] == "treated").to_numpy(bool)
    left, done = over["churned"].to_numpy(float), over["done"].to_numpy(bool)
    arms = Arms.of(group, arm, left)
    found = Interval(*(float(end) for end in difference(arms)))
    comparable = not np.isnan(found.value)
    n = int(arm.sum())
    wanted, needed = _needed(arms, found.value, least) if comparable else (np.nan, None)
    return Effect(
        light=light,
        action=action,
        treated=n,
        control=len(over) - n,
        open=len(rows) - len(over),
        churn_treated=proportion(int(left[arm].sum()), n),
        churn_control=proportion(int(left[~arm].sum()), len(over) - n),
        difference=found if comparable else None,
        p=p_value(arms),
        reached=_mean(done[arm]),
        leaked=_mean(done[~arm]),
        per_contact=per_contact(group, arm, left, done) if comparable else None,
        saved_customers=_times(-found, n) if comparable else None,
        saved_value=saved_value(group, arm, left, over["value_at_risk"]) if comparable else None,
        cost=float(over["cost"].to_numpy(float)[arm].sum()),
        needed=needed,
        least=wanted,
        verdict="unclear" if comparable else "not comparable",
    )


def _needed(arms: Arms, seen: float, least: float | None) -> tuple[float, tuple[int, int] | None]:
    """The difference to be found, and how many customers find it in the shares there are."""
    treated, control = arms.rates()
    wanted = seen if least is None else -least
    other = min(max(control + wanted, 0.0), 1.0) if least is not None else treated
    ratio = float(arms.control.sum() / arms.treated.sum())
    return wanted, sample_size(control, other, ratio)


def _judged(effect: Effect) -> Effect:
    """The effect with its verdict, by its adjusted p, and the sentence."""
    if effect.difference is None:
        lacks = "treated" if effect.treated == 0 else "control"
        says = f"cannot be compared: no {lacks} customer whose horizon is over"
        return replace(effect, says=says)
    verdict: Verdict = "unclear"
    if effect.p < 1 - LEVEL:
        verdict = "helps" if effect.difference.value < 0 else "harms"
    d = effect.difference
    seen = f"{_points(d.value)} points of churn [{_points(d.low)}, {_points(d.high)}]"
    told = f"{_SAYS[verdict]}: {seen}"
    if verdict == "unclear":
        told += f"; {_still(effect)}"
    return replace(effect, verdict=verdict, says=told)


def _still(effect: Effect) -> str:
    more, at = effect.more_needed, f"an effect of {_points(effect.least)} points"
    if more is None or effect.needed is None:
        return "nothing was seen that more customers could confirm"
    if sum(effect.needed) > _MOST:
        return f"{at} would take more than {_MOST:,} customers to confirm"
    if not any(more):
        return f"there are customers enough to find {at} 4 times out of 5"
    return (
        f"{more[0]:,} more treated and {more[1]:,} more in the control would find {at} "
        "4 times out of 5"
    )


def _notes(groups: list[Effect], untold: int) -> list[str]:
    looked_at = sum(g.difference is not None for g in groups)
    told = []
    if looked_at > 1:
        told.append(
            f"{looked_at} groups are looked at; their verdicts are adjusted so that the chance of "
            "any false one stays below 5 % (Holm), their intervals are not"
        )
    if untold:
        told.append(f"of {untold:,} treated customers nothing is recorded; they count as not done")
    opened = sum(g.open for g in groups)
    if opened:
        told.append(f"the horizon of {opened:,} customers is not over; they are left out so far")
    return told


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _times(interval: Interval, n: int) -> Interval:
    return Interval(interval.value * n, interval.low * n, interval.high * n)


def _mean(flags: np.ndarray) -> float:
    return float(flags.mean()) if len(flags) else float("nan")


def _finite(number: float) -> float | None:
    return None if np.isnan(number) else float(number)


def _told(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None or np.isnan(interval.value) else interval_dict(interval)

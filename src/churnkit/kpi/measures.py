"""The measures: their names, units and meanings, and how each follows from the sums of a month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from churnkit.kpi.figures import Figure, count, lifetime_value, ratio, share
from churnkit.kpi.sums import life
from churnkit.kpi.surveys import Survey
from churnkit.logs import MONEY_UNITS

Group = Literal["customers", "revenue", "value", "surveys"]
Unit = Literal["customers", "share", "money", "points", "0..1"]


@dataclass(frozen=True)
class Measure:
    """A measure: its name, unit and meaning.

    Attributes
    ----------
    name
        As in the JSON document and the table.
    group
        What it is about; revenue and value need amounts, surveys a survey log.
    unit
        A ``share`` may be above 1 (net revenue retention) or below 0.
    says
        What it is.
    since
        What the log must cover before a month for it to be known: nothing, the lookback, or the
        lookback and the whole month before.
    """

    name: str
    group: Group
    unit: Unit
    says: str
    since: Literal["", "lookback", "month before"] = ""


def _of(group: Group, unit: Unit, since: str, **says: str) -> tuple[Measure, ...]:
    return tuple(
        Measure(name, group, unit, told, since)  # type: ignore[arg-type]
        for name, told in says.items()
    )


MEASURES: tuple[Measure, ...] = (
    *_of(
        "customers", "customers", "lookback",
        active_start="active at the start of the month",
        active_end="active at its end",
        churned="active at its start and not at its end",
        churned_by_event="of these, with an event in the month that ends a relation",
        new="with their first sign of life in the month",
        new_lost="of these, not active at its end",
        won_back="active at its end and not at its start, with a sign of life before it",
    ),
    *_of(
        "customers", "share", "lookback",
        churn_rate="churned, of those active at the start; newcomers are left out",
        retention="1 less the churn rate",
    ),
    *_of(
        "revenue", "money", "",
        revenue="spend of everybody in the month, returns taken off",
    ),
    *_of(
        "revenue", "money", "month before",
        revenue_start="spend in the month before, of those active at the start",
        revenue_churned="of this, of those who churned",
        contraction="what stayers spent less than in the month before",
        expansion="what stayers spent more than in the month before",
    ),
    *_of(
        "revenue", "share", "month before",
        nrr="net revenue retention: (start − churned − contraction + expansion) / start",
        grr="gross revenue retention: (start − churned − contraction) / start",
    ),
    *_of(
        "value", "money", "lookback",
        clv="customer lifetime value of one who is active, over the year that ends with the month",
        clv_margin="of it, margin of a month per customer active at its start",
    ),
    *_of(
        "value", "share", "lookback",
        clv_retention="of it, share of them still active at the end of a month",
    ),
    *_of("surveys", "points", "", nps="net promoter score, −100 to 100"),
    *_of("surveys", "share", "lookback", nps_response="active in the month who answered NPS"),
    *_of("surveys", "0..1", "", ces="mean ease, 0 hardest to 1 easiest"),
    *_of("surveys", "share", "lookback", ces_response="active in the month who answered CES"),
    *_of("surveys", "share", "", csat="satisfied, of those who answered"),
    *_of("surveys", "share", "lookback", csat_response="active in the month who answered CSAT"),
)  # fmt: skip
"""All measures, in the order in which they are shown."""


def measures_of(money: bool, surveys: Sequence[Survey]) -> tuple[Measure, ...]:
    """The measures that logs can tell."""
    asked = {survey.name for survey in surveys}
    told = {"customers", *(("revenue", "value") if money else ())}
    return tuple(
        measure
        for measure in MEASURES
        if measure.group in told
        or (measure.group == "surveys" and measure.name.partition("_")[0] in asked)
    )


@dataclass(frozen=True)
class Valuing:
    """What a lifetime value takes of spend, and of the future.

    Attributes
    ----------
    margin
        Share of the spend that is margin.
    discount
        Discount of a year.
    """

    margin: float = 1.0
    discount: float = 0.1

    @property
    def monthly(self) -> float:
        """Discount of a month."""
        return float((1 + self.discount) ** (1 / 12) - 1)

    @property
    def margin_of_unit(self) -> Fraction:
        """Margin of one minor unit of spend, in money."""
        return Fraction(str(self.margin)) / MONEY_UNITS


def figures_of(
    cell: Mapping[str, int], measures: Sequence[Measure], surveys: Sequence[Survey], by: Valuing
) -> dict[str, Figure]:
    """Measure → its figure in a month, from the sums of that month."""
    found = _customers(cell)
    groups = {measure.group for measure in measures}
    if "revenue" in groups:
        found |= _revenue(cell) | _value(cell, by)
    for survey in surveys:
        found[survey.name] = survey.index(cell)
        found[f"{survey.name}_response"] = share(cell[f"{survey.name}_active"], cell["customers"])
    return found


def _customers(cell: Mapping[str, int]) -> dict[str, Figure]:
    names = [m.name for m in MEASURES if m.group == "customers" and m.unit == "customers"]
    return {
        **{name: count(cell[name]) for name in names},
        "churn_rate": share(cell["churned"], cell["active_start"]),
        "retention": share(cell["retained"], cell["active_start"]),
    }


def _revenue(cell: Mapping[str, int]) -> dict[str, Figure]:
    start = cell["active_start"]
    of_start = ("revenue_start", "revenue_churned", "contraction", "expansion")
    return {
        "revenue": _money(cell["revenue"], cell["customers"]),
        **{name: _money(cell[name], start) for name in of_start},
        "nrr": ratio(cell, "revenue_end", "revenue_start", start),
        "grr": ratio(cell, "revenue_kept", "revenue_start", start),
    }


def _money(minor: int, n: int) -> Figure:
    return Figure(minor / MONEY_UNITS, n=n)


def _value(cell: Mapping[str, int], by: Valuing) -> dict[str, Figure]:
    sums = life(cell)
    n, months = sums.pop("customers"), sums["months"]
    if months == 0:
        return {name: Figure() for name in ("clv", "clv_margin", "clv_retention")}
    margin = Fraction(sums["spent"], months) * by.margin_of_unit
    return {
        "clv": lifetime_value(sums, n, by.margin_of_unit, by.monthly),
        "clv_margin": Figure(float(margin), n=n),
        "clv_retention": Figure(sums["stayed"] / months, n=n),
    }

"""`Kpis`: the figures of months and segments, as values, as a JSON document and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from churnkit.clock import Cutoff
from churnkit.kpi.figures import Figure, share
from churnkit.kpi.measures import Measure

if TYPE_CHECKING:
    import pandas as pd

EVERYBODY = "all"
"""How all customers together are called among the segments, unless a segment is called so."""


@dataclass(frozen=True)
class Cohort:
    """The customers with their first sign of life in one month.

    Attributes
    ----------
    month
        ``YYYY-MM`` of it.
    customers
        How many they are.
    there
        How many of them were there in that month and each month after it, up to the last.
    """

    month: str
    customers: int
    there: tuple[int, ...]

    def shares(self) -> tuple[Figure, ...]:
        """Share of them that was there, month by month; not known of an empty cohort."""
        return tuple(share(there, self.customers) for there in self.there)

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {**asdict(self), "shares": [figure.told() for figure in self.shares()]}


@dataclass(frozen=True)
class Kpis:
    """Key figures, month by month and segment by segment.

    Attributes
    ----------
    as_of
        Only events before it count.
    question
        The question in words.
    months
        ``YYYY-MM``, rising.
    column
        The static column of the segments; empty if there are none.
    segments
        All customers together first, then the segments.
    measures
        What is measured.
    figures
        Segment, then measure → a figure for each month.
    cohorts
        Segment → its cohorts, one a month.
    rules
        Subject (``active``, ``churn`` …) → its definition in words, to be shown beside the figures.
    warnings
        What to keep in mind about these figures.
    """

    as_of: Cutoff
    question: str
    months: tuple[str, ...]
    column: str
    segments: tuple[str, ...]
    measures: tuple[Measure, ...]
    figures: Mapping[str, Mapping[str, tuple[Figure, ...]]]
    cohorts: Mapping[str, tuple[Cohort, ...]]
    rules: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def everybody(self) -> str:
        """The name under which all customers together stand."""
        return self.segments[0]

    def figure(self, measure: str, month: str, segment: str | None = None) -> Figure:
        """One figure; of all customers if no segment is named.

        Raises
        ------
        KeyError
            If there is no such segment or measure.
        ValueError
            If there is no such month.
        """
        return self.figures[segment or self.everybody][measure][self.months.index(month)]

    def says(self) -> tuple[str, ...]:
        """What the last month comes to, in sentences; the last one tells negative churn if any."""
        churn, nrr = (self._last(name) for name in ("churn_rate", "nrr"))
        month = self.months[-1]
        said = []
        if churn.known:
            said.append(
                f"In {month}, {churn.value:.1%} of the {churn.n:,} customers active at its start "
                f"were not active at its end (95 % interval {churn.low:.1%} to {churn.high:.1%})."
            )
        if nrr.known:
            said.append(_revenue_in_words(nrr, month))
        return tuple(said)

    def _last(self, measure: str) -> Figure:
        return self.figures[self.everybody].get(measure, (Figure(),))[-1]

    def told(self) -> dict[str, Any]:
        """JSON-ready values.

        Returns
        -------
        dict
            ``as_of``, ``question``, ``months``, ``column`` (of the segments, or ``None``),
            ``says`` (sentences), ``rules``, ``warnings``; ``measures``, each with ``name``,
            ``group``, ``unit``, ``says``; ``segments``, each with ``segment``, ``figures``
            (measure → for each month ``value``, ``low``, ``high``, ``n``) and ``cohorts`` (each
            with ``month``, ``customers``, ``there`` and ``shares``, from its month on).
        """
        return {
            "as_of": str(self.as_of),
            "question": self.question,
            "months": list(self.months),
            "column": self.column or None,
            "says": list(self.says()),
            "rules": dict(self.rules),
            "warnings": list(self.warnings),
            "measures": [
                {name: getattr(measure, name) for name in ("name", "group", "unit", "says")}
                for measure in self.measures
            ],
            "segments": [
                {
                    "segment": segment,
                    "figures": {
                        measure.name: [f.told() for f in self.figures[segment][measure.name]]
                        for measure in self.measures
                    },
                    "cohorts": [cohort.told() for cohort in self.cohorts[segment]],
                }
                for segment in self.segments
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per segment, measure and month.

        Returns
        -------
        pandas.DataFrame
            ``month``, ``segment``, ``measure``, ``value``, ``low``, ``high``, ``n``; NaN where not
            known. A cohort of May 2024 is the measure ``cohort_2024-05``: the share of it that was
            there in each month.
        """
        import pandas as pd

        rows = [
            (month, segment, measure, figure.value, figure.low, figure.high, figure.n)
            for segment in self.segments
            for measure, figures in self._series(segment).items()
            for month, figure in zip(self.months[-len(figures) :], figures, strict=True)
        ]
        return pd.DataFrame(
            rows, columns=["month", "segment", "measure", "value", "low", "high", "n"]
        )

    def _series(self, segment: str) -> dict[str, tuple[Figure, ...]]:
        cohorts = {f"cohort_{cohort.month}": cohort.shares() for cohort in self.cohorts[segment]}
        return {m.name: self.figures[segment][m.name] for m in self.measures} | cohorts


def _revenue_in_words(nrr: Figure, month: str) -> str:
    interval = ""
    if nrr.low == nrr.low:  # not NaN
        interval = f" (95 % interval {nrr.low:.0%} to {nrr.high:.0%})"
    if nrr.value > 1:
        sure = "" if nrr.low > 1 else "; the interval does not rule out the contrary"
        return (
            f"Negative churn: net revenue retention of {month} is {nrr.value:.1%}{interval}: "
            f"those active at its start brought in more than the month before, although some "
            f"left{sure}."
        )
    return (
        f"Net revenue retention of {month} is {nrr.value:.1%}{interval}: of what those active at "
        f"its start spent the month before, so much was left; no negative churn."
    )

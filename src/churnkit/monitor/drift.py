"""Whether features are distributed as they were where the model learnt, and four weeks ago.

The references are rebuilt from the logs by the code that builds the features now. A shop that
grows older drifts by itself, and so does one in another season: its windows fill, its customers
age, a trend follows the market. So what is far from where the model learnt is told, and is a reason
to look at realised outcomes; an alarm is what is far *and* moved suddenly: more, within four weeks,
than in any four weeks of a quarter before, and than at this time last year.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from churnkit.clock import Cutoff, horizon_ends_by, reaches_back
from churnkit.features import FeatureColumn, Features, FeatureSpec, build_beside, plan_features
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel
from churnkit.monitor.alarm import Alarm, Found, listed
from churnkit.monitor.sample import one_in, some
from churnkit.monitor.stability import Stability, stability
from churnkit.monitor.volumes import YEAR, Level

CUSTOMERS = 50_000
"""Of more customers about so many are looked at, chosen by a hash of the id."""

LEAST_ROWS = 30
"""With fewer customers at risk on either side, nothing is compared."""

STEP, STEPS = 28, 4
"""Days of a step, and so many steps back are looked at."""

SUDDEN = 2.0
"""So many times its largest step of before a feature must have moved to raise an alarm."""

_UNSEEN_SHARE, _UNSEEN = 0.01, 20
_GONE, _THERE = 0.99, 0.5


@dataclass(frozen=True)
class Drift:
    """How one feature has moved.

    Attributes
    ----------
    feature
        Name of the column.
    says
        Its meaning.
    learnt, last_year, step
        Against the latest cutoff of the training, the same week of last year, and four weeks ago;
        ``None`` where that cannot be compared.
    usual_step
        The largest PSI of the four-week steps before, and of the step at this time last year;
        ``None`` where none is known.
    """

    feature: str
    says: str
    learnt: Stability | None
    last_year: Stability | None
    step: Stability | None
    usual_step: float | None

    @property
    def far(self) -> bool:
        """Whether it is away from the training, and from last year where that is known."""
        known = [told for told in (self.learnt, self.last_year) if told is not None]
        return bool(known) and all(told.moved for told in known)

    @property
    def step_limit(self) -> float | None:
        """What a sudden move exceeds; ``None`` where nobody knows how it usually moves."""
        if self.step is None or self.usual_step is None:
            return None
        return max(self.step.limit, SUDDEN * self.usual_step)

    @property
    def sudden(self) -> bool:
        """Whether it moved within four weeks as it never did before."""
        limit = self.step_limit
        return self.step is not None and limit is not None and self.step.psi > limit

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        most = self.learnt or self.last_year or self.step
        return {
            "feature": self.feature,
            "says": self.says,
            "far": self.far,
            "sudden": self.sudden,
            "psi": None if self.learnt is None else self.learnt.psi,
            "limit": None if self.learnt is None else self.learnt.limit,
            "beyond_chance": None if self.learnt is None else self.learnt.beyond_chance,
            "psi_last_year": None if self.last_year is None else self.last_year.psi,
            "psi_step": None if self.step is None else self.step.psi,
            "step_limit": self.step_limit,
            "missing": None if most is None else most.missing,
            "was_missing": None if most is None else most.was_missing,
        }


@dataclass(frozen=True)
class Drifts:
    """The features of a model, compared.

    Attributes
    ----------
    features
        The features, the farthest first.
    customers
        Customers at risk that were compared, of all of them one in ``one_in``.
    one_in
        1 if all were.
    learnt, last_year
        Days of the references; ``None`` where there is none.
    """

    features: tuple[Drift, ...]
    customers: int
    one_in: int
    learnt: str | None
    last_year: str | None


def drift(
    model: ChurnModel, logs: CustomerLogs, as_of: Cutoff, market: Level | None = None
) -> tuple[Found, Drifts]:
    """Compare the features that a model scores by with those it learnt from.

    Parameters
    ----------
    model, logs
        The model, and the logs it scores.
    as_of
        The cutoff of the run.
    market
        How far all customers together have moved, if they have: features that move then move with
        them, and are noted.
    """
    found = Found()
    moments = _Moments.of(model, logs, as_of)
    share = one_in(logs.customer_count, CUSTOMERS)
    table = _at_risk(model, logs, moments.all, share)
    parts = {cutoff.us: _of(table, cutoff) for cutoff in moments.all}
    now = parts[as_of.us]
    learnt, last_year = moments.learnt, moments.last_year
    told = Drifts(
        (), len(now), share,
        None if learnt is None else str(learnt), None if last_year is None else str(last_year),
    )  # fmt: skip
    known = [c for c in (learnt, last_year) if c is not None and len(parts[c.us]) >= LEAST_ROWS]
    if len(now) < LEAST_ROWS or not known:
        found.too_little("drift of features", f"fewer than {LEAST_ROWS} customers to compare")
        return found, told
    if moments.step is None:
        found.too_little("sudden drift of features", f"the logs begin on {moments.first}")
    columns = [
        column
        for column in model.spec.columns()
        if column.name in set(model.names) and not _of_time(column.name, parts.values())
    ]
    drifts = [_drift(column, moments, parts, len(columns)) for column in columns]
    odd = [
        *_null(columns, drifts),
        *_sudden([o for c, o in zip(columns, drifts, strict=True) if _alarming(c, o)]),
    ]
    if market is None:
        found.alarms += odd
    else:
        found.notes += [
            f"{alarm.what}: the market as a whole is at {market.ratio:.0%} of the usual"
            for alarm in odd
        ]
    far = [one.feature for one in drifts if one.far]
    if far:
        found.notes.append(
            f"{len(far)} of {len(drifts)} features are distributed otherwise than where the model "
            f"learnt ({listed(far, 3)}); realised outcomes tell whether it harms the scores"
        )
    found.add(_unseen(model.spec, logs, as_of))
    farthest = sorted(drifts, key=lambda one: (not one.sudden, not one.far, -_psi(one)))
    return found, replace(told, features=tuple(farthest))


@dataclass(frozen=True)
class _Moments:
    """The cutoffs that are compared; ``None`` where the logs do not reach back so far.

    ``steps`` are pairs whose second is compared with the first.
    """

    as_of: Cutoff
    first: Cutoff
    learnt: Cutoff | None
    last_year: Cutoff | None
    step: Cutoff | None
    steps: tuple[tuple[Cutoff, Cutoff], ...]

    @classmethod
    def of(cls, model: ChurnModel, logs: CustomerLogs, as_of: Cutoff) -> _Moments:
        first = logs.first_day(model.question.log)

        def known(cutoff: Cutoff) -> bool:
            return not reaches_back(cutoff, model.question.lookback_days, first)

        cutoffs = sorted(Cutoff.parse(told, as_of.zone) for told in model.trained_on)
        over = [cutoff for cutoff in cutoffs if horizon_ends_by(cutoff, 1, as_of)]
        back = [c for k in range(STEPS + 1) if known(c := as_of.shifted(-STEP * k))]
        year = as_of.shifted(-YEAR)
        steps = [(then, later) for later, then in pairwise(back)]
        usual = steps[1:]
        if known(year.shifted(-STEP)):
            usual.append((year.shifted(-STEP), year))
        return cls(
            as_of, first, over[-1] if over else None, year if known(year) else None,
            steps[0][0] if usual else None, tuple(usual),
        )  # fmt: skip

    @property
    def all(self) -> list[Cutoff]:
        """Each once, in rising order."""
        one = [c for c in (self.as_of, self.learnt, self.last_year, self.step) if c is not None]
        return sorted({*one, *(c for pair in self.steps for c in pair)})


def _psi(one: Drift) -> float:
    return 0.0 if one.learnt is None else one.learnt.psi


def _of_time(name: str, parts: Iterable[Features]) -> bool:
    """Whether a column has one value at each cutoff, such as the time of the year."""
    sides = (table.columns[name] for table in parts if len(table))
    return all(bool((values == values[0]).all()) for values in sides)


def _at_risk(
    model: ChurnModel, logs: CustomerLogs, cutoffs: Sequence[Cutoff], share: int
) -> Features:
    """Features of the customers at risk, of many about one in so many."""
    plan = plan_features(logs, cutoffs, model.spec)
    return build_beside(logs, plan, {}, population=some(model.question.at_risk, share))[0]


def _of(table: Features, cutoff: Cutoff) -> Features:
    return table.where(table.cutoff == cutoff.us)


def _drift(
    column: FeatureColumn, moments: _Moments, parts: Mapping[int, Features], compared: int
) -> Drift:
    def between(then: Cutoff | None, now: Cutoff = moments.as_of) -> Stability | None:
        """``None`` where too few were there, or the window was not yet full."""
        if then is None or min(len(parts[then.us]), len(parts[now.us])) < LEAST_ROWS:
            return None
        if column.window is not None and reaches_back(then, column.window, moments.first):
            return None
        return stability(
            parts[now.us].columns[column.name].astype(np.float64),
            parts[then.us].columns[column.name].astype(np.float64),
            compared=compared,
            classes=column.is_category,
        )

    usual = [between(then, later) for then, later in moments.steps]
    known = [told.psi for told in usual if told is not None]
    return Drift(
        column.name, column.says, between(moments.learnt), between(moments.last_year),
        between(moments.step), max(known, default=None),
    )  # fmt: skip


def _null(columns: Sequence[FeatureColumn], drifts: Sequence[Drift]) -> Iterator[Alarm]:
    """Columns of which nothing is left."""
    for column, one in zip(columns, drifts, strict=True):
        told = one.learnt or one.last_year
        if told is not None and told.missing >= _GONE and told.was_missing <= _THERE:
            yield Alarm(
                "all_null", "watch", "features", column.name,
                f"{column.name} ({column.says}) is missing for {told.missing:.0%} of the "
                f"customers, and was for {told.was_missing:.0%} where the model learnt",
                told.missing, _GONE, "Look whether its column in the source is still filled.",
            )  # fmt: skip


def _alarming(column: FeatureColumn, one: Drift) -> bool:
    # What compares a customer with the market moves with the market, for all customers at once.
    return one.far and one.sudden and not column.feature.streams


def _sudden(moved: Sequence[Drift]) -> Iterator[Alarm]:
    """One alarm for all that moved suddenly: they have one cause, as a rule."""
    steps = sorted(
        ((one.step.psi, one) for one in moved if one.step is not None), key=lambda pair: -pair[0]
    )
    if steps:
        psi, first = steps[0]
        names = listed([one.feature for _, one in steps], 3)
        yield Alarm(
            "feature_drift", "watch", "features", first.feature,
            f"{len(steps)} {'feature has' if len(steps) == 1 else 'features have'} moved suddenly: "
            f"{names}; PSI up to {psi:.2f} within {STEP} days",
            psi, first.step_limit,
            "Look whether the source or the customers have changed; realised outcomes tell whether "
            "it harms the scores.",
        )  # fmt: skip


def _unseen(spec: FeatureSpec, logs: CustomerLogs, as_of: Cutoff) -> Found:
    """Categories of static columns that the model does not know."""
    found = Found()
    told = logs.static_words(as_of)
    for column in spec.static:
        words = told.get(column.name, {})
        if column.words is None or column.others or not words:
            continue
        unseen = {word: n for word, n in words.items() if word not in column.words}
        count, whole = sum(unseen.values()), sum(words.values())
        if count >= _UNSEEN and count >= _UNSEEN_SHARE * whole:
            names = ", ".join(sorted(unseen, key=lambda word: (-unseen[word], word))[:5])
            found.alarms.append(
                Alarm(
                    "unseen_category", "watch", "features", column.name,
                    f"{count:,} customers have a {column.name} that the model does not know: "
                    f"{names}",
                    count / whole, _UNSEEN_SHARE,
                    "They are scored as if it were missing; train anew once their outcomes are "
                    "known.",
                )
            )  # fmt: skip
    return found

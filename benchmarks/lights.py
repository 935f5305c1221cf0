"""What policies would have done week by week, and whether promises were kept: `make lights`.

On the simulated shop, whose truth is known, and on CDNOW, Online Retail II and the withdrawals of
OULAD where CHURNKIT_REAL_DATA names them. Of each set one model scores eight consecutive weeks, as
`churnkit lights simulate` does. No rule takes part, so that a colour is what its policy says.
Brackets hold 95 % intervals, clustered by customer.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import oulad

from churnkit import terminal
from churnkit.clock import Cutoff
from churnkit.config import Settings, load_settings
from churnkit.dataset import Dataset, Recipe, Schedule, build_dataset
from churnkit.evaluation import choose, trial_of
from churnkit.labels import Question
from churnkit.lights import Capacity, Cost, Fixed, Lights, Policy, Promise, TrafficLight
from churnkit.metrics import Interval
from churnkit.model import ChurnModel
from churnkit.profit import Money
from churnkit.replay import Replayed, Week, Weeks, replay, score_weeks, without_hysteresis
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection
from churnkit.simulate import simulate
from churnkit.sources import read_logs

CDNOW, RETAIL = "cdnow/transactions.parquet", "online_retail_ii/orders.parquet"
LOOKBACK = 180
MONEY = Money()
PROMISES = (Promise(0.7, 0.1), Promise(0.6, 0.2))
POLICIES: tuple[Policy, ...] = (Fixed(), Capacity(), Cost(), *PROMISES)

LEARNT, LOOKED_AT, SHOWN = ("2013B", "2013J"), "2014B", "2014J"
"""Courses of OULAD that the model learns from, that promises look at, and that are shown."""

COURSE_DAYS = range(33, 90, 7)
"""Days of a course that are scored; one more is looked at than shown."""


@dataclass(frozen=True)
class Case:
    """A set, scored week by week.

    Attributes
    ----------
    key, name
        For the command line, and for people.
    weeks
        The scorings.
    truth
        For each week shown the true churn probability of its customers; empty where nobody knows.
    """

    key: str
    name: str
    weeks: Weeks
    truth: tuple[np.ndarray, ...] = ()


def cases(wanted: Sequence[str]) -> Iterator[Case]:
    """The sets that are wanted, all if none is named, and that are there."""
    folder = Path(os.environ.get("CHURNKIT_REAL_DATA", ""))
    if not wanted or "shop" in wanted:
        yield shop()
    for key, name, file, days in (
        ("cdnow-90", "CDNOW", CDNOW, 90),
        ("retail-30", "Online Retail II", RETAIL, 30),
        ("retail-60", "Online Retail II", RETAIL, 60),
        ("retail-90", "Online Retail II", RETAIL, 90),
    ):
        if (not wanted or key in wanted) and (folder / file).exists():
            yield Case(key, f"{name}, {days} d", purchases(folder / file, days))
    if (not wanted or "oulad" in wanted) and (folder / oulad.EVENTS).exists():
        yield Case("oulad", "OULAD, withdrawal within 90 d", withdrawals(folder))


def shop(customers: int = 6000, days: int = 730, horizon: int = 60) -> Case:
    """The simulated shop, with its truth."""
    made = simulate(customers, days)
    logs = read_logs(made.purchases, made.activity, made.surveys, made.customers)
    question = Question(horizon_days=horizon, lookback_days=LOOKBACK)
    weeks = score_weeks(logs, question, Schedule())
    truth = tuple(
        made.truth.churn_probability(str(week.cutoff), horizon).loc[week.customer].to_numpy()
        for week in weeks.shown
    )
    return Case("shop", f"simulated shop, {horizon} d", weeks, truth)


def purchases(file: Path, days: int) -> Weeks:
    """A log of purchases, the way `churnkit init` proposes to read it."""
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "churnkit.toml"
        asked = QuestionSection(horizon_days=days, lookback_days=LOOKBACK)
        write_config(config, {"purchases": file}, asked)
        settings = load_settings(config)
        return score_weeks(settings.read_logs(), settings.asked(), settings.schedule())


def withdrawals(folder: Path) -> Weeks:
    """The weeks of a course, by a model of earlier courses; see benchmarks/oulad.py."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = oulad.project(folder, Path(scratch))
        return _of_courses(settings, settings.recipe())


def _of_courses(settings: Settings, how: Recipe) -> Weeks:
    logs, question, starts = settings.read_logs(), settings.asked(), oulad.COURSES
    learnt_at = {c: [_day(starts[c], day) for day in oulad.DAYS] for c in LEARNT}
    spec = how.spec(logs, [cutoff for cutoffs in learnt_at.values() for cutoff in cutoffs])

    def data(courses: dict[str, str], days: Sequence[int]) -> Dataset:
        cutoffs = [_day(first, day) for first in courses.values() for day in days]
        found = build_dataset(logs, question, cutoffs, spec)
        return oulad._of_courses(found, courses, days)

    learnt = data({course: starts[course] for course in LEARNT}, oulad.DAYS)
    tested = data({LOOKED_AT: starts[LOOKED_AT]}, [oulad.TEST_DAY])
    at = _day(starts[LOOKED_AT], oulad.TEST_DAY)
    trial = trial_of(learnt, tested, question, at, recipe=how)
    model = trial.models[choose([trial])]
    earlier = data({LOOKED_AT: starts[LOOKED_AT]}, COURSE_DAYS)
    shown = data(oulad.TEST_COURSES, COURSE_DAYS[1:])
    return Weeks(model, _weeks_of(model, earlier), _weeks_of(model, shown))


def _weeks_of(model: ChurnModel, data: Dataset) -> tuple[Week, ...]:
    weeks = []
    for moment in np.unique(data.features.cutoff).tolist():
        one = data.where(data.features.cutoff == moment)
        probability = model.churn_probability(one.features)
        unknown = np.full(len(one), np.nan)
        cutoff = Cutoff(moment, one.features.zone)
        weeks.append(Week(cutoff, one.features, probability, unknown, one.churned))
    return tuple(weeks)


def _day(first: str, day: int) -> Cutoff:
    return Cutoff.parse(first).shifted(day)


def replayed(case: Case) -> list[Replayed]:
    """Every policy over the weeks of a set, with hysteresis and without rules."""
    lights = [TrafficLight(policy, rules=()) for policy in POLICIES]
    return [replay(name_of(light.policy), light, case.weeks, MONEY) for light in lights]


def name_of(policy: Policy) -> str:
    """What a policy is called beside others."""
    if not isinstance(policy, Promise):
        return policy.name
    return f"promise {short(policy.red_churns)}/{short(policy.green_churns)}"


def side_by_side(found: Sequence[Replayed]) -> Iterator[list[str]]:
    """A row for each policy: its colours in a week, and what they are good for."""
    for one in found:
        cells = [one.name]
        for colour in one.colours:
            cells += [f"{colour.customers:,.0f}", churn(colour.churned)]
        red = one.colours[0]
        cells += [share(red.caught), f"{one.profit:,.0f}", f"{one.calls_per_week:,.0f}"]
        yield [*cells, share(one.changed)]


def promises(found: Sequence[Replayed]) -> Iterator[list[str]]:
    """A row for each promise: of red and green what was expected, what came, and the verdict.

    Customers count in every week; colours are those of the policy alone.
    """
    for one in found:
        told = one.promises()
        cells = [one.name] if told else []
        for promise in told:
            light, realised = str(promise["light"]), promise["realised"]
            assert isinstance(realised, Interval)
            probability = [w.probability[x.base == light] for w, x in pairs(one)]
            cells += [f"{promise['customers']:,}", mean(np.concatenate(probability))]
            cells += [churn(realised), str(promise["verdict"])]
        if cells:
            yield cells


def pairs(one: Replayed) -> Iterator[tuple[Week, Lights]]:
    """The weeks with their lights."""
    yield from zip(one.weeks, one.lights, strict=True)


def warned(found: Sequence[Replayed]) -> Iterator[str]:
    """What a policy warned of, with the number of weeks; of like warnings the first is told."""
    for one in found:
        said = [warning for lights in one.lights for warning in lights.warnings]
        kinds = Counter(kind_of(warning) for warning in said)
        for kind, weeks in kinds.items():
            first = next(warning for warning in said if kind_of(warning) == kind)
            yield f"{one.name}, {weeks} of {len(one.weeks)} weeks: {first}"


def kind_of(warning: str) -> str:
    """What a warning is about, whatever its figures."""
    return warning.partition(":")[0]


def flicker(case: Case, found: Sequence[Replayed]) -> Iterator[list[str]]:
    """A row for each policy: how often colours change and come back, with hysteresis and not."""
    for one in found:
        bare = replay(one.name, without_hysteresis(one.light), case.weeks, MONEY)
        rates = (one.changed, bare.changed, one.flicker, bare.flicker)
        yield [one.name, *(f"{rate:.2%}" for rate in rates)]


def against_truth(case: Case, found: Sequence[Replayed]) -> Iterator[list[str]]:
    """A row for each policy: per colour what was expected, what happened and what was true.

    Colours are those of the policy alone, which is what a promise is about.
    """
    truth = np.concatenate(case.truth)
    expected = np.concatenate([week.probability for week in case.weeks.shown])
    churned = np.concatenate([week.churned for week in case.weeks.shown])
    for one in found:
        base = np.concatenate([lights.base for lights in one.lights])
        cells = [one.name]
        for light in ("red", "yellow", "green"):
            mask = base == light
            cells += [mean(values[mask]) for values in (expected, churned, truth)]
        yield cells


def mean(values: np.ndarray) -> str:
    """A mean share; empty without values."""
    return f"{values.mean():.1%}" if len(values) else ""


def churn(found: Interval) -> str:
    """A share with its interval; empty where there is none."""
    if np.isnan(found.value):
        return ""
    return f"{found.value:.1%} [{found.low:.1%}, {found.high:.1%}]"


def share(value: float) -> str:
    """A share; empty where there is none."""
    return "" if np.isnan(value) else f"{value:.1%}"


def short(value: float) -> str:
    """A share without the zero before its point."""
    return f"{value:g}".removeprefix("0")


def show(case: Case) -> None:
    """Print the tables of a set."""
    weeks, found, console = case.weeks, replayed(case), terminal.out()
    first, last = weeks.shown[0], weeks.shown[-1]
    rates = [week.churned.mean() for week in (*weeks.learning, *weeks.shown)]
    console.print(
        f"{case.name}: {len(weeks.shown)} weeks from {first.cutoff} to {last.cutoff} by "
        f"{weeks.model.rung}, {np.mean([len(w.churned) for w in weeks.shown]):,.0f} customers a "
        f"week; {min(rates):.0%} to {max(rates):.0%} churned, {weeks.shown[0].churned.mean():.0%} "
        f"in the first week and {weeks.shown[-1].churned.mean():.0%} in the last",
        soft_wrap=True,
    )
    columns = ["policy", "red", "churned", "yellow", "churned", "green", "churned", "caught",
               "profit", "new calls", "changed"]  # fmt: skip
    console.print(terminal.table("Policies, a week", columns, side_by_side(found)))
    columns = ["policy", "red", "expected", "realised", "verdict",
               "green", "expected", "realised", "verdict"]  # fmt: skip
    console.print(terminal.table("Promises", columns, promises(found)))
    for said in warned(found):
        console.print(said, soft_wrap=True)
    columns = ["policy", "changed", "without hysteresis", "flicker", "without"]
    console.print(terminal.table("Flicker", columns, flicker(case, found)))
    if case.truth:
        columns = ["policy", *(f"{light}: {what}" for light in ("red", "yellow", "green")
                               for what in ("expected", "realised", "true"))]  # fmt: skip
        console.print(terminal.table("Truth", columns, against_truth(case, found)))
    console.print()


def main() -> None:
    """Print the tables of every set, or of those that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "sets", nargs="*", help="shop, cdnow-90, retail-30, retail-60, retail-90, oulad"
    )
    for case in cases(parser.parse_args().sets):
        show(case)


if __name__ == "__main__":
    main()

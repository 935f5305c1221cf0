"""A year of weekly nights on a growing shop, with planted events: `make year`.

Every week the logs are loaded as they stood then, and the whole night is done, as `churnkit run`
does it. In some weeks something happens, and it must be noticed in that very week:

- a column of the purchases gets another name, for a week;
- the amounts of a week are loaded in cents, a hundredfold, and put right a week later;
- Christmas comes, as it does every year: a note, and no alarm;
- the rows of a day never arrive;
- the customers of a segment buy half as often from a day on;
- customers begin to leave without any sign before it, so that the model goes stale, which shows
  when the horizon of the first scores is over.

Alarms of any other week are false. Told at the end are how many there were, and what the promise
of the lights came to before behaviour changed. Exit 1 if an event was missed.

    python benchmarks/year.py [--customers 5000] [--seed 7] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit import terminal
from churnkit.config import Settings, load_settings
from churnkit.errors import ChurnkitError
from churnkit.project import train_project
from churnkit.project_run import run_project
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection
from churnkit.simulate import simulate

if TYPE_CHECKING:
    import pandas as pd

    Frames = dict[str, pd.DataFrame]

START, HISTORY_DAYS, WEEKS = "2021-09-01", 731, 52
HORIZON_DAYS, LOOKBACK_DAYS = 45, 150
JOINING_SPAN = 1.4  # the shop is simulated for longer, so that customers join to the end
LOGS = ("purchases", "activity", "surveys", "customers")
EVENTS_OF = LOGS[:3]

SCHEMA, UNIT, CHRISTMAS, GAP, SHIFT, STALE = 5, 9, 15, 22, 27, 36
"""Weeks, counted from 1: of each event the one in which it is to be noticed, or begins to be."""

SEGMENT, KEPT, LEAVERS = "home", 0.5, 0.5
QUIETER = 0.6
"""Share of the purchases that happen outside the weeks of Christmas: thinned, they stay Poisson."""

RED_CHURNS, GREEN_CHURNS = 0.7, 0.2
_SEASON = ("season", "the market as a whole")
_HORIZON_WEEKS = -(-HORIZON_DAYS // 7)


@dataclass(frozen=True)
class Event:
    """Something planted.

    Attributes
    ----------
    name, what
        In a word, and in a few.
    first, last
        The weeks in which it is in time to notice it.
    follows
        The last week whose alarms may still come from it.
    signs
        Codes of the alarms that notice it; ``exit 3`` is a night that stops for the data.
    """

    name: str
    what: str
    first: int
    last: int
    follows: int
    signs: tuple[str, ...]

    def noticed(self, nights: Sequence[Night]) -> int | None:
        """The first week in which it was noticed in time; ``None`` if it was not."""
        weeks = (n.week for n in nights if self.first <= n.week <= self.last and self._in(n))
        return next(weeks, None)

    def _in(self, night: Night) -> bool:
        return bool({f"exit {night.exit_code}", *night.codes} & set(self.signs))


STALENESS = (
    "calibration", "ranking_lost", "no_better_than_base_rate", "promise_broken",
    "lights_out_of_order",
)  # fmt: skip
PLANTED = (
    Event("schema", "a column has another name", SCHEMA, SCHEMA, SCHEMA, ("exit 3",)),
    Event("unit", "amounts × 100 for a week", UNIT, UNIT, UNIT + 1, ("unit_change",)),
    Event("gap", "a day without data", GAP, GAP, GAP, ("day_without_data",)),
    Event(
        "shift", f"{SEGMENT} buys half as often", SHIFT, SHIFT, STALE - 1, ("behaviour_shift",)
    ),
    Event(
        "stale", "customers leave without a sign", STALE, STALE + 2 * _HORIZON_WEEKS, WEEKS,
        STALENESS,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Night:
    """What a night said.

    Attributes
    ----------
    week, as_of
        Its number from 1, and its day.
    exit_code, verdict, says
        How it ended, what monitoring found, and why.
    codes
        Codes of the alarms.
    notes
        What monitoring noted without an alarm.
    lights
        Colour → customers.
    promises
        Of past runs that are over: light, what was promised and what it came to.
    seconds
        How long it took.
    decision
        What was decided of a training; empty if nothing was.
    """

    week: int
    as_of: str
    exit_code: int
    verdict: str
    says: str
    codes: tuple[str, ...]
    notes: tuple[str, ...]
    lights: Mapping[str, int]
    promises: tuple[Mapping[str, Any], ...]
    seconds: float
    decision: str

    @property
    def is_loud(self) -> bool:
        """Whether anybody is told that something is off."""
        return self.exit_code != 0 or self.verdict != "ok"


class World:
    """A shop and what happens to it, as it is seen week by week.

    Parameters
    ----------
    customers, seed
        Of the simulated shop.
    weeks
        How many are lived through.
    """

    def __init__(self, customers: int, seed: int, weeks: int = WEEKS) -> None:
        import pandas as pd

        days = HISTORY_DAYS + 7 * weeks
        shop = simulate(customers, int(days * JOINING_SPAN), START, seed)
        self.first = pd.Timestamp(START) + pd.Timedelta(days=HISTORY_DAYS)
        self._luck = np.random.default_rng(seed + 1)
        self._customers = shop.customers
        lived = {name: getattr(shop, name) for name in EVENTS_OF}
        self._events = self._left(self._shifted(self._with_christmas(lived)))

    def day(self, week: int) -> pd.Timestamp:
        """The start of the day on which a week is scored."""
        import pandas as pd

        return self.first + pd.Timedelta(days=7 * week)

    def seen(self, week: int) -> Frames:
        """The logs as they are loaded in a week."""
        import pandas as pd

        now, a_day = self.day(week), pd.Timedelta(days=1)
        lost = self.day(GAP) - 3 * a_day
        frames: Frames = {"customers": self._customers[self._customers["since"] < now]}
        for name, events in self._events.items():
            ts = events["ts"]
            frames[name] = events[(ts < now) & ~((ts >= lost) & (ts < lost + a_day))]
        if week == UNIT:
            bought = frames["purchases"].copy()
            bought.loc[bought["ts"] >= now - 7 * a_day, "amount"] *= 100
            frames["purchases"] = bought
        if week == SCHEMA:
            frames["purchases"] = frames["purchases"].rename(columns={"amount": "total"})
        return frames

    def _thinned(self, frame: pd.DataFrame, where: pd.Series[bool], kept: float) -> pd.DataFrame:
        """Some of the events where a mask holds: a Poisson stream of a lower rate."""
        return frame[~where.to_numpy() | (self._luck.random(len(frame)) < kept)]

    def _with_christmas(self, events: Frames) -> Frames:
        """More is bought in the last weeks of a year than in all others."""
        ts = events["purchases"]["ts"]
        ordinary = ~(((ts.dt.month == 11) & (ts.dt.day >= 20)) | (ts.dt.month == 12))
        return {**events, "purchases": self._thinned(events["purchases"], ordinary, QUIETER)}

    def _shifted(self, events: Frames) -> Frames:
        """A segment does half as much from a day on."""
        since, told = self.day(SHIFT - 1), self._customers
        theirs = told.loc[told["segment"] == SEGMENT, "customer_id"]
        for name in ("purchases", "activity"):
            where = (events[name]["ts"] >= since) & events[name]["customer_id"].isin(theirs)
            events = {**events, name: self._thinned(events[name], where, KEPT)}
        return events

    def _left(self, events: Frames) -> Frames:
        """Some customers leave, each on a day of its own, whatever they did before."""
        import pandas as pd

        names = self._customers["customer_id"]
        days = pd.Series(self._luck.uniform(0, 45, len(names)), index=names.to_numpy())
        leaves = (self.day(STALE - 1) + pd.to_timedelta(days, "D"))[
            self._luck.random(len(names)) < LEAVERS
        ]
        stays = {
            name: ~(frame["ts"] >= frame["customer_id"].map(leaves).fillna(pd.Timestamp.max))
            for name, frame in events.items()
        }
        return {name: frame[stays[name]] for name, frame in events.items()}


def project(world: World, folder: Path) -> Settings:
    """The project of the shop, trained on what is known before the first week."""
    files = load(world.seen(0), folder)
    question = QuestionSection(horizon_days=HORIZON_DAYS, lookback_days=LOOKBACK_DAYS)
    path = folder / "churnkit.toml"
    write_config(path, files, question)
    text = path.read_text(encoding="utf-8")
    promise = f'policy = "promise"\nred_churns = {RED_CHURNS}\ngreen_churns = {GREEN_CHURNS}'
    text = text.replace('policy = "fixed"', promise, 1)
    text = text.replace("[logs.customers]", '[logs.customers]\nstatic = ["segment"]', 1)
    path.write_text(text, encoding="utf-8")
    settings = load_settings(path)
    train_project(settings)
    return settings


def load(frames: Frames, folder: Path) -> dict[str, Path]:
    """Write the logs as a nightly load does."""
    (folder / "data").mkdir(exist_ok=True)
    paths = {name: folder / "data" / f"{name}.parquet" for name in LOGS}
    for name, path in paths.items():
        frames[name].to_parquet(path, index=False)
    return paths


def live(settings: Settings, world: World, week: int) -> Night:
    """Load the logs of a week and do its night."""
    load(world.seen(week), settings.folder)
    as_of, begun = settings.cutoff(world.day(week).date()), time.perf_counter()
    try:
        summary = run_project(settings, as_of, retrain_if=("retrain",)).summary
    except ChurnkitError as error:
        summary = {"exit_code": error.exit_code, "says": error.found}
    seconds = time.perf_counter() - begun
    page = summary.get("paths", {}).get("monitor")
    told = {} if page is None else json.loads(Path(page).with_suffix(".json").read_text("utf-8"))
    judged = (told.get("outcomes") or {}).get("judged") or {}
    decisions = [decision["decision"] for decision in summary.get("decisions", ())]
    return Night(
        week,
        str(as_of),
        summary["exit_code"],
        summary.get("verdict") or "",
        told.get("reason", "") if told else summary["says"],
        tuple(alarm["code"] for alarm in told.get("alarms", ())),
        tuple(told.get("notes", ())),
        summary.get("lights") or {},
        tuple(judged.get("promises", ())),
        seconds,
        decisions[-1] if decisions else "",
    )


def false_alarms(nights: Sequence[Night]) -> list[Night]:
    """Nights that were loud without anything planted that explains it."""
    explained = {week for event in PLANTED for week in range(event.first, event.follows + 1)}
    return [night for night in nights if night.is_loud and night.week not in explained]


def main(arguments: Sequence[str] | None = None) -> int:
    """Live through the year and print what was noticed.

    Returns
    -------
    int
        1 if an event was missed, else 0.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--weeks", type=int, default=WEEKS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="a file for all that was said")
    asked = parser.parse_args(arguments)
    world = World(asked.customers, asked.seed, asked.weeks)
    nights: list[Night] = []
    with tempfile.TemporaryDirectory() as folder:
        settings = project(world, Path(folder))
        for week in range(1, asked.weeks + 1):
            nights.append(live(settings, world, week))
            terminal.note(" ".join(map(str, line(nights[-1]))))
    if asked.json is not None:
        text = json.dumps([asdict(night) for night in nights], indent=1)
        asked.json.write_text(text, encoding="utf-8")
    return show(nights)


def line(night: Night) -> list[str]:
    """A night in a line."""
    lights = " / ".join(f"{night.lights.get(k, 0):,}" for k in ("green", "yellow", "red"))
    what = ", ".join(night.codes) or night.says
    if night.decision not in ("", "kept"):
        what += f" (training: {night.decision})"
    return [f"{night.week}", night.as_of, night.verdict or f"exit {night.exit_code}", lights, what]


def show(nights: Sequence[Night]) -> int:
    """Print the year; 1 if an event was missed."""
    out = terminal.out()
    loud = [line(night) for night in nights if night.is_loud]
    out.print(terminal.table("Nights on which something was off", ("week", "day", "verdict",
              "green / yellow / red", "what"), loud))  # fmt: skip
    lived = [event for event in PLANTED if event.last <= nights[-1].week]
    found = {event.name: event.noticed(nights) for event in lived}
    out.print()
    out.print(
        terminal.table(
            "Planted",
            ("event", "what", "week", "noticed in week"),
            [[e.name, e.what, str(e.first), str(found[e.name] or "not")] for e in lived],
        )
    )
    out.print()
    seasons = [n for n in nights if any(says in note for note in n.notes for says in _SEASON)]
    weeks = ", ".join(str(night.week) for night in seasons) or "none"
    out.print(f"That all customers move together was noted in weeks {weeks}")
    false = false_alarms(nights)
    quiet = sum(1 for n in nights if not any(e.first <= n.week <= e.follows for e in PLANTED))
    out.print(f"False alarms: {len(false)} in {quiet} weeks that nothing planted explains")
    out.print()
    out.print(terminal.table("Promises before behaviour changed", ("as of", "light", "promised",
              "came to", "customers"), list(promised(nights))))  # fmt: skip
    spent = sum(night.seconds for night in nights) / len(nights)
    out.print(f"A night took {spent:.1f} s on average.")
    return int(any(week is None for week in found.values()))


def promised(nights: Sequence[Night]) -> Iterator[list[str]]:
    """What the promises of runs came to whose horizons were over before behaviour changed."""
    told = [night for night in nights if night.week < SHIFT and night.promises]
    for night in told[::-_HORIZON_WEEKS][::-1]:
        for one in night.promises:
            word = "≥" if one["light"] == "red" else "≤"
            came = one["realised"]
            yield [
                night.as_of, one["light"], f"{word} {one['promised']:.0%}",
                f"{came['value']:.1%} [{came['low']:.1%}, {came['high']:.1%}]",
                f"{one['customers']:,}",
            ]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())

"""A year of weekly nights on a growing shop, with planted events: `make year`.

Every week the logs are loaded as they stood then, and `churnkit run` does the whole night. Some
weeks something happens, and it must be noticed in that very week:

- a column of the purchases gets another name, for a week;
- the amounts of a week are loaded in cents, a hundredfold, and put right a week later;
- the rows of a day never arrive;
- Christmas comes, as it does every year;
- the customers of a segment buy half as often from a day on;
- customers begin to leave without any sign before it, so that the model goes stale, which only
  shows when the horizon of the scores is over.

Alarms of any other week are false. What each light came to is told at the end.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.clock import Cutoff
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
    Planted = Callable[[Frames, pd.Timestamp], Frames]

START, HISTORY_DAYS, WEEKS = "2022-01-03", 731, 52
HORIZON_DAYS, LOOKBACK_DAYS = 30, 120
JOINING_SPAN = 1.4  # the shop is simulated for longer, so that customers join to the end
LOGS = ("purchases", "activity", "surveys", "customers")

SCHEMA, UNIT, GAP, SHIFT, STALE = 6, 12, 18, 24, 36
"""The weeks, counted from 1, in which each event is to be noticed; `STALE` is when it begins."""

SEGMENT, KEPT, LEAVERS = "home", 0.5, 0.5


@dataclass(frozen=True)
class Event:
    """Something planted.

    Attributes
    ----------
    name, what
        For the command line, and for people.
    weeks
        The first and the last week in which it is in time to notice it.
    follows
        The last week of which alarms may still come from it.
    codes
        The alarms that notice it; a night that stops with exit code 3 does as well if ``exit``.
    """

    name: str
    what: str
    weeks: tuple[int, int]
    follows: int
    codes: tuple[str, ...]


EVENTS = (
    Event("schema", "a column has another name", (SCHEMA, SCHEMA), SCHEMA, ("exit 3",)),
    Event("unit", "amounts × 100", (UNIT, UNIT), UNIT + 1, ("amount", "unit")),
    Event("gap", "a day without data", (GAP, GAP), GAP, ("empty", "gap", "day")),
    Event("shift", f"{SEGMENT} buys half as often", (SHIFT, SHIFT), STALE - 1, ()),
    Event("stale", "customers leave without a sign", (STALE, STALE + 9), WEEKS, ()),
)


@dataclass(frozen=True)
class Night:
    """What a night said.

    Attributes
    ----------
    week, as_of
        Its number from 1, and its day.
    exit_code, verdict, says
        How it ended, what monitoring found, and why.
    alarms, notes
        Of monitoring.
    lights
        Colour → customers.
    seconds
        How long it took.
    trained
        What was decided of a training, empty if nothing was.
    """

    week: int
    as_of: str
    exit_code: int
    verdict: str
    says: str
    alarms: list[dict[str, Any]]
    notes: list[str]
    lights: Mapping[str, int]
    seconds: float
    trained: str

    @property
    def loud(self) -> bool:
        """Whether anybody is told that something is off."""
        return self.exit_code not in (0, 99) or self.verdict != "ok"


class World:
    """The shop and what happens to it; nobody sees later than the day they look."""

    def __init__(self, customers: int, seed: int, weeks: int) -> None:
        import pandas as pd

        days = HISTORY_DAYS + 7 * weeks + HORIZON_DAYS
        shop = simulate(customers, int(days * JOINING_SPAN), START, seed)
        self.first = pd.Timestamp(START) + pd.Timedelta(days=HISTORY_DAYS)
        frames = {name: getattr(shop, name) for name in LOGS}
        self._luck = np.random.default_rng(seed + 1)
        self._frames = self._gone(self._rarer(frames))

    def day(self, week: int) -> pd.Timestamp:
        """The start of the day on which a week is scored."""
        import pandas as pd

        return self.first + pd.Timedelta(days=7 * week)

    def seen(self, week: int) -> Frames:
        """The logs as they are loaded in a week."""
        import pandas as pd

        now, week_long = self.day(week), pd.Timedelta(days=7)
        frames = {
            name: frame[frame["since" if name == "customers" else "ts"] < now]
            for name, frame in self._frames.items()
        }
        lost = self.day(GAP) - pd.Timedelta(days=3)
        for name in ("purchases", "activity", "surveys"):
            ts = frames[name]["ts"]
            frames[name] = frames[name][~((ts >= lost) & (ts < lost + pd.Timedelta(days=1)))]
        if week == UNIT:
            bought = frames["purchases"].copy()
            bought.loc[bought["ts"] >= now - week_long, "amount"] *= 100
            frames["purchases"] = bought
        if week == SCHEMA:
            frames["purchases"] = frames["purchases"].rename(columns={"amount": "total"})
        return frames

    def _rarer(self, frames: Frames) -> Frames:
        """A segment does half as much from a day on: a Poisson stream, thinned."""
        since = self.day(SHIFT - 1)
        theirs = set(frames["customers"].query("segment == @SEGMENT")["customer_id"])
        for name in ("purchases", "activity"):
            frame = frames[name]
            touched = (frame["ts"] >= since) & frame["customer_id"].isin(theirs)
            frames[name] = frame[~touched | (self._luck.random(len(frame)) < KEPT)]
        return frames

    def _gone(self, frames: Frames) -> Frames:
        """Some customers leave from a day on, each on a day of its own, whatever they did."""
        import pandas as pd

        names = frames["customers"]["customer_id"]
        leaves = self.day(STALE - 1) + pd.to_timedelta(self._luck.uniform(0, 45, len(names)), "D")
        leaves = leaves.where(self._luck.random(len(names)) < LEAVERS, pd.Timestamp.max)
        until = pd.Series(leaves, index=names.to_numpy())
        for name in ("purchases", "activity", "surveys"):
            frame = frames[name]
            frames[name] = frame[frame["ts"] < frame["customer_id"].map(until).to_numpy()]
        return frames


def project(world: World, folder: Path) -> Settings:
    """The project of the shop, trained as of the week before the first."""
    files = load(world.seen(0), folder)
    question = QuestionSection(horizon_days=HORIZON_DAYS, lookback_days=LOOKBACK_DAYS)
    write_config(folder / "churnkit.toml", files, question)
    path = folder / "churnkit.toml"
    text = path.read_text(encoding="utf-8").replace("[logs.customers]", _STATIC, 1)
    path.write_text(text, encoding="utf-8")
    settings = load_settings(path)
    train_project(settings, allow=("beaten",))
    return settings


_STATIC = '[logs.customers]\nstatic = ["segment"]'


def load(frames: Frames, folder: Path) -> dict[str, Path]:
    """Write the logs as a nightly load does."""
    (folder / "data").mkdir(exist_ok=True)
    paths = {name: folder / "data" / f"{name}.parquet" for name in frames}
    for name, path in paths.items():
        frames[name].to_parquet(path, index=False)
    return paths


def night(settings: Settings, world: World, week: int) -> Night:
    """Load the logs of a week and do its night."""
    load(world.seen(week), settings.folder)
    as_of: Cutoff = settings.cutoff(world.day(week).date())
    begun = time.perf_counter()
    try:
        summary = run_project(settings, as_of, retrain_if=("retrain",)).summary
    except ChurnkitError as error:
        summary = {"exit_code": error.exit_code, "says": error.found}
    seconds = time.perf_counter() - begun
    page = summary.get("paths", {}).get("monitor")
    told = json.loads(Path(page).with_suffix(".json").read_text("utf-8")) if page else {}
    decisions = [d["decision"] for d in summary.get("decisions", ())]
    return Night(
        week,
        str(as_of),
        summary["exit_code"],
        summary.get("verdict") or "",
        told.get("reason", "") or summary["says"],
        told.get("alarms", []),
        told.get("notes", []),
        summary.get("lights") or {},
        seconds,
        decisions[-1] if decisions else "",
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Live through the year and print what was noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=4_000)
    parser.add_argument("--weeks", type=int, default=WEEKS)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path, help="a file with all that was said")
    asked = parser.parse_args(arguments)
    world = World(asked.customers, asked.seed, asked.weeks)
    with tempfile.TemporaryDirectory() as folder:
        settings = project(world, Path(folder))
        nights = []
        for week in range(1, asked.weeks + 1):
            nights.append(night(settings, world, week))
            show(nights[-1])
    if asked.json:
        asked.json.write_text(json.dumps([vars(n) for n in nights], indent=1), encoding="utf-8")


def show(told: Night) -> None:
    """A line for each night."""
    alarms = ", ".join(f"{a['code']} {a['subject']}".strip() for a in told.alarms)
    lights = "/".join(str(told.lights.get(k, "")) for k in ("green", "yellow", "red"))
    print(
        f"{told.week:3} {told.as_of} {told.exit_code} {told.verdict:8} {lights:14} "
        f"{told.seconds:5.1f} s {told.trained:10} {alarms or told.says}", flush=True
    )  # fmt: skip


if __name__ == "__main__":
    main()

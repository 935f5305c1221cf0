"""Whether as much happened since the run before as usually does: days, weeks, names, freshness.

What is usual is what the same weekdays of the weeks before had, with the spread that they had; so a
shop that is closed on Sundays, or often has an empty day, raises no alarm. What last year did at
the same time is a season, and a note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numpy.typing import ArrayLike

from churnkit.clock import Cutoff
from churnkit.monitor.alarm import Alarm, Found, listed
from churnkit.monitor.days import LogDays

YEAR = 52 * 7
"""Days to the same week and weekday of last year."""

LEAST_WEEKS = 4
"""With fewer weeks to compare with, nothing is said."""

BESIDE = 8
"""Weeks to compare with, at most."""

SURPRISE = 5.0
"""Standard errors beyond which a count is no chance; far out, since many counts are looked at."""

LEVEL = 2.0
"""A week that has half or twice as much as usual is told, if it is no chance."""

_WEEK = 7
_SAME_WEEKDAYS = 12
_IMPOSSIBLE = log(1e-6)  # chance of a day (or days) without any event
_OPEN = 2.0  # events from which on a day of the week counts as open
_SELDOM, _LOOKED = 0.02, 180
_THIN_DAY = 4.0
_OWN_SPREAD = 0.1  # least spread of weeks, as a logarithm: nothing is steadier
_NAMES_KNOWN, _NEW_NAME, _NAME_LEVEL, _COUNTED_NAME = 56, 5, 3.0, 20
_NOTED, _NOTED_SURPRISE = 1.25, 3.5
_LOST = 14
_SEASON_DAYS = 3
_WEEKS_OF_THEN = 2  # less is needed to explain a day than to raise an alarm for it
_MOVED = 1.25


@dataclass(frozen=True)
class Span:
    """What a run looks at: the days since the run before, and whole weeks that hold them.

    Attributes
    ----------
    days
        Days since the run before, at least one.
    weeks
        Days of the whole weeks, at least one of them.
    """

    days: int
    weeks: int

    @classmethod
    def of(cls, days: int) -> Span:
        """The span of so many days; of a long pause only the last four weeks."""
        kept = min(max(days, 1), 4 * _WEEK)
        return cls(kept, -(-kept // _WEEK) * _WEEK)


@dataclass(frozen=True)
class Level:
    """A count against what is usual.

    Attributes
    ----------
    count
        What was found.
    usual
        Median of what it is compared with.
    ratio
        Count over usual, each with a half added.
    surprise
        How far it is from usual, in standard errors.
    """

    count: float
    usual: float
    ratio: float
    surprise: float

    @classmethod
    def of(cls, count: float, usual: ArrayLike) -> Level:
        """A count and those to compare with; their spread is that of counts, or more.

        It is measured on the logarithm and on the root of the counts (Anscombe 1948), and the
        smaller of both is taken.
        """
        logs = np.log(np.asarray(usual, dtype=float) + 0.5)
        middle = float(np.median(logs))
        own = 1.4826 * float(np.median(np.abs(logs - middle)))
        spread, more = max(own, _OWN_SPREAD), 1 + 1 / len(logs)
        away, mean = log(count + 0.5) - middle, exp(middle)
        on_logs = away / sqrt((spread**2 + 1 / mean) * more)
        # Small counts have a long tail on the logarithm; on the root they have none.
        on_roots = 2 * (sqrt(count + 0.375) - sqrt(mean + 0.375))
        on_roots /= sqrt((1 + mean * spread**2) * more)
        surprise = min(on_logs, on_roots, key=abs)
        return cls(float(count), float(np.median(np.asarray(usual))), exp(away), surprise)

    def beyond(self, factor: float, surprise: float = SURPRISE) -> bool:
        """Whether it is so many times more or less than usual, and no chance."""
        return abs(log(self.ratio)) >= log(factor) and abs(self.surprise) >= surprise


def level_of(days: np.ndarray, width: int, begun: int, back: int = 0) -> Level | None:
    """The last ``width`` days against as many in each of the weeks before.

    Parameters
    ----------
    days
        A number for each day.
    width
        Whole weeks.
    begun
        Position of the first day that is known.
    back
        How many days earlier to look, such as `YEAR`.

    Returns
    -------
    Level or None
        ``None`` with fewer than `LEAST_WEEKS` to compare with.
    """
    end = len(days) - back
    starts = [end - width * (k + 1) for k in range(BESIDE + 1)]
    sums = [float(days[s : s + width].sum()) for s in starts if s >= begun and s >= 0]
    return Level.of(sums[0], sums[1:]) if len(sums) > LEAST_WEEKS else None


def market_moved(told: LogDays) -> Level | None:
    """The last week or four weeks of a log, if all customers together did more or less than usual.

    Whatever counts events or days moves with it, for everybody at once.
    """
    for width in (_WEEK, 4 * _WEEK):
        level = level_of(told.rows, width, told.begun)
        if level is not None and level.beyond(_MOVED, _NOTED_SURPRISE / 2):
            return level
    return None


def volumes(
    logs: Mapping[str, LogDays], as_of: Cutoff, span: Span, main: str, closed: Sequence[str] = ()
) -> Found:
    """Days without data, days and weeks with far less or more than usual, names, freshness.

    Parameters
    ----------
    logs
        As `churnkit.monitor.days.days_of` gives them.
    as_of
        The cutoff of the run.
    span
        What is looked at.
    main
        The log of the question: if that ends, everything does.
    closed
        ISO days on which nothing is expected.
    """
    found = Found()
    for name, told in logs.items():
        if not told.rows.any():
            found.too_little(f"volumes of {name}", "it has no event in the last year")
            continue
        shut = _positions(closed, as_of, len(told.rows))
        found.add(_days(name, told, as_of, span, shut))
        found.add(_weeks(name, told, span))
        found.add(_names(name, told, span))
        if name == main and _ended(told) and not _alarmed(found, "stale_log", name):
            found.alarms.append(_stale(name, told, as_of))
    return found


def _ended(told: LogDays) -> bool:
    """Whether the last event lies so far back that it is no chance, at the pace of before."""
    end = len(told.rows) - told.behind
    before = told.rows[max(told.begun, end - _LOOKED) : end]
    pace = float(before.mean()) if len(before) else 0.0
    return told.behind >= _LOST and pace * told.behind >= -_IMPOSSIBLE


def _alarmed(found: Found, code: str, subject: str) -> bool:
    return any(alarm.code == code and alarm.subject == subject for alarm in found.alarms)


# ── Days ────────────────────────────────────────────────────────────────────────────────────


def _days(name: str, told: LogDays, as_of: Cutoff, span: Span, shut: set[int]) -> Found:
    found = Found()
    rows, n = told.rows, len(told.rows)
    usual = {d: _same_weekday(rows, d, told.begun) for d in range(n - span.days, n)}
    if told.age < _WEEK * (LEAST_WEEKS + 1):
        found.too_little(f"days of {name}", f"it began {told.age} days ago")
        return found
    empty = [d for d in usual if not rows[d] and d not in shut]
    if empty:
        _empty(found, name, told, as_of, span, shut)
    odd = [d for d in usual if rows[d] and _odd_day(rows, d, told.begun)]
    for d in odd:
        level = Level.of(rows[d], usual[d])
        if _seldom_odd(told, n - span.days) and not _as_last_year(told, d, level):
            found.alarms.append(_thin(name, as_of.shifted(d - n), level))
    return found


def _same_weekday(rows: np.ndarray, day: int, begun: int) -> np.ndarray:
    """The counts of the same weekday in the weeks before."""
    back = [day - _WEEK * k for k in range(1, _SAME_WEEKDAYS + 1)]
    return rows[[d for d in back if d >= max(begun, 0)]]


def _chance_of_none(usual: np.ndarray) -> float:
    """Logarithm of the chance of no event, of counts that vary as these do (negative binomial)."""
    if not len(usual):
        return 0.0
    mean = float(np.median(usual))
    variance = max((1.4826 * float(np.median(np.abs(usual - mean)))) ** 2, mean, 1e-9)
    if variance <= mean:
        return -mean
    shape = mean**2 / (variance - mean)
    return -shape * log(1 + mean / shape) if shape > 0 else 0.0


def _empty(
    found: Found, name: str, told: LogDays, as_of: Cutoff, span: Span, shut: set[int]
) -> None:
    """Tell the runs of days without data that are beyond the log's own habit."""
    rows, n = told.rows, len(told.rows)
    for run in _runs_of_none(rows, shut, n - span.days):
        chance = sum(_chance_of_none(_same_weekday(rows, d, told.begun)) for d in run)
        if chance > _IMPOSSIBLE or not _unheard_of(told, run, shut):
            continue
        if _empty_last_year(told, run):
            found.notes.append(
                f"no {name} on {_span(run, as_of, n)}, as at this time last year: a season"
            )
        elif run[-1] == n - 1:
            found.alarms.append(_stale(name, told, as_of))
        else:
            usual = sum(float(np.median(_same_weekday(rows, d, told.begun))) for d in run)
            found.alarms.append(
                Alarm(
                    "day_without_data", "watch", "inputs", name,
                    f"no {name} on {_span(run, as_of, n)}, where {usual:,.0f} are usual",
                    0.0, usual,
                    "Load what is missing and score anew; or name days on which the shop was "
                    "closed in closed of [monitor].",
                )
            )  # fmt: skip


def _runs_of_none(rows: np.ndarray, shut: set[int], since: int) -> list[list[int]]:
    """Runs of days without an event that end at or after a position."""
    runs: list[list[int]] = []
    for d in range(len(rows)):
        if rows[d] or d in shut:
            continue
        if runs and runs[-1][-1] == d - 1:
            runs[-1].append(d)
        else:
            runs.append([d])
    return [run for run in runs if run[-1] >= since]


def _unheard_of(told: LogDays, run: list[int], shut: set[int]) -> bool:
    """Whether open days without an event are rare, or were never so many one after the other."""
    rows = told.rows
    first = max(told.begun + _WEEK * LEAST_WEEKS, run[0] - _LOOKED)
    open_days = [
        d for d in range(first, run[0])
        if d not in shut and np.median(_same_weekday(rows, d, told.begun)) >= _OPEN
    ]  # fmt: skip
    none = [d for d in open_days if not rows[d]]
    if len(none) <= _SELDOM * len(open_days) or not open_days:
        return True
    longest = max((len(r) for r in _runs_of_none(rows[: run[0]], shut, first)), default=0)
    return len(run) > 2 * longest


def _empty_last_year(told: LogDays, run: list[int]) -> bool:
    """Whether last year had open days without an event within a few days of these."""
    for d in run:
        then = range(d - YEAR - _SEASON_DAYS, d - YEAR + _SEASON_DAYS + 1)
        known = [t for t in then if t >= told.begun]
        if any(
            not told.rows[t] and np.median(told.rows[max(t - 28, 0) : t : _WEEK]) >= _OPEN
            for t in known
        ):
            return True
    return False


def _odd_day(rows: np.ndarray, day: int, begun: int) -> bool:
    usual = _same_weekday(rows, day, begun)
    if len(usual) < LEAST_WEEKS or np.median(usual) < _OPEN:
        return False
    return Level.of(rows[day], usual).beyond(_THIN_DAY)


def _seldom_odd(told: LogDays, before: int) -> bool:
    first = max(told.begun + _WEEK * LEAST_WEEKS, before - _LOOKED)
    odd = sum(_odd_day(told.rows, d, told.begun) for d in range(first, before) if told.rows[d])
    return odd <= _SELDOM * max(before - first, 1)


def _as_last_year(told: LogDays, day: int, level: Level) -> bool:
    """Whether days around this one were as odd a year ago."""
    for then in range(day - YEAR - _SEASON_DAYS, day - YEAR + _SEASON_DAYS + 1):
        known = then >= told.begun
        usual = _same_weekday(told.rows, then, told.begun) if known else np.empty(0)
        if len(usual) >= _WEEKS_OF_THEN:
            ratio = Level.of(told.rows[then], usual).ratio
            if abs(log(ratio) - log(level.ratio)) <= log(2) and log(ratio) * log(level.ratio) > 0:
                return True
    return False


def _thin(name: str, day: Cutoff, level: Level) -> Alarm:
    less = level.ratio < 1
    return Alarm(
        "thin_day" if less else "swollen_day", "watch", "inputs", name,
        f"{level.count:,.0f} {name} on {day}, where {level.usual:,.0f} are usual",
        level.ratio, 1 / _THIN_DAY if less else _THIN_DAY,
        "Was a part of the day not loaded?" if less else "Was a file loaded twice?",
    )  # fmt: skip


def _stale(name: str, told: LogDays, as_of: Cutoff) -> Alarm:
    last = as_of.shifted(-told.behind - 1)
    return Alarm(
        "stale_log", "watch", "inputs", name,
        f"the {name} log ends on {last}, {told.behind} {'day' if told.behind == 1 else 'days'} "
        f"before {as_of}",
        float(told.behind), 0.0,
        "Load what is missing and score anew: until then all customers look silent.",
    )  # fmt: skip


def _span(run: Sequence[int], as_of: Cutoff, days: int) -> str:
    first, last = as_of.shifted(run[0] - days), as_of.shifted(run[-1] - days)
    return str(first) if len(run) == 1 else f"{first} to {last}"


def _positions(closed: Sequence[str], as_of: Cutoff, days: int) -> set[int]:
    today = as_of.local.date().toordinal()
    told = (Cutoff.parse(day, as_of.zone).local.date().toordinal() for day in closed)
    return {days + day - today for day in told}


# ── Weeks ───────────────────────────────────────────────────────────────────────────────────


def _weeks(name: str, told: LogDays, span: Span) -> Found:
    found = Found()
    level = level_of(told.rows, span.weeks, told.begun)
    if level is None:
        found.too_little(f"volume of {name}", f"it began {told.age} days ago")
        return found
    then = level_of(told.rows, span.weeks, told.begun, YEAR)
    what = (
        f"{level.count:,.0f} {name} in the last {span.weeks} days, "
        f"{level.ratio:.0%} of the usual {level.usual:,.0f}"
    )
    if level.beyond(LEVEL):
        if then is not None and _alike(level, then, LEVEL):
            found.notes.append(f"{what}, as at this time last year ({then.ratio:.0%}): a season")
        elif told.behind == 0 or level.ratio > 1:
            found.alarms.append(
                Alarm(
                    "volume_rise" if level.ratio > 1 else "volume_fall", "watch", "inputs", name,
                    what, level.ratio, LEVEL if level.ratio > 1 else 1 / LEVEL,
                    "Was a source added, or a load repeated?" if level.ratio > 1
                    else "Is a part of the source missing?",
                )
            )  # fmt: skip
    elif level.beyond(_NOTED, _NOTED_SURPRISE):
        found.notes.append(f"{what}: the market as a whole has moved")
    return found


def _alike(level: Level, then: Level, factor: float) -> bool:
    """Whether a year ago the same was found, give or take a factor."""
    same_way = log(level.ratio) * log(then.ratio) > 0
    return same_way and abs(log(level.ratio) - log(then.ratio)) <= log(factor)


# ── Names ───────────────────────────────────────────────────────────────────────────────────


def _names(name: str, told: LogDays, span: Span) -> Found:
    """Names that came, went, or are suddenly far more or less frequent than the rest of the log."""
    found = Found()
    n, total = len(told.rows), level_of(told.rows, span.weeks, told.begun)
    new = []
    for word, days in told.words.items():
        before = int(days[: n - span.days].sum())
        count = int(days[n - span.days :].sum())
        if not before:
            if told.age >= span.days + _NAMES_KNOWN and count >= _NEW_NAME:
                new.append((word, count))
            continue
        level = level_of(days, span.weeks, max(told.begun, int(np.flatnonzero(days)[0])))
        if total is None or level is None or level.usual < _COUNTED_NAME or told.behind:
            continue
        if not level.count and total.count:
            found.alarms.append(_gone(name, word, level, span))
            continue
        apart = level.ratio / total.ratio
        then = level_of(days, span.weeks, told.begun, YEAR)
        if level.beyond(_NAME_LEVEL) and abs(log(apart)) >= log(_NAME_LEVEL):
            if then is not None and _alike(level, then, LEVEL):
                found.notes.append(f"{word} is at {level.ratio:.0%} of the usual, as last year")
            else:
                found.alarms.append(_more_or_less(name, word, level, span))
    if new:
        told_of = listed(f"{word} ({count:,})" for word, count in sorted(new))
        found.alarms.append(
            Alarm(
                "new_names", "watch", "inputs", name,
                f"the {name} log has names that were not there before: {told_of}",
                float(len(new)), 0.0,
                f"Say in [logs.{name}] what they mean; the model does not know them.",
            )
        )  # fmt: skip
    return found


def _gone(name: str, word: str, level: Level, span: Span) -> Alarm:
    return Alarm(
        "lost_name", "watch", "inputs", f"{name}.{word}",
        f"no {word} in the {name} log in the last {span.weeks} days, where {level.usual:,.0f} are "
        "usual",
        0.0, level.usual,
        f"Was it renamed or left out in the source? Map the new name in [logs.{name}].",
    )  # fmt: skip


def _more_or_less(name: str, word: str, level: Level, span: Span) -> Alarm:
    return Alarm(
        "name_level", "watch", "inputs", f"{name}.{word}",
        f"{level.count:,.0f} {word} in the {name} log in the last {span.weeks} days, "
        f"{level.ratio:.0%} of the usual {level.usual:,.0f}, unlike the rest of the log",
        level.ratio, _NAME_LEVEL if level.ratio > 1 else 1 / _NAME_LEVEL,
        "Find out whether customers did this, or the source counts otherwise now.",
    )  # fmt: skip

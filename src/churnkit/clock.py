"""Time: cutoffs, windows, horizons, and the only comparisons of timestamps in churnkit.

Inside churnkit a timestamp is an ``int64`` of microseconds since 1970-01-01 UTC.
Every interval is half-open: a feature sees ``ts < cutoff``, a label looks at
``cutoff <= ts < cutoff + horizon``. No other module compares timestamps, and nothing
here reads the wall clock.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import numpy as np

from churnkit.errors import ConfigError

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Moment = str | date | datetime
"""What a caller may pass as a moment: ISO text, a date, a datetime or a pandas Timestamp."""

Every = int | Literal["week", "month"]
"""How far apart cutoffs are: so many days, a week, or a calendar month."""

_MONTHS = 12
_YEAR = 365
_LONGEST_STEP = 3_650


def zone_named(name: str) -> ZoneInfo:
    """Time zone of an IANA name such as ``"Europe/Berlin"``.

    Raises
    ------
    ConfigError
        If the name is unknown.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f"the time zone {name!r} is unknown",
            'Use an IANA name, for example timezone = "Europe/Berlin".',
        ) from error


@dataclass(frozen=True, order=True)
class Cutoff:
    """The instant at which a question is asked: everything before it is known, nothing after.

    Attributes
    ----------
    us
        Microseconds since 1970-01-01 UTC.
    zone
        Business time zone, which says where days begin.

    Examples
    --------
    >>> Cutoff.parse("2011-09-10").us
    1315612800000000
    >>> str(Cutoff.parse("2011-09-10", "Asia/Tehran"))
    '2011-09-10'
    """

    us: int
    zone: str = "UTC"

    @classmethod
    def parse(cls, moment: Moment, zone: str = "UTC") -> Cutoff:
        """Cutoff at a moment; a bare date means the start of that day in the business zone.

        Raises
        ------
        ConfigError
            If the text is neither an ISO date nor an ISO timestamp, or the zone is unknown.
        """
        when = _as_datetime(moment)
        business = zone_named(zone)
        aware = when if when.tzinfo else when.replace(tzinfo=business)
        try:
            utc = aware.astimezone(UTC)
            utc.astimezone(business)  # the calendar must hold it there, too
            return cls((utc - _EPOCH) // timedelta(microseconds=1), zone)
        except (ValueError, OverflowError) as error:  # NaT, or beyond the years 1 to 9999
            raise _no_date(moment) from error

    @property
    def local(self) -> datetime:
        """The cutoff as an aware datetime in the business zone."""
        return (_EPOCH + timedelta(microseconds=self.us)).astimezone(zone_named(self.zone))

    def shifted(self, days: int) -> Cutoff:
        """The same local time of day, some days later (or earlier when negative).

        The start of a local day moves to the start of another, whatever its clocks show then.
        """
        return Cutoff.parse(self._wall + timedelta(days=days), self.zone)

    def months_earlier(self, months: int) -> Cutoff:
        """The same day of an earlier month and time of day; the last one of a shorter month.

        Examples
        --------
        >>> str(Cutoff.parse("2024-03-31").months_earlier(1))
        '2024-02-29'
        """
        wall = self._wall
        year, month = divmod(wall.year * _MONTHS + wall.month - 1 - months, _MONTHS)
        day = min(wall.day, monthrange(year, month + 1)[1])
        return Cutoff.parse(wall.replace(year, month + 1, day), self.zone)

    @property
    def _wall(self) -> date:
        """What calendar and clock show, as a bare date at the start of a day."""
        local = self.local.replace(tzinfo=None)
        return local.date() if self._begins_day else local

    @property
    def _begins_day(self) -> bool:
        # Compared as an instant: where clocks jump at midnight the day begins at 01:00.
        return self == Cutoff.parse(self.local.date(), self.zone)

    def __str__(self) -> str:
        """ISO date when the cutoff is the start of a local day, else ISO timestamp."""
        local = self.local
        return local.date().isoformat() if self._begins_day else local.isoformat()


AFTER_ALL = Cutoff(2**62)
"""Later than any event."""


def _as_datetime(moment: Moment) -> datetime:
    if isinstance(moment, datetime):
        return moment
    if isinstance(moment, date):
        return datetime.combine(moment, time(0))
    try:
        return datetime.fromisoformat(moment)
    except (TypeError, ValueError) as error:
        raise _no_date(moment) from error


def _no_date(moment: Moment) -> ConfigError:
    return ConfigError(
        f"{moment!r} is not a date", "Write it as YYYY-MM-DD, for example 2011-09-10."
    )


@dataclass(frozen=True)
class Window:
    """Half-open interval ``start <= ts < end`` in microseconds UTC."""

    start: int
    end: int

    @classmethod
    def before(cls, cutoff: Cutoff, days: float) -> Window:
        """The last ``days`` times 24 hours before a cutoff."""
        return cls(cutoff.us - round(days * DAY), cutoff.us)

    @classmethod
    def after(cls, cutoff: Cutoff, days: float) -> Window:
        """The horizon: the ``days`` times 24 hours that begin at the cutoff."""
        return cls(cutoff.us, cutoff.us + round(days * DAY))


def seen_before(ts: np.ndarray, cutoff: Cutoff) -> Any:
    """Boolean mask of the timestamps that a feature at this cutoff may see."""
    return ts < cutoff.us


def happened_within(ts: np.ndarray, first: np.ndarray, days: int) -> Any:
    """Boolean mask of the timestamps less than ``days`` after ``first``, element by element."""
    return ts < first + days * DAY


def first_observer(ts: np.ndarray, instants: np.ndarray) -> Any:
    """Position of the first of the sorted ``instants`` that lies after each timestamp.

    An event at ``ts`` is seen at ``instants[k]`` if and only if ``ts < instants[k]``, that is
    for every ``k`` from the returned position on; ``len(instants)`` means by none.
    """
    return np.searchsorted(instants, ts, side="right")


def horizon_ends_by(cutoff: Cutoff, horizon_days: int, end: Cutoff) -> bool:
    """Whether the label window of a cutoff is over when ``end`` begins."""
    return Window.after(cutoff, horizon_days).end <= end.us


def has_come(moment: Cutoff, at: Cutoff) -> bool:
    """Whether a moment is not later than a cutoff."""
    return moment <= at


def every_named(text: str) -> Every:
    """How far apart cutoffs are, from text such as ``28``, ``week`` or ``month``.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if text == "week":
        return "week"
    if text == "month":
        return "month"
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= _LONGEST_STEP:
        return int(text)
    raise ConfigError(
        f"cutoffs cannot be {text!r} apart",
        f'Use a number of days up to {_LONGEST_STEP:,}, "week" or "month".',
    )


def cutoffs_back_from(
    last: Cutoff, every: Every, count: int, not_before: Cutoff | None = None
) -> tuple[Cutoff, ...]:
    """Up to ``count`` cutoffs in rising order, so far apart, the latest being ``last``.

    Months are counted back from the last cutoff: of one on a 31st, those in shorter months lie on
    their last day. A day that a zone left out, as Samoa did one in 2011, has no cutoff of its own.

    Raises
    ------
    ConfigError
        If they begin before the year 1.
    """
    try:
        grid = {_earlier(last, every, k) for k in range(count)}
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            f"{count} cutoffs back from {last} begin before the year 1", "Ask for fewer."
        ) from error
    return tuple(sorted(c for c in grid if not_before is None or c >= not_before))


def _earlier(last: Cutoff, every: Every, steps: int) -> Cutoff:
    if every == "month":
        return last.months_earlier(steps)
    return last.shifted(-steps * (7 if every == "week" else every))


def cutoffs_between(first: Cutoff, last: Cutoff, count: int) -> tuple[Cutoff, ...]:
    """Up to ``count`` cutoffs that cut the time between two others into equal parts."""
    days = (last.local.date() - first.local.date()).days
    steps = (round(days * k / (count + 1)) for k in range(1, count + 1))
    return tuple(sorted({first.shifted(step) for step in steps}))


def span_a_year(cutoffs: Sequence[Cutoff]) -> bool:
    """Whether cutoffs lie so far apart that they have seen every season."""
    days = {c.local.date().toordinal() for c in cutoffs}
    return bool(days) and max(days) - min(days) >= _YEAR


def precedes_all(cutoff: Cutoff, first: Cutoff) -> bool:
    """Whether nothing is known at a cutoff of logs that begin on the day of ``first``."""
    return cutoff <= first


def reaches_back(cutoff: Cutoff, days: int, first: Cutoff) -> bool:
    """Whether a window of so many days before a cutoff begins before ``first``."""
    return Window.before(cutoff, days).start < first.us


def day_after(us: int, zone: str = "UTC") -> Cutoff:
    """The start of the local day that follows the day of a timestamp."""
    return start_of_day(us, zone).shifted(1)


def start_of_day(us: int, zone: str = "UTC") -> Cutoff:
    """The start of the local day in which a timestamp lies."""
    return Cutoff.parse(Cutoff(us, zone).local.date(), zone)


def local_days(ts: np.ndarray, zone: str = "UTC") -> dict[int, int]:
    """Start of each local day that has a timestamp → how many it has, rising.

    Examples
    --------
    >>> local_days(np.array([0, 3_600_000_000, 86_400_000_000]))
    {0: 2, 86400000000: 1}
    """
    halves = np.unique(ts // (DAY // 2)).tolist()  # no local day is as short as that
    starts = {start_of_day((half + k) * (DAY // 2), zone).us for half in halves for k in (0, 1)}
    edges = np.array(sorted(starts), dtype=np.int64)
    found = np.bincount(np.searchsorted(edges, ts, side="right") - 1, minlength=len(edges))
    return {us: n for us, n in zip(edges.tolist(), found.tolist(), strict=True) if n}


def share_of_year(cutoff: Cutoff) -> float:
    """How much of its year is over when the local day of a cutoff begins: from 0 to below 1."""
    return (cutoff.local.timetuple().tm_yday - 1) / 365.25


def time_left(window: Window, moment: Cutoff) -> int:
    """Microseconds of a window that are left at a moment: all before it, none after."""
    return max(0, window.end - max(window.start, moment.us))

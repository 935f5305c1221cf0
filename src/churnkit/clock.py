"""Time: cutoffs, windows, horizons, and the only comparisons of timestamps in churnkit.

Inside churnkit a timestamp is an ``int64`` of microseconds since 1970-01-01 UTC.
Every interval is half-open: a feature sees ``ts < cutoff``, a label looks at
``cutoff <= ts < cutoff + horizon``. No other module compares timestamps, and nothing
here reads the wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from churnkit.errors import ConfigError

SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Moment = str | date | datetime
"""What a caller may pass as a moment: ISO text, a date, a datetime or a pandas Timestamp."""


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
        local = when if when.tzinfo else when.replace(tzinfo=zone_named(zone))
        try:
            return cls((local.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1), zone)
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
        local = self.local.replace(tzinfo=None)
        wall = local.date() if self._begins_day else local
        return Cutoff.parse(wall + timedelta(days=days), self.zone)

    @property
    def _begins_day(self) -> bool:
        # Compared as an instant: where clocks jump at midnight the day begins at 01:00.
        return self == Cutoff.parse(self.local.date(), self.zone)

    def __str__(self) -> str:
        """ISO date when the cutoff is the start of a local day, else ISO timestamp."""
        local = self.local
        return local.date().isoformat() if self._begins_day else local.isoformat()


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


def comes_after(ts: np.ndarray, last: np.ndarray) -> Any:
    """Boolean mask of the timestamps later than ``last``, element by element; NaN is no bound."""
    return ~(ts <= last)


def first_observer(ts: np.ndarray, instants: np.ndarray) -> Any:
    """Position of the first of the sorted ``instants`` that lies after each timestamp.

    An event at ``ts`` is seen at ``instants[k]`` if and only if ``ts < instants[k]``, that is
    for every ``k`` from the returned position on; ``len(instants)`` means by none.
    """
    return np.searchsorted(instants, ts, side="right")


def horizon_ends_by(cutoff: Cutoff, horizon_days: int, end: Cutoff) -> bool:
    """Whether the label window of a cutoff is over when ``end`` begins."""
    return Window.after(cutoff, horizon_days).end <= end.us


def cutoffs_back_from(
    last: Cutoff, every_days: int, count: int, not_before: Cutoff
) -> tuple[Cutoff, ...]:
    """Up to ``count`` cutoffs in rising order, ``every_days`` apart, the latest being ``last``."""
    grid = (last.shifted(-every_days * k) for k in range(count))
    return tuple(sorted(c for c in grid if c >= not_before))


def day_after(us: int, zone: str = "UTC") -> Cutoff:
    """The start of the local day that follows the day of a timestamp."""
    return start_of_day(us, zone).shifted(1)


def start_of_day(us: int, zone: str = "UTC") -> Cutoff:
    """The start of the local day in which a timestamp lies."""
    return Cutoff.parse(Cutoff(us, zone).local.date(), zone)

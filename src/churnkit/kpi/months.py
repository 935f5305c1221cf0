"""The whole calendar months before an instant, in the business zone."""

from __future__ import annotations

from dataclasses import dataclass

from churnkit.clock import Cutoff, reaches_back
from churnkit.errors import DataError


@dataclass(frozen=True)
class Months:
    """Calendar months one after the other.

    Attributes
    ----------
    edges
        Start of the month before the first, start of each month, end of the last: two more than
        there are months.
    first_day
        The first day of the log that holds the signs of life.
    """

    edges: tuple[Cutoff, ...]
    first_day: Cutoff

    def __len__(self) -> int:
        return len(self.edges) - 2

    @property
    def names(self) -> tuple[str, ...]:
        """``YYYY-MM`` of each month."""
        return tuple(f"{start.local:%Y-%m}" for start in self.edges[1:-1])

    @property
    def end(self) -> Cutoff:
        """Where the last month ends."""
        return self.edges[-1]

    def known_since(self, lookback_days: int) -> tuple[bool, ...]:
        """Whether the log covers the lookback before the start of each month."""
        return tuple(
            not reaches_back(start, lookback_days, self.first_day) for start in self.edges[1:-1]
        )


def whole_months(first_day: Cutoff, as_of: Cutoff, most: int) -> Months:
    """The last months that are over at an instant, of those a log has seen any day of.

    Parameters
    ----------
    first_day
        The first day of the log; its zone says where months begin.
    as_of
        The instant.
    most
        At most so many.

    Raises
    ------
    DataError
        If no month that the log has seen is over.
    """
    day = Cutoff(as_of.us, first_day.zone).local.date().replace(day=1)
    end = Cutoff.parse(day, first_day.zone)
    there = _number(end) - _number(first_day)
    if there < 1:
        raise DataError(
            f"no whole month is known as of {as_of}: the log begins on {first_day}",
            "Choose a later day, in the month after the first at the earliest.",
        )
    count = min(there, most)
    return Months(tuple(end.months_earlier(k) for k in range(count + 1, -1, -1)), first_day)


def _number(day: Cutoff) -> int:
    return day.local.year * 12 + day.local.month

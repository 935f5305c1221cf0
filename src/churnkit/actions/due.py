"""Until when something is to be done: working days and hours in the business zone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice

from churnkit.clock import Cutoff, Window, time_left
from churnkit.errors import ConfigError, did_you_mean

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_WITHIN = re.compile(r"([1-9]\d{0,2}) (working hour|working day|hour|day)s?", re.ASCII)
_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Within:
    """How much time there is: an amount of hours, days, working hours or working days."""

    amount: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Within:
        """The time that a text such as ``4 working hours``, ``2 working days`` or ``1 day`` gives.

        Raises
        ------
        ConfigError
            If it says something else, or more than 999 of them.
        """
        match = _WITHIN.fullmatch(text.strip())
        if match is None:
            raise ConfigError(
                f"due = {text!r} is no time",
                'Write it as "4 working hours", "2 working days", "36 hours" or "1 day".',
            )
        return cls(int(match[1]), match[2])


@dataclass(frozen=True)
class WorkingWeek:
    """When people work, by the clocks of the business zone.

    Attributes
    ----------
    day_starts, day_ends
        Working hours of a day as HH:MM, at least one.
    days
        Names of `WEEKDAYS`, in any order: ``("sat", "sun", "mon", "tue", "wed")`` is a week, too.

    Raises
    ------
    ConfigError
        If a time or a day is none, a day stands twice, or there is less than an hour of work.
    """

    day_starts: str = "09:00"
    day_ends: str = "17:00"
    days: tuple[str, ...] = WEEKDAYS[:5]

    def __post_init__(self) -> None:
        _require_days(self.days)
        starts = _minutes("day_starts", self.day_starts)
        ends = _minutes("day_ends", self.day_ends)
        if ends - starts < 60:
            raise ConfigError(
                f"day_starts = {self.day_starts!r} and day_ends = {self.day_ends!r} in [calls] "
                "leave less than an hour of work a day",
                "Set day_starts at least an hour before day_ends.",
            )

    def due(self, as_of: Cutoff, within: Within) -> Cutoff:
        """The moment by which something is to be done that is known at a cutoff.

        Working hours run only while people work. Of working days, the first is the one that the
        cutoff lies in or before; from the start of a day on they end with the last one, from
        within a day at the same time of the day after as many. Days keep the time of day, hours
        are hours. Where clocks are changed, what has really passed counts.

        Examples
        --------
        >>> friday = Cutoff.parse("2024-05-31")
        >>> WorkingWeek().due(friday, Within(2, "working day")).local.isoformat()
        '2024-06-03T17:00:00+00:00'
        """
        if within.unit == "working hour":
            return self._after_hours(as_of, within.amount * _HOUR)
        if within.unit == "working day":
            return self._after_days(as_of, within.amount)
        if within.unit == "day":
            return as_of.shifted(within.amount)
        return Cutoff(as_of.us + within.amount * _HOUR, as_of.zone)

    def _after_hours(self, as_of: Cutoff, need: int) -> Cutoff:
        for _, hours in self._ahead(as_of):
            left = time_left(hours, as_of)
            if left >= need:
                return Cutoff(hours.end - left + need, as_of.zone)
            need -= left
        raise AssertionError("weeks do not end")

    def _after_days(self, as_of: Cutoff, days: int) -> Cutoff:
        ahead = list(islice(self._ahead(as_of), days + 1))
        (_, first), (_, last), (after, _) = ahead[0], ahead[-2], ahead[-1]
        if time_left(first, as_of) == first.end - first.start:
            return Cutoff(last.end, as_of.zone)
        return Cutoff.parse(datetime.combine(after, as_of.local.time()), as_of.zone)

    def _ahead(self, as_of: Cutoff) -> Iterator[tuple[date, Window]]:
        """The working days that are not over at a cutoff, each with its hours."""
        day = as_of.local.date()
        while True:
            hours = self._hours(day, as_of.zone)
            if hours is not None and time_left(hours, as_of):
                yield day, hours
            day += timedelta(days=1)

    def _hours(self, day: date, zone: str) -> Window | None:
        if WEEKDAYS[day.weekday()] not in self.days:
            return None
        starts, ends = (
            Cutoff.parse(datetime.combine(day, time.fromisoformat(clock)), zone)
            for clock in (self.day_starts, self.day_ends)
        )
        # A day that a zone left out, as Samoa did one in 2011, shows as the one after it.
        return Window(starts.us, ends.us) if starts.local.date() == day else None


def _require_days(days: tuple[str, ...]) -> None:
    if not days:
        raise ConfigError("working_days in [calls] names no day", 'Write ["mon", "tue"].')
    for day in days:
        if day not in WEEKDAYS:
            raise ConfigError(
                f"working_days in [calls] names {day!r}, which is no day",
                f"{did_you_mean(day, WEEKDAYS)}The days are {', '.join(WEEKDAYS)}.",
            )
        if days.count(day) > 1:
            raise ConfigError(f"{day!r} stands twice in working_days of [calls]", "Keep one.")


def _minutes(key: str, clock: str) -> int:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", clock, re.ASCII):
        raise ConfigError(f"{key} = {clock!r} in [calls] is no time of day", 'Write it as "09:00".')
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)

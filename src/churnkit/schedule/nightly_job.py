"""What is to be started every night: which program, of which project, when."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from churnkit.clock import zone_named
from churnkit.errors import ConfigError

_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_ZONE = re.compile(r"[A-Za-z0-9_+\-]+(/[A-Za-z0-9_+\-]+)*")
_RULES_OF = range(2030, 2032)  # years by the rules that are in force, also where they alternate
_NAME = "churnkit"


@dataclass(frozen=True)
class NightlyJob:
    """One run a night.

    Attributes
    ----------
    config
        The whole path of ``churnkit.toml``.
    executable
        The whole path of the program.
    at
        Time of day by the clocks of the zone, such as ``02:30``.
    zone
        Business time zone: the day whose start is scored is told by it.

    Raises
    ------
    ConfigError
        If a path is not absolute or cannot be quoted everywhere, the time is none, or the zone is
        unknown.
    """

    config: Path
    executable: Path
    at: str
    zone: str

    def __post_init__(self) -> None:
        for what, path in (("project", self.config), ("program", self.executable)):
            _require_quotable(what, path)
        if not _TIME.fullmatch(self.at):
            raise ConfigError(
                f"{self.at!r} is no time of day", "Write it as HH:MM, for example 02:30."
            )
        zone_named(self.zone)
        if not _ZONE.fullmatch(self.zone):
            raise ConfigError(f"the time zone {self.zone!r} cannot be quoted", "Use an IANA name.")

    @property
    def folder(self) -> Path:
        """The folder of the project."""
        return self.config.parent

    @property
    def log(self) -> Path:
        """Where what a run tells is kept, by those that keep no log themselves."""
        return self.folder / "churnkit-run.log"

    @property
    def hour(self) -> int:
        """The hour of day."""
        return int(self.at[:2])

    @property
    def minute(self) -> int:
        """The minute of the hour."""
        return int(self.at[3:])

    @property
    def cron(self) -> str:
        """Minute and hour as cron writes them, every day."""
        return f"{self.minute} {self.hour} * * *"

    @property
    def utc_cron(self) -> str:
        """As `cron`, by the clocks of UTC: at the time of day, in part of the year somewhat later.

        Raises
        ------
        ConfigError
            If summer time would carry it into the next day, so that a day were left out.
        """
        zone = zone_named(self.zone)
        days = (date(year, 1, 1) + timedelta(days=n) for year in _RULES_OF for n in range(365))
        noons = (datetime.combine(day, time(12), zone) for day in days)
        offsets = {offset for noon in noons if (offset := noon.utcoffset()) is not None}
        least, most = min(offsets), max(offsets)
        asked = timedelta(hours=self.hour, minutes=self.minute)
        if asked + (most - least) >= timedelta(days=1):
            raise ConfigError(
                f"{self.at} in {self.zone} belongs to another day in part of the year",
                "GitHub knows the clocks of UTC only: take a time some hours before or after "
                "midnight.",
            )
        minutes = int((asked - least).total_seconds() // 60) % (24 * 60)
        return f"{minutes % 60} {minutes // 60} * * *"


def executable_here() -> Path:
    """The program that is running: the one beside its Python, or the first on the path.

    Raises
    ------
    ConfigError
        If there is none.
    """
    beside = Path(sys.executable).with_name(_NAME)
    found = str(beside) if beside.is_file() else shutil.which(_NAME)
    if found is None:
        raise ConfigError(
            f"no program {_NAME} is beside {sys.executable} or on the path",
            "Name it with --executable.",
        )
    return Path(found).absolute()


def executable_named(path: Path) -> Path:
    """The whole path of a program that somebody named.

    Raises
    ------
    ConfigError
        If it is not there or cannot be run: no night would ever start.
    """
    whole = path.absolute()
    if not (whole.is_file() and os.access(whole, os.X_OK)):
        raise ConfigError(
            f"{whole} is no program that can be run here",
            "Name the churnkit that is to be started, and make the file on its machine.",
        )
    return whole


def _require_quotable(what: str, path: Path) -> None:
    text = str(path)
    if not path.is_absolute():
        raise ConfigError(f"the path of the {what} is not whole: {text}", "Begin it with /.")
    bad = next((c for c in text if not c.isprintable() or "\ud800" <= c <= "\udfff"), None)
    if bad is not None:
        raise ConfigError(
            f"the path of the {what} holds {bad!r}, which no schedule can quote",
            "Move it to a folder without line ends and control characters in its name.",
        )
    if any(str(end)[-1] in " \\" for end in (path, path.parent)):
        raise ConfigError(
            f"the path of the {what} ends in a space or a backslash: {text!r}",
            "Move it to a folder without that at the end of its name.",
        )
    taken = next((sign for sign in ("{{", "{%", "{#") if sign in text), None)
    if taken is not None:
        raise ConfigError(
            f"the path of the {what} holds {taken!r}, which schedulers take for a placeholder",
            "Move it to a folder without that in its name.",
        )

"""The ledger of runs: what was said of whom, and what was to be done about it, day by day.

One Parquet file a day, which appears whole or not at all; a second run of a day takes the place of
the first. What the next run must know of the one before it (colours for hysteresis and changes,
arms for outcomes) is read from here and from nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.atomic import whole_file
from churnkit.clock import Cutoff, has_come
from churnkit.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

_FILE = re.compile(r"run-(?P<day>\d{4}-\d\d-\d\d.*)\.parquet")


@dataclass(frozen=True)
class Ledger:
    """The runs of a folder.

    A run has one row per customer at risk, with the columns ``customer_id``, ``as_of``,
    ``model_version``, ``policy``, ``churn_probability``, ``value_at_risk``, ``rank``, ``light``,
    ``base_light``, ``held_light``, ``light_before`` …; `churnkit.scoring.Scores.to_run`
    and `churnkit.actions.plan` tell them all.

    Attributes
    ----------
    folder
        Where the files lie; made by the first run.
    """

    folder: Path

    def write(self, run: pd.DataFrame, as_of: Cutoff) -> Path:
        """Keep the run of a day, and tell its file.

        Raises
        ------
        ConfigError
            If the folder cannot be written to; an earlier run of the day stays as it was.
        """
        path = self._path(str(as_of))
        with whole_file(path) as aside:
            run.to_parquet(aside, index=False)
        return path

    def days(self) -> tuple[str, ...]:
        """The days of which there is a run, in rising order."""
        found = (_FILE.fullmatch(path.name) for path in self.folder.glob("run-*.parquet"))
        days = (match["day"].replace("_", ":") for match in found if match)
        return tuple(sorted(day for day in days if _is_day(day)))

    def read(self, day: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The run of a day, or some of its columns, which is far faster.

        Raises
        ------
        DataError
            If there is none, or its file cannot be read or lacks one of the columns.
        """
        import pandas as pd
        import pyarrow as pa

        path = self._path(day)
        if not path.exists():
            known = self.days()
            there = f"There are runs of {', '.join(known[-5:])}." if known else "There is no run."
            raise DataError(
                f"there is no run of {day} in {self.folder}",
                f"{there} churnkit score --as-of {day} makes one.",
            )
        try:
            return pd.read_parquet(path, columns=None if columns is None else [*columns])
        except (OSError, pa.ArrowException, ValueError) as error:
            raise DataError(
                f"{path} cannot be read ({error})",
                f"Remove it, and score that day anew: churnkit score --as-of {day}.",
            ) from error

    def before(self, as_of: Cutoff) -> pd.DataFrame | None:
        """The latest run of an earlier day; ``None`` if there is none."""
        earlier = [day for day in self.days() if not has_come(as_of, Cutoff.parse(day, as_of.zone))]
        return self.read(earlier[-1]) if earlier else None

    def latest(self, as_of: Cutoff) -> pd.DataFrame | None:
        """The latest run of a day up to this one; ``None`` if there is none."""
        known = [day for day in self.days() if has_come(Cutoff.parse(day, as_of.zone), as_of)]
        return self.read(known[-1]) if known else None

    def _path(self, day: str) -> Path:
        return self.folder / f"run-{day.replace(':', '_')}.parquet"


def _is_day(text: str) -> bool:
    """Whether it is a day: a copy that somebody laid beside the runs is none."""
    try:
        Cutoff.parse(text)
    except ConfigError:
        return False
    return True

"""The runs of a ledger from before it was a database: a Parquet file for each day.

They are taken over once; the files stay as they are, and are read no more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = re.compile(r"run-(?P<day>\d{4}-\d\d-\d\d.*)\.parquet")


def older_runs(folder: Path) -> Mapping[str, Path]:
    """Day → file of its run, in rising order."""
    found = {}
    for path in sorted(folder.glob("run-*.parquet")):
        match = _FILE.fullmatch(path.name)
        day = match["day"].replace("_", ":") if match else ""
        if day and _is_day(day):
            found[day] = path
    return found


def older_rows(path: Path) -> pa.Table:
    """The rows of such a file.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path).replace_schema_metadata(None)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(
            f"{path}, a run of an older churnkit, cannot be read ({error})",
            "Bring it back from a backup; or move it away, and the next run goes on without it.",
        ) from error


def _is_day(text: str) -> bool:
    """Whether it is a day: a copy that somebody laid beside the runs is none."""
    try:
        Cutoff.parse(text)
    except ConfigError:
        return False
    return True

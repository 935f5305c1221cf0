"""The store of what was done: one Parquet file for each file recorded, none ever changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.atomic import made_folder, whole_file
from churnkit.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

KEY = ["customer_id", "as_of"]
COLUMNS = [*KEY, "done", "result", "cost", "note", "arm", "row"]
_FILE = re.compile(r"deeds-(?P<number>\d{6})-(?P<digest>[0-9a-f]{16})\.parquet")


@dataclass(frozen=True)
class Deeds:
    """What was done, as it was recorded.

    Attributes
    ----------
    folder
        Where the files lie; made by the first record.
    """

    folder: Path

    def current(self) -> pd.DataFrame:
        """What holds: of every customer and day the row that was recorded last.

        Columns: ``customer_id``, ``as_of`` (the day of the list), ``done`` (bool), ``result``,
        ``cost`` (NaN unknown), ``note``, ``arm`` (as the ledger has it), ``row`` (of the file),
        ``file``, ``record`` (number of the file, from 1).

        Raises
        ------
        DataError
            If a file of the store cannot be read.
        """
        whole = self.history()
        return whole[~whole["superseded"]].drop(columns="superseded").reset_index(drop=True)

    def history(self) -> pd.DataFrame:
        """All that was ever recorded, in order; ``superseded`` marks what a later record replaced.

        Raises
        ------
        DataError
            If a file of the store cannot be read.
        """
        import pandas as pd

        parts = [_read(path).assign(record=int(number)) for number, _, path in self._files()]
        if not parts:
            return _empty()
        whole = pd.concat(parts, ignore_index=True)
        return whole.assign(superseded=whole.duplicated(KEY, keep="last"))

    def record_of(self, digest: str) -> int | None:
        """Number of the record of a file of this content, if it was recorded."""
        numbers = [int(n) for n, known, _ in self._files() if known == digest]
        return numbers[0] if numbers else None

    def add(self, rows: pd.DataFrame, file: str, digest: str) -> Path:
        """Keep the rows of a file under the next number, and tell where.

        To be called with the store `locked`.
        """
        number = max((int(n) for n, _, _ in self._files()), default=0) + 1
        path = self.folder / f"deeds-{number:06d}-{digest}.parquet"
        with whole_file(path) as aside:
            rows[COLUMNS].assign(file=file).to_parquet(aside, index=False)
        return path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from recording meanwhile."""
        from filelock import FileLock

        with FileLock(made_folder(self.folder) / ".deeds.lock"):
            yield

    def _files(self) -> list[tuple[str, str, Path]]:
        found = ((_FILE.fullmatch(path.name), path) for path in self.folder.glob("deeds-*.parquet"))
        return sorted((m["number"], m["digest"], path) for m, path in found if m)


def digest_of(path: Path) -> str:
    """What tells files of different content apart.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    try:
        return sha256(path.read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}", "Check the path."
        ) from error


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(path)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({error})",
            "Bring it back from a backup; or remove it and record its file anew.",
        ) from error


def _empty() -> pd.DataFrame:
    import pandas as pd

    texts = {name: pd.Series(dtype="str") for name in (*KEY, "result", "note", "arm", "file")}
    numbers = {"cost": pd.Series(dtype="float64"), "row": pd.Series(dtype="int64")}
    flags = {name: pd.Series(dtype="bool") for name in ("done", "superseded")}
    frame = pd.DataFrame({**texts, **numbers, **flags, "record": pd.Series(dtype="int64")})
    return frame[[*COLUMNS, "file", "record", "superseded"]]

"""The store of what was done: one Parquet file for each file recorded.

None is ever changed, but that the rows of people who are forgotten are taken out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.atomic import made_folder, whole_file
from churnkit.errors import DataError
from churnkit.mentions import Mentions

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

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

    def rows_of(self, mentions: Mentions) -> Counter[str]:
        """Customer → rows in all records, of those who are sought.

        Raises
        ------
        DataError
            If a file of the store cannot be read.
        """
        found: Counter[str] = Counter()
        for *_, path in self._files():
            found += mentions.counted(_table(path, ["customer_id"])["customer_id"])
        return found

    def forget(self, mentions: Mentions) -> None:
        """Take the rows of some customers out; a record stays known, also one without any row.

        To be called with the store `locked`.

        Raises
        ------
        DataError
            If a file of the store cannot be read.
        ConfigError
            If the folder cannot be written to.
        """
        import pyarrow.parquet as pq

        for *_, path in self._files():
            table = _table(path)
            left = mentions.of_others(table)
            if left != table:
                with whole_file(path) as aside:
                    pq.write_table(left, aside)

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
    return _table(path).to_pandas()


def _table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=columns)
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

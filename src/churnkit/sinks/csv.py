"""A published run as a CSV file that spreadsheets can open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.atomic import whole_file
from churnkit.errors import DataError
from churnkit.spreadsheet import neutralised

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_AT_ONCE = 100_000


def write_csv(published: Path, out: Path, columns: Sequence[str] | None = None) -> int:
    """Write a Parquet file as CSV, part by part; the file appears whole or not at all.

    Texts that a spreadsheet would run as a formula are preceded by an apostrophe.

    Parameters
    ----------
    published
        The rows, as `churnkit.publishing.ScoreStore.path` tells them: a file, or a folder of them.
    out
        The CSV file; an older one is replaced.
    columns
        Only these, in this order.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    ConfigError
        If the folder cannot be written to; an older file stays as it was.
    DataError
        If the rows cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = 0
    with whole_file(out) as aside, aside.open("w", encoding="utf-8", newline="") as sink:
        try:
            files = sorted(published.iterdir()) if published.is_dir() else [published]
            names = list(columns or pq.read_schema(files[0]).names)
            for batch in _batches(files, names):
                frame = neutralised(batch.to_pandas()[names])
                # Only with this line end does every Python quote a text that holds a bare CR.
                frame.to_csv(sink, index=False, header=not rows, lineterminator="\r\n")
                rows += len(frame)
            if not rows:
                sink.write(",".join(names) + "\r\n")
        except (pa.ArrowException, KeyError) as error:
            raise DataError(f"{published} cannot be read ({error})", "Publish it anew.") from error
    return rows


def _batches(files: Sequence[Path], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    for path in files:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield from file.iter_batches(_ROWS_AT_ONCE, columns=list(names))

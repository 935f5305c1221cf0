"""Files made for a test, and what reading them gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from churnkit.errors import DataError
from churnkit.logs import Contract, Logs, collect
from churnkit.sources import FileSource, connect

LAX = Contract(max_rejected_share=1.0)
HEADER = "customer_id,ts,amount\n"
GOOD_ROW = "a,2024-01-01,1\n"


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(source: FileSource, contract: Contract = LAX) -> Logs:
    """The purchases of a source."""
    with connect(reads=source.files()) as con:
        return collect(con, {"purchases": source.attach(con, "purchases")}, contract)


def table(source: FileSource) -> list[dict[str, object]]:
    """The rows of a source as it shows them, without its helper columns."""
    with connect(reads=source.files()) as con:
        rows = source.attach(con, "purchases")
        shown = con.execute(f"SELECT * FROM {rows.table}")
        names = [name for name, *_ in shown.description]
        return [
            {name: value for name, value in zip(names, row, strict=True) if name not in rows.hidden}
            for row in shown.fetchall()
        ]


def outcome(source: FileSource) -> list[dict[str, object]] | DataError:
    """The rows of a source, or why it is refused."""
    try:
        return table(source)
    except DataError as error:
        return error


def notes(source: FileSource) -> tuple[str, ...]:
    with connect(reads=source.files()) as con:
        return source.attach(con, "purchases").notes


def failure(source: FileSource) -> DataError:
    """What reading the source says; it must fail, in one short message."""
    with pytest.raises(DataError) as told:
        read(source)
    assert "\n" not in told.value.found
    assert told.value.found.isprintable()
    assert len(str(told.value)) < 800
    assert told.value.mend
    return told.value

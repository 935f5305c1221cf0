"""Files of a run: how each is written, and how several of them make one run.

A run of one machine is one file. Where many write it, it is a folder of files of the same columns,
each with so many of the rows, in the order of their names; whoever reads the folder reads the run.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.atomic import flush, writable
from churnkit.errors import DataError
from churnkit.publishing.content import ContentHash

if TYPE_CHECKING:
    import pyarrow as pa

_HARDLY_REPEAT = ("customer_id", "reasons")


@dataclass(frozen=True)
class DataFile:
    """A file that holds rows of a run, or the folder of such files.

    Attributes
    ----------
    name
        Its name in the folder of the day; of a part, in the folder of the run.
    size
        Its bytes.
    sha256
        Of its bytes, as 64 hex digits; of a folder, of what is told of its files.
    rows
        How many rows it holds.
    """

    name: str
    size: int
    sha256: str
    rows: int

    @classmethod
    def of(cls, path: Path, name: str, rows: int) -> DataFile:
        """Size and hash of a file as it lies on the disk."""
        with path.open("rb") as file:
            told = file_digest(file, "sha256").hexdigest()
        return cls(name, path.stat().st_size, told, rows)

    @classmethod
    def folder(cls, name: str, parts: Sequence[DataFile]) -> DataFile:
        """What is told of a folder of files."""
        told = "".join(f"{p.name} {p.size} {p.sha256} {p.rows}\n" for p in parts)
        digest = sha256(told.encode()).hexdigest()
        return cls(name, sum(p.size for p in parts), digest, sum(p.rows for p in parts))


@dataclass(frozen=True)
class Part:
    """A part of a run that was written aside, to be named once all parts are there.

    Attributes
    ----------
    number
        Its place among the parts, from 0 on.
    aside
        The name under which it lies.
    file
        What is told of it.
    content
        Hash of its values, see `churnkit.publishing.content.ContentHash`.
    columns
        Names and types of its columns.
    """

    number: int
    aside: str
    file: DataFile
    content: str
    columns: tuple[tuple[str, str], ...]

    def to_json(self) -> str:
        """The part on its way to whoever names it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Part:
        """The part that `to_json` told."""
        told = json.loads(text)
        columns = tuple((name, kind) for name, kind in told["columns"])
        return cls(**{**told, "file": DataFile(**told["file"]), "columns": columns})


def write_part(folder: Path, number: int, tables: Iterable[pa.Table]) -> Part:
    """Write one part of a run; the same part may be written more than once, by whoever tries.

    Parameters
    ----------
    folder
        What `churnkit.publishing.Publication.folder` told; whoever writes must see it there.
    number
        The place of the part.
    tables
        Its rows, at least one, a few at a time.

    Raises
    ------
    ConfigError
        If the disk is full, or the folder is not there or cannot be written to.
    """
    name = f"part-{number:05}.parquet"
    aside = folder / f"{name}.{secrets.token_hex(4)}"
    told: ContentHash | None = None
    with writable(folder):
        sink: Any = None
        for table in tables:
            bare = table.replace_schema_metadata(None)
            if told is None or sink is None:
                schema = bare.schema
                told, sink = ContentHash(schema), writer(aside, schema)
            sink.write_table(bare)
            told.add(bare)
        if told is None:
            raise DataError("a part of a run has no row", "This is a bug of whatever writes it.")
        sink.close()
        flush(aside)
        columns = tuple((field.name, str(field.type)) for field in schema)
        file = DataFile.of(aside, name, told.rows)
    return Part(number, aside.name, file, told.hexdigest(), columns)


def content_of(parts: Sequence[Part]) -> str:
    """The hash of the values of all parts: of a single one its own."""
    if len(parts) == 1:
        return parts[0].content
    told = "".join(f"{part.file.rows} {part.content}\n" for part in parts)
    return sha256(told.encode()).hexdigest()


def require_whole(parts: Sequence[Part]) -> None:
    """Refuse parts that do not make a run: none, one twice or not at all, or of other columns.

    Raises
    ------
    DataError
        What is wrong with them.
    """
    numbers = [part.number for part in parts]
    if not parts or numbers != list(range(len(parts))) or len({p.columns for p in parts}) > 1:
        raise DataError(
            f"the parts {numbers} do not make a run, or do not have the same columns",
            "This is a bug of whatever writes them; nothing was published.",
        )


def writer(path: Path, schema: pa.Schema) -> Any:
    """What writes rows to a Parquet file of a run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    return pq.ParquetWriter(
        path, schema, compression="zstd", write_page_checksum=True,
        # Numbers and texts that hardly repeat only cost time in a dictionary.
        use_dictionary=[
            field.name for field in schema
            if pa.types.is_string(field.type) and field.name not in _HARDLY_REPEAT
        ],
    )  # fmt: skip

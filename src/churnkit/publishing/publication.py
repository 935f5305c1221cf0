"""A run while it is written: aside, hashed as it comes, and shown only when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit import __version__
from churnkit.atomic import flush, made_folder, new_beside, whole_file, writable
from churnkit.errors import DataError
from churnkit.publishing.content import ContentHash
from churnkit.publishing.manifest import DataFile, Manifest

if TYPE_CHECKING:
    import pyarrow as pa


_HARDLY_REPEAT = ("customer_id", "reasons")


class Publication:
    """One run on its way to the store; `churnkit.publishing.ScoreStore.publication` makes it.

    Parameters
    ----------
    folder
        The folder of the day.
    run, as_of, key, earlier
        See `churnkit.publishing.Manifest`.
    sequence
        The number of the run in its day.
    point
        Called once everything is on the disk: makes the run visible.
    known
        The same run, if it is there already: then nothing is written.
    """

    def __init__(
        self,
        folder: Path,
        run: str,
        as_of: str,
        key: str,
        earlier: tuple[str, ...],
        sequence: int,
        point: Callable[[Manifest], None],
        known: Manifest | None = None,
    ) -> None:
        self.known = known
        self.run = run
        self._folder, self._path = folder, folder / f"{run}.parquet"
        self._as_of, self._key, self._earlier, self._sequence = as_of, key, earlier, sequence
        self._point = point
        self._schema: pa.Schema | None = None
        self._hash: ContentHash | None = None
        self._aside: Path | None = None
        self._sink: Any = None

    def write(self, table: pa.Table) -> None:
        """Add rows; all tables of a run have the same columns and types.

        Raises
        ------
        ConfigError
            If the disk is full or cannot be written to; what is published stays as it is.
        DataError
            If the columns are not those of the tables before, or cannot be published.
        """
        if self.known is not None:
            return
        bare = table.replace_schema_metadata(None)
        if self._schema is None:
            self._begin(bare.schema)
        elif not bare.schema.equals(self._schema):
            raise DataError(
                f"the rows of {self._as_of} do not have the columns of the rows before them: "
                f"{_difference(self._schema, bare.schema)}",
                "This is a bug of whatever writes them; nothing was published.",
            )
        with writable(self._path):
            self._sink.write_table(bare)
        if self._hash is not None:
            self._hash.add(bare)

    def publish(self, told: Mapping[str, Any]) -> Manifest:
        """Make the run visible; everything is on the disk before that.

        Parameters
        ----------
        told
            What the manifest tells besides, JSON-ready: model, inputs, config, counts, lights …

        Returns
        -------
        Manifest
            The manifest, or that of the run which was there already.

        Raises
        ------
        ConfigError
            If the disk is full or cannot be written to; what was published before stays visible.
        DataError
            If no row was written.
        """
        if self.known is not None:
            return self.known
        odd = {*told} & {*Manifest.own_names(), "previous", "format", "seal"}
        if odd:
            raise ValueError(f"a manifest has a {min(odd)!r} of its own")
        if self._aside is None or self._hash is None or self._schema is None:
            raise DataError(
                f"nothing is to be published as of {self._as_of}", "Write the rows first."
            )
        with writable(self._path):
            self._sink.close()
            flush(self._aside)
            manifest = Manifest(
                run=self.run, as_of=self._as_of, key=self._key, sequence=self._sequence,
                earlier=self._earlier, content=self._hash.hexdigest(),
                file=data_file(self._aside, self._path.name, self._hash.rows),
                columns=tuple(self._schema.names), churnkit=__version__, told=dict(told),
            )  # fmt: skip
            text = manifest.to_json()
            self._aside.replace(self._path)
            self._aside = None
            flush(self._folder)
            flush(self._folder.parent)  # the folder of the day may be new
        with whole_file(self._path.with_suffix(".json")) as aside:
            aside.write_text(text, encoding="utf-8")
        shown = Manifest.from_json(text, self._path)  # as readers will see it: lists for tuples
        self._point(shown)
        return shown

    def drop(self) -> None:
        """Leave nothing behind of a run that was not published."""
        if self._sink is not None:
            with suppress(Exception):  # on a full disk it cannot write its end
                self._sink.close()
        if self._aside is not None:
            with suppress(OSError):
                self._aside.unlink(missing_ok=True)

    def _begin(self, schema: pa.Schema) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._hash = ContentHash(schema)
        with writable(self._path):
            made_folder(self._folder)
            self._aside = new_beside(self._path, partial(Path.touch, exist_ok=False))
            self._sink = pq.ParquetWriter(
                self._aside, schema, compression="zstd", write_page_checksum=True,
                # Numbers and texts that hardly repeat only cost time in a dictionary.
                use_dictionary=[
                    field.name for field in schema
                    if pa.types.is_string(field.type) and field.name not in _HARDLY_REPEAT
                ],
            )  # fmt: skip
        self._schema = schema


def data_file(path: Path, name: str, rows: int) -> DataFile:
    """Size and hash of a file as it lies on the disk."""
    with path.open("rb") as file:
        told = file_digest(file, "sha256").hexdigest()
    return DataFile(name, path.stat().st_size, told, rows)


def _difference(was: pa.Schema, now: pa.Schema) -> str:
    told = [
        f"{name} {_type(was, name)} → {_type(now, name)}"
        for name in dict.fromkeys([*was.names, *now.names])
        if _type(was, name) != _type(now, name)
    ]
    return ", ".join(told) or "they are in another order"


def _type(schema: pa.Schema, name: str) -> str:
    place = schema.get_field_index(name)
    return "absent" if place < 0 else str(schema.field(place).type)

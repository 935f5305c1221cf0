"""A run while it is written: aside, hashed as it comes, and shown only when it is whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit import __version__
from churnkit.atomic import flush, made_folder, new_beside, whole_file, writable
from churnkit.errors import DataError
from churnkit.publishing.content import ContentHash
from churnkit.publishing.manifest import Manifest
from churnkit.publishing.parts import DataFile, Part, content_of, require_whole, writer

if TYPE_CHECKING:
    import pyarrow as pa


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
        self._parts: Path | None = None
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
        _require_untold(told)
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
                file=DataFile.of(self._aside, self._path.name, self._hash.rows),
                columns=tuple(self._schema.names), churnkit=__version__, told=dict(told),
            )  # fmt: skip
            text = manifest.to_json()
            self._aside.replace(self._path)
            self._aside = None
            flush(self._folder)
            flush(self._folder.parent)  # the folder of the day may be new
        return self._shown(text)

    def _shown(self, text: str) -> Manifest:
        """Make a run visible whose rows are on the disk."""
        with whole_file(self._path.with_suffix(".json")) as aside:
            aside.write_text(text, encoding="utf-8")
        shown = Manifest.from_json(text, self._path)  # as readers will see it: lists for tuples
        self._point(shown)
        return shown

    def folder(self) -> Path:
        """A folder aside into which others write parts, see `churnkit.publishing.write_part`.

        Raises
        ------
        ConfigError
            If it cannot be made.
        """
        if self._parts is None:
            with writable(self._path):
                made_folder(self._folder)
                self._parts = new_beside(self._path, Path.mkdir)
        return self._parts

    def publish_parts(self, parts: Sequence[Part], told: Mapping[str, Any]) -> Manifest:
        """Make a run visible that others wrote in parts; a single part becomes a run of one file.

        Parameters
        ----------
        parts
            All parts, in any order; of a part that was tried more than once, the one that counts.
        told
            As for `publish`, which says what else may go wrong.

        Raises
        ------
        DataError
            If the parts do not make a run.
        """
        if self.known is not None:
            return self.known
        _require_untold(told)
        ordered = sorted(parts, key=lambda part: part.number)
        require_whole(ordered)
        with writable(self._path):
            files = self._named(ordered)
            flush(self._folder)
            flush(self._folder.parent)
        whole = files[0] if len(files) == 1 else DataFile.folder(self._path.name, files)
        manifest = Manifest(
            run=self.run, as_of=self._as_of, key=self._key, sequence=self._sequence,
            earlier=self._earlier, content=content_of(ordered), file=whole,
            columns=tuple(name for name, _ in ordered[0].columns), churnkit=__version__,
            told=dict(told), parts=tuple(files) if len(files) > 1 else (),
        )  # fmt: skip
        return self._shown(manifest.to_json())

    def _named(self, parts: Sequence[Part]) -> list[DataFile]:
        """Give the parts their names, and the run its own."""
        aside = self.folder()
        if len(parts) == 1:
            (aside / parts[0].aside).replace(self._path)
            return [replace(parts[0].file, name=self._path.name)]
        for part in parts:
            (aside / part.aside).replace(aside / part.file.name)
        for other in {*aside.iterdir()} - {aside / part.file.name for part in parts}:
            other.unlink()  # what was tried in vain
        flush(aside)
        aside.rename(self._path)
        self._parts = None
        return [part.file for part in parts]

    def drop(self) -> None:
        """Leave nothing behind of a run that was not published."""
        if self._sink is not None:
            with suppress(Exception):  # on a full disk it cannot write its end
                self._sink.close()
        if self._aside is not None:
            with suppress(OSError):
                self._aside.unlink(missing_ok=True)
        if self._parts is not None:
            shutil.rmtree(self._parts, ignore_errors=True)

    def _begin(self, schema: pa.Schema) -> None:
        self._hash = ContentHash(schema)
        with writable(self._path):
            made_folder(self._folder)
            self._aside = new_beside(self._path, partial(Path.touch, exist_ok=False))
            self._sink = writer(self._aside, schema)
        self._schema = schema


def _require_untold(told: Mapping[str, Any]) -> None:
    odd = {*told} & {*Manifest.own_names(), "previous", "format", "seal"}
    if odd:
        raise ValueError(f"a manifest has a {min(odd)!r} of its own")


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

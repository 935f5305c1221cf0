"""The folder of published scores.

::

    scores/current.json                        the pointer: the run of each day, and its manifest
    scores/as_of=2024-05-15/3f9c….parquet      the rows of a run: a file, or a folder of parts
    scores/as_of=2024-05-15/3f9c….json         its manifest
    scores/.lock                               held by the one process that writes

A run is visible once ``current.json``, which is replaced in one step, names it, and by then
everything it names is on the disk. A process that is killed before leaves files that nothing names;
the next one to take the lock removes them. Order is told by numbers in the manifests, never by the
times of files, so a clock that goes backwards changes nothing.
"""

from __future__ import annotations

import re
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from churnkit.atomic import made_folder, whole_file, writable
from churnkit.clock import Cutoff, Moment
from churnkit.errors import Busy, ConfigError, DataError, did_you_mean
from churnkit.mentions import NOTES, Mentions
from churnkit.publishing.manifest import RUN, Manifest, sealed, unsealed
from churnkit.publishing.parts import DataFile
from churnkit.publishing.publication import Publication

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

T = TypeVar("T")

POINTER = "current.json"
_LOCK = ".lock"
_DAY = "as_of="
_KEY = re.compile(r"[0-9a-f]{12,}")
# What `whole_file` and a publication write aside, of which a killed process leaves some.
_ASIDE = re.compile(rf"\.({RUN.pattern}\.(parquet|json)|current\.json)\.[a-z0-9_]{{8}}")
_DAYS_TOLD = 5
_ROWS_AT_ONCE = 100_000


class StaleScores(UserWarning):
    """The newest scores are damaged, and the last good ones were read in their place."""


@dataclass(frozen=True)
class _Entry:
    """What the pointer says of a day: its run, the sha256 of its manifest, its number."""

    run: str
    manifest: str
    sequence: int


class ScoreStore:
    """The published runs of a folder.

    Everything that writes is done with the `lock` held; readers need none, and see what the pointer
    named when they began.

    Parameters
    ----------
    folder
        Where the runs lie; made by the first publication.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held = False

    def __repr__(self) -> str:
        return f"ScoreStore({str(self.folder)!r})"

    # ── Reading ─────────────────────────────────────────────────────────────────────────────

    def days(self) -> tuple[str, ...]:
        """The days that are published, in rising order.

        Raises
        ------
        DataError
            If the pointer is damaged.
        ConfigError
            If a newer churnkit wrote it.
        """
        return tuple(sorted(self._pointer()))

    def manifest(self, day: str) -> Manifest:
        """The manifest of the run that is published for a day.

        Raises
        ------
        DataError
            If there is none, or it is damaged.
        ConfigError
            If a newer churnkit wrote it.
        """
        return self._told(day, self._manifest_of)

    def path(self, day: str) -> Path:
        """The Parquet file of the run that is published for a day, after it was verified.

        A run that many wrote is a folder of files, which pandas, Arrow and Spark read as one.

        Raises
        ------
        DataError
            If there is none, or it is damaged.
        ConfigError
            If a newer churnkit wrote it.
        """
        return self._told(day, lambda told: self.verified(self._manifest_of(told)))

    def read(self, day: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows that are published for a day, or some of their columns, which is far faster.

        Raises
        ------
        DataError
            If there are none, they are not what was published, or they lack a column.
        ConfigError
            If a newer churnkit wrote them.
        """
        return self._told(day, lambda told: self._frame(self._manifest_of(told), columns))

    def newest(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows of the newest day; the last good ones, with a warning, if those are damaged.

        Warns
        -----
        StaleScores
            If something is damaged, with what that is and what was read in its place.

        Raises
        ------
        DataError
            If nothing is published, nothing can be read any more, or a column is lacking.
        ConfigError
            If a newer churnkit wrote the store.
        """
        try:
            days = self.days()
            if not days:
                raise _NothingPublished(
                    f"no scores are published in {self.folder}",
                    "churnkit score --as-of DATE publishes some.",
                )
            return self.read(days[-1], columns)
        except (_NothingPublished, _NoColumn):
            raise
        except DataError as error:
            good = self.last_good()
            if good is None:
                raise
            said = f"{error.found}; the scores of {good.as_of} (run {good.run}) were read instead"
            warnings.warn(said, StaleScores, stacklevel=3)
            return self._frame(good, columns)

    def runs(self) -> list[Manifest]:
        """Every run that was published and is still kept, by day and in order of publication.

        A run whose manifest is damaged is left out, as are its forerunners if it is the last one.

        Raises
        ------
        DataError
            If the pointer is damaged.
        ConfigError
            If a newer churnkit wrote the store.
        """
        found: list[Manifest] = []
        for day, entry in sorted(self._pointer().items()):
            known = self._readable(day, entry.run, entry.manifest)
            earlier = () if known is None else known.earlier
            past = (self._readable(day, run) for run in earlier)
            found += [manifest for manifest in (*past, known) if manifest is not None]
        return found

    def verified(self, manifest: Manifest) -> Path:
        """The Parquet file of a run, or the folder of its parts, which is what was published.

        Raises
        ------
        DataError
            If it is not there or damaged.
        """
        path = self._folder_of(manifest.as_of) / manifest.file.name
        for part, told in _files_of(path, manifest):
            with _opened(part) as file:
                _require_same(file, told)
        return path

    def last_good(self) -> Manifest | None:
        """The last run that is whole, of the newest day that has one; ``None`` without any."""
        try:
            days = self.days()
            known = self.runs()
        except DataError:  # what the pointer says is lost, but manifests tell their order, too
            days, known = (), self._sealed_runs()
        order = {day: place for place, day in enumerate(days)}
        known.sort(key=lambda one: (order.get(one.as_of, 0), one.as_of, one.sequence))
        for manifest in reversed(known):
            try:
                self.verified(manifest)
            except DataError:
                continue
            return manifest
        return None

    # ── Writing ─────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one process that writes; and remove what a killed one left behind.

        The lock is the operating system's: it is free as soon as its process has ended, however
        that came. Files that are not ours are never touched.

        Raises
        ------
        Busy
            If another process holds it.
        ConfigError
            If the folder cannot be written to, or a newer churnkit wrote to it.
        DataError
            If the pointer is damaged; what is published then stays as it is.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(made_folder(self.folder) / _LOCK, timeout=0)
        with writable(self.folder):
            try:
                lock.acquire()
            except Timeout:
                raise Busy(
                    f"another run is publishing to {self.folder}",
                    "Wait until it is done. The lock is free as soon as that process has ended.",
                ) from None
        try:
            self._held = True
            self._adopt()
            self._clean()
            yield
        finally:
            self._held = False
            lock.release()

    def published(self, as_of: Cutoff | str, key: str) -> Manifest | None:
        """The run that is published for a day, if it was made from the same and is whole."""
        try:
            manifest = self.manifest(str(as_of))
            if manifest.key != key:
                return None
            self.verified(manifest)
        except DataError:
            return None
        return manifest

    @contextmanager
    def publication(
        self, as_of: Cutoff | str, key: str, force: bool = False
    ) -> Iterator[Publication]:
        """A run to be written; nothing of it is left unless it is published in the block.

        Parameters
        ----------
        as_of
            The day it is about.
        key
            Hex digits of a hash of everything that it is made from, at least 12.
        force
            Whether to publish anew what is there already.

        Raises
        ------
        ConfigError
            If the disk is full or cannot be written to; what is published stays as it is.
        """
        if not self._held:
            raise RuntimeError("a run is published with the lock of its store held")
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no hash in hex digits")
        day = str(as_of)
        known = None if force else self.published(day, key)
        earlier, sequence = self._history(day)
        publication = Publication(
            self._folder_of(day), self._free_name(day, key[:12], earlier), day, key, earlier,
            sequence, self._point, known,
        )  # fmt: skip
        try:
            yield publication
        finally:
            publication.drop()

    def prune(self, keep: int, days: int | None = None) -> tuple[str, ...]:
        """Remove old runs, oldest first; what the pointer names stays.

        Parameters
        ----------
        keep
            So many of the newest runs of each day stay, at least 1.
        days
            So many of the newest days stay; by default all. The pointer forgets the others first.

        Returns
        -------
        tuple of str
            What was removed, as ``DAY/RUN``.

        Raises
        ------
        ConfigError
            If a file cannot be removed.
        """
        if not self._held:
            raise RuntimeError("runs are removed with the lock of their store held")
        if keep < 1 or (days is not None and days < 1):
            raise ValueError("at least one run and one day are kept")
        runs, pointer = self.runs(), self._pointer()
        gone = [] if days is None else sorted(pointer)[:-days]
        old = [one for one in runs if one.as_of in gone]
        for day in sorted({*pointer} - {*gone}):
            theirs = [one for one in runs if one.as_of == day]
            old += [one for one in theirs[:-keep] if one.run != pointer[day].run]
        if gone:
            self._write_pointer({d: e for d, e in pointer.items() if d not in gone})
        with writable(self.folder):
            for one in old:
                self._remove(self._folder_of(one.as_of), one.run)
            for day in gone:
                _remove_if_empty(self._folder_of(day))
        return tuple(f"{one.as_of}/{one.run}" for one in old)

    def rows_of(self, mentions: Mentions) -> Counter[str]:
        """Customer → rows in all runs that are kept, of those who are sought.

        Raises
        ------
        DataError
            If a run is damaged: nobody can say whose rows it holds.
        """
        found: Counter[str] = Counter()
        for one in self.runs():
            for table in self._tables(one, ["customer_id"]):
                found += mentions.counted(table["customer_id"])
        return found

    def forget(self, mentions: Mentions) -> tuple[Manifest, ...]:
        """Write every run that names some customers anew without them, and show all at once.

        Each gets a name of its own and tells in ``replaces`` under which it was published before;
        what readers see is the old runs or the new ones. The old files are removed.

        Parameters
        ----------
        mentions
            Who is to go.

        Returns
        -------
        tuple of Manifest
            The new runs.

        Raises
        ------
        DataError
            If a run is damaged; nothing is changed then.
        ConfigError
            If the disk is full or cannot be written to; what is published stays as it is.
        """
        if not self._held:
            raise RuntimeError("runs are changed with the lock of their store held")
        pointer, known, anew = self._pointer(), self.runs(), list[Manifest]()
        for day in pointer:
            renamed: dict[str, str] = {}
            for one in (one for one in known if one.as_of == day):
                if renamed.keys() & {*one.earlier} or self._names(one, mentions):
                    anew.append(self._without(one, mentions, renamed))
                    renamed[one.run] = anew[-1].run
                    if pointer[day].run == one.run:
                        pointer = {**pointer, day: _entry(anew[-1])}
        if anew:
            self._write_pointer(pointer)
            self._clean()
        return tuple(anew)

    def _names(self, one: Manifest, mentions: Mentions) -> bool:
        """Whether a run or what it tells names one of them."""
        if mentions.pruned(one.told) != one.told:
            return True
        columns = [name for name in ("customer_id", *NOTES) if name in one.columns]
        tables = self._tables(one, columns)
        return any(mentions.of_others(table) != table for table in tables)

    def _without(self, one: Manifest, mentions: Mentions, renamed: Mapping[str, str]) -> Manifest:
        """A run written anew without them, which nothing names yet."""
        earlier = tuple(renamed.get(run, run) for run in one.earlier)
        told = dict(mentions.pruned(one.told))
        told["replaces"] = [*told.get("replaces", ()), one.run]
        publication = Publication(
            self._folder_of(one.as_of), self._free_name(one.as_of, one.key[:12], one.earlier),
            one.as_of, one.key, earlier, one.sequence, lambda _: None,
        )  # fmt: skip
        try:
            for table in self._tables(one):
                publication.write(mentions.of_others(table))
            return publication.publish(told)
        finally:
            publication.drop()

    def _tables(self, one: Manifest, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of a run in their order, some at a time, once they were verified."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.verified(one)
        for part in [path / p.name for p in one.parts] if one.parts else [path]:
            with pq.ParquetFile(part, page_checksum_verification=True) as file:
                names = columns or file.schema_arrow.names
                yield file.schema_arrow.empty_table().select(names)
                for batch in file.iter_batches(_ROWS_AT_ONCE, columns=names):
                    yield pa.Table.from_batches([batch])

    # ── The pointer ─────────────────────────────────────────────────────────────────────────

    def _pointer(self) -> dict[str, _Entry]:
        """Day → what is published for it; nothing before the first publication."""
        path = self.folder / POINTER
        if not path.exists():
            if not self._held and self._sealed_runs():
                raise DataError(
                    f"{path} is gone, and runs lie beside it",
                    "The next churnkit score makes it anew from their manifests.",
                )
            return {}
        try:
            return _entries(unsealed(_text(path), path), path)
        except DataError as error:
            raise DataError(
                error.found,
                f"Remove {path}: the next churnkit score finds the runs again by their manifests.",
            ) from error

    def _write_pointer(self, told: Mapping[str, _Entry]) -> None:
        days = {day: asdict(entry) for day, entry in sorted(told.items())}
        text = sealed({"newest": max(days, default=None), "days": days})
        with whole_file(self.folder / POINTER) as aside:
            aside.write_text(text, encoding="utf-8")

    def _point(self, manifest: Manifest) -> None:
        """Make a run visible that is on the disk."""
        self._write_pointer({**self._pointer(), manifest.as_of: _entry(manifest)})

    def _adopt(self) -> None:
        """Make a pointer from the manifests where there is none: somebody removed a damaged one.

        A new store gets an empty one, so that a pointer that is not there was removed.
        """
        if (self.folder / POINTER).exists():
            return
        last: dict[str, Manifest] = {}
        for one in sorted(self._sealed_runs(), key=lambda one: one.sequence):
            last[one.as_of] = one
        self._write_pointer({day: _entry(one) for day, one in last.items()})

    # ── Runs ────────────────────────────────────────────────────────────────────────────────

    def _told(self, day: str, look: Callable[[tuple[str, _Entry]], T]) -> T:
        """What is found at the run of a day, again if the pointer was moved on meanwhile."""
        while True:
            entry = self._pointer().get(day)
            if entry is None:
                raise self._not_published(day)
            try:
                return look((day, entry))
            except _NoColumn:
                raise
            except DataError as error:
                if self._pointer().get(day) == entry:
                    raise self._with_a_way_out(error, day) from error

    def _not_published(self, day: str) -> DataError:
        known = self.days()
        there = f"There are {', '.join(known[-_DAYS_TOLD:])}. " if known else ""
        return DataError(
            f"no scores as of {day} are published in {self.folder}",
            f"{there}churnkit score --as-of {day} publishes them.",
        )

    def _with_a_way_out(self, error: DataError, day: str) -> DataError:
        good = self.last_good()
        last = "" if good is None else f" The last good run is {good.run} of {good.as_of}."
        mend = f"Score that day anew with churnkit score --as-of {day}, or bring the file back."
        return DataError(error.found, f"{mend}{last}")

    def _manifest_of(self, told: tuple[str, _Entry]) -> Manifest:
        day, entry = told
        path = self._folder_of(day) / f"{entry.run}.json"
        text = _text(path)
        manifest = Manifest.from_json(text, path)
        if sha256(text.encode()).hexdigest() != entry.manifest or manifest.as_of != day:
            raise DataError(f"{path} is not the manifest that {self.folder / POINTER} names")
        return manifest

    def _readable(self, day: str, run: str, digest: str | None = None) -> Manifest | None:
        """The manifest of a run; ``None`` if it is damaged or was removed."""
        path = self._folder_of(day) / f"{run}.json"
        try:
            text = _text(path)
            manifest = Manifest.from_json(text, path)
        except DataError:
            return None
        same = digest is None or sha256(text.encode()).hexdigest() == digest
        return manifest if same and (manifest.as_of, manifest.run) == (day, run) else None

    def _sealed_runs(self) -> list[Manifest]:
        """The manifests that are as they were written, whether or not the pointer names them."""
        found = []
        for folder, name in self._files("json"):
            try:
                manifest = Manifest.from_json(_text(folder / f"{name}.json"), folder)
            except DataError:
                continue
            if self._folder_of(manifest.as_of) == folder and manifest.run == name:
                found.append(manifest)
        return found

    def _history(self, day: str) -> tuple[tuple[str, ...], int]:
        """The runs of a day so far, and the number of the next one."""
        entry = self._pointer().get(day)
        if entry is None:
            return (), 1
        known = self._readable(day, entry.run, entry.manifest)
        earlier = () if known is None else known.earlier
        return (*earlier, entry.run), entry.sequence + 1

    def _free_name(self, day: str, stem: str, earlier: Sequence[str]) -> str:
        """A name that no run of the day ever had."""
        folder = self._folder_of(day)
        taken = {*earlier, *(name for at, name in self._files("json", "parquet") if at == folder)}
        names = (stem if k == 1 else f"{stem}-{k}" for k in range(1, len(taken) + 2))
        return next(name for name in names if name not in taken)

    def _frame(self, manifest: Manifest, columns: Sequence[str] | None) -> pd.DataFrame:
        import pyarrow as pa

        for name in columns or ():
            if name not in manifest.columns:
                raise _NoColumn(
                    f"the scores as of {manifest.as_of} have no column {name!r}",
                    f"{did_you_mean(name, manifest.columns)}There are "
                    f"{', '.join(manifest.columns)}.",
                )
        path = self._folder_of(manifest.as_of) / manifest.file.name
        tables = [_table(part, told, columns) for part, told in _files_of(path, manifest)]
        return pa.concat_tables(tables).to_pandas()

    # ── Files ───────────────────────────────────────────────────────────────────────────────

    def _folder_of(self, day: str) -> Path:
        return self.folder / f"{_DAY}{day.replace(':', '_')}"

    def _files(self, *endings: str) -> Iterator[tuple[Path, str]]:
        """Folder and name of every file that is called like a run, for each of the endings."""
        for folder in sorted(self.folder.glob(f"{_DAY}*")):
            for ending in endings:
                for path in sorted(folder.glob(f"*.{ending}")):
                    if RUN.fullmatch(path.stem):
                        yield folder, path.stem

    def _clean(self) -> None:
        """Remove what a killed process left: files aside, and runs that nothing names."""
        with writable(self.folder):
            for folder in (self.folder, *self.folder.glob(f"{_DAY}*")):
                for path in folder.glob(".*"):
                    if _ASIDE.fullmatch(path.name):
                        _remove_whole(path)
            named = self._named()
            for folder, run in self._files("parquet"):
                if not (folder / f"{run}.json").exists() and run not in named.get(folder, {run}):
                    _remove_whole(folder / f"{run}.parquet")
            for one in self._sealed_runs():
                folder = self._folder_of(one.as_of)
                if one.run not in named.get(folder, {one.run}):
                    self._remove(folder, one.run)

    def _named(self) -> dict[Path, set[str]]:
        """Folder of a day → the runs that pointer and manifests name.

        A day whose manifest is damaged is left out: nobody can say what it named.
        """
        pointer = self._pointer()
        found: dict[Path, set[str]] = {}
        for folder in self.folder.glob(f"{_DAY}*"):
            found[folder] = set()
        for day, entry in pointer.items():
            known = self._readable(day, entry.run, entry.manifest)
            folder = self._folder_of(day)
            if known is None:
                found.pop(folder, None)
            else:
                found[folder] = {*known.earlier, entry.run}
        return found

    def _remove(self, folder: Path, run: str) -> None:
        # The manifest first: a file without one is an orphan, a manifest without a file is damage.
        (folder / f"{run}.json").unlink(missing_ok=True)
        _remove_whole(folder / f"{run}.parquet")


def read_scores(
    as_of: Moment | Cutoff | None = None,
    folder: Path | str = "scores",
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Published scores, once they were found to be what was published.

    Parameters
    ----------
    as_of
        The day they are about; by default the newest one. If the newest scores are damaged, the
        last good ones are read with a `StaleScores` warning; a day that is asked for is not
        replaced by another.
    folder
        The folder of the scores, ``scores`` in ``[output]``.
    columns
        Only these; reading few is far faster.

    Returns
    -------
    pandas.DataFrame
        One row per customer at risk, best rank first.

    Raises
    ------
    DataError
        If nothing is published, something is damaged, or a column is lacking.
    ConfigError
        If a newer churnkit wrote the store.
    """
    store = ScoreStore(Path(folder))
    if as_of is None:
        return store.newest(columns)
    day = str(as_of)
    if not isinstance(as_of, Cutoff) and day not in store.days():
        day = str(Cutoff.parse(as_of))
    return store.read(day, columns)


class _NothingPublished(DataError):
    """There is nothing to read, rather than something damaged."""


class _NoColumn(DataError):
    """A column is asked for that there is not; the scores are as good as ever."""


def _entries(values: Mapping[str, Any], path: Path) -> dict[str, _Entry]:
    try:
        told = {str(day): _Entry(**entry) for day, entry in values["days"].items()}
        for day, entry in told.items():
            Cutoff.parse(day)
            if not RUN.fullmatch(entry.run):
                raise ValueError(f"{entry.run!r} is no run")
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
        raise DataError(f"{path} is damaged: it does not name runs ({error})") from error
    return told


def _entry(manifest: Manifest) -> _Entry:
    digest = sha256(manifest.to_json().encode()).hexdigest()
    return _Entry(manifest.run, digest, manifest.sequence)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} is not there") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is damaged: it is no text ({error.reason})") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise DataError(f"{path} is not there") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})") from error
    with file:
        yield file


def _files_of(path: Path, manifest: Manifest) -> list[tuple[Path, DataFile]]:
    """The files of a run in the order of its rows, and what was published of each."""
    if not manifest.parts:
        return [(path, manifest.file)]
    there = {file.name for file in path.iterdir()} if path.is_dir() else set()
    names = {part.name for part in manifest.parts}
    if there != names:
        odd = min(there ^ names)
        raise DataError(f"{path} is damaged: {odd} is {'missing' if odd in names else 'too much'}")
    return [(path / part.name, part) for part in manifest.parts]


def _table(path: Path, told: DataFile, columns: Sequence[str] | None) -> pa.Table:
    """The rows of a file, once it was found to be what was published."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _opened(path) as file:
        _require_same(file, told)  # the very bytes that are read below
        file.seek(0)
        try:
            return pq.read_table(
                file,
                columns=None if columns is None else [*columns],
                page_checksum_verification=True,
            )
        except (OSError, pa.ArrowException, ValueError) as error:
            raise DataError(f"{path} cannot be read ({error})") from error


def _remove_whole(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _require_same(file: Any, told: DataFile) -> None:
    """Refuse bytes that are not those that were published."""
    size = file.seek(0, 2)
    if size != told.size:
        raise DataError(
            f"{file.name} is damaged: it has {size:,} bytes, and {told.size:,} were published"
        )
    file.seek(0)
    if file_digest(file, "sha256").hexdigest() != told.sha256:
        raise DataError(f"{file.name} is damaged: its sha256 is not that of its manifest")


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()

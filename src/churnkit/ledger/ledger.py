"""The ledger of runs, overrides and outcomes: rows are added, and none is ever changed.

Only the rows of people who are forgotten are taken out, see `churnkit.ledger.forgetting`.

What was published is the truth, and the ledger is caught up from it: a process that is killed
between the two leaves nothing that the next `Ledger.catch_up` does not mend. What the next run must
know of the one before it (colours for hysteresis and changes, arms for outcomes) is read from here
and from nowhere else.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.clock import Cutoff, has_come
from churnkit.errors import DataError, OldFormat, did_you_mean
from churnkit.ledger.book import Book, Session
from churnkit.ledger.duck import DuckBook
from churnkit.ledger.forgetting import OF_CUSTOMERS, rows_of, take_out
from churnkit.ledger.older import older_rows, older_runs
from churnkit.ledger.postgres import PostgresBook
from churnkit.ledger.tables import (
    Stream,
    arrow_of,
    arrow_of_table,
    both_hold,
    columns_told,
    plain,
    require_storable,
    sql_of,
    told_columns,
)
from churnkit.logs.sql import literal, quoted
from churnkit.mentions import Mentions
from churnkit.pseudonyms import FINGERPRINT, is_pseudonym
from churnkit.publishing import Manifest, ScoreStore, content_hash

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_BATCH = 65_536
_LIKELY = 5_000  # ids that are looked through for one that is like another


@dataclass(frozen=True)
class CaughtUp:
    """What was added to the ledger.

    Attributes
    ----------
    runs
        The published runs, as ``DAY/RUN``.
    overrides, outcomes
        How many entries of overrides and rows of outcomes.
    damaged
        Published runs that are lost to the ledger, since their files are damaged.
    """

    runs: tuple[str, ...] = ()
    overrides: int = 0
    outcomes: int = 0
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ledger:
    """All runs, and what people did about them.

    A run has one row per customer at risk, with the columns ``customer_id``, ``as_of``,
    ``model_version``, ``policy``, ``churn_probability``, ``value_at_risk``, ``rank``, ``light``,
    ``base_light``, ``held_light``, ``light_before`` …; `churnkit.scoring.Scores.to_run`
    and `churnkit.actions.plan` tell them all.

    Of the runs of a day one counts: the newest, unless outcomes were recorded for the day before it
    came; then the one they were recorded for.

    Attributes
    ----------
    folder
        Where the file ``ledger.duckdb`` lies; made by the first run.
    url
        A PostgreSQL to keep it in instead, ``${NAME}`` as for logs.
    wait_seconds
        How long others who write are waited for.

    Raises
    ------
    Busy
        By every method, if another process writes for longer than that.
    ConfigError
        By every method, if a newer churnkit wrote the ledger.
    DataError
        By every method, if the file is damaged, or the server cannot be reached.
    """

    folder: Path
    url: str | None = None
    wait_seconds: float = 10.0

    @cached_property
    def _book(self) -> Book:
        if self.url is None:
            return DuckBook(self.folder, self.wait_seconds)
        return PostgresBook(self.url, self.wait_seconds)

    @property
    def says(self) -> str:
        """How messages call it: its file, or its address without a password."""
        return self._book.says

    # ── Reading ─────────────────────────────────────────────────────────────────────────────

    def days(self) -> tuple[str, ...]:
        """The days of which there is a run, in rising order."""
        with self._book.reading() as session:
            if session is None:
                return ()
            found = session.rows(f"SELECT DISTINCT as_of FROM {session.name('runs')}")
        return tuple(sorted(found["as_of"].to_pylist()))

    def read(self, day: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The run of a day that counts, or some of its columns, which is far faster.

        Raises
        ------
        DataError
            If there is none, or it lacks one of the columns.
        """
        with self._book.reading() as session:
            if session is not None:
                number, known = _counting(session, day)
                if number is not None:
                    names = list(known) if columns is None else [*columns]
                    self._require_columns(day, names, known)
                    return _frame(session, number, {name: known[name] for name in names})
        raise self._no_run(day)

    def columns(self, day: str) -> tuple[str, ...]:
        """Names of the columns of the run of a day that counts.

        Raises
        ------
        DataError
            If there is none.
        """
        with self._book.reading() as session:
            if session is not None:
                number, known = _counting(session, day)
                if number is not None:
                    return tuple(known)
        raise self._no_run(day)

    def before(self, as_of: Cutoff) -> pd.DataFrame | None:
        """The latest run of an earlier day; ``None`` if there is none."""
        day = self.day_before(as_of)
        return None if day is None else self.read(day)

    def day_before(self, as_of: Cutoff) -> str | None:
        """The latest earlier day of which there is a run; ``None`` if there is none."""
        earlier = [day for day in self.days() if not has_come(as_of, Cutoff.parse(day, as_of.zone))]
        return earlier[-1] if earlier else None

    def latest(self, as_of: Cutoff) -> pd.DataFrame | None:
        """The latest run of a day up to this one; ``None`` if there is none."""
        known = [day for day in self.days() if has_come(Cutoff.parse(day, as_of.zone), as_of)]
        return self.read(known[-1]) if known else None

    def runs(self) -> pd.DataFrame:
        """Every run that was ever added, in order, without its rows.

        Columns: ``number``, ``run``, ``as_of``, ``sequence`` (of the day), ``counts`` (whether it
        took the place of the runs of its day before it), ``model_version``, ``policy``, ``config``,
        ``content`` (hash of its values), ``customers``, ``red``, ``yellow``, ``green``,
        ``columns`` (JSON), ``told`` (the manifest as JSON).
        """
        return self._all("runs", "number")

    def key_of_pseudonyms(self) -> str | None:
        """Fingerprint of the key that names the customers of the newest run.

        Empty if they have their ids, ``None`` without a run.
        """
        with self._book.reading() as session:
            if session is None:
                return "" if older_runs(self.folder) else None
            runs = session.name("runs")
            found = session.rows(f"SELECT told FROM {runs} ORDER BY number DESC LIMIT 1")
        for told in found["told"].to_pylist():
            return str(json.loads(told or "{}").get(FINGERPRINT, ""))
        return None

    def overrides(self) -> pd.DataFrame:
        """Every entry of an override that was ever added, in order."""
        return self._all("overrides", "entry")

    def outcomes(self) -> pd.DataFrame:
        """Every deed that was ever recorded, in order."""
        return self._all("outcomes", "record, row")

    def of_customer(self, customer: str) -> dict[str, pd.DataFrame]:
        """All that is known of a customer: frames of ``runs``, ``overrides`` and ``outcomes``.

        ``runs`` holds the rows of the runs that count, by day, with ``run`` and ``sequence``.
        """
        who = f"customer_id = {literal(customer)}"
        with self._book.reading() as session:
            if session is None:
                return {name: _empty(name) for name in ("runs", "overrides", "outcomes")}
            runs, scores = session.name("runs"), session.name("scores")
            return {
                "runs": session.rows(
                    f"SELECT r.run, r.sequence, s.* FROM {scores} AS s JOIN {runs} AS r "
                    f"ON s.number = r.number WHERE s.{who} AND r.number IN (SELECT max(number) "
                    f"FROM {runs} WHERE counts GROUP BY as_of) ORDER BY r.as_of"
                ).to_pandas(),
                "overrides": session.rows(
                    f"SELECT * FROM {session.name('overrides')} WHERE {who} ORDER BY entry"
                ).to_pandas(),
                "outcomes": session.rows(
                    f"SELECT * FROM {session.name('outcomes')} WHERE {who} ORDER BY record, row"
                ).to_pandas(),
            }

    def like(self, customer: str) -> tuple[str, ...]:
        """Ids of customers of the newest run that are about as long, and begin or end alike.

        None is like a pseudonym: whoever gave an id meant none of them.
        """
        if is_pseudonym(customer):
            return ()
        with self._book.reading() as session:
            if session is None:
                return ()
            runs, scores = session.name("runs"), session.name("scores")
            told = customer.strip().lower()
            alike = " OR ".join(
                f"lower({part}(customer_id, 2)) = {literal(end)}"
                for part, end in (("left", told[:2]), ("right", told[-2:]))
            )
            found = session.rows(
                f"SELECT customer_id FROM {scores} WHERE number = (SELECT max(number) FROM {runs}) "
                f"AND abs(length(customer_id) - {len(told)}) <= 2 AND ({alike}) "
                f"ORDER BY place LIMIT {_LIKELY}"
            )
        return tuple(found["customer_id"].to_pylist())

    # ── Adding ──────────────────────────────────────────────────────────────────────────────

    def write(self, run: pd.DataFrame, as_of: Cutoff) -> Path:
        """Add the run of a day that was not published, and tell the file of the ledger.

        The same run twice adds nothing.

        Raises
        ------
        ConfigError
            If the folder cannot be written to; the ledger stays as it was.
        """
        import pyarrow as pa

        try:
            table = pa.Table.from_pandas(run, preserve_index=False).replace_schema_metadata(None)
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise DataError(f"the run of {as_of} cannot be kept: {error}", "") from error
        with self._book.writing() as session:
            _add_table(session, str(as_of), table)
        return self.folder / "ledger.duckdb" if self.url is None else self.folder

    def catch_up(
        self,
        store: ScoreStore,
        overrides: Sequence[Mapping[str, Any]] = (),
        outcomes: pd.DataFrame | None = None,
    ) -> CaughtUp:
        """Add what was published and done and is not here yet; each run whole or not at all.

        Outcomes are added first, since a run that comes after they were recorded does not count.
        Before all else it takes over the runs of a ledger from before it was a database.

        Parameters
        ----------
        store
            The published scores.
        overrides
            All entries in order, each with the fields of `churnkit.lights.Override`.
        outcomes
            All records, as `churnkit.outcomes.Deeds.history` gives them.

        Raises
        ------
        ConfigError
            If the ledger cannot be written to; it is then as it was after the last whole step.

        Warns
        -----
        OldFormat
            If runs of an older churnkit were taken over.
        """
        self._take_over(older_runs(self.folder))
        added = self.add_deeds(overrides, outcomes)
        runs, damaged = [], []
        known = {(told[0], told[1]) for told in self._known_runs()}
        for manifest in store.runs():
            if (manifest.as_of, manifest.run) in known:
                continue
            name = f"{manifest.as_of}/{manifest.run}"
            try:
                path = store.verified(manifest)
            except DataError:
                damaged.append(name)
                continue
            if self._add_published(manifest, path):
                runs.append(name)
        return CaughtUp(tuple(runs), *added, tuple(damaged))

    def add_deeds(
        self, overrides: Sequence[Mapping[str, Any]] = (), outcomes: pd.DataFrame | None = None
    ) -> tuple[int, int]:
        """Add the overrides and outcomes that are not here yet, and tell how many of each.

        Parameters
        ----------
        overrides, outcomes
            See `catch_up`.
        """
        recorded = set() if outcomes is None else set(outcomes["record"].tolist())
        with self._book.reading() as session:
            entries, records = (0, set()) if session is None else _deeds_there(session)
        if len(overrides) <= entries and recorded <= records:
            return 0, 0
        with self._book.writing() as session:
            entries, records = _deeds_there(session)  # nobody else adds from now on
            new = _overrides_of(overrides, entries)
            session.append("overrides", new.to_reader())
            if outcomes is None:
                return new.num_rows, 0
            rows = _outcomes_of(outcomes, records)
            session.append("outcomes", rows.to_reader())
            return new.num_rows, rows.num_rows

    # ── Forgetting ──────────────────────────────────────────────────────────────────────────

    def rows_of(self, mentions: Mentions) -> dict[str, Counter[str]]:
        """Table → customer → rows, of those who are sought."""
        with self._book.reading() as session:
            if session is None:
                return {}
            return {table: rows_of(session, table, mentions) for table in OF_CUSTOMERS}

    def forget(self, mentions: Mentions, published: Sequence[Manifest] = ()) -> None:
        """Take all rows of some customers out, and leave nothing of them on the disk.

        Runs that were published anew without them take the place of those that they replace. What
        was told of all customers of a run together stays as it was.

        Parameters
        ----------
        mentions
            Who is to go.
        published
            The runs that are published now; see `churnkit.publishing.ScoreStore.forget`.
        """
        with self._book.reading() as session:
            if session is None:
                return
        with self._book.writing() as session:
            take_out(session, mentions, published)
        self._book.wipe()

    # ── Inside ──────────────────────────────────────────────────────────────────────────────

    def _take_over(self, files: Mapping[str, Path]) -> None:
        """Add the runs of older files that are not here yet: all of them, or none."""
        known = {*self.days()} if files else set()
        new = [day for day in files if day not in known]
        if not new:
            return
        with self._book.writing() as session:
            for day in new:
                _add_table(session, day, older_rows(files[day]))
        warnings.warn(
            f"the ledger was that of an older churnkit: the runs of {', '.join(new)} were taken "
            f"over into {self.says}; their files run-DAY.parquet in {self.folder} stay as they "
            "are, and are read no more",
            OldFormat,
            stacklevel=3,
        )

    def _known_runs(self) -> list[tuple[str, str]]:
        with self._book.reading() as session:
            if session is None:
                return []
            found = session.rows(f"SELECT as_of, run FROM {session.name('runs')}")
        return list(zip(found["as_of"].to_pylist(), found["run"].to_pylist(), strict=True))

    def _add_published(self, manifest: Manifest, path: Path) -> bool:
        """Add a published run; whether nobody else had added it meanwhile."""
        import pyarrow.parquet as pq

        files = [path / part.name for part in manifest.parts] or [path]
        schema = pq.read_schema(files[0]).remove_metadata()
        require_storable(schema)
        with self._book.writing() as session:
            known = _told_of(session, manifest.as_of)
            if manifest.run in {told["run"] for told in known}:
                return False
            config = manifest.told.get("config")
            told = {
                "run": manifest.run, "as_of": manifest.as_of, "sequence": manifest.sequence,
                "content": manifest.content, "told": manifest.to_json(),
                "config": config if isinstance(config, str) else json.dumps(config),
            }  # fmt: skip
            _add_run(session, told, schema, _batches(files))
        return True

    def _all(self, table: str, order: str) -> pd.DataFrame:
        with self._book.reading() as session:
            if session is None:
                return _empty(table)
            found = session.rows(f"SELECT * FROM {session.name(table)} ORDER BY {order}")
        return found.to_pandas()

    def _require_columns(self, day: str, names: Sequence[str], known: Mapping[str, Any]) -> None:
        for name in names:
            if name not in known:
                raise DataError(
                    f"the run of {day} in {self.says} has no column {name!r}",
                    f"{did_you_mean(name, known)}If the run was not written by churnkit, score "
                    f"that day anew: churnkit score --as-of {day}.",
                )

    def _no_run(self, day: str) -> DataError:
        known = self.days()
        there = f"There are runs of {', '.join(known[-5:])}." if known else "There is no run."
        return DataError(
            f"there is no run of {day} in {self.says}",
            f"{there} churnkit score --as-of {day} makes one.",
        )


def _batches(files: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    """The rows of a run, file after file."""
    import pyarrow.parquet as pq

    for path in files:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield from file.iter_batches(_BATCH)


def _counting(session: Session, day: str) -> tuple[int | None, dict[str, pa.DataType]]:
    """Number and columns of the run of a day that counts."""
    found = session.rows(
        f"SELECT number, columns FROM {session.name('runs')} "
        f"WHERE as_of = {literal(day)} AND counts ORDER BY number DESC LIMIT 1"
    )
    if not found.num_rows:
        return None, {}
    return found["number"][0].as_py(), columns_told(found["columns"][0].as_py())


def _frame(session: Session, number: int, columns: Mapping[str, pa.DataType]) -> pd.DataFrame:
    import pyarrow as pa

    there = [name for name, kind in columns.items() if not pa.types.is_null(kind)]
    wanted = ", ".join([*map(quoted, there), "place"])
    found = session.rows(
        f"SELECT {wanted} FROM {session.name('scores')} WHERE number = {number} ORDER BY place"
    )
    told = {
        name: _back(found[name], kind) if name in there else pa.nulls(len(found))
        for name, kind in columns.items()
    }
    return pa.table(told).to_pandas()


def _back(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Values as the run had them, of a column that other runs may have made wider."""
    import pyarrow as pa

    if pa.types.is_integer(kind) and pa.types.is_string(column.type):
        return column.cast(pa.float64()).cast(kind)  # a text that was a float in between: "2.0"
    return column.cast(kind)


def _told_of(session: Session, day: str) -> list[dict[str, Any]]:
    """Name and content of the runs of a day, in the order in which they were added."""
    return session.rows(
        f"SELECT run, content FROM {session.name('runs')} WHERE as_of = {literal(day)} "
        "ORDER BY number"
    ).to_pylist()


def _add_table(session: Session, day: str, table: pa.Table) -> None:
    """Add the run of a day that was not published, unless the last one of that day is the same."""
    require_storable(table.schema)
    content, known = content_hash(table), _told_of(session, day)
    if known and known[-1]["content"] == content:
        return
    names, name = [told["run"] for told in known], content[:12]
    if name in names:
        name = f"{name}-{len(names) + 1}"
    told = {"run": name, "as_of": day, "sequence": len(known) + 1, "content": content}
    _add_run(session, told, table.schema, table.to_batches())


def _add_run(
    session: Session,
    told: Mapping[str, Any],
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch] | Sequence[pa.RecordBatch],
) -> None:
    import pyarrow as pa

    runs = session.name("runs")
    number = 1 + (session.rows(f"SELECT max(number) AS n FROM {runs}")["n"][0].as_py() or 0)
    day = literal(str(told["as_of"]))
    sql = f"SELECT count(*) AS n FROM {session.name('outcomes')} WHERE as_of = {day}"
    has_outcomes = bool(session.rows(sql)["n"][0].as_py())
    is_first = not _told_of(session, str(told["as_of"]))
    columns = plain(schema)
    types = _made_room(session, columns)
    by_name = {field.name: field.type for field in columns if not pa.types.is_null(field.type)}
    there = pa.schema([(name, types[name]) for name in ("number", "place", *by_name)])
    stream = Stream(iter(batches), by_name, there, number)
    session.append("scores", stream.reader())
    values = {
        **told,
        "number": number,
        "counts": is_first or not has_outcomes,
        "customers": stream.rows,
        "columns": told_columns(columns),
        **stream.lights,
        **stream.first,
    }
    fields = arrow_of_table("runs")
    row = pa.table({f.name: pa.array([values.get(f.name)], f.type) for f in fields}, schema=fields)
    session.append("runs", row.to_reader())


def _made_room(session: Session, columns: pa.Schema) -> dict[str, pa.DataType]:
    """Give ``scores`` the columns of a run; the Arrow type of each as the table has it."""
    scores, there = session.name("scores"), session.columns("scores")
    for field in columns:
        name, new = field.name, sql_of(field.type)
        if str(field.type) == "null":
            continue  # without any value nobody knows its type
        if name not in there:
            session.run(f"ALTER TABLE {scores} ADD COLUMN {quoted(name)} {new}")
            there[name] = new
        elif both_hold(there[name], new) != both_hold(there[name], there[name]):
            there[name] = both_hold(there[name], new)
            session.run(f"ALTER TABLE {scores} ALTER COLUMN {quoted(name)} TYPE {there[name]}")
    return {name: arrow_of(kind) for name, kind in there.items()}


def _deeds_there(session: Session) -> tuple[int, set[int]]:
    """How many overrides are here, and the numbers of the records of outcomes."""
    entries = session.rows(f"SELECT count(*) AS n FROM {session.name('overrides')}")
    records = session.rows(f"SELECT DISTINCT record FROM {session.name('outcomes')}")
    return int(entries["n"][0].as_py()), set(records["record"].to_pylist())


def _overrides_of(entries: Sequence[Mapping[str, Any]], there: int) -> pa.Table:
    import pyarrow as pa

    told = [
        {**entry, "customer_id": entry["customer"], "entry": number}
        for number, entry in enumerate(entries, 1)
        if number > there
    ]
    fields = arrow_of_table("overrides")
    return pa.table({f.name: pa.array([e[f.name] for e in told], f.type) for f in fields},
                    schema=fields)  # fmt: skip


def _outcomes_of(outcomes: pd.DataFrame, there: set[int]) -> pa.Table:
    import pyarrow as pa

    fields = arrow_of_table("outcomes")
    rows = outcomes.loc[~outcomes["record"].isin(there), fields.names]
    return pa.Table.from_pandas(rows, schema=fields, preserve_index=False)


def _empty(table: str) -> pd.DataFrame:
    return arrow_of_table(table).empty_table().to_pandas()

"""`record`: from a file that people filled in to the store, each row checked against the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.clock import Cutoff
from churnkit.errors import DataError, did_you_mean
from churnkit.ledger import Ledger
from churnkit.logs import LogMapping, Rows, reading
from churnkit.logs.profile.finding import outline
from churnkit.logs.sql import listed, quoted
from churnkit.outcomes.store import KEY, Deeds, digest_of
from churnkit.sources import FileSource, connect, engine_faults

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

YES = ("yes", "y", "true", "1", "done", "بله", "بلی")
NO = ("no", "n", "false", "0", "not done", "خیر", "نه")
"""What is taken for done and for not done, in any case of letters."""

_NEEDED = {
    "customer_id": "the customer, as the call list has it",
    "as_of": "the day of the list, such as 2024-06-01",
    "done": "yes or no: whether it was done",
}
_OPTIONAL = ("result", "cost", "note")
_TOLD = 5  # faults of one file that are named


@dataclass(frozen=True)
class Recorded:
    """What became of a file.

    Attributes
    ----------
    file
        The file that was recorded.
    record
        Its number in the store, from 1.
    again
        Whether it had been recorded before, so that nothing was written now.
    rows
        Rows of the file.
    done, not_done
        Rows of each.
    contaminated
        Rows of customers of the control that were acted on nevertheless: they stay in the
        control, and the effect per contact takes account of it.
    outside
        Rows of customers who belonged to neither arm and were acted on.
    superseded
        Rows that take the place of an earlier record.
    ignored
        Columns of the file that are not read.
    """

    file: str
    record: int
    again: bool
    rows: int
    done: int
    not_done: int
    contaminated: int
    outside: int
    superseded: int
    ignored: tuple[str, ...] = ()

    @property
    def says(self) -> str:
        """All of it in a sentence or two."""
        if self.again:
            return f"{self.file} is recorded already, as record {self.record}; nothing was changed"
        more = [
            (self.superseded, "in place of an earlier record"),
            (self.contaminated, "of the control, and done nevertheless"),
            (self.outside, "of no arm, and done"),
        ]
        told = [f"{what}: {n:,}" for n, what in more if n]
        left = [f"not read: {', '.join(self.ignored)}"] if self.ignored else []
        return "; ".join(
            [f"record {self.record}: rows: {self.rows:,}; done: {self.done:,}", *told, *left]
        )

    def told(self) -> dict[str, Any]:
        """The same as JSON-ready values."""
        return {**asdict(self), "ignored": list(self.ignored), "says": self.says}


def record(
    file: Path,
    ledger: Ledger,
    folder: Path,
    mapping: LogMapping | None = None,
    called: Callable[[str], str] = str,
) -> Recorded:
    """Check what was done against the ledger, and keep it; all rows of a file or none.

    Columns: ``customer_id``, ``as_of`` (the day of the list) and ``done``, and perhaps ``result``,
    ``cost`` and ``note``. CSV, Parquet, JSON lines and workbooks are read, with whatever encoding
    or digits `churnkit.sources` understands. A file of the same content is not recorded twice. A
    later record of the same customer and day takes the place of the earlier one, which is kept.

    Parameters
    ----------
    file, ledger
        What was done; the runs it belongs to.
    folder
        Where the store lies; made when missing.
    mapping
        How the ids of the customers and dates are written, as in the logs: ``fold_ids``,
        ``calendar``, ``decimal``.
    called
        Id, as it is read → what the ledger calls the customer; by default the id itself.

    Raises
    ------
    DataError
        If the file cannot be read or lacks a column; or a row names a customer who was never
        scored, or not in that run, or a day without a run, or a value that cannot be read, or
        repeats another. Every fault is told with file, row and column; nothing is recorded then.
    ConfigError
        If the folder cannot be written to.
    """
    digest, store = digest_of(file), Deeds(folder)
    rows, ignored = _read(file, mapping or LogMapping())
    if not len(rows):
        raise DataError(f"{file} has a header and no rows", "Nothing was recorded.")
    rows = rows.assign(customer_id=rows["customer_id"].map(called, na_action="ignore"))
    runs = _Runs(ledger)
    faults = [*_unreadable(rows), *_repeated(rows), *_not_in_ledger(rows, runs)]
    if faults:
        raise _refused(file, faults)
    rows = rows.assign(arm=runs.arms(rows), done=rows["done"] == "yes")
    with store.locked():
        number = store.record_of(digest)
        again, known = number is not None, store.current()
        if number is None:
            number = int(store.add(rows, file.name, digest).name.split("-")[1])
    return Recorded(
        file=file.name,
        record=number,
        again=again,
        rows=len(rows),
        done=int(rows["done"].sum()),
        not_done=int((~rows["done"]).sum()),
        contaminated=int((rows["done"] & (rows["arm"] == "control")).sum()),
        outside=int((rows["done"] & (rows["arm"] == "")).sum()),
        superseded=0 if again else len(rows[KEY].merge(known[KEY], on=KEY)),
        ignored=ignored,
    )


# ── Reading ─────────────────────────────────────────────────────────────────────────────────


def _read(file: Path, mapping: LogMapping) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows as texts and what was read of them, and the columns that were not."""
    source = FileSource(file)
    with connect(reads=source.files()) as con, engine_faults([source]):
        rows = source.attach(con, "outcomes")
        types = _types(con, rows)
        there = _columns(file, types)
        told = ", ".join(f"{sql} AS {name}" for name, sql in _cells(there, types, mapping))
        frame = con.execute(f"SELECT {rows.row} AS row, {told} FROM {rows.table}").df()
    ignored = tuple(name for name in types if name not in there.values())
    frame = frame.sort_values("row", ignore_index=True)
    return frame.assign(as_of=frame["as_of"].map(_day, na_action="ignore")), ignored


def _types(con: duckdb.DuckDBPyConnection, rows: Rows) -> dict[str, str]:
    told = con.sql(f"SELECT column_name, column_type FROM (DESCRIBE FROM {rows.table})").fetchall()
    return {name: sql_type for name, sql_type in told if name not in rows.hidden}


def _columns(file: Path, types: Mapping[str, str]) -> dict[str, str]:
    """Our column → that of the file, whatever the case of its letters and blanks around it."""
    names: dict[str, str] = {}
    for column in types:
        name = column.strip().lower().replace(" ", "_")
        if name in names and name in {*_NEEDED, *_OPTIONAL}:
            raise DataError(
                f"{file} has two columns for {name}: {names[name]!r} and {column!r}",
                "Rename or drop one of them.",
            )
        names[name] = column
    for name, says in _NEEDED.items():
        if name not in names:
            raise DataError(
                f"{file} has no column {name} ({says})",
                f"{did_you_mean(name, types)}It has {', '.join(map(repr, types))}.",
            )
    return {name: names[name] for name in (*_NEEDED, *_OPTIONAL) if name in names}


def _cells(
    there: Mapping[str, str], types: Mapping[str, str], mapping: LogMapping
) -> Iterator[tuple[str, str]]:
    """Name of a result column → its SQL; ``found_…`` is the cell as it stands."""
    for name in (*_NEEDED, *_OPTIONAL):
        raw = quoted(there[name]) if name in there else "NULL"
        sql_type = types[there[name]] if name in there else "VARCHAR"
        yield f"found_{name}", f"CAST({raw} AS VARCHAR)"
        match name:
            case "customer_id":
                yield name, reading.customer(raw, sql_type, mapping)
            case "as_of":
                yield name, reading.instant(raw, sql_type, mapping, "UTC")
            case "done":
                word = f"lower({reading.trimmed(reading.folded(f'CAST({raw} AS VARCHAR)'))})"
                yes, no = (f"{word} IN ({listed(words)})" for words in (YES, NO))
                yield name, f"CASE WHEN {yes} THEN 'yes' WHEN {no} THEN 'no' END"
            case "cost":
                yield name, f"CAST({reading.number(raw, sql_type, mapping.decimal)} AS DOUBLE)"
            case _:
                yield name, f"coalesce({reading.text(raw, sql_type)}, '')"


def _day(us: float) -> str:
    return str(Cutoff(int(us)))


# ── Faults ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, order=True)
class _Fault:
    row: int
    column: str
    says: str


def _unreadable(rows: pd.DataFrame) -> Iterator[_Fault]:
    import numpy as np

    empty = rows[["found_customer_id", "found_as_of", "found_done"]].isna()
    wrong = {
        "customer_id": rows["customer_id"].isna(),
        "as_of": rows["as_of"].isna(),
        "done": rows["done"].isna(),
        "cost": rows["found_cost"].fillna("").str.strip().ne("")
        & ~(np.isfinite(rows["cost"]) & (rows["cost"] >= 0)),
    }
    wanted = {
        "customer_id": "an id",
        "as_of": "a day such as 2024-06-01",
        "done": "yes or no",
        "cost": "an amount of 0 or more, such as 12.50",
    }
    for name, mask in wrong.items():
        for at in np.flatnonzero(mask):
            # Its shape alone: in a row whose cells have moved it may be anything of a person.
            found = (
                "is empty"
                if empty.get(f"found_{name}", mask * False)[at]
                else f"looks like {outline(str(rows[f'found_{name}'][at]))!r}"
            )
            yield _Fault(int(rows["row"][at]), name, f"{found}, and should be {wanted[name]}")


def _repeated(rows: pd.DataFrame) -> Iterator[_Fault]:
    known = rows.dropna(subset=KEY)
    first: dict[tuple[str, str], int] = {}
    for who, day, row in zip(known["customer_id"], known["as_of"], known["row"], strict=True):
        if (who, day) in first:
            says = f"the customer stands in row {first[who, day]} already with the day {day}"
            yield _Fault(int(row), "customer_id", f"{says}: leave one of the two")
        first.setdefault((who, day), int(row))


class _Runs:
    """The arms of the runs that a file speaks of; each run is read once."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.days, self._arms = ledger, ledger.days(), dict[str, dict[str, str]]()

    def of(self, day: str) -> dict[str, str]:
        """Customer → arm, on a day."""
        if day not in self._arms:
            there = self.ledger.columns(day)
            names = [name for name in ("customer_id", "arm") if name in there]
            run = self.ledger.read(day, names)
            arms = run["arm"].fillna("") if "arm" in names else [""] * len(run)
            self._arms[day] = dict(zip(run["customer_id"].astype(str), arms, strict=True))
        return self._arms[day]

    def arms(self, rows: pd.DataFrame) -> list[str]:
        pairs = zip(rows["customer_id"], rows["as_of"], strict=True)
        return [self.of(day)[who] for who, day in pairs]

    def ever(self, customer: str) -> str | None:
        """A day on which a customer was scored, the latest first."""
        return next((day for day in reversed(self.days) if customer in self.of(day)), None)


def _not_in_ledger(rows: pd.DataFrame, runs: _Runs) -> Iterator[_Fault]:
    known = rows.dropna(subset=KEY)
    for who, day, row in zip(known["customer_id"], known["as_of"], known["row"], strict=True):
        fault = partial(_Fault, int(row))
        if day not in runs.days:
            there = f"there are runs of {', '.join(runs.days[-_TOLD:])}" if runs.days else "no run"
            yield fault("as_of", f"there is no run of {day} in the ledger ({there})")
        elif who not in runs.of(day):
            last = runs.ever(who)
            yield fault(
                "customer_id",
                "the customer was never scored"
                if last is None
                else f"the customer is not in the run of {day} (the last one with it: {last})",
            )


def _refused(file: Path, faults: list[_Fault]) -> DataError:
    shown = sorted(faults)[:_TOLD]
    told = "\n".join(f"{file}, row {f.row}, column {f.column}: {f.says}" for f in shown)
    more = f"\n… and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""
    return DataError(
        f"{told}{more}", "Nothing was recorded. Row 1 is the first below the header; mend the file."
    )

"""Everything that churnkit writes for a project and that may hold rows of people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.atomic import whole_file
from churnkit.config import Settings
from churnkit.forgetting import cut
from churnkit.lights import forget_overrides, lines_of
from churnkit.mentions import Mentions
from churnkit.project_outcomes import deeds_of
from churnkit.publishing import ScoreStore
from churnkit.sinks import forget_in_tables, rows_in_tables, tables_with_history
from churnkit.sources.stores.address import Address, rooted

if TYPE_CHECKING:
    from churnkit.ledger import Ledger

_READ_BY_PEOPLE = (".html", ".csv", ".json", ".jsonl", ".ics", ".txt", ".md")
_SET_ASIDE = ("rejected.csv", "rejected.parquet")


@dataclass(frozen=True)
class Place:
    """Something that may hold rows of people.

    Attributes
    ----------
    name
        What it is called in the proof.
    says
        Where it is, or what else is to be known.
    count
        Tells how many rows of each customer it holds.
    remove
        Takes them out; doing it again changes nothing.
    """

    name: str
    says: str
    count: Callable[[], Counter[str]]
    remove: Callable[[], None]


def places_of(settings: Settings, store: ScoreStore, mentions: Mentions) -> list[Place]:
    """All places of a project, in the order in which they are emptied.

    Parameters
    ----------
    settings
        The project.
    store
        Its published scores, whose lock is held.
    mentions
        Who is to go.
    """
    increments, deeds = _Increments(store.folder, mentions), deeds_of(settings)
    pages = _Pages(settings, mentions)
    return [
        Place("published scores", below(settings, store.folder),
              partial(store.rows_of, mentions), lambda: _drop(store.forget(mentions))),
        Place("what an incremental run left", "removed whole: the next run looks at everybody",
              increments.count, increments.remove),
        Place("overrides", below(settings, settings.ledger), partial(lines_of, settings.ledger,
              mentions), partial(forget_overrides, settings.ledger, mentions)),
        Place("outcomes", below(settings, deeds.folder),
              partial(deeds.rows_of, mentions), partial(deeds.forget, mentions)),
        *_of_ledger(settings.open_ledger(), store, mentions),
        *_of_tables(settings, store, mentions),
        Place("pages and lists", below(settings, settings.folder / settings.output.reports),
              pages.count, pages.remove),
    ]  # fmt: skip


def below(settings: Settings, path: Path) -> str:
    """A path as it is told: below the project, which may be moved."""
    whole, folder = path.resolve(), settings.folder.resolve()
    return str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)


def _drop(_: object) -> None:
    """What a place tells beside is not asked for."""


def _of_ledger(ledger: Ledger, store: ScoreStore, mentions: Mentions) -> Iterator[Place]:
    """The tables of the ledger, all of which are emptied with the first."""

    def counted(table: str) -> Counter[str]:
        return ledger.rows_of(mentions).get(table, Counter())

    def remove() -> None:
        ledger.forget(mentions, store.runs())

    for table in ("scores", "overrides", "outcomes"):
        doing = remove if table == "scores" else lambda: None
        yield Place(f"ledger, {table}", ledger.says, partial(counted, table), doing)


def _of_tables(settings: Settings, store: ScoreStore, mentions: Mentions) -> Iterator[Place]:
    """The tables of the store of [output]."""
    output = settings.output
    if output.url is None:
        return
    url = rooted(str(output.url), settings.folder)

    def counted(table: str) -> Counter[str]:
        return rows_in_tables(url, [table], mentions).get(table, Counter())

    def remove(table: str) -> None:
        renamed = {old: one.run for one in store.runs() for old in one.told.get("replaces", ())}
        forget_in_tables(url, [table], mentions, renamed)

    for table in (*tables_with_history([output.table]), output.calls_table):
        told = f"table {table}".replace('"', "")
        yield Place(told, str(Address.parse(url)), partial(counted, table), partial(remove, table))


class _Increments:
    """What incremental runs left: a fingerprint of everybody, sealed as a whole."""

    def __init__(self, scores: Path, mentions: Mentions) -> None:
        self._folder, self._mentions = scores / "increment", mentions

    def count(self) -> Counter[str]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        found: Counter[str] = Counter()
        for file in self._folder.glob("*.parquet"):
            content = pa.BufferReader(file.read_bytes()[:-32])  # the seal is behind the table
            found += self._mentions.counted(pq.read_table(content, columns=["customer_id"])[0])
        return found

    def remove(self) -> None:
        if self.count():
            for file in self._folder.glob("*.parquet"):
                file.unlink()


class _Pages:
    """Files for people: those among the reports, and the table of the newest scores."""

    def __init__(self, settings: Settings, mentions: Mentions) -> None:
        self._reports = settings.folder / settings.output.reports
        newest = settings.output.csv
        self._newest = None if newest is None else settings.folder / newest
        self._mentions = mentions

    def count(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for path in self._files():
            told = cut(path.name, path.read_bytes(), self._mentions)
            found += Counter() if told is None else told.rows
        return found

    def remove(self) -> None:
        for path in self._files():
            told = cut(path.name, path.read_bytes(), self._mentions)
            if told is None:
                continue
            if told.content is None:
                path.unlink()
                continue
            with whole_file(path) as aside:
                aside.write_bytes(told.content)
        # Cells of rows that could not be read: nobody knows whose they are.
        for name in _SET_ASIDE:
            (self._reports / name).unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        for path in sorted(self._reports.rglob("*")) if self._reports.is_dir() else ():
            known = path.suffix.lower() in _READ_BY_PEOPLE and path.name not in _SET_ASIDE
            if known and path.is_file():
                yield path
        if self._newest is not None and self._newest.is_file():
            yield self._newest

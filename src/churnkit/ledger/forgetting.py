"""Taking people out of the ledger: the one change that is ever made to its rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from churnkit.ledger.book import Session
from churnkit.ledger.tables import LIGHTS
from churnkit.logs.sql import listed, literal, quoted
from churnkit.mentions import NOTES, Mentions
from churnkit.publishing import Manifest
from churnkit.publishing.manifest import sealed

OF_CUSTOMERS = ("scores", "overrides", "outcomes")
"""Tables with a row for each customer."""


def rows_of(session: Session, table: str, mentions: Mentions) -> Counter[str]:
    """Customer → rows of a table, of those who are sought."""
    found = session.rows(
        f"SELECT customer_id, count(*) AS n FROM {session.name(table)} WHERE {_theirs(mentions)} "
        "GROUP BY customer_id"
    )
    told = zip(found["customer_id"].to_pylist(), found["n"].to_pylist(), strict=True)
    return Counter({customer: int(n) for customer, n in told})


def take_out(session: Session, mentions: Mentions, published: Sequence[Manifest]) -> None:
    """Take out the rows of some customers, and their names out of what is told of runs.

    Parameters
    ----------
    session
        A ledger that is written to.
    mentions
        Who is to go.
    published
        The runs that are published now.
    """
    for table in OF_CUSTOMERS:
        session.run(f"DELETE FROM {session.name(table)} WHERE {_theirs(mentions)}")
        for column in session.columns(table).keys() & {*NOTES}:
            _mask(session, table, column, mentions)
    _renumber(session)
    _retell(session, mentions, published)


def _theirs(mentions: Mentions) -> str:
    return f"customer_id IN ({listed(mentions.names)})"


def _mask(session: Session, table: str, column: str, mentions: Mentions) -> None:
    """Take their names out of the texts that people wrote about others."""
    name, cell = session.name(table), quoted(column)
    texts = session.rows(f"SELECT DISTINCT {cell} AS t FROM {name} WHERE {cell} <> ''")
    for text in texts["t"].to_pylist():
        if mentions.in_text(text):
            told = literal(mentions.without(text))
            session.run(f"UPDATE {name} SET {cell} = {told} WHERE {cell} = {literal(text)}")


def _renumber(session: Session) -> None:
    """Entries are numbered as the lines of their file, which has fewer of them now, too."""
    name = session.name("overrides")
    entries = session.rows(f"SELECT entry FROM {name} ORDER BY entry")["entry"].to_pylist()
    for number, entry in enumerate(entries, 1):
        if number != entry:
            session.run(f"UPDATE {name} SET entry = {number} WHERE entry = {entry}")


def _retell(session: Session, mentions: Mentions, published: Sequence[Manifest]) -> None:
    """What is told of each run without them, under the name and hash that it has now."""
    anew = {(one.as_of, name): one for one in published for name in one.told.get("replaces", ())}
    runs = session.name("runs")
    found = session.rows(f"SELECT number, run, as_of, told FROM {runs} ORDER BY number").to_pylist()
    there = {(run["as_of"], run["run"]) for run in found}
    for run in found:
        one = anew.get((run["as_of"], run["run"]))
        if one is not None and (one.as_of, one.run) not in there:
            values = {"run": one.run, "content": one.content, "told": one.to_json()}
        elif run["told"] is not None:
            values = {"told": _pruned(run["told"], mentions)}
        else:
            continue
        if values["told"] != run["told"]:
            _update(session, run["number"], values)
    _recount(session)


def _recount(session: Session) -> None:
    """What is counted of a run is what it holds."""
    runs, scores = session.name("runs"), session.name("scores")
    counts = {"customers": ""}
    if "light" in session.columns("scores"):
        counts |= {light: f" AND s.light = {literal(light)}" for light in LIGHTS}
    told = ", ".join(
        f"{name} = (SELECT count(*) FROM {scores} AS s WHERE s.number = r.number{which})"
        for name, which in counts.items()
    )
    session.run(f"UPDATE {runs} AS r SET {told}")


def _pruned(told: str, mentions: Mentions) -> str:
    """A manifest without them; the very text if it does not name them."""
    values = json.loads(told)
    left = mentions.pruned(values)
    if left == values:
        return told
    version = left.pop("format")
    left.pop("seal", None)
    return sealed(left, version)


def _update(session: Session, number: int, values: Mapping[str, str]) -> None:
    told = ", ".join(f"{quoted(name)} = {literal(text)}" for name, text in values.items())
    session.run(f"UPDATE {session.name('runs')} SET {told} WHERE number = {number}")

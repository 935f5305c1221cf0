"""What is planned, as files for a CRM: a table per owner, events, a calendar; a store's table."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.actions.calls import CALL, CHANNELS
from churnkit.atomic import whole_file
from churnkit.clock import Cutoff
from churnkit.errors import DataError
from churnkit.language import ENGLISH, Language
from churnkit.sinks import write_table
from churnkit.spreadsheet import neutralised

if TYPE_CHECKING:
    import pandas as pd
    from icalendar import Event

WEBHOOK, CALENDAR = "webhook.jsonl", "calls.ics"
"""Names of the events' and of the calendar's file."""

_SHOWN = (
    "rank", "customer_id", "light", "action", "channel", "owner", "due", "tier",
    "churn_probability", "value_at_risk", "reasons", "playbook", "campaign", "as_of",
)  # fmt: skip
_READ = ("light", "action", "channel", "owner", "tier", "reasons")  # by people, in their language
_READ_OF_EVENTS = ("action", "reasons")  # all else of an event is for programs
_EVENT = "churnkit.action"
_LASTS = timedelta(minutes=15)
_LONGEST_NAME = 40
_NO_NAME = re.compile(r"[^\w-]+")
_LIKE_OURS = re.compile(r".*-[0-9a-f]{8}")
# Line ends are escaped by the format itself; no other control character may stand in it.
_CONTROLS = {code: " " for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) != "\n"}


def export(frame: pd.DataFrame, folder: Path, language: Language = ENGLISH) -> dict[str, Path]:
    """Write what is to be done now; whoever waits or is held out is in no file.

    - ``owner-NAME.csv``: what each owner does, in order of rank. Texts that a spreadsheet would
      run have an apostrophe before them. Names that are not plain (lower case, digits, spaces)
      get a short hash, so that no two owners share a file. Tables of owners who have nothing to
      do now are removed.
    - ``webhook.jsonl``: one event a line, with a ``delivery`` that stays the same when it is sent
      again; texts are exact.
    - ``calls.ics``: the calls and visits, each as a quarter of an hour that ends when it is due.

    Names of columns, of files and of keys are English in every language, as are days; so is what
    programs look at in an event: light, channel, owner, playbook.

    Parameters
    ----------
    frame
        As `churnkit.actions.plan` returns it, of one cutoff, with ``as_of``.
    folder
        Where the files go; each appears whole or not at all.
    language
        Of what people read: light, action, channel, owner, tier and reasons.

    Returns
    -------
    dict
        Name of each file → where it is.

    Raises
    ------
    DataError
        If the frame is no plan.
    ConfigError
        If the folder cannot be written to.
    """
    told = _to_do(frame)
    written = {
        _file_of(str(owner)): _table(_in_words(rows, _READ, language), language)
        for owner, rows in told.groupby("owner", sort=True)
    }
    events = _events(_in_words(told, _READ_OF_EVENTS, language))
    written |= {WEBHOOK: events, CALENDAR: _calendar(told, language)}
    for name, content in written.items():
        with whole_file(folder / name) as aside:
            aside.write_bytes(content)
    for old in folder.glob("owner-*.csv"):
        if old.name not in written:
            old.unlink()
    return {name: folder / name for name in written}


def export_table(frame: pd.DataFrame, url: str, table: str) -> int:
    """Publish who is on a list, to be done now or waiting, to the table of a store.

    Controls and those without an action are left out.

    Parameters
    ----------
    frame
        As `churnkit.actions.plan` returns it, with ``as_of``.
    url, table
        As for `churnkit.sinks.write_table`, which says what else may go wrong.

    Returns
    -------
    int
        How many rows the table now holds for the frame's cutoff.
    """
    _require_plan(frame)
    return write_table(frame[frame["listed"] != ""], url, table)


def _to_do(frame: pd.DataFrame) -> pd.DataFrame:
    _require_plan(frame)
    shown = [name for name in _SHOWN if name in frame.columns]
    return frame.loc[frame["listed"] == CALL, shown].sort_values(["rank", "customer_id"])


def _require_plan(frame: pd.DataFrame) -> None:
    needed = ("customer_id", "as_of", "rank", "playbook", "owner", "channel", "due", "listed")
    lacking = [name for name in needed if name not in frame.columns]
    if lacking:
        raise DataError(
            f"the plan has no {lacking[0]!r}: it cannot be exported",
            "Make it with churnkit.actions.plan.",
        )


def _in_words(rows: pd.DataFrame, names: tuple[str, ...], language: Language) -> pd.DataFrame:
    """Rows whose texts of some columns are in a language."""
    there = [name for name in names if name in rows.columns]
    if language == ENGLISH:
        return rows
    return rows.assign(**{name: rows[name].map(language.said, "ignore") for name in there})


def _table(rows: pd.DataFrame, language: Language) -> bytes:
    # Only with this line end does every Python quote a text that holds a bare CR.
    told = neutralised(rows).to_csv(index=False, lineterminator="\r\n")
    # Without the mark spreadsheets take other scripts for gibberish.
    return told.encode("utf-8" if language == ENGLISH else "utf-8-sig")


def _events(rows: pd.DataFrame) -> bytes:
    lines = (
        json.dumps({"event": _EVENT, "delivery": _uid(row), **row}, allow_nan=False)
        for row in _records(rows)
    )
    # Escaped, so that no page that quotes an event can be broken out of.
    return "".join(line.replace("<", "\\u003c") + "\n" for line in lines).encode()


def _calendar(rows: pd.DataFrame, language: Language) -> bytes:
    from icalendar import Calendar

    calendar = Calendar()
    calendar.add("prodid", f"-//churnkit//calls//{language.code.upper()}")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    for row in _records(rows):
        if CHANNELS[row["channel"]]:
            calendar.add_component(_entry(row, language))
    return bytes(calendar.to_ical())


def _entry(row: dict[str, Any], language: Language) -> Event:
    from icalendar import Event

    due, known = (Cutoff.parse(row[name]).local for name in ("due", "as_of"))
    entry = Event()
    entry.add("uid", f"{_uid(row)}@churnkit")
    entry.add("dtstamp", known)
    entry.add("dtstart", due - _LASTS)
    entry.add("dtend", due)
    entry.add("transp", "TRANSPARENT")
    action = language.said(row.get("action", row["playbook"]))
    entry.add("summary", _plain(f"{action}: {row['customer_id']}"))
    entry.add("description", _plain(language.said(str(row.get("reasons", "")))))
    entry.add("categories", [_plain(language.said(row["owner"]))])
    return entry


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").translate(_CONTROLS)


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as plain values; what is missing is ``None``."""
    plain = rows.astype(object).where(rows.notna(), None)
    return [dict(zip(plain.columns, row, strict=True)) for row in plain.itertuples(index=False)]


def _uid(row: dict[str, Any]) -> str:
    """What names an action for good: cutoff, customer and playbook."""
    named = json.dumps([row["as_of"], row["customer_id"], row["playbook"]])
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def _file_of(owner: str) -> str:
    """A name for the file of an owner and of nobody else, whatever the file system."""
    folded = unicodedata.normalize("NFKC", owner).casefold()[:_LONGEST_NAME]
    plain = _NO_NAME.sub("-", folded.replace(" ", "_"))
    if plain.replace("_", " ") == owner and not _LIKE_OURS.fullmatch(owner):
        return f"owner-{plain}.csv"
    return f"owner-{plain}-{hashlib.sha256(owner.encode()).hexdigest()[:8]}.csv"

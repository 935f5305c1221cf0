"""Rows of people cut out of files for people: pages, spreadsheets, events, calendars.

What is left is as it was, to the byte. A page that is about one person, and a file in which a name
is left whose place nobody knows, goes as a whole.
"""

from __future__ import annotations

import csv
import html
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from churnkit.mentions import MARK, Mentions

_ID = "customer_id"
_ROW = re.compile(r"<tr\b[^>]*>(?:(?!<tr\b).)*?</tr>\n?", re.DOTALL)
_CELL = re.compile(r'<td class="id"[^>]*><bdi>(.*?)</bdi>', re.DOTALL)
_TITLE = re.compile(r"<h1[^>]*><bdi>(.*?)</bdi></h1>", re.DOTALL)
_ENTRY = re.compile(r"BEGIN:VEVENT\r?\n.*?END:VEVENT\r?\n", re.DOTALL)
_SUMMARY = re.compile(r"^SUMMARY:(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Cut:
    """What is left of a file.

    Attributes
    ----------
    content
        Its bytes; ``None`` if the whole file has to go.
    rows
        Customer → rows cut out; a page of a customer counts as one.
    """

    content: bytes | None
    rows: Counter[str]


def cut(name: str, content: bytes, mentions: Mentions) -> Cut | None:
    """A file without some people; ``None`` if it does not name them.

    Parameters
    ----------
    name
        Its name, whose ending tells what it is.
    content
        Its bytes.
    mentions
        Who is to go.
    """
    rows: Counter[str] = Counter()
    ending = name.rpartition(".")[2].lower()
    try:
        text = content.decode("utf-8")
        left = _WAYS[ending](text, mentions, rows) if ending in _WAYS else text
    except ValueError:  # no text, or not of this kind
        left = text = content.decode("latin-1")
        mentions = Mentions([n.encode().decode("latin-1") for n in mentions.names])
    if left is not None and mentions.in_text(left if ending == "html" else _unescaped(left)):
        left = None
    if left == text:
        return None
    return Cut(None if left is None else left.encode("utf-8"), rows)


def _unescaped(text: str) -> str:
    return text.replace("\\\\", "\\")


def _csv(text: str, mentions: Mentions, rows: Counter[str]) -> str:
    """A table of which one column names the customer."""
    records = list(_records(text))
    head = next(csv.reader([records[0].lstrip("\ufeff")]), []) if records else []
    place = head.index(_ID) if _ID in head else None
    kept = []
    for record in records:
        cells = next(csv.reader([record], strict=False), []) if place is not None else []
        customer = _named(cells, place, mentions)
        if customer is None:
            kept.append(mentions.without(record))
        else:
            rows[customer] += 1
    return "".join(kept)


def _named(cells: list[str], place: int | None, mentions: Mentions) -> str | None:
    """Who of them a record is about, also where an apostrophe keeps an id from being run."""
    if place is None or place >= len(cells):
        return None
    cell = cells[place]
    return next((name for name in (cell, cell.removeprefix("'")) if name in mentions), None)


def _records(text: str) -> Iterator[str]:
    """The records of a CSV text with their ends; a quoted cell may hold line ends."""
    open_record = ""
    for line in re.findall(r"[^\n]*\n|[^\n]+$", text):
        open_record += line
        if open_record.count('"') % 2 == 0:
            yield open_record
            open_record = ""
    if open_record:
        yield open_record


def _html(text: str, mentions: Mentions, rows: Counter[str]) -> str | None:
    """A page; each row of its tables that is of one of them goes, or all of it if it is theirs."""
    theirs = {html.unescape(name) for name in _TITLE.findall(text)} & {*mentions.names}
    if theirs:
        rows.update(theirs)
        return None

    def kept(row: re.Match[str]) -> str:
        named = [html.unescape(name) for name in _CELL.findall(row[0])]
        found = [name for name in named if name in mentions]
        rows.update(found)
        return "" if found else row[0]

    left = _ROW.sub(kept, text)
    for name in mentions.names:
        for sign in ("'", "&#39;", "&#x27;"):
            left = left.replace(f"{sign}{html.escape(name)}{sign}", f"{sign}{MARK}{sign}")
    return None if Mentions([html.escape(n) for n in mentions.names]).in_text(left) else left


def _json(text: str, mentions: Mentions, rows: Counter[str]) -> str:
    told = json.loads(text)
    left = mentions.pruned(told)
    if left == told:
        return text
    rows.update(_rows_in(told, mentions))
    return json.dumps(left, ensure_ascii=False, indent=1) + "\n"


def _rows_in(told: object, mentions: Mentions) -> Iterator[str]:
    values = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    for value in values:
        if mentions.is_row(value):
            yield next(value[k] for k in (_ID, "customer") if value.get(k) in mentions)
        yield from _rows_in(value, mentions)


def _lines(text: str, mentions: Mentions, rows: Counter[str]) -> str:
    """JSON objects, one a line."""
    kept = []
    for line in re.findall(r"[^\n]*\n|[^\n]+$", text):
        told = json.loads(line)
        if mentions.is_row(told):
            rows.update(_rows_in([told], mentions))
        elif mentions.pruned(told) != told:
            kept.append(json.dumps(mentions.pruned(told)).replace("<", "\\u003c") + "\n")
        else:
            kept.append(line)
    return "".join(kept)


def _calendar(text: str, mentions: Mentions, rows: Counter[str]) -> str:
    """A calendar; a summary ends with the customer."""

    def kept(entry: re.Match[str]) -> str:
        unfolded = re.sub(r"\r?\n[ \t]", "", entry[0])
        told = re.sub(r"\\([\\,;])", r"\1", "".join(_SUMMARY.findall(unfolded)).rstrip("\r"))
        found = [name for name in mentions.names if told.endswith(f": {name}")]
        rows.update(found[:1])
        return "" if found else entry[0]

    return _ENTRY.sub(kept, text)


_WAYS = {"csv": _csv, "html": _html, "json": _json, "jsonl": _lines, "ics": _calendar}

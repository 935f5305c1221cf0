"""What is said when a column is not recognised, so that its owner knows what to change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from churnkit.errors import DataError
from churnkit.logs import SCHEMAS
from churnkit.logs.profile.finding import masked
from churnkit.logs.schema import Column
from churnkit.sources.proposal.evidence import Evidence
from churnkit.sources.proposal.matching import called

_DATA = re.compile(r"\d{4}-\d\d-\d\d.*|\d\d?[./]\d\d?[./]\d{2,4}.*|-?\d+[.,]\d+")


def refuse_unrecognised(
    log: str, source: str, column: Column, cells: Mapping[str, Evidence]
) -> NoReturn:
    """Refuse a source in which no column is the required one.

    Raises
    ------
    DataError
        Always: which column is not there, which ones are, and how to mend it.
    """
    found = (
        f"{source}: no column looks like {column.name} ({column.says})"
        f"{by_name_only(log, column.name, cells)}; there are {', '.join(map(repr, cells))}"
    )
    near = called(log, column.name, cells)
    if any(map(_DATA.fullmatch, cells)):
        names = ",".join(_required(log))
        raise DataError(
            f"{found}: the first row holds data, not the names of columns",
            f"Write a line with the names first, such as {names}.",
        )
    raise DataError(found, _rewrite(column, cells[near[0]]) if near else _rename(log, column))


def by_name_only(log: str, column: str, cells: Mapping[str, Evidence]) -> str:
    """In brackets: the columns that are called so, and a cell that shows why they are not it."""
    near = [
        f"{name!r} by name, but not by content{_such_as(cells[name])}"
        for name in called(log, column, cells)
    ]
    return f" ({'; '.join(near)})" if near else ""


def _such_as(cells: Evidence) -> str:
    return f", such as {masked(cells.top[0][0])}" if cells.top else ""


def _rewrite(column: Column, cells: Evidence) -> str:
    """How to mend a column whose name is right and whose cells are not."""
    if cells.is_nested:
        return f"Write the field that is wanted as a column of its own, called {column.name}."
    if column.kind == "time":
        return "Write times as YYYY-MM-DD HH:MM:SS, or as seconds since 1970."
    if column.kind == "text":
        return f"If another column is it, rename that one to {column.name!r} in the source."
    return "Write plain numbers, such as 1234.5."


def _rename(log: str, column: Column) -> str:
    lines = ", ".join(f'{name} = "…"' for name in _required(log))
    return (
        f"Rename the column to {column.name!r} in the source, or write churnkit.toml by hand: "
        f'path = "…" under [logs.{log}], and {lines} under [logs.{log}.columns].'
    )


def _required(log: str) -> list[str]:
    return [column.name for column in SCHEMAS[log].columns if column.required]

"""Examples that are checked: logs drawn as tables, a cutoff, and what the features then are.

An example is the docstring of a test. Its tables have a title each: a log (``purchases:``), a
declaration (``instruments:``, ``kinds:``), or a cutoff (``2024-03-01:``, with its zone after a
comma if it is not UTC), under which stand the features of every customer who has a row. An empty
cell is a missing value, ``10/37`` a fraction, ``~14.1`` true to its last digit, and a category
stands there by its name. Columns of ``customers:`` that are none of the contract are static. What
has no title is an explanation. `docs/generate.py` shows examples as they stand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from textwrap import dedent

import numpy as np
from tables import drawn

from churnkit.clock import Cutoff
from churnkit.features import FeatureSpec, build_features
from churnkit.logs import DEFAULT_INSTRUMENTS, SCHEMAS, Contract, Instrument, LogMapping, Logs
from churnkit.sources import read_logs


def example(test: Callable[[], None]) -> Callable[[], None]:
    """Make a test of its docstring."""

    @functools.wraps(test)
    def checked() -> None:
        check(dedent(test.__doc__ or ""))

    return checked


def check(text: str) -> None:
    """Compare all the features that an example tells with what is built of its logs."""
    tables = list(titled(text))
    given = {title: table for title, table in tables if not title[:1].isdigit()}
    expected = [(title, table) for title, table in tables if title[:1].isdigit()]
    assert expected, "an example tells a cutoff and what is expected at it"
    assert len(given) + len(expected) == len(tables), "two tables have the same title"
    for title, table in expected:
        moment, _, zone = title.partition(", ")
        cutoff = Cutoff.parse(moment, zone or "UTC")
        assert_features(logs_of(given, cutoff.zone), cutoff, table)


def titled(text: str) -> Iterator[tuple[str, str]]:
    """The tables of an example: title and lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        title, _, table = paragraph.partition("\n")
        if title.endswith(":") and "|" in table:
            yield title.removesuffix(":"), table


def logs_of(tables: dict[str, str], zone: str) -> Logs:
    """The logs of an example, read under what it declares."""
    declared = drawn(tables["instruments"]).to_dict("records") if "instruments" in tables else []
    instruments = {scale.name: scale for scale in DEFAULT_INSTRUMENTS}
    for row in declared:
        low, high = float(row.pop("low")), float(row.pop("high"))
        instruments[row["name"]] = Instrument(low=low, high=high, **row)
    kinds = drawn(tables["kinds"]) if "kinds" in tables else drawn("event | kind")
    people = drawn(tables.get("customers", "customer")).columns
    known = {column.name for column in SCHEMAS["customers"].columns}
    static = tuple(name for name in people if name not in known)
    contract = Contract(
        mappings={"customers": LogMapping(static=static)},
        kinds=dict(zip(kinds["event"], kinds["kind"], strict=True)),
        instruments=tuple(instruments.values()),
        zone=zone,
    )
    logs = {name: drawn(table) for name, table in tables.items() if name in SCHEMAS}
    return read_logs(**logs, contract=contract)


def assert_features(logs: Logs, cutoff: Cutoff, table: str) -> None:
    """Every customer of the table, and nobody else, has the features that it tells."""
    expected = drawn(table).set_index("customer_id")
    spec = FeatureSpec.learn(logs, cutoff).limited_to(expected.columns)
    built = build_features(logs, cutoff, spec)
    assert built.customer_id.tolist() == expected.index.tolist()
    codes = {column.name for column in spec.columns() if column.is_category}
    for name, values in built.columns.items():
        if name in codes:
            assert built.class_of(name).tolist() == expected[name].tolist()
            continue
        for customer, value, cell in zip(expected.index, values, expected[name], strict=True):
            assert is_told(value, cell), f"{name} of {customer}: {value}, not {cell}"


def is_told(value: np.generic, cell: str | None) -> bool:
    """Whether a value of a feature is what a cell tells, in the precision of the feature."""
    if cell is None:
        return bool(np.isnan(value))
    if cell.startswith("~"):
        decimals = len(cell.partition(".")[2])
        return abs(float(value) - float(cell[1:])) <= 0.5 * 10**-decimals
    return bool(value == np.dtype(value.dtype).type(float(Fraction(cell))))

"""Values as drivers hand them over: one type where they share it, else text that keeps them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from churnkit.sources.stores.cells import batch_of

NOON = datetime(2024, 5, 15, 12, 0, 0, 5)  # noqa: DTZ001 - a clock on a wall has no zone
TEHRAN = timezone(timedelta(hours=3, minutes=30))


def column(*values: Any, instant: bool = False) -> pa.Array:
    return batch_of([(value,) for value in values], ["a"], [instant]).column(0)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((), pa.null()),
        ((None, None), pa.null()),
        ((True, None), pa.bool_()),
        ((1, None, -(2**63)), pa.int64()),
        ((1.5, None), pa.float64()),
        (("x", None, ""), pa.string()),
        ((date(2024, 2, 29), None), pa.date32()),
        ((NOON, None), pa.timestamp("us")),
    ],
)
def test_values_of_one_type_keep_it(values: tuple[Any, ...], kind: pa.DataType) -> None:
    assert column(*values).type == kind
    assert column(*values).to_pylist() == list(values)


def test_times_with_a_zone_become_instants() -> None:
    zoned = column(NOON.replace(tzinfo=TEHRAN), None, NOON.replace(tzinfo=UTC))
    assert zoned.type == pa.timestamp("us", "UTC")
    assert zoned[0].as_py() == datetime(2024, 5, 15, 8, 30, 0, 5, tzinfo=UTC)


def test_so_do_times_that_are_known_to_be_utc() -> None:
    assert column(NOON, None, instant=True)[0].as_py() == NOON.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("12345678901234567890.10"), "12345678901234567890.10"),
        (Decimal("1E+3"), "1000"),
        (2**64, "18446744073709551616"),
        (10.0, "10"),
        (10.5, "10.5"),
        (b"caf\xc3\xa9", "café"),
        (b"\xff\x00a", "\\xff\x00a"),
        ({"نام": [1]}, '{"نام": [1]}'),
        (NOON, "2024-05-15 12:00:00.000005"),
        (NOON.replace(tzinfo=TEHRAN), "2024-05-15 12:00:00.000005+03:30"),
        (date(2024, 5, 15), "2024-05-15"),
    ],
)
def test_values_of_several_types_become_text(value: Any, text: str) -> None:
    mixed = column(value, "text", None, instant=False)
    assert mixed.to_pylist() == [text, "text", None]

"""Streams that arrive once: nobody waits for ever, and every value is kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from threading import Event

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.sources import connect
from churnkit.sources.stores.staging import Staging
from churnkit.sources.stores.watch import Silence, watched

# ── The watch ───────────────────────────────────────────────────────────────────────────────


class Fake:
    """A stream of numbers that may fail or fall silent, and remembers what became of it."""

    def __init__(self, numbers: int, then: Callable[[Fake], None] = lambda _: None) -> None:
        self.numbers, self.then = numbers, then
        self.made, self.cancelled, self.closed = 0, Event(), Event()

    def items(self) -> Generator[int]:
        try:
            for number in range(self.numbers):
                self.made = number + 1
                yield number
            self.then(self)
        finally:
            self.closed.set()

    def cancel(self) -> None:
        self.cancelled.set()


def fail(stream: Fake) -> None:
    raise ValueError("broken")


def test_everything_arrives_in_order_and_nothing_is_cancelled() -> None:
    stream = Fake(100)
    assert list(watched(stream, 5)) == list(range(100))
    assert stream.closed.is_set()
    assert not stream.cancelled.is_set()


def test_what_arrived_before_a_fault_arrives() -> None:
    arriving = watched(Fake(3, then=fail), 5)
    assert [next(arriving) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(arriving)


def test_silence_ends_the_wait_and_cancels_the_stream() -> None:
    stream = Fake(2, then=lambda own: own.cancelled.wait(10) and None)
    arriving = watched(stream, 0.2)
    assert [next(arriving), next(arriving)] == [0, 1]
    with pytest.raises(Silence):
        next(arriving)
    assert stream.closed.wait(5)


def test_a_reader_who_leaves_closes_the_stream_that_was_only_a_little_ahead() -> None:
    stream = Fake(10_000)
    arriving = watched(stream, 5)
    assert next(arriving) == 0
    arriving.close()
    assert stream.closed.wait(5)
    assert stream.made < 10


# ── What is kept ────────────────────────────────────────────────────────────────────────────


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.none() | st.integers(-9, 9) | st.sampled_from(["x", "01"]), max_size=4))
)
def test_a_staged_column_holds_every_value_whatever_the_batches(
    batches: list[list[int | str | None]],
) -> None:
    told = [[None if v is None else str(v) for v in batch] for batch in batches]
    arrays = [
        pa.array(text if any(isinstance(v, str) for v in batch) else batch)
        for text, batch in zip(told, batches, strict=True)
    ]
    with connect() as con:
        staged = Staging(con, "staged")
        staged.add(pa.RecordBatch.from_arrays([pa.array([], pa.null())], ["a"]))
        for array in arrays:
            staged.add(pa.RecordBatch.from_arrays([array], ["a"]))
        staged.flush()
        held = con.execute("SELECT CAST(a AS VARCHAR) FROM staged ORDER BY rowid").fetchall()
    assert [value for (value,) in held] == [value for batch in told for value in batch]


def test_rows_that_just_fill_a_piece_are_kept_and_nothing_is_left_to_add() -> None:
    batch = pa.RecordBatch.from_arrays([pa.array(["x" * 2**20] * 33)], ["a"])
    with connect() as con:
        staged = Staging(con, "staged")
        staged.add(batch)
        staged.flush()
        assert con.execute("SELECT count(*) FROM staged").fetchall() == [(33,)]

"""A stream read in a thread of its own, so that nobody waits for ever for a silent store."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_AHEAD = 4  # items that wait for the reader; more would only fill the memory
_PARTING = 1.0  # seconds that a stream is given to end before it is left behind


class Silence(Exception):
    """Nothing came for longer than allowed."""


class Stream(Protocol[T_co]):
    """Something that arrives from elsewhere and may stop arriving."""

    def items(self) -> Generator[T_co]:
        """What arrives, in order; closing the generator frees everything it holds."""

    def cancel(self) -> None:
        """Ask the other side to stop; called from another thread, may block or fail."""


def watched(stream: Stream[T], seconds: float) -> Generator[T]:
    """The items of a stream, none of them waited for longer than ``seconds``.

    Raises
    ------
    Silence
        If nothing came for so long.
    Exception
        Whatever the stream raised.
    """
    worker = _Worker(stream)
    worker.start()
    try:
        while (arrived := worker.next(seconds)) is not None:
            if isinstance(arrived, BaseException):
                raise arrived
            yield arrived[0]
    finally:
        worker.part()


class _Worker(Generic[T]):
    """Drives a stream and hands over its items as one-tuples, its error, and None at its end."""

    def __init__(self, stream: Stream[T]) -> None:
        self._stream = stream
        self._arrived: Queue[tuple[T] | BaseException | None] = Queue(_AHEAD)
        self._left = Event()
        self._ended = Event()
        # A daemon: a thread that hangs in a driver must not keep the process alive.
        self._thread = Thread(target=self._drive, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next(self, seconds: float) -> tuple[T] | BaseException | None:
        try:
            return self._arrived.get(timeout=seconds)
        except Empty:
            raise Silence from None

    def part(self) -> None:
        self._left.set()
        if not self._ended.is_set():
            Thread(target=self._cancel, daemon=True).start()
        self._thread.join(_PARTING)

    def _drive(self) -> None:
        end: BaseException | None = None
        try:
            with closing(self._stream.items()) as items:
                for item in items:
                    self._hand_over((item,))
                    if self._left.is_set():
                        break
        except BaseException as error:
            end = error
        self._ended.set()
        self._hand_over(end)

    def _hand_over(self, arrived: tuple[T] | BaseException | None) -> None:
        waiting = True
        while waiting and not self._left.is_set():
            with suppress(Full):
                self._arrived.put(arrived, timeout=0.1)
                waiting = False

    def _cancel(self) -> None:
        with suppress(Exception):  # the other side is gone already, or never was there
            self._stream.cancel()

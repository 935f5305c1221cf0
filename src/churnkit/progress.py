"""What people who wait are told: what is being done now, and how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Progress = Callable[[str], None]
"""Told what is being done now: a sentence, or a `Step` where it is known how far it is."""


class Step(str):
    """What is being done now, and how much of the whole is done: a text that knows two numbers.

    Whoever is told may take it for the plain text it is.

    Parameters
    ----------
    text
        What is being done.
    done, of
        How much is done already, of how much in all; of any unit, as long as it stays one.

    Examples
    --------
    >>> step = Step("fitting lightgbm", 3, 8)
    >>> step, step.done, step.of
    ('fitting lightgbm', 3, 8)
    """

    done: float
    of: float

    def __new__(cls, text: str, done: float, of: float) -> Step:
        """The text with its numbers."""
        made = super().__new__(cls, text)
        made.done, made.of = done, of
        return made


def silent(message: str) -> None:
    """The progress that tells nobody."""


def part_of(
    progress: Progress, done: float, of: float, before: str = "", weight: float = 1.0
) -> Progress:
    """The progress of one part of a larger whole, told as progress of the whole.

    Parameters
    ----------
    progress
        Told of the whole.
    done, of
        How much of the whole is done when the part begins, and how much the whole is.
    before
        What is said before every message of the part.
    weight
        How much of the whole the part is.

    Examples
    --------
    >>> told = []
    >>> part_of(told.append, 1, 3, "test 2 of 3: ")(Step("fitting lightgbm", 1, 2))
    >>> told[0], told[0].done, told[0].of
    ('test 2 of 3: fitting lightgbm', 1.5, 3)
    """

    def tell(message: str) -> None:
        inside = weight * message.done / message.of if isinstance(message, Step) else 0.0
        progress(Step(f"{before}{message}", done + inside, of))

    return tell


def saying(progress: Progress, before: str) -> Progress:
    """The same progress with something said before every message."""

    def tell(message: str) -> None:
        text = f"{before}{message}"
        progress(Step(text, message.done, message.of) if isinstance(message, Step) else text)

    return tell


class _Block(Protocol):
    @property
    def customer_count(self) -> int: ...


Block = TypeVar("Block", bound=_Block)


def watched(
    blocks: Iterable[Block], customers: int, progress: Progress, text: str
) -> Iterator[Block]:
    """The blocks of some logs as they are taken; after each is told how many customers were in it.

    Parameters
    ----------
    blocks
        Blocks of whole customers.
    customers
        How many customers they hold together.
    progress
        Told the text as a `Step`.
    text
        What is done with them.
    """
    done = 0
    for block in blocks:
        progress(Step(text, done, max(customers, 1)))
        yield block
        done += block.customer_count

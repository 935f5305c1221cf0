"""The 25 lines of docs/reliability.md: tests whose names begin with the number of their line.

In the gate each makes as many trials as take seconds; with ``CHURNKIT_TRIALS=full``, as `make
reliability` runs them, as many as the page tells. What a test counted it says with ``seen``, and
the page shows it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

FULL = os.environ.get("CHURNKIT_TRIALS") == "full"


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Tells a figure for the page: ``seen("kills survived", 200)``."""

    def tell(what: str, number: int) -> None:
        assert number > 0, f"{what}: nothing was tried"
        record_property(what, f"{number:,}")

    return tell


@pytest.fixture
def trials() -> Callable[[int, int], int]:
    """So many trials: ``trials(5, 200)`` is 5 in the gate and 200 in the full run."""
    return lambda quick, full: full if FULL else quick

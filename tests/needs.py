"""What some tests need and a machine may lack.

Without it they are skipped and say so; where ``CHURNKIT_DEMAND`` names it (``spark,postgres``), as
the gate does, its absence is a failure.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import NoReturn

import pytest

PARTS = ("spark", "postgres")


def demanded() -> frozenset[str]:
    """The parts that may not be missing here."""
    named = frozenset(filter(None, os.environ.get("CHURNKIT_DEMAND", "").split(",")))
    assert named <= {*PARTS}, f"CHURNKIT_DEMAND names {sorted(named - {*PARTS})}, not of {PARTS}"
    return named


def missing(part: str, why: str) -> NoReturn:
    """Skip the test, or fail where the part is demanded."""
    if part in demanded():
        pytest.fail(f"{part} is demanded here, and {why}", pytrace=False)
    pytest.skip(why)


def package(part: str, name: str) -> None:
    """The part needs a package."""
    if find_spec(name) is None:
        missing(part, f"{name} is not installed")

"""The three colours, from content to leaving.

● green: content and unlikely to leave. ▲ yellow: a possible problem, not yet solved but not
critical. ■ red: likely to leave, has complained or said it is unhappy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

Light = Literal["green", "yellow", "red"]

LIGHTS: tuple[Light, ...] = ("green", "yellow", "red")
"""From content to leaving; a *level* is a position in it."""

SHAPES: Mapping[str, str] = {"green": "●", "yellow": "▲", "red": "■"}
"""A shape for each colour, for those who cannot tell colours apart."""

_NAMES = np.array(LIGHTS, dtype=object)


def level_of(light: str) -> int:
    """0 of green, 1 of yellow, 2 of red.

    Raises
    ------
    ValueError
        If it is no light.
    """
    return LIGHTS.index(light)


def named(levels: np.ndarray) -> np.ndarray:
    """The lights of some levels."""
    lights: np.ndarray = _NAMES[levels]
    return lights

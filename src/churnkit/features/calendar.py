"""The time of the year of the cutoff, on a circle: New Year is next to New Year's Eve."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from churnkit.clock import share_of_year
from churnkit.features.registry import feature
from churnkit.index import BlockIndex, Observations


def _on_circle(
    at: Observations, axis: Callable[[np.ndarray], np.ndarray], rounds: int = 1
) -> np.ndarray:
    shares = np.array([share_of_year(cutoff) for cutoff in at.cutoffs])
    return at.each(axis(2 * np.pi * rounds * shares))


@feature(
    unit="sine",
    says="time of the year: 1 in early April, -1 in early October",
    reads="the time of the year",
    theme="season",
    seasonal=True,
)
def year_sin(_: BlockIndex, at: Observations) -> np.ndarray:
    return _on_circle(at, np.sin)


@feature(
    unit="cosine",
    says="time of the year: 1 in early January, -1 in early July",
    reads="the time of the year",
    theme="season",
    seasonal=True,
)
def year_cos(_: BlockIndex, at: Observations) -> np.ndarray:
    return _on_circle(at, np.cos)


@feature(
    unit="sine",
    says="time of the half-year: 1 in mid February and mid August, -1 in mid May and mid November",
    reads="the time of the year",
    theme="season",
    seasonal=True,
)
def half_year_sin(_: BlockIndex, at: Observations) -> np.ndarray:
    return _on_circle(at, np.sin, rounds=2)


@feature(
    unit="cosine",
    says="time of the half-year: 1 in early January and early July, -1 in early April and October",
    reads="the time of the year",
    theme="season",
    seasonal=True,
)
def half_year_cos(_: BlockIndex, at: Observations) -> np.ndarray:
    return _on_circle(at, np.cos, rounds=2)

"""How much is at stake: customers in tiers by the value at risk."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from churnkit.errors import ConfigError
from churnkit.logs import Texts

TIERS = ("high", "middle", "low", "unknown")
"""From most to least at stake; unknown where the value at risk is missing."""

_MOST = 0.5


@dataclass(frozen=True)
class Tiers:
    """Shares of the customers with a known value at risk that make the upper tiers.

    The edge of a tier is the value of its last customer, and it is inclusive: whoever has as
    much belongs to the tier, too, so that equal values are never told apart. A value of zero or
    less is low, however many have it.

    Attributes
    ----------
    high
        Share of the highest values, in (0, 0.5].
    middle
        Share of the values next to them, in (0, 0.5].

    Raises
    ------
    ConfigError
        If a share lies outside.

    Examples
    --------
    >>> Tiers(high=0.2, middle=0.3).of(np.array([9.0, 5.0, 5.0, 5.0, 1.0, np.nan])).tolist()
    ['high', 'middle', 'middle', 'middle', 'low', 'unknown']
    """

    high: float = 0.2
    middle: float = 0.3

    def __post_init__(self) -> None:
        for name, share in (("high_share", self.high), ("middle_share", self.middle)):
            if not 0 < share <= _MOST:
                raise ConfigError(
                    f"{name} = {share:g} in [calls] is no share above 0 and up to {_MOST:g}",
                    "Write 20 % as 0.2.",
                )

    def of(self, value: np.ndarray) -> np.ndarray:
        """Tier of each value at risk, as text."""
        found = self.levels(value)
        return np.array(found.words, dtype=object)[found.code]

    def levels(self, value: np.ndarray) -> Texts:
        """Tier of each value at risk, as positions in `TIERS`."""
        known = np.sort(value[~np.isnan(value)])[::-1]
        unknown, low = TIERS.index("unknown"), TIERS.index("low")
        tier = np.where(np.isnan(value), unknown, low).astype(np.int16)
        for name, share in (("middle", self.high + self.middle), ("high", self.high)):
            if len(known):
                tier[(value >= _edge(known, share)) & (value > 0)] = TIERS.index(name)
        return Texts(TIERS, tier)


def _edge(falling: np.ndarray, share: float) -> float:
    """The value of the last customer of a share; at least one is in it."""
    # Rounded, since 0.1 + 0.2 is a little more than 0.3.
    return float(falling[ceil(round(share * len(falling), 6)) - 1])

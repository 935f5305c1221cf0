"""How much is at stake: customers in tiers by the value at risk."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf

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

    def levels(self, value: np.ndarray, edges: TierEdges | None = None) -> Texts:
        """Tier of each value at risk, as positions in `TIERS`.

        Parameters
        ----------
        value
            Value at risk of each row, NaN where unknown.
        edges
            The edges, where these rows are only some of the customers; by default those of the
            rows.
        """
        found = self.edges(value) if edges is None else edges
        unknown, low = TIERS.index("unknown"), TIERS.index("low")
        tier = np.where(np.isnan(value), unknown, low).astype(np.int16)
        for name, edge in (("middle", found.middle), ("high", found.high)):
            tier[(value >= edge) & (value > 0)] = TIERS.index(name)
        return Texts(TIERS, tier)

    def edges(self, value: np.ndarray) -> TierEdges:
        """The edges that the values of all customers make."""
        falling = np.sort(value[~np.isnan(value)])[::-1]
        last = self.last_of(len(falling))
        return TierEdges(*(float(falling[nth - 1]) for nth in last)) if last else TierEdges()

    def last_of(self, known: int) -> tuple[int, int] | None:
        """How many-th, from the highest value down, the last of the high and of the middle are.

        Parameters
        ----------
        known
            How many values are known; without any there is no edge.
        """
        shares = (self.high, self.high + self.middle)
        # Rounded, since 0.1 + 0.2 is a little more than 0.3; at least one is in each.
        high, middle = (ceil(round(share * known, 6)) for share in shares)
        return (high, middle) if known else None


@dataclass(frozen=True)
class TierEdges:
    """From which value at risk on a customer is high, and from which on middle; both inclusive."""

    high: float = inf
    middle: float = inf

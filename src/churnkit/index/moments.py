"""How much came before an instant, for many customers and cutoffs at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from churnkit.clock import DAY, Cutoff, first_observer


def read_only(values: np.ndarray) -> np.ndarray:
    """A view that cannot be written to: features share it, and one of them may be the user's."""
    view = values.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False)
class Observations:
    """Pairs of a customer and a cutoff: the rows that are asked for.

    The arrays are read-only.

    Attributes
    ----------
    customer
        Position of each row's customer in its block, shape ``(rows,)``.
    nth
        Position of each row's cutoff in ``cutoffs``, shape ``(rows,)``.
    cutoffs
        The cutoffs, rising.
    """

    customer: np.ndarray
    nth: np.ndarray
    cutoffs: tuple[Cutoff, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "customer", read_only(self.customer))
        object.__setattr__(self, "nth", read_only(self.nth))

    @classmethod
    def of_all(cls, customers: int, cutoffs: Sequence[Cutoff]) -> Observations:
        """Every customer of a block at every cutoff, sorted by customer, then cutoff."""
        return cls(
            np.repeat(np.arange(customers), len(cutoffs)),
            np.tile(np.arange(len(cutoffs)), customers),
            tuple(cutoffs),
        )

    def __len__(self) -> int:
        return len(self.customer)

    @cached_property
    def us(self) -> np.ndarray:
        """The cutoff of each row, microseconds UTC."""
        return read_only(self.each(np.array([c.us for c in self.cutoffs], dtype=np.int64)))

    def each(self, per_cutoff: np.ndarray) -> np.ndarray:
        """One value per cutoff, spread over the rows."""
        return per_cutoff.take(self.nth)

    def where(self, mask: np.ndarray) -> Observations:
        """The rows for which the boolean mask holds, in the same order."""
        return Observations(self.customer[mask], self.nth[mask], self.cutoffs)


class Moments:
    """How many moments each customer had before an instant, for many instants at once.

    Parameters
    ----------
    customer, ts
        Customer and time (microseconds UTC) of each moment; they need no order.
    customers
        Number of customers of the block.
    lags
        Microseconds before a cutoff that were asked for earlier, and will be again; what is
        asked anew is added. Blocks share it with a rehearsal before the first of them, so that
        each counts before all instants in one pass.
    """

    def __init__(
        self, customer: np.ndarray, ts: np.ndarray, customers: int, lags: set[int]
    ) -> None:
        self._customer, self._ts, self._customers, self._lags = customer, ts, customers, lags
        self._counts: dict[int, np.ndarray] = {}
        self._asked: dict[tuple[Observations, int], np.ndarray] = {}
        self._cells: dict[Observations, np.ndarray] = {}

    def before(self, at: Observations, lag: int = 0) -> np.ndarray:
        """Number of moments with ``ts < cutoff - lag``, shape ``(rows,)``, read-only."""
        if (at, lag) not in self._asked:
            self._prepare(at.cutoffs, lag)
            table = np.concatenate([self._counts[c.us - lag] for c in at.cutoffs])
            self._asked[at, lag] = read_only(table.take(self._cells_of(at)))
        return self._asked[at, lag]

    @cached_property
    def per_customer(self) -> np.ndarray:
        """Number of moments of each customer, seen or not, shape ``(customers,)``."""
        return np.bincount(self._customer, minlength=self._customers)

    def _cells_of(self, at: Observations) -> np.ndarray:
        """Position of each observation in counts that are laid out cutoff by cutoff."""
        if at not in self._cells:
            self._cells[at] = at.nth * (len(self._some) + 1) + self._slot.take(at.customer)
        return self._cells[at]

    def _prepare(self, cutoffs: tuple[Cutoff, ...], lag: int) -> None:
        """Count before the instants of all lags in one pass, unless that is done."""
        if all(c.us - lag in self._counts for c in cutoffs):
            return
        self._lags.add(lag)
        asked = {c.us - known for c in cutoffs for known in tuple(self._lags)}
        instants = np.array(sorted(asked - self._counts.keys()), dtype=np.int64)
        slots = len(self._some) + 1
        cell = first_observer(self._ts, instants) * slots + self._slot.take(self._customer)
        found = np.bincount(cell, minlength=slots * (len(instants) + 1))
        seen = found.reshape(-1, slots).cumsum(axis=0)
        self._counts.update(zip(instants.tolist(), seen[:-1], strict=True))

    @cached_property
    def _some(self) -> np.ndarray:
        """The customers with any moment: rare kinds of events have few."""
        return np.flatnonzero(self.per_customer)

    @cached_property
    def _slot(self) -> np.ndarray:
        """Customer → its column in the counts; all without a moment share the last."""
        slot = np.full(self._customers, len(self._some))
        slot[self._some] = np.arange(len(self._some))
        return slot


class Lags:
    """The lags that the indexes of earlier blocks were asked for, by what they index."""

    def __init__(self) -> None:
        self._of: dict[str, set[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._of)

    def of(self, name: str) -> set[int]:
        """The lags asked of one index, to be added to."""
        return self._of.setdefault(name, set())


def lag_of(days: int) -> int:
    """Days before a cutoff as microseconds.

    Raises
    ------
    ValueError
        If they are below zero: no feature looks ahead.
    """
    if days < 0:
        raise ValueError(f"a window that ends {-days} days after the cutoff would see the future")
    return days * DAY

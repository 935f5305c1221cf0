"""What is known of a customer beside the logs and is declared never to change.

The only features that are no events: a region, a plan that is never changed, the age at the first
contract. What they say today is taken to have been so at every cutoff, on the word of whoever
declared them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from churnkit.features.registry import feature
from churnkit.index import BlockIndex, Observations
from churnkit.logs import Texts

CATEGORIES = 50
"""Categories of a column that are told apart, the most frequent ones."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_OTHERS = "other"


@dataclass(frozen=True)
class StaticColumn:
    """A static column of the customers as features see it.

    Attributes
    ----------
    name
        Name of the feature.
    words
        Its categories, sorted: the position of each is its code. ``None`` if it is a number.
    others
        Whether there are more categories; they share the code after the last.
    """

    name: str
    words: tuple[str, ...] | None = None
    others: bool = False

    @classmethod
    def learn(cls, name: str, counts: Mapping[str, int]) -> StaticColumn:
        """The column as the customers known so far fill it.

        A column whose every text is a plain number is a number; of any other the `CATEGORIES`
        most frequent texts are categories.

        Parameters
        ----------
        name
            Name of the feature.
        counts
            Text → number of customers.

        Examples
        --------
        >>> StaticColumn.learn("age", {"31": 2, "4.5": 1}).words is None
        True
        >>> StaticColumn.learn("plan", {"pro": 2, "basic": 1}).classes
        {0: 'basic', 1: 'pro'}
        """
        if all(np.isfinite(_number(text)) for text in counts):
            return cls(name)
        kept = sorted(counts, key=lambda text: (-counts[text], text))[:CATEGORIES]
        return cls(name, tuple(sorted(kept)), others=len(counts) > len(kept))

    def __str__(self) -> str:
        return self.name

    @cached_property
    def classes(self) -> dict[int, str]:
        """Code → category; none of a number."""
        words = list(self.words or ())
        if not self.others:
            return dict(enumerate(words))
        rest = _OTHERS
        while rest in words:
            rest = f"({rest})"
        return dict(enumerate([*words, rest]))

    def values(self, texts: Texts) -> np.ndarray:
        """The number, or the code of the category, of each customer as float64.

        NaN where it is missing, is no number, or is a category that was not known when the column
        was learnt and there is no code for others.
        """
        # The words are those of all customers, while these are some.
        codes, which = np.unique(texts.code, return_inverse=True)
        found = [self._value(texts.words[k]) if k >= 0 else np.nan for k in codes.tolist()]
        return np.array(found, dtype=np.float64)[which]

    def _value(self, text: str) -> float:
        if self.words is None:
            return _number(text)
        rest = len(self.words) if self.others else np.nan
        return float(self._codes.get(text, rest))

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {word: k for k, word in enumerate(self.words or ())}


def _number(text: str) -> float:
    """A plain number, whatever its digits are; NaN if the text is none."""
    number = float(text) if _NUMBER.fullmatch(text) else np.nan
    return number if np.isfinite(number) else np.nan


def _of_customers(block: BlockIndex, at: Observations, column: StaticColumn) -> np.ndarray:
    if column.name not in block.static:
        return np.full(len(at), np.nan)
    return column.values(block.static[column.name]).take(at.customer)


@feature(
    unit="category",
    name="{category}",
    says="{category} of the customer",
    reads="{category}: {value}",
    unknown="{category} unknown",
    theme="customer",
)
def category_of_customer(block: BlockIndex, at: Observations, category: StaticColumn) -> np.ndarray:
    return _of_customers(block, at, category)


@feature(
    unit="number",
    name="{number}",
    says="{number} of the customer",
    reads="{number}: {value}",
    unknown="{number} unknown",
    theme="customer",
    dtype="float64",
)
def number_of_customer(block: BlockIndex, at: Observations, number: StaticColumn) -> np.ndarray:
    return _of_customers(block, at, number)

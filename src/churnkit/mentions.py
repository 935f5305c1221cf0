"""Where people are named in what was written: rows of theirs, and texts that speak of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

MARK = "…"
"""What stands in a text in place of a name."""

NOTES = ("override", "rules", "changed", "reason", "note")
"""Columns of texts that people wrote, or that quote such texts: they may speak of others."""

_ROW_KEYS = ("customer_id", "customer")
_TELLING = 4  # in running text a shorter id may be any number or word


class Mentions:
    """Finds some customers in values and texts.

    A value that has a customer under ``customer_id`` or ``customer`` is a row of that customer. In
    a text an id is found where it stands in quotes, as churnkit writes it, or as a whole word of at
    least four signs.

    Parameters
    ----------
    names
        What the customers are called.

    Attributes
    ----------
    names
        The same, in order.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.names = tuple(sorted(set(names)))
        self._known = frozenset(names)
        longest_first = sorted(self.names, key=len, reverse=True)
        quoted = "|".join(re.escape(repr(name)) for name in longest_first)
        words = "|".join(re.escape(name) for name in longest_first if len(name) >= _TELLING)
        self._quoted = re.compile(quoted)
        self._words = re.compile(rf"(?<!\w)(?:{words})(?!\w)") if words else None

    def __contains__(self, customer: object) -> bool:
        return customer in self._known

    def without(self, text: str) -> str:
        """The text with `MARK` in place of every name.

        >>> Mentions(["C0042"]).without("called C0042, not C00421")
        'called …, not C00421'
        """
        told = self._quoted.sub(repr(MARK), text)
        return told if self._words is None else self._words.sub(MARK, told)

    def in_text(self, text: str) -> bool:
        """Whether a text names one of them."""
        return self.without(text) != text

    def pruned(self, told: Any) -> Any:
        """JSON-ready values without the rows of the customers, and their names out of texts.

        >>> Mentions(["7"]).pruned({"calls": [{"customer_id": "7"}, {"customer_id": "8"}]})
        {'calls': [{'customer_id': '8'}]}
        """
        if isinstance(told, Mapping):
            return {key: self.pruned(value) for key, value in told.items()}
        if isinstance(told, list | tuple):
            return [self.pruned(value) for value in told if not self.is_row(value)]
        return self.without(told) if isinstance(told, str) else told

    def is_row(self, told: Any) -> bool:
        """Whether values are a row of one of them."""
        return isinstance(told, Mapping) and any(told.get(key) in self._known for key in _ROW_KEYS)

    def counted(self, customers: Any) -> Counter[str]:
        """Customer → how many of an Arrow column of ids are that one, of those who are sought."""
        import pyarrow as pa
        import pyarrow.compute as pc

        theirs = customers.filter(pc.is_in(customers, value_set=pa.array(self.names, pa.string())))
        return Counter(theirs.to_pylist())

    def of_others(self, table: Any) -> Any:
        """An Arrow table of rows with ``customer_id`` without theirs and their names in `NOTES`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        theirs = pc.is_in(table["customer_id"].cast(pa.string()), pa.array(self.names, pa.string()))
        rest = table.filter(pc.invert(theirs))
        for name in (name for name in rest.column_names if name in NOTES):
            column = rest[name]
            texts = column.unique().cast(pa.string()).to_pylist()
            if any(text is not None and self.in_text(text) for text in texts):
                told = [None if t is None else self.without(t) for t in column.to_pylist()]
                place = rest.schema.get_field_index(name)
                rest = rest.set_column(place, rest.schema.field(name), pa.array(told, column.type))
        return rest

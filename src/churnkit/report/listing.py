"""What the rows of a call list can be filtered by: a few values, and which of them each row has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from churnkit.report.charts import SHAPES
from churnkit.report.wording import code

_KEYS = ("owner", "segment", "reason", "channel")


def listing(
    calls: Sequence[Mapping[str, Any]], rules: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """The choices of a call list.

    Parameters
    ----------
    calls
        What `churnkit.report.calls.call_told` tells of each.
    rules
        Rules with ``name`` and ``says``: reasons that are called like one are told in its words.

    Returns
    -------
    dict
        ``light``, ``owner``, ``segment``, ``reason``, ``channel``: the values there are, and
        ``codes``: for each row the places of its values in these.
    """
    says = {rule["name"]: rule["says"] for rule in rules}
    there = {call["light"] for call in calls}
    told: dict[str, list[str]] = {
        "light": [light for light in SHAPES if light in there],
        **{key: sorted({call[key] for call in calls}) for key in _KEYS},
    }
    places = {key: {value: k for k, value in enumerate(values)} for key, values in told.items()}
    codes = [" ".join(str(places[key][call[key]]) for key in told) for call in calls]
    reasons = [says.get(name, code(name)) for name in told["reason"]]
    return {**told, "reason": reasons, "codes": codes}

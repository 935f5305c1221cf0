"""The step of a project that tells everything said and done about one customer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from churnkit.config import Settings
from churnkit.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = (
    "light", "base_light", "light_before", "changed", "override", "unknown", "policy",
    "model_version", "segment", "tier", "playbook", "action", "channel", "owner", "due", "arm",
    "campaign", "listed",
)  # fmt: skip
_NUMBERS = ("churn_probability", "value_at_risk", "rank")
_LISTS = ("rules", "reasons")
_DEED = ("done", "result", "cost", "note", "arm", "file", "record")
_ENTRY = ("light", "before", "until", "owner", "reason")


def history_project(settings: Settings, customer: str) -> dict[str, Any]:
    """Everything said and done about one customer, day by day.

    Parameters
    ----------
    settings
        The project.
    customer
        The id, as it stands in the scores; of pseudonyms either, where the key is at hand.

    Returns
    -------
    dict
        ``customer_id``, and ``days`` in rising order, each with ``day``, ``run`` (what the run of
        the day that counts said of the customer: ``None`` without one), ``overrides`` (set or
        cleared on that day) and ``outcomes`` (recorded for the list of that day, in order).
        JSON-ready; what is not known is ``None``.

    Raises
    ------
    ConfigError
        If nothing is known of the customer.
    """
    customer, ledger = settings.customer_named(customer), settings.open_ledger()
    found = ledger.of_customer(customer)
    if all(frame.empty for frame in found.values()):
        raise ConfigError(
            f"nothing is known of customer {customer!r} in {ledger.says}",
            f"{did_you_mean(customer, ledger.like(customer))}Write the id as it stands in the "
            "scores; only customers who were at risk are in it.",
        )
    return {"customer_id": customer, "days": days_told(found)}


def days_told(found: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What a ledger has of a customer, day by day, see `history_project`.

    Parameters
    ----------
    found
        What `churnkit.ledger.Ledger.of_customer` gave; there may be nothing in it.
    """
    runs = {row["as_of"]: _run(row) for row in _rows(found["runs"])}
    overrides, outcomes = list(_rows(found["overrides"])), list(_rows(found["outcomes"]))
    days = {*runs, *(one["day"] for one in overrides), *(one["as_of"] for one in outcomes)}
    return [
        {
            "day": day,
            "run": runs.get(day),
            "overrides": [_picked(one, _ENTRY) for one in overrides if one["day"] == day],
            "outcomes": [_picked(one, _DEED) for one in outcomes if one["as_of"] == day],
        }
        for day in sorted(days)
    ]


def _run(row: dict[str, Any]) -> dict[str, Any]:
    texts = {name: row.get(name) or "" for name in _TEXTS}
    lists = {name: [part for part in (row.get(name) or "").split("; ") if part] for name in _LISTS}
    return {
        "run": row["run"], "sequence": row["sequence"], **_picked(row, _NUMBERS), **texts, **lists,
    }  # fmt: skip


def _picked(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row.get(name) for name in names}


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as plain values, with ``None`` for what is not known."""
    known = frame.astype(object).where(frame.notna(), None)
    for row in known.to_dict("records"):
        yield {str(name): value for name, value in row.items()}

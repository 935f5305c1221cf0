"""The call list as pages and programs tell it, and the whole list as a file beside the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.errors import DataError
from churnkit.logs.sql import spill_folder
from churnkit.sinks import write_csv
from churnkit.sources import connect

if TYPE_CHECKING:
    import pyarrow as pa

CALLS = 1000
"""So many calls are on a page, unless it is told otherwise."""

WHOLE = (
    "rank", "customer_id", "light", "churn_probability", "value_at_risk", "listed", "action",
    "channel", "owner", "due", "segment", "reason", "reasons", "rules", "light_before", "changed",
    "arm", "as_of", "model_version",
)  # fmt: skip
"""Columns of the whole list, as far as the run has them; shorter horizons follow them."""

_WITHIN = "churn_probability_"
_NEEDED = (
    "rank", "customer_id", "light", "churn_probability", "value_at_risk", "reasons", "rules",
    "light_before", "changed", "action", "channel", "owner", "due", "segment", "reason",
)  # fmt: skip
_TOLD = ("action", "channel", "owner", "due", "segment", "reason", "changed")


def call_told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a run as the call list tells it.

    Parameters
    ----------
    row
        Column → value, as `churnkit.scoring.Scores.table` has them, perhaps with those of a plan.

    Returns
    -------
    dict
        ``rank``, ``customer_id``, ``light``, ``churn_probability``, ``within_days`` (days →
        probability of the shorter horizons), ``value_at_risk`` (``None`` where unknown),
        ``reasons`` and ``rules`` (lists of texts), ``before`` and ``changed``, ``action``,
        ``channel``, ``owner``, ``due``, ``segment`` and ``reason`` (what it is foremost about);
        texts are empty where there are none.
    """
    return {
        "rank": int(row["rank"]),
        "customer_id": row["customer_id"],
        "light": row["light"],
        "churn_probability": float(row["churn_probability"]),
        "within_days": {
            name.removeprefix(_WITHIN).removesuffix("d"): value
            for name, value in row.items()
            if name.startswith(_WITHIN)
        },
        "value_at_risk": row["value_at_risk"],
        "reasons": _several(row["reasons"]),
        "rules": _several(row["rules"]),
        "before": row["light_before"] or "",
        **{name: row.get(name) or "" for name in _TOLD},
    }


def _several(joined: str | None) -> list[str]:
    return joined.split("; ") if joined else []


def first_calls(run: Path, most: int = CALLS) -> tuple[list[dict[str, Any]], int]:
    """The first so many of whom something is to be done with now, and how many there are.

    Without a plan in the run, all red and yellow customers are.

    Parameters
    ----------
    run
        The Parquet file of a run, see `churnkit.publishing.ScoreStore.path`.
    most
        At most so many.

    Returns
    -------
    tuple
        What `call_told` tells of each, best rank first, and the number of all.

    Raises
    ------
    DataError
        If the file cannot be read, or is no run.
    """
    import pyarrow.compute as pc

    names = _columns(run)
    listed = ("listed", "==", "call") if "listed" in names else ("light", "in", ["red", "yellow"])
    ranks = _read(run, ["rank"], [listed])["rank"]
    if not len(ranks) or not most:
        return [], len(ranks)
    # Only the rows that are shown are read whole: a run may hold millions.
    last = pc.sort_indices(ranks)[min(most, len(ranks)) - 1].as_py()
    needed = [name for name in names if name in _NEEDED or name.startswith(_WITHIN)]
    shown = _read(run, needed, [listed, ("rank", "<=", ranks[last].as_py())]).sort_by("rank")
    return [call_told(row) for row in shown.to_pylist()], len(ranks)


def _columns(run: Path) -> Sequence[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # A run that many wrote is a folder of files with the same columns.
        return list(pq.read_schema(min(run.iterdir()) if run.is_dir() else run).names)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{run} cannot be read ({error})", "Publish it anew.") from error


def _read(run: Path, columns: Sequence[str], filters: list[Any]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(
            run, columns=list(columns), filters=filters, page_checksum_verification=True
        )
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{run} cannot be read ({error})", "Publish it anew.") from error


def write_whole_list(run: Path, out: Path) -> int:
    """Write everybody who was scored as CSV, best rank first; texts that run are neutralised.

    Parameters
    ----------
    run
        The Parquet file of a run.
    out
        The CSV file; it appears whole or not at all.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    ConfigError
        If the folder cannot be written to.
    DataError
        If the run cannot be read.
    """
    there = _columns(run)
    names = [name for name in WHOLE if name in there]
    names += [name for name in there if name.startswith(_WITHIN)]
    files = sorted(run.iterdir()) if run.is_dir() else [run]
    with connect(reads=files) as con:
        ordered = spill_folder(con) / "ordered.parquet"
        con.read_parquet([str(file) for file in files]).order("rank").write_parquet(str(ordered))
        return write_csv(ordered, out, names)

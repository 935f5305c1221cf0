"""The bare scan: DuckDB decodes every column that the features need, once, and keeps nothing."""

from __future__ import annotations

import duckdb

from peers.run import Task

_VALUE_OF = {
    "customer_id": "strlen(customer_id)", "ts": "epoch_us(ts)", "amount": "amount",
    "event": "strlen(event)", "instrument": "strlen(instrument)", "score": "score",
}  # fmt: skip
_NEEDED = {
    "purchases": ("customer_id", "ts", "amount"),
    "activity": ("customer_id", "ts", "event"),
    "surveys": ("customer_id", "ts", "instrument", "score"),
}


def build(task: Task) -> dict[str, float]:
    """Scan the logs; nothing is written.

    Texts are measured and times become numbers: the smallest and largest of a column as it
    stands would be read off the statistics of the file.
    """
    with duckdb.connect(config={"memory_limit": task.memory}) as con:
        for log, columns in _NEEDED.items():
            values = [_VALUE_OF[name] for name in columns]
            told = ", ".join(f"sum({v}), min({v} + 0), max({v} + 0)" for v in values)
            con.sql(f"SELECT {told} FROM read_parquet('{task.log(log)}')").fetchall()
    return {}

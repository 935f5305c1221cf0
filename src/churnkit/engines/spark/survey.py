"""What is told of all customers together: added up over chunks, carried from executors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from io import BytesIO

import numpy as np

from churnkit.clock import Cutoff
from churnkit.engines.judging import added
from churnkit.index import MarketCounts, count_market
from churnkit.logs import LogCheck, Logs

TEXTS = {"activity": "kind", "surveys": "instrument"}
"""Log → its text measure, of which a `FeatureSpec` wants the frequent words."""

WITH_VALUE, STATIC = "activity with value", "static "
"""What else has words: events that came with a value, and (with a name) static columns."""


@dataclass(frozen=True)
class Survey:
    """What was seen of some customers; surveys of different customers add up.

    Attributes
    ----------
    checks
        Log → what became of its rows.
    words
        Log with a text measure → how often each of its words occurs before the last cutoff;
        `WITH_VALUE` → the same of events with a value; `STATIC` and the name of a static column →
        how many customers known by then have each of its words.
    market
        What the customers did before each cutoff.
    """

    checks: Mapping[str, LogCheck]
    words: Mapping[str, Counter[str]]
    market: MarketCounts

    @classmethod
    def of(cls, logs: Logs, cutoffs: Sequence[Cutoff]) -> Survey:
        """What is seen of the customers of some logs."""
        return cls(
            checks={check.log: check for check in logs.checks},
            words=dict(_words(logs, cutoffs[-1])),
            market=count_market([logs], cutoffs),
        )

    def __add__(self, other: Survey) -> Survey:
        return Survey(
            {log: added(check, other.checks[log]) for log, check in self.checks.items()},
            {log: words + other.words[log] for log, words in self.words.items()},
            self.market + other.market,
        )

    def to_bytes(self) -> bytes:
        """The survey on its way from an executor."""
        told = {"checks": [asdict(c) for c in self.checks.values()], "words": self.words}
        counts = {
            f"{stream} {part.name}": getattr(counted, part.name)
            for stream, counted in self.market.streams.items()
            for part in fields(counted)
        }
        file = BytesIO()
        np.savez_compressed(file, told=np.array(json.dumps(told)), **counts)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, cutoffs: Sequence[Cutoff]) -> Survey:
        """The survey told by `to_bytes`, of these cutoffs."""
        counts = dict(np.load(BytesIO(content)))
        told = json.loads(str(counts.pop("told")))
        nothing = count_market([], cutoffs)
        streams = {
            stream: replace(
                counted, **{part.name: counts[f"{stream} {part.name}"] for part in fields(counted)}
            )
            for stream, counted in nothing.streams.items()
        }
        return cls(
            checks={check["log"]: LogCheck(**check) for check in told["checks"]},
            words={log: Counter(words) for log, words in told["words"].items()},
            market=replace(nothing, streams=streams),
        )


def _words(logs: Logs, before: Cutoff) -> Iterator[tuple[str, Counter[str]]]:
    for log, measure in TEXTS.items():
        if log in logs.events:
            yield log, Counter(logs.words(log, measure, before))
    if "valued" in logs.measures.get("activity", ()):
        yield WITH_VALUE, Counter(logs.words("activity", "kind", before, "valued"))
    for name, words in logs.static_words(before).items():
        yield STATIC + name, Counter(words)

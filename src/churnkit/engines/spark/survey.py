"""What is told of all customers together: added up over chunks, carried from executors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import sha256
from io import BytesIO

import numpy as np

from churnkit.clock import Cutoff, local_days
from churnkit.engines.judging import added
from churnkit.index import MarketCounts, count_market
from churnkit.logs import LogCheck, Logs
from churnkit.scoring.fingerprints import prints_of

TEXTS = {"activity": "kind", "surveys": "instrument"}
"""Log → its text measure, of which a `FeatureSpec` wants the frequent words."""

_MODULUS = 2**256  # sums of numbers of customers go round at it

WITH_VALUE, STATIC = "activity with value", "static "
"""What else has words: events that came with a value, and (with a name) static columns."""


@dataclass(frozen=True)
class Survey:
    """What was seen of some customers; surveys of different customers add up.

    Attributes
    ----------
    checks
        Log → what became of its rows.
    customers
        Number of customers of any log.
    days
        Log → start of a local day, microseconds UTC → events of that day.
    words
        For each cutoff that was asked for: log with a text measure → how often each of its words
        occurs before it; `WITH_VALUE` → the same of events with a value; `STATIC` and the name of
        a static column → how many customers known by then have each of its words.
    market
        What the customers did before each cutoff.
    prints
        How many customers have an event before the cutoff of fingerprints, and a sum of numbers
        that their ids and fingerprints make, see `fingerprinted`; zeros where nobody asked.
    """

    checks: Mapping[str, LogCheck]
    customers: int
    days: Mapping[str, Counter[int]]
    words: tuple[Mapping[str, Counter[str]], ...]
    market: MarketCounts
    prints: tuple[int, int] = (0, 0)

    @classmethod
    def of(
        cls,
        logs: Logs,
        cutoffs: Sequence[Cutoff],
        before: Sequence[Cutoff],
        prints: Cutoff | None = None,
    ) -> Survey:
        """What is seen of the customers of some logs.

        Parameters
        ----------
        logs
            The logs.
        cutoffs
            Before which it is counted what they did, rising.
        before
            Cutoffs before which words are counted.
        prints
            Cutoff before which customers have a fingerprint.
        """
        days = {log: Counter(local_days(e.ts, logs.zone)) for log, e in logs.events.items()}
        return cls(
            checks={check.log: check for check in logs.checks},
            customers=logs.customer_count,
            days=days,
            words=tuple(dict(_words(logs, cutoff)) for cutoff in before),
            market=count_market([logs], cutoffs),
            prints=(0, 0) if prints is None else fingerprinted(logs, prints),
        )

    def __add__(self, other: Survey) -> Survey:
        return Survey(
            {log: added(check, other.checks[log]) for log, check in self.checks.items()},
            self.customers + other.customers,
            {log: days + other.days[log] for log, days in self.days.items()},
            tuple(
                {log: words + theirs[log] for log, words in ours.items()}
                for ours, theirs in zip(self.words, other.words, strict=True)
            ),
            self.market + other.market,
            (self.prints[0] + other.prints[0], (self.prints[1] + other.prints[1]) % _MODULUS),
        )

    @property
    def fingerprint(self) -> str:
        """A hash of all that was known before the cutoff of fingerprints.

        It changes with any row of any customer, in whatever order and parts they lie; it is no
        proof against somebody who wants to hide a change.
        """
        return sha256("{} {}".format(*self.prints).encode()).hexdigest()

    def to_bytes(self) -> bytes:
        """The survey on its way from an executor."""
        told = {
            "checks": [asdict(check) for check in self.checks.values()],
            "customers": self.customers,
            "days": {log: list(days.items()) for log, days in self.days.items()},
            "words": self.words,
            "prints": self.prints,
        }
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
            customers=told["customers"],
            days={log: Counter(dict(days)) for log, days in told["days"].items()},
            words=tuple(
                {log: Counter(counts) for log, counts in words.items()} for words in told["words"]
            ),
            market=replace(nothing, streams=streams),
            prints=(told["prints"][0], told["prints"][1]),
        )


def fingerprinted(logs: Logs, before: Cutoff) -> tuple[int, int]:
    """How many customers have an event before a cutoff, and the sum of a number of each."""
    found = prints_of(logs, before)
    there = np.flatnonzero(found)
    total = 0
    for customer, value in zip(logs.customer_ids[there], found[there].tolist(), strict=True):
        total += int.from_bytes(sha256(value.to_bytes(8) + customer.encode()).digest())
    return len(there), total % _MODULUS


def _words(logs: Logs, before: Cutoff) -> Iterator[tuple[str, Counter[str]]]:
    for log, measure in TEXTS.items():
        if log in logs.events:
            yield log, Counter(logs.words(log, measure, before))
    if "valued" in logs.measures.get("activity", ()):
        yield WITH_VALUE, Counter(logs.words("activity", "kind", before, "valued"))
    for name, words in logs.static_words(before).items():
        yield STATIC + name, Counter(words)

"""What an executor must know to score customers, and what it makes of their rows.

The functions are those of one machine, for a few customers at a time: what depends on all customers
together was found out before (`Among`, `Limits`, ranks) and is handed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.actions import Actions, Limits
from churnkit.changes import Before
from churnkit.clock import Cutoff
from churnkit.engines.spark.bundles import Shipped
from churnkit.engines.spark.executors import OnExecutors
from churnkit.explain.reasons import Phrases, Themes, middle_of
from churnkit.features import FeaturePlan
from churnkit.lights import Among, Firing, Lights, Override, TrafficLight
from churnkit.logs import Logs, Texts
from churnkit.model import ChurnModel
from churnkit.scoring import Causes, Found, Scores, Sought
from churnkit.scoring.scores import joined_reasons
from churnkit.scoring.sweep import REASONS_TOLD, looked_at, numbered

if TYPE_CHECKING:
    import pyarrow as pa

CUSTOMER, PROBABILITY, VALUE, FIRED = "customer_id", "churn_probability", "value", "fired"
SIDES, LEADING, REASONS, RANK = "sides", "leading", "reasons", "rank"
WITHIN, CLASS, BEFORE, WAS_THERE = "within ", "class ", "before ", "before there"
LEVEL, CHANGED, CAUSE = "level", "changed", "cause"
"""Columns of what is found of a customer: with `WITHIN` days, with `CLASS` a static column, with
`BEFORE` a column of the run before; level and whether it changed; why it did."""

TOLD_BEFORE = (
    "churn_probability", "light", "base_light", "held_light", "better_due", "fired", "override",
)  # fmt: skip
"""Columns of the run before that are put beside a customer."""


@dataclass(frozen=True)
class Scorer:
    """How customers are scored, and all that is known of the others.

    Attributes
    ----------
    work
        How rows become logs.
    shipped
        The model.
    plan, as_of
        The features of the cutoff.
    light, within, margin, classes
        As of `churnkit.scoring.sweep.Sought`.
    actions, segment
        How scores are turned into deeds, and the static column of the segment.
    overrides
        Customer → the override that holds.
    before
        Day, policy and model version of the run before, if there was one.
    among, limits
        What is known of all customers, once it is.
    """

    work: OnExecutors
    shipped: Shipped
    plan: FeaturePlan
    as_of: Cutoff
    light: TrafficLight
    within: tuple[int, ...]
    margin: float
    classes: tuple[str, ...]
    actions: Actions
    segment: str
    overrides: Mapping[str, Override]
    before: tuple[str, str, str] | None = None
    among: Among | None = None
    limits: Limits | None = None

    @cached_property
    def model(self) -> ChurnModel:
        """The model, verified here, with one thread."""
        return self.shipped.model()

    @cached_property
    def themes(self) -> Themes:
        """The columns of the model by what they are about."""
        return Themes.of(self.model)

    @cached_property
    def sought(self) -> Sought:
        """What is to be found out of every customer by itself."""
        return Sought(
            self.model, self.as_of, self.plan, self.light, middle_of(self.model, None),
            self.within, None, self.margin, self.classes,
        )  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    # ── The first look ──────────────────────────────────────────────────────────────────────

    def found(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """What is found of the customers at risk of a partition, each by itself."""
        self.work._load_own()
        for logs in self.work._logs(batches):
            for part in self._found_in(logs):
                yield self._batch(part)

    def _found_in(self, logs: Logs) -> Iterator[Found]:
        if not logs.customer_count:
            return
        phrases = Phrases(self.themes)
        for part, told in looked_at(self.sought, logs, phrases):
            if len(part):
                yield numbered(part, told)

    def _batch(self, found: Found) -> pa.RecordBatch:
        import pyarrow as pa

        fired = np.packbits(found.firing.combinations, axis=1)
        words = pa.array([row.tobytes() for row in fired], pa.binary())
        columns: dict[str, Any] = {
            CUSTOMER: found.customer,
            PROBABILITY: pa.array(found.probability),
            VALUE: pa.array(found.value),
            FIRED: words.take(pa.array(found.firing.code)),
            SIDES: pa.array(found.sides.astype(np.int32)),
            LEADING: pa.array(found.leading.astype(np.int32)),
            REASONS: joined_reasons(found.phrases, found.numbers, found.exact),
        }
        columns |= {f"{WITHIN}{days}": pa.array(p) for days, p in found.within.items()}
        for name, texts in found.classes.items():
            columns[f"{CLASS}{name}"] = pa.array(texts.as_list(), pa.string())
        return pa.RecordBatch.from_pydict(columns)

    # ── What all of it comes to ─────────────────────────────────────────────────────────────

    def scores(self, rows: pa.Table) -> Scores:
        """The scores of some customers, in the order of their rows.

        Parameters
        ----------
        rows
            Their columns; without `RANK` nobody asks for ranks, without `CAUSE` no light changed.
        """
        found = self._found_of(rows)
        before = self._before_of(rows)
        lights = self._lights_of(found, before)
        there = set(rows.column_names)
        scores = Scores(
            self.as_of, self.model, found, lights, self.light.policy.says, before,
            ranks=_numbers(rows, RANK) if RANK in there else np.arange(1, len(rows) + 1),
        )  # fmt: skip
        if CAUSE not in there:
            return scores
        told = rows[CAUSE].to_pylist()
        changed = [k for k, text in enumerate(told) if text]
        causes = Causes(np.array(changed, dtype=np.int64), tuple(told[k] for k in changed))
        return replace(scores, causes=causes)

    def _found_of(self, rows: pa.Table) -> Found:
        phrases = Phrases(self.themes)
        # The sentences are in words by now, all of a customer in one text; nothing is to be added.
        words, code = _encoded(rows, REASONS)
        of_text = np.array([*(phrases.number_of(word) for word in words), -1], dtype=np.int32)
        numbers = np.full((len(rows), REASONS_TOLD, 2), -1, dtype=np.int32)
        numbers[:, 0, 0] = of_text[code]
        return Found(
            customer=rows[CUSTOMER].combine_chunks(),
            probability=_numbers(rows, PROBABILITY),
            value=_numbers(rows, VALUE),
            within={days: _numbers(rows, f"{WITHIN}{days}") for days in self.within},
            saved=None,
            firing=self._firing_of(rows),
            sides=_numbers(rows, SIDES).astype(np.uint8),
            numbers=numbers,
            leading=_numbers(rows, LEADING),
            exact=np.ones(len(rows), dtype=bool),
            classes={name: Texts(*_encoded(rows, f"{CLASS}{name}")) for name in self.classes},
            phrases=phrases,
        )

    def _firing_of(self, rows: pa.Table) -> Firing:
        rules = self.light.in_force(self.as_of)
        words, code = _encoded(rows, FIRED)
        bits = np.frombuffer(b"".join(words), dtype=np.uint8).reshape(len(words), -1)
        table = np.unpackbits(bits, axis=1, count=len(rules)).astype(bool)
        return Firing(rules, table.reshape(len(words), len(rules)), code.astype(np.int32))

    def _before_of(self, rows: pa.Table) -> Before | None:
        if self.before is None:
            return None
        names = [f"{BEFORE}{name}" for name in TOLD_BEFORE]
        run = rows.select(names).rename_columns(list(TOLD_BEFORE)).to_pandas()
        there = rows[WAS_THERE].fill_null(False).to_numpy()
        return Before.beside(run, np.where(there, np.arange(len(run)), len(run)), *self.before)

    def _lights_of(self, found: Found, before: Before | None) -> Lights:
        return self.light.lit(
            found.probability, found.value, found.customer.to_numpy(zero_copy_only=False),
            found.firing, found.sides, self.model.spec,
            before=None if before is None else before.memory,
            overrides=self._overrides_of(found.customer), among=self.among,
        )  # fmt: skip

    def _overrides_of(self, customer: pa.Array) -> dict[int, Override]:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.overrides:
            return {}
        held = pc.is_in(customer, value_set=pa.array(sorted(self.overrides), pa.string()))
        rows = np.flatnonzero(held.to_numpy(zero_copy_only=False)).tolist()
        return {row: self.overrides[customer[row].as_py()] for row in rows}


def _numbers(rows: pa.Table, name: str) -> np.ndarray:
    values: np.ndarray = rows[name].to_numpy()
    return values


def _encoded(rows: pa.Table, name: str) -> tuple[tuple[Any, ...], np.ndarray]:
    """The distinct values of a column, and the place of each row's among them; -1 for none."""
    import pyarrow as pa

    column = rows[name]
    joined = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    told = joined.dictionary_encode()
    code = told.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return tuple(told.dictionary.to_pylist()), code

"""`Scores`: what is known and said about every customer at risk, and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.changes import Before, transitions
from churnkit.clock import Cutoff
from churnkit.explain.reasons import APPROXIMATE, Phrases
from churnkit.features import Features
from churnkit.lights import LIGHTS, SHAPES, SIDES, Lights, rank_of, ranking, sides_in
from churnkit.lights.shown import chip, counted, lights_table
from churnkit.logs import Texts
from churnkit.model import ChurnModel
from churnkit.notebook import Figure, Table, panel
from churnkit.scoring.sweep import Found

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SHOWN = (
    "customer_id", "as_of", "churn_probability", "light", "rank", "value_at_risk", "reasons",
    "rules", "base_light", "light_before", "changed", "unknown", "model_version",
)  # fmt: skip
"""The columns that people are shown, see `Scores.to_frame`."""

_CALLS_SHOWN = 5  # in a notebook

ROWS_AT_ONCE = 100_000
"""Rows of a table that are made at once, where all of them could fill the memory."""


@dataclass(frozen=True)
class Causes:
    """Why lights changed since the run before.

    Attributes
    ----------
    rows
        The customers whose light changed, rising.
    texts
        Why, one text for each.
    """

    rows: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scores:
    """What is known and said about every customer at risk at one cutoff.

    Rows are in order of the ids. What is kept is small, however many customers there are; what is
    told of each in words is made when it is asked for.

    Attributes
    ----------
    as_of
        The cutoff.
    model
        The model that scored.
    found
        What was found of each customer by itself.
    lights
        Colours and the rules behind them.
    policy
        The policy of the lights, in words.
    before
        The run before, if there was one.
    causes
        Why lights changed since then.
    ranks
        Ranks among all customers, where these are only some of them.
    """

    as_of: Cutoff
    model: ChurnModel
    found: Found
    lights: Lights
    policy: str = ""
    before: Before | None = None
    causes: Causes = field(default_factory=Causes)
    ranks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.found)

    def __repr__(self) -> str:
        told = counted(self.lights.level).items()
        lights = ", ".join(f"{SHAPES[name]} {name} {n:,}" for name, n in told)
        return f"<Scores as of {self.as_of}: {len(self):,} customers at risk; {lights}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: customers of each light, and the first of the call list."""
        facts = {
            "asks": self.model.question.rule,
            "model": f"{self.model.rung}, version {self.model.version}",
            "policy": self.policy,
        }
        tables = [lights_table(self.lights.level, self.lights.base_level), self._first_called()]
        title = f"Scores as of {self.as_of}: {len(self):,} customers at risk"
        return panel(title, facts, tables, self.lights.warnings)

    def _first_called(self) -> Table:
        order = self.in_rank_order
        rows = order[self.lights.level[order] != 0][:_CALLS_SHOWN]
        ruled = self.lights.said_of["rules"]
        listed = [
            (
                int(self.rank[k]), str(self.customer[k]), chip(LIGHTS[self.lights.level[k]]),
                Figure(f"{self.probability[k]:.0%}"), _worth(self.value_at_risk[k]),
                "; ".join([rule for rule in [ruled[code]] if rule] + reasons[:2]),
            )
            for k, code, reasons in zip(
                rows.tolist(), self.lights.said_code[rows], self.reasons_of(rows), strict=True
            )
        ]  # fmt: skip
        header = ("rank", "customer", "light", "churn", "value at risk", "why")
        return Table(header, listed, "The first of the call list")

    @property
    def features(self) -> Features:
        """Features of the customers at risk, one row each.

        Raises
        ------
        ValueError
            If they were not kept.
        """
        if self.found.features is None:
            raise ValueError("the features of these scores were not kept")
        return self.found.features

    @property
    def customer(self) -> pa.Array:
        """Ids, as an Arrow array of texts."""
        return self.found.customer

    @property
    def probability(self) -> np.ndarray:
        """Churn probability of each row, in [0, 1]."""
        return self.found.probability

    @property
    def value_at_risk(self) -> np.ndarray:
        """Margin expected over the horizon if the customer stays, NaN where unknown."""
        return self.found.value

    @property
    def within(self) -> Mapping[int, np.ndarray]:
        """Days, fewer than the horizon → churn probability of each row in that time."""
        return self.found.within

    @property
    def saved(self) -> np.ndarray | None:
        """What acting on each is expected to keep, as a share of customers like it; ``None`` where
        customers are ranked by risk.
        """
        return self.found.saved

    @cached_property
    def rank(self) -> np.ndarray:
        """1 for whom to look at first: probability × value at risk, then probability, then id.

        With ``saved``, that takes the place of the probability.

        Without any amounts the probability alone decides; an unknown value among known ones
        counts as zero.
        """
        if self.ranks is not None:
            return self.ranks
        weight = self.probability if self.saved is None else self.saved
        return rank_of(ranking(weight, self.value_at_risk, np.arange(len(self))))

    @cached_property
    def in_rank_order(self) -> np.ndarray:
        """Rows, best rank first."""
        if self.ranks is not None:
            return np.argsort(self.ranks)
        order = np.empty(len(self), dtype=np.int64)
        order[self.rank - 1] = np.arange(len(self))
        return order

    @property
    def reasons(self) -> list[list[str]]:
        """Up to four reasons for each row; ≈ marks those that are not exact."""
        return self.reasons_of(np.arange(len(self)))

    def reasons_of(self, rows: np.ndarray) -> list[list[str]]:
        """Up to four reasons for each of some rows."""
        return self.found.phrases.lines(self.found.numbers[rows], self.found.exact[rows])

    @property
    def leading(self) -> list[str]:
        """For each row the theme that raises its probability most; empty where none does."""
        names = (*self.found.phrases.themes.names, "")  # -1 is the last one
        return [names[k] for k in self.found.leading.tolist()]

    @property
    def changed(self) -> list[str]:
        """For each row why its light changed since then; empty where it did not."""
        told = [""] * len(self)
        for row, text in zip(self.causes.rows.tolist(), self.causes.texts, strict=True):
            told[row] = text
        return told

    @property
    def light_before(self) -> list[str]:
        """The light of each row in the run before; empty where there was none."""
        return [""] * len(self) if self.before is None else self.before.light.tolist()

    @property
    def reason_groups(self) -> list[str]:
        """What each row is foremost about, see `reason`."""
        return [word or "" for word in self.reason.as_list()]

    @cached_property
    def reason(self) -> Texts:
        """What each row is foremost about: playbooks are chosen by it.

        The last rule that asks for its colour, whatever the score; else the theme that raises its
        probability most; else ``score``, where no theme does.
        """
        deciding = self.lights.said_of["deciding"]
        names = list(dict.fromkeys(name for name in deciding if name))
        themes = self.found.phrases.themes.names
        by_rule = np.array([names.index(name) if name else -1 for name in deciding])
        rule = by_rule[self.lights.said_code]
        leading = self.found.leading.astype(np.int32)
        by_theme = np.where(leading >= 0, leading + len(names), len(names) + len(themes))
        return Texts((*names, *themes, "score"), np.where(rule >= 0, rule, by_theme))

    @property
    def transitions(self) -> dict[str, dict[str, int]] | None:
        """Light before → light now → customers; ``None`` without a run before."""
        return None if self.before is None else transitions(self.before, self.lights)

    @property
    def unknown_counts(self) -> dict[str, int]:
        """Side → customers of whom nothing is known there, in the order of the sides."""
        found = ((self.lights.sides >> k & 1).sum() for k in range(len(SIDES)))
        return {side: int(n) for side, n in zip(SIDES, found, strict=True) if n}

    def class_of(self, column: str) -> np.ndarray:
        """The value of a static column for each row of `to_run`; empty where it is not known.

        Every value is empty if the model does not know the column.
        """
        told = (word or "" for word in self.class_texts(column).as_list())
        return np.array(list(told), dtype=object)[self.in_rank_order]

    def class_texts(self, column: str) -> Texts:
        """The value of a static column for each row; none if it was not kept, or is not known."""
        kept = self.found.classes.get(column)
        if kept is not None:
            return kept
        if self.found.features is None or column not in self.features.columns:
            return Texts((), np.full(len(self), -1))
        return Texts.of(self.features.class_of(column).tolist())

    def table(self, rows: np.ndarray, *, run: bool = True) -> pa.Table:
        """Some rows as the ledger keeps them, see `to_run`; or else as `to_frame` gives them."""
        import pyarrow as pa

        columns = self._shown(rows)
        if run:
            columns |= self._kept(rows)
        else:
            columns |= {
                f"churn_probability_{days}d": _numbers(p[rows]) for days, p in self.within.items()
            }
        return pa.table(columns)

    def _shown(self, rows: np.ndarray) -> dict[str, Any]:
        lights, found = self.lights, self.found
        said, code = lights.said_of, lights.said_code[rows]
        return {
            "customer_id": self.customer.take(_rows(rows)),
            "as_of": constant(str(self.as_of), len(rows)),
            "churn_probability": _numbers(self.probability[rows]),
            "light": words(LIGHTS, lights.level[rows]),
            "rank": _rows(self.rank[rows]),
            "value_at_risk": _numbers(self.value_at_risk[rows]),
            "reasons": joined_reasons(found.phrases, found.numbers[rows], found.exact[rows]),
            "rules": self._rules(rows, said["rules"], code),
            "base_light": words(LIGHTS, lights.base_level[rows]),
            "light_before": constant("", len(rows))
            if self.before is None
            else words(LIGHTS, self.before.level[rows]),
            "changed": self._changed(rows),
            "unknown": words(_SIDES_TOLD, lights.sides[rows]),
            "model_version": constant(self.model.version, len(rows)),
        }

    def _kept(self, rows: np.ndarray) -> dict[str, Any]:
        lights = self.lights
        theirs = [lights.override_of.get(row) for row in rows.tolist()] if self._overridden else []
        says = ["" if o is None else o.says for o in theirs]
        return {
            "policy": constant(self.policy, len(rows)),
            "yellow_from": _numbers(lights.edges.yellow[rows]),
            "red_from": _numbers(lights.edges.red[rows]),
            "held_light": words(LIGHTS, lights.held_level[rows]),
            "better_due": _rows(lights.due[rows]),
            "fired": words(lights.said_of["fired"], lights.said_code[rows]),
            "override": _texts(says) if says else constant("", len(rows)),
            "reason": words(self.reason.words, self.reason.code[rows]),
        }

    @property
    def _overridden(self) -> bool:
        return bool(self.lights.override_of)

    def _rules(self, rows: np.ndarray, told: Sequence[str], code: np.ndarray) -> pa.Array:
        """What rules and overrides say."""
        if not self._overridden:
            return words(told, code)
        place = {row: k for k, row in enumerate(rows.tolist())}
        texts, code = list(told), code.copy()
        for row, override in self.lights.override_of.items():
            if row in place:
                said = texts[code[place[row]]]
                code[place[row]] = len(texts)
                texts.append("; ".join(part for part in (said, override.says) if part))
        return words(texts, code)

    def _changed(self, rows: np.ndarray) -> pa.Array:
        if not len(self.causes.rows):
            return constant("", len(rows))
        place = np.searchsorted(self.causes.rows, rows).clip(max=len(self.causes.rows) - 1)
        there = self.causes.rows[place] == rows
        told = np.where(there, place, -1).tolist()
        return _texts([self.causes.texts[k] if k >= 0 else "" for k in told])

    def to_frame(self) -> pd.DataFrame:
        """One row per customer at risk, best rank first.

        Columns: ``customer_id``, ``as_of``, ``churn_probability``, ``light``, ``rank``,
        ``value_at_risk``, ``reasons`` and ``rules`` (texts joined by "; "), ``base_light``,
        ``light_before`` and ``changed`` (why it differs), ``unknown`` (the sides of which nothing
        is known), ``model_version``; and ``churn_probability_30d`` where 30 days were asked for,
        too.
        """
        frame: pd.DataFrame = self.table(self.in_rank_order, run=False).to_pandas()
        return frame

    def to_run(self) -> pd.DataFrame:
        """What the ledger keeps: one row per customer at risk, best rank first.

        Columns of `to_frame` but those of shorter horizons; and ``policy``, ``yellow_from``,
        ``red_from``, ``held_light`` and ``better_due`` (what hysteresis must know), ``fired``
        (names of the rules), ``override`` (in words), ``reason`` (see `reason_groups`).
        """
        frame: pd.DataFrame = self.table(self.in_rank_order).to_pandas()
        return frame

    def call_list(self, calls: int | None = None) -> pd.DataFrame:
        """The red and yellow customers, best rank first, at most ``calls`` of them."""
        order = self.in_rank_order
        acted_on = order[self.lights.level[order] != 0][:calls]
        frame: pd.DataFrame = self.table(acted_on, run=False).to_pandas()
        return frame


def _worth(value: float) -> Figure | None:
    return None if np.isnan(value) else Figure(f"{value:,.0f}")


_SIDES_TOLD = tuple("; ".join(sides_in(bits)) for bits in range(1 << len(SIDES)))


def words(vocabulary: Sequence[str], code: np.ndarray) -> pa.Array:
    """Texts of a vocabulary, by their positions; empty at -1."""
    import pyarrow as pa

    texts = pa.array([*vocabulary, ""], pa.string())
    return texts.take(pa.array(np.where(code < 0, len(vocabulary), code).astype(np.int64)))


def constant(text: str, rows: int) -> pa.Array:
    """The same text in every row."""
    import pyarrow as pa

    return pa.repeat(pa.scalar(text, pa.string()), rows)


def _texts(texts: Sequence[str]) -> pa.Array:
    import pyarrow as pa

    return pa.array(texts, pa.string())


def _numbers(values: np.ndarray) -> pa.Array:
    """Numbers; NaN is null."""
    import pyarrow as pa

    return pa.array(values, pa.float64(), from_pandas=True)


def _rows(values: np.ndarray) -> pa.Array:
    import pyarrow as pa

    return pa.array(values.astype(np.int64, copy=False))


def joined_reasons(phrases: Phrases, numbers: np.ndarray, exact: np.ndarray) -> pa.Array:
    """The reasons of each row in one text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    heads, head = _used(phrases.heads, numbers[..., 0])
    tails, tail = _used(phrases.tails, numbers[..., 1])
    marked = [*heads, *(APPROXIMATE + text if text else "" for text in heads)]
    head = head + np.where(exact, 0, len(heads))[:, None]
    # Reasons that are not told come last, so that a text but the first has one before it. (Arrow
    # could leave out nulls as it joins, but then forgets rows that hold nothing else.)
    first, last = pa.array(marked, pa.string()), pa.array(tails, pa.string())
    others = pa.array([f"; {text}" if text else "" for text in marked], pa.string())
    columns = []
    for k in range(numbers.shape[1]):
        columns.append((others if k else first).take(pa.array(head[:, k])))
        columns.append(last.take(pa.array(tail[:, k])))
    return pc.binary_join_element_wise(*columns, "")


def _used(texts: Sequence[str], numbers: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The texts that some numbers name, empty for -1, and the position of each among them."""
    there = np.zeros(len(texts) + 1, dtype=bool)
    there[numbers] = True  # -1 is the last one
    place = np.cumsum(there) - 1
    known = (*texts, "")
    return [known[k] for k in np.flatnonzero(there).tolist()], place[numbers]

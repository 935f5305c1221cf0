"""Going through the logs block by block: what is kept of each customer, and no feature of it.

The first time every customer at risk is scored and explained, and what is kept fits the memory
however many there are. What concerns all of them together (edges, ranks, lists) is decided then.
The second time only those are looked at of whom more is to be told.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from churnkit.audit.sample import joined, only
from churnkit.clock import Cutoff
from churnkit.explain.reasons import Phrases, Themes, Voices, approximates, voices
from churnkit.features import Features, FeatureSpec, plan_features
from churnkit.features.kernel import FeaturePlan, FeatureRows, in_order
from churnkit.lights import Firing, TrafficLight, sides_unknown
from churnkit.logs import CustomerLogs, Logs, Texts
from churnkit.model import ChurnModel
from churnkit.progress import Progress, silent, watched
from churnkit.scoring.population import money_beside, value_at_risk

if TYPE_CHECKING:
    import pyarrow as pa

REASONS_TOLD = 4
"""Reasons of a customer at most."""

Saved = Callable[[Features, np.ndarray], np.ndarray]
"""Features and churn probabilities → what acting on each customer is expected to keep."""


@dataclass(frozen=True)
class Sought:
    """What is to be found out of every customer at risk, each by itself.

    Attributes
    ----------
    model, as_of
        What scores, and when.
    plan
        The features of that cutoff, with what all customers of the logs did before it.
    light
        Whose rules are looked at.
    middle
        What values are compared with in reasons, see `churnkit.explain.reasons.middle_of`.
    within
        Shorter horizons, in days.
    saved
        See `Saved`; ``None`` where customers are ranked by risk.
    margin
        Share of the spend that is margin.
    classes
        Static columns that are to be kept.
    """

    model: ChurnModel
    as_of: Cutoff
    plan: FeaturePlan
    light: TrafficLight
    middle: np.ndarray
    within: tuple[int, ...] = ()
    saved: Saved | None = None
    margin: float = 1.0
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What is kept of every customer at risk, in order of their ids.

    Attributes
    ----------
    customer
        Ids, an Arrow array of texts.
    probability, value
        Churn probability in [0, 1], and value at risk, NaN where unknown.
    within
        Days → churn probability in that time.
    saved
        What acting is expected to keep; ``None`` where nobody asked.
    firing, sides
        Rules that fired and sides that are unknown, see `churnkit.lights.Lights`.
    numbers, leading
        Numbers of head and tail of each sentence in `phrases`, -1 for none, shape (rows, reasons
        told, 2); and the position of the leading theme, -1 for none.
    exact
        Whether the reasons are exact.
    classes
        Static column → its text of each row.
    phrases
        The sentences.
    features
        The table of all, only where it was asked for.
    """

    customer: pa.Array
    probability: np.ndarray
    value: np.ndarray
    within: Mapping[int, np.ndarray]
    saved: np.ndarray | None
    firing: Firing
    sides: np.ndarray
    numbers: np.ndarray
    leading: np.ndarray
    exact: np.ndarray
    classes: Mapping[str, Texts]
    phrases: Phrases
    features: Features | None = None

    def __len__(self) -> int:
        return len(self.probability)

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        """Runs of customers one after the other, with the phrases of the first."""
        import pyarrow as pa

        first = parts[0]

        def whole(name: str) -> np.ndarray:
            return np.concatenate([getattr(part, name) for part in parts])

        kept = [part.features for part in parts if part.features is not None]
        pairs = [(part.firing.combinations, part.firing.code) for part in parts]
        return cls(
            customer=pa.concat_arrays([part.customer for part in parts]),
            probability=whole("probability"),
            value=whole("value"),
            within={d: np.concatenate([p.within[d] for p in parts]) for d in first.within},
            saved=None if first.saved is None else whole("saved"),
            firing=Firing.joined(first.firing.rules, pairs),
            sides=whole("sides"),
            numbers=whole("numbers"),
            leading=whole("leading"),
            exact=whole("exact"),
            classes={name: _joined([p.classes[name] for p in parts]) for name in first.classes},
            phrases=first.phrases,
            features=one_table(kept) if kept else None,
        )

    def where(self, rows: np.ndarray) -> Found:
        """Some rows, by their positions; features are not kept."""
        import pyarrow as pa

        names = ("probability", "value", "sides", "numbers", "leading", "exact")
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in names},
            customer=self.customer.take(pa.array(rows)),
            within={days: p[rows] for days, p in self.within.items()},
            saved=None if self.saved is None else self.saved[rows],
            firing=self.firing.where(rows),
            classes={name: texts.where(rows) for name, texts in self.classes.items()},
            features=None,
        )


def _joined(texts: Sequence[Texts]) -> Texts:
    # Words are those of the model, and so the same in all parts.
    return Texts(texts[0].words, np.concatenate([text.code for text in texts]))


def one_table(parts: Sequence[Features]) -> Features:
    """Tables of features one below the other."""
    first = parts[0]
    return Features(
        np.concatenate([part.customer_id for part in parts]),
        np.concatenate([part.cutoff for part in parts]),
        {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns},
        first.spec,
        first.zone,
    )


def find(
    logs: CustomerLogs,
    sought: Sought,
    *,
    among: Sequence[str] | None = None,
    keep_features: bool = False,
    progress: Progress = silent,
) -> Found | None:
    """Score and explain every customer at risk, block by block, by several threads.

    Reasons of a model with trees are attributed by paths, those of others are exact. The result
    does not depend on where blocks end.

    Parameters
    ----------
    logs, sought
        Checked logs, and what is to be found out.
    among
        Only these customers, sorted by id; by default all.
    keep_features
        Whether the features of all are kept, too.
    progress
        Told how many customers are done.

    Returns
    -------
    Found or None
        ``None`` if nobody is at risk.
    """
    serial = replace(sought, model=sought.model.on_threads(1))  # blocks run side by side
    phrases = Phrases(Themes.of(sought.model))

    def look(block: Logs) -> list[tuple[Found, Voices]]:
        return looked_at(serial, block, phrases, keep_features=keep_features)

    parts: list[Found] = []
    customers = logs.customer_count if among is None else len(among)
    blocks = watched(_blocks(logs, among), customers, progress, f"scoring as of {sought.as_of}")
    for found in in_order(look, blocks):
        # Sentences are numbered here and not by the threads, in the order of the blocks.
        parts += [numbered(one, told) for one, told in found]
    whole = Found.joined(parts) if parts else None
    return whole if whole is not None and len(whole) else None


def looked_at(
    sought: Sought, block: Logs, phrases: Phrases, *, keep_features: bool = False
) -> list[tuple[Found, Voices]]:
    """What is found of the customers at risk in a block, and what is to be said of them.

    Parameters
    ----------
    sought, block
        What is to be found out of whom; the model with as many threads as may be used.
    phrases
        Where `numbered` puts what is said into words.
    keep_features
        Whether the features are kept, too.
    """
    model = sought.model
    pieces = sought.plan.rows(block, model.question.at_risk, money_beside(model))
    return [
        _found(sought, tabled(piece, sought.plan.spec, block.zone), piece.beside, phrases,
               keep_features)
        for piece in pieces
    ]  # fmt: skip


def numbered(found: Found, told: Voices) -> Found:
    """What was found, with the numbers of what is said of each customer."""
    return replace(found, numbers=_filled(found.phrases.numbers(told)))


def _found(
    sought: Sought,
    features: Features,
    beside: Mapping[str, np.ndarray],
    phrases: Phrases,
    keep_features: bool,
) -> tuple[Found, Voices]:
    """What is found of some customers, but for the numbers of what the voices say."""
    import pyarrow as pa

    model, themes = sought.model, phrases.themes
    probability, contributions = model.explained(features)
    value = value_at_risk(model, features, beside, sought.margin)
    told = voices(themes, features, contributions, sought.middle, REASONS_TOLD)
    found = Found(
        customer=pa.array(features.customer_id, pa.string()),
        probability=probability,
        value=value,
        within={days: model.churn_within(features, days) for days in sought.within},
        saved=None if sought.saved is None else sought.saved(features, probability),
        firing=sought.light.firing(probability, features, value, sought.as_of),
        sides=sides_unknown(features),
        numbers=np.empty((0, REASONS_TOLD, 2), dtype=np.int32),
        leading=told.leading,
        exact=np.full(len(features), not approximates(model)),
        classes={name: _class_of(features, name) for name in sought.classes},
        phrases=phrases,
        features=features if keep_features else None,
    )
    return found, told


def tabled(piece: FeatureRows, spec: FeatureSpec, zone: str) -> Features:
    """Rows of a plan as a table of features."""
    ids = piece.customer_ids[piece.at.customer]
    return Features(ids, piece.at.us, piece.columns, spec, zone)


def _filled(numbers: np.ndarray) -> np.ndarray:
    """Numbers of as many reasons as are told at most; a model may have fewer themes."""
    lacking = REASONS_TOLD - numbers.shape[1]
    return np.pad(numbers, ((0, 0), (0, lacking), (0, 0)), constant_values=-1)


def _class_of(features: Features, name: str) -> Texts:
    """The class of each row by its name; of a column that the model does not know none."""
    if name not in features.columns:
        return Texts((), np.full(len(features), -1, dtype=np.int16))
    classes, values = features.classes(name), features.columns[name]
    known = sorted(classes)
    nth = np.searchsorted(known, np.nan_to_num(values, nan=known[0])).clip(max=len(known) - 1)
    code = np.where(np.asarray(known)[nth] == values, nth, -1)
    return Texts(tuple(classes[k] for k in known), code.astype(np.int16))


@dataclass(frozen=True)
class Told:
    """What else is found of some customers of a block in the second run through the logs.

    Attributes
    ----------
    rows
        Their rows.
    now, then
        Their features at this cutoff, one row each, and at that of the run before, for those who
        were at risk then.
    """

    rows: np.ndarray
    now: Features
    then: Features


def built_again(
    block: Logs, plan: FeaturePlan, model: ChurnModel, as_of: Cutoff, earlier: Cutoff | None
) -> Told:
    """The features of all customers of a block, who are at risk at the cutoff.

    Parameters
    ----------
    block, plan
        The customers; and the features of the cutoff, and of the earlier one if there is one.
    model, as_of, earlier
        As for `look_again`.
    """
    pieces = [
        tabled(piece, plan.spec, block.zone) for piece in plan.rows(block, model.question.at_risk)
    ]
    features = one_table(pieces)
    now = features.where(features.cutoff == as_of.us)
    before = features.cutoff == (as_of if earlier is None else earlier).us
    then = features.where(before if earlier is not None else np.zeros_like(before))
    return Told(np.arange(block.customer_count), now, then)


T = TypeVar("T")


def look_again(
    logs: CustomerLogs,
    sought: Sought,
    earlier: Cutoff | None,
    customer: pa.Array,
    rows: np.ndarray,
    tell: Callable[[Told], T],
) -> Iterator[T]:
    """What is told of some of the customers at risk, of whom features are built once more.

    Parameters
    ----------
    logs, sought
        As in the first run.
    earlier
        The cutoff of the run before, if there was one.
    customer
        Ids of all customers at risk, in order.
    rows
        Rising positions of those that are looked at again.
    tell
        Tells it of some customers; several threads call it.
    """
    import pyarrow as pa

    model, as_of = sought.model, sought.as_of
    plan = sought.plan
    if earlier is not None:
        plan = plan_features(logs, [earlier, as_of], model.spec)
    ids = customer.take(pa.array(rows)).to_pylist()

    def look(part: tuple[Logs, int]) -> T:
        block, first = part
        told = built_again(block, plan, model, as_of, earlier)
        return tell(replace(told, rows=rows[first : first + block.customer_count]))

    yield from in_order(look, _together(_blocks(logs, ids)))


_FEWEST = 2_000  # a block costs much, however few of its customers are asked for


def _together(blocks: Iterator[Logs]) -> Iterator[tuple[Logs, int]]:
    """Small blocks as larger ones, and how many customers come before each."""
    waiting: list[Logs] = []
    first = 0
    for block in blocks:
        waiting.append(block)
        size = sum(part.customer_count for part in waiting)
        if size >= _FEWEST:
            yield joined(waiting), first
            first, waiting = first + size, []
    if waiting:
        yield joined(waiting), first


def _blocks(logs: CustomerLogs, among: Sequence[str] | None) -> Iterator[Logs]:
    """Blocks, or of each the customers among some sorted ones."""
    for block in logs.blocks():
        if among is None:
            yield block
            continue
        if not block.customer_count:
            continue
        first = bisect_left(among, block.customer_ids[0])
        last = bisect_right(among, block.customer_ids[-1])
        if first < last:
            wanted = np.array(among[first:last], dtype=object)
            place = np.searchsorted(block.customer_ids, wanted)
            there = block.customer_ids[place] == wanted
            if there.any():
                yield only(block, place[there])


_ENOUGH_TO_COMPARE = 20_000


def sample_at_risk(logs: CustomerLogs, model: ChurnModel, plan: FeaturePlan) -> Features:
    """Features of the customers at risk among all, or of many among every few.

    Which are taken does not depend on where blocks end. Medians of theirs stand for those that a
    model does not know, see `churnkit.explain.reasons.middle_of`.
    """
    step = -(-logs.customer_count // _ENOUGH_TO_COMPARE)

    def look(block: Logs) -> list[Features]:
        pieces = plan.rows(block, model.question.at_risk)
        return [tabled(piece, plan.spec, block.zone) for piece in pieces]

    found = [table for tables in in_order(look, _every(logs, step)) for table in tables]
    return one_table(found)


def _every(logs: CustomerLogs, step: int) -> Iterator[Logs]:
    """Blocks with every so many of their customers, counted over all of them."""
    start = 0
    for block in logs.blocks():
        chosen = np.arange(-start % step, block.customer_count, step)
        if len(chosen):
            yield block if step == 1 else only(block, chosen)
        start += block.customer_count

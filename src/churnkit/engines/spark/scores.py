"""Scores made by Spark: found, ranked, lit, planned and written on the executors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from itertools import accumulate
from math import inf
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit import bundle
from churnkit.actions import Actions, Limits, TierEdges, Turns
from churnkit.changes import NEEDED
from churnkit.clock import Cutoff
from churnkit.engines.chunks import ROWS
from churnkit.engines.judging import WHO
from churnkit.engines.spark import telling
from churnkit.engines.spark.bundles import Shipped
from churnkit.engines.spark.faults import Work, on_executors, spark_faults, without_pandas
from churnkit.engines.spark.logs import SparkLogs
from churnkit.engines.spark.order import (
    PLACE,
    STRETCH,
    Order,
    in_order,
    stretched,
    with_column,
)
from churnkit.engines.spark.order import ROWS as ROWS_PER_STRETCH
from churnkit.engines.spark.parted import Parted, part
from churnkit.engines.spark.scorer import (
    BEFORE,
    CAUSE,
    CHANGED,
    CLASS,
    CUSTOMER,
    FIRED,
    LEADING,
    LEVEL,
    PROBABILITY,
    RANK,
    REASONS,
    SIDES,
    TOLD_BEFORE,
    VALUE,
    WAS_THERE,
    WITHIN,
    Scorer,
)
from churnkit.engines.spark.telling import AGAIN, FIRST, KEY, NEAREST, OWNER, THEN_KEY, TOLD, WEIGHT
from churnkit.errors import ConfigError, DataError
from churnkit.explain.reasons import approximates
from churnkit.features import plan_features
from churnkit.lights import (
    Among,
    Capacity,
    Everyone,
    Override,
    Reached,
    TrafficLight,
    require_features,
)
from churnkit.logs import Contract
from churnkit.model import ChurnModel
from churnkit.progress import Progress, silent
from churnkit.publishing import Manifest, Part, ScoreStore
from churnkit.scoring import Totals, require_same_logs
from churnkit.scoring.population import nobody_at_risk
from churnkit.scoring.run import exact_among

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Row
    from pyspark.sql.types import StructType

ROWS_PER_PART = 1_000_000
"""Customers of each file of a run but the last one; a run of no more is a single file."""

FEW = 10_000
"""Numbers that the driver hears one by one, once all others are out of the question."""

_FIRST_ROUND, _ROUND = 48, 16  # bits that the first round leaves out, and that another adds
_FEWER_PARTS = "spark.sql.optimizer.canChangeCachedPlanOutputPartitioning"
"""Whether Spark may join small partitions of what is kept, as it does of all else: 200 for a few
rows would take minutes."""

_NUMBERS = {"rank": "bigint", "better_due": "bigint", **dict.fromkeys(
    (PROBABILITY, "value_at_risk", "yellow_from", "red_from"), "double")}  # fmt: skip


@dataclass(frozen=True)
class SparkScores:
    """The scores of all customers at risk, which lie on the executors.

    Attributes
    ----------
    scorer
        How they came about, with all that is known of all customers together.
    logs
        What is told of the logs.
    frame
        What is known of each customer, in numbers.
    customers
        How many there are.
    rows_per_part, rows_per_stretch
        Customers of a file, and of what an executor sorts at once.
    """

    scorer: Scorer
    logs: SparkLogs
    frame: DataFrame
    customers: int
    rows_per_part: int = ROWS_PER_PART
    rows_per_stretch: int = ROWS_PER_STRETCH

    @cached_property
    def totals(self) -> Totals:
        """What is told of all customers together, and the first rows of the lists."""
        told = _told(self.frame, partial(telling.totalled, self.scorer))
        as_of = self.scorer.as_of
        return reduce(add, (Totals.from_json(text, as_of) for text in sorted(told)))

    @property
    def run(self) -> DataFrame:
        """One row per customer at risk with the columns that are published, in no order."""
        work = partial(telling.published, self.scorer)
        return on_executors(self.frame, work, _schema(_run_columns(self.scorer)))

    def publish(
        self,
        store: ScoreStore,
        key: str,
        told: Mapping[str, Any] | None = None,
        *,
        force: bool = False,
    ) -> Manifest:
        """Publish the run: executors write its files, of whole parts in order of the ids.

        Parameters
        ----------
        store
            Where it is published, with the lock held. Executors must see its folder under the
            same path.
        key, force
            As for `ScoreStore.publication`.
        told
            What the manifest tells besides, JSON-ready.

        Raises
        ------
        ConfigError
            If an executor does not see the folder, or its disk is full.
        DataError
            If Spark fails; what is published stays as it is.
        """
        with store.publication(self.scorer.as_of, key, force=force) as publication:
            if publication.known is not None:
                return publication.known
            folder = publication.folder().absolute()
            texts = _told(self._parted(), partial(telling.written, self.scorer, folder))
            return publication.publish_parts([Part.from_json(t) for t in texts], told or {})

    def _parted(self) -> DataFrame:
        """The customers with the number of their part, in order of the ids."""
        from pyspark.sql.types import IntegerType

        parts = -(-self.customers // self.rows_per_part)
        with spark_faults():
            borders = self._borders(parts)
            work = partial(stretched, (CUSTOMER,), borders)
            whole = on_executors(self.frame, work, with_column(self.frame, STRETCH, IntegerType()))
            return whole.repartition(parts, STRETCH).sortWithinPartitions(STRETCH, CUSTOMER)

    def _borders(self, parts: int) -> Any:
        """The first customer of every part but the first, in order."""
        ids = self.frame.select(CUSTOMER)
        if parts == 1:
            first = ids.limit(0)
        else:
            order = Order.of(ids, (CUSTOMER,), self.customers, self.rows_per_stretch)
            placed = order.placed()
            begins = (placed[PLACE] % self.rows_per_part == 0) & (placed[PLACE] > 0)
            first = placed.where(begins).select(CUSTOMER)
        with without_pandas():
            return in_order(first.toArrow(), (CUSTOMER,))


@contextmanager
def spark_scores(
    frames: Mapping[str, DataFrame],
    model: ChurnModel | Path,
    as_of: Cutoff,
    contract: Contract | None = None,
    light: TrafficLight | None = None,
    actions: Actions | None = None,
    *,
    segment: str = "",
    within: Sequence[int] = (),
    before: DataFrame | None = None,
    overrides: Mapping[str, Override] | None = None,
    margin: float = 1.0,
    partitions: int | None = None,
    rows: int = ROWS,
    rows_per_part: int = ROWS_PER_PART,
    rows_per_stretch: int = ROWS_PER_STRETCH,
    progress: Progress = silent,
) -> Iterator[SparkScores]:
    """Score every customer at risk at a cutoff on the executors of Spark.

    What comes out is what `churnkit.scoring.score` and `churnkit.actions.planned` give on one
    machine. To the driver come counts, the edges that follow from them, and the first rows of the
    lists. What is kept on the executors is released at the end of the block.

    Parameters
    ----------
    frames
        Log → its rows, as `churnkit.engines.spark.plan_spark` takes them. Customers are kept on
        the disks of the executors, since they are looked at three times.
    model
        The model, or the folder of its bundle. Its text files are sent to the executors, and
        verified there again before they are used.
    as_of
        The cutoff.
    contract
        How the logs are read.
    light, within, overrides, margin
        As for `churnkit.scoring.score`.
    actions, segment
        How scores are turned into deeds, and the static column that tells the segment.
    before
        The run before, with the columns `churnkit.changes.NEEDED`.
    partitions, rows
        As for `churnkit.engines.spark.plan_spark`.
    rows_per_part
        Customers of each published file but the last; the files of a run follow from it and from
        the customers, and not from the cluster.
    rows_per_stretch
        Customers that an executor sorts at once, about.
    progress
        Told what is being done.

    Raises
    ------
    DataError
        If the logs lack what the model was trained on, nobody is at risk, or Spark fails.
    ConfigError
        If a rule looks at a feature that there is not, the model does not know of a horizon in
        ``within``, or a bundle does not tell the medians of its training.
    BundleError
        If the bundle is not what it claims, here or on an executor.
    """
    loaded = bundle.load(model) if isinstance(model, Path) else model
    agreed = contract or Contract()
    day = _run_told(before)
    with spark_to_score(
        frames, loaded, as_of, agreed, light=light, within=within, earlier=day and day[0],
        partitions=partitions, rows=rows, progress=progress,
    ) as ready:  # fmt: skip
        yield ready.scored(
            actions or Actions(), segment=segment, before=before, overrides=overrides,
            margin=margin, rows_per_part=rows_per_part, rows_per_stretch=rows_per_stretch,
            progress=progress,
        )  # fmt: skip


@dataclass(frozen=True)
class ToScore:
    """Logs in Spark that were checked and are there to be scored.

    Attributes
    ----------
    logs
        What is told of them.
    model, as_of, light, within
        What scores, when, and how lights are assigned.
    """

    logs: SparkLogs
    model: ChurnModel
    as_of: Cutoff
    light: TrafficLight
    within: tuple[int, ...]
    _parted: Parted
    _kept: ExitStack

    def scored(
        self,
        actions: Actions,
        *,
        segment: str = "",
        before: DataFrame | None = None,
        overrides: Mapping[str, Override] | None = None,
        margin: float = 1.0,
        rows_per_part: int = ROWS_PER_PART,
        rows_per_stretch: int = ROWS_PER_STRETCH,
        progress: Progress = silent,
    ) -> SparkScores:
        """The scores; parameters and errors are those of `spark_scores`."""
        named = _run_told(before)
        shipped = Shipped.of(self.model, self._parted.frame.sparkSession)
        self._kept.callback(shipped.content.unpersist)
        scorer = Scorer(
            work=self._parted.work,
            shipped=shipped,
            plan=plan_features(self.logs, self.as_of, self.model.spec),
            as_of=self.as_of,
            light=self.light,
            within=self.within,
            margin=margin,
            classes=tuple(sorted({segment, *actions.playbooks.columns} - {""})),
            actions=replace(actions, holdout=actions.holdout.filled),
            segment=segment,
            overrides=overrides or {},
            before=named,
        )
        making = _Making(
            self._parted, self.logs, scorer, self.model, self._kept, rows_per_stretch, progress
        )
        with spark_faults():
            frame, scorer, customers = making.all_of(before)
        return SparkScores(scorer, self.logs, frame, customers, rows_per_part, rows_per_stretch)


@contextmanager
def spark_to_score(
    frames: Mapping[str, DataFrame],
    model: ChurnModel,
    as_of: Cutoff,
    contract: Contract,
    *,
    light: TrafficLight | None = None,
    within: Sequence[int] = (),
    earlier: str | None = None,
    partitions: int | None = None,
    rows: int = ROWS,
    progress: Progress = silent,
) -> Iterator[ToScore]:
    """Logs that are checked and kept on the executors, to be scored as long as the block lasts.

    Parameters and errors are those of `spark_scores`; ``earlier`` is the day of the run before.
    """
    chosen = light or TrafficLight()
    _require_usable(model, chosen, within)
    with ExitStack() as kept:
        progress("checking the logs on Spark")
        parted = part(frames, contract, partitions=partitions, rows=rows)
        parted = replace(parted, frame=_kept(parted.frame, kept)).knowing(model.spec)
        moments = [as_of] if earlier is None else [Cutoff.parse(earlier, as_of.zone), as_of]
        logs = SparkLogs(parted, moments, (as_of,), as_of)
        require_same_logs(model.spec, logs)
        yield ToScore(logs, model, as_of, chosen, tuple(sorted(set(within))), parted, kept)


@dataclass(frozen=True)
class _Making:
    """From logs to scores, step by step; each keeps on the executors what the next one needs."""

    parted: Parted
    logs: SparkLogs
    scorer: Scorer
    model: ChurnModel
    kept: ExitStack
    rows_per_stretch: int
    progress: Progress

    def all_of(self, before: DataFrame | None) -> tuple[DataFrame, Scorer, int]:
        """What is known of each customer and of all, and how many there are."""
        as_of = self.scorer.as_of
        self.progress(f"scoring as of {as_of} on Spark")
        found = _kept(self.parted.made(self.scorer.found, _found_schema(self.scorer)), self.kept)
        parts = [Everyone.from_json(text) for text in _told(found, telling.counted)]
        if not parts:
            raise nobody_at_risk(self.model.question, self.logs, as_of)
        everyone = reduce(add, parts)
        self.progress("ranking customers and finding their lights")
        ranked = self._ranked(found, everyone)
        scorer = replace(self.scorer, among=Among(everyone, _reached(ranked, self.scorer.light)))
        joined = _joined(found, ranked.select(CUSTOMER, RANK), before)
        lit = on_executors(joined, partial(telling.lit, scorer), _lit_schema(joined))
        lit = _kept(lit, self.kept)
        self.progress("looking again at the first of the list and at those whose light changed")
        final = self._told_again(scorer, lit, everyone.customers)
        self.progress("planning who is to be called")
        tiers = _tiers(final, scorer.actions, everyone.valued)
        turns = _turns(final, replace(scorer, limits=None), tiers)
        return final, replace(scorer, limits=Limits(tiers, turns)), everyone.customers

    def _ranked(self, found: DataFrame, everyone: Everyone) -> DataFrame:
        """Customers with their probability, weight and rank."""
        names = (PROBABILITY, WEIGHT, telling.FIRST_KEY, THEN_KEY)
        schema = _schema([*((name, "double") for name in names), (CUSTOMER, "string")])
        work = partial(telling.weighed, everyone.valued > 0)
        weighed = on_executors(found.select(CUSTOMER, PROBABILITY, VALUE), work, schema)
        keys = (telling.FIRST_KEY, THEN_KEY, CUSTOMER)
        order = Order.of(weighed, keys, everyone.customers, self.rows_per_stretch)
        placed = order.placed()
        return placed.select(CUSTOMER, PROBABILITY, WEIGHT, (placed[PLACE] + 1).alias(RANK))

    def _told_again(self, scorer: Scorer, lit: DataFrame, customers: int) -> DataFrame:
        """All customers, those of whom more is told with what that is."""
        from pyspark.sql import functions as f

        few = _few(lit, customers, approximates(self.model))
        if few is None:
            return lit.withColumn(CAUSE, f.lit(""))
        as_of, day = scorer.as_of, scorer.before and scorer.before[0]
        earlier = Cutoff.parse(day, as_of.zone) if day else None
        moments = [as_of] if earlier is None else [earlier, as_of]
        plan = plan_features(self.logs, moments, self.model.spec)
        found = f.struct(*map(_column, few.columns)).alias(AGAIN)
        beside = few.select(f.col(CUSTOMER).alias(WHO), found)
        rows = self.parted.frame.join(beside, WHO).repartition(WHO).sortWithinPartitions(WHO)
        schema = _schema(
            [(CUSTOMER, "string"), (REASONS, "string"), (LEADING, "int"), (CAUSE, "string")]
        )
        told = on_executors(rows, telling.Second(scorer, plan, earlier).told, schema)
        new = (REASONS, LEADING, CAUSE)
        anew = told.select(CUSTOMER, *(f.col(name).alias(f"new {name}") for name in new))
        both = lit.withColumn(CAUSE, f.lit("")).join(anew, CUSTOMER, "left")
        final = both.select(
            *(f.coalesce(_column(f"new {n}"), _column(n)).alias(n) if n in new else _column(n)
              for n in (*lit.columns, CAUSE))
        )  # fmt: skip
        return _kept(final, self.kept)


def _require_usable(model: ChurnModel, light: TrafficLight, within: Sequence[int]) -> None:
    require_features(light.rules, model.spec)
    for days in within:
        model.require_within(days)
    if model.middle is None:
        raise ConfigError(
            "the model does not know the medians of its training, with which reasons compare",
            'Train anew with churnkit train, or take name = "duckdb" in [engine].',
        )


def _kept(frame: DataFrame, kept: ExitStack) -> DataFrame:
    """A frame that executors keep on their disks until all is done."""
    from pyspark import StorageLevel

    settings = frame.sparkSession.conf
    before = settings.get(_FEWER_PARTS, "false")
    settings.set(_FEWER_PARTS, "true")  # read when something is kept, and not again
    try:
        there = frame.persist(StorageLevel.DISK_ONLY)
    finally:
        settings.set(_FEWER_PARTS, str(before))
    kept.callback(there.unpersist)
    return there


def _told(frame: DataFrame, work: Work) -> list[str]:
    """What executors tell of their partitions, as texts."""
    with spark_faults():
        return [row[0] for row in on_executors(frame, work, _schema([(TOLD, "string")])).collect()]


def _run_told(before: DataFrame | None) -> tuple[str, str, str] | None:
    """Day, policy and model of the run before."""
    if before is None:
        return None
    lacking = [name for name in NEEDED if name not in before.columns]
    with spark_faults():
        first = None if lacking else before.select("as_of", "policy", "model_version").first()
    if first is None:
        what = f"no column {lacking[0]}" if lacking else "no customer"
        raise DataError(
            f"the run before has {what}: it was not written by this churnkit", "Name another run."
        )
    return str(first[0]), str(first[1]), str(first[2])


def _reached(ranked: DataFrame, light: TrafficLight) -> Reached | None:
    """Whom the calls of a capacity reach; ``None`` for other policies."""
    policy = light.policy
    if not isinstance(policy, Capacity):
        return None
    from pyspark.sql import functions as f

    candidates = ranked.where(ranked[PROBABILITY] >= policy.yellow)
    first = candidates.orderBy(RANK).limit(policy.calls_per_week)
    last = f.max(f.struct(RANK, PROBABILITY, WEIGHT, CUSTOMER))
    count, row = first.agg(f.count("*"), last).collect()[0]
    if count < policy.calls_per_week:
        return Reached(count, None)
    return Reached(count, (row[PROBABILITY], row[WEIGHT], row[CUSTOMER]))


def _joined(found: DataFrame, ranks: DataFrame, before: DataFrame | None) -> DataFrame:
    """What was found of each customer, with its rank and its row in the run before."""
    from pyspark.sql import functions as f

    joined = found.join(ranks, CUSTOMER)
    if before is None:
        return joined
    told = (f.col(name).alias(f"{BEFORE}{name}") for name in TOLD_BEFORE)
    there = f.lit(True).alias(WAS_THERE)
    earlier = before.select(f.col("customer_id").alias(CUSTOMER), *told, there)
    return joined.join(earlier, CUSTOMER, "left")


def _few(lit: DataFrame, customers: int, is_inexact: bool) -> DataFrame | None:
    """The customers of whom more is told, with what of it is exact; ``None`` if there are none."""
    from pyspark.sql import functions as f

    found = lit.groupBy(LEVEL).agg(f.count("*"), f.sum(f.col(CHANGED).cast("int"))).collect()
    acted_on = sum(row[1] for row in found if row[0] > 0)
    changed = sum(row[2] for row in found)
    level, rank = f.col(LEVEL), f.col(RANK)
    first = f.lit(False)
    if is_inexact:
        exact = exact_among(customers)
        up_to = _nth(lit, level > 0, exact, acted_on)
        rest = _nth(lit, level == 0, exact - acted_on, customers - acted_on)
        first = ((level > 0) & (rank <= up_to)) | ((level == 0) & (rank <= rest))
    near = f.col(CHANGED) & (rank <= _nth(lit, f.col(CHANGED), exact_among(changed), changed))
    if not is_inexact and not changed:
        return None
    flagged = lit.withColumns({FIRST: first, NEAREST: near, CAUSE: f.lit("")})
    return flagged.where(f.col(FIRST) | f.col(CHANGED))


def _nth(frame: DataFrame, condition: Column, nth: int, count: int) -> int:
    """The n-th rank of the customers that meet a condition; the last where there are fewer."""
    from pyspark.sql import functions as f

    if nth < 1:
        return 0
    if nth >= count:
        return 2**62
    first = frame.where(condition).select(RANK).orderBy(RANK).limit(nth)
    return int(first.agg(f.max(RANK)).collect()[0][0])


def _tiers(frame: DataFrame, actions: Actions, valued: int) -> TierEdges:
    """The edges of the tiers, which are values of customers."""
    last = actions.tiers.last_of(valued)
    if last is None:
        return TierEdges()
    keys = on_executors(frame.select(VALUE), telling.sortable, _schema([(KEY, "bigint")]))
    return TierEdges(*map(telling.value_of, nth_highest(keys, KEY, last, valued)))


def nth_highest(
    frame: DataFrame, column: str, places: Sequence[int], count: int, few: int = FEW
) -> list[int]:
    """The n-th highest of some whole numbers of 64 bits, exactly, for some n.

    The numbers are counted by their first bits, then those that have the bits of the one in
    question by their next ones, and so on, until few are left: of as many, or of as many counts,
    the driver hears at once.

    Parameters
    ----------
    frame, column, count
        Where the numbers are, and how many there are; none is missing.
    places
        From 1, the highest, up to how many there are.
    few
        So many numbers come to the driver as they are.
    """
    from pyspark.sql import functions as f

    if count <= few:
        told = sorted((row[0] for row in frame.select(column).collect()), reverse=True)
        return [int(told[place - 1]) for place in places]
    cells = frame.groupBy(f.shiftright(column, _FIRST_ROUND).alias("cell")).count().collect()
    return [_in_rounds(frame, column, place, cells, few) for place in places]


def _in_rounds(frame: DataFrame, column: str, place: int, cells: list[Row], few: int) -> int:
    """The number at a place, from the counts of the first round."""
    from pyspark.sql import functions as f

    left, bits = frame, _FIRST_ROUND
    while True:
        cell, count, place = _cell_at(cells, place)
        if not bits:
            return cell
        left = left.where(f.shiftright(column, bits) == cell)
        if count <= few:
            return nth_highest(left, column, [place], count, few)[0]
        bits -= _ROUND
        cells = left.groupBy(f.shiftright(column, bits).alias("cell")).count().collect()


def _cell_at(cells: Sequence[Row], place: int) -> tuple[int, int, int]:
    """The cell that a place from the highest number down lies in, its count, the place in it."""
    falling = sorted((tuple(row) for row in cells), reverse=True)
    before = [0, *accumulate(count for _, count in falling)]
    nth = next(k for k, seen in enumerate(before[1:]) if place <= seen)
    return int(falling[nth][0]), int(falling[nth][1]), place - before[nth]


def _turns(frame: DataFrame, scorer: Scorer, tiers: TierEdges) -> Turns:
    """Up to which rank there is time for whom."""
    from pyspark.sql import functions as f

    calls = scorer.actions.calls
    if calls.per_week is None and not calls.quotas:
        return Turns()
    schema = _schema([(RANK, "bigint"), (OWNER, "string")])
    takers = on_executors(frame, partial(telling.takers, scorer, tiers), schema)
    last = _last_of_owners(takers, calls.quotas)
    if calls.per_week is None:
        return Turns(inf, last)
    has_room: Column = f.lit(True)
    for owner, rank in last.items():
        if rank < inf:
            has_room &= (f.col(OWNER) != owner) | (f.col(RANK) <= rank)
    first = takers.where(has_room).select(RANK).orderBy(RANK).limit(calls.per_week)
    count, rank = first.agg(f.count("*"), f.max(RANK)).collect()[0]
    return Turns(inf if count < calls.per_week else float(rank), last)


def _last_of_owners(takers: DataFrame, quotas: Mapping[str, int]) -> dict[str, float]:
    """Owner → the rank of the last customer that has a quota; infinite where all have."""
    from pyspark.sql import Window
    from pyspark.sql import functions as f

    asked = {owner: quota for owner, quota in quotas.items() if quota > 0}
    last = {owner: inf if quota else 0.0 for owner, quota in quotas.items()}
    if not asked:
        return last
    nth = f.row_number().over(Window.partitionBy(OWNER).orderBy(RANK))
    theirs = takers.where(f.col(OWNER).isin(list(asked))).withColumn("nth", nth)
    at_quota = reduce(
        lambda one, other: one | other,
        [(f.col(OWNER) == owner) & (f.col("nth") == quota) for owner, quota in asked.items()],
    )
    found = theirs.where(f.col("nth") <= max(asked.values())).where(at_quota).collect()
    return last | {row[OWNER]: float(row[RANK]) for row in found}


def _found_schema(scorer: Scorer) -> StructType:
    return _schema(
        [
            (CUSTOMER, "string"), (PROBABILITY, "double"), (VALUE, "double"), (FIRED, "binary"),
            (SIDES, "int"), (LEADING, "int"), (REASONS, "string"),
            *((f"{WITHIN}{days}", "double") for days in scorer.within),
            *((f"{CLASS}{name}", "string") for name in scorer.classes),
        ]
    )  # fmt: skip


def _lit_schema(joined: DataFrame) -> StructType:
    from pyspark.sql.types import StructType

    return StructType([*joined.schema.fields, *_schema([(LEVEL, "int"), (CHANGED, "boolean")])])


def _run_columns(scorer: Scorer) -> list[tuple[str, str]]:
    from churnkit.actions import PLANNED
    from churnkit.scoring import SHOWN

    kept = ("policy", "yellow_from", "red_from", "held_light", "better_due", "fired", "override",
            "reason")  # fmt: skip
    within = [(f"churn_probability_{days}d", "double") for days in scorer.within]
    known = [(name, _NUMBERS.get(name, "string")) for name in (*SHOWN, *kept)]
    return [*known, *within, *((name, "string") for name in ("segment", *PLANNED))]


def _column(name: str) -> Column:
    """A column by its name, whatever letters that holds."""
    from pyspark.sql import functions as f

    escaped = name.replace("`", "``")
    return f.col(f"`{escaped}`")


def _schema(columns: Sequence[tuple[str, str]]) -> StructType:
    from pyspark.sql import types

    kinds = {
        "string": types.StringType(), "binary": types.BinaryType(), "int": types.IntegerType(),
        "bigint": types.LongType(), "double": types.DoubleType(), "boolean": types.BooleanType(),
    }  # fmt: skip
    return types.StructType([types.StructField(name, kinds[kind]) for name, kind in columns])

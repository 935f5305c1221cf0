"""The driver's side: frames parted by customer, one look at all of them, then the features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add
from typing import TYPE_CHECKING, cast

from churnkit.clock import Cutoff, start_of_day
from churnkit.engines.chunks import ROWS
from churnkit.engines.judging import CELLS, ROW, WHO, Judge, Shape, nothing_read
from churnkit.engines.spark.executors import LOG, SURVEY, OnExecutors
from churnkit.engines.spark.faults import gist, on_executors, spark_faults, without_pandas
from churnkit.engines.spark.reading import literal_path
from churnkit.engines.spark.session import require_pyspark
from churnkit.engines.spark.survey import STATIC, WITH_VALUE, Survey
from churnkit.errors import ConfigError, DataError, did_you_mean
from churnkit.features import CATALOGUE, WINDOWS, FeaturePlan, FeatureSpec, Window
from churnkit.features.own import own_sources
from churnkit.logs import SCHEMAS, Contract, CustomerLogs, LogCheck, Logs
from churnkit.logs.account import stop_if_too_many
from churnkit.sources import connect

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType


@dataclass(frozen=True)
class SparkPlan:
    """Logs in Spark that were checked, and the features that are made of them.

    Attributes
    ----------
    plan
        The columns, and what all customers did before each cutoff.
    checks
        What became of the rows of each log.
    """

    plan: FeaturePlan
    checks: tuple[LogCheck, ...]
    _parted: DataFrame
    _work: OnExecutors

    @property
    def days(self) -> tuple[Cutoff, Cutoff]:
        """The first and the last day of all logs together, in the business zone."""
        zone = self._work.contract.zone
        firsts = [check.first for check in self.checks if check.first is not None]
        lasts = [check.last for check in self.checks if check.last is not None]
        return start_of_day(min(firsts), zone), start_of_day(max(lasts), zone)

    def features(self) -> DataFrame:
        """The features, one row per customer and cutoff, made when Spark is asked for them.

        ``customer_id``, ``as_of`` (the cutoff as text), then the columns; missing is null. The
        rows of a customer stand together, in the order of the cutoffs.
        """
        build = partial(self._work.features, self.plan)
        return on_executors(self._parted, build, _spark_schema(self.plan.schema()))


def plan_spark(
    frames: Mapping[str, DataFrame],
    cutoffs: Cutoff | Sequence[Cutoff],
    spec: FeatureSpec | None = None,
    contract: Contract | None = None,
    *,
    windows: tuple[Window, ...] = WINDOWS,
    partitions: int | None = None,
    rows: int = ROWS,
) -> SparkPlan:
    """Check logs in Spark, and find out what depends on all customers.

    The frames are read for this, and once more for the features: persist what is dear to read.

    Parameters
    ----------
    frames
        Log → its rows, all of one session, whose executors have churnkit installed. Times with a
        zone are instants, others are in the business zone.
    cutoffs
        One cutoff or several.
    spec
        The columns; learnt from what precedes the last cutoff by default.
    contract
        Column mappings, scales, time zone and limits; by default the columns carry the names of
        the contract.
    windows
        Windows of the columns, if they are learnt.
    partitions
        Into how many parts the customers go; by default Spark chooses by their size.
    rows
        Rows that an executor looks at together; a customer may have more.

    Raises
    ------
    DataError
        If a log lacks a column, is empty, or breaks the contract in more rows than allowed.
    ConfigError
        If pyspark is missing, or the contract asks for something impossible.
    """
    require_pyspark()
    asked = (cutoffs,) if isinstance(cutoffs, Cutoff) else tuple(sorted(set(cutoffs)))
    agreed = contract or Contract()
    shapes = {log: _shape(log, frame) for log, frame in _known(frames).items()}
    with connect() as con:  # what can be refused without a row is refused here
        nobody = Judge(con, shapes, agreed).logs_of_nobody()
    work = OnExecutors(shapes, agreed, rows)
    with spark_faults():
        parted = _parted(frames, work, partitions)
        seen = _survey(parted, work, asked, nobody)
    for check in seen.checks.values():
        stop_if_too_many(check, agreed.max_rejected_share)
    chosen = spec or FeatureSpec.learn(
        cast(CustomerLogs, _Seen(nobody.measures, nobody.static_columns, seen)),
        before=asked[-1],
        windows=windows,
    )
    streams = FeaturePlan(chosen, asked).streams
    plan = FeaturePlan(chosen, asked, seen.market.settled() if streams else None)
    work = replace(work, own=_sources_of(chosen))
    return SparkPlan(plan, tuple(seen.checks.values()), parted, work)


def spark_features(
    frames: Mapping[str, DataFrame],
    cutoffs: Cutoff | Sequence[Cutoff],
    spec: FeatureSpec | None = None,
    contract: Contract | None = None,
) -> DataFrame:
    """The features of all customers of logs in Spark: `plan_spark`, then `SparkPlan.features`.

    Raises
    ------
    DataError, ConfigError
        As `plan_spark`.
    """
    return plan_spark(frames, cutoffs, spec, contract).features()


def write_spark_features(features: DataFrame, path: str) -> int:
    """Write features as Parquet files into a new folder.

    Returns
    -------
    int
        Number of rows.

    Raises
    ------
    ConfigError
        If the folder is there already.
    DataError
        If Spark fails.
    """
    from pyspark.errors import AnalysisException

    check = "Check that the folder may be written; else look at the log of the failing executor."
    with spark_faults(f"{path}: Spark cannot write it", check):
        try:
            features.write.parquet(path)
        except AnalysisException as error:
            if error.getCondition() != "PATH_ALREADY_EXISTS":
                raise
            raise ConfigError(f"{path} is there already", "Remove it, or name another.") from None
        return features.sparkSession.read.parquet(literal_path(path)).count()


@dataclass(frozen=True)
class _Seen:
    """What a `FeatureSpec` learns from."""

    measures: Mapping[str, tuple[str, ...]]
    static_columns: tuple[str, ...]
    seen: Survey

    def words(self, log: str, _measure: str, _before: Cutoff, having: str = "") -> dict[str, int]:
        return dict(self.seen.words.get(WITH_VALUE if having else log, {}))

    def static_words(self, _: Cutoff) -> dict[str, dict[str, int]]:
        return {name: dict(self.seen.words[STATIC + name]) for name in self.static_columns}


def _sources_of(spec: FeatureSpec) -> tuple[tuple[str, str], ...]:
    """Path and text of the files of features that are not built in, for the executors."""
    sources = own_sources()
    for name in spec.own:
        file = CATALOGUE[name].build.__code__.co_filename
        if file not in dict(sources):
            raise ConfigError(
                f"feature {name!r} was not loaded from a file, so that no executor can load it",
                "Write it into a file, and name that in [features] of churnkit.toml.",
            )
    return sources


def _known(frames: Mapping[str, DataFrame]) -> dict[str, DataFrame]:
    """The frames in the order of the logs."""
    for log in frames:
        if log not in SCHEMAS:
            raise ConfigError(
                f"there is no log {log!r}",
                f"{did_you_mean(log, SCHEMAS)}The logs are {', '.join(SCHEMAS)}.",
            )
    return {log: frames[log] for log in SCHEMAS if log in frames}


def _shape(log: str, frame: DataFrame) -> Shape:
    from pyspark.errors import PySparkException

    source = f"the {log} frame"
    lower = Counter(name.lower() for name in frame.columns)
    twice = [name for name in frame.columns if lower[name.lower()] > 1]
    if twice:
        raise DataError(f"{source} has two columns {twice[0]!r}", "Rename or drop one of them.")
    try:
        with without_pandas():
            return Shape(source, frame.limit(0).toArrow().schema)
    except PySparkException as error:
        raise DataError(
            f"{source} has a column that Arrow does not know: {gist(error)}",
            "Cast it to text, or leave it out.",
        ) from error


def _parted(frames: Mapping[str, DataFrame], work: OnExecutors, number: int | None) -> DataFrame:
    """The rows of all logs, those of a customer together, sorted by customer in each part."""
    from pyspark.sql import functions as f

    parts = [_identified(log, frames, work) for log in work.shapes]
    # Rows of nobody need not meet; together they may be more than one executor can hold.
    nobodys = f.when(f.col(WHO).isNull(), f.col(ROW))
    everyone = reduce(lambda one, other: one.unionAll(other), parts)
    how = [f.col(WHO), nobodys]
    together = everyone.repartition(number, *how) if number else everyone.repartition(*how)
    return together.sortWithinPartitions(WHO)


def _identified(log: str, frames: Mapping[str, DataFrame], work: OnExecutors) -> DataFrame:
    """The rows of a log with their customer, in the columns that the rows of all logs share."""
    from pyspark.sql import functions as f
    from pyspark.sql.types import LongType, StringType, StructType

    rows = frames[log].select(
        f.monotonically_increasing_id().alias(ROW), f.struct("*").alias(CELLS)
    )
    schema = StructType().add(WHO, StringType()).add(ROW, LongType())
    schema = schema.add(CELLS, frames[log].schema)
    known = on_executors(rows, partial(work.identified, log), schema)
    cells = [
        f.col(CELLS).alias(name)
        if name == log
        else f.lit(None).cast(frames[name].schema).alias(name)
        for name in work.shapes
    ]
    return known.select(WHO, ROW, f.lit(log).alias(LOG), *cells)


def _survey(
    parted: DataFrame, work: OnExecutors, cutoffs: Sequence[Cutoff], nobody: Logs
) -> Survey:
    """What is seen of all customers."""
    from pyspark.sql.types import BinaryType, StructType

    schema = StructType().add(SURVEY, BinaryType())
    seen = on_executors(parted, partial(work.surveyed, cutoffs), schema).collect()
    checks = {log: nothing_read(log, shape.source) for log, shape in work.shapes.items()}
    nothing = replace(Survey.of(nobody, cutoffs), checks=checks)
    return reduce(add, (Survey.from_bytes(bytes(row[0]), cutoffs) for row in seen), nothing)


def _spark_schema(schema: pa.Schema) -> StructType:
    """The columns of features as Spark knows them, with unit and meaning."""
    from pyspark.sql.types import DoubleType, FloatType, IntegerType, StringType, StructType

    types = {"int32": IntegerType(), "float": FloatType(), "double": DoubleType()}
    told = StructType()
    for column in schema:
        metadata = {k.decode(): v.decode() for k, v in (column.metadata or {}).items()}
        # Beside numbers there are only texts, of which Arrow has dictionaries.
        told.add(column.name, types.get(str(column.type), StringType()), column.nullable, metadata)
    return told

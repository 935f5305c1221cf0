"""The features of logs in Spark: one look at all customers, then their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from churnkit.clock import Cutoff
from churnkit.engines.chunks import ROWS
from churnkit.engines.spark.faults import spark_faults
from churnkit.engines.spark.logs import SparkLogs
from churnkit.engines.spark.parted import Parted, part
from churnkit.engines.spark.reading import literal_path
from churnkit.errors import ConfigError
from churnkit.features import WINDOWS, FeaturePlan, FeatureSpec, Window, plan_features
from churnkit.logs import Contract, LogCheck

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
    logs
        What can be asked of the logs.
    """

    plan: FeaturePlan
    logs: SparkLogs
    _parted: Parted

    @property
    def checks(self) -> tuple[LogCheck, ...]:
        """What became of the rows of each log."""
        return self.logs.checks

    @property
    def days(self) -> tuple[Cutoff, Cutoff]:
        """The first and the last day of all logs together, in the business zone."""
        return self.logs.days

    def features(self) -> DataFrame:
        """The features, one row per customer and cutoff, made when Spark is asked for them.

        ``customer_id``, ``as_of`` (the cutoff as text), then the columns; missing is null. The
        rows of a customer stand together, in the order of the cutoffs.
        """
        build = partial(self._parted.work.features, self.plan)
        return self._parted.made(build, _spark_schema(self.plan.schema()))


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
    asked = (cutoffs,) if isinstance(cutoffs, Cutoff) else tuple(sorted(set(cutoffs)))
    parted = part(frames, contract or Contract(), partitions=partitions, rows=rows)
    logs = SparkLogs(parted, asked, asked[-1:])
    chosen = spec or FeatureSpec.learn(logs, before=asked[-1], windows=windows)
    plan = plan_features(logs, asked, chosen)
    return SparkPlan(plan, logs, parted.knowing(chosen))


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

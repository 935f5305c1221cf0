"""Sources of a project as frames of Spark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from churnkit.engines.spark.faults import gist, spark_faults
from churnkit.errors import ConfigError, DataError
from churnkit.sources import FileSource, Source

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def spark_frames(session: SparkSession, sources: Mapping[str, Source]) -> dict[str, DataFrame]:
    """The Parquet files of each log as a frame, which Spark reads when it needs the rows.

    Parameters
    ----------
    session
        The session; its executors must see the files under the same paths.
    sources
        Log name → where its rows come from.

    Raises
    ------
    ConfigError
        If a source is none of Parquet files.
    DataError
        If a file is missing, or Spark cannot read it.
    """
    return {log: _frame(session, log, source) for log, source in sources.items()}


def _frame(session: SparkSession, log: str, source: Source) -> DataFrame:
    from pyspark.errors import AnalysisException

    if not isinstance(source, FileSource) or source.kind() != "parquet":
        raise ConfigError(
            f"{source.name}: Spark reads the {log} log from Parquet files only",
            "Write it as Parquet, hand in a frame (churnkit.engines.spark.plan_spark), or take "
            'name = "duckdb" in [engine].',
        )
    root = source.root()
    reader = session.read if root is None else session.read.option("basePath", str(root))
    try:
        with spark_faults():
            return reader.parquet(*map(str, source.files()))
    except AnalysisException as error:
        raise DataError(
            f"{source.name}: Spark cannot read it: {gist(error)}", "Check the files."
        ) from error

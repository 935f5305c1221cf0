"""Sources of a project as frames of Spark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from churnkit.engines.spark.faults import gist, spark_faults
from churnkit.errors import ConfigError, DataError
from churnkit.sources import FileSource, Source, SparkSource

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def spark_frames(session: SparkSession, sources: Mapping[str, Source]) -> dict[str, DataFrame]:
    """The rows of each log as a frame, which Spark reads when it needs them.

    Parameters
    ----------
    session
        The session; its executors must see the files under the same paths.
    sources
        Log name → where its rows come from.

    Raises
    ------
    ConfigError
        If Spark does not read a source, or knows no such table.
    DataError
        If a file is missing, or Spark cannot read it.
    """
    readable = readable_of(sources)
    return {log: _frame(session, log, source) for log, source in readable.items()}


def readable_of(sources: Mapping[str, Source]) -> dict[str, FileSource | SparkSource]:
    """The sources, if Spark reads each of them; no session is needed for it.

    Raises
    ------
    ConfigError
        If a source is neither of Parquet files nor one for Spark.
    DataError
        If a file is missing.
    """
    readable: dict[str, FileSource | SparkSource] = {}
    for log, source in sources.items():
        if isinstance(source, SparkSource) or (
            isinstance(source, FileSource) and source.kind() == "parquet"
        ):
            readable[log] = source
        else:
            raise ConfigError(
                f"{source.name}: Spark reads the {log} log from Parquet files and its own tables",
                f"Write it as Parquet, name a table by spark in [logs.{log}], hand in a frame "
                '(churnkit.engines.spark.plan_spark), or take name = "duckdb" in [engine].',
            )
    return readable


def _frame(session: SparkSession, log: str, source: FileSource | SparkSource) -> DataFrame:
    if isinstance(source, FileSource):
        return _of_files(session, source)
    return _of_spark(session, log, source)


def _of_spark(session: SparkSession, log: str, source: SparkSource) -> DataFrame:
    from pyspark.errors import AnalysisException, ParseException

    try:
        with spark_faults(f"{source.name}: Spark cannot read it", "See its own settings."):
            if not source.is_address:
                return session.table(source.named)
            return session.read.parquet(literal_path(source.named))
    except DataError as error:
        if not isinstance(error.__cause__, AnalysisException | ParseException):
            raise
        raise ConfigError(
            f"{source.name}: {gist(error.__cause__)}",
            f"Mend spark of [logs.{log}]; catalogs and stores are set in spark-defaults.conf.",
        ) from error


def _of_files(session: SparkSession, source: FileSource) -> DataFrame:
    # Java knows the folder it was started in, which may not be where we are by now.
    files = [literal_path(str(file.absolute())) for file in source.files()]
    root = source.root()
    reader = session.read if root is None else session.read.option("basePath", str(root.absolute()))
    with spark_faults(f"{source.name}: Spark cannot read it", "Check the files."):
        return reader.parquet(*files)


def literal_path(path: str) -> str:
    """The path with its signs escaped: Spark takes it for a pattern, and reads all that match."""
    return re.sub(r"([\\*?{}\[\]])", r"\\\1", path)

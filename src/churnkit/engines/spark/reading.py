"""Sources of a project as frames of Spark."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from churnkit.engines.spark.faults import spark_faults
from churnkit.errors import ConfigError
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
    return {log: _frame(session, source) for log, source in parquet_of(sources).items()}


def parquet_of(sources: Mapping[str, Source]) -> dict[str, FileSource]:
    """The sources, if each is one of Parquet files that are there; no session is needed for it.

    Raises
    ------
    ConfigError, DataError
        As `spark_frames`.
    """
    files = {}
    for log, source in sources.items():
        if not isinstance(source, FileSource) or source.kind() != "parquet":
            raise ConfigError(
                f"{source.name}: Spark reads the {log} log from Parquet files only",
                "Write it as Parquet, hand in a frame (churnkit.engines.spark.plan_spark), or take "
                'name = "duckdb" in [engine].',
            )
        files[log] = source
    return files


def _frame(session: SparkSession, source: FileSource) -> DataFrame:
    # Java knows the folder it was started in, which may not be where we are by now.
    files = [literal_path(str(file.absolute())) for file in source.files()]
    root = source.root()
    reader = session.read if root is None else session.read.option("basePath", str(root.absolute()))
    with spark_faults(f"{source.name}: Spark cannot read it", "Check the files."):
        return reader.parquet(*files)


def literal_path(path: str) -> str:
    """The path with its signs escaped: Spark takes it for a pattern, and reads all that match."""
    return re.sub(r"([\\*?{}\[\]])", r"\\\1", path)

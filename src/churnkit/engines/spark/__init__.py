"""Spark: customers brought together by a shuffle, features made on the executors."""

from churnkit.engines.spark.faults import spark_faults
from churnkit.engines.spark.plan import (
    SparkPlan,
    plan_spark,
    spark_features,
    write_spark_features,
)
from churnkit.engines.spark.reading import parquet_of, spark_frames
from churnkit.engines.spark.session import spark_session

__all__ = [
    "SparkPlan",
    "parquet_of",
    "plan_spark",
    "spark_faults",
    "spark_features",
    "spark_frames",
    "spark_session",
    "write_spark_features",
]

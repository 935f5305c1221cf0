"""Spark: customers brought together by a shuffle; features and scores made on the executors."""

from churnkit.engines.spark.faults import spark_faults
from churnkit.engines.spark.learning import logs_to_learn_from
from churnkit.engines.spark.logs import SparkLogs
from churnkit.engines.spark.plan import (
    SparkPlan,
    plan_spark,
    spark_features,
    write_spark_features,
)
from churnkit.engines.spark.reading import readable_of, spark_frames
from churnkit.engines.spark.sample import Sample
from churnkit.engines.spark.scores import SparkScores, ToScore, spark_scores, spark_to_score
from churnkit.engines.spark.session import spark_session

__all__ = [
    "Sample",
    "SparkLogs",
    "SparkPlan",
    "SparkScores",
    "ToScore",
    "logs_to_learn_from",
    "plan_spark",
    "readable_of",
    "spark_faults",
    "spark_features",
    "spark_frames",
    "spark_scores",
    "spark_session",
    "spark_to_score",
    "write_spark_features",
]

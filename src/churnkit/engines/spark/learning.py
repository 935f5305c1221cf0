"""Logs in Spark to learn from: a sample of customers if they are many, else all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from churnkit.clock import AFTER_ALL, Cutoff
from churnkit.dataset import Schedule
from churnkit.engines.spark.logs import SparkLogs
from churnkit.engines.spark.parted import part
from churnkit.engines.spark.sample import CUSTOMERS, Sample, draw
from churnkit.labels import Question
from churnkit.logs import Contract, CustomerLogs
from churnkit.progress import Progress, silent

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@contextmanager
def logs_to_learn_from(
    frames: Mapping[str, DataFrame],
    question: Question,
    schedule: Schedule,
    contract: Contract | None = None,
    *,
    customers: int = CUSTOMERS,
    partitions: int | None = None,
    progress: Progress = silent,
) -> Iterator[tuple[SparkLogs, Sample | None]]:
    """Logs for `churnkit.training.train`, whose features are built on the executors.

    What features tell of all customers together is counted over all of them, drawn or not. The
    rows are gone through four times; they and those of the sample wait on the disks of the
    executors until the context ends.

    Parameters
    ----------
    frames, contract, partitions
        As for `churnkit.engines.spark.plan_spark`.
    question, schedule
        What is asked, and when is trained and tested.
    customers
        If more are at risk at any of these cutoffs, so many of them at most are drawn.
    progress
        Told what is being done.

    Yields
    ------
    SparkLogs, Sample
        The logs, and what was drawn of them: ``None`` if that is everybody.

    Raises
    ------
    DataError, ConfigError
        As `churnkit.engines.spark.plan_spark`.
    """
    from pyspark import StorageLevel

    everyone = part(frames, contract or Contract(), partitions=partitions)
    kept = [everyone.frame.persist(StorageLevel.DISK_ONLY)]
    try:
        progress("checking the logs on Spark")
        logs = SparkLogs(everyone, (), (AFTER_ALL,) if question.churn == "event" else ())
        question.require(logs)
        progress("counting what all customers did")
        cutoffs, before = foreseen(logs, question, schedule)
        logs.look(cutoffs, before)
        progress("drawing the customers to learn from")
        drawn = draw(everyone, question, cutoffs, customers) if cutoffs else None
        if drawn is not None:
            kept.append(drawn[0].frame.persist(StorageLevel.DISK_ONLY))
            logs.limited_to(drawn[0])
        yield logs, None if drawn is None else drawn[1]
    finally:
        for frame in kept:
            frame.unpersist()


def foreseen(
    logs: CustomerLogs, question: Question, schedule: Schedule
) -> tuple[tuple[Cutoff, ...], tuple[Cutoff, ...]]:
    """The cutoffs of a training and its tests, and those before which columns are learnt.

    Raises
    ------
    ConfigError
        If the schedule ends after the logs.
    """
    last = schedule.last_known(logs, question)
    tests = schedule.test_cutoffs(logs, question)
    ends = [*tests, last.shifted(question.horizon_days)]
    grids = [schedule.training_cutoffs(logs, question, end) for end in ends]
    cutoffs = sorted({*tests, *(cutoff for grid in grids for cutoff in grid)})
    return tuple(cutoffs), (last, *(max(grid) for grid in grids if grid))

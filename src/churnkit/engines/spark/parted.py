"""The driver's side: the rows of all logs, those of a customer together on one executor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add
from typing import TYPE_CHECKING

from churnkit.clock import Cutoff
from churnkit.engines.chunks import ROWS
from churnkit.engines.judging import CELLS, ROW, WHO, Judge, Shape, nothing_read
from churnkit.engines.spark.executors import LOG, SURVEY, OnExecutors
from churnkit.engines.spark.faults import (
    Work,
    gist,
    on_executors,
    spark_faults,
    without_pandas,
)
from churnkit.engines.spark.session import require_pyspark
from churnkit.engines.spark.survey import Survey
from churnkit.errors import ConfigError, DataError, did_you_mean
from churnkit.features import CATALOGUE, FeatureSpec
from churnkit.features.own import own_sources
from churnkit.logs import SCHEMAS, Contract, Logs
from churnkit.sources import connect

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType


@dataclass(frozen=True)
class Parted:
    """Logs in Spark, parted by customer: what every kind of work on whole customers begins with.

    Attributes
    ----------
    frame
        The rows of all logs, those of a customer in one partition, which is sorted by customer.
    work
        What executors do with a partition.
    nobody
        The logs without a row, which tell the measures of each log.
    """

    frame: DataFrame
    work: OnExecutors
    nobody: Logs

    def made(self, make: Work, schema: StructType) -> DataFrame:
        """What a method of `work` makes of each partition, when Spark is asked for it."""
        return on_executors(self.frame, make, schema)

    def knowing(self, spec: FeatureSpec) -> Parted:
        """The same, whose executors know the features of a specification that are not built in.

        Raises
        ------
        ConfigError
            If one of them was not loaded from a file.
        """
        return replace(self, work=replace(self.work, own=_sources_of(spec)))

    def survey(
        self,
        cutoffs: Sequence[Cutoff] = (),
        before: Sequence[Cutoff] = (),
        prints: Cutoff | None = None,
    ) -> Survey:
        """Look at all customers once.

        Parameters
        ----------
        cutoffs
            Rising cutoffs before which it is counted what all customers did.
        before
            Cutoffs before which words are counted.
        prints
            Cutoff before which customers have a fingerprint, if anybody asks for them.

        Raises
        ------
        DataError
            If Spark fails.
        """
        from pyspark.sql.types import BinaryType, StructType

        schema = StructType().add(SURVEY, BinaryType())
        look = partial(self.work.surveyed, tuple(cutoffs), tuple(before), prints)
        with spark_faults():
            seen = self.made(look, schema).collect()
        shapes = self.work.shapes
        checks = {log: nothing_read(log, shape.source) for log, shape in shapes.items()}
        nothing = replace(Survey.of(self.nobody, cutoffs, before), checks=checks)
        return reduce(add, (Survey.from_bytes(bytes(row[0]), cutoffs) for row in seen), nothing)


def part(
    frames: Mapping[str, DataFrame],
    contract: Contract,
    *,
    partitions: int | None = None,
    rows: int = ROWS,
) -> Parted:
    """Part logs in Spark by customer; nothing is read by now.

    Parameters
    ----------
    frames, contract, partitions, rows
        As for `churnkit.engines.spark.plan_spark`.

    Raises
    ------
    DataError
        If a log lacks a column.
    ConfigError
        If pyspark is missing, or the contract asks for something impossible.
    """
    require_pyspark()
    shapes = {log: _shape(log, frame) for log, frame in _known(frames).items()}
    with connect() as con:  # what can be refused without a row is refused here
        nobody = Judge(con, shapes, contract).logs_of_nobody()
    work = OnExecutors(shapes, contract, rows)
    with spark_faults():
        return Parted(_together(frames, work, partitions), work, nobody)


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


def _together(frames: Mapping[str, DataFrame], work: OnExecutors, number: int | None) -> DataFrame:
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

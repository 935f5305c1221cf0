"""`SparkLogs`: what can be asked of logs in Spark; their events stay where they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from churnkit.clock import Cutoff, start_of_day
from churnkit.engines.spark.faults import spark_faults, without_pandas
from churnkit.engines.spark.parted import Parted
from churnkit.engines.spark.survey import STATIC, TEXTS, WITH_VALUE, Survey
from churnkit.errors import ConfigError
from churnkit.features import FeaturePlan, Features
from churnkit.features.kernel import Beside, Population
from churnkit.index import Market
from churnkit.index.market import STREAMS
from churnkit.logs import LogCheck, Logs
from churnkit.logs.account import stop_if_too_many
from churnkit.logs.table import rank_of_the_last

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.types import StructType

CUSTOMER, CUTOFF, BESIDE = "customer_id", "cutoff", "beside "
"""Columns of rows on their way to the driver: their keys, and (with a name) what is beside."""


class SparkLogs:
    """Checked logs in Spark: what is told of all customers, and rows of the features of each.

    They answer what `churnkit.logs.CustomerLogs` can be asked, but for `blocks`; features and
    labels are made on the executors (`churnkit.features.BuiltElsewhere`). All customers are looked
    at once when it is made, and again whenever something is asked that was not foreseen.

    Parameters
    ----------
    parted
        The rows.
    cutoffs, before, prints
        What is foreseen, see `Parted.survey`.

    Raises
    ------
    DataError
        If a log is empty, or breaks the contract in more rows than allowed.
    """

    def __init__(
        self,
        parted: Parted,
        cutoffs: Sequence[Cutoff] = (),
        before: Sequence[Cutoff] = (),
        prints: Cutoff | None = None,
    ) -> None:
        self._all, self._built, self._nobody = parted, parted, parted.nobody
        self._seen: list[tuple[tuple[Cutoff, ...], Survey]] = []
        contract = parted.work.contract
        self.zone, self.instruments = contract.zone, contract.instruments
        seen = self.look(cutoffs, before, prints)
        self.checks: tuple[LogCheck, ...] = tuple(seen.checks.values())
        for check in self.checks:
            stop_if_too_many(check, contract.max_rejected_share)
        self._days, self.customer_count = seen.days, seen.customers
        self.fingerprint = seen.fingerprint

    def look(
        self, cutoffs: Sequence[Cutoff], before: Sequence[Cutoff], prints: Cutoff | None = None
    ) -> Survey:
        """Look at all customers, and keep what was seen; see `Parted.survey`."""
        asked = tuple(dict.fromkeys(before))
        seen = self._all.survey(cutoffs, asked, prints)
        self._seen.append((asked, seen))
        return seen

    def limited_to(self, sample: Parted) -> None:
        """Build from now on the rows of the customers of a sample only."""
        self._built = sample

    @property
    def rejected(self) -> None:
        """What was set aside stays where it is."""
        return

    @property
    def measures(self) -> dict[str, tuple[str, ...]]:
        """Log → its measures, see `churnkit.logs.CustomerLogs.measures`."""
        return self._nobody.measures

    @property
    def has_amounts(self) -> bool:
        """Whether purchases come with money."""
        return self._nobody.has_amounts

    @property
    def static_columns(self) -> tuple[str, ...]:
        """Names of the columns of the customers that are declared never to change."""
        return self._nobody.static_columns

    def blocks(self) -> Iterator[Logs]:
        """Refuse to bring the events of all customers here.

        Raises
        ------
        ConfigError
            Always.
        """
        return _stay()

    def words(self, log: str, measure: str, before: Cutoff, having: str = "") -> dict[str, int]:
        """How many events before a cutoff have each word of a text measure; only those seen.

        Raises
        ------
        KeyError
            If no executor counts the words of that measure, see `TEXTS`.
        """
        if TEXTS[log] != measure:
            raise KeyError(measure)
        return dict(self._words(before).get(WITH_VALUE if having else log, {}))

    def static_words(self, before: Cutoff) -> dict[str, dict[str, int]]:
        """Static column → its words, and how many of the customers known before a cutoff have each.

        Known is who has an event of any log.
        """
        return {name: dict(self._words(before)[STATIC + name]) for name in self.static_columns}

    def first_day(self, of: str) -> Cutoff:
        """Start of the first day of a log, in the business zone."""
        return Cutoff(min(self._days[of]), self.zone)

    def last_day(self, of: str) -> Cutoff:
        """Start of the last day of a log, stragglers left aside; see `Logs.last_day`."""
        days, counts = zip(*sorted(self._days[of].items()), strict=True)
        ends = np.cumsum(counts)
        nth = np.searchsorted(ends, rank_of_the_last(int(ends[-1])), side="right")
        return Cutoff(days[nth], self.zone)

    def day_after_last(self, of: str) -> Cutoff:
        """Start of the day after the last day of a log: all of it is known by then."""
        return self.last_day(of).shifted(1)

    @property
    def days(self) -> tuple[Cutoff, Cutoff]:
        """The first and the last day of all logs together, stragglers and all."""
        firsts = [check.first for check in self.checks if check.first is not None]
        lasts = [check.last for check in self.checks if check.last is not None]
        return start_of_day(min(firsts), self.zone), start_of_day(max(lasts), self.zone)

    def market(self, cutoffs: Sequence[Cutoff], streams: Sequence[str] = STREAMS) -> Market:
        """What all customers did before each cutoff, those outside of a sample, too."""
        known = (s.market for _, s in self._seen if {*cutoffs} <= {*s.market.cutoffs})
        found = next(known, None) or self.look(cutoffs, ()).market
        return found.at(cutoffs, streams).settled()

    def built(
        self, plan: FeaturePlan, beside: Mapping[str, Beside], population: Population
    ) -> tuple[Features, dict[str, np.ndarray]]:
        """The rows of a plan, made on the executors; what is beside them comes as float64.

        Raises
        ------
        ConfigError
            If a feature that is not built in fails, or was not loaded from a file.
        DataError
            If Spark fails.
        """
        there = self._built.knowing(plan.spec)
        make = partial(there.work.built, plan, dict(beside), population)
        with spark_faults(), without_pandas():
            table = there.made(make, _rows_schema(plan, beside)).toArrow()
        rows = table.combine_chunks().sort_by([(CUSTOMER, "ascending"), (CUTOFF, "ascending")])
        columns = {c.name: _numbers(rows, c.name, c.feature.dtype) for c in plan.columns}
        ids = rows[CUSTOMER].to_numpy(zero_copy_only=False).astype(object)
        cutoff = _numbers(rows, CUTOFF, "int64")
        more = {name: _numbers(rows, BESIDE + name, "float64") for name in beside}
        return Features(ids, cutoff, columns, plan.spec, self.zone), more

    def _words(self, before: Cutoff) -> Mapping[str, Mapping[str, int]]:
        for asked, seen in self._seen:
            if before in asked:
                return seen.words[asked.index(before)]
        return self.look((), (before,)).words[0]


def _stay() -> NoReturn:
    raise ConfigError(
        "this needs the events of all customers on one machine, and they stay in Spark",
        'Take name = "duckdb" in [engine] for it.',
    )


def _numbers(rows: pa.Table, name: str, dtype: str) -> np.ndarray:
    return rows[name].to_numpy(zero_copy_only=False).astype(dtype, copy=False)


def _rows_schema(plan: FeaturePlan, beside: Mapping[str, Beside]) -> StructType:
    from pyspark.sql.types import (
        DoubleType,
        FloatType,
        IntegerType,
        LongType,
        StringType,
        StructType,
    )

    types = {"int32": IntegerType(), "float32": FloatType(), "float64": DoubleType()}
    told = StructType().add(CUSTOMER, StringType()).add(CUTOFF, LongType())
    for column in plan.columns:
        told.add(column.name, types[column.feature.dtype])
    for name in beside:
        told.add(BESIDE + name, DoubleType())
    return told

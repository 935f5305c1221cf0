"""The sections of ``churnkit.toml``: what may be written in each, and what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from churnkit.lights import RULE_NAMES
from churnkit.logs import SCHEMAS, LogMapping
from churnkit.sources import FileSource, Source, SqlSource
from churnkit.sources.stores.address import require_no_password, rooted

ALLOWED_BY_DEFAULT = 0.05
_LEAST_MEGABYTES = 50
_MEGABYTES = {"K": 0.001, "M": 1.0, "G": 1e3, "T": 1e6}
_OF_FILES, _OF_STORES = ("encoding", "delimiter", "sheet"), ("table", "query")

# Strict, since `true` is not one day. The limits keep every cutoff after the year 1.
Days = Annotated[int, Field(strict=True, ge=1, le=3_650)]
Count = Annotated[int, Field(strict=True, ge=1, le=180)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Rate = Annotated[Number, Field(gt=0)]
Edge = Annotated[Number, Field(gt=0, lt=1)]
RuleName = Annotated[str, WithJsonSchema({"type": "string", "enum": list(RULE_NAMES)})]


def _without_password(url: str) -> str:
    require_no_password(url)
    return url


Url = Annotated[str, AfterValidator(_without_password)]


def _once_each(rates: dict[str, float]) -> dict[str, float]:
    names = [name.strip().upper() for name in rates]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{twice[0]!r} stands twice; upper and lower case are the same")
    return rates


Rates = Annotated[dict[str, Rate], AfterValidator(_once_each)]


def _rising(windows: tuple[int, ...]) -> tuple[int, ...]:
    twice = [days for days in windows if windows.count(days) > 1]
    if twice:
        raise ValueError(f"{twice[0]} stands twice")
    return tuple(sorted(windows))


def _enough(memory: str) -> str:
    told = memory.removesuffix("B").removesuffix("i")
    if float(told[:-1]) * _MEGABYTES[told[-1]] < _LEAST_MEGABYTES:
        raise ValueError(f"{memory} reads no log; take {_LEAST_MEGABYTES}MB or more")
    return memory


Memory = Annotated[str, Field(pattern=r"^\d{1,6}(\.\d+)? ?[KMGT]i?B$"), AfterValidator(_enough)]
Windows = Annotated[tuple[Days, ...], Field(min_length=1), AfterValidator(_rising)]
Every = Days | Literal["week", "month"]
EngineName = Literal["duckdb", "memory", "postgres", "spark"]


def _columns_of(log: str) -> dict[str, Any]:
    """JSON Schema of the column mapping of a log, from its contract."""
    columns = {c.name: {"type": "string", "description": c.says} for c in SCHEMAS[log].columns}
    required = list(SCHEMAS[log].required)
    told = {"type": "object", "properties": columns, "additionalProperties": False}
    return {**told, "required": required, "description": "Contract column = column of the source."}


PurchasesColumns = Annotated[dict[str, str], WithJsonSchema(_columns_of("purchases"))]
ActivityColumns = Annotated[dict[str, str], WithJsonSchema(_columns_of("activity"))]
SurveysColumns = Annotated[dict[str, str], WithJsonSchema(_columns_of("surveys"))]
CustomersColumns = Annotated[dict[str, str], WithJsonSchema(_columns_of("customers"))]


class Section(BaseModel):
    """A table of the file; unknown keys are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class QuestionSection(Section):
    """What is asked: ``[question]``."""

    churn: Literal["no_purchase", "no_activity"] = "no_purchase"
    """What counts as churn."""
    horizon_days: Days = 90
    """Churned: no sign of life for so many days from the cutoff on."""
    lookback_days: Days = 180
    """At risk: a sign of life within so many days before the cutoff."""
    timezone: str = "UTC"
    """Business time zone: times without a zone are in it, and days begin in it."""


class Scale(Section):
    """The scale of a survey question: ``[logs.surveys.instruments]``."""

    low: Number
    """Lowest answer."""
    high: Number
    """Highest answer."""
    better: Literal["high", "low"] = "high"
    """Which end is good."""
    source: Literal["customer", "agent"] = "customer"
    """Who gives it: the customer, or an agent who rates a call."""


class LogSection(Section):
    """One log, ``[logs.NAME]``: a file or a table of a store, and how it is read."""

    path: str | list[str] | None = None
    """A file, a pattern such as data/*.csv, a folder of Parquet files, or a list of files."""
    encoding: str | None = None
    """Encoding of a text file; by default it is recognised."""
    delimiter: str | None = None
    """Delimiter of a CSV file; by default it is recognised."""
    sheet: str | None = None
    """Sheet of a workbook; by default all sheets with the header of the first."""
    url: Url | None = None
    """A store instead of a file; ${NAME} stands for an environment variable or NAME_FILE."""
    table: str | None = None
    """Table of the store."""
    query: str | None = None
    """One SELECT instead of a table."""
    timeout_seconds: Number = Field(default=300.0, gt=0)
    """How long the store may be silent before reading is given up."""
    columns: dict[str, str] = Field(default_factory=dict)
    time_format: str | None = None
    """Pattern of times written as text, or "epoch_s" or "epoch_ms" for numbers."""
    calendar: Literal["gregorian", "jalali"] = "gregorian"
    """Calendar of times written as text."""
    decimal: Literal[".", ","] | None = None
    """Separator of decimals in numbers written as text; the other one then groups thousands."""
    fold_ids: bool = False
    """Write Persian and Arabic digits and letter variants of ids one way."""
    provenance: tuple[str, ...] = ()
    """Source columns that say where a row came from: rows that differ only in them are one."""
    exclude: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Source column = list of the values of rows to set aside on purpose; "" is an empty cell."""

    @model_validator(mode="after")
    def _is_one_calendar(self) -> LogSection:
        if self.calendar == "jalali" and self.time_format is not None:
            raise ValueError('time_format does not go with calendar = "jalali"')
        return self

    @model_validator(mode="after")
    def _is_one_source(self) -> LogSection:
        if (self.path is None) == (self.url is None):
            raise ValueError("name either a path or a url")
        if "://" in str(self.path):  # it may hold a password, so it is not repeated as a file
            raise ValueError("a path is no address; a store is named by url and table")
        if self.url is not None and (self.table is None) == (self.query is None):
            raise ValueError("a url needs either a table or a query")
        given, beside = ("path", _OF_STORES) if self.url is None else ("url", _OF_FILES)
        for key in beside:
            if getattr(self, key) is not None:
                raise ValueError(f"{key} does not go with a {given}")
        return self

    def source(self, folder: Path) -> Source:
        """Where the rows come from; relative paths begin at the folder."""
        if self.url is not None:
            url = rooted(self.url, folder)
            return SqlSource(url, self.table, self.query, self.timeout_seconds)
        paths = [self.path] if isinstance(self.path, str) else list(self.path or ())
        whole = tuple(folder / path for path in paths)
        return FileSource(
            whole[0] if isinstance(self.path, str) else whole,
            encoding=self.encoding,
            delimiter=self.delimiter,
            sheet=self.sheet,
        )

    def mapping(self) -> LogMapping:
        """How the rows are read."""
        return LogMapping(
            columns=self.columns,
            time_format=self.time_format,
            calendar=self.calendar,
            decimal=self.decimal,
            fold_ids=self.fold_ids,
            provenance=self.provenance,
            exclude=self.exclude,
        )


class PurchasesSection(LogSection):
    """The purchases: ``[logs.purchases]``."""

    columns: PurchasesColumns = Field(default_factory=dict)
    rates: Rates = Field(default_factory=dict)
    """Currency = worth of one unit of it; rows of other currencies are set aside."""

    def mapping(self) -> LogMapping:
        """How the rows are read."""
        return replace(super().mapping(), rates=self.rates)


class ActivitySection(LogSection):
    """The activity log: ``[logs.activity]``."""

    columns: ActivityColumns = Field(default_factory=dict)
    kinds: dict[str, str] = Field(default_factory=dict)
    """Your event = the kind churnkit understands by it."""


class SurveysSection(LogSection):
    """The survey log: ``[logs.surveys]``."""

    columns: SurveysColumns = Field(default_factory=dict)
    instruments: dict[str, Scale] = Field(default_factory=dict)
    """Question = its scale."""


class CustomersSection(LogSection):
    """One row a customer: ``[logs.customers]``."""

    columns: CustomersColumns = Field(default_factory=dict)


class LogsSection(Section):
    """The logs: ``[logs]``."""

    purchases: PurchasesSection | None = None
    activity: ActivitySection | None = None
    surveys: SurveysSection | None = None
    customers: CustomersSection | None = None

    def given(self) -> Mapping[str, LogSection]:
        """Log name → section, for the logs that are there."""
        sections = {name: getattr(self, name) for name in SCHEMAS}
        return {name: section for name, section in sections.items() if section is not None}


class QualitySection(Section):
    """How much mess is taken: ``[quality]``."""

    max_rejected_share: Number = Field(default=ALLOWED_BY_DEFAULT, ge=0, le=1)
    """More faulty rows than this stop the run."""


class FeaturesSection(Section):
    """Which features are built: ``[features]``."""

    windows: Windows = (7, 30, 90, 180, 365)
    """Windows in days; all time always comes along."""
    file: Path | None = None
    """A Python file with features of your own."""


class TrainingSection(Section):
    """When is trained and tested, and how: ``[training]``."""

    every: Every = 28
    """Days between training cutoffs, or "week", or "month"."""
    cutoffs: Count = 13
    """At most so many."""
    tests: Count = 2
    """Later cutoffs to test on; the last one is reported."""
    until: date | None = None
    """The day on which the log ends for training; by default its last day."""
    monotone: Annotated[bool, Field(strict=True)] = False
    """Trees must follow the expected directions of the features."""


class LightsSection(Section):
    """Thresholds and rules: ``[lights]``."""

    yellow: Edge = 0.4
    """Lower edge of yellow, inclusive."""
    red: Edge = 0.7
    """Lower edge of red, inclusive."""
    rules_off: tuple[RuleName, ...] = ()
    """Rules that do not speak."""


class OutputSection(Section):
    """Where results go: ``[output]``."""

    models: Path = Path("models")
    """Folder of the model bundles."""
    scores: Path = Path("scores")
    """Folder of the scores."""
    reports: Path = Path("reports")
    """Folder of the reports, and of the rows set aside."""
    url: Url | None = None
    """A store to write the scores to as well; ${NAME} as for logs."""
    table: str = "churn_scores"
    """Table of the store."""


class EngineSection(Section):
    """What sorts the logs, and what it may use: ``[engine]``."""

    name: EngineName = "duckdb"
    """DuckDB sorts on disk, memory holds everything at once; postgres sorts on the server."""
    memory_limit: Memory | None = None
    """Memory of the engine, such as "4GB"; what does not fit goes to the spill folder."""
    spill: Path | None = None
    """Folder for what does not fit into memory; by default that for temporary files."""
    master: str = "local[*]"
    """Address of the Spark master."""


class MlflowSection(Section):
    """The registry: ``[mlflow]``."""

    name: str = "churnkit"
    """Name of the registered model."""
    tracking_uri: str = ""
    """Address of the tracking server; empty for a store in the models folder."""

"""The sections of ``churnkit.toml``: what may be written in each, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from churnkit.actions import Calls, Holdout, Playbook, Tiers, WorkingWeek
from churnkit.dataset import Recipe
from churnkit.errors import ConfigError, did_you_mean
from churnkit.language import Calendar, require_language
from churnkit.lights import (
    RULE_NAMES,
    RULES,
    Capacity,
    Condition,
    Cost,
    Fixed,
    Hysteresis,
    Policy,
    Promise,
    Rule,
    TrafficLight,
    merged,
)
from churnkit.logs import LEAVING, SCHEMAS, LogMapping
from churnkit.nightly import checked_address, retrain_rule
from churnkit.profit import Money
from churnkit.reach import Reach
from churnkit.sources import FileSource, Source, SparkSource, SqlSource
from churnkit.sources.stores.address import holds_password, require_no_password, rooted

ALLOWED_BY_DEFAULT = 0.05
_LEAST_MEGABYTES = 50
_MEGABYTES = {"K": 0.001, "M": 1.0, "G": 1e3, "T": 1e6}
_OF_FILES, _OF_STORES = ("encoding", "delimiter", "sheet"), ("table", "query")
_BESIDE = {"path": _OF_STORES, "url": _OF_FILES, "spark": (*_OF_STORES, *_OF_FILES)}

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
Switch = Annotated[bool, Field(strict=True)]
# Spelled out, since the ladder itself would load LightGBM.
ModelName = Literal[
    "best", "base_rate", "recency", "overdue", "rfm_logistic", "bgnbd", "logistic", "lightgbm",
    "hazard", "blend",
]  # fmt: skip
# While only PostgreSQL could sort, the engine was called by its name.
EngineName = Annotated[
    Literal["duckdb", "memory", "store", "spark"],
    BeforeValidator(lambda name: "store" if name == "postgres" else name),
]
Quota = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]
Share = Annotated[Number, Field(gt=0, le=0.5)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# What MLflow refuses, it refuses only once the model is trained.
ModelId = Annotated[str, Field(pattern=r"^[^/:.\s][^/:]*$", max_length=250)]


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

    churn: Literal["no_purchase", "no_activity", "event"] = "no_purchase"
    """What counts as churn."""
    events: Annotated[tuple[str, ...], Field(min_length=1)] = (LEAVING,)
    """With churn = "event": kinds or events of the activity log with which a customer leaves."""
    horizon_days: Days = 90
    """Churned: no sign of life, or one of the events, within so many days from the cutoff on."""
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
    spark: str | None = None
    """A table or view of Spark's catalog ("shop.orders"), or an address of Parquet files that
    Spark reads ("s3a://bucket/orders"); with name = "spark" in [engine]."""
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
    mapped_only: Switch = False
    """Ask the store only for columns named here: less to read and to pay, but rows that differ in
    none of them are one."""

    @model_validator(mode="after")
    def _is_one_calendar(self) -> LogSection:
        if self.calendar == "jalali" and self.time_format is not None:
            raise ValueError('time_format does not go with calendar = "jalali"')
        return self

    @model_validator(mode="after")
    def _is_one_source(self) -> LogSection:
        if sum(where is not None for where in (self.path, self.url, self.spark)) != 1:
            raise ValueError("name either a path, or a url, or what spark reads")
        if "://" in str(self.path):  # it may hold a password, so it is not repeated as a file
            raise ValueError("a path is no address; a store is named by url and table")
        if self.url is not None and (self.table is None) == (self.query is None):
            raise ValueError("a url needs either a table or a query")
        if self.spark is not None:
            SparkSource(self.spark)  # which refuses some
        given = next(key for key in _BESIDE if getattr(self, key) is not None)
        for key in _BESIDE[given]:
            if getattr(self, key) is not None:
                raise ValueError(f"{key} does not go with a {given}")
        if self.mapped_only and (self.url is None or not self.columns):
            raise ValueError("mapped_only goes with a url and with columns")
        return self

    def source(self, folder: Path, reach: Reach | None = None) -> Source:
        """Where the rows come from; relative paths begin at the folder, and stay in the reach."""
        if self.url is not None:
            url = rooted(self.url, folder)
            columns = self._named_columns() if self.mapped_only else ()
            return SqlSource(url, self.table, self.query, self.timeout_seconds, columns)
        if self.spark is not None:
            return SparkSource(self.spark)
        paths = [self.path] if isinstance(self.path, str) else list(self.path or ())
        whole = tuple(folder / path for path in paths)
        return FileSource(
            whole[0] if isinstance(self.path, str) else whole,
            encoding=self.encoding,
            delimiter=self.delimiter,
            sheet=self.sheet,
            reach=reach,
        )

    def _named_columns(self) -> tuple[str, ...]:
        """Columns of the source that are named here, each once."""
        mapping = self.mapping()
        named = (*self.columns.values(), *mapping.static, *self.provenance, *self.exclude)
        return tuple(dict.fromkeys(named))

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
    static: tuple[str, ...] = ()
    """Source columns that never change for a customer: they become features."""

    def mapping(self) -> LogMapping:
        """How the rows are read."""
        return replace(super().mapping(), static=self.static)


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

    every: Every = "month"
    """Days between training cutoffs, or "week", or "month"."""
    cutoffs: Count = 13
    """At most so many."""
    tests: Count = 2
    """Later cutoffs to test on; the last one is reported."""
    until: date | None = None
    """The day on which the log ends for training; by default its last day."""


class ModelSection(Section):
    """How models are made: ``[model]``."""

    use: ModelName = "best"
    """The model that is used; "best" takes the one that does best on earlier cutoffs."""
    season: Literal["auto", "always", "never"] = "auto"
    """Whether the time of the year is learnt; "auto": if the training cutoffs span a year."""
    market: Switch = False
    """With the season, learn what all customers together do, too."""
    monotone: Switch = False
    """Trees must follow the expected directions of the features."""
    early_stopping: Switch = False
    """Take as many trees of lightgbm as do best on the newest training cutoff."""
    calibrate: Switch = False
    """Stretch and shift the log-odds by what customers left out of the fit tell."""
    hazard: Switch = False
    """Try trees on when the silence ends, too; they also tell of shorter horizons."""
    trees: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 180
    """Trees per seed."""
    leaves: Annotated[int, Field(strict=True, ge=2, le=1_024)] = 7
    """Leaves per tree."""
    rows_per_leaf: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 200
    """Fewest rows in a leaf; at most a twentieth of all."""
    learning_rate: Annotated[Number, Field(gt=0, le=1)] = 0.05
    """Shrinkage of each tree."""
    column_share: Annotated[Number, Field(gt=0, le=1)] = 0.6
    """Share of the features that a tree may look at."""
    row_share: Annotated[Number, Field(gt=0, le=1)] = 0.8
    """Share of the rows that a tree may look at."""
    l2: Annotated[Number, Field(ge=0)] = 5.0
    """Penalty on the values of leaves."""
    seeds: Annotated[int, Field(strict=True, ge=1, le=50)] = 2
    """So many models of trees are averaged."""

    def recipe(self, windows: tuple[int | None, ...]) -> Recipe:
        """How models are made, in the library's terms."""
        choices = {name: getattr(self, name) for name in _CHOICES}
        trees = self.model_dump(exclude=set(_CHOICES), exclude_defaults=True)
        return Recipe(windows, **choices, trees=trees)


_CHOICES = ("use", "season", "market", "monotone", "early_stopping", "calibrate", "hazard")


class MoneySection(Section):
    """What a campaign costs and may keep, in one currency: ``[money]``."""

    contact_cost: Annotated[Number, Field(ge=0)] = 1.0
    """Cost of contacting one customer."""
    offer_cost: Annotated[Number, Field(ge=0)] = 10.0
    """Cost of the offer to one who takes it; stayers take it, too."""
    acceptance: Edge = 0.3
    """Share of those about to leave who take the offer and stay."""
    value: Rate = 200.0
    """What a customer who stays is worth."""
    margin: Annotated[Number, Field(gt=0, le=1)] = 1.0
    """Share of the spend that is margin: value at risk is the margin of the spend expected."""

    def amounts(self) -> Money:
        """The amounts in the library's terms."""
        return Money(**self.model_dump(exclude={"margin"}))


_CALLS = 100  # a week, where nothing is said of it


class RuleSection(Section):
    """One rule, ``[[lights.rules]]``: of your own, or a built-in one with other values."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")]
    """Names it in counts and playbooks; the name of a built-in rule changes that one."""
    when: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Conditions that all must hold, such as "recency >= 60" or "segment == 'trade'"."""
    effect: Literal["at_least", "at_most", "set"] | None = None
    """What it does to the colour: lift to at least, lower to at most, or set."""
    light: Literal["green", "yellow", "red"] | None = None
    """The colour."""
    says: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The reason that people read."""
    on: Switch = True
    """Whether it speaks."""
    start: date | None = None
    """First day on which it applies."""
    end: date | None = None
    """Last day on which it applies."""

    def rule(self) -> Rule:
        """The rule in the library's terms; what is not told is that of the built-in rule."""
        known = next((rule for rule in RULES if rule.name == self.name), None)
        if known is None and (self.when is None or self.light is None or self.says is None):
            lacking = next(k for k in ("when", "light", "says") if getattr(self, k) is None)
            raise ConfigError(
                f"the rule {self.name!r} of [[lights.rules]] has no {lacking}",
                f"{did_you_mean(self.name, RULE_NAMES)}A rule of your own needs when, light and "
                "says.",
            )
        told: dict[str, Any] = {
            "light": self.light,
            "says": self.says,
            "effect": self.effect,
            "start": self.start,
            "end": self.end,
            "conditions": self.when and tuple(Condition.parse(text) for text in self.when),
        }
        given = {key: value for key, value in told.items() if value is not None}
        return Rule(self.name, **given) if known is None else replace(known, **given)


class LightsSection(Section):
    """Policy, thresholds and rules: ``[lights]``."""

    policy: Literal["fixed", "capacity", "cost", "promise"] = "fixed"
    """What the colours follow from: thresholds, [calls] per_week (100 if it has none), money, or
    a promise that was kept so far."""
    yellow: Edge = 0.4
    """Lower edge of yellow, inclusive; of fixed and capacity."""
    red: Edge = 0.7
    """Lower edge of red, inclusive; of fixed."""
    yellow_share: Edge = 0.5
    """Cost: yellow from this share of the edge from which a contact pays; see [money]."""
    red_churns: Edge = 0.7
    """Promise: at least this share of red churn."""
    green_churns: Edge = 0.1
    """Promise: at most this share of green churn."""
    confidence: Edge = 0.95
    """Promise: with this confidence."""
    margin: Annotated[Number, Field(ge=0, le=0.5)] = 0.05
    """A colour gets better only so far below its edge; 0 with runs = 1 switches it off."""
    runs: Annotated[int, Field(strict=True, ge=1, le=52)] = 1
    """… in so many runs one after the other."""
    rules_off: tuple[RuleName, ...] = ()
    """Built-in rules that do not speak."""
    rules: tuple[RuleSection, ...] = ()
    """Rules of your own, and changes to the built-in ones."""

    def light(self, money: Money, per_week: int | None = None) -> TrafficLight:
        """The traffic light in the library's terms."""
        policies: dict[str, Callable[[], Policy]] = {
            "fixed": lambda: Fixed(self.yellow, self.red),
            "capacity": lambda: Capacity(per_week or _CALLS, self.yellow),
            "cost": lambda: Cost(money, self.yellow_share),
            "promise": lambda: Promise(self.red_churns, self.green_churns, self.confidence),
        }
        off = {*self.rules_off, *(rule.name for rule in self.rules if not rule.on)}
        own = [rule.rule() for rule in self.rules if rule.on or rule.name not in RULE_NAMES]
        rules = tuple(rule for rule in merged(RULES, own) if rule.name not in off)
        return TrafficLight(policies[self.policy](), rules, Hysteresis(self.margin, self.runs))


class CallsSection(Section):
    """How much people have time for, and when they work: ``[calls]``."""

    per_week: Annotated[int, Field(strict=True, ge=1, le=10_000_000)] | None = None
    """Calls and visits of a week, of all owners together; by default there is no limit."""
    quotas: dict[str, Quota] = Field(default_factory=dict)
    """Owner = calls and visits of a week; 0 for somebody who is away."""
    owner: str = "retention team"
    """Who acts where a playbook names no owner, or its column names nobody."""
    rank_by: Literal["risk", "uplift"] = "risk"
    """Who comes first: by risk, or by what acting keeps as soon as outcomes show that better."""
    segment: str = ""
    """Static column of the customers whose values are the segments of playbooks."""
    shipped_playbooks: Switch = True
    """Let the shipped playbooks follow those in [[playbooks]]."""
    high_share: Share = 0.2
    """Share of the customers with the highest values at risk: the tier "high"."""
    middle_share: Share = 0.3
    """Share of those next to them: the tier "middle"."""
    day_starts: str = "09:00"
    """When work begins, by the clocks of the business zone."""
    day_ends: str = "17:00"
    """When it ends."""
    working_days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri")
    """The days on which people work, such as ["sat", "sun", "mon", "tue", "wed"]."""

    def calls(self) -> Calls:
        """The capacity in the library's terms."""
        return Calls(self.per_week, self.quotas, self.owner)

    def tiers(self) -> Tiers:
        """The tiers in the library's terms."""
        return Tiers(self.high_share, self.middle_share)

    def week(self) -> WorkingWeek:
        """The working week in the library's terms."""
        return WorkingWeek(self.day_starts, self.day_ends, self.working_days)


class PlaybookSection(Section):
    """What is done for customers of a kind; the first that takes one holds: ``[[playbooks]]``."""

    name: str
    """How it is called; a shipped playbook of the same name gives way."""
    light: tuple[str, ...] = ()
    """Colours it is for, red and yellow; none means any, here and below."""
    reason: tuple[str, ...] = ()
    """Reason groups: rules such as "open_complaint", themes such as "rhythm", or "score"."""
    tier: tuple[str, ...] = ()
    """Tiers of the value at risk: high, middle, low or unknown."""
    segment: tuple[str, ...] = ()
    """Segments; "" is a customer without one."""
    action: str
    """What is done, in words."""
    channel: str
    """call or visit, which take a person's time, or mail, message or letter."""
    owner: str = ""
    """Who does it, or "{column}" for a static column of the customers that names them."""
    due: str
    """Within which time: "4 working hours", "2 working days", "36 hours" or "1 day"."""
    holdout: Switch = True
    """Whether customers may be held out as controls."""

    def playbook(self) -> Playbook:
        """The playbook in the library's terms."""
        return Playbook(**self.model_dump())


class HoldoutSection(Section):
    """Who is left alone, so that it shows what acting does: ``[holdout]``."""

    share: Annotated[Number, Field(ge=0, le=0.5)] = 0.1
    """Share of the treatable customers who get no action."""
    campaign: str = "retention"
    """Name of the campaign; within one, a customer stays in or out."""
    key: str = ""
    """Text under which customers are drawn, or ${NAME} as for logs; by default the campaign's."""

    def holdout(self) -> Holdout:
        """The holdout in the library's terms."""
        return Holdout(**self.model_dump())


Spoken = Annotated[str, AfterValidator(require_language)]


class OutputSection(Section):
    """Where results go: ``[output]``."""

    models: Path = Path("models")
    """Folder of the model bundles."""
    scores: Path = Path("scores")
    """Folder of the scores."""
    ledger: Path = Path("ledger")
    """Folder of the ledger: runs, overrides, outcomes."""
    ledger_url: Url | None = None
    """A PostgreSQL to keep the ledger in instead of a file of its folder; ${NAME} as for logs."""
    csv: Path | None = None
    """A CSV file to write the published scores to as well, safe to open in a spreadsheet."""
    keep_runs: Annotated[int, Field(strict=True, ge=1, le=1_000)] = 3
    """So many of the newest runs of a day are kept."""
    keep_days: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    """Published scores of so many of the newest days are kept; by default of all."""
    reports: Path = Path("reports")
    """Folder of the reports, and of the rows set aside."""
    language: Spoken = "en"
    """Language of the pages and of the exported calls, such as en, fa or ar; what is stored, and
    what the terminal says, is English."""
    calendar: Calendar = "gregorian"
    """The calendar in which pages and exported calls tell days."""
    url: Url | None = None
    """A store to write the scores to as well; ${NAME} as for logs."""
    table: str = "churn_scores"
    """Table of the store for the scores."""
    calls_table: str = "churn_calls"
    """Table of the store for what is to be done."""


def _retraining(rule: str) -> str:
    return retrain_rule(rule).name


RetrainIf = Annotated[
    str,
    AfterValidator(_retraining),
    WithJsonSchema({"type": "string", "pattern": r"^(watch|retrain|age:[1-9]\d{0,3}d)$"}),
]


def _of_the_web(url: str) -> str:
    return url if url.startswith("${") else checked_address(url)


class RunSection(Section):
    """The run of a night, ``churnkit run``: ``[run]``."""

    retrain_if: tuple[RetrainIf, ...] = ()
    """Train anew if the verdict is watch or worse ("watch"), if it is "retrain", or if the newest
    outcome the model learnt from is so old ("age:90d"); by default never."""
    retrain_days: Days = 28
    """Begin no training by itself sooner after the last one than so many days."""
    healthcheck_url: Annotated[str, AfterValidator(_of_the_web)] | None = None
    """Address that is asked for at start (/start), success and failure (/fail), as healthchecks.io
    has it; ${NAME} as for logs. By default nobody is told."""
    metrics_file: Path | None = None
    """File for the textfile collector of Prometheus, such as node_exporter/churnkit.prom."""


class MonitorSection(Section):
    """What is expected of the logs: ``[monitor]``."""

    closed: tuple[date, ...] = ()
    """Days on which the shop is closed: that they hold nothing is no alarm."""


class PrivacySection(Section):
    """What customers are called in all that is written: ``[privacy]``."""

    pseudonymise: Switch = False
    """Call customers by a keyed hash of their id wherever they are kept, shown or written. The key
    comes from the environment (CHURNKIT_PSEUDONYM_KEY) or a file, never from here."""
    key_file: Path | None = None
    """The file that holds the key: 32 characters or more, which other users may not read."""


class EngineSection(Section):
    """What sorts the logs, and what it may use: ``[engine]``."""

    name: EngineName = "duckdb"
    """DuckDB sorts on disk, memory holds everything at once; store lets the SQL store sort."""
    memory_limit: Memory | None = None
    """Memory of the engine, such as "4GB"; what does not fit goes to the spill folder."""
    spill: Path | None = None
    """Folder for what does not fit into memory; by default that for temporary files."""
    master: str = "local[*]"
    """Address of the Spark master."""
    sample: Annotated[int, Field(strict=True, ge=1_000, le=10_000_000)] = 100_000
    """With Spark, train on so many customers at most, drawn in proportion."""


class SecuritySection(Section):
    """What these settings may reach besides the project folder: ``[security]``."""

    folders: tuple[str, ...] = ()
    """Folders outside the project folder into which paths of this file may lead."""
    hosts: tuple[str, ...] | None = None
    """Hosts that its addresses may name, such as "db.shop.example" or "*.shop.example"; by
    default whichever they name."""


def _of_mlflow(address: str) -> str:
    if holds_password(address):
        raise ConfigError(
            "tracking_uri in [mlflow] holds a password (it is not repeated here)",
            "Leave it out, and put the whole address into the environment as MLFLOW_TRACKING_URI, "
            "which counts before this key; or the password as MLFLOW_TRACKING_PASSWORD.",
        )
    return address


class MlflowSection(Section):
    """The registry: ``[mlflow]``."""

    name: ModelId = "churnkit"
    """Name of the registered model; without / and :, and not led by a dot or a space."""
    tracking_uri: Annotated[str, AfterValidator(_of_mlflow)] = ""
    """Address of the tracking server; empty for a store in the models folder."""

"""``churnkit.toml``: one file, read once into frozen settings, written by ``churnkit init``."""

from __future__ import annotations

import difflib
import json
import math
import reprlib
import tomllib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from churnkit.atomic import whole_file
from churnkit.clock import Cutoff, zone_named
from churnkit.dataset import Schedule
from churnkit.errors import ConfigError, did_you_mean
from churnkit.labels import Question
from churnkit.lights import RULE_NAMES, RULES, Policy
from churnkit.logs import (
    DEFAULT_INSTRUMENTS,
    EVENT_KINDS,
    SCHEMAS,
    Contract,
    Instrument,
    LogMapping,
    Logs,
)
from churnkit.registry import Registry
from churnkit.sources import connect, read_logs
from churnkit.sources.files import FileSource
from churnkit.sources.propose import Proposal, propose

FILE_NAME = "churnkit.toml"
_ALLOWED_BY_DEFAULT = 0.05

# Strict, since `true` is not one day. The limits keep every cutoff after the year 1.
Days = Annotated[int, Field(strict=True, ge=1, le=3_650)]
Count = Annotated[int, Field(strict=True, ge=1, le=180)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class QuestionSection(_Section):
    """What is asked: ``[question]``."""

    churn: Literal["no_purchase", "no_activity"] = "no_purchase"
    horizon_days: Days = 90
    lookback_days: Days = 180
    timezone: str = "UTC"


class Scale(_Section):
    """The scale of a survey question: ``[logs.surveys.instruments]``."""

    low: Number
    high: Number
    better: Literal["high", "low"] = "high"


class LogSection(_Section):
    """One log: ``[logs.NAME]``."""

    path: Path
    columns: dict[str, str] = Field(default_factory=dict)
    time_format: str | None = None


class ActivitySection(LogSection):
    """The activity log: ``[logs.activity]``."""

    kinds: dict[str, str] = Field(default_factory=dict)


class SurveysSection(LogSection):
    """The survey log: ``[logs.surveys]``."""

    instruments: dict[str, Scale] = Field(default_factory=dict)


class LogsSection(_Section):
    """The logs: ``[logs]``."""

    purchases: LogSection | None = None
    activity: ActivitySection | None = None
    surveys: SurveysSection | None = None
    customers: LogSection | None = None


class QualitySection(_Section):
    """How much mess is taken: ``[quality]``."""

    max_rejected_share: Number = Field(default=_ALLOWED_BY_DEFAULT, ge=0, le=1)


class TrainingSection(_Section):
    """When is trained and tested: ``[training]``."""

    every_days: Days = 28
    cutoffs: Count = 13
    tests: Count = 2
    until: date | None = None


class LightsSection(_Section):
    """Thresholds and rules: ``[lights]``."""

    yellow: Number = 0.4
    red: Number = 0.7
    rules_off: tuple[str, ...] = ()


class OutputSection(_Section):
    """Where results go: ``[output]``."""

    models: Path = Path("models")
    scores: Path = Path("scores")
    reports: Path = Path("reports")


class MlflowSection(_Section):
    """The registry: ``[mlflow]``."""

    name: str = "churnkit"
    tracking_uri: str = ""


class Settings(_Section):
    """All settings of a project, checked; ``folder`` is where relative paths begin."""

    question: QuestionSection = QuestionSection()
    logs: LogsSection
    quality: QualitySection = QualitySection()
    training: TrainingSection = TrainingSection()
    lights: LightsSection = LightsSection()
    output: OutputSection = OutputSection()
    mlflow: MlflowSection = MlflowSection()
    folder: Path = Field(Path(), exclude=True)

    def asked(self) -> Question:
        """The question in the library's terms."""
        section = self.question
        return Question(section.churn, section.horizon_days, section.lookback_days)

    def schedule(self) -> Schedule:
        """When is trained and tested."""
        section = self.training
        until = self.cutoff(section.until) if section.until else None
        return Schedule(section.every_days, section.cutoffs, section.tests, until)

    def policy(self) -> Policy:
        """Thresholds and the rules that are on."""
        off = self.lights.rules_off
        unknown = [name for name in off if name not in RULE_NAMES]
        if unknown:
            raise ConfigError(
                f"[lights] rules_off names a rule that does not exist: {unknown[0]!r}",
                f"The rules are {', '.join(RULE_NAMES)}.",
            )
        rules = tuple(rule for rule in RULES if rule.name not in off)
        return Policy(self.lights.yellow, self.lights.red, rules)

    def registry(self) -> Registry:
        """The MLflow registry."""
        return Registry(self.models, self.mlflow.name, self.mlflow.tracking_uri)

    def contract(self, max_rejected_share: float | None = None) -> Contract:
        """Mappings, scales and limits; the limit can be replaced, to look at a broken log."""
        limit = (
            self.quality.max_rejected_share if max_rejected_share is None else max_rejected_share
        )
        surveys, activity = self.logs.surveys, self.logs.activity
        scales = surveys.instruments if surveys else {}
        return Contract(
            mappings={n: LogMapping(s.columns, s.time_format) for n, s in self._sections()},
            kinds=activity.kinds if activity else {},
            instruments=tuple(
                Instrument(name, scale.low, scale.high, scale.better)
                for name, scale in scales.items()
            )
            or DEFAULT_INSTRUMENTS,
            zone=self.question.timezone,
            max_rejected_share=limit,
        )

    def read_logs(self, max_rejected_share: float | None = None) -> Logs:
        """Read and check the logs.

        Raises
        ------
        DataError
            If a file is missing or breaks the contract.
        """
        paths = {name: self.folder / section.path for name, section in self._sections()}
        return read_logs(**paths, contract=self.contract(max_rejected_share))

    def cutoff(self, day: str | date) -> Cutoff:
        """The start of a day in the business zone."""
        return Cutoff.parse(day, self.question.timezone)

    @property
    def models(self) -> Path:
        """Folder of the model bundles and the local registry."""
        return self.folder / self.output.models

    def scores_path(self, as_of: Cutoff) -> Path:
        """Default file of the scores of a cutoff."""
        return self.folder / self.output.scores / f"scores-{as_of}.parquet"

    def report_path(self, as_of: Cutoff) -> Path:
        """Default file of the report of a cutoff."""
        return self.folder / self.output.reports / f"report-{as_of}.html"

    def _sections(self) -> Iterator[tuple[str, LogSection]]:
        for name in SCHEMAS:
            section = getattr(self.logs, name)
            if section is not None:
                yield name, section


def load_settings(path: Path) -> Settings:
    """Read ``churnkit.toml``.

    Raises
    ------
    ConfigError
        If the file is missing, is no TOML, or holds an unknown key or an impossible value.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file", "Run churnkit init --purchases FILE to write one."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: {error}", "Mend the line; the file must be TOML.") from error
    if "folder" in told:  # a field of Settings, but none of the file
        raise ConfigError(*_unknown_key(f"{path}: 'folder'", "folder", []))
    try:
        settings = Settings(**told, folder=path.parent)
    except ValidationError as error:
        raise ConfigError(*_first_fault(path, error)) from error
    zone_named(settings.question.timezone)
    _require_known_columns(path, settings)
    settings.policy()
    _require_scales(path, settings)
    _require_no_mistyped_kind(path, settings)
    return settings


def _first_fault(path: Path, error: ValidationError) -> tuple[str, str]:
    faults = error.errors()
    # A key that is missing may be there under the unknown one, so that is told first.
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    *section, key = [str(part) for part in fault["loc"]]
    where = f"{path}: {key!r} in [{'.'.join(section)}]" if section else f"{path}: {key!r}"
    if fault["type"] == "extra_forbidden":
        return _unknown_key(where, key, section)
    if fault["type"] == "missing":
        return f"{where} is missing", "Add it; churnkit init writes a whole file."
    return f"{where} = {reprlib.repr(fault['input'])}: {fault['msg']}", "Mend the value."


def _unknown_key(where: str, key: str, section: Sequence[str]) -> tuple[str, str]:
    known = list(_fields(section))
    return (
        f"{where} is an unknown key",
        f"{did_you_mean(key, known)}Known here: {', '.join(known)}.",
    )


def _fields(section: Sequence[str]) -> Iterator[str]:
    """Keys known in a section of the file."""
    model: Any = Settings
    for part in section:
        found = model.model_fields[part].annotation if part in model.model_fields else None
        options = [found, *getattr(found, "__args__", ())]
        model = next(
            (o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), Scale
        )
    return (name for name in model.model_fields if name != "folder")


def _require_known_columns(path: Path, settings: Settings) -> None:
    for log, section in settings._sections():
        known = [column.name for column in SCHEMAS[log].columns]
        unknown = [name for name in section.columns if name not in known]
        if unknown:
            raise ConfigError(
                f"{path}: {unknown[0]!r} in [logs.{log}.columns] is no column of the contract",
                f"{did_you_mean(unknown[0], known)}The {log} log knows {', '.join(known)}; "
                'write contract_name = "source name".',
            )


def _require_scales(path: Path, settings: Settings) -> None:
    try:
        instruments = settings.contract().instruments
    except ValueError as error:
        raise ConfigError(
            f"{path}: [logs.surveys.instruments] {error}", "Set low < high."
        ) from error
    names = [instrument.name for instrument in instruments]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ConfigError(
            f"{path}: {twice[0]!r} stands twice in [logs.surveys.instruments]",
            "Keep one; upper and lower case are the same.",
        )


def _require_no_mistyped_kind(path: Path, settings: Settings) -> None:
    # A kind of the user's own is welcome; one that nearly is a known kind would be lost on rules.
    kinds = settings.logs.activity.kinds.values() if settings.logs.activity else ()
    for kind in sorted({kind.strip().lower() for kind in kinds} - EVENT_KINDS.keys()):
        near = difflib.get_close_matches(kind, EVENT_KINDS, n=1, cutoff=0.85)
        if near:
            raise ConfigError(
                f"{path}: {kind!r} in [logs.activity.kinds] is no kind of event",
                f"Did you mean {near[0]!r}? For a kind of your own take a name less alike.",
            )


def write_config(
    path: Path,
    files: dict[str, Path],
    question: QuestionSection,
    *,
    force: bool = False,
) -> list[Proposal]:
    """Look at the files of the logs and write a commented ``churnkit.toml``.

    Parameters
    ----------
    path
        File to write.
    files
        Log name → file.
    question
        What is asked.
    force
        Overwrite an existing file.

    Returns
    -------
    list of Proposal
        How each file will be read.

    Raises
    ------
    ConfigError
        If the file exists and ``force`` is not set, or no log of the question is given.
    DataError
        If a file cannot be read or a required column is not recognised.
    """
    if path.exists() and not force:
        raise ConfigError(f"{path} exists already", "Add --force to replace it.")
    needed = Question(question.churn).log
    if needed not in files:
        raise ConfigError(
            f"churn = {question.churn!r} needs a {needed} log",
            f"Add --{needed} FILE, or choose another --churn.",
        )
    zone_named(question.timezone)
    with connect() as con:
        proposals = [propose(con, log, FileSource(file)) for log, file in files.items()]
    text = "\n".join(_rendered(path.resolve().parent, proposals, question))
    with whole_file(path) as aside:
        aside.write_text(text, encoding="utf-8")
    return proposals


def _rendered(
    folder: Path, proposals: Sequence[Proposal], question: QuestionSection
) -> Iterator[str]:
    yield "# How churnkit reads your logs and what it is asked. Relative paths begin here."
    yield ""
    yield "[question]"
    yield f'churn = {_toml(question.churn)}  # or "no_activity" / "no_purchase"'
    yield f"horizon_days = {question.horizon_days}  # churned: no sign of life for so long"
    yield f"lookback_days = {question.lookback_days}  # at risk: a sign of life so recently"
    yield f"timezone = {_toml(question.timezone)}  # naive times are in it, and days begin in it"
    for proposal in proposals:
        yield ""
        yield from _log_section(folder, proposal)
    yield ""
    yield "[quality]"
    yield from _quality(proposals)
    yield ""
    yield from _DEFAULTS.splitlines()


def _log_section(folder: Path, proposal: Proposal) -> Iterator[str]:
    yield f"[logs.{proposal.log}]  # {SCHEMAS[proposal.log].says}"
    yield f"path = {_toml(_relative(proposal.source.path, folder))}"
    if proposal.time_format:
        yield f"time_format = {_toml(proposal.time_format)}"
    yield from (f"# Undecided: {note}." for note in proposal.notes)
    yield f"[logs.{proposal.log}.columns]"
    for name, source in proposal.columns.items():
        yield f"{name} = {_toml(source)}  # {SCHEMAS[proposal.log].column(name).says}"
    if proposal.unused:
        yield f"# Not used: {', '.join(map(repr, proposal.unused))}."
    if proposal.kinds:
        yield f"[logs.{proposal.log}.kinds]  # your event = what churnkit understands by it"
        yield from (f"{_toml(event)} = {_toml(kind)}" for event, kind in proposal.kinds.items())
    if proposal.instruments:
        yield f"[logs.{proposal.log}.instruments]  # check the scales"
        for scale in proposal.instruments:
            yield (
                f"{_toml(scale.name)} = {{ low = {scale.low:.15g}, high = {scale.high:.15g}, "
                f"better = {_toml(scale.better)} }}"
            )


def _quality(proposals: Sequence[Proposal]) -> Iterator[str]:
    missing = max(proposal.missing_customer for proposal in proposals)
    limit = _ALLOWED_BY_DEFAULT
    if missing > limit / 2:
        limit = min(math.ceil(missing * 30) / 20, 1.0)
        yield f"# {missing:.1%} of the first rows have no customer; they are set aside and counted."
    yield f"max_rejected_share = {limit:g}  # more faulty rows than this stop the run"


_DEFAULTS = """\
[training]
every_days = 28  # days between training cutoffs
cutoffs = 13  # at most so many
tests = 2  # later cutoffs to test on; the last one is reported
# until = 2024-12-31  # the day on which the log ends for training; by default its last day

[lights]
yellow = 0.4  # lower edges, inclusive
red = 0.7
rules_off = []  # for example ["silent_30d"]

[output]
models = "models"
scores = "scores"
reports = "reports"

[mlflow]
name = "churnkit"
tracking_uri = ""  # empty: a local store in the models folder
"""


def _relative(path: Path, folder: Path) -> str:
    whole = path.resolve()
    return str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

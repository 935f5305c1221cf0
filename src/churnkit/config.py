"""``churnkit.toml``: one file, read once into frozen settings, written by ``churnkit init``."""

from __future__ import annotations

import difflib
import hashlib
import reprlib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from churnkit.actions import Actions, Playbooks
from churnkit.clock import Cutoff, zone_named
from churnkit.dataset import Recipe, Schedule
from churnkit.engines.store import store_logs
from churnkit.errors import ConfigError, did_you_mean
from churnkit.features import CATALOGUE
from churnkit.features.own import load_own
from churnkit.features.windows import Window
from churnkit.forgetting import read_suppression
from churnkit.labels import Question
from churnkit.language import Language, language_named
from churnkit.ledger import Ledger
from churnkit.lights import RULE_NAMES, TrafficLight
from churnkit.logs import (
    DEFAULT_INSTRUMENTS,
    EVENT_KINDS,
    SCHEMAS,
    Contract,
    CustomerLogs,
    Instrument,
    LogMapping,
    Logs,
    kind_named,
)
from churnkit.older_settings import VERSION, up_to_date
from churnkit.places import named_files, named_hosts
from churnkit.pseudonyms import (
    FINGERPRINT,
    Pseudonyms,
    is_pseudonym,
    key_there,
    read_pseudonyms,
    require_same,
)
from churnkit.publishing import ScoreStore
from churnkit.reach import Reach
from churnkit.registry import Registry
from churnkit.sections import (
    CallsSection,
    EngineSection,
    FeaturesSection,
    HoldoutSection,
    LightsSection,
    LogsSection,
    MlflowSection,
    ModelSection,
    MoneySection,
    MonitorSection,
    OutputSection,
    PlaybookSection,
    PrivacySection,
    QualitySection,
    QuestionSection,
    RunSection,
    Scale,
    Section,
    SecuritySection,
    TrainingSection,
)
from churnkit.sources import FileSource, Source, SqlSource, open_logs, read_logs
from churnkit.sources.naming import id_as_read
from churnkit.sources.stores.address import Address

FILE_NAME = "churnkit.toml"
# In the places that pydantic tells, the types of a key that takes several.
_UNION_PARTS = {
    "path": {"str", "list[str]"},
    "every": {"constrained-int", "literal['week','month']"},
}
_LONG_NUMBER = 10  # digits
_NOT_OF_THE_FILE = ("folder", "sha256")  # fields of Settings


class Settings(Section):
    """All settings of a project, checked.

    ``folder`` is where relative paths begin, ``sha256`` that of the file.
    """

    version: Literal[1] = VERSION
    """Of the keys of this file; a file without it is read as it was meant when there was none."""
    question: QuestionSection = QuestionSection()
    logs: LogsSection
    quality: QualitySection = QualitySection()
    features: FeaturesSection = FeaturesSection()
    training: TrainingSection = TrainingSection()
    model: ModelSection = ModelSection()
    lights: LightsSection = LightsSection()
    money: MoneySection = MoneySection()
    calls: CallsSection = CallsSection()
    playbooks: tuple[PlaybookSection, ...] = ()
    holdout: HoldoutSection = HoldoutSection()
    output: OutputSection = OutputSection()
    run: RunSection = RunSection()
    monitor: MonitorSection = MonitorSection()
    privacy: PrivacySection = PrivacySection()
    engine: EngineSection = EngineSection()
    mlflow: MlflowSection = MlflowSection()
    security: SecuritySection = SecuritySection()
    folder: Path = Field(Path(), exclude=True)
    sha256: str = Field("", exclude=True)

    def asked(self) -> Question:
        """The question in the library's terms."""
        section = self.question
        kinds = self.logs.activity.kinds if self.logs.activity else {}
        events = tuple(kind_named(event, kinds) for event in section.events)
        return Question(section.churn, section.horizon_days, section.lookback_days, events)

    def schedule(self) -> Schedule:
        """When is trained and tested."""
        section = self.training
        until = self.cutoff(section.until) if section.until else None
        return Schedule(section.every, section.cutoffs, section.tests, until)

    def recipe(self) -> Recipe:
        """How models are made."""
        return self.model.recipe(self.windows)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows of the features; ``None``, all time, comes last."""
        return (*self.features.windows, None)

    def load_features(self) -> None:
        """Make the features of the project's own file known, and of no other.

        Raises
        ------
        ConfigError
            If the file is missing, is no Python, fails, or declares no feature.
        """
        load_own(*() if self.features.file is None else (self.folder / self.features.file,))

    def light(self) -> TrafficLight:
        """The policy of the lights, and the rules that are on.

        Raises
        ------
        ConfigError
            If thresholds are out of order, or a rule names what does not exist, can never fire or
            contradicts another.
        """
        off = self.lights.rules_off
        unknown = [name for name in off if name not in RULE_NAMES]
        if unknown:
            raise ConfigError(
                f"[lights] rules_off names a rule that does not exist: {unknown[0]!r}",
                f"The rules are {', '.join(RULE_NAMES)}.",
            )
        return self.lights.light(self.money.amounts(), self.calls.per_week)

    def actions(self) -> Actions:
        """Playbooks, tiers, working week, capacity and holdout.

        Themes of the project's own features are known once `load_features` has run.

        Raises
        ------
        ConfigError
            If a playbook names what does not exist, leaves customers without one or can never be
            reached, takes its owner from no static column, or a quota has no playbook.
        """
        own = [section.playbook() for section in self.playbooks]
        shipped = self.calls.shipped_playbooks
        playbooks = Playbooks.of(own, self._reason_groups(), shipped=shipped)
        static = self.logs.customers.static if self.logs.customers else ()
        for column in playbooks.columns:
            if column not in static:
                raise ConfigError(
                    f"[[playbooks]] takes an owner from {column!r}, which is no static column",
                    f"{did_you_mean(column, static)}Name it in static of [logs.customers].",
                )
        if self.calls.segment and self.calls.segment not in static:
            raise ConfigError(
                f"[calls] segment = {self.calls.segment!r} is no static column",
                f"{did_you_mean(self.calls.segment, static)}Name it in static of [logs.customers].",
            )
        named = sorted({s for p in playbooks.entries for s in p.segment if s})
        if named and not self.calls.segment:
            raise ConfigError(
                f"[[playbooks]] names the segment {named[0]!r}, and nothing tells the segments",
                'Name their static column in [calls], such as segment = "segment".',
            )
        calls, tiers, week = self.calls.calls(), self.calls.tiers(), self.calls.week()
        return Actions(playbooks, tiers, week, calls, self.holdout.holdout())

    def _reason_groups(self) -> set[str]:
        """What the strongest known cause of a customer's colour may be called."""
        kinds = self.logs.activity.kinds.values() if self.logs.activity else ()
        scales = {instrument.name for instrument in self.declared().instruments}
        rules = (rule.name for rule in self.light().rules)
        themes = {f.theme for f in CATALOGUE.values() if "{" not in f.theme}
        return {"score", *RULE_NAMES, *rules, *themes, *scales, *EVENT_KINDS, *kinds}

    def registry(self) -> Registry:
        """The MLflow registry."""
        return Registry(self.models, self.mlflow.name, self.mlflow.tracking_uri)

    def contract(self) -> Contract:
        """Mappings, scales and limits, what customers are called, and who is left out.

        Raises
        ------
        ConfigError
            If customers have pseudonyms, and the key is missing or unfit.
        DataError
            If the list of those who were forgotten is damaged.
        """
        left_out = read_suppression(self.ledger)
        return replace(self.declared(), pseudonyms=self.pseudonyms(), suppression=left_out)

    def pseudonyms(self) -> Pseudonyms | None:
        """What customers are called in place of their ids; ``None`` where they keep them.

        Raises
        ------
        ConfigError
            As `contract`.
        """
        return read_pseudonyms(self._key_file) if self.privacy.pseudonymise else None

    @property
    def _key_file(self) -> Path | None:
        file = self.privacy.key_file
        return None if file is None else self.folder / file

    def told_pseudonyms(self) -> dict[str, str]:
        """What a published run tells of pseudonyms: the fingerprint of their key, if there are."""
        found = self.pseudonyms()
        return {} if found is None else {FINGERPRINT: found.fingerprint}

    def called(self) -> Callable[[str], str]:
        """What all that was written calls the customer of an id that is read as the logs are.

        With pseudonyms that is the one of the id, or the text itself if it is one; else the id.

        Raises
        ------
        ConfigError
            If the key is not that of the ledger; by the function, if it gets an id and no key is
            at hand.
        """
        if not self.privacy.pseudonymise:
            return str
        names = self.require_same_key() if key_there(self._key_file) else None

        def call(customer: str) -> str:
            if is_pseudonym(customer):
                return customer
            if names is None:
                raise ConfigError(
                    "a customer is given by an id, and the key of the pseudonyms is not at hand",
                    "Give the pseudonym, as it stands in the scores, or the key (see "
                    "docs/how-to/pseudonyms.md).",
                )
            return names.of(customer)

        return call

    def customer_named(self, text: str) -> str:
        """What all that was written calls the customer of an id that somebody typed; see `called`.

        Without pseudonyms it is the text as it is.
        """
        if not self.privacy.pseudonymise or is_pseudonym(text):
            return text
        return self.called()(id_as_read(text, self.ids_mapping()))

    def ids_mapping(self) -> LogMapping:
        """How ids are read that stand in no log: as in the purchases, or else the activity."""
        mappings = self.declared().mappings
        known = next((mappings[log] for log in ("purchases", "activity") if log in mappings), None)
        if known is None:
            return LogMapping()
        return LogMapping(fold_ids=known.fold_ids, calendar=known.calendar, decimal=known.decimal)

    def require_same_key(self) -> Pseudonyms | None:
        """What customers are called, if that is what the ledger calls them.

        Raises
        ------
        ConfigError
            If the ledger was kept with another key, or has ids where there are to be pseudonyms,
            or the other way round; then all customers would be taken for new ones.
        """
        names, ledger = self.pseudonyms(), self.open_ledger()
        require_same(ledger.key_of_pseudonyms(), names, ledger.says)
        return names

    def declared(self) -> Contract:
        """The same as `contract` without what customers are called, for which no key is needed."""
        surveys, activity = self.logs.surveys, self.logs.activity
        scales = surveys.instruments if surveys else {}
        return Contract(
            mappings={name: section.mapping() for name, section in self.logs.given().items()},
            kinds=activity.kinds if activity else {},
            instruments=tuple(
                Instrument(name, scale.low, scale.high, scale.better, scale.source)
                for name, scale in scales.items()
            )
            or DEFAULT_INSTRUMENTS,
            zone=self.question.timezone,
            max_rejected_share=self.quality.max_rejected_share,
        )

    def read_logs(self) -> Logs:
        """Read and check the logs.

        Raises
        ------
        DataError
            If a file is missing or breaks the contract.
        """
        return read_logs(
            **self.sources(),
            contract=self.contract(),
            memory_limit=self.engine.memory_limit,
        )

    @contextmanager
    def open_logs(self) -> Iterator[CustomerLogs]:
        """The checked logs of the engine of the settings, as long as the context lasts.

        Raises
        ------
        DataError
            If a file is missing or breaks the contract.
        ConfigError
            If the spill folder cannot be written, or the engine does not sort logs.
        """
        if self.engine.name == "spark":
            raise ConfigError(
                "Spark builds features, trains and scores, and nothing else",
                "For all else take another engine in [engine].",
            )
        if self.privacy.pseudonymise:
            self.require_same_key()
        if self.engine.name == "memory":
            yield self.read_logs()
            return
        room: dict[str, Any] = {
            "contract": self.contract(),
            "memory_limit": self.engine.memory_limit,
            "spill": None if self.engine.spill is None else self.folder / self.engine.spill,
        }
        if self.engine.name == "store":
            opened = store_logs(self._tables(), **room)
        else:
            opened = open_logs(**dict[str, Any](self.sources()), **room)
        with opened as logs:
            yield logs

    def _tables(self) -> dict[str, SqlSource]:
        """Log name → table or query, if all logs are read from stores."""
        tables = {}
        for log, source in self.sources().items():
            if not isinstance(source, SqlSource):
                raise ConfigError(
                    f"the engine is store, and the {log} log is read from {source.name}",
                    f'Name a url and a table in [logs.{log}], or take name = "duckdb" in [engine].',
                )
            tables[log] = source
        return tables

    def sources(self) -> dict[str, Source]:
        """Log name → where its rows come from."""
        reach = self.reach()
        return {name: log.source(self.folder, reach) for name, log in self.logs.given().items()}

    def reach(self) -> Reach:
        """What these settings may name.

        Raises
        ------
        ConfigError
            If they widen the bounds that the environment sets.
        """
        return Reach.of(self.folder, self.security.folders, self.security.hosts)

    def require_no_input(self, path: Path) -> None:
        """Refuse to write over what is read, logs and the settings themselves, or over a folder.

        Raises
        ------
        ConfigError
            If the path is a file of a log of this project, the database of one, its settings, or a
            folder.
        """
        if path.is_dir():
            raise ConfigError(f"{path} is a folder", "Name a file in it.")
        files = (file for source in self.sources().values() for file in _files_of(source))
        if path.resolve() in {file.resolve() for file in files}:
            raise ConfigError(f"{path} is a log of this project", "Write to another file.")
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256:
            raise ConfigError(f"{path} holds the settings of this project", "Write to another.")

    def cutoff(self, day: str | date) -> Cutoff:
        """The start of a day in the business zone."""
        return Cutoff.parse(day, self.question.timezone)

    @property
    def models(self) -> Path:
        """Folder of the model bundles and the local registry."""
        return self.folder / self.output.models

    @property
    def ledger(self) -> Path:
        """Folder of the ledger."""
        return self.folder / self.output.ledger

    def open_ledger(self) -> Ledger:
        """The ledger, where the settings keep it."""
        url = self.output.ledger_url
        return Ledger(self.ledger, None if url is None else str(url))

    def score_store(self) -> ScoreStore:
        """The published scores."""
        return ScoreStore(self.folder / self.output.scores)

    @property
    def outcomes(self) -> Path:
        """Folder of the recorded outcomes."""
        return self.ledger / "outcomes"

    def spoken(self, code: str | None = None) -> Language:
        """The language of the pages, in the calendar of the settings; or another one by its code.

        Raises
        ------
        ConfigError
            If there is no such language.
        """
        return language_named(code or self.output.language, self.output.calendar)

    def report_path(self, as_of: Cutoff) -> Path:
        """Default file of the report of a cutoff."""
        return self.folder / self.output.reports / f"report-{as_of}.html"


def _files_of(source: Source) -> list[Path]:
    if isinstance(source, FileSource):
        return source.files()
    if not isinstance(source, SqlSource):
        return []
    address = Address.parse(source.url).filled()
    return [Path(address.database)] if address.is_file else []


def load_settings(path: Path) -> Settings:
    """Read ``churnkit.toml``.

    Raises
    ------
    ConfigError
        If the file is missing, is no TOML, was made by a newer churnkit, or holds an unknown key or
        an impossible value.

    Warns
    -----
    OldFormat
        If it was written for an older churnkit and has something where it was then.
    """
    try:
        content = path.read_bytes()
        told = tomllib.loads(content.decode("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file", "Run churnkit init --purchases FILE to write one."
        ) from error
    except (OSError, RecursionError, ValueError) as error:  # a number may be too long for Python
        raise ConfigError(f"{path}: {error}", "Mend the line; the file must be TOML.") from error
    for name in _NOT_OF_THE_FILE:
        if name in told:
            raise ConfigError(*_unknown_key(f"{path}: {name!r}", name, []))
    try:
        digest = hashlib.sha256(content).hexdigest()
        settings = Settings(**up_to_date(told, path), folder=path.parent, sha256=digest)
    except ValidationError as error:
        raise ConfigError(*_first_fault(path, error)) from error
    zone_named(settings.question.timezone)
    _require_known_columns(path, settings)
    _require_question(path, settings)
    settings.light()
    _require_scales(path, settings)
    _require_kinds(path, settings)
    _require_actions(path, settings)
    _require_reach(path, settings)
    return settings


def json_schema() -> dict[str, Any]:
    """JSON Schema of ``churnkit.toml``, for editors that complete and check what is typed."""
    told = Settings.model_json_schema()
    for name in _NOT_OF_THE_FILE:
        del told["properties"][name]
    told["title"] = FILE_NAME
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **told}


def _first_fault(path: Path, error: ValidationError) -> tuple[str, str]:
    faults = error.errors()
    # A key that is missing may be there under the unknown one, so that is told first.
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    *section, key = place = list(_keys(fault["loc"]))
    if fault["type"] == "value_error":
        name = ".".join([*section, key])
        return f"{path}: [{name}] {fault['ctx']['error']}", "docs/settings.md tells every key."
    where = f"{path}: {key!r} in {_table(section)}" if section else f"{path}: {key!r}"
    if fault["type"] == "extra_forbidden":
        return _unknown_key(where, key, section)
    if fault["type"] == "missing":
        return f"{where} is missing", "Add it; churnkit init writes a whole file."
    # An address may hold a password, which no message repeats.
    hidden = "://" in str(fault["input"])
    given = "an address" if hidden else reprlib.repr(fault["input"])
    # A key that takes several types has a fault for each.
    said = "; or: ".join(f["msg"] for f in faults if list(_keys(f["loc"])) == place)
    return f"{where} = {given}: {said}", "Mend the value."


def _table(section: Sequence[str]) -> str:
    """A table as it is written in the file; of a list of them, the how many-th."""
    *above, last = section
    if last.isdecimal() and len(last) < _LONG_NUMBER:  # not the name of a survey
        return f"[[{'.'.join(above)}]] no. {int(last) + 1}"
    return f"[{'.'.join(section)}]"


def _keys(place: Sequence[str | int]) -> Iterator[str]:
    """The keys of the file that lead to a place; what follows a path may be its type."""
    for before, part in zip((None, *place), place, strict=False):
        if part not in _UNION_PARTS.get(str(before), ()):
            yield str(part)


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
        if part.isdecimal():
            continue  # the number of a table in a list of them
        found = model.model_fields[part].annotation if part in model.model_fields else None
        options = [found, *getattr(found, "__args__", ())]
        model = next(
            (o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), Scale
        )
    return (name for name in model.model_fields if name not in _NOT_OF_THE_FILE)


def _require_reach(path: Path, settings: Settings) -> None:
    """Refuse paths and addresses out of reach before anything is opened."""
    try:
        reach = settings.reach()
        for named, file in named_files(settings, settings.folder):
            reach.require_path(file, named)
        for named, host in named_hosts(settings) if reach.bounds_hosts else ():
            reach.require_host(host, named)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.found}", error.mend) from error


def _require_known_columns(path: Path, settings: Settings) -> None:
    for log, section in settings.logs.given().items():
        known = [column.name for column in SCHEMAS[log].columns]
        unknown = [name for name in section.columns if name not in known]
        if unknown:
            raise ConfigError(
                f"{path}: {unknown[0]!r} in [logs.{log}.columns] is no column of the contract",
                f"{did_you_mean(unknown[0], known)}The {log} log knows {', '.join(known)}; "
                'write contract_name = "source name".',
            )


def _require_question(path: Path, settings: Settings) -> None:
    try:
        settings.asked()
    except ConfigError as error:
        raise ConfigError(f"{path}: [question] {error.found}", error.mend) from error
    if settings.recipe().asks_for_hazard and settings.question.churn == "event":
        raise ConfigError(
            f"{path}: [model] asks for the hazard, and churn is an event: no silence ends",
            'Leave hazard = true or use = "hazard" out.',
        )


def _require_actions(path: Path, settings: Settings) -> None:
    if settings.features.file is not None:
        return  # only its features tell which themes there are
    try:
        settings.actions()
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.found}", error.mend) from error


def _require_scales(path: Path, settings: Settings) -> None:
    try:
        instruments = settings.declared().instruments
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


def _require_kinds(path: Path, settings: Settings) -> None:
    told = settings.logs.activity.kinds if settings.logs.activity else {}
    nameless = [event for event, kind in told.items() if not kind.strip()]
    if nameless:
        raise ConfigError(
            f"{path}: {nameless[0]!r} in [logs.activity.kinds] has no kind",
            "Name one, or remove the line to count the event under its own name.",
        )
    _require_no_mistyped_kind(path, told.values())


def _require_no_mistyped_kind(path: Path, kinds: Iterable[str]) -> None:
    # A kind of the user's own is welcome; one that nearly is a known kind would be lost on rules.
    for kind in sorted({kind.strip().lower() for kind in kinds} - EVENT_KINDS.keys()):
        near = difflib.get_close_matches(kind, EVENT_KINDS, n=1, cutoff=0.85)
        if near:
            raise ConfigError(
                f"{path}: {kind!r} in [logs.activity.kinds] is no kind of event",
                f"Did you mean {near[0]!r}? For a kind of your own take a name less alike.",
            )

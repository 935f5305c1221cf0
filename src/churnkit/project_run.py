"""The whole night of a project, in order: what is done, what is kept, and who is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from churnkit import __version__
from churnkit.atomic import whole_file
from churnkit.clock import Cutoff, has_come
from churnkit.config import Settings
from churnkit.errors import ChurnkitError, ConfigError, DataError, GateRefused, NothingToDo
from churnkit.forgetting import FOLDER, LIST
from churnkit.nightly import (
    Decisions,
    Journal,
    Made,
    Night,
    Ran,
    RetrainRule,
    Step,
    Tell,
    alone,
    checked_address,
    metrics_text,
    ping,
    retrain_rule,
    run_night,
)
from churnkit.nightly.journal import FAILED, content_digest, digest_of, file_digest
from churnkit.progress import Progress, saying, silent
from churnkit.project import Checkup, check_project, score_project, train_project
from churnkit.project_kpi import kpi_project
from churnkit.project_monitor import monitor_project
from churnkit.project_outcomes import export_calls
from churnkit.project_report import report_project
from churnkit.project_retrain import Champion, Retraining, model_named
from churnkit.release import champion
from churnkit.report.night import night_summary, read_values, write_night, write_values
from churnkit.sources import FileSource
from churnkit.sources.stores.address import secret

_NAME = re.compile(r"\$\{(\w+)\}")
_RETRAIN, _REPORT = "retrain", "report"
_CHECK, _SCORE, _CALLS, _KPI, _MONITOR = "check", "score", "calls", "kpi", "monitor"
_LOOKED = {"kpis": _KPI, "watch": _MONITOR}


def _nobody(event: str, **told: Any) -> None:
    """Tells nobody."""


def _champion(settings: Settings) -> tuple[str, Mapping[str, Any]]:
    model, card, _ = champion(settings.models, settings.registry())
    return model.version, card


def _published(settings: Settings) -> Sequence[str]:
    return settings.score_store().days()


@dataclass(frozen=True)
class Work:
    """What does each step; the steps of the project, unless a test has cheaper ones."""

    check: Callable[..., Checkup] = check_project
    score: Callable[..., dict[str, Any]] = score_project
    calls: Callable[..., dict[str, Any]] = export_calls
    kpi: Callable[..., dict[str, Any]] = kpi_project
    monitor: Callable[..., dict[str, Any]] = monitor_project
    report: Callable[..., dict[str, Any]] = report_project
    train: Callable[..., Any] = train_project
    champion: Champion = _champion
    days: Callable[[Settings], Sequence[str]] = _published


@dataclass(frozen=True)
class NightRun:
    """A night as it ended.

    Attributes
    ----------
    night
        What became of its steps.
    summary
        JSON-ready values: ``as_of``, ``success``, ``exit_code``, ``failed`` (the step, or
        ``None``), ``says`` (why, or that nothing was to be done), ``steps`` (see
        `churnkit.nightly.Ran.shown`), ``lights``, ``verdict``, ``reason``, ``model``, ``calls``,
        ``decisions`` (of this day, see `churnkit.nightly.Decisions`), ``paths``, ``warnings``
        (of the scores, also if they were kept, and of whoever could not be told) and ``journal``.
    """

    night: Night
    summary: dict[str, Any]

    def require_done(self) -> None:
        """Raise what stopped the night, or `NothingToDo`; see `Night.require_done`."""
        self.night.require_done()


def run_project(
    settings: Settings,
    as_of: Cutoff,
    *,
    force: bool = False,
    backfill: bool = False,
    retrain_if: Sequence[str] = (),
    progress: Progress = silent,
    tell: Tell = _nobody,
    work: Work = Work(),
) -> NightRun:
    """Check, score, write call lists, measure, monitor, perhaps train anew, and report.

    What an earlier run of the day has done, and is as it was, is not done again; nothing is
    published for a day that is earlier than the newest unless it is asked for.

    Parameters
    ----------
    settings
        The project.
    as_of
        The start of a day.
    force
        Do everything anew.
    backfill
        Allow a day before the newest published one. No model is trained then.
    retrain_if
        Rules beside those of the settings; see `churnkit.nightly.retrain_rule`.
    progress, tell
        Told what is being done, for people and for programs.
    work
        What does the steps.

    Returns
    -------
    NightRun
        Also if a step failed; `NightRun.require_done` raises its error.

    Raises
    ------
    Busy
        If another run is at work in the ledger of the project.
    ConfigError
        If the day is no start of a day or earlier than the newest, a rule is none, or the ledger
        cannot be written to.
    """
    if as_of != settings.cutoff(as_of.local.date()):
        raise ConfigError(
            f"a night belongs to a whole day, and {as_of} is a moment within one",
            f"Write --as-of {as_of.local.date()}.",
        )
    rules = _rules(settings, retrain_if)
    told = _Told(settings, as_of, tell, [])
    with alone(settings.ledger):
        told.ping("start")
        try:
            days = [settings.cutoff(day) for day in work.days(settings)]
            if not backfill:
                _require_forward(as_of, days)
            steps = _Steps(settings, as_of, rules, days, work, progress, told.tell, force)
            night = run_night(
                str(as_of),
                list(steps.all(retrain=bool(rules) and not backfill)),
                steps.journal,
                force=force,
                tell=told.tell,
            )
            summary = _summary(night, steps.journal, Decisions(settings.ledger))
            told.measure(night, summary)
        except BaseException:  # whoever waits for the success must not wait in vain
            told.ping("fail")
            raise
        told.ping("" if night.success else "fail")
    told.tell("finished", exit_code=summary["exit_code"], message=summary["says"])
    return NightRun(night, {**summary, "warnings": [*summary["warnings"], *told.warnings]})


def _rules(settings: Settings, more: Sequence[str]) -> tuple[RetrainRule, ...]:
    return tuple(retrain_rule(text) for text in dict.fromkeys([*settings.run.retrain_if, *more]))


def _require_forward(as_of: Cutoff, days: Sequence[Cutoff]) -> None:
    """Refuse to publish for a day that later ones stand on."""
    newest = max(days, default=as_of)
    if not has_come(newest, as_of):
        raise ConfigError(
            f"{as_of} is earlier than {newest}, the newest day that is published",
            "Perhaps the clock of the scheduler went backwards. To fill in an earlier day on "
            "purpose, add --backfill.",
        )


@dataclass(frozen=True)
class _Told:
    """Those who are told of a night: programs, the watchdog, the metrics; none may stop it."""

    settings: Settings
    as_of: Cutoff
    also: Tell
    warnings: list[str]

    def tell(self, event: str, **told: Any) -> None:
        """Tell programs of an event of this day."""
        self.also(event, as_of=str(self.as_of), **told)

    def warn(self, says: str) -> None:
        """Say what went wrong beside the night."""
        self.warnings.append(says)
        self.tell("warning", message=says)

    def ping(self, what: str) -> None:
        """Ask for the address of the watchdog, if there is one."""
        url = self.settings.run.healthcheck_url
        if url is None:
            return
        try:
            whole = checked_address(_NAME.sub(lambda match: secret(match[1]), url))
        except ConfigError as error:
            why = error.found.replace("the url of a store", "healthcheck_url")
        else:
            why = ping(whole, what)
        if why:
            self.warn(f"the watchdog was not told ({what or 'success'}): {why}")

    def measure(self, night: Night, summary: Mapping[str, Any]) -> None:
        """Write the metrics, if they are asked for."""
        file = self.settings.run.metrics_file
        if file is None:
            return
        try:
            with whole_file(self.settings.folder / file) as aside:
                aside.write_text(_metrics(night, summary, self.as_of), encoding="utf-8")
        except ConfigError as error:
            self.warn(f"the metrics were not written: {error.found}")


@dataclass(eq=False)
class _Steps:
    """The steps of a night, and what each depends on."""

    settings: Settings
    as_of: Cutoff
    rules: tuple[RetrainRule, ...]
    days: Sequence[Cutoff]
    work: Work
    progress: Progress
    tell: Tell
    force: bool

    @cached_property
    def journal(self) -> Journal:
        """The journal of the day."""
        path = self.settings.ledger / "nights" / f"{self.as_of}.jsonl"
        return Journal(path, self.settings.folder)

    def all(self, retrain: bool) -> Iterator[Step]:
        """All of them in their order, with the training only if it may be."""
        stored = any(not isinstance(s, FileSource) for s in self.settings.sources().values())
        yield Step(_CHECK, self.check, self._read, always=stored)
        yield Step(_SCORE, self.score, self._scored, (_CHECK,), same=self._same_but_retrained)
        yield Step(_CALLS, self.calls, self._config, (_SCORE,))
        yield Step(_KPI, self.kpi, self._read, (_CHECK,))
        yield Step(_MONITOR, self.monitor, self._days, (_CHECK, _SCORE))
        needs: tuple[str, ...] = (_CHECK, _SCORE, _CALLS, _KPI, _MONITOR)
        if retrain:
            yield Step(_RETRAIN, self.retrain, self._retraining, (_SCORE, _MONITOR))
            needs = (*needs, _RETRAIN)
        yield Step(_REPORT, self.report, self._config, needs)

    # ── What they depend on ─────────────────────────────────────────────────────────────────

    def _config(self) -> dict[str, str]:
        """Settings and code; a moved project is the same."""
        return {"churnkit.toml": self.settings.sha256, "churnkit": __version__}

    def _read(self) -> dict[str, str]:
        forgotten = content_digest(self.settings.ledger / FOLDER / LIST)
        left_out = {"forgotten": forgotten} if forgotten else {}
        return {**self._config(), **self._logs, **left_out}

    @cached_property
    def _logs(self) -> dict[str, str]:
        """The files of the logs. A store has no digest: it is looked at every time."""
        return {
            f"{log} log": digest_of([[file.name, _read(file)] for file in source.files()])
            for log, source in self.settings.sources().items()
            if isinstance(source, FileSource)
        }

    def _scored(self) -> dict[str, str]:
        """The model, what the user's features, overrides and outcomes are, and the run before."""
        settings, own = self.settings, self.settings.features.file
        return {
            **self._read(),
            "model": model_named(*self.work.champion(settings)),
            "own features": content_digest(None if own is None else settings.folder / own),
            "overrides": content_digest(settings.ledger / "overrides.jsonl"),
            "outcomes": content_digest(settings.outcomes),
            "day before": "".join(self._earlier()[-1:]),
        }

    def _days(self) -> dict[str, str]:
        return {**self._read(), "earlier days": digest_of(self._earlier())}

    def _retraining(self) -> dict[str, str]:
        rules = [*(rule.name for rule in self.rules), self.settings.run.retrain_days]
        return {"rules": digest_of(rules)}

    def _earlier(self) -> list[str]:
        """The published days before this one, in rising order."""
        return [str(day) for day in sorted(self.days) if not has_come(self.as_of, day)]

    def _same_but_retrained(self, was: Mapping[str, str], now: Mapping[str, str]) -> bool:
        """A champion that this very night has trained is for the nights to come."""
        model, decisions = was.get("model", ""), Decisions(self.settings.ledger)
        if decisions.trained_away(str(self.as_of), model, now["model"]):
            now = {**now, "model": model}
        return was == now

    # ── What they do ────────────────────────────────────────────────────────────────────────

    def check(self, _: Any) -> Made:
        """Look at the logs, and stop if too many rows are bad."""
        page = self._reports(f"check-{self.as_of}.html")
        found = self.work.check(self.settings, page, self.saying(_CHECK))
        found.require_clean()
        kept = ("read", "kept", "customers", "first", "last", "rejected")
        logs = {log["log"]: {key: log[key] for key in kept} for log in found.summary["logs"]}
        grave = [f for f in found.summary["findings"] if f["severity"] != "note"]
        rows = sum(log["read"] for log in logs.values())
        told = {"logs": logs, "findings": len(grave)}
        return Made(told, self._of_the_day([page]), {"check": page}, rows)

    def score(self, _: Any) -> Made:
        """Score and publish; the report is written at the end, with all that the night knows."""
        found = self.work.score(
            self.settings, self.as_of, progress=self.saying(_SCORE), force=self.force
        )
        lights = {told["light"]: told["customers"] for told in found["lights"]}
        told = {
            "lights": lights,
            "model": found["model_version"],
            "warnings": list(found["warnings"]),
        }
        for warning in found["warnings"]:
            self.tell("warning", step=_SCORE, message=warning)
        paths = {name: Path(path) for name, path in found["paths"].items()}  # or names of stores
        paths.pop(_REPORT, None)
        return Made(told, self._of_the_day(paths.values()), paths, sum(lights.values()))

    def calls(self, _: Any) -> Made:
        """Write who is to be called."""
        found = self.work.calls(self.settings, self.as_of)
        told = {key: found[key] for key in ("call", "waiting")}
        lists = [Path(path) for path in found["paths"].values()]
        where = {"calls": lists[0].parent} if lists else {}
        return Made(told, self._of_the_day(lists), where, found["call"])

    def kpi(self, _: Any) -> Made:
        """Measure retention, churn and satisfaction."""
        pages = [self._reports(f"kpi-{self.as_of}.{ending}") for ending in ("html", "json")]
        try:
            found = self.work.kpi(
                self.settings, self.as_of, html=pages[0], progress=self.saying(_KPI)
            )
        except (DataError, GateRefused) as error:  # the logs were sound: there is too little
            return Made(lacking=error.found)
        write_values(found, pages[1])
        return Made({}, self._of_the_day(pages), {"kpi": pages[0]})

    def monitor(self, _: Any) -> Made:
        """See whether anything is off."""
        pages = [self._reports(f"monitor-{self.as_of}.{ending}") for ending in ("html", "json")]
        try:
            found = self.work.monitor(
                self.settings, self.as_of, html=pages[0], progress=self.saying(_MONITOR)
            )
        except GateRefused as error:
            return Made(lacking=error.found)
        write_values(found, pages[1])
        told = {
            "verdict": found["verdict"],
            "reason": found["reason"],
            "alarms": len(found["alarms"]),
            "untried": [one["check"] for one in found["untried"]],
            "age_days": (found["model"] or {}).get("age_days"),
        }
        return Made(told, self._of_the_day(pages), {"monitor": pages[0]})

    def retrain(self, ran: Mapping[str, Ran]) -> Made:
        """Train anew if a rule says so, and promote what is better."""
        verdict = ran[_MONITOR].told.get("verdict", "")
        last = ran[_CHECK].told["logs"][self.settings.asked().log]["last"]
        retraining = Retraining(
            self.settings,
            self.as_of,
            self.rules,
            self.work.train,
            self.work.champion,
            self.saying(_RETRAIN),
        )
        decision = retraining.decide(verdict, self.settings.cutoff(last))
        says = f"{decision['decision']}: {decision['says']}"
        self.tell("decided", step=_RETRAIN, message=says)
        return Made(decision)

    def report(self, ran: Mapping[str, Ran]) -> Made:
        """Write the report of the scores, and the page of the night that leads to it."""
        page, folder = self._reports(f"night-{self.as_of}.html"), self.settings.folder
        known = {name: self._values(ran[step]) for name, step in _LOOKED.items()}
        found = self.work.report(
            self.settings, self.as_of, progress=self.saying(_REPORT), known=known
        )
        written = {name: Path(path) for name, path in found["paths"].items()}
        paths = {name: folder / path for r in ran.values() for name, path in r.paths.items()}
        paths |= written
        told = {name: found.told for name, found in ran.items()}
        write_night(night_summary(str(self.as_of), told, paths, page), page)
        return Made({}, [page, *written.values()], {"night": page, **written})

    def _values(self, ran: Ran) -> dict[str, Any] | None:
        """What a step wrote as values beside its page; ``None`` if it had nothing to do."""
        pages = [self.settings.folder / path for path in ran.paths.values()]
        return None if not pages else read_values(pages[0].with_suffix(".json"))

    # ── What they say and write ─────────────────────────────────────────────────────────────

    def saying(self, step: str) -> Progress:
        shown = saying(self.progress, f"{step}: ")

        def say(message: str) -> None:
            shown(message)
            self.tell("working", step=step, message=str(message))

        return say

    def _reports(self, name: str) -> Path:
        return self.settings.folder / self.settings.output.reports / name

    def _of_the_day(self, paths: Any) -> list[Path]:
        """Files that hold this day and no other; what grows from day to day is not one."""
        return [p for p in paths if str(self.as_of) in "/".join(p.parts[-2:]) and p.is_file()]


def _read(file: Path) -> str:
    """The digest of a file of a log."""
    try:
        return file_digest(file)
    except OSError as error:
        raise DataError(
            f"{file} cannot be read ({error.strerror or error})", "Check the file."
        ) from error


def _summary(night: Night, journal: Journal, decisions: Decisions) -> dict[str, Any]:
    failed = next((ran for ran in night.steps if ran.state == FAILED), None)
    code, says = _ended(night)
    paths = {n: str(journal.folder / p) for ran in night.steps for n, p in ran.paths.items()}
    score, monitor = night.told(_SCORE), night.told(_MONITOR)
    return {
        "as_of": night.as_of,
        "success": night.success,
        "exit_code": code,
        "failed": None if failed is None else failed.name,
        "says": says,
        "steps": [ran.shown() for ran in night.steps],
        "lights": score.get("lights"),
        "verdict": monitor.get("verdict"),
        "reason": monitor.get("reason"),
        "model": score.get("model"),
        "calls": night.told(_CALLS).get("call"),
        "decisions": [d for d in decisions.all() if d["as_of"] == night.as_of],
        "paths": paths,
        "warnings": list(score.get("warnings", ())),
        "journal": str(journal.path),
    }


def _ended(night: Night) -> tuple[int, str]:
    """The exit code of a night, and why it has it."""
    try:
        night.require_done()
    except NothingToDo as done:
        return done.exit_code, done.found
    except ChurnkitError as error:
        return error.exit_code, error.found
    except Exception:  # raised again by whoever asked for the night
        return 1, next(ran.why for ran in night.steps if ran.state == FAILED)
    return 0, ""


def _metrics(night: Night, summary: Mapping[str, Any], as_of: Cutoff) -> str:
    logs = night.told(_CHECK).get("logs", {})
    told = {
        "as_of_seconds": as_of.us / 1_000_000,
        "success": night.success,
        "exit_code": summary["exit_code"],
        "steps": {ran.name: round(ran.seconds, 3) for ran in night.steps if ran.digest},
        "lights": summary["lights"],
        "verdict": summary["verdict"],
        "model_version": summary["model"],
        "model_age_days": night.told(_MONITOR).get("age_days"),
        "rows": {name: log["kept"] for name, log in logs.items()},
        "rejected": {name: sum(log["rejected"].values()) for name, log in logs.items()},
    }
    return metrics_text(told)

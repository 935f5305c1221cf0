"""Where a project stands, as far as a glance at its folder tells: nothing is loaded or verified."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDERS: Mapping[str, str] = {
    "models": "models", "scores": "scores", "reports": "reports", "ledger": "ledger"
}  # fmt: skip
"""Where what is made lies, unless ``[output]`` says otherwise."""


@dataclass(frozen=True)
class Standing:
    """What there is of a project.

    Attributes
    ----------
    settings
        The file of its settings.
    fault
        Why it cannot be read; empty if it can.
    logs
        Names of the logs that it declares.
    champion
        Version of the model that scores; empty if there is none.
    model
        Folder of that model.
    newest
        The newest published day; empty if there is none.
    days
        The published days, in rising order.
    called
        Whether the call lists of that day were written.
    ran
        Whether that day was a night of ``churnkit run``.
    report
        The page of that day, if it is there.
    """

    settings: Path
    fault: str = ""
    logs: tuple[str, ...] = ()
    champion: str = ""
    model: str = ""
    newest: str = ""
    days: tuple[str, ...] = ()
    called: bool = False
    ran: bool = False
    report: Path | None = None

    @property
    def done(self) -> tuple[str, ...]:
        """The commands of the way that left something here."""
        way = {"init": True, "check": self.champion, "train": self.champion, "score": self.newest,
               "calls": self.called, "run": self.ran}  # fmt: skip
        return tuple(name for name, there in way.items() if there)

    @property
    def next(self) -> tuple[str, ...]:
        """The commands that lead on."""
        if self.fault:
            return ("churnkit check",)
        if not self.champion:
            return ("churnkit check", "churnkit train")
        if not self.newest:
            return ("churnkit score --as-of DATE",)
        on = ("churnkit run --as-of DATE",)
        return on if self.called else (f"churnkit calls --as-of {self.newest}", *on)


def standing(settings: Path) -> Standing | None:
    """What there is of the project with these settings; None if there is no such file.

    Nothing in the folder can make it fail: what cannot be read is not there.
    """
    if not settings.is_file():
        return None
    try:
        told = tomllib.loads(settings.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Standing(settings, fault=str(error).partition("\n")[0])
    places = {name: _place(settings.parent, told, name) for name in FOLDERS}
    champion = _json(places["models"] / "champion.json")
    published = _json(places["scores"] / "current.json")
    days = published.get("days")
    newest = str(published.get("newest") or "")
    report = places["reports"] / f"report-{newest}.html"
    return Standing(
        settings,
        logs=tuple(_table(told, "logs")),
        champion=str(champion.get("version") or ""),
        model=str(champion.get("bundle") or ""),
        newest=newest,
        days=tuple(sorted(map(str, days))) if isinstance(days, dict) else (),
        called=bool(newest) and (places["reports"] / f"calls-{newest}").is_dir(),
        ran=(places["ledger"] / "nights" / f"{newest}.jsonl").is_file(),
        report=report if newest and report.is_file() else None,
    )


def _place(folder: Path, told: Mapping[str, Any], name: str) -> Path:
    given = _table(told, "output").get(name)
    return folder / (given if isinstance(given, str) else FOLDERS[name])


def _table(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = told.get(name)
    return found if isinstance(found, Mapping) else {}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}

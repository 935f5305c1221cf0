"""The journals of the nights, which hold hashes of files that forgetting changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from churnkit.config import Settings
from churnkit.forgetting import FOLDER, LIST
from churnkit.lights.overrides import FILE_NAME as OVERRIDES
from churnkit.mentions import Mentions
from churnkit.nightly import Journal
from churnkit.nightly.journal import content_digest
from churnkit.publishing import ScoreStore


@dataclass(frozen=True)
class Journals:
    """The journals as they are before anything is changed.

    Attributes
    ----------
    settings
        The project.
    intact
        Each journal, and the files that are as it tells.
    inputs
        Input of steps → its digest.
    """

    settings: Settings
    intact: tuple[tuple[Journal, Collection[tuple[str, str]]], ...]
    inputs: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings) -> Journals:
        """Those of a project."""
        files = sorted((settings.ledger / "nights").glob("*.jsonl"))
        journals = [Journal(path, settings.folder) for path in files]
        return cls(settings, tuple((j, j.intact()) for j in journals), _inputs(settings))

    def forget(self, mentions: Mentions, store: ScoreStore) -> None:
        """Tell what has changed since, so that no step is done anew for it."""
        now = _inputs(self.settings)
        changed = {n: (was, now[n]) for n, was in self.inputs.items() if was != now[n]}
        for journal, intact in self.intact:
            journal.forget(mentions, intact, self._renamed(journal, store), changed)

    def _renamed(self, journal: Journal, store: ScoreStore) -> dict[str, str]:
        """File of a run → that of the run which took its place."""
        told: dict[str, str] = {}
        for one in store.runs():
            path = store.verified(one)
            told |= {
                journal.named(_file(path, old)): journal.named(path)
                for old in one.told.get("replaces", ())
            }
        return told


def _file(path: Path, run: str) -> Path:
    return path.with_name(f"{run}{path.suffix}")


def _inputs(settings: Settings) -> dict[str, str]:
    return {
        "overrides": content_digest(settings.ledger / OVERRIDES),
        "outcomes": content_digest(settings.outcomes),
        "forgotten": content_digest(settings.ledger / FOLDER / LIST),
    }

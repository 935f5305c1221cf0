"""What became of the steps of one day, line by line, and whether that still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnkit.nightly.lines import JsonLines

FORCED, STARTED, DONE, LACKING, FAILED = "forced", "started", "done", "lacking", "failed"
_OF_A_STEP_DONE: Mapping[str, Any] = {
    "inputs": dict, "seconds": int | float, "rows": int | None, "told": dict, "wrote": dict,
    "paths": dict, "digest": str,
}  # fmt: skip


@dataclass(frozen=True)
class Journal:
    """The journal of a day.

    Attributes
    ----------
    path
        Its file.
    folder
        Files below it are named relative to it, so that a project can be moved.
    """

    path: Path
    folder: Path

    def add(self, event: str, step: str = "", **told: Any) -> None:
        """Write down that something happened; see `JsonLines.append`."""
        JsonLines(self.path).append({"event": event, "step": step, **told})

    def last(self) -> dict[str, dict[str, Any]]:
        """Step → the line that tells how it last ended, of those since everything was forced.

        A step that was begun anew and never ended is as if it had not been done; so is one whose
        last line is damaged.
        """
        found: dict[str, dict[str, Any]] = {}
        for entry in JsonLines(self.path).read():
            event, step = entry.get("event"), entry.get("step")
            if event == FORCED:
                found.clear()
            elif isinstance(step, str):
                found.pop(step, None)
                if _tells_an_end(entry):
                    found[step] = entry
        return found

    def signed(self, paths: Iterable[Path]) -> dict[str, str]:
        """File → sha256 of its content."""
        return {self.named(path): file_digest(path) for path in paths}

    def broken(self, wrote: Mapping[str, str]) -> str:
        """What is wrong with files that a step wrote, in words; empty if they are as they were."""
        for name, sha256 in wrote.items():
            path = self.folder / name
            if not path.is_file():
                return f"{name} is gone"
            if file_digest(path) != sha256:
                return f"{name} was changed"
        return ""

    def gone(self, paths: Mapping[str, str]) -> str:
        """Which of these is not there any more, in words; empty if all of them are."""
        lost = next((path for path in paths.values() if not (self.folder / path).exists()), None)
        return "" if lost is None else f"{lost} is gone"

    def named(self, path: Path) -> str:
        """A path relative to the folder, if it is below it; else the whole path."""
        whole, folder = path.resolve(), self.folder.resolve()
        return str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)


def result_digest(state: str, lacking: str, told: Mapping[str, Any], wrote: Any) -> str:
    """Another text whenever the result of a step is another one."""
    return digest_of([state, lacking, dict(told), wrote])


def _tells_an_end(entry: Mapping[str, Any]) -> bool:
    """Whether a line tells, undamaged, how a step ended."""
    if entry.get("event") != DONE:
        return entry.get("event") in (LACKING, FAILED)
    kinds = all(isinstance(entry.get(key), kind) for key, kind in _OF_A_STEP_DONE.items())
    if not kinds or "rows" not in entry:
        return False
    named = [entry[key] for key in ("inputs", "wrote", "paths")]
    texts = all(isinstance(value, str) for texts in named for value in texts.values())
    return texts and entry["digest"] == result_digest(DONE, "", entry["told"], entry["wrote"])


def file_digest(path: Path) -> str:
    """The sha256 of the content of a file, in hexadecimal.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of(told: Any) -> str:
    """The sha256 of JSON-ready values, in hexadecimal; the order of keys does not count."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

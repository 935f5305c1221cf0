"""What became of the steps of one day, line by line, and whether that still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnkit.atomic import whole_file
from churnkit.mentions import Mentions
from churnkit.nightly.lines import JsonLines, entry_of, line_of

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

    def intact(self) -> frozenset[tuple[str, str]]:
        """File and sha256 of every file that is as a step wrote it last."""
        lines = self.last().values()
        wrote = {pair for entry in lines for pair in entry.get("wrote", {}).items()}
        return frozenset((name, told) for name, told in wrote if not self.broken({name: told}))

    def forget(
        self,
        mentions: Mentions,
        intact: Collection[tuple[str, str]],
        renamed: Mapping[str, str],
        inputs: Mapping[str, tuple[str, str]],
    ) -> None:
        """Take names out of what is told, and tell files as they are since they were cut.

        So a step whose files were as it wrote them is not done anew for that.

        Parameters
        ----------
        mentions
            Who is forgotten.
        intact
            What `intact` told before.
        renamed
            File → what it is called since, both as `named` tells them.
        inputs
            Input of steps → what it was, and what it is since; nothing stands for an empty text.
        """
        if not self.path.exists():
            return
        digests: dict[str, str] = {}
        told = []
        for line in self.path.read_bytes().decode("utf-8", "replace").split("\n"):
            entry = entry_of(line.encode())
            if entry is not None:
                entry = self._retold(entry, mentions, intact, renamed, inputs, digests)
                line = line_of(entry)
            told.append("" if mentions.in_text(line) else line)
        text = "\n".join(told)
        if text.encode() != self.path.read_bytes():
            with whole_file(self.path) as aside:
                aside.write_text(text, encoding="utf-8")

    def _retold(
        self,
        entry: dict[str, Any],
        mentions: Mentions,
        intact: Collection[tuple[str, str]],
        renamed: Mapping[str, str],
        inputs: Mapping[str, tuple[str, str]],
        digests: dict[str, str],
    ) -> dict[str, Any]:
        """A line as it is told since; ``digests`` learns results that have another digest."""
        told: dict[str, Any] = mentions.pruned(entry)
        if isinstance(told.get("wrote"), dict):
            pairs = ((renamed.get(name, name), name, sha) for name, sha in told["wrote"].items())
            told["wrote"] = {
                new: file_digest(self.folder / new) if (old, sha) in intact else sha
                for new, old, sha in pairs
                if (self.folder / new).exists() or (old, sha) not in intact
            }
        if isinstance(told.get("paths"), dict):
            paths = {key: renamed.get(path, path) for key, path in told["paths"].items()}
            told["paths"] = {k: path for k, path in paths.items() if (self.folder / path).exists()}
        if isinstance(told.get("inputs"), dict):
            told["inputs"] = _since(told["inputs"], inputs, digests)
        if "digest" in told and isinstance(told.get("told"), dict):
            why = told.get("why", "") if told["event"] == LACKING else ""
            new = result_digest(told["event"], why, told["told"], told.get("wrote", {}))
            digests[entry["digest"]] = told["digest"] = new
        return told

    def named(self, path: Path) -> str:
        """A path relative to the folder, if it is below it; else the whole path."""
        whole, folder = path.resolve(), self.folder.resolve()
        return str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)


def _since(
    inputs: Mapping[str, str],
    changed: Mapping[str, tuple[str, str]],
    digests: Mapping[str, str],
) -> dict[str, str]:
    """The inputs of a step as they are since."""
    looked_at_logs = any(name.endswith(" log") for name in inputs)
    told = {name: digests.get(value, value) for name, value in inputs.items()}
    for name, (before, after) in changed.items():
        if inputs.get(name, "") == before and (name in inputs or looked_at_logs):
            told[name] = after
    return {name: value for name, value in told.items() if value or name in inputs}


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


def content_digest(path: Path | None) -> str:
    """The digest of a file, or of all files of a folder; empty if it is not there."""
    if path is None or not path.exists():
        return ""
    if path.is_file():
        return file_digest(path)
    files = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    return digest_of([[str(p.relative_to(path)), file_digest(p)] for p in files]) if files else ""


def digest_of(told: Any) -> str:
    """The sha256 of JSON-ready values, in hexadecimal; the order of keys does not count."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

"""Files that only grow: one JSON object a line, on the disk before the next thing happens."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnkit.atomic import made_folder, writable
from churnkit.errors import ConfigError, DataError

FORMAT = 1


@dataclass(frozen=True)
class JsonLines:
    """A file to which lines are added and from which none is ever taken.

    A process that is killed while it writes leaves at most half a line at the end. Nobody reads
    it, and the next line begins after it.

    Attributes
    ----------
    path
        The file; made, with its folder, by the first line.
    """

    path: Path

    def append(self, told: Mapping[str, Any]) -> None:
        """Add a line and wait until the disk has it.

        Raises
        ------
        ConfigError
            If the file cannot be written to.
        """
        line = line_of({"format": FORMAT, **told})
        made_folder(self.path.parent)
        with writable(self.path), self.path.open("ab+") as file:
            file.write(_after(file) + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> list[dict[str, Any]]:
        """Every whole line, in the order in which they were written; none without a file.

        Raises
        ------
        DataError
            If the file cannot be read.
        ConfigError
            If a newer churnkit wrote it.
        """
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
        except OSError as error:
            raise DataError(
                f"{self.path} cannot be read ({error.strerror or error})",
                "Check the file and its permissions.",
            ) from error
        told = [entry for entry in map(entry_of, content.split(b"\n")) if entry is not None]
        newer = next((e for e in told if e["format"] != FORMAT), None)
        if newer is not None:
            raise ConfigError(
                f"{self.path} has format {newer['format']!r}, and this churnkit knows {FORMAT}",
                "A newer churnkit wrote it: update this one. Nothing was changed.",
            )
        return told


def _after(file: Any) -> bytes:
    """What separates a new line from what stands before it."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def line_of(told: Mapping[str, Any]) -> str:
    """An entry as it is written."""
    return json.dumps(told, ensure_ascii=True, allow_nan=False)


def entry_of(line: bytes) -> dict[str, Any] | None:
    """The entry of a line; ``None`` if it is none."""
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None  # the half of one, or damaged
    return told if isinstance(told, dict) and isinstance(told.get("format"), int) else None

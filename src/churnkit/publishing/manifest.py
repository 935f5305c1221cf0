"""What a published run says of itself, and the seal that shows whether a file was changed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from churnkit.errors import ConfigError, DataError
from churnkit.publishing.parts import DataFile

FORMAT = 2
"""The layout of the store; a newer one is refused. Only a run of several files needs it: all else
is told in the layout before, so that an earlier churnkit reads it."""

_OF_ONE_FILE = 1

RUN = re.compile(r"[0-9a-f]{12}(-[1-9]\d*)?")
"""What the name of a run looks like."""

_SEAL = "seal"


@dataclass(frozen=True)
class Manifest:
    """One run: what was published, from what, and what came before it.

    Attributes
    ----------
    run
        Its name: the first 12 digits of the key, and ``-2``, ``-3`` … where that was taken.
    as_of
        The day it is about.
    key
        Hash of everything it was made from.
    sequence
        1 for the first run of the day, 2 for the one that took its place …
    earlier
        The runs of the day before it, in order, whether or not they are still kept.
    content
        Hash of its values, see `churnkit.publishing.content.ContentHash`.
    file
        Where the rows are: a file, or a folder of parts.
    columns
        Names of the columns.
    churnkit
        The version that wrote it.
    told
        What the writer had to tell: model, inputs, config, counts, lights …
    parts
        The files of a folder in the order of the rows; none where the run is one file.
    """

    run: str
    as_of: str
    key: str
    sequence: int
    earlier: tuple[str, ...]
    content: str
    file: DataFile
    columns: tuple[str, ...]
    churnkit: str
    told: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[DataFile, ...] = ()

    @property
    def previous(self) -> str | None:
        """The run of the day before it; ``None`` for the first."""
        return self.earlier[-1] if self.earlier else None

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.file.rows

    def to_json(self) -> str:
        """The text of the manifest file, sealed; the same run always has the same text."""
        own = {key: value for key, value in asdict(self).items() if key not in ("told", "parts")}
        more = {"parts": [asdict(part) for part in self.parts]} if self.parts else {}
        version = FORMAT if self.parts else _OF_ONE_FILE
        return sealed({**own, **more, "previous": self.previous, **self.told}, version)

    @classmethod
    def from_json(cls, text: str, path: Path) -> Manifest:
        """The manifest of a text that is sealed.

        Raises
        ------
        ConfigError
            If a newer churnkit wrote it.
        DataError
            If it was changed, or is none.
        """
        values = unsealed(text, path)
        values.pop("previous", None)
        try:
            parts = tuple(DataFile(**part) for part in values.pop("parts", ()))
            own = (name for name in cls.own_names() if name not in ("told", "parts"))
            told = {name: values.pop(name) for name in own}
            told["file"] = DataFile(**told["file"])
            _require_here(told["run"], *(file.name for file in (told["file"], *parts)))
            if parts and told["file"] != DataFile.folder(told["file"].name, parts):
                raise TypeError("its parts are not those of its folder")
            lists = {name: tuple(told[name]) for name in ("earlier", "columns")}
            return cls(**{**told, **lists}, told=values, parts=parts)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is no manifest of a run ({error})") from error

    @classmethod
    def own_names(cls) -> tuple[str, ...]:
        """The names that a writer cannot tell anything under."""
        return tuple(cls.__dataclass_fields__)


def _require_here(*names: str) -> None:
    """Refuse a manifest that leads out of its folder, whoever sealed it."""
    for name in names:
        if not name or name != Path(name).name or name == "..":
            raise ValueError(f"{name!r} is no name of a file")


def sealed(values: Mapping[str, Any], version: int = _OF_ONE_FILE) -> str:
    """Values as JSON text with the version of the format and a hash over all of them.

    Raises
    ------
    ValueError
        If a value is not finite; JSON has no word for it.
    """
    told = {"format": version, **values}
    whole = {**told, _SEAL: _seal(told)}
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def unsealed(text: str, path: Path) -> dict[str, Any]:
    """The values of a sealed text.

    Raises
    ------
    ConfigError
        If a newer churnkit wrote it.
    DataError
        If it is no JSON, or does not fit its seal.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DataError(f"{path} is damaged: it is no JSON ({error})") from error
    if not isinstance(values, dict):
        raise DataError(f"{path} is damaged: it is no table of values")
    version = values.get("format")
    if isinstance(version, int) and version > FORMAT:
        raise ConfigError(
            f"{path} was written by a newer churnkit (format {version}; this one knows {FORMAT})",
            "Update churnkit: pip install --upgrade churnkit.",
        )
    seal = values.pop(_SEAL, None)
    if seal != _seal(values):
        raise DataError(f"{path} is damaged: it is not as it was written")
    del values["format"]
    return values


def _seal(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

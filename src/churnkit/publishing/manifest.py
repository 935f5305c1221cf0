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

FORMAT = 1
"""The layout of the store; a newer one is refused."""

RUN = re.compile(r"[0-9a-f]{12}(-[1-9]\d*)?")
"""What the name of a run looks like."""

_SEAL = "seal"


@dataclass(frozen=True)
class DataFile:
    """The file that holds the rows of a run.

    Attributes
    ----------
    name
        Its name in the folder of the day.
    size
        Its bytes.
    sha256
        Of its bytes, as 64 hex digits.
    rows
        How many rows it holds.
    """

    name: str
    size: int
    sha256: str
    rows: int


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
        Where the rows are.
    columns
        Names of the columns.
    churnkit
        The version that wrote it.
    told
        What the writer had to tell: model, inputs, config, counts, lights …
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
        own = {key: value for key, value in asdict(self).items() if key != "told"}
        return sealed({**own, "previous": self.previous, **self.told})

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
            told = {name: values.pop(name) for name in cls.own_names() if name != "told"}
            told["file"] = DataFile(**told["file"])
            lists = {name: tuple(told[name]) for name in ("earlier", "columns")}
            return cls(**{**told, **lists}, told=values)
        except (KeyError, TypeError) as error:
            raise DataError(f"{path} is no manifest of a run ({error})") from error

    @classmethod
    def own_names(cls) -> tuple[str, ...]:
        """The names that a writer cannot tell anything under."""
        return tuple(cls.__dataclass_fields__)


def sealed(values: Mapping[str, Any]) -> str:
    """Values as JSON text with the version of the format and a hash over all of them.

    Raises
    ------
    ValueError
        If a value is not finite; JSON has no word for it.
    """
    told = {"format": FORMAT, **values}
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

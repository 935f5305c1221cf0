"""``churnkit.toml`` as older versions wrote it, told as today's says it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from churnkit.errors import ConfigError, OldFormat

VERSION: Final = 1
"""The version that is written today; a newer one is refused."""

_MOVED: Mapping[int, Mapping[tuple[str, str], tuple[str, str]]] = MappingProxyType(
    {0: {("training", "monotone"): ("model", "monotone")}}
)
"""Version → (section, key) of it → where the next one has it. 0 is a file that tells no version."""


def up_to_date(told: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The values of a file of any version up to today's, as today's has them.

    Parameters
    ----------
    told
        The values of the file, which stay as they are.
    path
        The file, for messages.

    Warns
    -----
    OldFormat
        If the file has something where it was once, with what to write instead.

    Raises
    ------
    ConfigError
        If the file is of a newer version, or of none that there ever was.
    """
    written = told.get("version", 0)
    if type(written) is not int or ("version" in told and written < 1):
        raise ConfigError(
            f"{path}: version = {written!r} is no version of the file", f"Write {VERSION}."
        )
    if written > VERSION:
        raise ConfigError(
            f"{path} was made by a newer churnkit (version {written}; this one knows {VERSION})",
            "Update churnkit: pip install --upgrade churnkit.",
        )
    found = deepcopy(dict(told))
    moved = [
        f"{key} of [{section}] is now {new_key} of [{new}]"
        for version in range(written, VERSION)
        for (section, key), (new, new_key) in _MOVED[version].items()
        if _move(found, (section, key), (new, new_key))
    ]
    if moved:
        warnings.warn(
            f"{path} was written for an older churnkit, and is read as it was meant: "
            f"{'; '.join(moved)}. Write it there, and version = {VERSION} in the first line",
            OldFormat,
            stacklevel=3,
        )
    return {**found, "version": VERSION}


def _move(told: dict[str, Any], was: tuple[str, str], now: tuple[str, str]) -> bool:
    """Move a key to another section, unless it stands there already; whether it was moved."""
    old, new = told.get(was[0]), told.setdefault(now[0], {})
    if not isinstance(old, dict) or was[1] not in old or not isinstance(new, dict):
        return False  # the model says what is wrong with it
    if now[1] in new:
        return False
    new[now[1]] = old.pop(was[1])
    return True

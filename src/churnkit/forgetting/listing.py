"""The file of those who are left out of every run of a project."""

from __future__ import annotations

import json
import re
from pathlib import Path

from churnkit.atomic import whole_file
from churnkit.errors import ConfigError, DataError
from churnkit.suppression import Suppression

FOLDER, LIST = "forgotten", "suppressed.json"
"""The folder, in that of the ledger, and the file in it."""

FORMAT = 1
_DIGITS = re.compile(r"[0-9a-f]{64}")


def read_suppression(folder: Path) -> Suppression | None:
    """Who is left out of a project; ``None`` if nobody was ever forgotten.

    Parameters
    ----------
    folder
        The folder of the ledger.

    Raises
    ------
    DataError
        If the file cannot be read: without it, people who were forgotten would come back.
    ConfigError
        If a newer churnkit wrote it.
    """
    path = folder / FOLDER / LIST
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        version, salt, hashes = told["format"], told["salt"], told["hashes"]
        sound = isinstance(hashes, list) and all(map(_is_hash, [salt, *hashes]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        version, sound = FORMAT, False
    if isinstance(version, int) and version > FORMAT:
        raise ConfigError(
            f"{path} was written by a newer churnkit (format {version}; this one knows {FORMAT})",
            "Update churnkit: pip install --upgrade churnkit.",
        )
    if not sound:
        raise DataError(
            f"{path} is damaged: nobody knows who is to be left out",
            "Bring it back from a copy. Without it, people who were forgotten come back with the "
            "next run, if the logs still hold them.",
        )
    return Suppression(salt, tuple(hashes))


def write_suppression(suppression: Suppression, folder: Path) -> Path:
    """Write who is left out from now on, and tell where.

    Raises
    ------
    ConfigError
        If the folder cannot be written to; the list stays as it was.
    """
    path = folder / FOLDER / LIST
    told = {"format": FORMAT, "salt": suppression.salt, "hashes": list(suppression.hashes)}
    with whole_file(path) as aside:
        aside.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return path


def _is_hash(told: object) -> bool:
    return isinstance(told, str) and _DIGITS.fullmatch(told) is not None

"""The proof that a person was forgotten: dated, readable, and without a name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from churnkit.atomic import whole_file
from churnkit.forgetting.listing import FOLDER

FORMAT = 1


def proof_name(on: str, digest: str) -> str:
    """Name of the proof, without an ending."""
    return f"{on}-{digest[:12]}"


def begun(folder: Path, digest: str) -> dict[str, Any] | None:
    """The proof of a removal that was begun for a person and did not end, if there is one.

    Parameters
    ----------
    folder
        The folder of the ledger.
    digest
        The salted hash of the person.
    """
    for path in sorted((folder / FOLDER).glob(f"*-{digest[:12]}.json")):
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(told, dict) and told.get("customer") == digest and not told.get("finished"):
            return told
    return None


def write_proof(told: Mapping[str, Any], folder: Path) -> dict[str, Path]:
    """Write the proof as JSON and, once it is finished, as a text that people read.

    Raises
    ------
    ConfigError
        If the folder cannot be written to.
    """
    path = folder / FOLDER / f"{proof_name(told['on'], told['customer'])}.json"
    with whole_file(path) as aside:
        aside.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    paths = {"json": path}
    if told["finished"]:
        paths["text"] = path.with_suffix(".txt")
        with whole_file(paths["text"]) as aside:
            aside.write_text(text_of(told), encoding="utf-8")
    return paths


def text_of(told: Mapping[str, Any]) -> str:
    """The proof as people read it."""
    lines = [
        f"Forgotten on {told['on']} by churnkit {told['churnkit']}",
        "",
        f"Who: {told['customer']}",
        "(SHA-256 of the salt of this project and the id, which stands nowhere in this text)",
        "",
        "Rows of this person, before and after:",
        *(_place(place) for place in told["places"]),
        "",
        "sha256 of what is left:",
        *(f"  {digest}  {name}" for name, digest in told["sha256"].items()),
        "",
        "What remains, and why:",
        *(f"  - {says}" for says in told["remains"]),
    ]
    return "\n".join(lines) + "\n"


def _place(place: Mapping[str, Any]) -> str:
    more = f"  ({place['says']})" if place["says"] else ""
    return f"  {place['place']}: {place['before']} → {place['after']}{more}"

"""What remains of people who were forgotten, and why."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from churnkit.config import Settings
from churnkit.errors import ChurnkitError
from churnkit.forgetting import FOLDER, LIST
from churnkit.ledger.duck import FILE_NAME as LEDGER
from churnkit.lights.overrides import FILE_NAME as OVERRIDES
from churnkit.mentions import Mentions
from churnkit.nightly.journal import file_digest
from churnkit.project_forget.places import below
from churnkit.publishing.store import POINTER
from churnkit.sources import FileSource, rows_left_out
from churnkit.suppression import Suppression

_AT_MOST_BYTES = 512 * 2**20
"""A larger file of nobody's is not looked through."""


def remains(
    settings: Settings, listed: Suppression, mentions: Mentions, *, done: bool
) -> Iterator[str]:
    """What churnkit cannot take out, or leaves on purpose, in sentences without an id.

    Parameters
    ----------
    settings
        The project.
    listed
        The list of those who are left out, whose salt is asked for.
    mentions
        Who is to go, or has gone.
    done
        Whether they have gone; before that, they are named by the files of the project itself.
    """
    yield from _of_logs(settings, *in_logs(settings, listed, mentions.names))
    for model in models(settings):
        used = " (the champion)" if model["champion"] else ""
        yield (
            f"model {model['bundle']}{used}: its weights learnt from all customers up to "
            f"{model['learnt_until']}, perhaps from this one; it holds no row and no id. To be "
            "without it, train anew (churnkit train) and remove this one, in the registry too"
        )
    yield (
        "figures of all customers together, in pages, manifests, models and MLflow: counts, key "
        "figures, metrics; they name nobody"
    )
    yield (
        "copies: backups and snapshots of disks and databases, the journals of database servers, "
        "lists that were sent, CRM and calendars that took them, lists by churnkit reveal"
    )
    yield from _elsewhere(settings, mentions, () if done else _own(settings))


def in_logs(
    settings: Settings, listed: Suppression, names: Sequence[str]
) -> tuple[dict[str, int], str]:
    """Log → rows of some customers that it holds still; and why that is not known."""
    theirs = Suppression(listed.salt, tuple(map(listed.hash_of, names)))
    try:
        asked = replace(settings.contract(), suppression=theirs)
        return rows_left_out(settings.sources(), asked, settings.engine.memory_limit), ""
    except ChurnkitError as error:
        return {}, error.found


def _of_logs(settings: Settings, rows: Mapping[str, int], why: str) -> Iterator[str]:
    listed = f"{below(settings, settings.ledger / FOLDER / LIST)}, a list of salted hashes"
    if why:
        yield (
            "your own logs could not be looked at: take the person out of them, too. Every run "
            f"leaves the person out by {listed}"
        )
        return
    there = ", ".join(f"{_where(settings, log)} ({n:,} rows)" for log, n in rows.items() if n)
    if there:
        yield (
            f"your own logs: {there}. Take them out there; until then every run leaves them out by "
            f"{listed}, without which they come back"
        )
    else:
        yield f"your own logs hold no row; if one comes, every run leaves it out by {listed}"


def _where(settings: Settings, log: str) -> str:
    source = settings.sources()[log]
    files = source.files() if isinstance(source, FileSource) else ()
    return ", ".join(below(settings, file) for file in files) or source.name


def models(settings: Settings) -> list[dict[str, Any]]:
    """The bundles that are kept: ``bundle``, ``learnt_until`` (a day), ``champion``."""
    used = _values(settings.models / "champion.json").get("bundle")
    told = []
    for path in sorted(settings.models.glob("*/card.json")):
        days = _values(path).get("training", {}).get("cutoffs") or ["a day that is not known"]
        name = path.parent.name
        told.append({"bundle": name, "learnt_until": days[-1], "champion": name == used})
    return told


def digests(settings: Settings) -> dict[str, str]:
    """File → sha256, of what holds rows of people; the pointer tells those of the scores."""
    files = [
        settings.score_store().folder / POINTER,
        settings.ledger / LEDGER,
        settings.ledger / OVERRIDES,
        *sorted(settings.outcomes.glob("deeds-*.parquet")),
        settings.ledger / FOLDER / LIST,
    ]
    return {below(settings, path): file_digest(path) for path in files if path.is_file()}


def _own(settings: Settings) -> list[Path]:
    """Folders and files that forgetting looks after."""
    output = settings.output
    told = [output.scores, output.reports, output.ledger, *filter(None, [output.csv])]
    return [(settings.folder / path).resolve() for path in told]


def _elsewhere(settings: Settings, mentions: Mentions, own: Collection[Path]) -> Iterator[str]:
    """Files of the project folder that churnkit does not look after, and that name somebody."""
    sources = [s for s in settings.sources().values() if isinstance(s, FileSource)]
    logs = {file.resolve() for source in sources for file in source.files()}
    for path in sorted(settings.folder.rglob("*")):
        whole = path.resolve()
        passed = whole in logs or any(whole.is_relative_to(one) for one in own)
        if path.is_file() and not passed and _names(path, mentions):
            name = mentions.without(below(settings, path))
            yield f"{name}: a file of yours that names the person; take it out, or remove the file"


def _names(path: Path, mentions: Mentions) -> bool:
    """Whether a file names one of them; the columns of texts of Parquet, else its bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = path.read_bytes() if path.stat().st_size <= _AT_MOST_BYTES else b""
        if content[:4] != b"PAR1":
            return mentions.in_text(content.decode("utf-8", "replace"))
        table = pq.read_table(pa.BufferReader(content))
    except (OSError, pa.ArrowException, ValueError):
        return False
    texts = [table[f.name] for f in table.schema if pa.types.is_string(f.type)]
    return any(mentions.in_text(t) for c in texts for t in c.drop_null().unique().to_pylist())


def _values(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}

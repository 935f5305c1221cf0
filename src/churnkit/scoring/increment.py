"""Scoring only those whose rows have changed: what a run leaves for the next one of its day."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from churnkit.atomic import whole_file
from churnkit.explain.reasons import Phrases, Themes
from churnkit.lights import Firing
from churnkit.logs import CustomerLogs, Texts
from churnkit.model import ChurnModel
from churnkit.progress import Progress, silent
from churnkit.scoring.fingerprints import Fingerprints
from churnkit.scoring.sweep import REASONS_TOLD, Found, Sought, find

if TYPE_CHECKING:
    import pyarrow as pa

_TOLD, _DIGEST_BYTES = b"churnkit", 32


@dataclass(frozen=True)
class Increment:
    """What a run left of each customer by itself.

    Attributes
    ----------
    grounds
        Hash of what decided it but for the logs.
    prints
        Fingerprints of all customers with an event before the cutoff.
    found
        What was found of those at risk, reasons as they were found first.
    """

    grounds: str
    prints: Fingerprints
    found: Found


def only_full(model: ChurnModel, light_looks_at: Sequence[str]) -> str:
    """Why all customers must be scored anew if one has changed; empty if they need not.

    Parameters
    ----------
    model
        The model.
    light_looks_at
        Features that the rules look at.
    """
    if model.middle is None:
        return "the model does not know the medians of its training: train anew"
    asked = {*model.names, *light_looks_at}
    market = [c.name for c in model.spec.columns() if c.feature.streams and c.name in asked]
    if market:
        more = f" and {len(market) - 1} more" if len(market) > 1 else ""
        return f"{market[0]}{more} of the model compares each customer with all others"
    return ""


def find_changed(
    logs: CustomerLogs,
    sought: Sought,
    earlier: Increment,
    prints: Fingerprints,
    progress: Progress = silent,
) -> tuple[Found | None, int]:
    """What `find` finds, of which only new and changed customers are looked at; and how many.

    Parameters
    ----------
    logs, sought
        As for `find`.
    earlier
        What the earlier run left; what is sought must be the same.
    prints
        The fingerprints of now.
    progress
        Told how many customers are done.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    changed, gone = prints.changed_since(earlier.prints)
    anew = find(logs, sought, among=changed, progress=progress) if changed else None
    old = earlier.found
    other = pc.is_in(old.customer, value_set=pa.array([*changed, *gone], pa.string()))
    rest = old.where(np.flatnonzero(~other.to_numpy(zero_copy_only=False)))
    if anew is None:
        return (rest if len(rest) else None), len(changed)
    numbers = _renumbered(rest, anew.phrases)
    both = Found.joined([anew, replace(rest, numbers=numbers, phrases=anew.phrases)])
    order = pc.sort_indices(both.customer).to_numpy()
    return both.where(order), len(changed)


def _renumbered(found: Found, phrases: Phrases) -> np.ndarray:
    """The numbers of the sentences among other phrases, which are told of all of them."""
    heads = np.array([*map(phrases.number_of, found.phrases.heads), -1], dtype=np.int32)
    tails = np.array([*map(phrases.tail_of, found.phrases.tails), -1], dtype=np.int32)
    return np.stack([heads[found.numbers[..., 0]], tails[found.numbers[..., 1]]], axis=-1)


def keep(increment: Increment, path: Path) -> None:
    """Write what a run leaves; the file appears whole or not at all.

    Raises
    ------
    ConfigError
        If the folder cannot be written to.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    found, prints = increment.found, increment.prints
    place = pc.index_in(found.customer, value_set=prints.customer).to_numpy()
    columns: dict[str, Any] = {"customer_id": prints.customer, "fingerprint": prints.value}
    at_risk = np.zeros(len(prints.value), dtype=bool)
    at_risk[place] = True
    columns["at_risk"] = at_risk
    for name, values in _columns(found).items():
        whole = np.zeros(len(at_risk), dtype=values.dtype)
        whole[place] = values
        columns[name] = whole
    told = {
        "grounds": increment.grounds,
        "combinations": found.firing.combinations.tolist(),
        "heads": found.phrases.heads,
        "tails": found.phrases.tails,
        "classes": {name: list(texts.words) for name, texts in found.classes.items()},
        "within": list(found.within),
    }
    table = pa.table(columns).replace_schema_metadata({_TOLD: json.dumps(told).encode()})
    with whole_file(path) as aside:
        pq.write_table(table, aside, compression="lz4")
        digest = _digest(aside)
        with aside.open("ab") as file:
            file.write(digest)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return file_digest(file, "sha256").digest()


def _columns(found: Found) -> dict[str, np.ndarray]:
    told = {
        "probability": found.probability, "value": found.value, "firing": found.firing.code,
        "sides": found.sides, "leading": found.leading, "exact": found.exact,
    }  # fmt: skip
    for k in range(REASONS_TOLD):
        told |= {f"head {k}": found.numbers[:, k, 0], f"tail {k}": found.numbers[:, k, 1]}
    told |= {f"within {days}": p for days, p in found.within.items()}
    return told | {f"class {name}": texts.code for name, texts in found.classes.items()}


def kept(path: Path, sought: Sought, grounds: str) -> Increment | str:
    """What an earlier run left, if it was made on the same grounds; else why it cannot be used."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        return "no run of the day has left anything to go on from"
    try:
        content = path.read_bytes()
        whole, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        if sha256(whole).digest() != digest:
            raise ValueError("it is not as it was written")
        table = pq.read_table(pa.BufferReader(whole))
        told = json.loads(table.schema.metadata[_TOLD])
        if told["grounds"] != grounds:
            return "model, settings or churnkit are not those of the last run of the day"
        return _restored(table, told, sought)
    except (OSError, pa.ArrowException, LookupError, TypeError, ValueError) as error:
        return f"what the last run left cannot be read ({error})"


def _restored(table: pa.Table, told: dict[str, Any], sought: Sought) -> Increment:
    prints = Fingerprints(
        table["customer_id"].combine_chunks(), table["fingerprint"].to_numpy().astype(np.uint64)
    )
    rows = table.filter(table["at_risk"])

    def column(name: str) -> np.ndarray:
        values: np.ndarray = rows[name].to_numpy()
        return values

    rules = sought.light.in_force(sought.as_of)
    shape = (len(told["combinations"]), len(rules))
    combinations = np.array(told["combinations"], dtype=bool).reshape(shape)
    phrases = Phrases(Themes.of(sought.model))
    for texts, number_of in ((told["heads"], phrases.number_of), (told["tails"], phrases.tail_of)):
        for text in texts:
            number_of(text)
    parts = [
        np.stack([column(f"{part} {k}") for k in range(REASONS_TOLD)], axis=1)
        for part in ("head", "tail")
    ]
    found = Found(
        customer=rows["customer_id"].combine_chunks(),
        probability=column("probability"),
        value=column("value"),
        within={days: column(f"within {days}") for days in told["within"]},
        saved=None,
        firing=Firing(rules, combinations, column("firing")),
        sides=column("sides"),
        numbers=np.stack(parts, axis=-1),
        leading=column("leading"),
        exact=column("exact"),
        classes={
            name: Texts(tuple(words), column(f"class {name}"))
            for name, words in told["classes"].items()
        },
        phrases=phrases,
    )
    return Increment(told["grounds"], prints, found)

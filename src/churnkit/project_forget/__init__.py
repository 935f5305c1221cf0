"""The step of a project that forgets people: out of all that was written, with a proof."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from churnkit import __version__
from churnkit.clock import Cutoff
from churnkit.config import Settings
from churnkit.errors import ConfigError, DataError, NothingToDo, did_you_mean
from churnkit.forgetting import FOLDER, begun, read_suppression, write_proof, write_suppression
from churnkit.mentions import Mentions
from churnkit.nightly import alone
from churnkit.progress import Progress, silent
from churnkit.project_forget.journals import Journals
from churnkit.project_forget.places import Place, places_of
from churnkit.project_forget.remains import digests, in_logs, models, remains
from churnkit.project_outcomes import deeds_of
from churnkit.publishing import ScoreStore
from churnkit.sources.naming import id_as_read
from churnkit.suppression import Suppression

_FORMAT = 1
_SHOWN = 5


def forget_project(
    settings: Settings,
    customers: Sequence[str],
    on: Cutoff,
    *,
    dry_run: bool = False,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Take people out of everything that churnkit wrote for a project, and leave them out since.

    A removal that was cut short is finished by the same command.

    Parameters
    ----------
    settings
        The project.
    customers
        Ids, as they stand in the logs or in the scores.
    on
        The day that the proof bears.
    dry_run
        Only tell what would be removed.
    progress
        Told what is being done.

    Returns
    -------
    dict
        JSON-ready: ``on``, ``dry_run``, ``forgotten`` (a proof for each person: ``customer``, its
        salted hash, ``places``, ``sha256``, ``models``, ``remains`` …), ``unknown`` (those of whom
        nothing is known, as they were given), and ``paths`` of the proofs.

    Raises
    ------
    Busy
        If another run is at work.
    NothingToDo
        If nothing is known of any of them.
    ConfigError
        If nobody is named, or something cannot be written; what was not reached then is reached by
        the same command.
    DataError
        If something is damaged and nobody can say whose rows it holds, or a store refuses.
    """
    if not customers:
        raise ConfigError("nobody is named who is to be forgotten", "Name a customer, or a --file.")
    given = {_called(settings, text): text for text in customers}
    with _alone(settings) as store:
        listed = read_suppression(settings.ledger) or Suppression.of_nobody()
        progress("looking where they are")
        known = _known(settings, store, listed, [*given])
        if not known:
            raise _nobody(settings, list(given.values()))
        work = _Forgetting(settings, store, listed, Mentions(known), on, progress)
        proofs = work.foreseen() if dry_run else work.done()
        paths = [] if dry_run else [write_proof(proof, settings.ledger) for proof in proofs]
    return {
        "on": str(on),
        "dry_run": dry_run,
        "forgotten": proofs,
        "unknown": [text for name, text in given.items() if name not in known],
        "paths": [{name: str(path) for name, path in told.items()} for told in paths],
    }


def _called(settings: Settings, text: str) -> str:
    """What all that was written calls a customer."""
    if settings.privacy.pseudonymise:
        return settings.customer_named(text)
    return id_as_read(text, settings.ids_mapping())


@contextmanager
def _alone(settings: Settings) -> Iterator[ScoreStore]:
    """The published scores, while nobody else runs, publishes or records."""
    store = settings.score_store()
    with alone(settings.ledger), store.lock(), deeds_of(settings).locked():
        yield store


def _known(
    settings: Settings, store: ScoreStore, listed: Suppression, names: Sequence[str]
) -> list[str]:
    """Those of whom there is a row, or a removal that was begun."""
    places = places_of(settings, store, Mentions(names))
    found = sum((place.count() for place in places), Counter[str]())
    known = [n for n in names if found[n] or begun(settings.ledger, listed.hash_of(n))]
    fresh = [n for n in names if n not in known and not listed.covers(n)]
    return known + [n for n in fresh if sum(in_logs(settings, listed, [n])[0].values())]


def _nobody(settings: Settings, customers: Sequence[str]) -> NothingToDo:
    told = ", ".join(map(repr, customers[:_SHOWN])) + (" …" if len(customers) > _SHOWN else "")
    like = settings.open_ledger().like(customers[0])
    return NothingToDo(
        f"nothing is known of {told}: no store of this project holds a row of theirs, and no log "
        "one that is read",
        f"{did_you_mean(customers[0], like)}Write the id as it stands in the logs. Of whoever was "
        f"forgotten before there is a proof in {settings.ledger / FOLDER}.",
    )


class _Forgetting:
    """Some people on their way out of a project whose locks are held."""

    def __init__(
        self,
        settings: Settings,
        store: ScoreStore,
        listed: Suppression,
        mentions: Mentions,
        on: Cutoff,
        progress: Progress,
    ) -> None:
        self._settings, self._on, self._progress = settings, on, progress
        self._mentions, self._listed = mentions, listed
        self._store = store
        self._places = places_of(settings, store, mentions)

    def foreseen(self) -> list[dict[str, Any]]:
        """What would be told of each of them."""
        return [
            {**proof, "remains": self._remains(done=False)}
            for proof in self._begun([(place, place.count()) for place in self._places]).values()
        ]

    def done(self) -> list[dict[str, Any]]:
        """Remove them, and tell of each what was removed and what remains."""
        folder = self._settings.ledger
        told = self._begun([(place, place.count()) for place in self._places])
        journals = Journals.of(self._settings)
        # First of all: from here on no run takes them in again, whatever becomes of this one.
        hashes = map(self._listed.hash_of, self._mentions.names)
        write_suppression(self._listed.with_hashes(*hashes), folder)
        for name, proof in told.items():
            earlier = begun(folder, self._listed.hash_of(name))
            told[name] = proof if earlier is None else earlier
            write_proof(told[name], folder)
        for place in self._places:
            self._progress(f"taking them out: {place.name}")
            place.remove()
        journals.forget(self._mentions, self._store)
        self._require_gone()
        left = self._remains(done=True)
        end = {"finished": True, "sha256": digests(self._settings), "remains": left}
        gone = (
            {**proof, "places": [{**place, "after": 0} for place in proof["places"]]}
            for proof in told.values()
        )
        return [{**proof, **end} for proof in gone]

    def _begun(self, places: Sequence[tuple[Place, Counter[str]]]) -> dict[str, dict[str, Any]]:
        """Customer → the proof as far as it is known before anything is removed."""
        return {name: self._proof(name, places) for name in self._mentions.names}

    def _proof(
        self, name: str, places: Sequence[tuple[Place, Mapping[str, int]]]
    ) -> dict[str, Any]:
        return {
            "format": _FORMAT,
            "on": str(self._on),
            "finished": False,
            "customer": self._listed.hash_of(name),
            "churnkit": __version__,
            "places": [
                {"place": place.name, "says": place.says, "before": rows[name], "after": None}
                for place, rows in places
                if rows[name]
            ],
            "models": models(self._settings),
            "sha256": {},
            "remains": [],
        }

    def _remains(self, *, done: bool) -> list[str]:
        return list(remains(self._settings, self._listed, self._mentions, done=done))

    def _require_gone(self) -> None:
        there = [place.name for place in self._places if place.count()]
        if there:
            raise DataError(
                f"{', '.join(there)}: there are still rows of those who were to be forgotten",
                "Somebody wrote to it meanwhile: give the same command again.",
            )


def read_customers(file: Path) -> list[str]:
    """The ids of a file, one a line.

    Raises
    ------
    DataError
        If it cannot be read, or is no text in UTF-8.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise DataError(f"{file} cannot be read ({why})", "Give one id a line.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]

"""The scores of a project on their way to readers: what decides them, and publishing them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit import __version__, bundle
from churnkit.actions import Actions
from churnkit.changes import NEEDED, Before
from churnkit.clock import Cutoff
from churnkit.config import Settings
from churnkit.inputs import inputs_told
from churnkit.ledger import Ledger
from churnkit.lights import Evidence, Override, TrafficLight, read_overrides
from churnkit.logs import CustomerLogs, Texts
from churnkit.model import ChurnModel
from churnkit.progress import Progress
from churnkit.project_outcomes import deeds_of, saved_by_acting
from churnkit.publishing import Manifest, ScoreStore
from churnkit.scoring import Found, Scores, Sought, Totals
from churnkit.scoring.fingerprints import Fingerprints, fingerprints
from churnkit.scoring.increment import Increment, find_changed, keep, kept, only_full
from churnkit.scoring.population import nobody_at_risk
from churnkit.scoring.rows import plan_of, run_tables
from churnkit.scoring.run import decide, seek
from churnkit.scoring.sweep import find

if TYPE_CHECKING:
    import pandas as pd

SUMMARY_FORMAT = 2
"""Of what a manifest tells the report; a page is made of older ones if they hold all of it."""

_DRAWN = tuple(f"customer {k}" for k in range(256))


@dataclass(frozen=True)
class Asked:
    """What is to be scored: a day of a project, with a model and its card.

    Attributes
    ----------
    settings, model, card, as_of, within, actions
        The project, what scores and its card, when, shorter horizons, and what is done about it.
    warnings
        What is to be told beside the scores.
    """

    settings: Settings
    model: ChurnModel
    card: Mapping[str, Any]
    as_of: Cutoff
    within: tuple[int, ...]
    actions: Actions
    warnings: tuple[str, ...] = ()

    @cached_property
    def overrides(self) -> dict[str, Override]:
        """Customer → the override that holds."""
        return read_overrides(self.settings.ledger).at(self.as_of)

    @property
    def light(self) -> TrafficLight:
        """The traffic light, once it has looked at the tests of the model."""
        return self.settings.light().fit(Evidence.from_told(self.card.get("evidence", ())))


@dataclass(frozen=True)
class Published:
    """What is published for a day now.

    Attributes
    ----------
    manifest
        The run.
    summary
        What its report tells.
    unchanged
        Whether it was there already.
    scored
        Customers who were looked at; ``None`` where nobody was.
    says
        What became of the run, in a sentence.
    scores
        The scores; ``None`` where nobody was looked at.
    """

    manifest: Manifest
    summary: dict[str, Any]
    unchanged: bool
    scored: int | None
    says: str
    scores: Scores | None = None

    def told(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "run": self.manifest.run,
            "unchanged": self.unchanged,
            "scored": self.scored,
            "says": self.says,
        }


Summarise = Callable[[Asked, CustomerLogs, Totals], dict[str, Any]]


def publish(
    asked: Asked,
    store: ScoreStore,
    logs: CustomerLogs,
    progress: Progress,
    summarise: Summarise,
    *,
    force: bool = False,
    incremental: bool = False,
    anew: bool = False,
) -> Published:
    """Score the customers of a day and publish it, unless that is published already.

    Parameters
    ----------
    asked, store, logs, progress
        What is to be scored, where it is published (the lock must be held), checked logs, and what
        is told of the progress.
    summarise
        Tells of the logs and of all scores together what the report is to hold.
    force
        Publish anew what is there already.
    incremental
        Score only the customers whose rows have changed, where that gives the same.
    anew
        Score though the same is published: the scores are wanted.
    """
    progress("comparing the logs with those of the last run")
    prints = fingerprints(logs, asked.as_of, progress)
    day_before, before = run_before(asked.settings, asked.as_of)
    grounds = Grounds.of(
        asked.settings, asked.model, asked.as_of, asked.overrides, day_before, asked.within
    )
    key = grounds.key(prints.sha256)
    known = None if force else store.published(asked.as_of, key)
    if known is not None and not anew and known.told.get("summary_format") == SUMMARY_FORMAT:
        says = f"already published as run {known.run}: nothing has changed"
        return Published(known, dict(known.told["summary"]), True, None, says)
    saved, warnings = None, asked.warnings
    if asked.settings.calls.rank_by == "uplift":
        progress("learning from outcomes whom acting keeps")
        saved, why = saved_by_acting(asked.settings, asked.model, logs, asked.as_of)
        warnings += () if saved is not None else (why,)
    progress(f"scoring as of {asked.as_of}")
    classes = {asked.settings.calls.segment, *asked.actions.playbooks.columns} - {""}
    sought = seek(
        asked.model, logs, asked.as_of, asked.light, asked.within, saved=saved,
        margin=asked.settings.money.margin, classes=sorted(classes),
    )  # fmt: skip
    if before is not None:
        Before.require(before)
    left = store.folder / "increment" / f"{str(asked.as_of).replace(':', '_')}.parquet"
    found, scored, full = _found(
        logs, sought, prints, grounds, left if incremental else None, progress
    )
    if found is None:
        raise nobody_at_risk(asked.model.question, logs, asked.as_of)
    scores = decide(logs, sought, found, before, asked.overrides)
    plan = planned_for(asked.settings, asked.actions, scores)
    totals = Totals.of(scores, plan)
    summary = summarise(replace(asked, warnings=warnings), logs, totals)
    told = run_told(asked, grounds, logs, prints.sha256, totals, summary)
    progress("publishing")
    with store.publication(asked.as_of, key, force=force) as publication:
        for table in run_tables(scores, plan):
            publication.write(table)
        manifest = publication.publish(told)
    if incremental and not full.startswith(_NEVER):
        keep(Increment(grounds.of_customers, prints, found), left)
        for other in set(left.parent.glob("*.parquet")) - {left}:
            other.unlink()  # of one day only; nobody goes on from the others
    says = f"published as run {manifest.run}"
    if incremental:
        says += f"; {full}" if full else f"; the rows of {scored:,} customers had changed"
    return Published(manifest, summary, known is not None, scored, says, scores)


def run_told(
    asked: Asked,
    grounds: Grounds,
    logs: CustomerLogs,
    prints: str,
    totals: Totals,
    summary: Mapping[str, Any],
) -> dict[str, Any]:
    """What the manifest of a run tells beside what every manifest does.

    Parameters
    ----------
    asked, grounds, logs
        What was scored, on what grounds, of which logs.
    prints
        A hash of the fingerprints of all customers.
    totals, summary
        What all of it came to, and what the report tells.
    """
    return {
        "model": {"version": grounds.version, "rung": asked.model.rung, "sha256": grounds.model},
        "inputs": {**inputs_told(logs, asked.as_of, with_digests=False), "sha256": prints},
        "config": grounds.config,
        **asked.settings.told_pseudonyms(),
        "lights": totals.counts,
        "counts": totals.planned,
        "summary_format": SUMMARY_FORMAT,
        "summary": _finite(summary),
    }


_NEVER = "all customers were scored: "


def _found(
    logs: CustomerLogs,
    sought: Sought,
    prints: Fingerprints,
    grounds: Grounds,
    left: Path | None,
    progress: Progress,
) -> tuple[Found | None, int, str]:
    """What is found of each customer, how many were looked at, and why all, if that was not asked.

    Parameters
    ----------
    logs, sought, prints, grounds
        What is sought in which logs, on what grounds.
    left
        What the last run left, if only those who have changed are to be looked at.
    progress
        Told how many customers are done.
    """
    if left is None:
        found = find(logs, sought, progress=progress)
        return found, 0 if found is None else len(found), ""
    looked_at = [c.feature for rule in sought.light.rules for c in rule.conditions]
    why = only_full(sought.model, looked_at)
    if not why and sought.saved is not None:
        why = "whom acting keeps is learnt from all customers"
    if why:
        found = find(logs, sought, progress=progress)
        return found, 0 if found is None else len(found), _NEVER + why
    earlier = kept(left, sought, grounds.of_customers)
    if isinstance(earlier, str):
        found = find(logs, sought, progress=progress)
        return found, 0 if found is None else len(found), f"all customers are new: {earlier}"
    return *find_changed(logs, sought, earlier, prints, progress), ""


def _finite(told: Any) -> Any:
    """JSON-ready values without NaN and infinity, which are unknown then."""
    if isinstance(told, Mapping):
        return {str(name): _finite(value) for name, value in told.items()}
    if isinstance(told, list | tuple):
        return [_finite(value) for value in told]
    return None if isinstance(told, float) and not isfinite(told) else told


@dataclass(frozen=True)
class Grounds:
    """All that decides the scores of a day but the logs.

    Attributes
    ----------
    model
        Hash of the model.
    version
        What the model is called.
    config
        Hash of ``churnkit.toml``.
    draw
        Hash of whom the holdout draws, which a key outside of the settings decides.
    overrides
        Hash of the overrides in force.
    before
        Hash of the run before, empty without one.
    outcomes
        Hash of the outcomes and runs that an uplift is learnt from, empty where risk ranks.
    within
        Shorter horizons, in days.
    as_of
        The cutoff.
    churnkit
        The version of churnkit.
    """

    model: str
    version: str
    config: str
    draw: str
    overrides: str
    before: str
    outcomes: str
    within: tuple[int, ...]
    as_of: str
    churnkit: str = __version__

    @classmethod
    def of(
        cls,
        settings: Settings,
        model: ChurnModel,
        as_of: Cutoff,
        overrides: Mapping[str, Override],
        day_before: str | None,
        within: tuple[int, ...],
    ) -> Grounds:
        """The grounds of a run that is to be made now."""
        ledger = settings.open_ledger()
        learns = settings.calls.rank_by == "uplift"
        arms = settings.actions().holdout.arms(_DRAWN).tolist()
        return cls(
            model=bundle.fingerprint(model),
            version=model.version,
            config=settings.sha256,
            draw=_digest(arms),
            overrides=_digest([asdict(overrides[name]) for name in sorted(overrides)]),
            before="" if day_before is None else content_of(ledger, day_before),
            outcomes=_learnt_from(settings, ledger) if learns else "",
            within=within,
            as_of=f"{as_of} {as_of.zone}",
        )

    @property
    def sha256(self) -> str:
        """A hash of them all."""
        return _digest(asdict(self))

    @property
    def of_customers(self) -> str:
        """A hash of what decides what is found of each customer by itself."""
        parts = (self.model, self.config, self.within, self.as_of, self.churnkit)
        return _digest(parts)

    def key(self, prints: str) -> str:
        """The key of the run: a hash of what decides it, and of the logs before the cutoff.

        Parameters
        ----------
        prints
            A hash of the fingerprints of all customers.
        """
        return _digest([self.sha256, prints])


def run_before(settings: Settings, as_of: Cutoff) -> tuple[str | None, pd.DataFrame | None]:
    """Day and rows of the run before, as far as the next one must know it."""
    ledger = settings.open_ledger()
    day = ledger.day_before(as_of)
    return day, None if day is None else ledger.read(day, NEEDED)


def planned_for(settings: Settings, actions: Actions, scores: Scores) -> dict[str, Texts]:
    """The segment of each customer, and what is planned for it."""
    return plan_of(scores, actions, settings.calls.segment)


def _digest(told: Any) -> str:
    return sha256(json.dumps(told, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def content_of(ledger: Ledger, day: str) -> str:
    """Hash of the run of a day that counts."""
    runs = ledger.runs()
    theirs = runs[(runs["as_of"] == day) & runs["counts"].astype(bool)]
    return str(theirs["content"].iloc[-1])


def _learnt_from(settings: Settings, ledger: Ledger) -> str:
    """Hash of the outcomes, and of the runs they belong to."""
    deeds = deeds_of(settings).current()
    runs = ledger.runs()[["as_of", "content"]]
    return _digest([deeds.to_csv(index=False), runs.to_csv(index=False)])

"""`Record`: what the registry is told of a model, made from its card alone.

So a bundle that is logged later, when nothing of its training is left but the bundle, gives the
same record as one that is logged at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from churnkit.clock import Cutoff

SHOWN = ("auroc", "log_loss")
"""The metrics in the list of versions."""

_NUMBER = r"(-?\d+\.\d+)"
_ESTIMATE = re.compile(rf"{_NUMBER}(?: \[{_NUMBER}, {_NUMBER}\])?")
_ENDS = {"value": "", "low": "_low", "high": "_high"}


@dataclass(frozen=True)
class Measured:
    """One number of one trial.

    Attributes
    ----------
    name, value
        ``auroc`` of the model itself, ``rfm_logistic/auroc`` of a rung of its ladder, and
        ``auroc_low``, ``auroc_high`` for the ends of the interval.
    trial
        1 for the earliest trial; the last one is the test.
    cutoff
        Test cutoff of the trial.
    """

    name: str
    value: float
    trial: int
    cutoff: Cutoff


@dataclass(frozen=True)
class Record:
    """What is told of a model beside its bundle.

    Attributes
    ----------
    parameters
        What it was made with.
    metrics
        What its trials showed.
    tags
        What the list of versions shows, as texts.
    note
        The card in Markdown.
    says
        The card in a sentence or two.
    source
        Program and commit that made it, either of which may be empty.
    logs
        What it learnt from: for each log ``log``, ``source``, ``sha256`` and some counts.
    inputs
        Its features in order: ``name``, ``type`` (``integer``, ``float`` or ``double``) and
        ``example``, a few values that are no customer's.
    files
        Path → text of files to be kept beside.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Measured] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    says: str = ""
    source: tuple[str, str] = ("", "")
    logs: Sequence[Mapping[str, Any]] = ()
    inputs: Sequence[Mapping[str, Any]] = ()
    files: Mapping[str, str] = field(default_factory=dict)


def record_of(card: Mapping[str, Any], note: str, files: Mapping[str, str]) -> Record:
    """The record of a model.

    Parameters
    ----------
    card, note
        Its card, as JSON-ready values and as Markdown.
    files
        Path → text of drawings.
    """
    origin = card["origin"]
    return Record(
        parameters=_parameters(card),
        metrics=[*_measured(card), *_earned(card)],
        tags=_tags(card),
        note=note,
        says=f"Asks: {card['question']}.\n\n{card['verdict']}.",
        source=(f"churnkit {card['churnkit']}", origin.get("commit", "")),
        logs=origin.get("logs", ()),
        inputs=card["inputs"],
        files={"card.md": note, **files},
    )


def _parameters(card: Mapping[str, Any]) -> dict[str, Any]:
    training, origin = card["training"], card["origin"]
    told = {
        "model": card["model"],
        "question": card["question"],
        **{key: card[key] for key in ("churn", "horizon_days", "lookback_days", "timezone")},
        "features": card["features"],
        "training_cutoffs": ", ".join(training["cutoffs"]),
        "training_rows": training["rows"],
        "training_customers": training["customers"],
        "test_cutoffs": ", ".join(trial["cutoff"] for trial in card["trials"]),
        "churnkit": card["churnkit"],
        "commit": origin.get("commit"),
        "config_sha256": origin.get("config_sha256"),
        "estimator": card["estimator"]["kind"],
        **dict(_flat("estimator", card["estimator"]["parameters"])),
        **dict(_flat("seeds", card["seeds"])),
        **dict(_flat("money", card["profit"]["money"])),
    }
    return {key: value for key, value in told.items() if value not in (None, "")}


def _flat(name: str, told: Any) -> Iterator[tuple[str, Any]]:
    """Nested values under names such as ``estimator.members.0.trees``; missing ones left out."""
    if isinstance(told, Mapping):
        for key, value in told.items():
            yield from _flat(f"{name}.{key}", value)
    elif isinstance(told, list | tuple) and any(isinstance(v, Mapping | list) for v in told):
        for place, value in enumerate(told):
            yield from _flat(f"{name}.{place}", value)
    elif told is not None:
        yield name, told


def _measured(card: Mapping[str, Any]) -> Iterator[Measured]:
    """The numbers of the model itself, and then, under their names, those of every rung."""
    for prefixed in (False, True):
        for nth, trial in enumerate(card["trials"], start=1):
            cutoff = Cutoff.parse(trial["cutoff"], card["timezone"])
            for rung, metrics in trial["metrics"].items():
                if prefixed or rung == card["model"]:
                    prefix = f"{rung}/" if prefixed else ""
                    yield from _numbers(prefix, metrics, nth, cutoff)


def _numbers(
    prefix: str, found: Mapping[str, Any], trial: int, cutoff: Cutoff
) -> Iterator[Measured]:
    """The known values and interval ends of some estimates."""
    for name, estimate in found.items():
        if isinstance(estimate, Mapping) and _ENDS.keys() == estimate.keys():
            for end, suffix in _ENDS.items():
                if estimate[end] is not None:
                    yield Measured(f"{prefix}{name}{suffix}", estimate[end], trial, cutoff)


def _earned(card: Mapping[str, Any]) -> Iterator[Measured]:
    """What the profit of the test is made of, under ``profit/``."""
    cutoff = Cutoff.parse(card["trials"][-1]["cutoff"], card["timezone"])
    yield from _numbers("profit/", card["profit"], len(card["trials"]), cutoff)


def _tags(card: Mapping[str, Any]) -> dict[str, str]:
    test = card["trials"][-1]
    found = test["metrics"][card["model"]]
    waived = [g["name"] for g in card["gates"] if g.get("waived")]
    failed = [g["name"] for g in card["gates"] if not g["passed"] and g["name"] not in waived]
    gates = f"failed: {', '.join(failed)}" if failed else "passed"
    told = {
        "model": card["model"],
        "question": card["question"],
        "test_cutoff": test["cutoff"],
        "gates": f"{gates}; waived: {', '.join(waived)}" if waived else gates,
        **{
            metric: written(found[metric]) for metric in SHOWN if found[metric]["value"] is not None
        },
    }
    return told | ({"grade": str(card["grade"])} if card.get("grade") else {})


def written(estimate: Mapping[str, float | None]) -> str:
    """An estimate as a tag has it: ``0.7301 [0.7170, 0.7432]``, or without what is unknown."""
    value, low, high = (estimate[end] for end in _ENDS)
    ends = "" if low is None or high is None else f" [{low:.4f}, {high:.4f}]"
    return f"{value:.4f}{ends}"


def read(tag: str | None) -> dict[str, float | None]:
    """The estimate of a tag, to four digits; unknown where somebody wrote something else there.

    >>> read("0.7301 [0.7170, 0.7432]")
    {'value': 0.7301, 'low': 0.717, 'high': 0.7432}
    """
    found = _ESTIMATE.fullmatch(tag or "")
    texts = found.groups() if found else [None] * len(_ENDS)
    return {end: None if t is None else float(t) for end, t in zip(_ENDS, texts, strict=True)}

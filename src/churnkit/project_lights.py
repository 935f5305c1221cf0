"""The steps of a project that are about lights: overrides, and what other policies would do."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from churnkit.clock import Cutoff, has_come
from churnkit.config import Settings
from churnkit.errors import Busy, ConfigError, did_you_mean
from churnkit.features import FeatureSpec
from churnkit.lights import (
    TrafficLight,
    clear_override,
    read_overrides,
    require_features,
    set_override,
)
from churnkit.progress import Progress, silent
from churnkit.project_outcomes import untreated
from churnkit.replay import replay, score_weeks, without_hysteresis
from churnkit.report.replay import replay_summary, write_replay

POLICIES = ("fixed", "capacity", "cost", "promise")


def set_light(
    settings: Settings,
    customer: str,
    light: str,
    day: Cutoff,
    until: Cutoff,
    owner: str,
    reason: str,
) -> dict[str, Any]:
    """Override the light of a customer who has been scored; see `churnkit.lights.set_override`.

    Raises
    ------
    ConfigError
        If the customer is in no run up to that day, or the override could never hold.
    """
    customer = settings.customer_named(customer)
    before = _light_of(settings, customer, day)
    entry = set_override(settings.ledger, customer, light, day, until, owner, reason, before)
    _add_to_ledger(settings)
    return asdict(entry)


def clear_light(
    settings: Settings, customer: str, day: Cutoff, owner: str, reason: str
) -> dict[str, Any]:
    """Take the override of a customer back; see `churnkit.lights.clear_override`."""
    named = settings.customer_named(customer)
    entry = clear_override(settings.ledger, named, day, owner, reason)
    _add_to_ledger(settings)
    return asdict(entry)


def _add_to_ledger(settings: Settings) -> None:
    with suppress(Busy):  # the next scoring adds it
        known = read_overrides(settings.ledger).entries
        settings.open_ledger().add_deeds([asdict(entry) for entry in known])


def list_lights(settings: Settings, day: Cutoff, everything: bool = False) -> dict[str, Any]:
    """The overrides that hold on a day, or all entries that were ever made.

    Returns
    -------
    dict
        ``as_of`` and ``overrides``, JSON-ready.
    """
    known = read_overrides(settings.ledger)
    told = [asdict(entry) for entry in known.entries] if everything else known.told(day)
    return {"as_of": str(day), "overrides": told}


def _light_of(settings: Settings, customer: str, day: Cutoff) -> str:
    """The light of a customer in the latest run up to a day; empty if it was in an earlier one."""
    ledger = settings.open_ledger()
    days = [d for d in ledger.days() if has_come(settings.cutoff(d), day)]
    if not days:
        raise ConfigError(
            f"no run is known up to {day}", f"Score first: churnkit score --as-of {day}."
        )
    for told in reversed(days):
        run = ledger.read(told, ("customer_id", "light"))
        theirs = run.loc[run["customer_id"] == customer, "light"]
        if len(theirs):
            return str(theirs.iloc[0]) if told == days[-1] else ""
    raise ConfigError(
        f"customer {customer!r} is in no run up to {day}",
        f"{did_you_mean(customer, ledger.like(customer))}Write the id as it stands in the scores; "
        "only customers at risk have a light.",
    )


def simulate_lights(
    settings: Settings,
    policies: Sequence[str] = POLICIES,
    weeks: int = 8,
    html: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Replay policies over consecutive weekly scorings of the past; write a page if asked.

    Each is shown with the rules and the hysteresis of the settings; that of the settings without
    hysteresis as well.

    Parameters
    ----------
    settings
        The project.
    policies
        Names of `POLICIES`, in the order in which they are shown.
    weeks
        How many scorings, at least 2.
    html
        Where the page is written.
    progress
        Told what is being done.

    Returns
    -------
    dict
        See `churnkit.report.replay.replay_summary`.

    Raises
    ------
    ConfigError
        If a policy does not exist, or the page would be written over a log.
    GateRefused
        If the history is too short.
    """
    lights = _asked(settings, policies)
    if html is not None:
        settings.require_no_input(html)
    settings.load_features()
    question, schedule = settings.asked(), settings.schedule()
    progress("reading and sorting the logs")
    with settings.open_logs() as logs:
        question.require(logs)
        spec = FeatureSpec.learn(logs, schedule.last_known(logs, question), settings.windows)
        require_features(settings.light().rules, spec)
        found = score_weeks(
            logs, question, schedule, progress, settings.recipe(), weeks,
            settings.money.margin, untreated(settings),
        )  # fmt: skip
    progress(f"replaying {', '.join(lights)}")
    money = settings.money.amounts()
    replayed = [replay(name, light, found, money) for name, light in lights.items()]
    summary = replay_summary(found, replayed)
    if html is not None:
        write_replay(summary, html)
    return summary


def _asked(settings: Settings, policies: Sequence[str]) -> dict[str, TrafficLight]:
    """The lights to replay by their names, that of the settings first and last of all bare."""
    for name in policies:
        if name not in POLICIES:
            raise ConfigError(
                f"there is no policy {name!r}",
                f"{did_you_mean(name, POLICIES)}There are {', '.join(POLICIES)}.",
            )
    own = settings.lights.policy
    names = dict.fromkeys([own, *policies] if own in policies or not policies else policies)
    lights = {
        name: settings.model_copy(
            update={"lights": settings.lights.model_copy(update={"policy": name})}
        ).light()
        for name in names
    }
    first = next(iter(lights))
    bare = without_hysteresis(lights[first])
    return {**lights, f"{first}, no hysteresis": bare}

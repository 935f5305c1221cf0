"""What a model was made from (settings, logs, code), and whether that still holds."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from churnkit.clock import Cutoff
from churnkit.features import BuiltElsewhere
from churnkit.features.registry import own_features
from churnkit.features.windows import Window
from churnkit.labels import Question
from churnkit.logs import Contract, CustomerLogs, Instrument
from churnkit.logs.digest import digests
from churnkit.model import ChurnModel
from churnkit.pseudonyms import FINGERPRINT

_PATIENCE = 10  # seconds; a repository on a slow disk is no reason to wait


def origin(
    logs: CustomerLogs, contract: Contract, config_sha256: str, folder: Path
) -> dict[str, Any]:
    """Where a model comes from, as JSON-ready values for its card.

    Parameters
    ----------
    logs
        What it learns from.
    contract
        How the logs were read.
    config_sha256
        Digest of ``churnkit.toml``.
    folder
        Folder of the project, whose commit is told if it is under git.

    Returns
    -------
    dict
        ``config_sha256``; ``commit``, empty where there is none, ending in ``-dirty`` if files
        were changed since; ``pseudonyms``, the fingerprint of their key, if customers are called
        by them; ``kinds`` and ``instruments``, what was declared of them; ``logs``,
        for each log its ``source``, ``sha256`` (see `churnkit.logs.digest.digests`; ``None`` of
        logs whose events stay elsewhere) and counts.
    """
    return {
        "config_sha256": config_sha256,
        "commit": _commit(folder),
        **_names(contract),
        **_declared(contract),
        "logs": list(_logs(logs)),
    }


def differences(
    model: ChurnModel,
    card: Mapping[str, Any],
    question: Question,
    windows: tuple[Window, ...],
    contract: Contract,
) -> list[str]:
    """What the model was made with that the settings have otherwise now, one text for each.

    Only what changes the meaning of a score or a feature counts: the question, the features, the
    time zone, and what events and answers mean. When and how often is trained does not.

    Parameters
    ----------
    model, card
        The model and its card. A card that does not tell what was declared is not compared.
    question, windows, contract
        What the settings say now. The features of the user's own are those that are loaded.
    """
    was, now = asdict(model.question), asdict(question)
    told = [_changed(key, was.get(key), now[key]) for key in now if was.get(key) != now[key]]
    if model.spec.windows != windows:
        told.append(_changed("windows", _in_words(model.spec.windows), _in_words(windows)))
    told += _own(model.spec.own, own_features())
    static = tuple(column.name for column in model.spec.static)
    if set(static) != set(contract.static):
        told.append(_changed("static", static, contract.static))
    if card["timezone"] != contract.zone:
        told.append(_changed("timezone", card["timezone"], contract.zone))
    key, key_now = card["origin"].get(FINGERPRINT), _names(contract).get(FINGERPRINT)
    if key != key_now:
        told.append(_changed("the key of the pseudonyms", key, key_now))
    for what, declared in _declared(contract).items():
        if what in card["origin"]:
            told += _differing(what, card["origin"][what], declared)
    return told


def _names(contract: Contract) -> dict[str, str]:
    names = contract.pseudonyms
    return {} if names is None else {FINGERPRINT: names.fingerprint}


def _declared(contract: Contract) -> dict[str, dict[str, str]]:
    return {
        "kinds": dict(sorted(contract.kinds.items())),
        "instruments": {scale.name: _scale(scale) for scale in contract.instruments},
    }


def _scale(scale: Instrument) -> str:
    return f"{scale.low:g} to {scale.high:g}, {scale.better} is better, by the {scale.source}"


def _logs(logs: CustomerLogs) -> Iterator[dict[str, Any]]:
    away = isinstance(logs, BuiltElsewhere)
    found = {} if away else digests(logs)
    for check in logs.checks:
        if away or check.log in found:
            days = [None if us is None else str(Cutoff(us, logs.zone).local.date())
                    for us in (check.first, check.last)]  # fmt: skip
            yield {
                "log": check.log,
                "source": check.source,
                "sha256": found.get(check.log),
                "rows": check.kept,
                "customers": check.customers,
                "first": days[0],
                "last": days[1],
            }


def _own(was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*was, *now}):
        if name not in now:
            yield f"its feature {name} is in no file of yours now"
        elif name not in was:
            yield f"your feature {name} is new to it"
        elif was[name] != now[name]:
            yield f"your feature {name} was changed"


def _differing(what: str, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield _changed(f"{name!r} in {what}", was.get(name), now.get(name))


def _changed(what: str, was: Any, now: Any) -> str:
    return f"{what} was {_named(was)} and is {_named(now)}"


def _named(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "empty"
    return "not there" if value is None else str(value)


def _in_words(windows: tuple[Window, ...]) -> tuple[str, ...]:
    return tuple(str(days) for days in windows if days is not None)


def _commit(folder: Path) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    asked = [git, "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}  # to look must change nothing
    try:
        done = subprocess.run(  # noqa: S603 - nothing of it comes from a file or the network
            [*asked, "--exclude=*"],
            capture_output=True, text=True, timeout=_PATIENCE, check=False, env=quiet,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""

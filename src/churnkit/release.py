"""From a training to a model in use (bundle, registry, champion), and back to the model."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

from churnkit import bundle
from churnkit.atomic import AlreadyThere, scratch_folder, whole_file, whole_folder
from churnkit.challenge import Comparison, compare
from churnkit.clock import Cutoff
from churnkit.errors import BundleError, ChurnkitError, ConfigError
from churnkit.lights import TrafficLight
from churnkit.logs import CustomerLogs
from churnkit.model import ChurnModel
from churnkit.registry import (
    CHALLENGER,
    CHAMPION,
    SHOWN,
    Record,
    Registry,
    Version,
    read,
    record_of,
)
from churnkit.report.evidence import drawings
from churnkit.training import Training, card_text

_POINTER = "champion.json"
_NAME = re.compile(r"[^./\\\0][^/\\\0]*")


@dataclass(frozen=True)
class Release:
    """A trained model that was written and logged.

    Attributes
    ----------
    bundle
        Folder of the bundle.
    version
        Version in the registry.
    alias
        ``champion`` if it is now used for scoring, ``challenger`` if it may be, else empty.
    says
        Why, and what can be done about it.
    card
        The card in the bundle, as JSON-ready values.
    compared
        How it compares with the champion it met, if there was one.
    """

    bundle: Path
    version: str
    alias: str
    says: str
    card: Mapping[str, Any]
    compared: Comparison | None = None

    @property
    def champion(self) -> bool:
        """Whether it is now used for scoring."""
        return self.alias == CHAMPION

    def told(self) -> dict[str, Any]:
        """Where it is now, as JSON-ready values; the card is not among them."""
        return {
            "bundle": str(self.bundle),
            "version": self.version,
            "champion": self.champion,
            "alias": self.alias,
            "standing": self.says,
            "comparison": None if self.compared is None else self.compared.told(),
        }


def release(
    training: Training,
    folder: Path,
    registry: Registry,
    light: TrafficLight | None = None,
    *,
    logs: CustomerLogs | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Release:
    """Write the bundle, log and register it, and make it champion if it has earned it.

    A model that fails a gate is kept and registered, and that is all; call
    `Training.require_gates` to turn that into an error. One that passes is the champion if there
    is none or if it is better, see `churnkit.challenge.compare`; else it is the challenger. So it
    is, too, if another one became champion while it was compared and logged.

    Parameters
    ----------
    training
        The model and its evidence.
    folder
        Folder of the bundles.
    registry
        Where it is registered.
    light
        Assigns the lights in its card.
    logs
        What it was trained on; without them it is not compared with a champion.
    origin
        What `churnkit.origin.origin` tells, for its card.

    Raises
    ------
    ChurnkitError
        If the registry cannot be reached; the bundle is written by then and stays.
    """
    card = training.card(light, origin)
    note = card_text(card)
    written = _written(
        folder,
        _stem(training.model),
        lambda path: bundle.save(training.model, path, card, note),
    )
    with _kept(written):
        return _register(written, bundle.card(written), folder, registry, (training, logs))


def push(path: Path, folder: Path, registry: Registry) -> Release:
    """Log and register a bundle that was kept when the registry could not be reached.

    What is logged is the same as would have been then. The logs are not at hand, so that it is
    the champion only if there is none. A bundle that is registered already is not registered again;
    if the registry failed before it got an alias, it gets it now.

    Raises
    ------
    BundleError
        If the folder is no intact bundle.
    ChurnkitError
        If the registry still cannot be reached.
    """
    bundle.load(path)
    card, sha256 = bundle.card(path), bundle.digest(path)
    with _kept(path):
        for known in registry.versions():
            if known.tags.get("sha256") == sha256:
                return _taken_up(path, known, card, folder, registry)
        return _register(path, card, folder, registry)


def models(registry: Registry) -> list[dict[str, Any]]:
    """Every version as JSON-ready values, the latest first.

    Keys: ``version``, ``alias`` (``champion``, ``challenger`` or empty), ``trained``, ``model``,
    ``question``, ``test_cutoff``, ``auroc`` and ``log_loss`` with their intervals, ``grade``,
    ``gates``, ``standing``, ``bundle``, ``sha256``; ``None`` where it was not told.
    """
    keys = ("trained", "model", "question", "test_cutoff", "grade", "gates", "standing", "bundle",
            "sha256")  # fmt: skip
    return [
        {
            "version": version.number,
            "alias": _alias(version),
            **{key: version.tags.get(key) for key in keys},
            **{metric: read(version.tags.get(metric)) for metric in SHOWN},
        }
        for version in registry.versions()
    ]


def promote(named: str, folder: Path, registry: Registry) -> dict[str, Any]:
    """Make a version (its number, or ``challenger``) the champion, once its bundle is verified.

    Returns
    -------
    dict
        ``version``, ``before`` (the champion so far, or ``None``), ``model``, ``question``,
        ``gates`` and ``bundle``, a copy that is used while the registry cannot be reached.

    Raises
    ------
    ConfigError
        If there is no such version.
    BundleError
        If its bundle is not what was registered; the champion stays.
    """
    return _crown(registry.version(named), folder, registry, registry.promote)


def rollback(folder: Path, registry: Registry) -> dict[str, Any]:
    """Make the version champion again that was it before the one that is it now.

    Returns
    -------
    dict
        As `promote`.

    Raises
    ------
    ConfigError
        If there was none.
    BundleError
        If its bundle is not what was registered; the champion stays.
    """
    former = registry.former_champion()
    return _crown(former, folder, registry, lambda _: registry.roll_back())


def champion(folder: Path, registry: Registry) -> tuple[ChurnModel, dict[str, Any], str]:
    """The champion, its card, and a warning (empty when all is well).

    If the registry cannot be reached, the last champion that was seen is used and the warning
    says so.

    Raises
    ------
    ConfigError
        If there is no champion.
    BundleError
        If the bundle was changed.
    """
    try:
        with _fetched(CHAMPION, registry) as (path, version):
            model, card = _loaded(path, version)
            _remember(folder, path, version.number, _named(version))
            return model, card, ""
    except ChurnkitError as error:
        local = _pointed_at(folder)
        if local is None or type(error) is not ChurnkitError:
            raise
        path, number, sha256 = local
        model, card = from_path(path)
        if sha256 is not None and bundle.digest(path) != sha256:
            raise BundleError(
                f"{path} is not the bundle of version {number}, the last champion that was seen",
                f"Put that one back, use another one with --model PATH, or wait for the registry: "
                f"{error.found}",
            ) from error
        return model.called(number), card, f"{error.found}; using {path}"


def from_path(path: Path) -> tuple[ChurnModel, dict[str, Any]]:
    """The model of a bundle folder, named after it, and its card.

    Raises
    ------
    BundleError
        If the folder is no intact bundle.
    """
    return bundle.load(path), bundle.card(path)


def _register(
    written: Path,
    card: Mapping[str, Any],
    folder: Path,
    registry: Registry,
    trained: tuple[Training, CustomerLogs | None] | None = None,
) -> Release:
    """Log a bundle, and give it the alias that it deserves."""
    passed = _passed(card)
    compared = _compared(registry, trained) if passed else None
    version = registry.log(written, _record(written, card, compared))
    if not passed:
        return Release(written, version, "", "it failed a gate, and is not used", card)
    alias, says = _stood(written, version, compared, folder, registry)
    return Release(written, version, alias, says, card, compared)


def _taken_up(
    path: Path, known: Version, card: Mapping[str, Any], folder: Path, registry: Registry
) -> Release:
    """A bundle that is registered already; if it was cut off before its alias, it goes on."""
    alias, says = _alias(known), f"it is version {known.number} already"
    if alias or not _passed(card):
        return Release(path, known.number, alias, says, card)
    standing = _number_of_champion(registry)
    if standing is not None:
        says += f"; version {standing} is the champion ({_all_the_same(known.number)})"
        return Release(path, known.number, "", says, card)
    alias, why = _stood(path, known.number, None, folder, registry)
    return Release(path, known.number, alias, f"{says}; {why}", card)


def _stood(
    written: Path, version: str, compared: Comparison | None, folder: Path, registry: Registry
) -> tuple[str, str]:
    """Give a version that passed its gates the alias that it deserves; return it, and why."""
    met = None if compared is None else compared.champion
    found = "" if compared is None else compared.says
    if compared is not None and not compared.better:
        registry.challenge(version)
        says = f"{found}; version {met} stays the champion ({_all_the_same(version)})"
        return CHALLENGER, says
    stranger = registry.succeed(version, met)
    if stranger is not None:
        registry.challenge(version)
        says = (
            f"version {stranger} became champion meanwhile, and they were not compared "
            f"({_all_the_same(version)})"
        )
        return CHALLENGER, f"{found}; {says}" if found else says
    _remember(folder, written, version, written.resolve().name)
    return CHAMPION, found or "the first champion"


def _all_the_same(version: str) -> str:
    return f"churnkit promote {version} makes this one champion all the same"


def _passed(card: Mapping[str, Any]) -> bool:
    return all(gate["passed"] or gate.get("waived") for gate in card["gates"])


def _compared(
    registry: Registry, trained: tuple[Training, CustomerLogs | None] | None
) -> Comparison | None:
    """How it compares with the champion; ``None`` if there is none."""
    try:
        standing = registry.version(CHAMPION)
    except ConfigError:
        return None
    training, logs = trained or (None, None)
    if training is None or logs is None:
        return Comparison(
            standing.number,
            f"not compared with version {standing.number}, since the logs are not at hand",
        )
    try:
        with _fetched(standing.number, registry) as (path, version):
            return compare(training, _loaded(path, version)[0], logs)
    except ChurnkitError as error:  # a champion that is lost must not stop the one after it
        return Comparison(
            standing.number,
            f"not compared with version {standing.number}, which cannot be loaded: {error.found}",
        )


def _record(written: Path, card: Mapping[str, Any], compared: Comparison | None) -> Record:
    files = {f"plots/{name}": svg for name, svg in drawings(card).items()}
    made = record_of(card, (written / "card.md").read_text(encoding="utf-8"), files)
    tags = {**made.tags, "sha256": bundle.digest(written)}
    if compared is not None:
        tags["standing"] = compared.says
    return replace(made, tags=tags)


def _crown(
    version: Version, folder: Path, registry: Registry, point: Callable[[str], None]
) -> dict[str, Any]:
    before = _number_of_champion(registry)
    with _fetched(version.number, registry) as (path, _):
        _loaded(path, version)
        point(version.number)
        kept = _remember(folder, path, version.number, _named(version))
    told = {key: version.tags.get(key) for key in ("model", "question", "gates")}
    return {"version": version.number, "before": before, **told, "bundle": str(kept)}


def _number_of_champion(registry: Registry) -> str | None:
    return next((v.number for v in registry.versions() if CHAMPION in v.aliases), None)


@contextmanager
def _fetched(named: str, registry: Registry) -> Iterator[tuple[Path, Version]]:
    """A copy of the bundle of a version, which is gone afterwards."""
    with scratch_folder() as copied:
        yield registry.fetch(named, copied)


def _loaded(path: Path, version: Version) -> tuple[ChurnModel, dict[str, Any]]:
    """A bundle from the registry, verified against itself and what was noted of it."""
    model, card = from_path(path)
    noted = version.tags.get("sha256")
    if noted is not None and bundle.digest(path) != noted:
        raise BundleError(
            f"the bundle of version {version.number} is not the one that was registered: "
            "its manifest was changed",
            "Roll back or promote another version, and find out who changed it.",
        )
    return model.called(version.number), card


@contextmanager
def _kept(written: Path) -> Iterator[None]:
    """Say that the bundle is kept, and how it is logged later, if the registry fails."""
    try:
        yield
    except ChurnkitError as error:
        if type(error) is not ChurnkitError:
            raise
        raise ChurnkitError(
            error.found,
            f"The model is kept in {written}. {error.mend} "
            f"Then log it: churnkit models push {written}",
        ) from error


def _stem(model: ChurnModel) -> str:
    return f"{model.rung}-{Cutoff.parse(model.trained_on[-1]).local.date()}"


def _written(folder: Path, stem: str, write: Callable[[Path], object]) -> Path:
    """Write a folder of that name, or with the first number after it that is free; return it."""
    names = chain([stem], (f"{stem}-{k}" for k in count(2)))
    while True:
        path = folder / next(names)
        if not os.path.lexists(path):
            with suppress(AlreadyThere):  # another process was faster
                write(path)
                return path


def _remember(folder: Path, path: Path, number: str, name: str) -> Path:
    """Keep the champion where it is found while the registry cannot be reached."""
    sha256 = bundle.digest(path)
    there = sorted(folder.iterdir()) if folder.exists() else []
    alike = (p for p in there if p.name.startswith(name) and _is_bundle(p, sha256))
    kept = next(alike, None) or _written(folder, name, lambda new: _copy(path, new))
    _point_at(folder, kept, number, sha256)
    return kept


def _copy(path: Path, new: Path) -> None:
    with whole_folder(new) as aside:
        shutil.copytree(path, aside, dirs_exist_ok=True)


def _named(version: Version) -> str:
    """The name that the folder of its bundle had where it was trained, if it can be one here."""
    name = Path(version.tags.get("bundle", "")).name
    return name if _is_name(name) else "bundle"


def _is_name(text: str) -> bool:
    """Whether a folder may be called so: nothing that leads elsewhere, or hides."""
    return _NAME.fullmatch(text) is not None


def _is_bundle(path: Path, sha256: str) -> bool:
    try:
        return bundle.digest(path) == sha256
    except OSError:
        return False


def _point_at(folder: Path, kept: Path, version: str, sha256: str) -> None:
    told = json.dumps({"bundle": kept.name, "version": version, "sha256": sha256})
    pointer = folder / _POINTER
    if not pointer.exists() or pointer.read_text(encoding="utf-8") != told:
        with whole_file(pointer) as aside:
            aside.write_text(told, encoding="utf-8")


def _pointed_at(folder: Path) -> tuple[Path, str, str | None] | None:
    """Folder, version and digest of the champion seen last; older churnkits noted no digest."""
    pointer = folder / _POINTER
    if not pointer.exists():
        return None
    try:
        told = json.loads(pointer.read_text(encoding="utf-8"))
        if not _is_name(told["bundle"]):
            raise ValueError(f"{told['bundle']!r} is no name of a bundle")
        return folder / told["bundle"], str(told["version"]), told.get("sha256")
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{pointer} cannot be read: {error!r}", "Run churnkit train.") from error


def _alias(version: Version) -> str:
    return next((name for name in (CHAMPION, CHALLENGER) if name in version.aliases), "")

"""Training anew without anybody asking: when, and what came of it, all of it written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from churnkit.clock import Cutoff, has_come
from churnkit.config import Settings
from churnkit.errors import ChurnkitError, GateRefused
from churnkit.nightly import Decisions, RetrainRule, waiting_until
from churnkit.nightly.decisions import INTERRUPTED, PROMOTED, TRAINING
from churnkit.nightly.journal import digest_of
from churnkit.progress import Progress

Champion = Callable[[Settings], tuple[str, Mapping[str, Any]]]
"""Tells version and card of the model that scores."""

_STANDING = {"champion": PROMOTED, "challenger": "not better", "": "refused"}


@dataclass(frozen=True)
class Retraining:
    """The decision of one day whether to train, and the training.

    Attributes
    ----------
    settings, as_of
        The project, and the day.
    rules
        Reasons to train; the first that fires is told.
    train
        Trains and registers, and promotes what is better; as `churnkit.project.train_project`.
    champion
        Tells which model scores.
    progress
        Told what is being done.
    """

    settings: Settings
    as_of: Cutoff
    rules: tuple[RetrainRule, ...]
    train: Callable[..., Any]
    champion: Champion
    progress: Progress

    def decide(self, verdict: str, last: Cutoff) -> dict[str, Any]:
        """Look at the rules, and train if one fires and the last training is long enough ago.

        Every decision is written down before and after; a training that fails raises nothing.

        Parameters
        ----------
        verdict
            What monitoring found; empty if it could not say.
        last
            The last day of the log of the question.

        Returns
        -------
        dict
            ``as_of``, ``rules``, ``rule`` and ``why`` (what fired; empty if nothing did),
            ``verdict``, ``age_days``, ``champion_before`` and ``champion_after`` (see
            `model_named`),
            ``decision`` (``kept``, ``held back``, ``promoted``, ``not better``, ``refused`` or
            ``failed``), ``says``; after a training ``version`` and ``gates`` (name → passed).
        """
        version, card = self.champion(self.settings)
        standing, age = model_named(version, card), model_age(card, self.as_of)
        fired = ((rule.name, rule.fires(verdict, age)) for rule in self.rules)
        rule, why = next((found for found in fired if found[1]), ("", ""))
        made: dict[str, Any] = {
            "as_of": str(self.as_of),
            "rules": [rule.name for rule in self.rules],
            "rule": rule,
            "why": why,
            "verdict": verdict,
            "age_days": age,
            "champion_before": standing,
            "champion_after": standing,
        }
        cut = self._decisions.cut_off(str(self.as_of))
        if cut is not None:
            made, moved = self._taken_up(made, cut)
            if moved:
                return self._ended(made, PROMOTED, "the training was cut off after that")
        if not made["rule"]:
            return self._ended(made, "kept", "no rule asks for a new model")
        trained = self._decisions.last_training(self.as_of.zone)
        waiting = waiting_until(trained, self.settings.run.retrain_days, self.as_of)
        if waiting is not None:
            says = f"{made['why']}; nothing is trained by itself before {waiting}"
            return self._ended(made, "held back", says)
        self._decisions.add({**made, "decision": TRAINING, "says": made["why"]})
        return self._trained(made, last)

    @property
    def _decisions(self) -> Decisions:
        return Decisions(self.settings.ledger)

    def _taken_up(
        self, made: Mapping[str, Any], cut: Mapping[str, Any]
    ) -> tuple[dict[str, Any], bool]:
        """Write down that a training of this day was cut off, and whether it came to something."""
        now = made["champion_after"]
        told = {**made, **{key: cut[key] for key in ("rule", "why", "champion_before")}}
        says = f"a training of this day was cut off, and {now} is the champion"
        self._decisions.add({**told, "decision": INTERRUPTED, "says": says})
        return told, now != cut["champion_before"]

    def _trained(self, made: dict[str, Any], last: Cutoff) -> dict[str, Any]:
        """Train; whatever becomes of it, the scores of the night are published by now."""
        try:
            released = self.train(self._as_known(last), self.progress).released
        except GateRefused as error:
            return self._ended(made, "refused", error.found)
        except ChurnkitError as error:
            return self._ended(made, "failed", error.found)
        except Exception as error:
            says = f"{type(error).__name__}; churnkit train shows where"
            return self._ended(made, "failed", says)
        version, card = self.champion(self.settings)
        made = {
            **made,
            "version": released.version,
            "gates": {gate["name"]: gate["passed"] for gate in released.card["gates"]},
            "champion_after": model_named(version, card),
        }
        return self._ended(made, _STANDING[released.alias], released.says)

    def _as_known(self, last: Cutoff) -> Settings:
        """The settings, with a training that knows nothing of what came after the day."""
        until = self.settings.schedule().until or last
        if has_come(until, self.as_of):
            return self.settings
        training = self.settings.training.model_copy(update={"until": self.as_of.local.date()})
        return self.settings.model_copy(update={"training": training})

    def _ended(self, made: Mapping[str, Any], decision: str, says: str) -> dict[str, Any]:
        told = {**made, "decision": decision, "says": says}
        self._decisions.add(told)
        return told


def model_age(card: Mapping[str, Any], as_of: Cutoff) -> int:
    """Days from the newest outcome that a model learnt from to a day.

    A model that is trained today is not young in these terms: it knows outcomes only of horizons
    that are over.
    """
    learnt = Cutoff.parse(card["training"]["cutoffs"][-1], as_of.zone)
    known = learnt.shifted(card["horizon_days"])
    return (as_of.local.date() - known.local.date()).days


def model_named(version: str, card: Mapping[str, Any]) -> str:
    """A model by its version and its card: in another registry a number means another one."""
    return f"version {version}, {digest_of(card)[:16]}"

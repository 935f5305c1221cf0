"""Is a new model better than the one in use? Both on the same customers of a later test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from churnkit.clock import Cutoff, horizon_ends_by
from churnkit.dataset import Untreating, build_dataset
from churnkit.errors import ConfigError, DataError
from churnkit.logs import CustomerLogs
from churnkit.metrics import Interval, paired_difference
from churnkit.model import ChurnModel, fit_to
from churnkit.scoring import at_risk
from churnkit.training import Training, interval_dict


@dataclass(frozen=True)
class Comparison:
    """A new model against the champion on the test rows of the new one.

    Attributes
    ----------
    champion
        Version of the champion.
    says
        What was found, as a sentence.
    log_loss, auroc
        Of the new model less that of the champion, on the same resamples of customers; ``None``
        where they could not be compared.
    """

    champion: str
    says: str
    log_loss: Interval | None = None
    auroc: Interval | None = None

    @property
    def better(self) -> bool:
        """Whether the whole interval of the log loss lies below that of the champion."""
        return self.log_loss is not None and self.log_loss.high < 0

    def told(self) -> dict[str, Any]:
        """The comparison as JSON-ready values."""
        return {
            "champion": self.champion,
            "better": self.better,
            "says": self.says,
            "log_loss": None if self.log_loss is None else interval_dict(self.log_loss),
            "auroc": None if self.auroc is None else interval_dict(self.auroc),
        }


def compare(training: Training, champion: ChurnModel, logs: CustomerLogs) -> Comparison:
    """A new model against the champion, on fair terms.

    The new model is the one of the last trial: it knows nothing of its test. If the champion
    learnt from what came of the test, it would know the answers; then its recipe (features, kind
    of model, parameters) is fitted anew on what was known before the test, and that is compared.
    A champion that is older than that is compared as it is, with all that it has forgone.

    Parameters
    ----------
    training
        The new model with its trials.
    champion
        The model in use.
    logs
        What the new model learnt from.
    """
    version, question = champion.version, training.model.question
    if champion.question != question:
        return Comparison(
            version,
            f"not compared with version {version}, which answers another question: "
            f"{champion.question.rule}",
        )
    try:
        return _compared(training, champion, logs)
    except (ConfigError, DataError) as error:
        return Comparison(version, f"not compared with version {version}: {error.found}")


def _compared(training: Training, champion: ChurnModel, logs: CustomerLogs) -> Comparison:
    test, version = training.backtest.test, champion.version
    mine, rival = test.models[training.model.rung], champion
    anew = _knows_the_test(champion, test.cutoff)
    if anew and _same_recipe(mine, champion):
        return Comparison(
            version,
            f"made like version {version}: on what was known before the test there is nothing to "
            "tell them apart",
            *[Interval(0.0, 0.0, 0.0)] * 2,
        )
    if anew:
        rival = _fitted_anew(champion, mine, logs, training.backtest.untreated)
    features, _ = at_risk(rival, logs, [test.cutoff])
    if test.data.untreated is not None:  # the test knows nothing of whom an action touched
        features = features.where(np.isin(features.customer_id, test.data.features.customer_id))
    if not np.array_equal(features.customer_id, test.data.features.customer_id):
        raise DataError("other customers are at risk in its eyes", "")
    found = {
        metric: paired_difference(
            metric,
            test.data.churned,
            test.probabilities[training.model.rung],
            rival.churn_probability(features),
            features.customer_id,
            weight=test.data.weight,
        )
        for metric in ("log_loss", "auroc")
    }
    return Comparison(version, _says(version, found, len(features), anew), **found)


def _knows_the_test(champion: ChurnModel, cutoff: Cutoff) -> bool:
    """Whether the last outcomes it learnt from were still open when the test began."""
    last = Cutoff.parse(champion.trained_on[-1], cutoff.zone)
    return not horizon_ends_by(last, champion.question.horizon_days, cutoff)


def _same_recipe(mine: ChurnModel, champion: ChurnModel) -> bool:
    same_table = (mine.names, mine.spec) == (champion.names, champion.spec)
    return same_table and mine.estimator.recipe() == champion.estimator.recipe()


def _fitted_anew(
    champion: ChurnModel, mine: ChurnModel, logs: CustomerLogs, untreated: Untreating | None
) -> ChurnModel:
    """The recipe of the champion on the training cutoffs of the last trial."""
    cutoffs = [Cutoff.parse(told, logs.zone) for told in mine.trained_on]
    at_risk(champion, logs, cutoffs[-1:])  # refuses logs that lack what the champion needs
    learnt = build_dataset(logs, champion.question, cutoffs, champion.spec, untreated)
    estimator = fit_to(learnt, champion.estimator, champion.names)
    return ChurnModel(
        champion.rung, estimator, champion.names, champion.spec, champion.question, mine.trained_on
    )


def _says(version: str, found: dict[str, Interval], rows: int, anew: bool) -> str:
    loss, auroc = found["log_loss"], found["auroc"]
    verdict = "better" if loss.high < 0 else "worse" if loss.low > 0 else "not clearly better"
    how = " made anew of what was known before the test" if anew else ""
    return (
        f"{verdict} than version {version}{how} on the same {rows:,} customers: "
        f"log loss {_signed(loss)}, AUROC {_signed(auroc)}"
    )


def _signed(difference: Interval) -> str:
    return f"{'+' if difference.value > 0 else ''}{difference}"

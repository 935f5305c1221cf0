"""Which customers are about to leave, why, and whom to call first.

The names below are loaded when they are first used, so that importing churnkit costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

# Where each name is, and what it is called there if a module of the package has the name.
_HOME = {
    "MONEY_UNITS": "features",
    "ActivityIndex": "features",
    "Audit": "audit",
    "Backtest": "evaluation",
    "Band": "screening",
    "BlockIndex": "features",
    "BundleError": "errors",
    "Campaign": "campaign",
    "Capacity": "lights",
    "ChurnClassifier": "estimators",
    "ChurnModel": "model",
    "ChurnkitError": "errors",
    "ConfigError": "errors",
    "Contract": "logs",
    "Cost": "lights",
    "Cutoff": "clock",
    "DataError": "errors",
    "Dataset": "dataset",
    "Driver": "explain",
    "Evidence": "lights",
    "FeatureSpec": "features",
    "Features": "features",
    "Fixed": "lights",
    "GateRefused": "errors",
    "HorizonAdvice": "horizon",
    "Hysteresis": "lights",
    "Instrument": "logs",
    "Interval": "metrics",
    "Lights": "lights",
    "LogMapping": "logs",
    "Logs": "logs",
    "Money": "profit",
    "Observations": "features",
    "OutcomeReport": "outcomes",
    "Past": "lights",
    "Population": "campaign",
    "Profit": "profit",
    "Promise": "lights",
    "PurchaseIndex": "features",
    "Question": "labels",
    "Ranking": "outcomes",
    "Recipe": "dataset",
    "Registry": "registry",
    "Rule": "lights",
    "Schedule": "dataset",
    "Scores": "scoring",
    "ScreenedFeature": "screening",
    "SurveyIndex": "features",
    "TrafficLight": "lights",
    "Training": "training",
    "Uplift": "outcomes",
    "audit_features": "audit:audit",
    "auroc": "metrics",
    "backtest": "evaluation",
    "build_dataset": "dataset",
    "build_features": "features",
    "choose_ranking": "outcomes",
    "churn_by_band": "screening",
    "draw_campaign": "campaign",
    "drivers": "explain.drivers",
    "effect_report": "outcomes:report_of",
    "evaluate": "metrics",
    "expected_maximum_profit": "profit",
    "explain_customer": "customer",
    "feature": "features",
    "load_settings": "config",
    "outcome_report": "outcomes",
    "paired_difference": "metrics",
    "profit_curve": "profit",
    "profit_of": "profit",
    "proportion": "metrics",
    "qini": "outcomes:gains",
    "ratio": "features",
    "read_logs": "sources",
    "read_scores": "publishing",
    "sample_size": "outcomes",
    "score": "scoring",
    "screen_features": "screening",
    "suggest_horizon": "horizon:advice",
    "train": "training",
    "with_risk": "outcomes",
    "write_scores": "scoring",
}

__all__ = [
    "MONEY_UNITS",
    "ActivityIndex",
    "Audit",
    "Backtest",
    "Band",
    "BlockIndex",
    "BundleError",
    "Campaign",
    "Capacity",
    "ChurnClassifier",
    "ChurnModel",
    "ChurnkitError",
    "ConfigError",
    "Contract",
    "Cost",
    "Cutoff",
    "DataError",
    "Dataset",
    "Driver",
    "Evidence",
    "FeatureSpec",
    "Features",
    "Fixed",
    "GateRefused",
    "HorizonAdvice",
    "Hysteresis",
    "Instrument",
    "Interval",
    "Lights",
    "LogMapping",
    "Logs",
    "Money",
    "Observations",
    "OutcomeReport",
    "Past",
    "Population",
    "Profit",
    "Promise",
    "PurchaseIndex",
    "Question",
    "Ranking",
    "Recipe",
    "Registry",
    "Rule",
    "Schedule",
    "Scores",
    "ScreenedFeature",
    "SurveyIndex",
    "TrafficLight",
    "Training",
    "Uplift",
    "__version__",
    "audit_features",
    "auroc",
    "backtest",
    "build_dataset",
    "build_features",
    "choose_ranking",
    "churn_by_band",
    "draw_campaign",
    "drivers",
    "effect_report",
    "evaluate",
    "expected_maximum_profit",
    "explain_customer",
    "feature",
    "load_settings",
    "outcome_report",
    "paired_difference",
    "plots",
    "profit_curve",
    "profit_of",
    "proportion",
    "qini",
    "ratio",
    "read_logs",
    "read_scores",
    "sample_size",
    "score",
    "screen_features",
    "suggest_horizon",
    "train",
    "with_risk",
    "write_scores",
]

if TYPE_CHECKING:
    from churnkit import plots
    from churnkit.audit import Audit
    from churnkit.audit import audit as audit_features
    from churnkit.campaign import Campaign, Population, draw_campaign
    from churnkit.clock import Cutoff
    from churnkit.config import load_settings
    from churnkit.customer import explain_customer
    from churnkit.dataset import Dataset, Recipe, Schedule, build_dataset
    from churnkit.errors import BundleError, ChurnkitError, ConfigError, DataError, GateRefused
    from churnkit.estimators import ChurnClassifier
    from churnkit.evaluation import Backtest, backtest
    from churnkit.explain import Driver
    from churnkit.explain.drivers import drivers
    from churnkit.features import (
        MONEY_UNITS,
        ActivityIndex,
        BlockIndex,
        Features,
        FeatureSpec,
        Observations,
        PurchaseIndex,
        SurveyIndex,
        build_features,
        feature,
        ratio,
    )
    from churnkit.horizon import HorizonAdvice
    from churnkit.horizon import advice as suggest_horizon
    from churnkit.labels import Question
    from churnkit.lights import (
        Capacity,
        Cost,
        Evidence,
        Fixed,
        Hysteresis,
        Lights,
        Past,
        Promise,
        Rule,
        TrafficLight,
    )
    from churnkit.logs import Contract, Instrument, LogMapping, Logs
    from churnkit.metrics import Interval, auroc, evaluate, paired_difference, proportion
    from churnkit.model import ChurnModel
    from churnkit.outcomes import (
        OutcomeReport,
        Ranking,
        Uplift,
        choose_ranking,
        outcome_report,
        sample_size,
        with_risk,
    )
    from churnkit.outcomes import gains as qini
    from churnkit.outcomes import report_of as effect_report
    from churnkit.profit import Money, Profit, expected_maximum_profit, profit_curve, profit_of
    from churnkit.publishing import read_scores
    from churnkit.registry import Registry
    from churnkit.scoring import Scores, score, write_scores
    from churnkit.screening import Band, ScreenedFeature, churn_by_band, screen_features
    from churnkit.sources import read_logs
    from churnkit.training import Training, train


def __getattr__(name: str) -> Any:
    if name == "plots":
        return import_module(f"{__name__}.plots")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, own = _HOME[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), own or name)

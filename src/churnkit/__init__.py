"""Which customers are about to leave, why, and whom to call first.

The names below are loaded when they are first used, so that importing churnkit costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

_HOME = {
    "BundleError": "errors",
    "ChurnClassifier": "estimators",
    "ChurnModel": "model",
    "ChurnkitError": "errors",
    "ConfigError": "errors",
    "Contract": "logs",
    "Cutoff": "clock",
    "DataError": "errors",
    "Features": "features",
    "Fixed": "lights",
    "GateRefused": "errors",
    "Instrument": "logs",
    "LogMapping": "logs",
    "Logs": "logs",
    "Question": "labels",
    "Registry": "registry",
    "Schedule": "dataset",
    "Scores": "scoring",
    "TrafficLight": "lights",
    "Training": "training",
    "build_features": "features",
    "feature": "features",
    "load_settings": "config",
    "read_logs": "sources",
    "read_scores": "publishing",
    "score": "scoring",
    "train": "training",
    "write_scores": "scoring",
}

__all__ = [
    "BundleError",
    "ChurnClassifier",
    "ChurnModel",
    "ChurnkitError",
    "ConfigError",
    "Contract",
    "Cutoff",
    "DataError",
    "Features",
    "Fixed",
    "GateRefused",
    "Instrument",
    "LogMapping",
    "Logs",
    "Question",
    "Registry",
    "Schedule",
    "Scores",
    "TrafficLight",
    "Training",
    "__version__",
    "build_features",
    "feature",
    "load_settings",
    "read_logs",
    "read_scores",
    "score",
    "train",
    "write_scores",
]

if TYPE_CHECKING:
    from churnkit.clock import Cutoff
    from churnkit.config import load_settings
    from churnkit.dataset import Schedule
    from churnkit.errors import BundleError, ChurnkitError, ConfigError, DataError, GateRefused
    from churnkit.estimators import ChurnClassifier
    from churnkit.features import Features, build_features, feature
    from churnkit.labels import Question
    from churnkit.lights import Fixed, TrafficLight
    from churnkit.logs import Contract, Instrument, LogMapping, Logs
    from churnkit.model import ChurnModel
    from churnkit.publishing import read_scores
    from churnkit.registry import Registry
    from churnkit.scoring import Scores, score, write_scores
    from churnkit.sources import read_logs
    from churnkit.training import Training, train


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

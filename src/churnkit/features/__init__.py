"""Point-in-time features: one kernel, one module per family."""

# Imported so that they register their features; in the order of the columns.
from churnkit.features import (  # noqa: I001, F401
    purchases, early, rhythm, trend, breadth, returns, discounts, activity, service, payments,
    surveys, season, calendar, market, static,
)  # fmt: skip
from churnkit.features.kernel import (
    BuiltElsewhere,
    FeaturePlan,
    build_beside,
    build_features,
    known,
    plan_features,
    write_features,
)
from churnkit.features.own import load_own
from churnkit.features.registry import CATALOGUE, Companion, Feature, feature
from churnkit.features.spec import FeatureColumn, FeatureSpec
from churnkit.features.table import Features
from churnkit.features.windows import WINDOWS, Window

# What the authors of features need as well, so that one import serves them.
from churnkit.index import (
    ActivityIndex,
    BlockIndex,
    EventIndex,
    Observations,
    PurchaseIndex,
    SurveyIndex,
    ratio,
)
from churnkit.logs import MONEY_UNITS, Events

__all__ = [
    "CATALOGUE",
    "MONEY_UNITS",
    "WINDOWS",
    "ActivityIndex",
    "BlockIndex",
    "BuiltElsewhere",
    "Companion",
    "EventIndex",
    "Events",
    "Feature",
    "FeatureColumn",
    "FeaturePlan",
    "FeatureSpec",
    "Features",
    "Observations",
    "PurchaseIndex",
    "SurveyIndex",
    "Window",
    "build_beside",
    "build_features",
    "feature",
    "known",
    "load_own",
    "plan_features",
    "ratio",
    "write_features",
]

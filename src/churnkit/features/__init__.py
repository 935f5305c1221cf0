"""Point-in-time features: one kernel, one module per family."""

# The order of the imports is the order of the columns.
from churnkit.features import purchases, rhythm, trend, activity, service, surveys  # noqa: I001, F401
from churnkit.features.kernel import Features, build_features, known
from churnkit.features.registry import (
    CATALOGUE,
    WINDOWS,
    Feature,
    FeatureColumn,
    FeatureSpec,
    feature,
)

__all__ = [
    "CATALOGUE",
    "WINDOWS",
    "Feature",
    "FeatureColumn",
    "FeatureSpec",
    "Features",
    "build_features",
    "feature",
    "known",
]

"""What single features tell: areas against scikit-learn, bands that hold every row once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from churnkit import plots
from churnkit.dataset import Dataset
from churnkit.errors import ConfigError
from churnkit.metrics import Interval, clustered
from churnkit.screening import churn_by_band, screen_features
from churnkit.training import Training


@pytest.fixture(scope="module")
def dataset(training: Training) -> Dataset:
    return training.learnt


def test_areas_are_those_of_scikit_learn(dataset: Dataset) -> None:
    for found in screen_features(dataset, top=5):
        values = dataset.features.columns[found.feature]
        known = ~np.isnan(values)
        sign = 1 if found.direction == "up" else -1
        area = roc_auc_score(dataset.churned[known], sign * values[known])
        assert found.auroc.value == pytest.approx(area)
        assert found.auroc.low < area < found.auroc.high
        assert found.known == pytest.approx(known.mean())


def test_the_best_come_first_and_one_window_speaks(dataset: Dataset) -> None:
    found = screen_features(dataset, top=20)
    areas = [one.auroc.value for one in found]
    assert areas == sorted(areas, reverse=True)
    assert min(areas) >= 0.5
    kinds = [one.feature.rpartition("_")[0] for one in found if one.feature.endswith("d")]
    assert len(kinds) == len(set(kinds))


def test_rarely_known_features_are_left_out(dataset: Dataset) -> None:
    every = {one.feature for one in screen_features(dataset, top=500, least_known=0.0)}
    often = screen_features(dataset, top=500, least_known=0.8)
    assert min(one.known for one in often) >= 0.8
    assert len(often) < len(every)


def test_nothing_parts_customers_who_all_stayed(dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="nothing parts them"):
        screen_features(replace(dataset, churned=np.zeros(len(dataset), dtype=bool)))


@pytest.mark.parametrize("feature", ["recency", "nps_last", "purchases_count_90d"])
def test_bands_hold_every_row_once(dataset: Dataset, feature: str) -> None:
    bands = churn_by_band(dataset, feature, bands=4)
    assert sum(band.rows for band in bands) == len(dataset)
    churned = sum(band.rows * band.churned.value for band in bands)
    assert churned == pytest.approx(dataset.churned.sum())
    unknown = int(np.isnan(dataset.features.columns[feature]).sum())
    assert [b.rows for b in bands if b.label == "unknown"] == ([unknown] if unknown else [])
    assert len([b for b in bands if b.label != "unknown"]) <= 4


def test_a_band_counts_customers_not_rows(dataset: Dataset) -> None:
    """Rows of one customer are no new evidence, so that twice the rows leave the interval alone."""
    churned, whose = dataset.churned[:200], dataset.features.customer_id[:200]
    once = clustered(churned, whose)
    twice = clustered(np.tile(churned, 2), np.tile(whose, 2))
    assert (once.low, once.high) == pytest.approx((twice.low, twice.high), abs=0.01)


def test_an_unknown_feature_is_refused_with_its_likeliest_name(dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="recencey") as told:
        churn_by_band(dataset, "recencey")
    assert "recency" in told.value.mend


def test_pictures_hold_what_was_found(dataset: Dataset) -> None:
    bands = churn_by_band(dataset, "recency")
    axes = plots.bands(bands, "days since the last purchase")
    assert [t.get_text() for t in axes.get_xticklabels()] == [band.label for band in bands]
    assert axes.get_xlabel() == "days since the last purchase"
    found = screen_features(dataset, top=3)
    named = [t.get_text() for t in plots.estimates(found, against=0.5).get_yticklabels()]
    assert [name.split()[1] for name in named] == [one.feature for one in found]


def test_pictures_of_nothing_say_so() -> None:
    told = [t.get_text() for axes in (plots.bands([]), plots.estimates({})) for t in axes.texts]
    assert told == ["not known: no rows", "not known: nothing was estimated"]


def test_estimates_are_written_as_asked() -> None:
    interval = Interval(0.25, 0.2, 0.3)
    assert ".250" in [t.get_text() for t in plots.estimates({"a": interval}).texts]
    shares = [t.get_text() for t in plots.estimates({"a": interval}, shares=True).texts]
    assert "25\xa0%" in shares

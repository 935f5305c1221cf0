"""NPS, CES, CSAT and other answers: the last, the mean, the class, and how long ago.

A customer who never answered has NaN and a count of zero, never a neutral score.
"""

from __future__ import annotations

import numpy as np

from churnkit.clock import Cutoff
from churnkit.features.registry import Window, feature
from churnkit.index import SurveyIndex, ratio
from churnkit.logs import SCORE_UNITS, Instrument

_DETRACTOR_UP_TO, _PASSIVE_UP_TO = 6, 8
_SATISFIED_FROM = 4
_EASY_ABOVE = 0.5


@feature(
    unit="points", name="{instrument}_last", says="last {instrument} answer",
    reads="last {instrument} answer: {value}",
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def last(s: SurveyIndex, at: Cutoff, instrument: str) -> np.ndarray:
    return s.of(instrument).last("score", at) / SCORE_UNITS


@feature(
    unit="points", name="{instrument}_mean", says="mean {instrument} answer {window}",
    reads="mean {instrument} answer {window}: {value}", windows=(365, None),
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def mean(s: SurveyIndex, at: Cutoff, instrument: str, window: Window) -> np.ndarray:
    answers = s.of(instrument)
    return ratio(answers.sum("score", at, window), answers.count(at, window) * SCORE_UNITS)


@feature(
    unit="answers", name="{instrument}_count", says="{instrument} answers {window}",
    reads="{instrument} answers {window}: {value}", windows=(365, None),
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def count(s: SurveyIndex, at: Cutoff, instrument: str, window: Window) -> np.ndarray:
    return s.of(instrument).count(at, window)


@feature(
    unit="days", name="days_since_{instrument}", says="days since the last {instrument} answer",
    reads="last {instrument} answer {value} days ago",
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def days_since(s: SurveyIndex, at: Cutoff, instrument: str) -> np.ndarray:
    return s.of(instrument).days_since_last(at)


@feature(
    unit="nps class", name="nps_class", only=("nps",),
    says="promoter (1), passive (0) or detractor (-1) by the last answer",
    reads="last answered as {value}",
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def nps_class(s: SurveyIndex, at: Cutoff, instrument: str) -> np.ndarray:
    """Promoters 9–10, passives 7–8, detractors 0–6 (Reichheld 2003)."""
    score = last(s, at, instrument)
    grade = np.where(score > _PASSIVE_UP_TO, 1.0, np.where(score > _DETRACTOR_UP_TO, 0.0, -1.0))
    return np.where(np.isnan(score), np.nan, grade)


@feature(
    unit="csat class", name="csat_class", only=("csat",),
    says="satisfied (1) or not (0) by the last answer", reads="last answered as {value}",
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def csat_class(s: SurveyIndex, at: Cutoff, instrument: str) -> np.ndarray:
    """Satisfied are answers of 4 and 5 on 1–5."""
    score = last(s, at, instrument)
    return np.where(np.isnan(score), np.nan, score >= _SATISFIED_FROM)


@feature(
    unit="ces class", name="ces_class", only=("ces",),
    says="easy (1) or not (0) by the last answer", reads="last answered as {value}",
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def ces_class(s: SurveyIndex, at: Cutoff, instrument: str) -> np.ndarray:
    """Easy are answers above the middle of the scale: 5 to 7 on CES 2.0."""
    ease = ease_last(s, at, instrument)
    return np.where(np.isnan(ease), np.nan, ease > _EASY_ABOVE)


@feature(
    unit="0..1", name="{instrument}_ease_last", only=("ces",),
    says="ease of the last {instrument} answer, 0 hardest to 1 easiest",
    reads="last answered ease: {value} of 1",
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def ease_last(s: SurveyIndex, at: Cutoff, instrument: str) -> np.ndarray:
    return _ease(last(s, at, instrument), s.scales[instrument])


@feature(
    unit="0..1", name="{instrument}_ease_mean", only=("ces",), windows=(365, None),
    says="mean ease {window}, 0 hardest to 1 easiest", reads="mean ease {window}: {value} of 1",
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def ease_mean(s: SurveyIndex, at: Cutoff, instrument: str, window: Window) -> np.ndarray:
    return _ease(mean(s, at, instrument, window), s.scales[instrument])


def _ease(score: np.ndarray, scale: Instrument) -> np.ndarray:
    """(x - low) / (high - low) where high is ease, the reverse where high is effort."""
    share = (score - scale.low) / (scale.high - scale.low)
    return share if scale.better == "high" else 1 - share

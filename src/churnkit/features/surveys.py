"""NPS, CES, CSAT, agents' scores and others: the last, the mean, the trend, and the silence.

A customer who never answered has NaN and a count of zero, never a neutral score.
"""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import Companion, feature
from churnkit.features.rhythm import times_interval
from churnkit.features.windows import Window, longest
from churnkit.index import BlockIndex, Observations, SurveyIndex, ratio
from churnkit.logs import SCORE_UNITS, Instrument

_DETRACTOR_UP_TO, _PASSIVE_UP_TO = 6, 8
_SATISFIED_FROM = 4
_EASY_ABOVE = 0.5


def _longest_finite(windows: tuple[Window, ...]) -> tuple[Window, ...]:
    return tuple(days for days in longest(windows) if days is not None)


@feature(
    unit="points", name="{instrument}_last", says="last {instrument} answer",
    reads="last {instrument} answer: {value}",
    companion=Companion("days_since_{instrument}", "{value} days ago"),
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def last(s: SurveyIndex, at: Observations, instrument: str) -> np.ndarray:
    return s.of(instrument).last("score", at) / SCORE_UNITS


@feature(
    unit="points", name="{instrument}_mean", says="mean {instrument} answer {window}",
    reads="mean {instrument} answer {window}: {value}", windows=longest,
    unknown="no {instrument} answer {window}", theme="{instrument}",
)  # fmt: skip
def mean(s: SurveyIndex, at: Observations, instrument: str, window: Window) -> np.ndarray:
    return _mean(s, at, instrument, window)


def _mean(
    s: SurveyIndex, at: Observations, instrument: str, window: Window, ago: int = 0
) -> np.ndarray:
    answers = s.of(instrument)
    count = answers.count(at, window, ago)
    return ratio(answers.sum("score", at, window, ago), count * SCORE_UNITS)


@feature(
    unit="answers", name="{instrument}_count", says="{instrument} answers {window}",
    reads="{value} {instrument} answers {window}", windows=longest,
    none="no {instrument} answer {window}",
    unknown="no {instrument} answer", theme="{instrument}",
    dtype="int32",
)  # fmt: skip
def count(s: SurveyIndex, at: Observations, instrument: str, window: Window) -> np.ndarray:
    return s.of(instrument).count(at, window)


@feature(
    unit="days", name="days_since_{instrument}", says="days since the last {instrument} answer",
    reads="last {instrument} answer {value} days ago",
    unknown="no {instrument} answer", theme="{instrument}",
)  # fmt: skip
def days_since(s: SurveyIndex, at: Observations, instrument: str) -> np.ndarray:
    return s.of(instrument).days_since_last(at)


@feature(
    unit="points", name="{instrument}_change",
    says="last {instrument} answer less the one before",
    reads="last {instrument} answer against the one before: {value}",
    none="last {instrument} answer as the one before",
    unknown="no two {instrument} answers", theme="{instrument}",
)  # fmt: skip
def change(s: SurveyIndex, at: Observations, instrument: str) -> np.ndarray:
    answers = s.of(instrument)
    return (answers.last("score", at) - answers.last("score", at, back=1)) / SCORE_UNITS


@feature(
    unit="points", name="{instrument}_trend", windows=_longest_finite,
    says="mean {instrument} answer {window} less the mean of the time before",
    reads="mean {instrument} answer {window} against the time before: {value}",
    unknown="no {instrument} answers both {window} and before", theme="{instrument}",
)  # fmt: skip
def trend(s: SurveyIndex, at: Observations, instrument: str, window: int) -> np.ndarray:
    return _mean(s, at, instrument, window) - _mean(s, at, instrument, window, ago=window)


@feature(
    unit="0..1", name="{instrument}_good_last",
    says="last {instrument} answer on its scale, 0 worst to 1 best",
    reads="last {instrument} answer: {value} of full marks",
    unknown="no {instrument} answer", theme="{instrument}",
    direction="down",
)  # fmt: skip
def good_last(s: SurveyIndex, at: Observations, instrument: str) -> np.ndarray:
    return _goodness(last(s, at, instrument), s.scales[instrument])


@feature(
    unit="0..1", name="{instrument}_good_mean", windows=longest,
    says="mean {instrument} answer {window} on its scale, 0 worst to 1 best",
    reads="mean {instrument} answer {window}: {value} of full marks",
    unknown="no {instrument} answer {window}", theme="{instrument}",
    direction="down",
)  # fmt: skip
def good_mean(s: SurveyIndex, at: Observations, instrument: str, window: Window) -> np.ndarray:
    return _goodness(mean(s, at, instrument, window), s.scales[instrument])


@feature(
    unit="ratio", name="{instrument}_silence_ratio",
    says="days since the last {instrument} answer over the own mean interval between answers",
    reads="no {instrument} answer for {value} times its usual interval",
    unknown="no two {instrument} answers", theme="{instrument}",
    direction="up",
)  # fmt: skip
def silence_ratio(s: SurveyIndex, at: Observations, instrument: str) -> np.ndarray:
    answers = s.of(instrument)
    return times_interval(answers.days_since_last(at), answers.gap_mean(at))


@feature(
    unit="share", windows=longest,
    says="surveys sent {window} that brought no answer",
    reads="{value} of the surveys unanswered {window}",
    none="every survey answered {window}",
    unknown="no survey sent {window}", theme="survey silence",
    needs=("kind=survey_sent", "surveys.score"),
    direction="up",
)  # fmt: skip
def survey_silence(block: BlockIndex, at: Observations, window: Window) -> np.ndarray:
    """Answers are not matched with what was sent: more of them than surveys is no silence."""
    if block.activity is None or block.surveys is None:
        return np.full(len(at), np.nan)
    sent = block.activity.of("survey_sent").count(at, window)
    answers = block.surveys.given_by("customer").count(at, window)
    return np.maximum(1 - ratio(answers, sent), 0.0)


@feature(
    unit="nps class", name="nps_class", only=("nps",),
    says="promoter (1), passive (0) or detractor (-1) by the last answer",
    reads="last {instrument} answer: {value}",
    unknown="no {instrument} answer", theme="{instrument}",
    direction="down", classes={-1: "detractor", 0: "passive", 1: "promoter"},
)  # fmt: skip
def nps_class(s: SurveyIndex, at: Observations, instrument: str) -> np.ndarray:
    """Promoters 9–10, passives 7–8, detractors 0–6 (Reichheld 2003)."""
    score = last(s, at, instrument)
    grade = np.where(score > _PASSIVE_UP_TO, 1.0, np.where(score > _DETRACTOR_UP_TO, 0.0, -1.0))
    return np.where(np.isnan(score), np.nan, grade)


@feature(
    unit="csat class", name="csat_class", only=("csat",),
    says="satisfied (1) or not (0) by the last answer", reads="last {instrument} answer: {value}",
    unknown="no {instrument} answer", theme="{instrument}",
    direction="down", classes={0: "not satisfied", 1: "satisfied"},
)  # fmt: skip
def csat_class(s: SurveyIndex, at: Observations, instrument: str) -> np.ndarray:
    """Satisfied are answers of 4 and 5 on 1–5."""
    score = last(s, at, instrument)
    return np.where(np.isnan(score), np.nan, score >= _SATISFIED_FROM)


@feature(
    unit="ces class", name="ces_class", only=("ces",),
    says="easy (1) or not (0) by the last answer", reads="last {instrument} answer: {value}",
    unknown="no {instrument} answer", theme="{instrument}",
    direction="down", classes={0: "not easy", 1: "easy"},
)  # fmt: skip
def ces_class(s: SurveyIndex, at: Observations, instrument: str) -> np.ndarray:
    """Easy are answers above the middle of the scale: 5 to 7 on CES 2.0."""
    ease = ease_last(s, at, instrument)
    return np.where(np.isnan(ease), np.nan, ease > _EASY_ABOVE)


@feature(
    unit="0..1", name="{instrument}_ease_last", only=("ces",),
    says="ease of the last {instrument} answer, 0 hardest to 1 easiest",
    reads="ease of the last {instrument} answer: {value}",
    unknown="no {instrument} answer", theme="{instrument}",
    direction="down",
)  # fmt: skip
def ease_last(s: SurveyIndex, at: Observations, instrument: str) -> np.ndarray:
    return good_last(s, at, instrument)


@feature(
    unit="0..1", name="{instrument}_ease_mean", only=("ces",), windows=longest,
    says="mean ease {window}, 0 hardest to 1 easiest", reads="mean ease {window}: {value}",
    unknown="no {instrument} answer {window}", theme="{instrument}",
    direction="down",
)  # fmt: skip
def ease_mean(s: SurveyIndex, at: Observations, instrument: str, window: Window) -> np.ndarray:
    return good_mean(s, at, instrument, window)


def _goodness(score: np.ndarray, scale: Instrument) -> np.ndarray:
    """Position between the ends of the scale: 0 is its bad end, 1 its good end."""
    share = (score - scale.low) / (scale.high - scale.low)
    return share if scale.better == "high" else 1 - share

"""What ``churnkit backtest`` found, as one summary and as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from churnkit import __version__
from churnkit.atomic import whole_file
from churnkit.evaluation import Trial
from churnkit.gates import base_rate_moved, calibration_of
from churnkit.metrics import Interval
from churnkit.model import rung_named
from churnkit.progress import Progress, silent
from churnkit.report.charts import interval_rows
from churnkit.report.page import environment
from churnkit.rolling import (
    Point,
    Pooled,
    Rolling,
    Segment,
    learning_by_customers,
    learning_by_cutoffs,
    segments,
)
from churnkit.training import interval_dict


def rolling_summary(result: Rolling, progress: Progress = silent) -> dict[str, Any]:
    """Everything a backtest shows, as JSON-ready values; the learning curves are made here.

    Returns
    -------
    dict
        ``question``, ``horizon_days``, ``churnkit``, ``chosen``, ``best_rule``, ``verdict``;
        ``models``, every rung over all cutoffs (``behind``: the chosen rung less this one);
        ``trials``, each cutoff by itself; ``skipped``, cutoffs at which nothing could be tested;
        ``by_customers`` and ``by_cutoffs``, the learning curves; ``segments``.
    """
    curves = {
        "by_customers": learning_by_customers(result, progress),
        "by_cutoffs": learning_by_cutoffs(result, progress),
    }
    progress("comparing models over all cutoffs, and segments")
    return {
        "question": result.question.rule,
        "horizon_days": result.question.horizon_days,
        "churnkit": __version__,
        "chosen": result.chosen,
        "best_rule": result.best_rule,
        "verdict": result.verdict,
        "models": [_model(one, result.chosen) for one in result.pooled],
        "trials": [_trial(trial, result) for trial in result.trials],
        "skipped": [{"cutoff": str(at), "why": why} for at, why in result.skipped.items()],
        **{name: [_point(point) for point in points] for name, points in curves.items()},
        "segments": [_segment(segment) for segment in segments(result)],
    }


def render_rolling(summary: Mapping[str, Any]) -> str:
    """One self-contained HTML page: no script, no network, the same text for the same summary.

    Every text of the summary is escaped in it.
    """
    return (
        environment().get_template("rolling.html.j2").render(summary, interval_rows=interval_rows)
    )


def write_rolling(summary: Mapping[str, Any], path: Path) -> None:
    """Write the page of a summary; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render_rolling(summary), encoding="utf-8")


def _model(one: Pooled, chosen: str) -> dict[str, Any]:
    return {
        "name": one.name,
        "says": rung_named(one.name).says,
        "used": one.name == chosen,
        "metrics": _intervals(one.metrics),
        "behind": _intervals(one.behind),
    }


def _trial(trial: Trial, result: Rolling) -> dict[str, Any]:
    found = calibration_of(trial, result.chosen)
    trained_on = trial.models[result.chosen].trained_on
    return {
        "cutoff": str(trial.cutoff),
        "training_cutoffs": len(trained_on),
        "trained_from": trained_on[0],
        "customers": len(trial.data),
        "base_rate": trial.data.base_rate,
        "churned": interval_dict(found.observed),
        "expected": found.predicted,
        "shape_error": found.shape,
        "base_rate_moved": base_rate_moved(replace(trial, learnt=None), result.chosen),
        "metrics": {rung: _intervals(told) for rung, told in trial.metrics.items()},
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "share": point.share,
        "cutoffs": point.cutoffs,
        "rows": point.rows,
        "customers": point.customers,
        "metrics": _intervals(point.metrics),
    }


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "by": segment.by,
        "name": segment.name,
        "rows": segment.rows,
        "customers": segment.customers,
        "base_rate": float(np.round(segment.base_rate, 6)),
        "metrics": _intervals(segment.metrics),
        "gain": None if segment.gain is None else interval_dict(segment.gain),
    }


def _intervals(told: Mapping[str, Interval]) -> dict[str, dict[str, float | None]]:
    return {name: interval_dict(found) for name, found in told.items()}

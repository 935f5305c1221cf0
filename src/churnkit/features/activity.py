"""Visits, logins, opened mails and other signs of life, together and kind by kind."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import feature
from churnkit.features.windows import Window
from churnkit.index import ActivityIndex, Observations


@feature(
    unit="days",
    says="days since the last activity",
    reads="last activity {value} days ago",
    unknown="never active",
    theme="last activity",
    direction="up",
)
def days_since_activity(a: ActivityIndex, at: Observations) -> np.ndarray:
    return a.alive.days_since_last(at)


@feature(
    unit="days",
    says="days since the first activity",
    reads="known for {value} days",
    unknown="never active",
    theme="tenure",
    direction="down",
)
def activity_tenure(a: ActivityIndex, at: Observations) -> np.ndarray:
    return a.alive.days_since_first(at)


@feature(
    unit="events",
    says="activity {window}",
    reads="activity {window}: {value}",
    theme="activity",
    direction="down",
    dtype="int32",
)
def activity_count(a: ActivityIndex, at: Observations, window: Window) -> np.ndarray:
    return a.alive.count(at, window)


@feature(
    unit="events",
    name="{kind}_count",
    says="{kind} {window}",
    reads="{kind} {window}: {value}",
    theme="{kind}",
    dtype="int32",
)
def kind_count(a: ActivityIndex, at: Observations, kind: str, window: Window) -> np.ndarray:
    return a.of(kind).count(at, window)


@feature(
    unit="days",
    name="days_since_{kind}",
    says="days since the last {kind}",
    reads="last {kind} {value} days ago",
    unknown="no {kind} so far",
    theme="{kind}",
)
def days_since_kind(a: ActivityIndex, at: Observations, kind: str) -> np.ndarray:
    return a.of(kind).days_since_last(at)

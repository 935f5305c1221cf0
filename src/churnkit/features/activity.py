"""Visits, logins, opened mails and other signs of life, together and kind by kind."""

from __future__ import annotations

import numpy as np

from churnkit.features.registry import Companion, feature
from churnkit.features.windows import Window, longest
from churnkit.index import ActivityIndex, Observations, ratio
from churnkit.logs import QUANTITY_UNITS, Events


@feature(
    unit="days",
    says="days since the last activity",
    reads="no activity for {value} days",
    unknown="never active",
    none="active just now",
    companion=Companion("activity_gap_mean", "on average every {value} days"),
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
    reads="active {value} times {window}",
    none="no activity {window}",
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
    reads="{kind} {value} times {window}",
    none="no {kind} {window}",
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


def _with_value(events: Events) -> np.ndarray:
    return events.columns["valued"] != 0


@feature(
    unit="value",
    name="{kind}_value_last",
    says="value of the last {kind} that came with one",
    reads="value of the last {kind}: {value}",
    unknown="no {kind} with a value so far",
    theme="{kind}",
    needs="value",
)
def kind_value_last(a: ActivityIndex, at: Observations, kind: str) -> np.ndarray:
    return a.of(kind).where(_with_value).last("value", at) / QUANTITY_UNITS


@feature(
    unit="value",
    name="{kind}_value_mean",
    says="mean value of {kind} {window}",
    reads="mean value of {kind} {window}: {value}",
    unknown="no {kind} with a value {window}",
    theme="{kind}",
    needs="value",
    windows=longest,
)
def kind_value_mean(a: ActivityIndex, at: Observations, kind: str, window: Window) -> np.ndarray:
    events = a.of(kind)
    return ratio(events.sum("value", at, window), events.sum("valued", at, window) * QUANTITY_UNITS)

"""Whether amounts and answers are of the size they had: a changed unit, sign or scale, blanks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan, log10, sqrt

import numpy as np

from churnkit.logs import Instrument
from churnkit.monitor.alarm import Alarm, Found
from churnkit.monitor.days import LogDays, decades, share_above
from churnkit.monitor.volumes import BESIDE, LEAST_WEEKS, SURPRISE, Span

FACTOR = 3.0
"""A median so many times larger or smaller is no customer's doing."""

LEAST_VALUES = 20
"""With fewer values since the run before, or in a week before, nothing is said of their size."""

_TIMES = 3.0  # beyond so many times the largest in 200 of before …
_SHARE, _LARGEST = 0.05, 0.995  # … lies more than this share
_OWN_SPREAD = 0.03  # decades
_SHARE_MOVED = 0.25
_SCALE_MOVED = 0.2


def sizes(logs: Mapping[str, LogDays], span: Span, instruments: Sequence[Instrument]) -> Found:
    """Changed units and signs of numbers, numbers that went blank, and answers on another scale.

    Sizes are compared on a logarithmic scale by their medians, so that no single order decides;
    what a part of the values did, as when the unit changed within the week or in one of several
    sources, shows in how many of them lie beyond what was ever usual.

    Parameters
    ----------
    logs
        As `churnkit.monitor.days.days_of` gives them.
    span
        What is looked at.
    instruments
        The declared scales of the answers.
    """
    found = Found()
    for name, told in logs.items():
        if told.behind >= span.days:
            continue
        for measure in told.sizes:
            found.add(_unit(name, measure, told, span))
            found.add(_shares(name, measure, told, span))
        found.add(_answers(told, span, instruments))
    return found


def _before(days: np.ndarray, span: Span, begun: int) -> list[np.ndarray]:
    """Sums over the weeks before the span, along the first axis; only weeks that are known."""
    end = len(days) - span.days
    starts = [end - 7 * (k + 1) for k in range(BESIDE)]
    return [days[s : s + 7].sum(axis=0) for s in starts if s >= max(begun, 0)]


def _unit(name: str, measure: str, told: LogDays, span: Span) -> Found:
    found = Found()
    counts = told.sizes[measure]
    now = counts[len(counts) - span.days :].sum(axis=0)
    weeks = [w for w in _before(counts, span, told.begun) if w.sum() >= LEAST_VALUES]
    if now.sum() < LEAST_VALUES or len(weeks) < LEAST_WEEKS:
        found.too_little(f"unit of {name}.{measure}", "there are too few values to compare")
        return found
    medians = np.array([decades(0.5, w) for w in weeks])
    middle = float(np.median(medians))
    moved = decades(0.5, now) - middle
    width = (decades(0.75, now) - decades(0.25, now)) / 1.349
    own = 1.4826 * float(np.median(np.abs(medians - middle)))
    error = sqrt(max(own, _OWN_SPREAD) ** 2 + (1.25 * width) ** 2 / now.sum())
    if abs(moved) >= log10(FACTOR) and abs(moved) >= SURPRISE * error:
        found.alarms.append(_other_unit(name, measure, moved))
        return found
    whole = np.sum(weeks, axis=0)
    edge = decades(_LARGEST, whole) + log10(_TIMES)
    beyond = share_above(edge, now)
    if beyond >= _SHARE and beyond >= 10 * max(share_above(edge, w) for w in weeks):
        found.alarms.append(
            Alarm(
                "unit_of_some", "watch", "inputs", f"{name}.{measure}",
                f"{beyond:.0%} of {measure} in the {name} log lie beyond {_TIMES:g} times what "
                "was the largest in 200 before",
                beyond, _SHARE,
                "Did the unit change on one of the days, or in one of several sources?",
            )
        )  # fmt: skip
    return found


def _other_unit(name: str, measure: str, moved: float) -> Alarm:
    times = 10 ** abs(moved)
    way = "larger" if moved > 0 else "smaller"
    near = next((n for n in (10, 100, 1000) if 0.7 < times / n < 1.4), None)
    guess = ", as if in cents or another currency" if near else ""
    return Alarm(
        "unit_change", "watch", "inputs", f"{name}.{measure}",
        f"{measure} in the {name} log is {near or round(times):,} times {way} since the run before "
        f"than in the weeks before{guess}",
        10**moved, FACTOR if moved > 0 else 1 / FACTOR,
        "Bring the new rows to the unit of the old ones, and score anew.",
    )  # fmt: skip


def _shares(name: str, measure: str, told: LogDays, span: Span) -> Found:
    """Blanks, and values below zero, as a share of all."""
    found, n = Found(), len(told.rows)
    whole = told.sizes[measure].sum(axis=1) + told.blank[measure]
    kinds = {
        "blank": ("gone_blank", "zero or missing", "Was the column left out, or renamed?"),
        "negative": ("sign_change", "below zero", "Was the sign turned round in the source?"),
    }
    for kind, (code, says, do) in kinds.items():
        part = getattr(told, kind)[measure]
        now, of = int(part[n - span.days :].sum()), int(whole[n - span.days :].sum())
        before = [
            (p, w)
            for p, w in zip(
                _before(part, span, told.begun), _before(whole, span, told.begun), strict=True
            )
            if w >= LEAST_VALUES
        ]
        if of < LEAST_VALUES or len(before) < LEAST_WEEKS:
            continue
        shares = np.array([p / w for p, w in before])
        usual = float(np.median(shares))
        own = 1.4826 * float(np.median(np.abs(shares - usual)))
        error = sqrt(max(own, 0.01) ** 2 + max(usual * (1 - usual), 0.01) / of)
        if abs(now / of - usual) >= max(_SHARE_MOVED, SURPRISE * error):
            found.alarms.append(
                Alarm(
                    code, "watch", "inputs", f"{name}.{measure}",
                    f"{now / of:.0%} of {measure} in the {name} log are {says} since the run "
                    f"before, and {usual:.0%} were",
                    now / of, usual + _SHARE_MOVED, do,
                )
            )  # fmt: skip
    return found


def _answers(told: LogDays, span: Span, instruments: Sequence[Instrument]) -> Found:
    found, n = Found(), len(told.rows)
    scales = {scale.name: scale for scale in instruments}
    for question, sums in told.scores.items():
        scale = scales.get(question)
        now = sums[:, n - span.days :].sum(axis=1)
        weeks = [w for w in _before(sums.T, span, told.begun) if w[0] >= LEAST_VALUES]
        if scale is None or now[0] < LEAST_VALUES or len(weeks) < LEAST_WEEKS:
            found.too_little(f"scale of {question}", "there are too few answers to compare")
            continue
        wide = scale.high - scale.low
        means = np.array([w[1] / w[0] for w in weeks])
        usual = float(np.median(means))
        whole = np.sum(weeks, axis=0)
        spread = sqrt(max(whole[2] / whole[0] - (whole[1] / whole[0]) ** 2, 0.0))
        own = 1.4826 * float(np.median(np.abs(means - usual)))
        error = sqrt(max(own, 0.01 * wide) ** 2 + spread**2 / now[0])
        mean = float(now[1] / now[0])
        if isnan(mean) or abs(mean - usual) < max(_SCALE_MOVED * wide, SURPRISE * error):
            continue
        found.alarms.append(
            Alarm(
                "scale_change", "watch", "inputs", f"surveys.{question}",
                f"the mean answer to {question} is {mean:.1f} since the run before, and was "
                f"{usual:.1f} in the weeks before, on a scale from {scale.low:g} to {scale.high:g}",
                mean, usual,
                "Did the scale, or its direction, change? Declare it in "
                "[logs.surveys.instruments].",
            )
        )  # fmt: skip
    return found

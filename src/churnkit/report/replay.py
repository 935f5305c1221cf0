"""Policies side by side: one dictionary that tells a replay, and its page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit.atomic import whole_file
from churnkit.metrics import Interval
from churnkit.replay import Replayed, Weeks
from churnkit.report.charts import SHAPES, pct, row, tag
from churnkit.report.page import environment
from churnkit.report.wording import number, percent
from churnkit.training import interval_dict

if TYPE_CHECKING:
    from markupsafe import Markup

_BAR = 26


def replay_summary(weeks: Weeks, replayed: Sequence[Replayed]) -> dict[str, Any]:
    """What policies would have done, as JSON-ready values.

    Returns
    -------
    dict
        ``question``, ``model`` (the rung) and ``trained_until``; ``weeks``, the cutoffs shown;
        ``evidence``, how many earlier ones policies could look at in the last week; ``policies``,
        each with ``name``, ``says``, ``colours`` (red, yellow, green: ``customers`` a week,
        ``churned`` with its interval, ``caught``, the share of all churners), ``profit`` and
        ``calls`` a week, ``changed`` and ``flicker`` (shares), ``promises``, ``rules`` (what each
        did), ``by_week`` and ``warnings`` of the last week.
    """
    model, shown = weeks.model, weeks.shown
    return {
        "question": model.question.rule,
        "model": model.rung,
        "trained_until": model.trained_on[-1],
        "weeks": [str(week.cutoff) for week in shown],
        "evidence": len(weeks.evidence(shown[-1].cutoff).tests),
        "customers": sum(len(week.churned) for week in shown) / len(shown),
        "money": replayed[0].money.rule,
        "policies": [_policy(one) for one in replayed],
    }


def _policy(one: Replayed) -> dict[str, Any]:
    return {
        "name": one.name,
        "says": one.light.policy.says,
        "hysteresis": {"margin": one.light.hysteresis.margin, "runs": one.light.hysteresis.runs},
        "colours": [
            {
                "light": colour.light,
                "customers": colour.customers,
                "churned": interval_dict(colour.churned),
                "caught": _known(colour.caught),
            }
            for colour in one.colours
        ],
        "profit": one.profit,
        "calls": one.calls_per_week,
        "changed": _known(one.changed),
        "flicker": _known(one.flicker),
        "promises": [
            {
                key: interval_dict(value) if isinstance(value, Interval) else value
                for key, value in told.items()
            }
            for told in one.promises()
        ],
        "rules": one.rules(),
        "by_week": [_week(told) for told in one.by_week()],
        "warnings": list(one.lights[-1].warnings),
    }


def _week(told: Mapping[str, Any]) -> dict[str, Any]:
    churned = {light: _known(share) for light, share in told["churned"].items()}
    return {**told, "churned": churned}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def render_replay(summary: Mapping[str, Any]) -> str:
    """One self-contained HTML page: no script, no network, the same text for the same summary."""
    template = environment().get_template("replay.html.j2")
    return template.render(summary, week_bars=week_bars, churn_dots=churn_dots)


def write_replay(summary: Mapping[str, Any], path: Path) -> None:
    """Write the page of a summary; the file appears whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(render_replay(summary), encoding="utf-8")


def week_bars(weeks: Sequence[Mapping[str, Any]]) -> Markup:
    """One bar a week, cut by light."""
    bars = []
    for k, week in enumerate(weeks):
        whole = sum(week[light] for light in SHAPES)
        start = 0.0
        for light in SHAPES:
            share = week[light] / whole if whole else 0.0
            says = f"{week['cutoff']}: {number(week[light])} {light}, {percent(share)}"
            bars.append(
                tag(
                    "rect", tag("title", says), class_=f"fill-{light}", x=pct(start),
                    width=pct(share), y=k * _BAR, height=_BAR - 4,
                )
            )  # fmt: skip
            start += share
    return row(*bars, height=_BAR * len(weeks), label="Customers by light, week by week")


def churn_dots(weeks: Sequence[Mapping[str, Any]], promises: Sequence[Mapping[str, Any]]) -> Markup:
    """For each week and light the share that churned, as its shape from 0 to 100 %."""
    tall = _BAR * len(weeks)
    lines = [
        tag("line", class_="grid", x1=_at(x), x2=_at(x), y1=0, y2=tall)
        for x in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    lines += [
        tag(
            "line", tag("title", f"promised of {told['light']}: {percent(told['promised'])}"),
            class_="guide", x1=_at(told["promised"]), x2=_at(told["promised"]), y1=0, y2=tall,
        )
        for told in promises
    ]  # fmt: skip
    dots = []
    for k, week in enumerate(weeks):
        for light, shape in SHAPES.items():
            share = week["churned"][light]
            if share is not None:
                says = f"{week['cutoff']}: {percent(share)} of {light} churned"
                dots.append(
                    tag(
                        "text", tag("title", says), shape, class_=f"shape-{light}",
                        x=_at(share), y=k * _BAR + 17, text_anchor="middle",
                    )
                )  # fmt: skip
    return row(*lines, *dots, height=tall, label="Share that churned by light, week by week")


def _at(share: float) -> str:
    """Place of a share, with room for a shape at both ends."""
    return pct(0.03 + 0.94 * share)

"""Drawings of a model card that stand by themselves, as the pages of MLflow show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from churnkit import plots
from churnkit.plots.style import SIZE
from churnkit.report.figures import sheet
from churnkit.report.wording import known, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_METRICS = ("auroc", "log_loss")


def drawings(card: Mapping[str, Any]) -> dict[str, str]:
    """File name → SVG: ladder, calibration, gains, profit, drivers, as far as the card knows."""
    drawn: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "ladder": _ladder,
        "calibration": _calibration,
        "gains": _gains,
        "profit": _profit,
        "drivers": _drivers,
    }
    found = {f"{name}.svg": draw(card) for name, draw in drawn.items()}
    return {name: text for name, text in found.items() if text}


def _ladder(card: Mapping[str, Any]) -> str:
    """Every rung on the test with its interval, by AUROC and by log loss."""
    test = card["trials"][-1]
    rows = [
        {"name": name, "used": name == card["model"], "metrics": told}
        for name, told in test["metrics"].items()
    ]
    metrics = [
        metric
        for metric in _METRICS
        if any(known((row["metrics"].get(metric) or {}).get("value")) for row in rows)
    ]
    if not metrics:
        return ""
    told = (
        f"{test['customers']:,} customers at risk, {percent(test['base_rate'])} churned; "
        "95 % intervals; filled: the model in use"
    )
    return sheet(_beside, rows, metrics, head=f"Test at {test['cutoff']}", says=told)


def _beside(rows: list[dict[str, Any]], metrics: list[str]) -> Axes:
    """The same rows by one metric after the other."""
    from matplotlib.figure import Figure

    size = (SIZE[0], len(metrics) * (0.7 + 0.3 * len(rows)))
    axes = Figure(figsize=size, layout="constrained").subplots(len(metrics), squeeze=False)
    for metric, [ax] in zip(metrics, axes, strict=True):
        plots.models(rows, metric, ax=ax)
    return ax


def _calibration(card: Mapping[str, Any]) -> str:
    if not card["calibration"]:
        return ""
    told = "Ten groups of equal size; the nearer to the dashed line, the truer the probabilities"
    return sheet(plots.calibration, card["calibration"], head=_head("Calibration", card), says=told)


def _gains(card: Mapping[str, Any]) -> str:
    gained = plots.gains(card["calibration"])
    if not gained:
        return ""
    first = gained[1]
    told = (
        f"The likeliest {percent(first['share'])} hold {percent(first['caught'])} of those who "
        f"leave, {first['lift']:.1f} times as many as by lot"
    )
    return sheet(plots.lift, card["calibration"], head=_head("Gains", card), says=told)


def _profit(card: Mapping[str, Any]) -> str:
    if not card["profit"]["curve"]:
        return ""
    told = f"Per customer at risk, with {card['profit']['money']['rule']}"
    return sheet(plots.profit, card["profit"], head=_head("Profit", card), says=told)


def _drivers(card: Mapping[str, Any]) -> str:
    """What the decisions of the model rest on."""
    if not card["drivers"]:
        return ""
    told = "↑ more of it, more leave; ↓ more of it, fewer leave; associations, not causes"
    return sheet(plots.drivers, card["drivers"], head="What goes with leaving here", says=told)


def _head(what: str, card: Mapping[str, Any]) -> str:
    return f"{what}: {card['model']}, test at {card['trials'][-1]['cutoff']}"

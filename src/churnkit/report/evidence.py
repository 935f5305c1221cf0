"""Drawings of a model card that stand by themselves, as the pages of MLflow show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from churnkit.report.charts import (
    bar,
    calibration_plot,
    gains,
    gains_plot,
    interval_rows,
    markup,
    profit_plot,
    tag,
)
from churnkit.report.wording import interval, percent, score

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTH, _PLOT, _HEAD, _ROW = 760, 420, 62, 52
_NAMES, _NUMBERS = 170, 150
_DIRECTIONS = {"up": "↑ more of it, more leave", "down": "↓ more of it, fewer leave",
               "mixed": "↕ no single direction"}  # fmt: skip
_KEY = "95 % intervals; filled: the model in use"
_STYLE = """
svg { overflow: visible; }
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #566170; }
.head { font-size: 17px; font-weight: 600; fill: #1b2430; } .name { fill: #1b2430; }
.used { font-weight: 600; } .sheet { fill: #fff; }
.track { fill: #e8ecf1; } .bar { fill: #2c5f8f; } .grid { stroke: #dce1e8; }
.guide { stroke: #2c5f8f; stroke-dasharray: 4 4; }
.curve { fill: none; stroke: #2c5f8f; stroke-width: 2.5; }
.span { stroke-width: 2.5; } .span.used { stroke: #2c5f8f; } .span.rule { stroke: #566170; }
.dot.used { fill: #2c5f8f; } .dot.rule { fill: #fff; stroke: #566170; stroke-width: 2; }
"""


def drawings(card: Mapping[str, Any]) -> dict[str, str]:
    """File name → SVG: ladder, calibration, gains, profit, drivers, as far as the card knows."""
    drawn: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "ladder": _ladder,
        "calibration": _calibration,
        "gains": _gains,
        "profit": _profit,
        "drivers": _drivers,
    }
    found = {f"{name}.svg": str(draw(card)) for name, draw in drawn.items()}
    return {name: text for name, text in found.items() if text}


def _ladder(card: Mapping[str, Any]) -> Markup | str:
    """Every rung on the test with its interval, by AUROC and by log loss."""
    test = card["trials"][-1]
    models = [
        {"name": name, "used": name == card["model"], "metrics": told}
        for name, told in test["metrics"].items()
    ]
    parts, y = [], _HEAD
    for metric, says in (("auroc", "AUROC (higher is better)"),
                         ("log_loss", "log loss (lower is better)")):  # fmt: skip
        rows = interval_rows(models, metric)
        if not rows:
            continue
        parts.append(_text(says, 20, y + 14, "used"))
        y += 24
        for model, row in zip(models, rows[:-1], strict=True):
            parts += _ladder_row(model, model["metrics"].get(metric) or {}, row, y)
            y += _ROW
        parts.append(_placed(rows[-1], _NAMES, y, _WIDTH - _NAMES - _NUMBERS))
        y += 40
    head = (
        f"Test at {test['cutoff']}",
        f"{test['customers']:,} customers at risk, {percent(test['base_rate'])} churned; {_KEY}",
    )
    return _sheet(head, parts, y)


def _ladder_row(
    model: Mapping[str, Any], estimate: Mapping[str, Any], row: Markup, y: float
) -> list[Markup]:
    kind = "name used" if model["used"] else "name"
    numbers = f"{score(estimate.get('value'))} {interval(estimate)}"
    return [
        _text(model["name"], 20, y + _ROW / 2 + 4, kind),
        _placed(row, _NAMES, y, _WIDTH - _NAMES - _NUMBERS),
        _text(numbers, _WIDTH - _NUMBERS + 14, y + _ROW / 2 + 4, kind),
    ]


def _calibration(card: Mapping[str, Any]) -> Markup | str:
    told = "Ten groups of equal size; the nearer to the dashed line, the truer the probabilities"
    return _one_plot(calibration_plot(card["calibration"]), card, "Predicted and realised", told)


def _gains(card: Mapping[str, Any]) -> Markup | str:
    gained = gains(card["calibration"])
    told = "Dashed: a choice by lot, and one that knows who leaves"
    if len(gained) > 1:
        first = gained[1]
        told = (
            f"The likeliest {percent(first['share'])} hold {percent(first['caught'])} of those who "
            f"leave, {first['lift']:.1f} times as many as by lot"
        )
    return _one_plot(gains_plot(card["calibration"]), card, "Gains", told)


def _profit(card: Mapping[str, Any]) -> Markup | str:
    told = f"Per customer at risk, with {card['profit']['money']['rule']}"
    return _one_plot(profit_plot(card["profit"]), card, "Profit by the share called", told)


def _one_plot(plot: Markup, card: Mapping[str, Any], what: str, told: str) -> Markup | str:
    if not plot:
        return ""
    head = (f"{what}: {card['model']}, test at {card['trials'][-1]['cutoff']}", told)
    return _sheet(head, [_placed(plot, 40, _HEAD, _PLOT, _PLOT)], _HEAD + _PLOT + 10)


def _drivers(card: Mapping[str, Any]) -> Markup | str:
    """What the decisions of the model rest on."""
    drivers = card["drivers"]
    if not drivers:
        return ""
    most = max(driver["share"] for driver in drivers)
    parts = []
    for place, driver in enumerate(drivers):
        y = _HEAD + place * 34
        parts += [
            _text(driver["theme"], 20, y + 16, "name"),
            _placed(bar(driver["share"] / most), _NAMES + 70, y + 7, 230),
            _text(percent(driver["share"]), _NAMES + 312, y + 16, "name"),
            _text(_DIRECTIONS[driver["direction"]], _NAMES + 370, y + 16),
        ]
    head = (
        "What goes with leaving here",
        "Share of the decisions that rest on each theme; associations, not causes",
    )
    return _sheet(head, parts, _HEAD + len(drivers) * 34 + 10)


def _sheet(head: tuple[str, str], parts: Iterable[Markup], height: float) -> Markup:
    """A drawing with a heading and the style of all."""
    return tag(
        "svg",
        tag("style", _STYLE),
        tag("rect", class_="sheet", width=_WIDTH, height=height),
        _text(head[0], 20, 28, "head"),
        _text(head[1], 20, 48),
        *parts,
        xmlns="http://www.w3.org/2000/svg", width=_WIDTH, height=height,
        viewBox=f"0 0 {_WIDTH} {height}", role="img", aria_label=head[0],
    )  # fmt: skip


def _text(words: str, x: float, y: float, kind: str = "soft") -> Markup:
    return tag("text", words, class_=kind, x=x, y=y)


def _placed(drawing: Markup, x: float, y: float, width: float, height: float = _ROW) -> Markup:
    """A drawing in a frame of its own, which its percentages are of."""
    return tag("svg", markup(drawing), x=x, y=y, width=width, height=height, overflow="visible")

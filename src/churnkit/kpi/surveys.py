"""NPS, CES and CSAT: which scales they take, and how their answers count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from churnkit.kpi.figures import Figure, mean_on_scale, net_promoters, share
from churnkit.logs import SCORE_UNITS, Instrument

SURVEYS = ("nps", "ces", "csat")
"""The instruments that have an index, in the order in which they are shown."""

_DETRACTOR_UP_TO, _PASSIVE_UP_TO = 6, 8
_NPS_SCALES = ((0, 10), (1, 10))
_SATISFIED_FROM = Fraction(3, 4)  # of the way from the bad end to the good one: 4 on 1 to 5


@dataclass(frozen=True)
class Survey:
    """A survey that has an index, with its declared scale."""

    scale: Instrument

    @property
    def name(self) -> str:
        """``nps``, ``ces`` or ``csat``."""
        return self.scale.name

    @property
    def is_mean(self) -> bool:
        """Whether its index is a mean of the answers."""
        return self.name == "ces"

    @property
    def ends(self) -> tuple[Fraction, Fraction]:
        """The bad and the good end of the scale, in units of a score."""
        low, high = (Fraction(str(end)) * SCORE_UNITS for end in (self.scale.low, self.scale.high))
        return (low, high) if self.scale.better == "high" else (high, low)

    def counted(self, score: np.ndarray) -> dict[str, np.ndarray]:
        """What is summed over the answers, given in units of a score."""
        if self.is_mean:
            return {"score": score}
        if self.name == "csat":
            bad, good = self.ends
            edge = bad + _SATISFIED_FROM * (good - bad)
            satisfied = score >= float(edge) if good > bad else score <= float(edge)
            return {"satisfied": satisfied}
        return {
            "promoters": score > _PASSIVE_UP_TO * SCORE_UNITS,
            "detractors": score <= _DETRACTOR_UP_TO * SCORE_UNITS,
        }

    def index(self, cell: Mapping[str, int]) -> Figure:
        """The index of a month from the sums over its answers."""
        told = {name: cell[f"{self.name}_{name}"] for name in self._summed}
        n = told.pop("answers")
        if self.name == "nps":
            return net_promoters(told["promoters"], told["detractors"], n)
        if self.name == "csat":
            return share(told["satisfied"], n)
        return mean_on_scale(told["score"], told["score*score"], n, *self.ends)

    @property
    def _summed(self) -> tuple[str, ...]:
        of_answers = {
            "nps": ("promoters", "detractors"),
            "ces": ("score", "score*score"),
            "csat": ("satisfied",),
        }
        return ("answers", *of_answers[self.name])

    @property
    def rule(self) -> str:
        """How the index is made, in words."""
        scale = f"{self.scale.low:g} to {self.scale.high:g}"
        if self.name == "nps":
            low = f"{self.scale.low:g}"
            return (
                f"NPS: % promoters (9–10) less % detractors ({low}–6) on {scale}, from −100 to +100"
            )
        if self.name == "csat":
            top = "4 and 5" if (self.scale.low, self.scale.high) == (1, 5) else "the top quarter"
            top = top if self.scale.better == "high" else "the best quarter"
            return f"CSAT: share of answers in {top} of {scale}"
        turned = "" if self.scale.better == "high" else ", turned round as low is easy"
        return f"CES: mean ease of the answers on {scale}{turned}, 0 hardest to 1 easiest"


def surveys_of(scales: Iterable[Instrument]) -> tuple[tuple[Survey, ...], tuple[str, ...]]:
    """The surveys of customers that have an index, and why others of these names have none.

    Returns
    -------
    tuple
        The surveys in the order of `SURVEYS`, and sentences.
    """
    named = {scale.name: scale for scale in scales if scale.source == "customer"}
    found, refused = [], []
    for name in SURVEYS:
        scale = named.get(name)
        if scale is None:
            continue
        known = (scale.low, scale.high) in _NPS_SCALES and scale.better == "high"
        if name == "nps" and not known:
            refused.append(
                f"no NPS is told: it is declared on {scale.low:g} to {scale.high:g} with "
                f"{scale.better} as good, and is defined on 0 to 10 (or 1 to 10)"
            )
        else:
            found.append(Survey(scale))
    return tuple(found), tuple(refused)

"""The look of the house: palette, type, and a drawing surface in it.

A colour never stands alone: a shape, a word, a dash or being filled says the same, so that plots
can be read in grey and by the colour-blind.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PALETTE: Mapping[str, str] = {
    "ink": "#1b2430",
    "soft": "#566170",
    "line": "#dce1e8",
    "track": "#e8ecf1",
    "sheet": "#ffffff",
    "accent": "#2c5f8f",
    "green": "#1b9e77",
    "yellow": "#ffc72c",
    "red": "#a3001b",
}
"""Name → colour. Pages call them by name, and have others of these names in the dark."""

LIGHTS = ("red", "yellow", "green")
"""The lights, the most urgent first."""

SHAPES: Mapping[str, str] = {"red": "■", "yellow": "▲", "green": "●"}
"""Light → its shape in words."""

MARKERS: Mapping[str, str] = {"red": "s", "yellow": "^", "green": "o"}
"""Light → its shape as a marker of matplotlib."""

ON_LIGHT: Mapping[str, str] = {"red": "#fffffe", "yellow": "#16191d", "green": "#06140f"}
"""Light → the colour of what is written on it; on yellow nothing pale, and no yellow elsewhere."""

SIZE = (4.6, 2.9)
"""Width and height in inches, unless a plot needs more."""

SMALL, NORMAL = 9.0, 10.0
"""Sizes of type in points."""

_RULES: Mapping[str, Any] = {
    "figure.facecolor": PALETTE["sheet"],
    "savefig.facecolor": PALETTE["sheet"],
    "figure.dpi": 100.0,
    "savefig.dpi": 200.0,
    # Comes with matplotlib, so that places are the same on every machine.
    "font.family": ["DejaVu Sans"],
    "font.size": NORMAL,
    "text.color": PALETTE["ink"],
    "axes.labelcolor": PALETTE["soft"],
    "axes.labelsize": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.titlecolor": PALETTE["soft"],
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.unicode_minus": True,
    "xtick.labelcolor": PALETTE["soft"],
    "ytick.labelcolor": PALETTE["soft"],
    "xtick.labelsize": NORMAL,
    "ytick.labelsize": NORMAL,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    # Names of customers, products and owners may hold a dollar sign.
    "text.parse_math": False,
}
_LOCK = threading.RLock()  # the rules of matplotlib are one table for the whole process


@contextmanager
def style() -> Iterator[None]:
    """Whatever is drawn inside has the look of the house.

    Examples
    --------
    >>> import matplotlib as mpl
    >>> with style():
    ...     mpl.rcParams["text.color"]
    '#1b2430'
    """
    import matplotlib as mpl

    with _LOCK, mpl.rc_context(dict(_RULES)):  # type: ignore[arg-type]
        yield


@contextmanager
def canvas(ax: Axes | None, size: tuple[float, float] = SIZE) -> Iterator[Axes]:
    """The given Axes, or new ones in a figure of their own, dressed and ready to be drawn on.

    The figure is no figure of pyplot: nothing has to be closed. New Axes show themselves as a
    picture at the end of a notebook's cell.
    """
    with style():
        yield _dressed(_own(size) if ax is None else ax)


def _own(size: tuple[float, float]) -> Axes:
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained").add_subplot(axes_class=_shown())


@cache
def _shown() -> Any:
    """Axes that a notebook shows as a picture."""
    import io
    import warnings

    from matplotlib import axes

    class Shown(axes.Axes):
        def _repr_png_(self) -> bytes:
            into = io.BytesIO()
            with style(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # glyphs of names that the font lacks
                figure: Any = self.get_figure(root=True)
                figure.savefig(into, format="png")
            return into.getvalue()

        def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            # At the size of the figure, however fine the picture is.
            figure: Any = self.get_figure(root=True)
            width, height = (
                round(figure.get_dpi() * inches) for inches in figure.get_size_inches()
            )
            size = {"image/png": {"width": width, "height": height}}
            return {"image/png": self._repr_png_()}, size

    return Shown


def _dressed(ax: Axes) -> Axes:
    ax.set_axisbelow(True)
    ax.tick_params(
        bottom=False, left=False, which="both", labelsize=NORMAL, labelcolor=PALETTE["soft"]
    )
    ax.spines[["top", "left", "right"]].set_visible(False)
    ax.spines["bottom"].set_color(PALETTE["line"])
    ax.spines["bottom"].set_linewidth(1.0)
    return ax


def grid(ax: Axes, axis: str = "y") -> None:
    """Faint lines across one axis, or ``both``."""
    ax.grid(True, axis=axis, color=PALETTE["line"], linewidth=0.8)  # type: ignore[arg-type]


def bare(ax: Axes) -> None:
    """Neither axis, for pictures that are labelled directly."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines["bottom"].set_visible(False)


def empty(ax: Axes, sentence: str) -> None:
    """Nothing but a sentence that says what is missing."""
    bare(ax)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.text(0.5, 0.5, sentence, ha="center", va="center", color=PALETTE["soft"])


_JOINS = "\u200c\u200d\u200e\u061c\u2068\u2069"
"""Signs without a shape that Persian and Arabic are written with: they join, part and order."""


def short(name: object, most: int = 26) -> str:
    r"""A name that fits beside a plot: one line, no control characters, an ellipsis if cut.

    >>> short("a" * 40, 10), short("one\ntwo")
    ('aaaaaaaaa…', 'one two')
    """
    words = "".join(
        c if c in _JOINS or unicodedata.category(c)[0] != "C" else " " for c in str(name)
    )
    words = " ".join(words.split())
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"

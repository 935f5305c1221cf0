"""Plots as drawings inside a page: in its colours, its font and its language."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from churnkit.language import ENGLISH, Language
from churnkit.plots.parts import WHOLE
from churnkit.plots.style import PALETTE, short, style

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
_COLOURS = {colour: f"var(--{name})" for name, colour in PALETTE.items()}
_KEPT = frozenset({"d", "x", "y", "width", "height", "transform", "viewBox"})
_GROUND = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no XML
_SIGNED = re.compile(r"([●▲■↑↓↕≤≥]) (.+)")
_MIXED = re.compile(r"[A-Za-z].*[\u0590-\u08ff]")
_SHEET, _HEAD = 400.0, 40  # width and head of a sheet, in points
_LONG = re.compile(r"-?\d+\.\d+")


def svg(
    draw: Callable[..., Axes],
    *args: Any,
    label: str,
    language: Language = ENGLISH,
    size: tuple[float, float] | None = None,
    **kwargs: Any,
) -> Markup:
    """One plot as an SVG element of a page.

    Its colours are the variables of the page's style sheet, so that it follows the light and the
    dark; its texts are the page's font, in its language. It has no ids, no style element and no
    links, and is the same for the same values.

    Parameters
    ----------
    draw
        A function of `churnkit.plots`.
    *args, **kwargs
        What it is told.
    label
        What the drawing shows, for those who do not see it; in the language of the page.
    language
        Of the texts and numbers.
    size
        Width and height in inches; by default what the plot takes for itself.

    Returns
    -------
    markupsafe.Markup
        As wide as ``viewBox`` says, and scaled by the style sheet. Everything told is escaped.

    Examples
    --------
    >>> from churnkit.plots import lights
    >>> str(svg(lights, {"red": 2, "yellow": 1, "green": 7}, label="Lights"))[:34]
    '<svg role="img" aria-label="Lights'
    """
    from markupsafe import Markup

    drawn = _document(draw, args, kwargs, size)
    root = ET.fromstring(drawn)  # noqa: S314 - written here
    told = _element(root, _definitions(root), language)
    told.attrib = {
        "role": "img", "aria-label": label, "class": "plot", "viewBox": root.attrib["viewBox"],
        "style": f"max-width:{float(root.attrib['viewBox'].split()[2]) * 1.25:.0f}px",
        "direction": "ltr",
    }  # fmt: skip
    text = ET.tostring(told, encoding="unicode", short_empty_elements=True)
    return Markup(text)  # noqa: S704 - escaped by it


def sheet(draw: Callable[..., Axes], *args: Any, head: str, says: str, **kwargs: Any) -> str:
    """One plot as an SVG file of its own, with a heading, in its own colours.

    Parameters
    ----------
    draw, *args, **kwargs
        As in `svg`.
    head, says
        The heading, and a sentence below it.
    """
    root = ET.fromstring(_document(draw, args, kwargs, None))  # noqa: S314 - written here
    plot = _element(root, _definitions(root), ENGLISH)
    wide, high = (float(n) for n in root.attrib["viewBox"].split()[2:])
    ink = {"font-weight": "600", "font-size": "12", "fill": "var(--ink)"}
    whole = {"viewBox": f"0 0 {max(wide, _SHEET):g} {high + _HEAD:g}", "font-family": "sans-serif"}
    made = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", **whole})
    made.append(ET.Element("rect", {"width": "100%", "height": "100%", "fill": "var(--sheet)"}))
    for y, text, look in (
        ("18", head, ink),
        ("32", says, {"font-size": "8", "fill": "var(--soft)"}),
    ):
        ET.SubElement(made, "text", {"x": "8", "y": y, **look}).text = _GROUND.sub("\ufffd", text)
    moved = ET.SubElement(made, "g", {"transform": f"translate(0 {_HEAD})"})
    moved.extend(plot)
    written = ET.tostring(made, encoding="unicode")
    return re.sub(r"var\(--(\w+)\)", lambda name: PALETTE[name[1]], written)


def _document(
    draw: Callable[..., Axes],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    size: tuple[float, float] | None,
) -> str:
    """The drawing as matplotlib writes it; for the same values as before the same one."""
    try:
        told = json.dumps([args, kwargs])
    except TypeError:  # an object of the library
        return _drawn(draw, args, kwargs, size)
    return _drawn_before(draw, told, size)


@lru_cache(maxsize=64)
def _drawn_before(draw: Callable[..., Axes], told: str, size: tuple[float, float] | None) -> str:
    args, kwargs = json.loads(told)
    return _drawn(draw, args, kwargs, size)


def _drawn(
    draw: Callable[..., Axes],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    size: tuple[float, float] | None,
) -> str:
    """The SVG document of matplotlib."""
    import matplotlib as mpl

    into = io.StringIO()
    with style(), warnings.catch_warnings():
        # Glyphs that the font of matplotlib lacks: the page has others.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure: Any = draw(*args, **kwargs).get_figure(root=True)
        if size is not None:
            figure.set_size_inches(*size)
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "churnkit"}):
            figure.savefig(into, format="svg", transparent=True, metadata={"Date": None})
    return _GROUND.sub("\ufffd", into.getvalue())


def _definitions(root: ET.Element) -> dict[str, ET.Element]:
    """What is drawn by its name: id → element, put into its place so that no id is left."""
    return {
        f"#{element.attrib['id']}": element
        for parent in root.iter(f"{_SVG}defs")
        for element in parent.iter()
        if "id" in element.attrib
    }


def _element(
    given: ET.Element, named: dict[str, ET.Element], language: Language, whole: str = ""
) -> ET.Element:
    """An element without names, in the colours of the page, and what is inside of it."""
    if given.attrib.get("id", "").startswith(WHOLE):
        whole = given.attrib["id"]
    made = ET.Element(given.tag.removeprefix(_SVG), _attributes(given))
    made.text = (given.text or "").strip() or None
    if made.tag == "text":
        made.text = _cut(whole, language) if whole else written(given.text or "", language)
    for inside in given:
        name = inside.tag.removeprefix(_SVG)
        if name in {"defs", "metadata"}:
            continue
        part = _used(inside, named) if name == "use" else _element(inside, named, language, whole)
        if part.tag == "g" and not part.attrib:
            made.extend(part)  # a group that groups nothing
        elif part.tag != "g" or len(part):
            made.append(part)
    return made


def _cut(whole: str, language: Language) -> str:
    """A name that was told in the language before it was cut to the letters it has room for."""
    most, _, name = whole.removeprefix(WHOLE).partition(":")
    return short(written(name, language), int(most))


def _used(given: ET.Element, named: dict[str, ET.Element]) -> ET.Element:
    """A marker in its place."""
    shape = named[given.attrib[_LINK]]
    place = f"translate({_short(given.attrib['x'])} {_short(given.attrib['y'])})"
    drawn = given.attrib if given.attrib.get("style") else shape.attrib
    return ET.Element(
        "path",
        {"d": _line(shape.attrib["d"]), "transform": place, "style": _styled(drawn["style"])},
    )


def _attributes(given: ET.Element) -> dict[str, str]:
    kept = {key: _line(value) for key, value in given.attrib.items() if key in _KEPT}
    if kept.get("transform", "").startswith("rotate(-0"):
        del kept["transform"]
    if "style" in given.attrib and (styled := _styled(given.attrib["style"])):
        kept["style"] = styled
    return kept


def _styled(rules: str) -> str:
    """Rules in the colours of the page, without a font of their own."""
    pairs = (rule.strip().partition(":")[::2] for rule in rules.split(";") if rule.strip())
    kept = {key.strip(): value.strip() for key, value in pairs}
    if "font" in kept:
        kept.update(_font(kept.pop("font")))
    kept.pop("font-family", None)
    return ";".join(f"{key}:{_COLOURS.get(value, value)}" for key, value in kept.items())


def _font(said: str) -> dict[str, str]:
    """Size and weight of ``bold 10px 'Name'``."""
    found = re.match(r"(?:(bold|\d+) )?.*?([\d.]+)px", said)
    if found is None:
        return {}
    weight = {"font-weight": "600"} if found[1] in ("bold", "700") else {}
    return {"font-size": f"{found[2]}px", **weight}


def _line(path: str) -> str:
    """A path on one line, to hundredths of a point."""
    return " ".join(_LONG.sub(lambda n: _short(n[0]), path).split())


def _short(number: str) -> str:
    text = f"{float(number):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def written(text: str, language: Language) -> str:
    """A text of a plot in a language; parts between points, and after a sign, each by itself.

    >>> written("● green", ENGLISH), written("2024-12-31", ENGLISH)
    ('● green', '2024-12-31')
    """
    parts = text.split(" · ")
    if len(parts) > 1:
        return " · ".join(written(part, language) for part in parts)
    if (signed := _SIGNED.fullmatch(text)) is not None:
        return f"{signed[1]} {written(signed[2], language)}"
    told = language.said(text)
    # A line begins on the side of its first letter, whatever script the rest of it is in.
    return f"\u200f{told}" if language.direction == "rtl" and _MIXED.match(told) else told

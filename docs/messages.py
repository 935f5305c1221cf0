"""Gather the messages that pages and stored sentences are made of, and update the languages.

    python docs/messages.py            update every src/churnkit/language/CODE.po
    python docs/messages.py --new tr   begin a language

Messages are gathered from three places: the templates of the pages, sentences that the code makes
(f-strings, each value a place in braces), and what is data already: features, rules, playbooks.
Only what people read on pages and in call lists is gathered, see `TOLD`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

from babel.messages import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2 import nodes
from jinja2.ext import babel_extract

SOURCE = Path(__file__).parents[1] / "src" / "churnkit"
LANGUAGES = SOURCE / "language"
SENTENCE, FORM = "sentence", "form"

ALL = ("",)
TOLD: dict[str, tuple[str, ...]] = {
    "changes.py": ("causes", "_of_the_rules", "_of_the_score", "rules_turned"),
    "challenge.py": ("compare", "_compared", "_says"),
    "coverage.py": (
        "_WRITTEN",
        "_few_shared",
        "_why_apart",
        "_single_cohort",
        "_once",
        "_only_returns",
    ),
    "evaluation.py": ("verdict",),
    "explain/drivers.py": ("_difference", "_of_shares"),
    "gates.py": (
        "GATES",
        "__str__",
        "grade_of",
        "base_rate_moved",
        "_range_of_rates",
        "_enough",
        "_better_than_chance",
        "_not_beaten_by_a_rule",
        "_not_beaten_by_a_feature",
        "_no_leak",
        "_not_optimistic",
        "_calibrated",
    ),
    "kpi/kpis.py": ("_rules", "_warnings", "_cohort_rule", "_span"),
    "kpi/result.py": ("says", "_revenue_in_words"),
    "kpi/surveys.py": ("rule", "surveys_of"),
    "labels.py": ("rule", "events_in_words"),
    "lights/overrides.py": ("says",),
    "lights/policies.py": ("says", "edges", "_cannot", "_moved", "_span"),
    "lights/traffic.py": ("_told",),
    "monitor/alarm.py": ("verdict", "_first", "listed"),
    "monitor/behaviour.py": ALL,
    "monitor/columns.py": ALL,
    "monitor/drift.py": ALL,
    "monitor/look.py": ALL,
    "monitor/realised.py": ALL,
    "monitor/runs.py": ALL,
    "monitor/sizes.py": ALL,
    "monitor/volumes.py": ALL,
    "outcomes/report.py": ("_judged", "_still", "_notes", "_SAYS"),
    "outcomes/treated.py": ("says",),
    "outcomes/uplift.py": ("_verdict", "_require_enough"),
    "profit.py": ("rule", "says"),
    "project.py": (
        "_kept_run",
        "_unmet",
        "_unvalued",
        "_careful",
        "_seen",
        "_unseen",
        "_unlike_the_test",
    ),
    "project_outcomes.py": ("_told_of_ranking", "saved_by_acting"),
    "project_report.py": ALL,
    "report/charts.py": ALL,
    "report/kpi.py": ALL,
    "report/monitor.py": ALL,
    "report/wording.py": ALL,
    "rolling/segments.py": ALL,
    "rolling/trials.py": ("verdict",),
    "spend.py": ("WAYS", "says"),
    "training.py": ("out_of_order",),
}
TOLD |= {f"plots/{path.name}": ALL for path in sorted((SOURCE / "plots").glob("*.py"))}
"""Module → functions, or constants, whose texts are read on pages; `ALL` of them."""

NO_MESSAGE = re.compile(
    r"<svg|offset points|axes fraction|0 0 \{|rotate\(|^span |^dot |^tick |^bar |^plot |DejaVu"
    r"|^and \{\w+\} more$|^\{days\} days$|at least \(|^[#.]"
    r"|reading and sorting|^looking at |^loading the model|^writing the page"
)
"""What looks like a text, and is none: styles, places in drawings, steps that a terminal tells."""

_TEXTS = (ast.Constant, ast.JoinedStr, ast.FormattedValue, ast.IfExp)

ERRORS = ("ConfigError", "DataError", "GateRefused", "BundleError", "Busy", "NothingToDo")

WORDS = (
    "red", "yellow", "green", "purchases", "activity", "surveys", "customers", "NPS", "CES", "CSAT",
    "nps", "ces", "csat", "purchase", "unknown", "other", "none", "high", "middle", "low",
    "a purchase", "an activity", "predicted", "realised", "before", "now", "median", "times",
    "together", "usually",
    "not known", "call", "visit", "mail", "message", "letter", "churn",
    "better", "worse", "larger", "smaller",
)  # fmt: skip
"""Words that are stored alone."""

FORMS = (
    "{a}; {b}", "{a}, {b}", "[{low}, {high}]", "< {n}", "> {n}", "{day}, {time}",
    "{day} {month} {year}",
)  # fmt: skip
"""How parts are put together."""


# ── Sentences of the code ───────────────────────────────────────────────────────────────────


def of_code(module: str, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Templates of the sentences that functions and constants of a module make, with plurals."""
    tree = ast.parse((SOURCE / module).read_text(encoding="utf-8"))
    found = [node for name in names for node in _named(tree, name)]
    lost = [name for name in names if not _named(tree, name)]
    if lost:
        raise SystemExit(f"docs/messages.py: {module} has no {lost[0]}: mend TOLD")
    for part in found:
        yield from _of_part(part)


def _named(tree: ast.Module, name: str) -> list[ast.AST]:
    if not name:
        return [tree]
    return [
        node
        for node in ast.walk(tree)
        if (isinstance(node, ast.FunctionDef) and node.name == name)
        or (isinstance(node, ast.Assign | ast.AnnAssign) and name in _targets(node))
    ]


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _of_part(part: ast.AST) -> Iterator[tuple[str, str]]:
    left_out = _left_out(part)
    for node in ast.walk(part):
        if node in left_out:
            continue
        if isinstance(node, ast.Call) and _called(node) in ("some", "_counted", "agree"):
            yield from _counted(node)
        if isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp | ast.IfExp):
            for pieces in _variants(node):
                text = _template(pieces)
                if " " in text and _has_words(text):
                    yield text, ""
            left_out |= _inside(node)


def _left_out(part: ast.AST) -> set[ast.AST]:
    """What no reader of a page sees: docstrings, types, errors."""
    out: set[ast.AST] = set()
    for node in ast.walk(part):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            out.add(node.value)
        is_error = isinstance(node, ast.Call) and (_called(node) in ERRORS or _asks(node))
        if isinstance(node, ast.Raise) or is_error:
            out |= set(ast.walk(node))
        annotations = [getattr(node, name, None) for name in ("annotation", "returns")]
        out |= {inner for a in annotations if isinstance(a, ast.AST) for inner in ast.walk(a)}
        if isinstance(node, ast.FunctionDef) and node.name in ("__repr__", "_repr_html_"):
            out |= set(ast.walk(node))
    return out


def _inside(node: ast.AST) -> set[ast.AST]:
    """The parts of a text that are told with it; calls within it may hold texts of their own."""
    inside: set[ast.AST] = set()
    for child in ast.iter_child_nodes(node):
        sum_of_texts = isinstance(child, ast.BinOp) and isinstance(node, ast.BinOp)
        if sum_of_texts or isinstance(child, _TEXTS):
            inside |= {child} | _inside(child)
    return inside


def _variants(node: ast.AST) -> list[list[str | ast.expr]]:
    """The pieces of which a text is made, literal or a value; one list for each way it may go."""
    if isinstance(node, ast.Constant):
        return [[node.value]] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return [*_variants(node.body), *_variants(node.orelse)] if _is_text(node) else []
    if isinstance(node, ast.BinOp):
        sides = _variants(node.left), _variants(node.right)
        return [[*a, *b] for a, b in product(*sides)] if isinstance(node.op, ast.Add) else []
    if not isinstance(node, ast.JoinedStr):
        return []
    ways = [
        _variants(part.value if isinstance(part, ast.FormattedValue) else part)
        if not isinstance(part, ast.FormattedValue) or _is_text(part.value)
        else [[part.value]]
        for part in node.values
    ]
    return [[piece for pieces in way for piece in pieces] for way in product(*ways)]


def _is_text(node: ast.AST) -> bool:
    """Whether an expression is nothing but texts that the code holds."""
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) and _is_text(node.orelse)
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def in_code(path: Path) -> Iterator[str | tuple[str, str]]:
    """Messages that code asks of a language itself."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and _asks(node):
            texts = [a.value for a in node.args[:2] if isinstance(a, ast.Constant)]
            if texts:
                yield texts[0] if len(texts) == 1 else (texts[0], texts[1])


def _asks(node: ast.Call) -> bool:
    return (
        isinstance(node.func, ast.Attribute)
        and node.func.attr in ("text", "texts")
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "language"
    )


def _template(pieces: list[str | ast.expr]) -> str:
    text, names, after_value = "", [], False
    for piece in pieces:
        if isinstance(piece, str):
            text += piece.replace("{", "{{").replace("}", "}}")
            after_value = after_value and not piece
            continue
        if after_value:  # two values side by side are one place, which holds anything
            text = re.sub(r"\{(\w+?)(_etc)?\}$", r"{\1_etc}", text)
            continue
        names.append(_name(piece))
        same = names.count(names[-1])
        text += "{" + names[-1] + (f"_{same}" if same > 1 else "") + "}"
        after_value = True
    text = text.strip()
    if text.startswith("(") and text.endswith(")") and text.count("(") == 1:
        text = text[1:-1]
    return re.sub(r"^[;,:] ", "", text)


def _name(node: ast.expr) -> str:
    """What a place is called, by the expression that fills it."""
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        return name.strip("_").lower() or "of"
    if isinstance(node, ast.Subscript):
        key = node.slice
        is_word = isinstance(key, ast.Constant) and isinstance(key.value, str)
        return str(key.value) if is_word else _name(node.value)  # type: ignore[union-attr]
    if isinstance(node, ast.Call):
        if _called(node) in ("some", "_counted") and isinstance(node.args[1], ast.Constant):
            return str(node.args[1].value).replace(" ", "_") + "s"
        return _name(node.args[0]) if node.args else _name(node.func)
    if isinstance(node, ast.BinOp):
        both = (node.right, node.left) if isinstance(node.left, ast.Constant) else (node.left,)
        return _name(both[0])
    return "told"


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _counted(node: ast.Call) -> Iterator[tuple[str, str]]:
    """A count with its noun."""
    nouns = [a.value for a in node.args[1:] if isinstance(a, ast.Constant)]
    if nouns and _called(node) != "agree":
        yield f"{{n}} {nouns[0]}", f"{{n}} {nouns[1] if len(nouns) > 1 else nouns[0] + 's'}"


def _has_words(text: str) -> bool:
    return bool(re.search(r"[A-Za-z]{2}", re.sub(r"\{[^}]*\}", "", text))) and not (
        NO_MESSAGE.search(text)
    )


# ── What is data ────────────────────────────────────────────────────────────────────────────


def of_data() -> Iterator[tuple[str, str]]:
    """Templates of features, rules, playbooks, metrics and measures, with plurals."""
    from churnkit.actions.calls import CHANNELS, Calls
    from churnkit.actions.playbooks import SHIPPED
    from churnkit.kpi.measures import MEASURES
    from churnkit.kpi.result import EVERYBODY
    from churnkit.lights import RULES
    from churnkit.logs import EVENT_KINDS
    from churnkit.metrics import METRICS
    from churnkit.model import LADDER
    from churnkit.report.kpi import _TABLES, NAMES
    from churnkit.report.wording import code

    yield from of_features()
    for unit in ("day", "hour", "minute", "second"):
        yield f"{{n}} {unit}", f"{{n}} {unit}s"
    yield "in the last {n} day", "in the last {n} days"
    yield "so far", ""
    yield "{kind} {window}", ""
    yield "{listed} and {n} more", ""
    yield from of_set_aside()
    told = [*WORDS, *CHANNELS, Calls().owner, *(name.replace("_", " ") for name in EVENT_KINDS)]
    told += [rule.says for rule in RULES]
    told += [text for book in SHIPPED for text in (book.action, book.owner)]
    told += [text for m in METRICS.values() for text in (code(m.name), m.says)]
    told += [text for m in MEASURES for text in (code(m.name), m.says)]
    told += [rung.says for rung in LADDER] + [*NAMES.values(), *_TABLES, EVERYBODY]
    told += [code(name) for name in of_alarms()]
    yield from ((text, "") for text in told if text)


def of_alarms() -> Iterator[str]:
    """What kinds of alarm monitoring knows."""
    for path in sorted((SOURCE / "monitor").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _called(node) == "Alarm":
                kinds = _variants(node.args[0])
                yield from (kind[0] for kind in kinds if isinstance(kind[0], str))


def of_set_aside() -> Iterator[tuple[str, str]]:
    """Templates of why a row was set aside; those of one column read alike."""
    from churnkit.logs.check import all_reasons
    from churnkit.logs.schema import SCHEMAS

    for log, schema in SCHEMAS.items():
        columns = "|".join(sorted((c.name for c in schema.columns), key=len, reverse=True))
        of_a_column = re.compile(rf"(missing_|unreadable_|implausible_|^)({columns})(_|$)")
        for reason in all_reasons(log):
            yield of_a_column.sub(r"\1{column}\3", reason.code).replace("_", " "), ""


def of_features() -> Iterator[tuple[str, str]]:
    """Templates of what sentences say of features, their values and their companions."""
    from churnkit.explain.words import _IN_WORDS
    from churnkit.features import CATALOGUE

    for feature in CATALOGUE.values():
        fixed = [feature.says, feature.none, feature.theme, feature.unit]
        if feature.unknown != feature.says + ": unknown":
            fixed.append(feature.unknown)
        yield from ((_narrow(text), "") for text in fixed if _has_words(text))
        yield from ((name, "") for name in feature.classes.values())
        reads = feature.reads
        if feature.unit in ("share", "0..1"):
            reads = reads.replace("{value}", "{share}")
        elif feature.unit in _IN_WORDS or feature.classes:
            reads = reads.replace("{value}", "{words}")
        yield _told(reads, counts=feature.dtype == "int32")
        if feature.companion is not None:
            yield _told(feature.companion.reads)
    yield "{what}: unknown", ""
    yield "{says}: {light} → {turned}", ""
    yield "{now} (was {was})", ""
    yield "{now} (before: {before})", ""
    words = ("far behind", "behind", "alike", "ahead", "far ahead", "none any more", "much less",
             "less", "as before", "more", "much more", "none before")  # fmt: skip
    yield from ((word, "") for word in words)


def _told(reads: str, counts: bool = False) -> tuple[str, str]:
    from churnkit.explain.words import _COUNTED, _one

    if "{value} days" in reads:
        return _narrow(reads.replace("{value} days", "{span}")), ""
    if counts and "{value}" in reads:
        word = reads.replace("{instrument}", "instrument_")  # the name of one is a word
        return _narrow(_COUNTED.sub(_one, word).replace("instrument_", "{instrument}")), reads
    return _narrow(reads), ""


def _narrow(text: str) -> str:
    """Static columns of numbers and of categories read alike."""
    return text.replace("{number}", "{category}").replace(
        "{category}: {value}", "{category}: {word}"
    )


# ── Templates of the pages ──────────────────────────────────────────────────────────────────


def of_pages() -> Iterator[tuple[str, str | tuple[str, str], str]]:
    """Context, message (with plural) and file of each message of the pages."""
    for path in sorted((SOURCE / "report").rglob("*.j2")):
        where = path.relative_to(SOURCE).as_posix()
        with path.open("rb") as opened:
            extracted = babel_extract(
                opened, ("_", "gettext", "ngettext"), (), {"trim_blocks": "true", "silent": "false"}
            )
            for _, _, message, _ in extracted:
                texts = [message] if isinstance(message, str) else [t for t in message if t]
                yield "", texts[0] if len(texts) == 1 else (texts[0], texts[1]), where
        for text in _said_in(path):
            yield SENTENCE, text, where


def _said_in(path: Path) -> Iterator[str]:
    """English texts that a template hands to ``said``."""
    from churnkit.report.page import environment

    tree = environment().parse(path.read_text(encoding="utf-8"))
    for node in tree.find_all(nodes.Filter):
        if node.name == "said":
            yield from (text for text in _constants(node.node) if text)


def _constants(node: nodes.Node | None) -> Iterator[str]:
    """The texts that an expression may be."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.Or):
        yield from (text for side in (node.left, node.right) for text in _constants(side))
    elif isinstance(node, nodes.CondExpr):
        yield from (text for side in (node.expr1, node.expr2) for text in _constants(side))


# ── Catalogues ──────────────────────────────────────────────────────────────────────────────


def gathered() -> Catalog:
    """All messages that the code and the pages have, untranslated."""
    from churnkit.language.days import MONTHS

    told = Catalog()
    for context, message, where in of_pages():
        _add(told, context, message, where)
    for path in sorted((SOURCE / "report").rglob("*.py")):
        for message in in_code(path):
            _add(told, "", message, path.relative_to(SOURCE).as_posix())
    for module, names in TOLD.items():
        for one, many in of_code(module, names):
            _add(told, SENTENCE, (one, many) if many else one, module)
    for one, many in of_data():
        _add(told, SENTENCE, (one, many) if many else one, "")
    for form in (*FORMS, *MONTHS):
        _add(told, FORM, form, "")
    return told


def _add(told: Catalog, context: str, message: str | tuple[str, str], where: str) -> None:
    one = message if isinstance(message, str) else message[0]
    known = told.get(one, context or None)
    if known is not None and isinstance(known.id, tuple) and isinstance(message, str):
        return  # its singular and plural are there already
    told.add(message, context=context or None, locations=[(where, 1)] if where else ())


def read(path: Path) -> Catalog:
    """The catalogue in a file."""
    with path.open("rb") as opened:
        return read_po(opened, locale=None)


def update(path: Path, template: Catalog) -> None:
    """Bring a language to the messages of the code; translations that fit are kept."""
    told = read(path)
    told.update(template, no_fuzzy_matching=True, update_header_comment=False)
    told.obsolete.clear()
    write(path, told)


def write(path: Path, told: Catalog) -> None:
    """Write a catalogue, the same for the same messages: without days and line numbers."""
    told.creation_date = told.revision_date = datetime(2024, 1, 1, tzinfo=UTC)
    told.project, told.version, told.fuzzy = "churnkit", "1", False
    told.msgid_bugs_address = told.last_translator = told.language_team = ""
    with path.open("wb") as opened:
        write_po(opened, told, width=100, sort_output=True, include_lineno=False)


def differences(path: Path, template: Catalog) -> list[str]:
    """What a language lacks of the messages of the code, and what it has beyond them."""
    theirs = {(m.context, _ids(m.id)) for m in read(path) if m.id}
    ours = {(m.context, _ids(m.id)) for m in template if m.id}
    return [f"lacks {key}" for key in sorted(map(str, ours - theirs))] + [
        f"has no more {key}" for key in sorted(map(str, theirs - ours))
    ]


def _ids(message: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (message,) if isinstance(message, str) else tuple(message)


def main() -> None:
    """Update all languages, or begin one."""
    template = gathered()
    if sys.argv[1:2] == ["--new"]:
        path = LANGUAGES / f"{sys.argv[2]}.po"
        about = "# Messages of churnkit. See docs/languages.md."
        write(path, Catalog(locale=sys.argv[2], project="churnkit", header_comment=about))
    for path in sorted(LANGUAGES.glob("*.po")):
        update(path, template)
        untold = sum(not _ids(m.string)[0] for m in read(path) if m.id)
        print(f"{path.name}: {len(template)} messages, {untold} not translated")


if __name__ == "__main__":
    main()

"""``churnkit init``: look at the logs and write a ``churnkit.toml`` that says why."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from churnkit.atomic import whole_file
from churnkit.clock import zone_named
from churnkit.config import json_schema
from churnkit.errors import ConfigError
from churnkit.labels import Question
from churnkit.logs import SCHEMAS
from churnkit.older_settings import VERSION
from churnkit.sections import ALLOWED_BY_DEFAULT, QuestionSection
from churnkit.sources import FileSource, Source, SqlSource, connect, source_of
from churnkit.sources.proposal import Proposal, propose
from churnkit.sources.stores.address import Address, require_no_password

SCHEMA_NAME = "churnkit.schema.json"


def write_config(
    path: Path,
    files: Mapping[str, Path | str],
    question: QuestionSection,
    *,
    force: bool = False,
) -> list[Proposal]:
    """Look at the logs and write a commented ``churnkit.toml``, and its JSON Schema beside it.

    Parameters
    ----------
    path
        File to write.
    files
        Log name → file, or ``url#table`` of a store.
    question
        What is asked.
    force
        Overwrite an existing file.

    Returns
    -------
    list of Proposal
        How each log will be read.

    Raises
    ------
    ConfigError
        If the file exists and ``force`` is not set, no log of the question is given, or a url
        holds a password.
    DataError
        If a source cannot be read or a required column is not recognised.
    """
    if path.exists() and not force:
        raise ConfigError(f"{path} exists already", "Add --force to replace it.")
    needed = Question(question.churn, events=question.events).log
    if needed not in files:
        raise ConfigError(
            f"churn = {question.churn!r} needs a {needed} log",
            f"Add --{needed} FILE, or choose another --churn.",
        )
    zone_named(question.timezone)
    sources = {log: _source(given, log) for log, given in files.items()}
    proposals = []
    for log, source in sources.items():
        with connect(reads=source.files()) as con:
            proposals.append(propose(con, log, source))
    _write(path.with_name(SCHEMA_NAME), json.dumps(json_schema(), indent=1) + "\n")
    lines = _rendered(path.resolve().parent, proposals, question)
    _write(path, "".join(f"{line}\n" for line in lines))
    return proposals


def _source(given: Path | str, log: str) -> Source:
    whole = isinstance(given, str) and given.startswith("${")  # the url is told by one name
    source = SqlSource.parse(str(given)) if whole else source_of(given, log)
    if isinstance(source, SqlSource):
        require_no_password(source.url)
    return source


def _write(path: Path, text: str) -> None:
    with whole_file(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _rendered(
    folder: Path, proposals: Sequence[Proposal], question: QuestionSection
) -> Iterator[str]:
    yield f"#:schema ./{SCHEMA_NAME}"
    yield "# How churnkit reads your logs and what it is asked. Relative paths begin here."
    yield f"version = {VERSION}  # of the keys of this file"
    yield ""
    yield "[question]"
    yield f'churn = {_toml(question.churn)}  # "no_purchase", "no_activity" or "event"'
    if question.churn == "event":
        listed = ", ".join(map(_toml, question.events))
        yield f"events = [{listed}]  # with these a customer leaves"
        yield f"horizon_days = {question.horizon_days}  # churned: one of them within so long"
    else:
        yield f"horizon_days = {question.horizon_days}  # churned: no sign of life for so long"
    yield f"lookback_days = {question.lookback_days}  # at risk: a sign of life so recently"
    yield f"timezone = {_toml(question.timezone)}  # naive times are in it, and days begin in it"
    for proposal in proposals:
        yield ""
        yield from _log_section(folder, proposal)
    yield ""
    yield "[quality]"
    yield from _quality(proposals)
    yield ""
    yield from _security(folder, [proposal.source for proposal in proposals])
    yield from _DEFAULTS.splitlines()


def _log_section(folder: Path, proposal: Proposal) -> Iterator[str]:
    name = f"logs.{proposal.log}"
    yield f"[{name}]  # {SCHEMAS[proposal.log].says}"
    yield from _where(folder, proposal.source)
    yield from _reading(proposal)
    if not proposal.looked_at_all:
        yield f"# Looked at: {proposal.looked_at:,} rows, the first ones and some of the others."
    yield from (f"# Noticed: {note}." for note in proposal.noticed)
    yield from (
        f"# Undecided: {note}{'' if note.endswith('?') else '.'}" for note in proposal.notes
    )
    yield f"[{name}.columns]  # column of churnkit = column of yours  # meaning; how sure, and why"
    yield from _columns(proposal)
    if proposal.kinds:
        yield f"[{name}.kinds]  # your event = what churnkit understands by it"
        yield from (f"{_toml(event)} = {_toml(kind)}" for event, kind in proposal.kinds.items())
    yield from _instruments(proposal)
    yield from _left_to_you(name, proposal)


def _where(folder: Path, source: Source) -> Iterator[str]:
    if isinstance(source, SqlSource):
        yield f"url = {_toml(source.url)}"
        yield f"table = {_toml(source.table or '')}"
    if isinstance(source, FileSource):
        yield f"path = {_toml(_relative(source.path, folder))}"
        yield from _dialect(source)


def _dialect(source: FileSource) -> Iterator[str]:
    told = source.dialect()
    if told is None:
        return
    if told.encoding.sure != "sure":
        yield f"encoding = {_toml(told.encoding.name)}  # {told.encoding.sure}: {told.encoding.why}"
    if told.sure != "sure":
        yield f"delimiter = {_toml(told.delimiter)}  # {told.sure}: {told.why}"


def _reading(proposal: Proposal) -> Iterator[str]:
    """How cells are read, where that is not the default."""
    ts = proposal.columns.get("ts", "")
    if proposal.time_format:
        yield f"time_format = {_toml(proposal.time_format)}  # how {ts!r} is written"
    if proposal.calendar != "gregorian":
        yield f"calendar = {_toml(proposal.calendar)}  # the years in {ts!r}"
    if proposal.decimal:
        yield f"decimal = {_toml(proposal.decimal)}  # separates decimals; the other one groups"
    if proposal.fold_ids:
        yield "fold_ids = true  # ids in Persian or Arabic digits and letters are written one way"
    if proposal.provenance:
        listed = ", ".join(map(_toml, proposal.provenance))
        yield f"provenance = [{listed}]  # rows that differ only in where they are from are one"
    if proposal.groups:
        listed = ", ".join(map(_toml, proposal.groups))
        yield f"# static = [{listed}]  # remove the #, and what changes or becomes known later"
    if proposal.resolution == "day":
        yield f"# {ts!r} tells days, not hours."
    if proposal.grain == "line items":
        yield "# Several rows share an order: they are lines, and are folded into orders."


def _columns(proposal: Proposal) -> Iterator[str]:
    for name, source in proposal.columns.items():
        told = proposal.reasons[name]
        says = SCHEMAS[proposal.log].column(name).says
        yield f"{name} = {_toml(source)}  # {says} ({told.sure}: {told.why})"
    if proposal.unused:
        yield f"# Not used: {', '.join(map(repr, proposal.unused))}."


def _instruments(proposal: Proposal) -> Iterator[str]:
    if not proposal.scales:
        return
    yield f"[logs.{proposal.log}.instruments]  # check the scales"
    for scale in proposal.scales:
        told = scale.instrument
        yield (
            f"{_toml(told.name)} = {{ low = {told.low:.15g}, high = {told.high:.15g}, "
            f"better = {_toml(told.better)} }}  # {scale.why}"
        )


def _left_to_you(name: str, proposal: Proposal) -> Iterator[str]:
    """Tables that stand ready behind a ``#``, since only people can decide them."""
    if proposal.marks:
        yield f"# [{name}.exclude]  # remove the # to set such rows aside"
    for mark in proposal.marks:
        values = ", ".join(map(_toml, mark.values))
        yield f"# {_toml(mark.column)} = [{values}]  # {mark.share:.2%} of the rows that say it"
    if proposal.currencies:
        yield f"# [{name}.rates]  # several currencies: without their worth they are summed as one"
    for currency in proposal.currencies:
        yield f"# {_toml(currency)} = 1.0"


def _quality(proposals: Sequence[Proposal]) -> Iterator[str]:
    missing = max(proposal.missing_customer for proposal in proposals)
    limit = ALLOWED_BY_DEFAULT
    if missing > limit / 2:
        limit = min(math.ceil(missing * 30) / 20, 1.0)
        yield (
            f"# {missing:.1%} of the rows looked at have no customer; they are set aside and "
            "counted."
        )
    yield f"max_rejected_share = {limit:g}  # more faulty rows than this stop the run"


def _security(folder: Path, sources: Sequence[Source]) -> Iterator[str]:
    """The folders outside that of the project which somebody named on the command line."""
    outside = sorted({str(place) for place in _outside(folder, sources)})
    if outside:
        yield "[security]"
        yield f"folders = [{', '.join(map(_toml, outside))}]  # what may be read besides this one"
        yield ""


def _outside(folder: Path, sources: Sequence[Source]) -> Iterator[Path]:
    for source in sources:
        files = source.files()
        if isinstance(source, SqlSource) and (address := Address.parse(source.url)).is_file:
            files = [folder / address.database]
        for file in files:
            place = file.resolve().parent
            if not place.is_relative_to(folder):
                yield place


_DEFAULTS = """\
# [features]
# windows = [7, 30, 90, 180, 365]  # days; all time always comes along
# file = "my_features.py"  # features of your own

[training]
every = "month"  # between training cutoffs: or "week", or a number of days
cutoffs = 13  # at most so many
tests = 2  # later cutoffs to test on; the last one is reported
# until = 2024-12-31  # the day on which the log ends for training; by default its last day

[lights]
policy = "fixed"  # or "capacity", "cost", "promise": see churnkit lights simulate
yellow = 0.4  # lower edges, inclusive
red = 0.7
rules_off = []  # for example ["silent_30d"]
# [[lights.rules]]  # a rule of your own; docs/lights.md tells more
# name = "quiet_trade"
# when = ["spend_sum_365d >= 1000", "recency >= 45"]
# light = "yellow"
# says = "a big customer has not bought for 45 days"

[calls]
# per_week = 100  # calls and visits of a week; by default there is no limit
# owner = "retention team"  # who acts where a playbook names nobody

[holdout]
share = 0.1  # left alone, so that churnkit outcomes report can tell whether acting helps

[output]
models = "models"
scores = "scores"
reports = "reports"
ledger = "ledger"

[mlflow]
name = "churnkit"
tracking_uri = ""  # empty: a local store in the models folder
"""


def _relative(path: Any, folder: Path) -> str:
    whole = Path(path).resolve()
    return str(whole.relative_to(folder) if whole.is_relative_to(folder) else whole)


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

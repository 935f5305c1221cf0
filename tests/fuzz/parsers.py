"""What reads text or bytes that anybody may have written, one function of bytes for each.

A function returns, or raises what `FAULTS` names: churnkit's own errors, of which each has its exit
code, and `ValueError` and the like where its caller is known to turn those into one. Anything else
is a fault of churnkit. The tests feed them at random, ``coverage_guided.py`` by what they cover.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from churnkit.clock import Cutoff, every_named
from churnkit.config import load_settings
from churnkit.errors import ChurnkitError
from churnkit.estimators.tree_text import checked_trees
from churnkit.language import language_named
from churnkit.language.catalogue import catalogue_in
from churnkit.lights.rules import Condition, Rule, require_sound
from churnkit.publishing.manifest import Manifest
from churnkit.sources import FileSource, connect
from churnkit.sources.faults import engine_faults
from churnkit.sources.files.pages import wrong_page
from churnkit.sources.stores.address import Address, require_no_password, rooted

CODES = {2, 3, 4, 5, 75, 99}
"""Exit codes of churnkit's own errors that are documented; 1 is for what nobody expected."""
_MESSAGE = 5_000
_FEATURES = 6  # of the trees of tests/forged.py


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="churnkit-fuzz-"))


def _file(name: str, content: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(content)
    return path


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def config(data: bytes) -> None:
    """``churnkit.toml``, with its sections, rules, scales and sources."""
    settings = load_settings(_file("churnkit.toml", data))
    settings.contract()
    settings.light()
    settings.sources()


def rules(data: bytes) -> None:
    """Conditions of rules, one a line; what is read is written so that it is read again."""
    conditions = tuple(Condition.parse(line) for line in _text(data).split("\n"))
    for condition in conditions:
        if "'" not in str(condition.value) and condition.comparison != "is":
            again = Condition.parse(str(condition))
            assert (again.feature, again.comparison) == (condition.feature, condition.comparison)
    require_sound([Rule(f"r{k}", "", "red", (c,)) for k, c in enumerate(conditions)])
    require_sound([Rule("all", "", "red", conditions)])


def moments(data: bytes) -> None:
    """A cutoff, how far apart cutoffs are, and the name of a zone; one a line."""
    for line in _text(data).split("\n"):
        for read in (every_named, Cutoff.parse):
            _require_documented(_raised(read, line))
    Cutoff.parse("2024-01-01", _text(data))


def addresses(data: bytes) -> None:
    """The URL of a store; what is shown of it holds no password."""
    url = _text(data)
    require_no_password(url)
    address = Address.parse(url)
    rooted(url, Path("/srv"))
    shown = (str(address), repr(address), address.dialect, address.host_and_port)
    if len(address.password) > 3:
        assert all(f":{address.password}@" not in str(part) for part in shown[1:2])
    address.filled().url()


def trees(data: bytes) -> None:
    """LightGBM's text of trees."""
    checked_trees(_text(data), _FEATURES)


def sentences(data: bytes) -> None:
    """A sentence told in Persian and in Arabic, with its numbers and days."""
    text = _text(data)
    for code in ("fa", "ar"):
        language = language_named(code, "jalali" if code == "fa" else "gregorian")
        assert isinstance(language.said(text), str)
        assert isinstance(language.day(text), str)


def catalogues(data: bytes) -> None:
    """A PO file."""
    catalogue_in.__wrapped__(_file("xx.po", data))


def manifests(data: bytes) -> None:
    """The manifest of published scores."""
    Manifest.from_json(_text(data), Path("manifest.json"))


def pages(data: bytes) -> None:
    """The headers of Parquet pages, which stand one after the other."""
    if data:
        wrong_page(_file("pages.bin", data), [(0, len(data))])


def _read(path: Path) -> None:
    """All cells of a file, as a log is scanned."""
    source: Any = FileSource(path)
    with connect(reads=source.files()) as con:
        rows = source.attach(con, "purchases")
        with engine_faults([source]):
            con.execute(f"SELECT bit_xor(hash(COLUMNS(*))) FROM {rows.table}").fetchall()


def delimited(data: bytes) -> None:
    """A CSV file of any dialect and encoding."""
    _read(_file("x.csv", data))


def parquet(data: bytes) -> None:
    """A Parquet file."""
    _read(_file("x.parquet", data))


def json_lines(data: bytes) -> None:
    """A file of JSON lines."""
    _read(_file("x.jsonl", data))


UNSOUND = (ArithmeticError, LookupError, TypeError, ValueError)
"""What `churnkit.bundle` turns into its own error."""
FAULTS: dict[str, tuple[type[Exception], ...]] = {"trees": UNSOUND}

PARSERS: dict[str, Callable[[bytes], None]] = {
    parser.__name__: parser
    for parser in (
        *(config, rules, moments, addresses, trees, sentences, catalogues, manifests, pages),
        *(delimited, parquet, json_lines),
    )
}


def accepted(name: str, data: bytes) -> bool:
    """Whether a parser took it; what it may raise is looked at, anything else goes through."""
    error = _raised(PARSERS[name], data, *FAULTS.get(name, ()))
    _require_documented(error)
    return error is None


def _raised(read: Callable[[Any], Any], given: Any, *more: type[Exception]) -> Exception | None:
    try:
        read(given)
    except (ChurnkitError, *more) as error:
        return error
    return None


def _require_documented(error: Exception | None) -> None:
    if isinstance(error, ChurnkitError):
        assert error.exit_code in CODES, error
        assert len(error.found) < _MESSAGE, "a message that nobody reads"

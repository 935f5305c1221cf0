"""Line 25, second half: whatever is written into what we read, it ends soon and as documented.

Every parser of tests/fuzz is given its seeds, changed at random, and Hypothesis writes settings,
rules, scales and addresses that are nearly right. Each ends within five seconds, and with what it
gives or an error of churnkit's own, of which each has a documented exit code.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run
from fuzz.parsers import CODES, PARSERS, accepted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnkit.sources.files.pages import wrong_page

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
FULL = {
    "config": 5_000,
    "rules": 14_000,
    "moments": 14_000,
    "addresses": 12_000,
    "trees": 20_000,
    "sentences": 6_000,
    "catalogues": 2_500,
    "manifests": 13_000,
    "pages": 4_000,
    "delimited": 600,
    "parquet": 600,
    "json_lines": 240,
}
"""Inputs of each parser at full length: of cheap ones more. With those of Hypothesis and of the
commands there are 100,000."""
WRITTEN = {
    "settings": 900,
    "scales of surveys": 1_000,
    "conditions of rules": 3_000,
    "addresses of stores": 3_100,
}
COMMANDS = 60
TOKENS = (
    *(b"\0", b"\n", b"\r\n", b'"', b"'", b",", b";", b"\t", b"=", b"[", b"]", b"{", b"}", b"\\"),
    *(b"-1", b"0", b"1e999", b"nan", b"inf", b"9" * 30, b"9" * 5000, b"\xff\xfe", b"\xef\xbb\xbf"),
    *("۱۴۰۲/۱۲/۳۰".encode(), "٫".encode(), "\u202e".encode(), b"\xed\xa0\x80", b"${HOME}", b"%s"),
    *(b"\xff" * 20, b"\x7f\xff\xff\xff", b"\x80" * 9, b"true", b"null", b"../../etc", b"://"),
    b"a" * 99,
)  # fmt: skip


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fails whatever works for longer, or waits for long: a busy machine is no fault."""

    def late(*_: object) -> None:
        raise AssertionError(f"no end within {seconds} s")

    timers = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
    before = {sign: signal.signal(sign, late) for sign in timers}
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 20 * seconds)
    try:
        yield
    finally:
        for sign, timer in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(sign, before[sign])


LONGEST = 5
"""Seconds of work that an input may take."""


def changed(seeds: list[bytes], rng: np.random.Generator) -> bytes:
    """A seed with one to five random changes, or the pieces of two."""
    content = seeds[int(rng.integers(len(seeds)))]
    for _ in range(rng.integers(1, 6)):
        other = seeds[int(rng.integers(len(seeds)))]
        content = _changed_once(content, other, rng)
    return content


def _changed_once(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    at, end = sorted(rng.integers(0, len(content) + 1, 2).tolist())
    end = min(end, at + int(rng.integers(1, 40)))
    token = TOKENS[int(rng.integers(len(TOKENS)))]
    before, inside, after = content[:at], content[at:end], content[end:]
    ways = (
        before + after,
        before + inside * 3 + after,
        before + token + inside + after,
        before + token + after,
        before + rng.bytes(end - at) + after,
        before + other[at:],
        before,
    )
    return ways[int(rng.integers(len(ways)))]


@pytest.mark.parametrize("name", PARSERS)
def test_25_whatever_is_read_ends_soon_and_as_documented(name, trials, seen):
    seeds = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    inputs, taken = trials(min(200, max(8, FULL[name] // 60)), FULL[name]), 0
    for seed in seeds:
        with within(LONGEST):
            taken += accepted(name, seed)
    rng = np.random.default_rng(25)
    for k in range(inputs):
        content = changed(seeds, rng)
        try:
            with within(LONGEST):
                taken += accepted(name, content)
        except Exception as error:  # whatever it is, the input is told with it
            raise AssertionError(f"{name}, input {k}: {content!r}") from error
    assert taken, "nothing was ever right"
    seen(f"fuzzed inputs: {name}", inputs)


# ── Nearly right ────────────────────────────────────────────────────────────────────────────

WORDS = st.one_of(
    st.sampled_from(
        ["", "a", "nps", "id", "x'y", 'x"y', "../..", "${HOME}", "کد", "\u202e", "day"]
    ),
    st.text(max_size=12),
)
NUMBERS = st.one_of(
    st.integers(-3, 12),
    st.sampled_from([0.5, -0.0, 1e300, 2**63, 10**30, float("nan"), float("inf")]),
    st.floats(),
)
VALUES = st.one_of(WORDS, NUMBERS, st.booleans(), st.lists(WORDS | NUMBERS, max_size=3))
KEYS = {
    "question": ["churn", "events", "horizon_days", "lookback_days", "timezone", "more"],
    "quality": ["max_rejected_share"],
    "features": ["windows", "module", "seasonal"],
    "training": ["every", "cutoffs", "tests"],
    "model": ["use", "trees", "leaves", "seeds", "learning_rate", "monotone"],
    "lights": ["policy", "yellow", "red", "margin", "runs", "rules_off", "confidence"],
    "money": ["value", "contact_cost", "offer_cost", "margin", "currency"],
    "calls": ["per_week", "weekdays", "holidays"],
    "output": ["scores", "reports", "language", "calendar", "ledger_url"],
    "engine": ["name", "memory_limit", "spill"],
    "monitor": ["webhook", "fails"],
}
SOURCES = ["path", "url", "table", "query", "delimiter", "encoding", "decimal", "calendar"]
MORE = ["time_format", "fold_ids", "provenance", "columns", "rates", "exclude", "mapped_only"]


def toml(value: Any) -> str:
    """A value of TOML; of JSON it differs in few things."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)


def section(name: str, told: dict[str, Any]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in told.items())


def some_of(keys: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(keys), VALUES, max_size=3)


SOURCE = st.fixed_dictionaries({"path": st.just("orders.csv")}) | some_of([*SOURCES, *MORE])
SECTION = st.sampled_from(sorted(KEYS)).flatmap(
    lambda name: some_of(KEYS[name]).map(lambda told: section(name, told))
)
SETTINGS = st.tuples(
    SOURCE.map(lambda told: section("logs.purchases", told)), st.lists(SECTION, max_size=2)
).map(lambda parts: parts[0] + "".join(dict.fromkeys(parts[1])))
SCALE = st.fixed_dictionaries(
    {"low": NUMBERS, "high": NUMBERS},
    optional={"better": st.sampled_from(["high", "low", "up"]), "source": WORDS},
)
SCALES = st.dictionaries(WORDS, SCALE, min_size=1, max_size=3).map(
    lambda told: (
        '[logs.surveys]\npath = "answers.csv"\n[logs.purchases]\npath = "orders.csv"\n'
        "[logs.surveys.instruments]\n"
        + "".join(f"{json.dumps(name)} = {toml(scale)}\n" for name, scale in told.items())
    )
)
FEATURES = st.sampled_from(["recency", "nps_last", "churn_probability", "segment"]) | WORDS
CONDITION = st.tuples(
    FEATURES,
    st.sampled_from([">=", ">", "<=", "<", "==", "!=", "is", "=", "≥", " "]),
    NUMBERS.map(str) | WORDS.map(repr) | st.sampled_from(["known", "unknown", "'pro'", '"x']),
).map(" ".join)
RULES = st.lists(CONDITION, min_size=1, max_size=3).map("\n".join)
URLS = st.builds(
    "{}://{}{}{}/{}?{}".format,
    st.sampled_from(["postgresql", "sqlite", "mysql+pymysql", "snowflake", "bigquery", "http", ""]),
    st.sampled_from(["", "me@", "me:${NO_SUCH}@", "me:${HOME}@", "me:secret@", "@", ":@"]) | WORDS,
    st.sampled_from(["db", "[::1]", "a,b", "[", "", "db:5432"]) | WORDS,
    st.sampled_from(["", ":1", ":99999", ":x", ":"]),
    WORDS,
    st.sampled_from(["", "sslmode=require", "password=x", "token=${NO_SUCH}", "a=b=c", "&"])
    | WORDS,
)
NEARLY_RIGHT = {
    "settings": ("config", SETTINGS, 1),
    "scales of surveys": ("config", SCALES, 1),
    "conditions of rules": ("rules", RULES, 1),
    "addresses of stores": ("addresses", URLS, 0),
}


@pytest.mark.parametrize("what", NEARLY_RIGHT)
def test_25_what_is_nearly_right_ends_soon_and_as_documented(what, trials, seen):
    name, written, least = NEARLY_RIGHT[what]
    inputs, taken = trials(WRITTEN[what] // 40, WRITTEN[what]), 0

    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(written)
    def ends(text: str) -> None:
        nonlocal taken
        with within(LONGEST):
            taken += accepted(name, text.encode("utf-8", "surrogatepass"))

    ends()
    assert taken >= least
    seen(f"written by Hypothesis: {what}", inputs)


# ── The commands ────────────────────────────────────────────────────────────────────────────


def test_25_these_are_a_hundred_thousand():
    assert sum(FULL.values()) + sum(WRITTEN.values()) + COMMANDS == 100_000


def test_25_the_commands_end_with_documented_codes_only(tmp_path, trials, seen, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(26)
    sound = b"customer_id,ts,amount\n" + b"".join(
        b"c%d,2024-01-%02d,%d\n" % (n % 40, 1 + n % 28, n) for n in range(200)
    )
    toml_text = b'[logs.purchases]\npath = "orders.csv"\n'
    found: set[int] = set()
    inputs = trials(4, COMMANDS)
    for k in range(inputs):
        Path("orders.csv").write_bytes(changed([sound], rng) if k % 2 else sound)
        Path("churnkit.toml").write_bytes(toml_text if k % 2 else changed([toml_text], rng))
        with within(2 * LONGEST):
            result = run("check")
        assert "Traceback" not in result.output
        found.add(result.exit_code)
    assert found <= {0, *CODES}
    seen("fuzzed logs and settings given to churnkit check", inputs)


# ── What was found ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("moments", b"9" * 5_000, id="days apart beyond what Python reads"),
        pytest.param("config", b"version = " + b"9" * 5_000, id="a long number of TOML"),
        pytest.param("config", b"version = " + b"[" * 50_000, id="lists in lists"),
        pytest.param("rules", b"recency >= " + b"9" * 15_000 + b"x", id="a number to try anew"),
        pytest.param("addresses", b"$" + b"{" + b"A" * 99_999, id="a message as long as its cause"),
        pytest.param(
            "config",
            '[logs.surveys.instruments]\n"²" = {low = 0, high = 1, better = "up"}\n'.encode(),
            id="a survey called by a digit that is no number",
        ),
        pytest.param("addresses", b"mysql://db:" + b"9" * 5_000, id="a port that is none"),
        pytest.param(
            "catalogues", b'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf9\\n"\n',
            id="an encoding that is none",
        ),
        pytest.param(
            "catalogues", b'msgid ""\nmsgstr "Language: fa\\nPlural-Forms: nplurals=2; plural=$"\n',
            id="a plural that is none",
        ),
    ],
)  # fmt: skip
def test_25_what_was_found_is_refused_at_once(name, content):
    with within(LONGEST):
        assert not accepted(name, content)


@pytest.mark.parametrize(
    "page",
    [
        b"\x15\x0a\x19\xf1" + b"\xff" * 9 + b"\x01" + bytes(9),
        b"\x15\x0a\x19\xf7" + b"\xff" * 9 + b"\x01" + bytes(9),
        b"\x15" + b"\xff" * 500_000,
    ],
    ids=["a list of yes and no without end", "a list of numbers without end", "a long number"],
)
def test_25_a_page_that_would_be_walked_for_hours_ends_at_once(tmp_path, page):
    """Found by the coverage-guided fuzzer."""
    (tmp_path / "x").write_bytes(page)
    with within(LONGEST):
        assert wrong_page(tmp_path / "x", [(0, len(page))]) in (None, 0)

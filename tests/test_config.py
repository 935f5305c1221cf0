"""``churnkit.toml``: what ``init`` writes is what is read, and every fault names its key."""

from __future__ import annotations

import hashlib
import json
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from churnkit.clock import Cutoff
from churnkit.config import FILE_NAME, Settings, json_schema, load_settings
from churnkit.dataset import Recipe, Schedule
from churnkit.errors import ConfigError, DataError
from churnkit.estimators import ChurnClassifier
from churnkit.features import WINDOWS
from churnkit.labels import Question
from churnkit.lights import RULE_NAMES, TrafficLight
from churnkit.logs import DEFAULT_INSTRUMENTS, Contract, Instrument, LogMapping
from churnkit.model import LADDER
from churnkit.sections import ModelSection

MINIMAL = '[logs.purchases]\npath = "orders.csv"\n'
FULL = """\
[question]
churn = "no_activity"
horizon_days = 60
lookback_days = 120
timezone = "Asia/Tehran"

[logs.purchases]
path = "data/orders.csv"
time_format = "%d/%m/%Y"
[logs.purchases.columns]
customer_id = "Customer ID"
ts = "Order Date"

[logs.activity]
path = "/srv/events.parquet"
[logs.activity.kinds]
unregister = "cancellation"

[logs.surveys]
path = "answers.csv"
[logs.surveys.instruments]
nps = { low = 1, high = 10 }
effort = { low = 1, high = 5, better = "low", source = "agent" }

[logs.customers]
path = "customers.csv"

[security]
folders = ["/srv"]

[quality]
max_rejected_share = 0.25

[features]
windows = [60, 10]
file = "own.py"

[training]
every = 14
cutoffs = 6
tests = 3
until = 2024-06-30

[model]
use = "lightgbm"
season = "never"
market = true
monotone = true
early_stopping = true
trees = 50
l2 = 1

[lights]
yellow = 0.3
red = 0.6
rules_off = ["silent_30d"]

[output]
models = "m"
scores = "s"
reports = "r"

[mlflow]
name = "shop"
tracking_uri = "sqlite:///x.db"
"""


FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def load(tmp_path):
    """Loads settings from text."""

    def loaded(text: str) -> Settings:
        path = tmp_path / FILE_NAME
        path.write_text(text, encoding="utf-8")
        return load_settings(path)

    return loaded


# ── What the file says, in the library's terms ──────────────────────────────────────────────


def test_a_log_is_all_that_must_be_told(load, tmp_path):
    told = load(MINIMAL)
    assert told.asked() == Question()
    assert told.schedule() == Schedule()
    assert told.windows == WINDOWS
    assert told.recipe() == Recipe()
    assert told.light() == TrafficLight()
    assert told.contract() == Contract({"purchases": LogMapping()})
    assert told.models == tmp_path / "models"


def test_the_defaults_of_the_trees_are_those_of_the_estimator():
    told = ModelSection().model_dump()
    trees = {k: v for k, v in ChurnClassifier().get_params().items() if k in told}
    assert trees.pop("monotone") is None
    assert trees == {k: told[k] for k in trees}
    assert len(trees) == 8


def test_every_model_can_be_asked_for():
    names = typing.get_args(ModelSection.model_fields["use"].annotation)
    assert names == ("best", *(rung.name for rung in LADDER))


def test_every_key_arrives_where_it_belongs(load, tmp_path):
    told = load(FULL)
    assert told.asked() == Question("no_activity", horizon_days=60, lookback_days=120)
    until = Cutoff.parse("2024-06-30", "Asia/Tehran")
    assert told.schedule() == Schedule(every=14, cutoffs=6, tests=3, until=until)
    assert told.windows == (10, 60, None)
    assert told.recipe() == Recipe(
        windows=(10, 60, None), season="never", market=True, monotone=True,
        trees={"trees": 50, "l2": 1}, early_stopping=True, use="lightgbm",
    )  # fmt: skip
    light = told.light()
    assert (light.policy.yellow, light.policy.red) == (0.3, 0.6)
    assert [rule.name for rule in light.rules] == [n for n in RULE_NAMES if n != "silent_30d"]
    assert told.contract() == Contract(
        mappings={
            "purchases": LogMapping(
                {"customer_id": "Customer ID", "ts": "Order Date"}, time_format="%d/%m/%Y"
            ),
            "activity": LogMapping(),
            "surveys": LogMapping(),
            "customers": LogMapping(),
        },
        kinds={"unregister": "cancellation"},
        instruments=(Instrument("nps", 1, 10), Instrument("effort", 1, 5, "low", "agent")),
        zone="Asia/Tehran",
        max_rejected_share=0.25,
    )
    assert told.models == tmp_path / "m"
    assert told.registry().name == "shop"
    assert told.cutoff("2024-01-01") == Cutoff.parse("2024-01-01", "Asia/Tehran")
    assert told.report_path(told.cutoff("2024-01-01")).name == "report-2024-01-01.html"


def test_churn_may_be_an_event_by_its_kind_or_its_own_name(load):
    asked = '[question]\nchurn = "event"\n'
    kinds = '[logs.activity.kinds]\n"Un-register" = "cancellation"\n'
    log = '[logs.activity]\npath = "e.csv"\n'
    assert load(asked + log).asked() == Question("event", events=("cancellation",))
    named = asked + 'events = ["un-register", "Moved away"]\n' + log
    assert load(named).asked().events == ("un_register", "moved_away")
    assert load(named + kinds).asked().events == ("cancellation", "moved_away")


def test_what_never_changes_is_said_of_the_customers_only(load):
    text = MINIMAL + '[logs.customers]\npath = "c.csv"\nstatic = ["Region", "born in"]\n'
    assert load(text).contract().static == ("region", "born_in")
    assert load(MINIMAL).contract().static == ()


@pytest.mark.parametrize("every", ["week", "month"])
def test_cutoffs_may_be_a_week_or_a_month_apart(load, every):
    assert load(MINIMAL + f'[training]\nevery = "{every}"\n').schedule() == Schedule(every=every)


def test_the_digest_of_the_file_is_known(load, tmp_path):
    told = load(MINIMAL)
    assert told.sha256 == hashlib.sha256((tmp_path / FILE_NAME).read_bytes()).hexdigest()


def test_surveys_without_declared_scales_have_the_usual_ones(load):
    text = MINIMAL + '[logs.surveys]\npath = "answers.csv"\n'
    assert load(text).contract().instruments == DEFAULT_INSTRUMENTS


def test_relative_paths_begin_at_the_file_and_not_at_the_working_folder(
    load, tmp_path, monkeypatch
):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "orders.csv").write_text("customer_id,ts\nanna,2024-01-01\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    told = load('[logs.purchases]\npath = "data/orders.csv"\n')
    assert list(told.read_logs().customer_ids) == ["anna"]
    absolute = tmp_path / "data" / "orders.csv"
    told = load(f"[logs.purchases]\npath = '{absolute}'\n")
    assert list(told.read_logs().customer_ids) == ["anna"]


def test_settings_cannot_be_changed(load):
    told = load(FULL)
    with pytest.raises(ValueError, match="frozen"):
        told.question.horizon_days = 7


# ── Faults: each names the file, the key, its section and what to do ────────────────────────


def replaced(old: str, new: str) -> str:
    assert FULL.count(old) == 1
    return FULL.replace(old, new)


UNKNOWN_KEYS = {
    # text: (what is found, what is meant)
    "top = 1\n" + MINIMAL: ("'top' is an unknown key", "question"),
    'folder = "x"\n' + MINIMAL: ("'folder' is an unknown key", "question"),
    replaced("[quality]", "[qualitty]"): ("'qualitty' is an unknown key", "'quality'"),
    replaced("horizon_days", "horizon_day"): ("'horizon_day' in [question]", "'horizon_days'"),
    replaced("[logs.customers]", "[logs.custommers]"): ("'custommers' in [logs]", "'customers'"),
    replaced("time_format", "time_fromat"): ("'time_fromat' in [logs.purchases]", "'time_format'"),
    replaced("[logs.activity.kinds]", "[logs.activity.kind]"): ("[logs.activity]", "'kinds'"),
    replaced("[logs.activity.kinds]", "[logs.purchases.kinds]"): ("[logs.purchases]", "path"),
    replaced("customer_id = ", "custommer_id = "): (
        "'custommer_id' in [logs.purchases.columns]",
        "'customer_id'",
    ),
    replaced("high = 10", "hihg = 10"): ("'hihg' in [logs.surveys.instruments.nps]", "'high'"),
    replaced("cutoffs", "cutofs"): ("'cutofs' in [training]", "'cutoffs'"),
    replaced("every", "every_days"): ("'every_days' in [training]", "'every'"),
    replaced("windows", "window"): ("'window' in [features]", "'windows'"),
    MINIMAL + "[engine]\nspil = 'x'\n": ("'spil' in [engine]", "'spill'"),
    MINIMAL.replace("[", "sha256 = 'x'\n[", 1): ("'sha256'", "Known here: version, question"),
    replaced("rules_off", "rules_of"): ("'rules_of' in [lights]", "'rules_off'"),
    replaced("reports", "report"): ("'report' in [output]", "'reports'"),
    replaced("tracking_uri", "tracking_url"): ("'tracking_url' in [mlflow]", "'tracking_uri'"),
}


@pytest.mark.parametrize("text", UNKNOWN_KEYS, ids=[found for found, _ in UNKNOWN_KEYS.values()])
def test_an_unknown_key_is_named_with_what_may_be_meant(text, load, tmp_path):
    found, meant = UNKNOWN_KEYS[text]
    with pytest.raises(ConfigError) as told:
        load(text)
    assert told.value.found.startswith(f"{tmp_path / FILE_NAME}: ")
    assert found in told.value.found
    assert meant in told.value.mend
    assert ("Did you mean" in told.value.mend) == meant.startswith("'")


IMPOSSIBLE = {
    # text: what is found
    replaced('"no_activity"', '"no_love"'): "'churn' in [question] = 'no_love'",
    replaced("horizon_days = 60", "horizon_days = 0"): "'horizon_days' in [question] = 0",
    replaced('name = "shop"', 'name = ""'): "'name' in [mlflow] = '': String should match",
    replaced('name = "shop"', 'name = "a/b"'): "'name' in [mlflow] = 'a/b': String should match",
    replaced('name = "shop"', 'name = "a:b"'): "'name' in [mlflow] = 'a:b': String should match",
    replaced('name = "shop"', 'name = ".."'): "'name' in [mlflow] = '..': String should match",
    replaced('name = "shop"', 'name = " "'): "'name' in [mlflow] = ' ': String should match",
    replaced('name = "shop"', f'name = "{"x" * 251}"'): "at most 250 characters",
    replaced("horizon_days = 60", "horizon_days = -1"): "greater than or equal to 1",
    replaced("horizon_days = 60", "horizon_days = 1_000_000"): "less than or equal to 3650",
    replaced("horizon_days = 60", "horizon_days = 60.5"): "valid integer",
    replaced("horizon_days = 60", 'horizon_days = "60"'): "valid integer",
    replaced("horizon_days = 60", "horizon_days = true"): "valid integer",
    replaced("cutoffs = 6", "cutoffs = 0"): "'cutoffs' in [training] = 0",
    replaced("cutoffs = 6", "cutoffs = 99999"): "less than or equal to 180",
    replaced("every = 14", "every = 0"): "'every' in [training] = 0",
    replaced("every = 14", 'every = "year"'): "valid integer; or: Input should be 'week' or",
    replaced("monotone = true", "monotone = 1"): "'monotone' in [model] = 1",
    replaced('use = "lightgbm"', 'use = "xgboost"'): "'use' in [model] = 'xgboost'",
    replaced("windows = [60, 10]", "windows = []"): "'windows' in [features] = []",
    replaced("windows = [60, 10]", "windows = 60"): "'windows' in [features] = 60",
    replaced("windows = [60, 10]", "windows = [60, 0]"): "[features.windows] = 0",
    replaced("windows = [60, 10]", "windows = [60, 9.5]"): "valid integer",
    MINIMAL + '[engine]\nname = "dask"\n': "'name' in [engine] = 'dask'",
    replaced("until = 2024-06-30", 'until = "June"'): "'until' in [training] = 'June'",
    replaced("= 0.25", "= 1.5"): "'max_rejected_share' in [quality] = 1.5",
    replaced("= 0.25", '= "5 %"'): "valid number",
    replaced("yellow = 0.3", "yellow = nan"): "finite number",
    replaced("yellow = 0.3", "yellow = 0"): "'yellow' in [lights] = 0",
    replaced("red = 0.6", "red = 1.0"): "'red' in [lights] = 1.0",
    MINIMAL + "rates = { EUR = 0 }\n": "'EUR' in [logs.purchases.rates] = 0",
    MINIMAL + '[engine]\nmemory_limit = "99999999999999TB"\n': "'memory_limit' in [engine]",
    MINIMAL + "[logs.activity]\npath = 'x'\nkinds.str = 5\n": "'str' in [logs.activity.kinds] = 5",
    replaced("yellow = 0.3", "yellow = true"): "valid number",
    replaced("high = 10", "high = inf"): "'high' in [logs.surveys.instruments.nps]",
    replaced("high = 10", 'high = "10"'): "valid number",
    replaced('better = "low"', 'better = "left"'): "'better' in [logs.surveys.instruments.effort]",
    replaced('ts = "Order Date"', "ts = 3"): "'ts' in [logs.purchases.columns] = 3",
    replaced('["silent_30d"]', '"silent_30d"'): "'rules_off' in [lights]",
    replaced('["silent_30d"]', "[30]"): "[lights.rules_off]",
    'logs = "orders.csv"\n': "'logs' = 'orders.csv'",
    'logs.purchases = "orders.csv"\n': "'purchases' in [logs] = 'orders.csv'",
    "[logs.purchases]\npath = 3\n": "'path' in [logs.purchases] = 3",
}


@pytest.mark.parametrize("text", IMPOSSIBLE, ids=list(IMPOSSIBLE.values()))
def test_an_impossible_value_is_named_with_its_key(text, load, tmp_path):
    with pytest.raises(ConfigError) as told:
        load(text)
    assert told.value.found.startswith(f"{tmp_path / FILE_NAME}: ")
    assert IMPOSSIBLE[text] in told.value.found
    assert told.value.mend


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (replaced("low = 1, high = 10", "low = 10, high = 1"), "scale of nps: 10.0 is not below 1"),
        (replaced("low = 1, high = 10", "low = 3, high = 3"), "scale of nps: 3.0 is not below 3.0"),
        (replaced("effort", "NPS"), "'nps' stands twice in [logs.surveys.instruments]"),
        (MINIMAL + "rates = { EUR = 1, eur = 2 }\n", "rates] 'EUR' stands twice"),
        (replaced("windows = [60, 10]", "windows = [9, 60, 9]"), "[features.windows] 9 stands"),
        (MINIMAL + 'calendar = "jalali"\ntime_format = "%Y"\n', "time_format does not go with"),
        (replaced("yellow = 0.3", "yellow = 0.6"), "yellow = 0.6 and red = 0.6 are out of order"),
        (replaced("silent_30d", "silent"), "rules_off names a rule that does not exist: 'silent'"),
        (replaced('= "cancellation"', '= "cancelation"'), "'cancelation' in [logs.activity.kinds]"),
        (replaced('= "cancellation"', '= " "'), "'unregister' in [logs.activity.kinds] has no"),
        ('[question]\nevents = ["left"]\n' + MINIMAL, "'no_purchase' looks at no events"),
        ('[question]\nchurn = "event"\nevents = [" "]\n' + MINIMAL, "does not say which event"),
        (replaced("Asia/Tehran", "Asia/Teheran"), "the time zone 'Asia/Teheran' is unknown"),
        (replaced("Asia/Tehran", ""), "the time zone '' is unknown"),
        (replaced("Asia/Tehran", "../../etc/passwd"), "is unknown"),
    ],
)
def test_values_that_do_not_fit_together(text, found, load):
    with pytest.raises(ConfigError) as told:
        load(text)
    assert found in told.value.found
    assert told.value.mend


SCALE_ONLY = '[logs.surveys]\npath = "s.csv"\ninstruments.nps.low = 1\n'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "'logs' is missing"),
        (SCALE_ONLY, "'high' in [logs.surveys.instruments.nps] is missing"),
    ],
)
def test_a_missing_key_is_named(text, found, load):
    with pytest.raises(ConfigError, match="churnkit init") as told:
        load(text)
    assert found in told.value.found


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ("", "name either a path, or a url, or what spark reads"),
        (
            'path = "a.csv"\nurl = "sqlite:///a.db"',
            "name either a path, or a url, or what spark reads",
        ),
        ('url = "sqlite:///a.db"', "a url needs either a table or a query"),
        ('url = "sqlite:///a.db"\ntable = "a"\nquery = "SELECT 1"', "a url needs either a table"),
        ('url = "sqlite:///a.db"\ntable = "a"\nsheet = "May"', "sheet does not go with a url"),
        ('path = "a.csv"\ntable = "a"', "table does not go with a path"),
        ('path = "postgresql://db/shop#orders"', "a path is no address"),
    ],
)
def test_a_log_has_one_source(keys, found, load):
    with pytest.raises(ConfigError, match=r"\[logs\.purchases\] ") as told:
        load(f"[logs.purchases]\n{keys}\n")
    assert found in told.value.found


@pytest.mark.parametrize(
    "text",
    [
        '[logs.purchases]\nurl = "postgresql://reader:hunter2@db/shop"\ntable = "orders"\n',
        MINIMAL + '[output]\nurl = "mysql+pymysql://writer:hunter2@db/shop"\n',
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(text, load):
    with pytest.raises(ConfigError, match=r"holds a password\nWrite \$\{NAME\}") as told:
        load(text)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    "text",
    [
        '[logs.purchases]\npath = "sqlite://r:hunter2@h/d#t"\n',
        '[logs.purchases]\npath = ["a.csv", "sqlite://r:hunter2@h/d#t"]\n',
        '[logs.purchases]\nurl = ["p://r:hunter2@h/d"]\ntable = "t"\n',
        '[logs]\npurchases = "p://r:hunter2@h/d"\n',
        'logs = "p://r:hunter2@h/d"\n',
    ],
)
def test_a_password_in_the_wrong_place_is_not_repeated_either(text, load):
    with pytest.raises(ConfigError) as told:
        load(text)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (MINIMAL + "[question\n", "line 3"),
        (MINIMAL + "horizon_days: 60\n", "line 3"),
        (MINIMAL + 'path = "again.csv"\n', "line 3"),
        ("[question]\n[question]\n", "line 2"),
        ("[logs.purchases]\npath = orders.csv\n", "line 2"),
        ("[logs.purchases]\npath = 'C:\\x.csv", "end of document"),
    ],
)
def test_what_is_no_toml_names_the_line(text, found, load, tmp_path):
    with pytest.raises(ConfigError, match="must be TOML") as told:
        load(text)
    assert told.value.found.startswith(f"{tmp_path / FILE_NAME}: ")
    assert found in told.value.found


def test_a_file_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(ConfigError, match="no such file\nRun churnkit init"):
        load_settings(tmp_path / FILE_NAME)
    with pytest.raises(ConfigError, match=str(tmp_path)):
        load_settings(tmp_path)
    (tmp_path / FILE_NAME).write_bytes("# Größe".encode("latin-1"))
    with pytest.raises(ConfigError, match="can't decode"):
        load_settings(tmp_path / FILE_NAME)


def test_a_log_that_is_not_there_is_told_when_it_is_read(load, tmp_path):
    with pytest.raises(DataError) as told:
        load(MINIMAL).read_logs()
    assert told.value.found == f"{tmp_path / 'orders.csv'}: no such file"
    assert "relative paths start at the folder of churnkit.toml" in told.value.mend


def test_a_time_format_that_is_none_is_told_when_the_log_is_read(load, tmp_path):
    (tmp_path / "orders.csv").write_text("customer_id,ts\nanna,2024-01-01\n")
    with pytest.raises(ConfigError, match="'%Q' of the purchases log is no pattern"):
        load(MINIMAL + 'time_format = "%Q"\n').read_logs()


# ── The schema for editors ──────────────────────────────────────────────────────────────────


def plain_keys(told: dict, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict]]:
    """Every key of the schema that takes a switch, a choice or a number: its place and limits."""
    defined = json_schema()["$defs"]
    for key, of in told["properties"].items():
        options = [of, *of.get("anyOf", ())]
        for option in options:
            if "$ref" in option:
                yield from plain_keys(defined[option["$ref"].rpartition("/")[2]], (*place, key))
            elif "enum" in option or option.get("type") in {"boolean", "integer", "number"}:
                yield (*place, key), option


def allowed(of: dict) -> st.SearchStrategy:
    if "const" in of:
        return st.just(of["const"])
    if "enum" in of:
        return st.sampled_from(of["enum"])
    if of["type"] == "boolean":
        return st.booleans()
    if of["type"] == "integer":
        return st.integers(of["minimum"], of["maximum"])
    low, high = (of.get(key, of.get(f"exclusive{key.title()}")) for key in ("minimum", "maximum"))
    return st.floats(
        low, high, exclude_min="exclusiveMinimum" in of, exclude_max="exclusiveMaximum" in of,
        allow_nan=False, allow_infinity=False, allow_subnormal=False,
    )  # fmt: skip


PLAIN = dict(plain_keys(json_schema()))
LIMIT_EACH_OTHER = {
    ("calls", "shipped_playbooks"),
    ("lights", "yellow"),
    ("lights", "red"),
    ("money", "offer_cost"),
    ("money", "value"),
    # It goes with a url.
    *(("logs", log, "mapped_only") for log in ("purchases", "activity", "surveys", "customers")),
}


def test_the_schema_tells_every_switch_choice_and_number():
    assert {("question", "churn"), ("logs", "activity", "decimal")} <= PLAIN.keys()
    assert {("logs", "surveys", "fold_ids"), ("quality", "max_rejected_share")} <= PLAIN.keys()


@FUZZ
@given(data=st.data(), place=st.sampled_from(sorted(PLAIN.keys() - LIMIT_EACH_OTHER)))
def test_what_the_schema_allows_is_taken(data, place, tmp_path):
    value = data.draw(allowed(PLAIN[place]))
    log = place[1] if place[0] == "logs" else "purchases"
    lines = f'logs.{log}.path = "x"\n{".".join(place)} = {toml(value)}\n'
    told = settings_or_fault(tmp_path / "x.toml", lines)
    for part in place:
        told = getattr(told, part)
    assert told == value


@pytest.mark.parametrize(
    ("text", "valid"),
    # JSON has no inf and nan.
    [(text, False) for text in IMPOSSIBLE if "= inf" not in text and "= nan" not in text]
    + [(MINIMAL, True), (FULL, True)],
)
def test_the_schema_refuses_impossible_values_and_takes_others(text, valid):
    jsonschema = pytest.importorskip("jsonschema")
    told = json.loads(json.dumps(tomllib.loads(text), default=str))
    validator = jsonschema.Draft202012Validator(
        json_schema(), format_checker=jsonschema.FormatChecker()
    )
    assert validator.is_valid(told) == valid


# ── Whatever the file holds, settings or one message come out ───────────────────────────────

KEYS = st.sampled_from(
    ["logs", "question", "purchases", "path", "columns", "low", "instruments", "until", "x", ""]
)
VALUES = st.recursive(
    st.none().map(lambda _: "x")
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def toml(value: object) -> str:
    """A value as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return quoted(value) if isinstance(value, str) else str(value)


def quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08X}" for c in text if not 0xD800 <= ord(c) < 0xE000) + '"'


def settings_or_fault(path: Path, text: str) -> Settings | ConfigError:
    path.write_text(text, encoding="utf-8", newline="")
    try:
        return load_settings(path)
    except ConfigError as error:
        return error


def assert_usable(told: Settings | ConfigError) -> None:
    """Settings can be asked for everything but the logs; a fault has something to tell."""
    if isinstance(told, ConfigError):
        assert told.found
        assert told.mend
    else:
        told.asked(), told.schedule(), told.light(), told.contract(), told.registry()


@FUZZ
@given(table=st.dictionaries(KEYS, VALUES, max_size=4))
@example(table={"logs": {"purchases": {"path": "x", "columns": {"": "x"}}}})
@example(table={"logs": {"surveys": {"path": "", "instruments": {"low": {"x": 1}}}}})
@example(table={"logs": {"purchases": {"path": "\0"}}})
@example(table={"str": 1})
def test_any_toml_gives_settings_or_a_fault(table, tmp_path):
    lines = "\n".join(f"{quoted(key)} = {toml(value)}" for key, value in table.items())
    assert tomllib.loads(lines).keys() == table.keys()
    assert_usable(settings_or_fault(tmp_path / "x.toml", lines))


LINES = FULL.splitlines()


@FUZZ
@given(
    line=st.integers(0, len(LINES) - 1),
    start=st.integers(0, 40),
    length=st.integers(0, 12),
    instead=st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    | st.sampled_from(['"', "'", "]", "[[", "=", "#", "\n", "nan", "true", "1979-05-27", "{}"]),
)
def test_any_slip_of_the_pen_gives_settings_or_a_fault(line, start, length, instead, tmp_path):
    slip = LINES[line][:start] + instead + LINES[line][start + length :]
    text = "\n".join([*LINES[:line], slip, *LINES[line + 1 :]])
    assert_usable(settings_or_fault(tmp_path / "x.toml", text))

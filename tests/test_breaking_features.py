"""What was tried to break features, and must not: odd words, declarations, moments and futures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churnkit.clock import Cutoff, cutoffs_back_from
from churnkit.config import load_settings
from churnkit.errors import ConfigError
from churnkit.explain import sentence
from churnkit.features import CATALOGUE, Features, FeatureSpec, build_features
from churnkit.features.own import load_own, load_own_text
from churnkit.lights import TrafficLight
from churnkit.logs import Contract, Instrument, Logs
from churnkit.project import build_project
from churnkit.sources import read_logs

AT = Cutoff.parse("2024-03-01")
ZONES = ["UTC", "America/Sao_Paulo", "Asia/Tehran", "Europe/Berlin", "Pacific/Apia"]
PURCHASES = {
    "customer_id": ["a", "a", "b"],
    "ts": ["2024-01-01", "2024-02-20", "2024-02-25"],
    "amount": [500, 100, 100],
}


@pytest.fixture(autouse=True)
def _nothing_stays():
    builtin = dict(CATALOGUE)
    yield
    load_own()
    CATALOGUE.clear()
    CATALOGUE.update(builtin)


def read(contract: Contract | None = None, **logs: dict[str, object]) -> Logs:
    return read_logs(contract=contract, **{name: pd.DataFrame(rows) for name, rows in logs.items()})


def own(
    body: str = "return np.ones(len(at))", more: str = "", name: str = "mine", takes: str = ""
) -> str:
    """The text of a file with one feature."""
    return (
        "import numpy as np\nfrom churnkit.features import *\n"
        f'@feature(**{{"unit": "x", "says": "y"}} | dict({more}))\n'
        f"def {name}(p: PurchaseIndex, at: Observations{takes}):\n    {body}\n"
    )


def built_with(text: str) -> Features:
    load_own_text("mine.py", text)
    return build_features(read(purchases=PURCHASES), AT)


# ── Declarations ────────────────────────────────────────────────────────────────────────────

WINDOW = ", window: int"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"more": 'dtype="int64"'}, "has dtype = 'int64'"),
        ({"more": 'direction="upward"'}, "has direction = 'upward'"),
        ({"more": 'streams="salez"'}, "has streams = 'salez'"),
        ({"more": 'says="more than {percent}"'}, "'percent' is not understood"),
        ({"more": 'says="a brace {"'}, "is not understood"),
        ({"more": 'reads="{value:.2f} of all"'}, "'value:.2f' is not understood"),
        ({"more": "unit=None"}, "has unit = None"),
        ({"more": 'classes={"no": "no"}'}, "has the classes"),
        ({"more": 'name="mine_{kind}"'}, "takes neither kind nor instrument"),
        ({"takes": ", kind: str"}, "takes kind"),
        ({"name": "as_of"}, "called like a key of the table"),
        ({"name": "customer_id"}, "called like a key of the table"),
        ({"more": "windows=(30,)"}, "its function takes none"),
        *(
            ({"more": f"windows={odd}", "takes": WINDOW}, "has windows = ")
            for odd in ("30", "()", "(0,)", "(-5,)", "(3.5,)", '("7",)', "(7, 7)")
        ),
    ],
)
def test_a_declaration_that_is_not_understood_is_refused_with_its_place(told, said):
    with pytest.raises(ConfigError) as refused:
        load_own_text("mine.py", own(**told))
    assert said in refused.value.found
    assert "mine.py, line 3" in refused.value.found
    assert refused.value.mend


def test_one_stream_may_be_named_without_brackets():
    table = built_with(own("return p.market.of('sales').count(at, 100)", 'streams="sales"'))
    assert table.column("mine").tolist() == [3, 3]


def test_a_column_that_two_features_make_is_told_with_both():
    load_own_text("mine.py", own(name="purchases_count_7d"))
    with pytest.raises(ConfigError, match=r"purchases_count \(.*purchases\.py.*mine\.py, line 3"):
        FeatureSpec.learn(read(purchases=PURCHASES), AT).columns()


# ── Values ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "more", "said"),
    [
        ("return np.full(len(at), 3e9)", 'dtype="int32"', "returned 3000000000.0 for 2 of 2"),
        ("return np.full(len(at), -3e9)", 'dtype="int32"', "returned -3000000000.0"),
        ("return np.full(len(at), 2.5)", 'dtype="int32"', "returned 2.5 for 2 of 2"),
        ("return np.full(len(at), 1e300)", "", "returned 1e+300"),
        ("return np.full(len(at), 1 + 2j)", "", "values of the type complex128"),
        ("return np.full(len(at), np.datetime64('2024-01-01'))", "", "values of the type datetime"),
        ("return np.full(len(at), '1')", "", "values of the type <U1"),
        ("raise SystemExit(0)", "", "failed: SystemExit"),
        ("return np.full(len(at), 7)", 'classes={0: "no", 1: "yes"}', "none of its classes"),
    ],
)
def test_values_that_the_table_cannot_hold_are_refused(body, more, said):
    with pytest.raises(ConfigError) as refused:
        built_with(own(body, more))
    assert said in refused.value.found
    assert "mine.py, line 3" in refused.value.found


def test_counts_reach_to_the_last_whole_number_of_their_type():
    table = built_with(own("return np.full(len(at), 2**31 - 1)", 'dtype="int32"'))
    assert table.column("mine").tolist() == [2**31 - 1] * 2


def test_money_needs_no_narrow_type():
    table = built_with(own("return np.full(len(at), 1e300)", 'dtype="float64"'))
    assert table.column("mine").tolist() == [1e300] * 2


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_classes_need_not_be_numbered_without_gaps(dtype):
    classes = f'dtype="{dtype}", classes={{5: "often", -1: "never", 2: "seldom"}}'
    arrow = built_with(own("return np.array([5, -1])", classes)).to_arrow()
    assert arrow.column("mine").to_pylist() == ["often", "never"]


# ── Words of the data ───────────────────────────────────────────────────────────────────────

WORDS = ["{}", "{x}", "{value}", "{{", "window", "kind", "a b/c", "quote\"'", "Ärger", "😀"]


@pytest.mark.parametrize("word", WORDS)
def test_kinds_and_questions_may_be_called_anything(word):
    logs = read(
        Contract(instruments=(Instrument(f"{word}?", 0, 10),), kinds={"e": f"{word}!"}),
        activity={"customer_id": ["a", "b"], "ts": ["2024-02-01"] * 2, "event": ["e", "visit"]},
        surveys={
            "customer_id": ["a"], "ts": ["2024-02-02"], "instrument": [f"{word}?"], "score": [7]
        },
    )  # fmt: skip
    table = build_features(logs, AT)
    assert table.column(f"{word.lower()}!_count_all").tolist() == [1, 0]
    assert table.column(f"{word.lower()}?_last").tolist()[0] == 7
    columns = {column.name: column for column in table.spec.columns()}
    said = sentence(columns[f"{word.lower()}?_last"], 7.0)
    assert word.lower() in said
    assert said.endswith("7")
    assert FeatureSpec.from_dict(json.loads(json.dumps(table.spec.to_dict()))) == table.spec
    assert set(table.to_arrow().column_names) >= set(columns)


# ── Odd amounts and moments ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "logs",
    [
        {"purchases": {"customer_id": ["a"] * 9, "ts": ["2024-02-01"] * 9, "amount": [1] * 9}},
        {"purchases": {"customer_id": ["a"], "ts": ["2024-02-01"], "amount": [-1e12]}},
        {"purchases": {"customer_id": ["a", "a"], "ts": ["1970-01-01", "2024-02-29"]}},
        {"activity": {"customer_id": ["a"], "ts": ["2024-02-01"], "event": ["survey_sent"]}},
        {"activity": {"customer_id": ["a"], "ts": ["2024-02-01"], "event": ["login"]}},
    ],
)
@pytest.mark.parametrize("windows", [(1, None), (3650, None), (1, 2, 3, 3650, None), (None,)])
def test_no_log_and_no_window_gives_infinite_values_or_negative_counts(logs, windows):
    known = read(**logs)
    cutoffs = [
        Cutoff.parse(day) for day in ("0001-01-01", "2024-02-01", "2024-03-01", "9999-12-31")
    ]
    spec = FeatureSpec.learn(known, cutoffs[-1], windows)
    table = build_features(known, cutoffs, spec)
    for name, values in table.columns.items():
        assert not np.isinf(values).any(), name
        assert values.dtype != np.int32 or (values >= 0).all(), name
    assert table.to_arrow().num_rows == len(table)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00Z", "9999-12-31T23:59Z"])
def test_a_moment_that_the_business_zone_has_no_date_for_is_refused(moment):
    zone = "America/New_York" if moment.startswith("0001") else "Asia/Tokyo"
    assert str(Cutoff.parse(moment))
    with pytest.raises(ConfigError, match="is not a date"):
        Cutoff.parse(moment, zone)


def test_a_day_that_a_zone_left_out_has_no_cutoff_of_its_own():
    days = cutoffs_back_from(Cutoff.parse("2011-12-31", "Pacific/Apia"), 1, 3)
    assert list(map(str, days)) == ["2011-12-29", "2011-12-31"]


def test_rules_see_open_complaints_by_their_refs_and_those_made_again():
    logs = read(
        activity={
            "customer_id": ["again"] * 3 + ["other"] * 2 + ["settled"] * 2,
            "ts": ["2024-02-25", "2024-02-26", "2024-02-27", *["2024-02-25", "2024-02-26"] * 2],
            "event": ["complaint_opened", "complaint_resolved", "complaint_opened"]
            + ["complaint_opened", "complaint_resolved"] * 2,
            "ref": ["1", "1", "1", "1", "2", "1", "1"],
        }
    )
    table = build_features(logs, AT)
    lit = TrafficLight().assign(np.full(len(table), 0.1), table).light
    assert dict(zip(table.customer_id, lit, strict=True)) == {
        "again": "red", "other": "red", "settled": "green"
    }  # fmt: skip


@pytest.mark.parametrize(("seconds", "fires"), [(-1, False), (0, True), (1, True)])
def test_no_rule_flips_by_a_second_for_being_stored_in_few_digits(seconds, fires):
    ts = pd.Timestamp(AT.us, unit="us") - pd.Timedelta(days=30, seconds=seconds)
    logs = read(activity={"customer_id": ["a"], "ts": [ts], "event": ["login"]})
    table = build_features(logs, AT)
    assert TrafficLight().assign(np.array([0.1]), table).rules[0] == (
        ["no activity for 30 days: green → yellow"] if fires else []
    )


@pytest.mark.parametrize(
    ("amount", "is_enough"),
    [("0MB", False), ("49.9MB", False), ("900KB", False), ("50MB", True), ("0.5 GiB", True)],
)
def test_so_little_memory_that_no_log_can_be_read_is_refused_at_once(tmp_path, amount, is_enough):
    path = tmp_path / "churnkit.toml"
    path.write_text(f'[logs.purchases]\npath = "p"\n[engine]\nmemory_limit = "{amount}"\n')
    if is_enough:
        assert load_settings(path).engine.memory_limit == amount
        return
    with pytest.raises(ConfigError, match="take 50MB or more"):
        load_settings(path)


# ── The future, through the files of a project ──────────────────────────────────────────────

KINDS = ["login", "complaint_opened", "complaint_resolved", "payment_failed", "renewal", "my own"]
MONTH = 31 * 86_400_000_000


def rows(draw: st.DrawFn, low: int, high: int, ids: list[str], most: int) -> dict[str, list[str]]:
    """CSV lines of each log, at instants from ``low`` to before ``high``."""

    def lines(what: list[str]) -> list[str]:
        cells = st.tuples(st.sampled_from(ids), st.integers(low, high - 1), st.sampled_from(what))
        drawn = draw(st.lists(cells, min_size=1, max_size=most))
        return [f"{who},{pd.Timestamp(us, unit='us').isoformat()}Z,{it}" for who, us, it in drawn]

    return {
        "purchases": lines(["5,x", "-3,y", "1000000000000,z"]),
        "activity": lines([f"{kind},{ref}" for kind in KINDS for ref in ("", "r")]),
        "surveys": lines(["nps,0", "nps,9", "ces,3"]),
    }


HEADS = {
    "purchases": "customer_id,ts,amount,product_id",
    "activity": "customer_id,ts,event,ref",
    "surveys": "customer_id,ts,instrument,score",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


def table_of(
    folder: Path, cutoffs: list[Cutoff], engine: str, lines: dict[str, list[str]]
) -> bytes:
    """The file that a project writes of these lines."""
    told = f'[question]\ntimezone = "{cutoffs[-1].zone}"\n[engine]\nname = "{engine}"\n'
    for log, some in lines.items():
        told += f'[logs.{log}]\npath = "{log}.csv"\n'
        (folder / f"{log}.csv").write_text("\n".join([HEADS[log], *some, ""]))
    (folder / "churnkit.toml").write_text(told)
    out = folder / "features.parquet"
    build_project(load_settings(folder / "churnkit.toml"), cutoffs, out)
    return out.read_bytes()


@settings(max_examples=6, deadline=None)
@given(st.data(), st.sampled_from(ZONES), st.sampled_from([1, "week", "month"]))
def test_rows_that_are_appended_to_the_files_leave_every_byte_of_the_table(
    folder, data, zone, every
):
    day = data.draw(st.sampled_from(["2018-11-04", "2024-03-31T02:30", "2024-02-29", "2022-03-22"]))
    cutoffs = list(cutoffs_back_from(Cutoff.parse(day, zone), every, 3))
    engine = data.draw(st.sampled_from(["duckdb", "memory"]))
    last = cutoffs[-1].us
    seen = rows(data.draw, cutoffs[0].us - MONTH, cutoffs[0].us, ["a", "b"], 8)
    future = rows(data.draw, last, last + MONTH, ["a", "b", "new"], 8)
    at_the_cutoff = rows(data.draw, last, last + 1, ["a", "0"], 4)
    more = {log: [*seen[log], *future[log], *at_the_cutoff[log]] for log in seen}
    assert table_of(folder, cutoffs, engine, seen) == table_of(folder, cutoffs, engine, more)

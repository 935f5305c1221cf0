"""What ``init`` writes is what is read; it says why, and is TOML whatever the names are."""

from __future__ import annotations

import json
import sqlite3
import tomllib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churnkit.config import FILE_NAME, json_schema, load_settings
from churnkit.dataset import Schedule
from churnkit.errors import ConfigError, DataError
from churnkit.labels import Question
from churnkit.lights import TrafficLight
from churnkit.logs import Instrument, LogMapping
from churnkit.scaffold import SCHEMA_NAME, write_config
from churnkit.sections import QuestionSection


@pytest.fixture
def shop(tmp_path) -> dict[str, Path]:
    """Files of a shop, in a folder below that of the settings."""
    folder = tmp_path / "data"
    folder.mkdir()
    written = {
        "purchases": """\
Customer ID,InvoiceDate,Price,Quantity,Country
a,13/01/2024 10:00,5,1,UK
,13/01/2024 10:00,5,1,UK
""",
        "activity": 'user,ts,event\na,2024-01-01,"say ""hi"""\na,2024-01-02,unregister\n',
        "surveys": """\
user,ts,question,rating
a,2024-01-01,NPS,9
a,2024-01-01,soft skills,80
b,2024-01-01,soft skills,40
""",
        "customers": "customer_id,value,plan\na,100,gold\n",
    }
    for log, text in written.items():
        (folder / f"{log}.csv").write_text(text, encoding="utf-8")
    return {log: folder / f"{log}.csv" for log in written}


def test_what_is_written_is_what_is_read(shop, tmp_path):
    asked = QuestionSection(
        churn="no_activity", horizon_days=30, lookback_days=60, timezone="Europe/Berlin"
    )
    proposals = write_config(tmp_path / FILE_NAME, shop, asked)
    told = load_settings(tmp_path / FILE_NAME)
    assert [p.log for p in proposals] == list(shop)
    assert told.question == asked
    assert told.asked() == Question("no_activity", 30, 60)
    assert told.schedule() == Schedule()
    assert told.light() == TrafficLight()
    contract = told.contract()
    assert contract.zone == "Europe/Berlin"
    assert contract.mappings == {
        p.log: LogMapping(dict(p.columns), p.time_format) for p in proposals
    }
    assert contract.mappings["purchases"].time_format == "%d/%m/%Y %H:%M"
    assert contract.kinds == {"unregister": "cancellation"}
    assert contract.instruments == (Instrument("nps", 0, 10), Instrument("soft skills", 0, 100))
    logs = told.read_logs()
    assert [check.kept for check in logs.checks] == [1, 2, 3, 1]


def test_what_is_written_is_commented(shop, tmp_path):
    write_config(tmp_path / FILE_NAME, shop, QuestionSection())
    text = (tmp_path / FILE_NAME).read_text(encoding="utf-8")
    keys = [line for line in text.splitlines() if line.split("#")[0].strip()]
    assert sum("#" in line for line in keys) > len(keys) / 2
    for said in (
        "horizon_days = 90  # churned: no sign of life for so long",
        'customer_id = "Customer ID"  # whom the row is about; kept as text (sure: ',
        "# Not used: 'Country'.",
        "# Undecided: is 'Price' the money of the whole row, or the price of one piece",
        "# 50.0% of the rows looked at have no customer; they are set aside and counted.",
        "# until = 2024-12-31",
    ):
        assert said in text


@pytest.mark.parametrize(
    ("gaps", "limit"), [(0, 0.05), (2, 0.05), (3, 0.05), (10, 0.15), (23, 0.35), (100, 1.0)]
)
def test_rows_without_a_customer_raise_the_allowed_share(gaps, limit, tmp_path):
    ids = [""] * gaps + ["a"] * (100 - gaps)
    pd.DataFrame({"customer_id": ids, "ts": "2024-01-01"}).to_csv(tmp_path / "x.csv", index=False)
    write_config(tmp_path / FILE_NAME, {"purchases": tmp_path / "x.csv"}, QuestionSection())
    assert load_settings(tmp_path / FILE_NAME).quality.max_rejected_share == limit


WICKED = [
    'say "hi"',
    "back\\slash",
    "a\tb",
    "café",
    "tab\x7f",
    "new\nline",
    "#",
    "]",
    "x = 1",
    "'''",
]


def test_whatever_the_names_are_the_file_is_toml(tmp_path):
    folder = tmp_path / 'a "quoted" folder \\ #1'
    folder.mkdir()
    events = pd.DataFrame({"customer": "a", "Time": "2024-01-01", "event": WICKED})
    events["event"] = "cancel " + events["event"]
    events.assign(**dict.fromkeys(WICKED, "unused")).to_csv(folder / "e.csv", index=False)
    answers = pd.DataFrame({"user": "a", "time": "2024-01-01", "survey": WICKED, "score": 1})
    answers.to_parquet(folder / "s.parquet")
    files = {"activity": folder / "e.csv", "surveys": folder / "s.parquet"}
    write_config(tmp_path / FILE_NAME, files, QuestionSection(churn="no_activity"))
    told = load_settings(tmp_path / FILE_NAME)
    assert told.logs.activity.kinds == dict.fromkeys(
        sorted(event.strip("\x7f") for event in events["event"]), "cancellation"
    )
    assert {i.name for i in told.contract().instruments} == {
        name.lower().strip("\x7f") for name in WICKED
    }
    logs = told.read_logs()
    assert logs.activity.vocabularies["kind"] == ("cancellation",)
    assert logs.checks[1].kept == len(WICKED)


def test_paths_are_written_relative_to_the_file_where_they_can_be(shop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "data")
    only = {"purchases": Path("purchases.csv")}
    write_config(tmp_path / FILE_NAME, only, QuestionSection())
    assert load_settings(tmp_path / FILE_NAME).logs.purchases.path == "data/purchases.csv"
    elsewhere = tmp_path / "project" / FILE_NAME
    write_config(elsewhere, only, QuestionSection())
    assert load_settings(elsewhere).logs.purchases.path == str(shop["purchases"])


def test_an_existing_file_is_kept_unless_forced(shop, tmp_path):
    path = tmp_path / FILE_NAME
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"{FILE_NAME} exists already\nAdd --force"):
        write_config(path, shop, QuestionSection())
    assert path.read_text(encoding="utf-8") == "mine"
    write_config(path, shop, QuestionSection(), force=True)
    assert load_settings(path).asked() == Question()


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"churn": "no_activity"}, "churn = 'no_activity' needs a activity log"),
        ({"churn": "event"}, "churn = 'event' needs a activity log"),
        ({"events": ("left",)}, "churn = 'no_purchase' looks at no events"),
        ({"timezone": "Mars"}, "the time zone 'Mars' is unknown"),
    ],
)
def test_a_question_that_cannot_be_asked_writes_nothing(change, found, shop, tmp_path):
    with pytest.raises(ConfigError, match=found):
        write_config(
            tmp_path / FILE_NAME, {"purchases": shop["purchases"]}, QuestionSection(**change)
        )
    assert not (tmp_path / FILE_NAME).exists()


def test_a_broken_log_writes_nothing(shop, tmp_path):
    shop["surveys"].write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"surveys.csv: no column looks like customer_id"):
        write_config(tmp_path / FILE_NAME, shop, QuestionSection())
    assert not (tmp_path / FILE_NAME).exists()


def test_a_folder_cannot_be_replaced(shop, tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        write_config(tmp_path / "data", shop, QuestionSection(), force=True)


# ── Why, and how sure ───────────────────────────────────────────────────────────────────────


def test_every_column_says_how_sure_it_is_and_why(shop, tmp_path):
    proposals = write_config(tmp_path / FILE_NAME, shop, QuestionSection())
    lines = (tmp_path / FILE_NAME).read_text(encoding="utf-8").splitlines()
    for proposal in proposals:
        for name, reason in proposal.reasons.items():
            said = f"({reason.sure}: {reason.why})"
            assert any(line.startswith(f"{name} = ") and said in line for line in lines)


MESSY = """\
customer;Datum;Betrag;currency;is_test;sheet
1001;{day}.01.2024;1.250,50;EUR;false;a
۱۰۰۱;{day}.01.2024;7,00;USD;false;b
1002;{day}.01.2024;3,25;EUR;true;a
"""


def test_how_cells_are_read_is_written_down(tmp_path):
    head, *rows = MESSY.splitlines()
    text = "\n".join([head, *(r.format(day=d) for d in range(13, 20) for r in rows)])
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    write_config(tmp_path / FILE_NAME, {"purchases": tmp_path / "x.csv"}, QuestionSection())
    told = load_settings(tmp_path / FILE_NAME)
    assert told.contract().mappings["purchases"] == LogMapping(
        {"customer_id": "customer", "ts": "Datum", "amount": "Betrag", "currency": "currency"},
        time_format="%d.%m.%Y",
        decimal=",",
        fold_ids=True,
        provenance=("sheet",),
    )
    (check,) = told.read_logs().checks
    assert (check.kept, check.customers) == (21, 2)


def test_what_people_must_decide_stands_ready_behind_a_sign(tmp_path):
    head, *rows = MESSY.splitlines()
    text = "\n".join([head, *(r.format(day=d) for d in range(13, 20) for r in rows)])
    (tmp_path / "x.csv").write_text(text, encoding="utf-8")
    path = tmp_path / FILE_NAME
    write_config(path, {"purchases": tmp_path / "x.csv"}, QuestionSection())
    mapping = load_settings(path).contract().mappings["purchases"]
    assert (mapping.exclude, mapping.rates) == ({}, {})
    ready = ("# [logs.purchases.exclude]", '# "is_test"', "# [logs.purchases.rates]", '# "EUR"')
    lines = path.read_text(encoding="utf-8").splitlines()
    wanted = [x.removeprefix("# ") if x.startswith((*ready, '# "USD"')) else x for x in lines]
    path.write_text("\n".join(wanted), encoding="utf-8")
    told = load_settings(path)
    mapping = told.contract().mappings["purchases"]
    assert mapping.exclude == {"is_test": ("true",)}
    assert mapping.rates == {"EUR": 1.0, "USD": 1.0}
    (check,) = told.read_logs().checks
    assert check.rejected == {"excluded": 7}


def test_the_event_that_is_churn_is_written_down(tmp_path):
    (tmp_path / "e.csv").write_text("user,time,event\na,2024-01-01,login\na,2024-01-02,Left us\n")
    path = tmp_path / FILE_NAME
    asked = QuestionSection(churn="event", events=("Left us",), horizon_days=30)
    write_config(path, {"activity": tmp_path / "e.csv"}, asked)
    told = load_settings(path)
    assert told.question == asked
    told.asked().require(told.read_logs())


def test_no_column_of_the_customers_is_static_unasked_but_some_stand_ready(tmp_path):
    """Dates, names and what stands once only are not proposed."""
    rows = range(120)
    people = pd.DataFrame(
        {
            "customer_id": [f"c{k}" for k in rows],
            "name": [f"Name {k}" for k in rows],
            "region": [("north", "south")[k % 2] for k in rows],
            "vip": [k % 3 == 0 for k in rows],
            "country": "nowhere",
            "born": pd.Timestamp("1980-01-01") + pd.to_timedelta(list(rows), unit="D"),
        }
    )
    people.to_parquet(tmp_path / "people.parquet")
    orders = people[["customer_id"]].assign(ts="2024-01-01", amount=3.5)
    orders.to_parquet(tmp_path / "orders.parquet")
    path = tmp_path / FILE_NAME
    files = {"purchases": tmp_path / "orders.parquet", "customers": tmp_path / "people.parquet"}
    *_, proposal = write_config(path, files, QuestionSection())
    assert proposal.told()["groups"] == ["region", "vip"]
    assert load_settings(path).contract().static == ()
    text = path.read_text(encoding="utf-8")
    assert '\n# static = ["region", "vip"]  #' in text
    path.write_text(text.replace("# static", "static"), encoding="utf-8")
    assert load_settings(path).read_logs().static["region"].counts() == {"north": 60, "south": 60}


def test_the_schema_for_editors_stands_beside(shop, tmp_path):
    write_config(tmp_path / FILE_NAME, shop, QuestionSection())
    first = (tmp_path / FILE_NAME).read_text(encoding="utf-8").splitlines()[0]
    assert first == f"#:schema ./{SCHEMA_NAME}"
    assert json.loads((tmp_path / SCHEMA_NAME).read_text(encoding="utf-8")) == json_schema()


def test_what_is_written_keeps_to_that_schema(shop, tmp_path):
    validator = pytest.importorskip("jsonschema").Draft202012Validator(json_schema())
    write_config(tmp_path / FILE_NAME, shop, QuestionSection())
    told = tomllib.loads((tmp_path / FILE_NAME).read_text(encoding="utf-8"))
    assert told["logs"].keys() == shop.keys()
    validator.validate(told)


# ── Tables of stores ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def store(tmp_path) -> str:
    """The URL of a store with a table of orders."""
    with sqlite3.connect(tmp_path / "shop.db") as con:
        con.execute("CREATE TABLE orders (client TEXT, bought_at TEXT, total REAL)")
        con.executemany(
            "INSERT INTO orders VALUES (?, ?, ?)",
            [(f"c{k % 7}", f"2024-01-{1 + k % 28:02d}", k + 0.5) for k in range(56)],
        )
    con.close()
    return f"sqlite:///{tmp_path / 'shop.db'}"


def test_a_table_is_written_as_url_and_table(store, tmp_path):
    write_config(tmp_path / FILE_NAME, {"purchases": f"{store}#orders"}, QuestionSection())
    told = load_settings(tmp_path / FILE_NAME)
    assert (told.logs.purchases.url, told.logs.purchases.table) == (store, "orders")
    assert told.logs.purchases.columns["customer_id"] == "client"
    assert told.read_logs().checks[0].kept == 56


def test_a_password_is_not_written(tmp_path):
    given = {"purchases": "postgresql://reader:geheim@localhost/shop#orders"}
    with pytest.raises(ConfigError, match="holds a password") as told:
        write_config(tmp_path / FILE_NAME, given, QuestionSection())
    assert "geheim" not in str(told.value)
    assert not (tmp_path / FILE_NAME).exists()


def test_a_name_for_a_password_is_kept(store, tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_URL", store)
    write_config(tmp_path / FILE_NAME, {"purchases": "${SHOP_URL}#orders"}, QuestionSection())
    assert 'url = "${SHOP_URL}"' in (tmp_path / FILE_NAME).read_text(encoding="utf-8")


# ── Whatever the names are ──────────────────────────────────────────────────────────────────

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    unused=st.lists(NAMES, max_size=4),
    cells=st.lists(NAMES, min_size=3, max_size=3),
    asked=NAMES.map("about {}".format),
)
def test_any_names_and_cells_give_settings_that_load(unused, cells, asked, tmp_path):
    columns = {"customer_id": cells, "ts": "2024-01-01", "event": [f"cancel {c}" for c in cells]}
    others = {f"{name}{k}": cells for k, name in enumerate(unused)}
    events = pd.DataFrame(columns | others)
    events.to_parquet(tmp_path / "e.parquet")
    answers = pd.DataFrame({"user": "a", "ts": "2024-01-01", "survey": [asked], "score": [1]})
    answers.to_parquet(tmp_path / "s.parquet")
    files = {"activity": tmp_path / "e.parquet", "surveys": tmp_path / "s.parquet"}
    path = tmp_path / FILE_NAME
    write_config(path, files, QuestionSection(churn="no_activity"), force=True)
    told = load_settings(path)
    assert told.logs.activity.columns["customer_id"] == "customer_id"
    if asked.isascii() and asked[-1].isalnum():
        assert asked.lower() in {scale.name for scale in told.contract().instruments}

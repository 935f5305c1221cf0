"""Line 23: neither SQL, nor settings, nor what was published leads out of where it may go.

What the settings may name is told in docs/security.md; what the engine may do, in
`churnkit.sources.engine`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest
from commands import run

from churnkit import places as places_of_settings
from churnkit.config import Settings, load_settings
from churnkit.errors import ConfigError, DataError
from churnkit.ledger.duck import DuckBook
from churnkit.logs.sql import spill_folder
from churnkit.publishing.manifest import Manifest, sealed
from churnkit.reach import FOLDERS, HOSTS, Reach
from churnkit.scaffold import write_config
from churnkit.sections import QuestionSection
from churnkit.sources import FileSource, connect, read_logs

LOG = "customer_id,ts,amount\na,2024-01-01,1\nb,2024-01-02,2\n"


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A project with a log, and a secret beside it that links in the project lead to."""
    project, outside = tmp_path / "project", tmp_path / "outside"
    (project / "logs").mkdir(parents=True)
    outside.mkdir()
    (project / "orders.csv").write_text(LOG)
    (outside / "secret.csv").write_text(LOG)
    (project / "logs" / "one.csv").write_text(LOG)
    (project / "link.csv").symlink_to(outside / "secret.csv")
    (project / "away").symlink_to(outside)
    return project


# ── SQL, whoever wrote it ───────────────────────────────────────────────────────────────────

STATEMENTS = (
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('/proc/self/environ')",
    "FROM glob('/etc/*')",
    "FROM glob('{outside}/*')",
    "FROM '{outside}/secret.csv'",
    "FROM read_csv('{outside}/secret.csv')",
    "FROM read_csv('{project}/../outside/secret.csv')",
    "FROM read_csv('{project}/link.csv')",
    "FROM read_csv('{project}/away/secret.csv')",
    "FROM read_csv('{spill}/../../outside/secret.csv')",
    "FROM read_csv(['{project}/orders.csv', '{outside}/secret.csv'])",
    "FROM read_csv('{project}/*.csv')",
    "FROM read_csv('file://{outside}/secret.csv')",
    "FROM read_csv('https://127.0.0.1:9/a.csv')",
    "FROM read_parquet('http://127.0.0.1:9/a.parquet')",
    "FROM read_csv('s3://bucket/a.csv')",
    "FROM parquet_metadata('{outside}/secret.parquet')",
    "FROM sniff_csv('{outside}/secret.csv')",
    "COPY (SELECT 1) TO '{outside}/made.csv'",
    "COPY (SELECT 1) TO '{project}/made.parquet'",
    "COPY (SELECT 1) TO '{project}/orders.csv'",
    "COPY (SELECT 1) TO '{project}/away/made.csv'",
    "COPY (SELECT 1) TO '/dev/stdout'",
    "EXPORT DATABASE '{outside}/made'",
    "IMPORT DATABASE '{outside}'",
    "ATTACH '{outside}/made.duckdb' AS made",
    "ATTACH '{project}/made.duckdb' AS made",
    "INSTALL httpfs",
    "LOAD httpfs",
    "INSTALL spatial FROM community",
    "LOAD '{outside}/made.duckdb_extension'",
    "CREATE PERSISTENT SECRET made (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET allowed_directories = ['/']",
    "SET autoload_known_extensions = true",
    "SET temp_directory = '{outside}'",
    "SET memory_limit = '900GB'",
    "RESET enable_external_access",
    "PRAGMA enable_profiling",
    "FROM variable_of_python",
)
"""Everything that SQL could do outside of its connection."""


@pytest.fixture(params=["in memory", "ledger", "ledger, read only"])
def engine(request, places: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of each kind that churnkit makes."""
    if request.param == "in memory":
        with connect(reads=[places / "orders.csv"]) as con:
            yield con
        return
    book = DuckBook(places / "ledger", 1.0)
    with book.writing():
        pass
    with book._connected(read_only=request.param != "ledger") as con:
        yield con


def test_23_no_sql_reaches_out_of_its_connection(engine, places, tmp_path, seen) -> None:
    variable_of_python = [1]  # noqa: F841 - the engine would look for it
    before = everything(tmp_path)
    for statement in STATEMENTS:
        sql = statement.format(
            outside=tmp_path / "outside", project=places, spill=spill_folder(engine)
        )
        with pytest.raises(duckdb.Error) as refusal:
            engine.execute(sql).fetchall()
        assert not isinstance(refusal.value, duckdb.ParserException), sql
        assert "root:" not in str(refusal.value)
    assert engine.execute("SELECT 1").fetchall() == [(1,)]
    assert everything(tmp_path) == before
    seen("SQL statements refused", len(STATEMENTS))


def everything(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder but those of the ledger, which goes on working."""
    files = (path for path in sorted(folder.rglob("*")) if "ledger" not in path.parts)
    return {str(p): p.read_bytes() if p.is_file() else None for p in files}


def test_23_the_engine_reads_what_it_was_given_and_writes_into_its_own_folder(places) -> None:
    with connect(reads=[places / "orders.csv"]) as con:
        assert len(con.execute(f"FROM read_csv('{places}/orders.csv')").fetchall()) == 2
        mine = spill_folder(con) / "mine.csv"
        con.execute(f"COPY (SELECT 1) TO '{mine}'")
        assert mine.exists()
    assert not mine.parent.exists()


def test_23_a_link_that_is_turned_after_the_look_is_not_followed(places, tmp_path) -> None:
    link = places / "turning.csv"
    link.symlink_to(places / "orders.csv")
    with connect(reads=[link]) as con:
        link.unlink()
        link.symlink_to(tmp_path / "outside" / "secret.csv")
        if duckdb.__version__ >= "2":  # before, links were not looked at
            with pytest.raises(duckdb.PermissionException):
                con.execute(f"FROM read_csv('{link}')").fetchall()


@pytest.mark.parametrize(
    "name", ["a[1].csv", "what?.csv", "st*r.csv", "it's.csv", "é ☃.csv", "%.csv"]
)
def test_23_files_of_odd_names_are_read_and_not_their_neighbours(name, tmp_path) -> None:
    (tmp_path / name).write_text(LOG)
    (tmp_path / "a1.csv").write_text("no log at all")
    (tmp_path / "whatx.csv").write_text("no log at all")
    assert len(read_logs(FileSource(tmp_path / name)).purchases) == 2


# ── Settings, whoever wrote them ────────────────────────────────────────────────────────────

BASE = '[logs.purchases]\npath = "orders.csv"\n'
PATHS = (
    '[logs.purchases]\npath = "{}"\n',
    '[logs.purchases]\npath = ["orders.csv", "{}"]\n',
    '[logs.purchases]\nurl = "sqlite:///{}"\ntable = "t"\n',
    BASE + '[features]\nfile = "{}"\n',
    BASE + '[output]\nmodels = "{}"\n',
    BASE + '[output]\nscores = "{}"\n',
    BASE + '[output]\nledger = "{}"\n',
    BASE + '[output]\nreports = "{}"\n',
    BASE + '[output]\ncsv = "{}"\n',
    BASE + '[output]\nurl = "sqlite:///{}"\n',
    BASE + '[run]\nmetrics_file = "{}"\n',
    BASE + '[engine]\nspill = "{}"\n',
    BASE + '[mlflow]\ntracking_uri = "sqlite:///{}"\n',
    BASE + '[mlflow]\ntracking_uri = "{}"\n',
    BASE + '[privacy]\nkey_file = "{}"\n',
    '[logs.purchases]\nspark = "parquet.`{}`"\n[engine]\nname = "spark"\n',
)
WAYS_OUT = (
    "../outside/secret.csv",
    "logs/../../outside/secret.csv",
    "{outside}/secret.csv",
    "link.csv",
    "away/secret.csv",
    "away/not-there-yet.csv",
    "/etc/passwd",
    "{project}/../outside",
)


@pytest.fixture
def settings(places: Path) -> Callable[[str], Path]:
    """Writes the settings of the project."""

    def write(text: str) -> Path:
        (places / "churnkit.toml").write_text(text)
        return places / "churnkit.toml"

    return write


def test_23_no_path_of_the_settings_leads_out_of_the_project(
    settings, places, tmp_path, monkeypatch, seen
) -> None:
    monkeypatch.chdir(places)
    tried = 0
    for text in PATHS:
        for way in WAYS_OUT:
            place = way.format(outside=tmp_path / "outside", project=places)
            path = settings(text.format(place))
            with pytest.raises(ConfigError, match="outside the project folder") as refusal:
                load_settings(path)
            assert refusal.value.exit_code == 2
            assert str(path) in refusal.value.found
            tried += 1
    seen("paths of settings denied", tried)


def test_23_every_key_that_holds_a_path_is_looked_at() -> None:
    """A new one belongs into churnkit/places.py."""
    held = {
        (table, key)
        for table, section in Settings.model_fields.items()
        for key, field in getattr(section.annotation, "model_fields", {}).items()
        if "Path" in str(field.annotation)
    }
    assert held == {*places_of_settings._PATHS}


@pytest.mark.parametrize("pattern", ["*.csv", "**/*.csv", "logs/*.csv", "away/*.csv", "link.csv"])
def test_23_a_link_that_a_pattern_finds_is_not_followed(pattern, settings, places) -> None:
    (places / "logs" / "two.csv").symlink_to(places.parent / "outside" / "secret.csv")
    path = settings(f'[logs.purchases]\npath = "{pattern}"\n')
    with pytest.raises(ConfigError, match=r"outside the project folder"):
        load_settings(path).read_logs()


def test_23_the_commands_say_so_and_end_with_2(settings, places, monkeypatch) -> None:
    monkeypatch.chdir(places)
    settings('[logs.purchases]\npath = "../outside/secret.csv"\n')
    as_of = ("--as-of", "2024-01-03")
    for command in (["check"], ["train"], ["score", *as_of], ["run", *as_of]):
        told = run(*command)
        assert told.exit_code == 2, told.output
        assert "outside the project folder" in " ".join(told.stderr.split())
        assert "Traceback" not in told.output
    assert not (places / "scores").exists()


def test_23_folders_that_the_settings_allow_are_read(settings, places, tmp_path) -> None:
    text = '[logs.purchases]\npath = ["../outside/*.csv", "link.csv"]\n'
    for allowed in ("../outside", str(tmp_path / "outside"), str(tmp_path), "away"):
        path = settings(f'{text}[security]\nfolders = ["{allowed}"]\n')
        assert len(load_settings(path).read_logs().purchases) == 2
    path = settings(f'{text}[security]\nfolders = ["{tmp_path}/out"]\n')  # no mere beginning
    with pytest.raises(ConfigError, match="outside the project folder"):
        load_settings(path)


def test_23_no_settings_widen_what_the_environment_allows(
    settings, places, tmp_path, monkeypatch
) -> None:
    text = (
        '[logs.purchases]\npath = "../outside/secret.csv"\n[security]\nfolders = ["../outside"]\n'
    )
    monkeypatch.setenv(FOLDERS, f"/nowhere{os.pathsep}{tmp_path}")
    assert load_settings(settings(text)).security.folders == ("../outside",)
    for bounds in ("", "/nowhere", str(tmp_path / "outside" / "deeper")):
        monkeypatch.setenv(FOLDERS, bounds)
        with pytest.raises(ConfigError, match=f"which {FOLDERS} does not allow"):
            load_settings(settings(text))
    assert load_settings(settings(BASE))


ADDRESSES = (
    '[logs.purchases]\nurl = "postgresql://reader:${{PW}}@{}/shop"\ntable = "t"\n',
    '[logs.purchases]\nurl = "postgresql:///shop?host={}"\ntable = "t"\n',
    '[logs.purchases]\nurl = "postgresql://db.shop.example,{}/shop"\ntable = "t"\n',
    '[logs.purchases]\nurl = "postgresql://db.shop.example/shop?hostaddr={}"\ntable = "t"\n',
    '[logs.purchases]\nurl = "snowflake://me@{}/shop"\ntable = "t"\n',
    BASE + '[output]\nurl = "mysql://me@{}/shop"\n',
    BASE + '[output]\nledger_url = "postgresql://me@{}/shop"\n',
    BASE + '[run]\nhealthcheck_url = "https://{}/ping/1"\n',
    BASE + '[mlflow]\ntracking_uri = "https://{}"\n',
    BASE + '[mlflow]\ntracking_uri = "http://me@{}/path"\n',
    BASE + '[engine]\nname = "spark"\nmaster = "spark://{}:7077"\n',
)
HOSTILE = (
    "evil.example",
    "shop.example.evil.example",
    "xdb.shop.example",
    "127.0.0.1",
    "localhost",
)


def test_23_no_address_of_the_settings_names_another_host(settings, monkeypatch, seen) -> None:
    allowed = '[security]\nhosts = ["db.shop.example", "*.inside.example"]\n'
    tried = 0
    for text in ADDRESSES:
        for host in HOSTILE:
            path = settings(text.format(host) + allowed)
            with pytest.raises(ConfigError, match=r"the host .* is not among \[security\] hosts"):
                load_settings(path)
            monkeypatch.setenv(HOSTS, "db.shop.example")
            with pytest.raises(ConfigError, match=f"is not among {HOSTS}"):
                load_settings(settings(text.format(host)))
            monkeypatch.delenv(HOSTS)
            tried += 2
        for host in ("db.shop.example", "DB.Shop.Example", "a.b.inside.example"):
            assert load_settings(settings(text.format(host) + allowed))
            assert load_settings(settings(text.format(host)))
    seen("addresses denied", tried)


def test_23_an_option_that_hides_the_host_is_denied_where_hosts_are_told(settings) -> None:
    for option in ("service=shop", "dsn=shop", "odbc_connect=DRIVER%3Dx"):
        text = f'[logs.purchases]\nurl = "postgresql://db/shop?{option}"\ntable = "t"\n'
        assert load_settings(settings(text))
        with pytest.raises(ConfigError, match="hides the host"):
            load_settings(settings(text + '[security]\nhosts = ["db"]\n'))


def test_23_what_a_variable_stands_for_is_up_to_who_sets_it(settings) -> None:
    for url in ("${SHOP}", "postgresql://${HOST}/shop"):
        text = f'[logs.purchases]\nurl = "{url}"\ntable = "t"\n[security]\nhosts = []\n'
        assert load_settings(settings(text))
    text = '[logs.purchases]\nurl = "mysql://${A}.evil.example/x"\ntable = "t"\n'
    with pytest.raises(ConfigError, match="is not among"):
        load_settings(settings(text + "[security]\nhosts = []\n"))


@pytest.mark.parametrize(
    ("allowed", "host", "taken"),
    [
        ("db", "db:5432", True), ("db:5432", "db:5432", True), ("db:5432", "db", False),
        ("db:5432", "db:1", False), ("*.x.org", "a.x.org:1", True), ("*.x.org", "x.org", False),
        ("*.x.org", "evilx.org", False), ("[::1]", "[::1]:5", True), ("db", "db.", True),
        ("", "", True), ("db", "", False), ("*", "db", False),
    ],
)  # fmt: skip
def test_23_hosts_are_taken_as_they_are_told(allowed, host, taken) -> None:
    reach = Reach((), (allowed,))
    if taken:
        reach.require_host(host, "url")
    else:
        with pytest.raises(ConfigError):
            reach.require_host(host, "url")


@pytest.mark.parametrize("text", ["a\0b", "x" * 5000, "loop"])
def test_23_what_is_no_path_is_told(text, places) -> None:
    (places / "loop").symlink_to(places / "loop")
    reach = Reach.of(places)
    with suppress(ConfigError):  # it is refused, or its end is in the project; nothing else
        reach.require_path(places / text, "path")


def test_23_init_allows_what_was_named_on_the_command_line(places, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(places)
    Path("customers.csv").write_text("customer_id,city\na,Shiraz\n")
    write_config(
        Path("churnkit.toml"),
        {"purchases": "../outside/secret.csv", "customers": "customers.csv"},
        QuestionSection(),
    )
    made = load_settings(Path("churnkit.toml"))
    assert made.security.folders == (str((tmp_path / "outside").resolve()),)
    assert len(made.read_logs().purchases) == 2
    write_config(Path("churnkit.toml"), {"purchases": "orders.csv"}, QuestionSection(), force=True)
    assert load_settings(Path("churnkit.toml")).security.folders == ()


# ── What was published, and who changed it ──────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["../x.parquet", "/etc/passwd", "a/b.parquet", "..", ""])
def test_23_a_manifest_that_leads_out_of_its_folder_is_refused_though_it_is_sealed(name) -> None:
    file = {"name": name, "size": 1, "sha256": sha256(b"").hexdigest(), "rows": 1}
    told = {
        "run": "0123456789ab", "as_of": "2024-01-01", "key": "k", "sequence": 1, "earlier": [],
        "content": "c", "columns": [], "churnkit": "0", "file": file,
    }  # fmt: skip
    sound = {**told, "file": {**file, "name": "0123456789ab.parquet"}}
    assert Manifest.from_json(sealed(sound), Path("m.json")).run == "0123456789ab"
    with pytest.raises(DataError, match="is no name of a file"):
        Manifest.from_json(sealed(told), Path("m.json"))
    assert json.loads(sealed(told))["file"]["name"] == name

"""Line 25: ids under a keyed hash, from the first row that is read to the last byte written."""

from __future__ import annotations

import gzip
import hmac
import json
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from commands import run
from hypothesis import given
from hypothesis import strategies as st

from churnkit.logs import Contract, LogMapping
from churnkit.logs.naming import know_key, pseudonym_sql
from churnkit.pseudonyms import KEY_VARIABLE, PREFIX, Pseudonyms, is_pseudonym
from churnkit.simulate import simulate
from churnkit.sources import connect, open_logs, read_logs

KEY, OTHER = (blake2b(text, digest_size=32).hexdigest() for text in (b"one", b"two"))
NAMES, OTHERS = Pseudonyms(KEY.encode()), Pseudonyms(OTHER.encode())
DAY, NEXT = "2024-03-20", "2024-03-27"
RAW = re.compile(rb"zq[a-z0-9]+wx", re.IGNORECASE)
Told = Callable[[str, int], None]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_25_a_pseudonym_is_an_hmac_that_everybody_with_the_key_can_make_again(customer):
    whole = hmac.new(KEY.encode(), customer.encode(), "sha256").hexdigest()
    assert NAMES.of(customer) == PREFIX + whole[:32]
    assert is_pseudonym(NAMES.of(customer))


@pytest.mark.parametrize("length", [32, 63, 64, 65, 200])
def test_25_the_engine_hashes_as_the_library_does_with_keys_of_any_length(length):
    names = Pseudonyms(bytes(range(256))[:length])
    told = ["12748", "علی ۷", "", "a" * 300, "x\U0001f600"]
    with connect() as con:
        know_key(con, names)
        found = con.execute(f"SELECT {pseudonym_sql('x')} FROM unnest($1) AS t(x)", [told])
        assert [name for (name,) in found.fetchall()] == [names.of(text) for text in told]


def test_25_two_keys_make_names_that_have_nothing_in_common(trials, seen):
    ids = [str(k) for k in range(trials(20_000, 200_000))]
    one, other = ([names.of(x).removeprefix(PREFIX) for x in ids] for names in (NAMES, OTHERS))
    assert len(set(one)) == len(set(other)) == len(ids)
    assert not set(one) & set(other)
    a, b = (np.array([list(bytes.fromhex(name)) for name in names]) for names in (one, other))
    # Neither a byte, nor a bit, nor the order of one tells anything of the other, or of the id.
    wide = 5 / np.sqrt(len(ids))
    assert abs((a == b).mean(axis=0) - 1 / 256).max() < wide
    bits_a, bits_b = (
        np.unpackbits(a.astype(np.uint8), axis=1),
        np.unpackbits(b.astype(np.uint8), axis=1),
    )
    assert abs((bits_a == bits_b).mean(axis=0) - 0.5).max() < wide
    ranks = np.argsort(np.argsort(one)), np.argsort(np.argsort(other))
    assert abs(np.corrcoef(*ranks)[0, 1]) < wide
    assert abs(np.corrcoef(ranks[0], np.arange(len(ids)))[0, 1]) < wide
    # Ids that differ in one digit have names that differ in half of their bits.
    assert abs((bits_a[:-1] != bits_a[1:]).mean() - 0.5) < wide
    seen("ids named by two keys, none alike", len(ids))


VARIANTS = ("علي-۱۲۷ك", "علی-١٢٧ک", "عل\u200cی-127ک", " علی-127ک\u00a0")


@pytest.mark.parametrize("fold", [True, False])
def test_25_variants_of_an_id_fold_before_they_are_hashed(fold):
    days = [f"2024-01-0{k}" for k in range(1, 5)]
    bought = pd.DataFrame({"customer_id": VARIANTS, "ts": days})
    visits = bought.iloc[::-1].assign(event="visit")
    mappings = {log: LogMapping(fold_ids=fold) for log in ("purchases", "activity")}
    found = read_logs(bought, visits, contract=Contract(mappings, pseudonyms=NAMES))
    plain = read_logs(bought, visits, contract=Contract(mappings))
    assert sorted(found.customer_ids) == sorted(map(NAMES.of, plain.customer_ids))
    assert found.customer_count == (1 if fold else 4)
    if fold:
        assert found.customer_ids.tolist() == [NAMES.of("علی-127ک")]


def test_25_whatever_reads_the_rows_gives_the_same_names_in_their_order(shop, tmp_path):
    rows = shop.purchases.assign(customer_id="  " + shop.purchases["customer_id"])
    rows.to_parquet(tmp_path / "p.parquet")
    rows.to_csv(tmp_path / "p.csv", index=False)
    contract = Contract(pseudonyms=NAMES)
    plain, wanted = read_logs(rows), read_logs(rows, contract=contract)
    assert sorted(map(NAMES.of, plain.customer_ids)) == wanted.customer_ids.tolist()
    whose = dict(zip(wanted.customer_ids, np.bincount(wanted.purchases.customer), strict=True))
    for k, count in enumerate(np.bincount(plain.purchases.customer)):
        assert whose[NAMES.of(plain.customer_ids[k])] == count
    for kind in ("parquet", "csv"):
        with open_logs(tmp_path / f"p.{kind}", contract=contract, customers_per_block=100) as logs:
            blocks = list(logs.blocks())
        ids = np.concatenate([block.customer_ids for block in blocks])
        assert len(blocks) > 1
        assert ids.tolist() == wanted.customer_ids.tolist()
        ts = np.concatenate([block.purchases.ts for block in blocks])
        assert np.array_equal(ts, wanted.purchases.ts)


# ── A whole project ─────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A shop whose ids stand out, and all that a project makes of it under pseudonyms."""
    folder = tmp_path_factory.mktemp("pseudonyms")
    given = [f"--{log}={_written(folder, log, rows)}" for log, rows in _shop().items()]
    (folder / "temporary").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        patched.setenv(KEY_VARIABLE, KEY)
        patched.setattr(tempfile, "tempdir", str(folder / "temporary"))
        said(folder, "init", *given, "--horizon", "30", "--lookback", "90")
        settings = (folder / "churnkit.toml").read_text(encoding="utf-8")
        settings = re.sub(r"\ncutoffs = \d+", "\ncutoffs = 4", settings)
        (folder / "churnkit.toml").write_text(
            f"{settings}\n[model]\ntrees = 40\nseeds = 1\n\n[privacy]\npseudonymise = true\n",
            encoding="utf-8",
        )
        said(folder, "train", "--allow", "optimism", "--allow", "calibration")
        said(folder, "score", "--as-of", DAY, "--out", "scores.csv")
        said(folder, "report", "--as-of", DAY)
        said(folder, "run", "--as-of", NEXT, "--log-format", "json", "--json")
        yield folder


def said(folder: Path, *command: str, code: int = 0) -> str:
    """What a command prints, which is kept in the folder."""
    result = run(*command)
    assert result.exit_code == code, result.stderr
    number = len(list(folder.glob("said-*")))
    (folder / f"said-{number}").write_text(result.stdout + result.stderr, encoding="utf-8")
    return result.stdout + result.stderr


def _shop() -> dict[str, pd.DataFrame]:
    shop = simulate(customers=350, days=450, seed=3)
    logs = {log: getattr(shop, log) for log in ("purchases", "activity", "surveys", "customers")}
    logs = {log: f.assign(customer_id=_raw(f["customer_id"])) for log, f in logs.items()}
    logs["purchases"]["order_id"] = logs["purchases"]["customer_id"] + "-1"
    logs["activity"]["ref"] = logs["activity"]["customer_id"]
    # Rows whose cells have moved, so that what is at fault in them is an id.
    who = logs["purchases"]["customer_id"].iloc[:3].tolist()
    odd = pd.DataFrame({"customer_id": who, "ts": [who[0], DAY, DAY], "amount": ["1", who[1], ""]})
    whole = pd.concat([logs["purchases"].astype({"ts": str, "amount": str}), odd])
    return {**logs, "purchases": whole}


def _raw(ids: pd.Series) -> pd.Series:
    return "Zq" + ids.str.replace(r"\W", "", regex=True) + "wX"


def _written(folder: Path, log: str, rows: pd.DataFrame) -> str:
    (folder / "data").mkdir(exist_ok=True)
    rows.to_csv(folder / "data" / f"{log}.csv", index=False)
    return f"data/{log}.csv"


def contents(path: Path) -> Iterator[bytes]:
    """All that a file holds: its bytes, and what is compressed in them."""
    whole = path.read_bytes()
    yield whole
    if whole[:4] == b"PAR1":
        for batch in pq.ParquetFile(path).iter_batches():
            yield json.dumps(batch.to_pylist(), default=str).encode()
    elif whole[:2] == b"\x1f\x8b":
        yield gzip.decompress(whole)
    elif whole[:15] == b"SQLite format 3":
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as con:
            yield "\n".join(con.iterdump()).encode()
        con.close()
    elif whole[8:12] == b"DUCK":
        with duckdb.connect(path, read_only=True) as con:
            for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                yield json.dumps(con.execute(f'FROM "{table}"').fetchall(), default=str).encode()


def holding_ids(folder: Path) -> tuple[list[str], int]:
    """The files that hold an id of the logs, and how many files were looked at."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.parent != folder / "data"]
    found = [str(p.relative_to(folder)) for p in files if any(map(RAW.search, contents(p)))]
    return sorted(found), len(files)


def test_25_the_search_finds_an_id_in_every_kind_of_file(tmp_path):
    frame = pd.DataFrame({"a": ["ZqC00001wX"] * 2000})
    frame.to_parquet(tmp_path / "a.parquet", compression="zstd")
    (tmp_path / "a.html").write_text("x" * 5000 + "zqc00001wx")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"ZqC00001wX"))
    for name, module in (("a.db", sqlite3), ("a.duckdb", duckdb)):
        con = module.connect(tmp_path / name)
        con.execute("CREATE TABLE t (a TEXT)")
        con.executemany("INSERT INTO t VALUES (?)", [["ZqC00001wX"]] * 20)
        con.commit()
        con.close()
    (tmp_path / "clean").write_text(NAMES.of("ZqC00001wX"))
    found, looked_at = holding_ids(tmp_path)
    assert found == ["a.db", "a.duckdb", "a.gz", "a.html", "a.parquet"]
    assert looked_at == 6


def test_25_no_byte_of_a_whole_project_holds_an_id(project, seen):
    raw = pd.read_csv(project / "data" / "customers.csv")["customer_id"]
    named = set(map(NAMES.of, raw))
    scores = pd.read_csv(project / "scores.csv")
    assert set(scores["customer_id"]) <= named
    one = raw[raw.map(NAMES.of) == scores["customer_id"][0]].iloc[0]
    # What people type is an id, and what they get is none.
    said(project, "calls", "--as-of", NEXT, "--out", "crm")
    asked = ("--as-of", DAY, "--html", "one.html", "--json")
    assert NAMES.of(one) in said(project, "explain", f" {one} ", *asked)
    assert said(project, "history", one) == said(project, "history", NAMES.of(one))
    who = ("--as-of", NEXT, "--owner", "anna", "--reason", "she said so")
    said(project, "lights", "set", one, "red", *who, "--until", "2024-06-01")
    said(project, "lights", "clear", one, *who)
    said(project, "lights", "list", "--as-of", NEXT, "--all")
    said(project, "history", "ZqNOBODYwX", code=2)
    _recorded(project, one)
    found, looked_at = holding_ids(project)
    assert found == []
    assert {"ledger.duckdb", "mlflow.db", "rejected.csv", "overrides.jsonl", "calls.ics"} <= {
        path.name for path in project.rglob("*")
    }
    seen("files of a project searched for ids", looked_at)


def _recorded(project: Path, one: str) -> None:
    """Outcomes of a list that somebody keeps by ids, and of one by pseudonyms."""
    listed = pd.read_csv(next((project / "crm").glob("owner-*.csv")))["customer_id"]
    who = [one, *listed[listed != NAMES.of(one)][:1], "ZqNOBODYwX"]
    for name, ids in (("good", who[:2]), ("bad", who)):
        told = pd.DataFrame({"customer_id": ids, "as_of": NEXT, "done": "yes"})
        told.to_csv(project / "data" / f"{name}.csv", index=False)
    said(project, "outcomes", "record", "data/bad.csv", code=3)
    assert "rows: 2; done: 2" in said(project, "outcomes", "record", "data/good.csv")
    said(project, "outcomes", "report")


def test_25_what_is_set_aside_is_told_by_its_outline(project):
    rejected = pd.read_csv(project / "reports" / "rejected.csv")
    assert set(rejected["found"].dropna()) == {"xxx99999xx"}


def test_25_a_list_is_revealed_to_whoever_has_the_key_and_the_logs(project, tmp_path):
    scores = pd.read_csv(project / "scores.csv")
    out = tmp_path / "revealed.csv"
    assert "revealed: " in said(project, "reveal", "scores.csv", "--out", str(out))
    rows = pd.read_csv(out)
    assert rows["pseudonym"].tolist() == scores["customer_id"].tolist()
    assert rows["customer_id"].map(NAMES.of).tolist() == scores["customer_id"].tolist()
    assert rows.drop(columns=["customer_id", "pseudonym"]).equals(
        scores.drop(columns="customer_id")
    )
    assert out.stat().st_mode & 0o777 == 0o600
    again = said(project, "reveal", str(out), "--out", str(tmp_path / "again.csv"))
    assert "revealed: 0" in again


def test_25_another_key_or_none_is_noticed_before_anything_is_written(project, monkeypatch):
    before = {p: p.stat().st_mtime_ns for p in project.rglob("*") if p.is_file()}
    score = ("score", "--as-of", NEXT)
    monkeypatch.setenv(KEY_VARIABLE, OTHER)
    assert f"by the key {NAMES.fingerprint}, and the key at hand is {OTHERS.fingerprint}" in (
        refused(*score)
    )
    for command in (("train",), ("explain", "C1", "--as-of", DAY), ("kpi", "--as-of", DAY),
                    ("outcomes", "record", "data/good.csv")):  # fmt: skip
        assert NAMES.fingerprint in refused(*command), command
    monkeypatch.delenv(KEY_VARIABLE)
    assert "there is no key for them" in refused(*score)
    assert "not at hand" in refused("history", "C1")
    settings = (project / "churnkit.toml").read_text(encoding="utf-8")
    off = settings.replace("pseudonymise = true", "pseudonymise = false")
    (project / "off.toml").write_text(off, encoding="utf-8")
    assert "calls customers by pseudonyms" in refused(*score, "--config", "off.toml")
    kept = {p: p.stat().st_mtime_ns for p in before}
    assert kept == before


def refused(*command: str) -> str:
    result = run(*command)
    assert result.exit_code == 2, result.stdout
    assert KEY not in result.stderr
    assert OTHER not in result.stderr
    return result.stderr


def test_25_the_key_shows_nowhere(project):
    for path in project.rglob("*"):
        if path.is_file():
            whole = b"\n".join(contents(path))
            assert KEY.encode() not in whole, path
            assert not any(pad in whole for pad in NAMES.pads), path
    assert KEY not in repr(Contract(pseudonyms=NAMES))

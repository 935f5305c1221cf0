"""The key of the pseudonyms: where it may come from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from commands import run

from churnkit.clock import Cutoff
from churnkit.config import Settings, load_settings
from churnkit.errors import ConfigError, DataError
from churnkit.ledger import Ledger
from churnkit.logs import LogMapping
from churnkit.progress import silent
from churnkit.project_reveal import reveal_project
from churnkit.pseudonyms import (
    KEY_VARIABLE,
    Pseudonyms,
    is_pseudonym,
    read_pseudonyms,
    require_same,
)
from churnkit.sources.naming import id_as_read
from churnkit.suppression import Suppression

KEY = "0123456789abcdef0123456789abcdef"
OTHER = KEY[::-1]
NAMES = Pseudonyms(KEY.encode())


def kept(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_key_comes_from_the_environment_or_a_file(tmp_path):
    file = kept(tmp_path, f"{KEY}\n")
    assert read_pseudonyms(None, {KEY_VARIABLE: f" {KEY} "}) == NAMES
    assert read_pseudonyms(file, {}) == NAMES
    assert read_pseudonyms(file, {KEY_VARIABLE: KEY}) == NAMES
    assert read_pseudonyms(tmp_path / "nowhere", {KEY_VARIABLE: KEY}) == NAMES
    assert read_pseudonyms(kept(tmp_path, KEY, 0o640), {}) == NAMES


@pytest.mark.parametrize(
    ("text", "mode", "environment", "found"),
    [
        (None, 0, {}, "there is no key for them"),
        (None, 0, {KEY_VARIABLE: "  "}, "there is no key for them"),
        (None, 0, {KEY_VARIABLE: KEY[:31]}, "too weak: it has 31 bytes, 16 of them different"),
        (None, 0, {KEY_VARIABLE: "ab" * 20}, "2 of them different"),
        ("short", 0o600, {}, "too weak"),
        (KEY, 0o644, {}, r"others may use it \(mode 0644\)"),
        (KEY, 0o602, {}, "others may use it"),
        (KEY, 0o620, {}, "others may use it"),
        (" \n", 0o600, {}, "is empty"),
        (KEY * 200, 0o600, {}, "too long for a key"),
        (KEY, 0o600, {KEY_VARIABLE: OTHER}, "two different keys"),
    ],
)
def test_a_key_that_is_none_is_refused_without_being_told(text, mode, environment, found, tmp_path):
    file = None if text is None else kept(tmp_path, text, mode)
    with pytest.raises(ConfigError, match=found) as raised:
        read_pseudonyms(file, environment)
    assert not any(key in str(raised.value) for key in (KEY, OTHER))


def test_a_key_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read from .*nowhere"):
        read_pseudonyms(tmp_path / "nowhere", {})


def test_what_looks_like_a_pseudonym():
    assert is_pseudonym(NAMES.of("anna"))
    for text in ("anna", NAMES.of("anna")[:-1], NAMES.of("anna").upper(), NAMES.of("a") + "\n"):
        assert not is_pseudonym(text)


def test_what_was_kept_under_other_names_is_refused():
    mine, other = NAMES, Pseudonyms(OTHER.encode())
    for was, now in ((None, mine), (None, None), ("", None), (mine.fingerprint, mine)):
        require_same(was, now, "it")
    for was, now, found in (
        (mine.fingerprint, other, "calls customers by the key"),
        ("", mine, "calls customers by ids, and .* asks for pseudonyms"),
        (mine.fingerprint, None, "calls customers by pseudonyms, and .* asks for ids"),
    ):
        with pytest.raises(ConfigError, match=found):
            require_same(was, now, "it")


def test_a_typed_id_is_read_as_the_logs_are():
    assert id_as_read(" ۱۲۷\u200f۴۸ ", LogMapping(fold_ids=True)) == "12748"
    assert id_as_read("$1'; --", LogMapping()) == "$1'; --"
    assert id_as_read("  ", LogMapping()) == ""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    (tmp_path / "churnkit.toml").write_text(
        '[logs.purchases]\npath = "p.csv"\nfold_ids = true\n[privacy]\npseudonymise = true\n'
    )
    days = ["2024-01-01", "2024-01-02", "2024-01-03"]
    rows = pd.DataFrame({"customer_id": ["anna", "=ben", " ۷"], "ts": days, "amount": 1})
    rows.to_csv(tmp_path / "p.csv", index=False)
    return load_settings(tmp_path / "churnkit.toml")


def test_settings_need_the_key_only_where_rows_are_read(settings, monkeypatch):
    assert settings.contract().pseudonyms == NAMES
    assert settings.customer_named(" ٧ ") == NAMES.of("7")
    assert settings.customer_named(NAMES.of("7")) == NAMES.of("7")
    monkeypatch.delenv(KEY_VARIABLE)
    assert settings.declared().pseudonyms is None
    assert settings.customer_named(NAMES.of("7")) == NAMES.of("7")
    for needs in (settings.contract, lambda: settings.customer_named("7")):
        with pytest.raises(ConfigError, match="key"):
            needs()


def test_a_key_file_is_where_settings_may_reach(tmp_path, monkeypatch):
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    project, secret = tmp_path / "project", kept(tmp_path, KEY)
    project.mkdir()
    told = '[logs.purchases]\npath = "p.csv"\n[privacy]\npseudonymise = true\n'
    (project / "churnkit.toml").write_text(f'{told}key_file = "{secret}"\n')
    with pytest.raises(ConfigError, match=r"key_file of \[privacy\]"):
        load_settings(project / "churnkit.toml")
    allowed = f'[security]\nfolders = ["{tmp_path}"]\n'
    (project / "churnkit.toml").write_text(f'{told}key_file = "{secret}"\n{allowed}')
    assert load_settings(project / "churnkit.toml").pseudonyms() == NAMES


def test_nobody_is_like_a_pseudonym(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.write(pd.DataFrame({"customer_id": [NAMES.of("a"), "ps_x"]}), Cutoff.parse("2024-01-01"))
    assert ledger.key_of_pseudonyms() == ""
    assert ledger.like(NAMES.of("b")) == ()


def test_a_revealed_list_keeps_its_rows_and_leaves_strangers_empty(settings, tmp_path):
    whom = [NAMES.of("=ben"), "a note", NAMES.of("nobody"), None, NAMES.of("7"), NAMES.of("=ben")]
    for ending in ("csv", "parquet"):
        listed, out = tmp_path / f"list.{ending}", tmp_path / f"out.{ending}"
        rows = pd.DataFrame({"rank": range(6), "customer_id": whom})
        rows.to_csv(listed, index=False) if ending == "csv" else rows.to_parquet(listed)
        told = reveal_project(settings, listed, out, silent)
        assert (told["rows"], told["revealed"], told["unknown"]) == (6, 3, 1)
        found = pd.read_csv(out) if ending == "csv" else pd.read_parquet(out)
        ben = "'=ben" if ending == "csv" else "=ben"  # a spreadsheet would run it
        assert found["rank"].astype(int).tolist() == list(range(6))
        shown = found["customer_id"].astype(object).where(found["customer_id"].notna(), None)
        assert shown.tolist() == [ben, "a note", None, None, "7", ben]
        assert found["pseudonym"].dropna().tolist() == [x for x in whom if x and x != "a note"]


def test_whoever_was_forgotten_is_not_revealed(settings, tmp_path, monkeypatch):
    left_out = Suppression("5a17").with_hashes(Suppression("5a17").hash_of(NAMES.of("anna")))
    monkeypatch.setattr("churnkit.config.read_suppression", lambda _: left_out)
    rows = pd.DataFrame({"customer_id": [NAMES.of("anna"), NAMES.of("7")]})
    rows.to_parquet(tmp_path / "list.parquet")
    told = reveal_project(settings, tmp_path / "list.parquet", tmp_path / "out.csv")
    assert (told["revealed"], told["unknown"]) == (1, 1)
    assert "anna" not in (tmp_path / "out.csv").read_text()


def test_what_cannot_be_revealed_says_why(settings, tmp_path):
    listed = tmp_path / "list.csv"
    listed.write_text("who\nanna\n")
    with pytest.raises(DataError, match="has no column customer_id"):
        reveal_project(settings, listed, tmp_path / "out.csv")
    with pytest.raises(ConfigError, match="is the list itself"):
        reveal_project(settings, listed, listed)
    with pytest.raises(ConfigError, match="is a log of this project"):
        reveal_project(settings, listed, tmp_path / "p.csv")
    with pytest.raises(ConfigError, match="not written as"):
        reveal_project(settings, listed, tmp_path / "out.html")
    plain = tmp_path / "plain.toml"
    plain.write_text('[logs.purchases]\npath = "p.csv"\n')
    result = run("reveal", str(listed), "--out", str(tmp_path / "o.csv"), "--config", str(plain))
    assert result.exit_code == 2
    assert "nothing to reveal" in result.stderr
    assert not list(tmp_path.glob("o*.csv"))

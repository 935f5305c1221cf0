"""`churnkit kpi`: the terminal, the JSON document, the table and the page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from commands import run, told

from churnkit.config import load_settings
from churnkit.errors import ConfigError
from churnkit.kpi import MEASURES
from churnkit.language import language_named
from churnkit.project_kpi import kpi_project
from churnkit.report.kpi import NAMES, figure_in_words, render_kpis, shade
from tests.test_language import OURS, PROPER, latin, words_of
from tests.test_report import HOSTILE, Reader, assert_harmless

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DAY = "2024-05-15"
SETTINGS = """
[question]
horizon_days = 30
lookback_days = 90

[logs.purchases]
path = "purchases.parquet"

[logs.surveys]
path = "surveys.parquet"

[logs.customers]
path = "customers.parquet"
static = ["Kind of Shop"]

[calls]
segment = "Kind of Shop"

[money]
margin = 0.5
"""


@pytest.fixture(scope="module")
def folder(shop, tmp_path_factory) -> Path:
    made: Path = tmp_path_factory.mktemp("kpi")
    shop.purchases.to_parquet(made / "purchases.parquet", index=False)
    shop.surveys.to_parquet(made / "surveys.parquet", index=False)
    customers = shop.customers.rename(columns={"segment": "Kind of Shop"})
    customers.to_parquet(made / "customers.parquet", index=False)
    (made / "churnkit.toml").write_text(SETTINGS)
    return made


@pytest.fixture(autouse=True)
def there(folder, monkeypatch) -> None:
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def made(folder) -> str:
    settings = load_settings(folder / "churnkit.toml")
    return json.dumps(kpi_project(settings, settings.cutoff(DAY)), allow_nan=False)


@pytest.fixture
def figures(made) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made)
    return found


# ── The command ─────────────────────────────────────────────────────────────────────────────


def test_the_document_of_the_command_is_that_of_the_library(figures):
    assert told("kpi", "--as-of", DAY) == figures
    assert figures["months"][-1] == "2024-04"
    assert [s["segment"] for s in figures["segments"]] == ["all", "home", "office", "trade"]
    assert "50% of the spend" in figures["rules"]["value"]


def test_months_segment_lookback_and_discount_are_passed_on(figures):
    found = told(
        *("kpi", "--as-of", DAY, "--months", "2", "--segment", "", "--lookback", "31"),
        *("--discount", "0"),
    )
    assert found["months"] == ["2024-03", "2024-04"]
    assert [s["segment"] for s in found["segments"]] == ["all"]
    assert "31 days" in found["rules"]["active"]
    assert "0% a year" in found["rules"]["value"]
    assert (
        found["segments"][0]["figures"]["churn_rate"]
        != figures["segments"][0]["figures"]["churn_rate"][-2:]
    )


@pytest.mark.parametrize("name", ["Kind of Shop", "kind_of_shop"])
def test_a_segment_is_named_as_in_the_source_or_as_its_feature(name):
    found = told("kpi", "--as-of", DAY, "--months", "1", "--segment", name)
    assert found["column"] == "kind_of_shop"


def test_an_unknown_segment_is_refused_before_anything_is_read():
    result = run("kpi", "--as-of", DAY, "--segment", "kind_of_shap")
    assert (result.exit_code, "Did you mean 'kind_of_shop'" in result.stderr) == (2, True)


@pytest.mark.parametrize(("day", "code"), [("2020-01-01", 3), ("2040-01-01", 3), ("soon", 2)])
def test_a_day_of_which_nothing_is_known_is_refused(day, code):
    result = run("kpi", "--as-of", day)
    assert (result.exit_code, "Traceback" in result.stderr) == (code, False)
    assert len(result.stderr.splitlines()) == 2


def test_the_table_and_the_page_are_written(tmp_path):
    found = told(
        *("kpi", "--as-of", DAY, "--months", "3"),
        *("--out", str(tmp_path / "k.csv"), "--html", str(tmp_path / "k.html")),
    )
    frame = pd.read_csv(tmp_path / "k.csv")
    assert list(frame) == ["month", "segment", "measure", "value", "low", "high", "n"]
    row = frame[(frame["measure"] == "nps") & (frame["segment"] == "home")].iloc[-1]
    nps = found["segments"][1]["figures"]["nps"][-1]
    assert (row["value"], row["low"], row["n"]) == pytest.approx(
        (nps["value"], nps["low"], nps["n"])
    )
    assert found["paths"].keys() == {"html", "table"}
    assert "Key figures" in (tmp_path / "k.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("option", ["--out", "--html"])
def test_no_log_is_written_over(folder, option):
    before = (folder / "purchases.parquet").read_bytes()
    result = run("kpi", "--as-of", DAY, option, "purchases.parquet")
    assert result.exit_code == 2
    assert "is a log of this project" in result.stderr
    assert (folder / "purchases.parquet").read_bytes() == before


def test_a_table_of_another_kind_is_refused(folder):
    settings = load_settings(folder / "churnkit.toml")
    with pytest.raises(ConfigError, match="not written as"):
        kpi_project(settings, settings.cutoff(DAY), out=folder / "k.xlsx")


# ── The terminal ────────────────────────────────────────────────────────────────────────────


def test_the_terminal_fits_eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = run("kpi", "--as-of", DAY).stdout
    assert max(map(len, shown.splitlines())) <= 80
    for line in shown.splitlines():
        assert not line.startswith("2024-04 ") or len(line.split()) > 2, "no row is broken"
    for words in (
        "Customers",
        "Revenue",
        "Lifetime value",
        "Surveys",
        "Cohorts",
        "by kind_of_shop",
    ):
        assert words in shown


def test_the_terminal_tells_what_the_document_tells(figures):
    shown = " ".join(run("kpi", "--as-of", DAY).stdout.split())
    for rule in (*figures["rules"].values(), *figures["says"]):
        assert " ".join(rule.split()) in shown
    last = figures["segments"][0]["figures"]["active_end"][-1]["value"]
    assert f"{last:,.0f}" in shown


def test_large_sums_are_told_in_thousands(figures, capsys, monkeypatch):
    from churnkit.terminal.kpi import show_kpis

    monkeypatch.setenv("COLUMNS", "80")
    for month in figures["segments"][0]["figures"]["revenue"]:
        month["value"] = 12_345_678.9
    show_kpis(figures)
    shown = capsys.readouterr().out
    assert "Revenue, in thousands" in shown
    assert "12,346" in shown


# ── The page ────────────────────────────────────────────────────────────────────────────────


def test_the_page_tells_figures_intervals_segments_and_rules(figures):
    text = Reader(render_kpis(figures)).text
    for rule in figures["rules"].values():
        assert " ".join(rule.split()) in text
    churn = figures["segments"][0]["figures"]["churn_rate"][-1]
    assert " ".join(figure_in_words("churn_rate", churn).split()) in text
    for words in ("Month by month", "Cohorts", "2024-04 by kind_of_shop", "trade"):
        assert words in text


def test_the_page_is_the_same_for_the_same_figures(figures, made):
    assert render_kpis(figures) == render_kpis(json.loads(made))
    assert json.dumps(figures) == made


@pytest.mark.parametrize("code", OURS)
def test_the_page_is_in_one_language(figures, code):
    page = render_kpis(figures, language_named(code))
    left = [text for text in words_of(page) if latin(text, "kind_of_shop", *PROPER)]
    assert f'<html lang="{code}" dir="rtl">' in page
    assert not left


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_segments_are_shown_and_never_run(figures, text):
    figures["segments"][1]["segment"] = text
    figures["column"] = text
    figures["warnings"] = [text]
    page = render_kpis(figures)
    assert_harmless(page)
    assert " ".join(text.split()) in Reader(page).text


def test_what_is_not_known_is_a_dash():
    assert figure_in_words("nps", {"value": None, "low": None, "high": None, "n": 0}) == "–"
    assert shade(None) == 0


def test_a_page_of_customers_alone_has_no_empty_tables(figures):
    for segment in figures["segments"]:
        segment["figures"] = {
            name: told for name, told in segment["figures"].items() if name in ("active_start",)
        }
    figures["measures"] = figures["measures"][:1]
    text = Reader(render_kpis(figures)).text
    assert "Surveys" not in text
    assert "Lifetime" not in text


def test_every_measure_has_a_name_for_its_column():
    assert NAMES.keys() == {measure.name for measure in MEASURES}


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page_fits_a_phone(figures, tmp_path):
    (tmp_path / "kpi.html").write_text(render_kpis(figures), encoding="utf-8")
    asks = (
        "<iframe src=kpi.html style='width:390px;height:800px;border:0' onload=\""
        "const e=this.contentDocument.documentElement;"
        "document.title=e.scrollWidth+' '+e.clientWidth\"></iframe>"
    )
    (tmp_path / "frame.html").write_text(asks, encoding="utf-8")
    shown = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu",
         "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}",
         "--dump-dom", (tmp_path / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    found = re.search(r"<title>(\d+) (\d+)</title>", shown.stdout)
    assert found is not None, shown.stdout[:500]
    assert int(found[1]) <= int(found[2])

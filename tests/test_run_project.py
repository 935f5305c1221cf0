"""`churnkit run` as a whole: order, resumption, refusals, training; with cheap work."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run as command
from nights import DAY, LATER, NEXT, ORDER, SETTINGS, Fake

from churnkit.config import load_settings
from churnkit.errors import ConfigError, DataError, GateRefused, NothingToDo
from churnkit.nightly import Decisions, JsonLines, alone
from churnkit.project_run import run_project


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "purchases.csv").write_text("customer_id,ts\na,2024-01-01\n")
    (tmp_path / "churnkit.toml").write_text(SETTINGS)
    return tmp_path


@pytest.fixture
def fake(folder) -> Fake:
    return Fake(folder)


def night(fake: Fake, day: str = DAY, **asked):
    fake.did.clear()
    settings = load_settings(fake.folder / "churnkit.toml")
    return run_project(settings, settings.cutoff(day), work=fake.work(), **asked)


def states(found) -> dict[str, str]:
    return {step["step"]: step["state"] for step in found.summary["steps"]}


def decided(fake: Fake) -> list[str]:
    return [d["decision"] for d in Decisions(fake.folder / "ledger").all()]


# ── The night ───────────────────────────────────────────────────────────────────────────────


def test_the_night_goes_in_order_and_tells_everything(fake):
    found = night(fake)
    assert fake.did == ORDER
    summary = found.summary
    assert (summary["success"], summary["exit_code"], summary["failed"]) == (True, 0, None)
    assert summary["lights"] == {"red": 2, "yellow": 3, "green": 4}
    assert (summary["verdict"], summary["reason"], summary["model"]) == ("ok", "It is ok.", "1")
    assert summary["calls"] == 2
    assert all(Path(path).exists() for path in summary["paths"].values())
    assert {"check", "scores", "report", "calls", "kpi", "monitor", "night"} <= {*summary["paths"]}
    assert json.loads((fake.folder / f"reports/kpi-{DAY}.json").read_text()) == {"nrr": None}
    found.require_done()


def test_the_report_tells_what_the_night_has_seen_and_is_made_good_when_it_is_damaged(fake):
    night(fake)
    (known,) = fake.reported
    assert known["kpis"] == {"nrr": None}
    assert known["watch"]["reason"] == "It is ok."
    assert night(fake).summary["exit_code"] == 99
    page, spreadsheet = (fake.folder / f"reports/report-{DAY}.{end}" for end in ("html", "csv"))
    whole = page.read_bytes()
    for change in (lambda: page.write_text("half"), spreadsheet.unlink):
        change()
        assert night(fake).summary["exit_code"] == 0
        assert (fake.did, page.read_bytes()) == ([], whole)
    assert len(fake.reported) == 3


def test_the_page_of_the_night_links_to_the_others_and_needs_no_network(fake):
    fake.verdict = "watch"
    page = Path(night(fake).summary["paths"]["night"]).read_text()
    assert "▲ watch" in page
    assert f'href="report-{DAY}.html"' in page
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "12748" not in page


def test_warnings_of_the_scores_are_on_the_page_and_in_the_summary_also_when_kept(fake):
    fake.warnings = ["the model has <b>grade C</b>"]
    first = night(fake)
    assert first.summary["warnings"] == fake.warnings
    page = Path(first.summary["paths"]["night"]).read_text()
    assert "the model has &lt;b&gt;grade C&lt;/b&gt;" in page
    again = night(fake)
    assert again.summary["exit_code"] == 99
    assert again.summary["warnings"] == fake.warnings


@pytest.mark.parametrize("name", ["ledger/ledger.duckdb", "newest.csv"])
def test_what_grows_is_made_again_when_it_is_gone_and_is_listed_only_while_there(fake, name):
    fake.csv = True
    night(fake)
    (fake.folder / name).unlink()
    found = night(fake)
    assert fake.did == ["score"]
    (why,) = [step["why"] for step in found.summary["steps"] if step["step"] == "score"]
    assert why == f"{name} is gone"
    assert all(Path(path).exists() for path in found.summary["paths"].values())
    assert night(fake).summary["exit_code"] == 99


@pytest.mark.parametrize(
    "damaged",
    [{}, {"as_of": DAY}, {"decision": "training", "as_of": 7},
     {"decision": "training", "as_of": "noon", "says": "", "rule": "", "why": "",
      "champion_before": "", "champion_after": ""}],
)  # fmt: skip
def test_a_damaged_line_of_the_decisions_is_passed_over(fake, damaged):
    fake.verdict = "retrain"
    JsonLines(fake.folder / "ledger" / "decisions.jsonl").append(damaged)
    found = night(fake, retrain_if=["retrain"])
    assert [d["decision"] for d in found.summary["decisions"]] == ["training", "promoted"]
    assert night(fake, retrain_if=["retrain"]).summary["exit_code"] == 99


def test_a_finished_night_has_nothing_to_do(fake):
    night(fake)
    found = night(fake)
    assert fake.did == []
    assert found.summary["exit_code"] == 99
    assert found.summary["lights"] == {"red": 2, "yellow": 3, "green": 4}
    with pytest.raises(NothingToDo):
        found.require_done()


@pytest.mark.parametrize(
    ("change", "did"),
    [
        (lambda fake: (fake.folder / "purchases.csv").write_text("customer_id,ts\nb,2024-01-02\n"),
         ["check", "score", "kpi", "monitor"]),
        (lambda fake: setattr(fake, "version", "7"), ["score", "calls", "monitor"]),
        (lambda fake: (fake.folder / "ledger" / "overrides.jsonl").write_text("{}"), ["score"]),
        (lambda fake: (fake.folder / f"scores/as_of={DAY}/1.parquet").write_text("x"), ["score"]),
        (lambda fake: (fake.folder / f"reports/calls-{DAY}/anna.csv").unlink(), ["calls"]),
        (lambda fake: (fake.folder / "churnkit.toml").write_text(f"{SETTINGS}\n[money]\n"),
         ORDER),
        (lambda fake: (fake.folder / "ledger" / "ledger.duckdb").write_text("more days"), []),
    ],
    ids=["logs", "champion", "override", "scores", "calls", "settings", "ledger grows"],
)  # fmt: skip
def test_what_changed_decides_what_runs_again(fake, change, did):
    night(fake)
    change(fake)
    night(fake)
    assert fake.did == did


def test_a_folder_that_is_called_like_the_day_changes_nothing(folder, tmp_path_factory):
    inside = folder.rename(tmp_path_factory.mktemp("all") / DAY)
    fake = Fake(inside)
    night(fake)
    (inside / "ledger" / "ledger.duckdb").write_text("more days")
    assert night(fake).summary["exit_code"] == 99


def test_the_next_day_is_a_night_of_its_own(fake):
    night(fake)
    night(fake, NEXT)
    assert fake.did == ORDER


# ── Faults ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("step", ORDER)
def test_a_night_that_stops_keeps_what_was_good_and_goes_on_there(fake, step):
    night(fake)
    before = {p: p.read_bytes() for p in fake.folder.rglob("*") if DAY in str(p) and p.is_file()}
    fake.failing[step] = ConfigError("the disk is full")
    found = night(fake, NEXT)
    assert fake.did == ORDER[: ORDER.index(step) + 1]
    assert (found.summary["success"], found.summary["exit_code"]) == (False, 2)
    assert (found.summary["failed"], found.summary["says"]) == (step, "the disk is full")
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(ConfigError, match="the disk is full"):
        found.require_done()
    fake.failing.clear()
    assert night(fake, NEXT).summary["success"]
    assert fake.did == ORDER[ORDER.index(step) :]


def test_logs_that_break_their_contract_publish_nothing(fake):
    fake.rejected = 60
    found = night(fake)
    assert (found.summary["exit_code"], found.summary["failed"]) == (3, "check")
    assert fake.published == []


def test_too_little_data_for_figures_is_said_and_stops_nothing(fake):
    fake.failing = {"kpi": DataError("no month is over"), "monitor": GateRefused("too few days")}
    found = night(fake)
    assert found.summary["success"]
    assert (states(found)["kpi"], states(found)["monitor"]) == ("lacking", "lacking")
    assert found.summary["verdict"] is None
    assert night(fake).summary["exit_code"] == 99


def test_a_log_that_is_gone_is_a_fault_of_the_check(fake):
    (fake.folder / "purchases.csv").unlink()
    found = night(fake)
    assert (found.summary["exit_code"], found.summary["failed"]) == (3, "check")
    assert fake.did == []


def test_a_moment_within_a_day_is_no_night(fake):
    with pytest.raises(ConfigError, match="whole day"):
        night(fake, "2024-05-15T12:00")


def test_a_clock_that_went_backwards_publishes_nothing(fake):
    night(fake, NEXT)
    with pytest.raises(ConfigError, match=f"{DAY} is earlier than {NEXT}") as refused:
        night(fake)
    assert refused.value.exit_code == 2
    assert fake.did == []
    assert night(fake, backfill=True).summary["success"]
    assert fake.published == [DAY, NEXT]


def test_a_second_run_exits_75_through_the_command(fake, monkeypatch):
    monkeypatch.chdir(fake.folder)
    with alone(fake.folder / "ledger"):
        result = command("run", "--as-of", DAY)
    assert result.exit_code == 75
    assert "another run is at work" in result.stderr


# ── Training anew ───────────────────────────────────────────────────────────────────────────


def test_no_rule_no_training(fake):
    fake.verdict = "retrain"
    assert "retrain" not in states(night(fake))
    assert decided(fake) == []


@pytest.mark.parametrize(
    ("rule", "verdict", "day", "why"),
    [
        ("watch", "ok", DAY, ""),
        ("watch", "watch", DAY, "the verdict is watch"),
        ("watch", "retrain", DAY, "the verdict is retrain"),
        ("retrain", "watch", DAY, ""),
        ("retrain", "retrain", DAY, "the verdict is retrain"),
        ("age:14d", "ok", "2024-05-14", ""),
        ("age:14d", "ok", "2024-05-15", "the newest outcome that the model learnt from is 14"),
    ],
)
def test_a_rule_fires_when_it_says(fake, rule, verdict, day, why):
    fake.verdict = verdict
    (*_, decision) = night(fake, day, retrain_if=[rule]).summary["decisions"]
    assert decision["why"].startswith(why)
    assert ("train" in fake.did) is bool(why)
    assert decision["decision"] == ("promoted" if why else "kept")
    assert (decision["rules"], decision["verdict"]) == ([rule], verdict)


@pytest.mark.parametrize(
    ("alias", "decision", "after"),
    [("champion", "promoted", "2"), ("challenger", "not better", "1"), ("", "refused", "1")],
)
def test_a_training_is_written_down_with_its_gates_and_champions(fake, alias, decision, after):
    fake.verdict, fake.alias = "retrain", alias
    found = night(fake, retrain_if=["retrain"])
    begun, ended = found.summary["decisions"]
    assert (begun["decision"], ended["decision"]) == ("training", decision)
    assert ended["champion_before"].startswith("version 1, ")
    assert ended["champion_after"].startswith(f"version {after}, ")
    assert ended["gates"] == {"chance": alias != ""}
    assert ended["says"] == "better on later customers"
    assert f"A new model: {decision} (" in Path(found.summary["paths"]["night"]).read_text()


def test_a_champion_of_this_night_is_for_the_next_one(fake):
    fake.verdict = "retrain"
    night(fake, retrain_if=["retrain"])
    assert fake.version == "2"
    assert night(fake, retrain_if=["retrain"]).summary["exit_code"] == 99
    assert night(fake, NEXT).summary["model"] == "2"


@pytest.mark.parametrize(
    ("fault", "decision"),
    [
        (GateRefused("the data are too little"), "refused"),
        (ConfigError("the registry is gone"), "failed"),
        (MemoryError(), "failed"),
    ],
)
def test_a_training_that_fails_harms_nothing(fake, fault, decision):
    fake.verdict, fake.failing["train"] = "retrain", fault
    found = night(fake, retrain_if=["retrain"])
    assert found.summary["success"]
    assert decided(fake) == ["training", decision]
    assert night(fake, retrain_if=["retrain"]).summary["exit_code"] == 99


def test_trainings_are_some_days_apart_also_when_they_fail(fake):
    fake.verdict, fake.alias = "watch", ""
    for day in (DAY, NEXT, LATER):
        night(fake, day, retrain_if=["watch"])
    assert decided(fake) == ["training", "refused", "held back", "training", "refused"]
    (held,) = [d for d in Decisions(fake.folder / "ledger").all() if d["decision"] == "held back"]
    assert "before 2024-06-12" in held["says"]


def test_a_training_knows_nothing_of_what_came_after_the_day(fake):
    fake.verdict = "retrain"
    night(fake, retrain_if=["retrain"])
    assert str(fake.trained_with.until) == DAY
    settings = "[training]\nuntil = 2024-05-01\n"
    (fake.folder / "churnkit.toml").write_text(SETTINGS + settings)
    night(fake, LATER, retrain_if=["retrain"])
    assert str(fake.trained_with.until) == "2024-05-01"


def test_a_training_that_was_killed_is_written_down_and_made_up_for(fake):
    fake.verdict, fake.failing["train"] = "retrain", KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        night(fake, retrain_if=["retrain"])
    fake.failing.clear()
    found = night(fake, retrain_if=["retrain"])
    assert fake.did == ["train"]
    assert found.summary["success"]
    assert decided(fake) == ["training", "interrupted", "training", "promoted"]


def test_a_training_that_was_killed_after_it_promoted_is_not_repeated(fake):
    def killed(settings, progress):
        Fake.train(fake, settings, progress)
        raise KeyboardInterrupt

    fake.verdict = "retrain"
    settings = load_settings(fake.folder / "churnkit.toml")
    asked = {"retrain_if": ["retrain"], "work": replace(fake.work(), train=killed)}
    with pytest.raises(KeyboardInterrupt):
        run_project(settings, settings.cutoff(DAY), **asked)
    found = night(fake, retrain_if=["retrain"])
    assert fake.did == []  # above all, no second scoring with the new champion
    assert decided(fake) == ["training", "interrupted", "promoted"]
    assert found.summary["decisions"][-1]["champion_after"].startswith("version 2, ")


def test_a_day_that_is_filled_in_trains_nothing(fake):
    night(fake, NEXT)
    fake.verdict = "retrain"
    night(fake, backfill=True, retrain_if=["retrain"])
    assert "train" not in fake.did


def test_rules_of_the_settings_count_too(fake):
    (fake.folder / "churnkit.toml").write_text(SETTINGS + '[run]\nretrain_if = ["age:3d"]\n')
    assert night(fake).summary["decisions"][-1]["rule"] == "age:3d"


@pytest.mark.parametrize("rule", ["", "always", "age:0d", "age:90", "age:-3d", "ok", "age:99999d"])
def test_what_is_no_rule_is_refused(fake, rule):
    with pytest.raises(ConfigError, match="no rule"):
        night(fake, retrain_if=[rule])
    (fake.folder / "churnkit.toml").write_text(SETTINGS + f'[run]\nretrain_if = ["{rule}"]\n')
    with pytest.raises(ConfigError, match="no rule"):
        night(fake)

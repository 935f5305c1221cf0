"""`churnkit lights`, `calls` and `outcomes`, as one uses them week after week."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from commands import run, told

from churnkit import bundle
from churnkit.ledger import Ledger

DAYS = ("2024-04-01", "2024-04-08", "2024-04-15")
SETTINGS = """
[question]
churn = "no_purchase"
horizon_days = 30
lookback_days = 90

[logs.purchases]
path = "purchases.parquet"

[logs.activity]
path = "activity.parquet"

[logs.surveys]
path = "surveys.parquet"

[training]
every = 28
cutoffs = 5

[calls]
per_week = 60

[holdout]
share = 0.3

[[lights.rules]]
name = "big_spender_quiet"
when = ["spend_sum_365d >= 2000", "recency >= 45"]
light = "yellow"
says = "a big spender has not bought for 45 days"
"""


def score(day: str) -> dict:
    return told("score", "--as-of", day, "--model", "model")


@pytest.fixture(scope="module")
def weeks(shop, training, tmp_path_factory) -> Path:
    """A project that was scored in three weeks; never to be changed."""
    folder = tmp_path_factory.mktemp("weeks")
    for log in ("purchases", "activity", "surveys"):
        getattr(shop, log).to_parquet(folder / f"{log}.parquet", index=False)
    bundle.save(training.model, folder / "model", training.card(), "")
    (folder / "churnkit.toml").write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for day in DAYS:
            score(day)
    return folder


@pytest.fixture
def project(weeks, tmp_path, monkeypatch) -> Path:
    folder = shutil.copytree(weeks, tmp_path / "project")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def ledger(project) -> Ledger:
    return Ledger(project / "ledger")


def refused(code: int, *arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, "Traceback" in result.stderr) == (code, False), result.stderr
    return result.stderr


def someone(ledger: Ledger, **wanted: str) -> str:
    frame = ledger.read(DAYS[-1])
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    return str(frame["customer_id"].iloc[0])


def override(customer: str, light: str, *more: str) -> tuple[str, ...]:
    return (
        "lights", "set", customer, light, "--as-of", "2024-04-16", "--until", "2024-05-01",
        "--owner", "mia", "--reason", "said so", *more,
    )  # fmt: skip


# ── Runs ────────────────────────────────────────────────────────────────────────────────────


def test_every_run_is_kept_and_every_change_explained(ledger):
    assert ledger.days() == DAYS
    first, second = ledger.read(DAYS[0]), ledger.read(DAYS[1])
    assert (first["light_before"] == "").all()
    differs = (second["light_before"] != "") & (second["light_before"] != second["light"])
    assert differs.any()
    assert (differs == (second["changed"] != "")).all()


def test_a_second_scoring_of_a_day_is_the_same_run(project, ledger):
    before = ledger.read(DAYS[2])
    score(DAYS[2])
    pd.testing.assert_frame_equal(ledger.read(DAYS[2]), before)


def test_the_summary_tells_rules_changes_and_plans(project):
    found = score(DAYS[2])
    assert found["before"] == DAYS[1]
    assert sum(n for row in found["transitions"].values() for n in row.values()) > 0
    assert {rule["name"] for rule in found["rules"]} >= {"open_complaint", "big_spender_quiet"}
    planned = found["planned"]
    assert planned["waiting"] > 0
    assert planned["control"] > 0
    assert sum(planned["by_owner"].values()) == planned["call"]
    assert all(call["action"] for call in found["calls"])


def test_the_terminal_tells_them_too(project):
    shown = run("score", "--as-of", DAYS[2], "--model", "model").stdout
    assert "fixed: red from 0.7, yellow from 0.4" in shown
    assert "rules fired: " in shown
    assert f"since {DAYS[1]}: " in shown
    assert "are held out as controls" in shown


# ── Overrides ───────────────────────────────────────────────────────────────────────────────


def test_an_override_is_set_shown_kept_by_scorings_and_taken_back(project, ledger):
    customer = someone(ledger, light="green")
    shown = run(*override(customer, "red")).stdout
    assert f"Customer {customer}: ■ red from 2024-04-16 until 2024-05-01 by mia" in shown
    assert "before ● green" in " ".join(shown.split())
    record = (project / "ledger" / "overrides.jsonl").read_bytes()
    score("2024-04-22")
    theirs = ledger.read("2024-04-22").set_index("customer_id").loc[customer]
    assert (theirs["light"], theirs["override"]) == (
        "red",
        "set to red by mia until 2024-05-01: said so",
    )
    assert theirs["changed"].endswith("said so")
    assert (project / "ledger" / "overrides.jsonl").read_bytes() == record
    listed = told("lights", "list", "--as-of", "2024-04-22")["overrides"]
    assert [(one["customer"], one["before"]) for one in listed] == [(customer, "green")]
    explained = told("explain", customer, "--as-of", "2024-04-22", "--model", "model")
    assert explained["light"] == "red"
    assert explained["rules"][-1].startswith("set to red by mia")
    # It ends by itself.
    assert told("lights", "list", "--as-of", "2024-05-01")["overrides"] == []
    run("lights", "clear", customer, "--as-of", "2024-04-25", "--owner", "ben", "--reason", "no")
    assert (
        "No override holds on 2024-04-26" in run("lights", "list", "--as-of", "2024-04-26").stdout
    )
    shown = run("lights", "list", "--as-of", "2024-04-26", "--all").stdout
    assert "mia" in shown
    assert "cleared" in shown


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"customer": "nobody"}, "customer 'nobody' is in no run up to 2024-04-16"),
        ({"light": "blue"}, "'blue' is no light"),
        ({"until": "2024-04-16"}, "it would never hold"),
        ({"until": "2024-04-01"}, "would end on 2024-04-01, and begin on 2024-04-16"),
        ({"until": "soon"}, "'soon' is not a date"),
        ({"as_of": "2024-03-01"}, "no run is known up to 2024-03-01"),
        ({"reason": " "}, "needs a reason"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(project, ledger, change, said):
    given = {
        "customer": someone(ledger), "light": "red", "as_of": "2024-04-16",
        "until": "2024-05-01", "reason": "said so",
    } | change  # fmt: skip
    message = refused(
        2, "lights", "set", given["customer"], given["light"], "--as-of", given["as_of"],
        "--until", given["until"], "--owner", "mia", "--reason", given["reason"],
    )  # fmt: skip
    assert said in message
    assert not (project / "ledger" / "overrides.jsonl").exists()


# ── Lists ───────────────────────────────────────────────────────────────────────────────────


def test_calls_are_written_for_each_owner(project, ledger):
    found = told("calls", "--as-of", DAYS[2], "--out", "crm")
    written = ledger.read(DAYS[2])
    now = written[written["listed"] == "call"]
    listed = set()
    for name, path in found["paths"].items():
        if name.startswith("owner-"):
            with Path(path).open(encoding="utf-8", newline="") as file:
                listed |= {row["customer_id"] for row in csv.DictReader(file)}
    assert listed == set(now["customer_id"])
    assert not listed & set(written.loc[written["arm"] == "control", "customer_id"])
    lines = (project / "crm" / "webhook.jsonl").read_text(encoding="utf-8").splitlines()
    hooks = [json.loads(line) for line in lines]
    assert len(hooks) == found["call"] == len(now)


def test_lists_of_other_settings_are_warned_of(project):
    assert told("calls", "--as-of", DAYS[2], "--out", "crm")["warnings"] == []
    settings = project / "churnkit.toml"
    written = settings.read_text(encoding="utf-8")
    try:
        settings.write_text(written + "\n# 30 a week would do\n", encoding="utf-8")
        (warned,) = told("calls", "--as-of", DAYS[2], "--out", "crm")["warnings"]
    finally:
        settings.write_text(written, encoding="utf-8")
    assert f"churnkit.toml has changed since the run of {DAYS[2]}" in warned


def test_calls_of_a_day_without_a_run(project):
    assert "there is no run of 2024-04-02" in refused(3, "calls", "--as-of", "2024-04-02")


# ── Outcomes ────────────────────────────────────────────────────────────────────────────────


def done(ledger: Ledger, path: Path, **changed: str) -> Path:
    frame = ledger.read(DAYS[0])
    rows = frame.loc[frame["listed"] == "call", ["customer_id", "as_of"]].assign(
        done="yes", cost=2.5, result="reached"
    )
    rows.iloc[0] = rows.iloc[0].to_dict() | changed
    rows.to_csv(path, index=False)
    return path


def test_outcomes_are_recorded_once_and_reported(project, ledger):
    file = done(ledger, project / "done.csv")
    first = told("outcomes", "record", str(file))
    again = told("outcomes", "record", str(file))
    assert (first["rows"], again["again"]) == (len(pd.read_csv(file)), True)
    found = told("outcomes", "report", "--model", "model", "--least", "0.05")
    assert found["together"]["treated"] > found["together"]["control"] > 0
    assert {(one["light"], one["action"]) for one in found["groups"]}
    run_of = ledger.read(DAYS[0])
    treated = int(((run_of["listed"] == "call") & (run_of["arm"] == "treated")).sum())
    assert found["together"]["cost"] == pytest.approx(2.5 * treated)
    assert found["ranking"]["use"] == "risk"
    assert "too few to learn whom acting keeps" in found["ranking"]["says"]
    before = ledger.read(DAYS[0])
    assert any("outcomes are recorded" in said for said in score(DAYS[0])["warnings"])
    pd.testing.assert_frame_equal(ledger.read(DAYS[0]), before)
    assert "There are retention." in refused(3, "outcomes", "report", "--campaign", "autumn")
    shown = run("outcomes", "report", "--model", "model").stdout
    assert "Churn by what chance assigned" in shown
    assert "All together" in shown


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"customer_id": "nobody"}, "row 1, column customer_id"),
        ({"as_of": "2024-04-02"}, "2024-04-02"),
        ({"done": "perhaps"}, "row 1, column done"),
    ],
)
def test_outcomes_that_fit_no_run_are_refused_whole(project, ledger, changed, said):
    file = done(ledger, project / "done.csv", **changed)
    message = refused(3, "outcomes", "record", str(file))
    assert said in message
    assert "done.csv" in message
    assert not list((project / "ledger").glob("outcomes/*.parquet"))


# ── What other policies would have done ─────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def simulated(weeks) -> tuple[dict, str]:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(weeks)
        found = told("lights", "simulate", "--weeks", "6", "--html", "page.html")
        return found, (weeks / "page.html").read_text(encoding="utf-8")


def test_policies_are_shown_side_by_side(simulated):
    found, page = simulated
    assert len(found["weeks"]) == 6
    assert [policy["name"] for policy in found["policies"]] == [
        "fixed", "capacity", "cost", "promise", "fixed, no hysteresis",
    ]  # fmt: skip
    for policy in found["policies"]:
        assert [colour["light"] for colour in policy["colours"]] == ["red", "yellow", "green"]
        caught = [colour["caught"] for colour in policy["colours"]]
        assert sum(caught) == pytest.approx(1)
        customers = sum(colour["customers"] for colour in policy["colours"])
        assert customers == pytest.approx(found["customers"])
        for week in policy["by_week"]:
            assert week["cutoff"] in found["weeks"]
        assert policy["name"] in page
    fixed, bare = found["policies"][0], found["policies"][-1]
    assert fixed["flicker"] < bare["flicker"]
    assert fixed["changed"] < bare["changed"]


def test_a_promise_tells_what_it_promised_and_what_came(simulated):
    found, _ = simulated
    promise = found["policies"][3]
    assert [told["light"] for told in promise["promises"]] == ["red", "green"]
    for told_of in promise["promises"]:
        assert told_of["verdict"] in ("kept", "within chance", "broken", "nobody")
        if told_of["verdict"] == "nobody":
            assert any(f"nobody {told_of['light']}" in said for said in promise["warnings"])


def test_the_page_stands_alone(simulated):
    _, page = simulated
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert page.count("<svg") >= 10


def test_the_terminal_shows_them(project):
    shown = run("lights", "simulate", "--weeks", "3", "--policy", "promise").stdout
    assert "promise: ■ red promised at least 70%" in shown
    assert "promise, no hysteresis" in shown
    assert "What the rules did in a week" in shown


# ── Settings that make no sense ─────────────────────────────────────────────────────────────


def rule(**told: str) -> str:
    return "[[lights.rules]]\n" + "".join(f"{key} = {value}\n" for key, value in told.items())


TYPO = rule(name='"r"', when='["recencyy > 5"]', light='"red"', says='"x"')
CODE = rule(name='"r"', when='["recency > 5 or 1"]', light='"red"', says='"x"')
FIRST = rule(name='"a"', when='["recency > 5"]', light='"red"', says='"x"')
UNDOES = rule(name='"b"', when='["recency > 1"]', effect='"set"', light='"green"', says='"y"')
PLAY = """
[[playbooks]]
name = "p"
light = ["red"]
reason = ["no_such"]
action = "call"
channel = "call"
due = "1 day"
"""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (TYPO, "Did you mean 'recency'"),
        (CODE, "is no condition"),
        (rule(name='"r"', light='"red"', says='"x"'), "has no when"),
        (rule(name='"own_intervall"'), "Did you mean 'own_interval'"),
        (FIRST + UNDOES, "'a' and 'b' contradict each other"),
        ("[lights]\nyellow = 0.8", "out of order"),
        ('[lights]\npolicy = "promise"\nred_churns = 0.1', "out of order"),
        ('[lights]\npolicy = "sometimes"', "sometimes"),
        (PLAY, "no_such"),
    ],
)
def test_settings_that_make_no_sense_are_refused(project, more, said):
    settings = SETTINGS.partition("[[lights.rules]]")[0]
    Path("churnkit.toml").write_text(f"{settings}\n{more}\n")
    assert said in refused(2, "score", "--as-of", DAYS[2], "--model", "model")


def test_a_rule_on_a_feature_that_is_not_there_is_found_by_the_check(project):
    Path("churnkit.toml").write_text(SETTINGS.partition("[[lights.rules]]")[0] + TYPO)
    assert "looks at 'recencyy'" in refused(2, "check")


def test_no_capacity_and_a_hole_in_the_playbooks_are_refused(project):
    settings = SETTINGS.replace("per_week = 60", "per_week = 0")
    Path("churnkit.toml").write_text(settings)
    assert "'per_week' in [calls] = 0" in refused(2, "score", "--as-of", DAYS[2])
    hole = SETTINGS.replace("per_week = 60", "shipped_playbooks = false") + (
        '[[playbooks]]\nname = "p"\nlight = ["red"]\naction = "call"\nchannel = "call"\n'
        'due = "1 day"\n'
    )
    Path("churnkit.toml").write_text(hole)
    assert "yellow" in refused(2, "score", "--as-of", DAYS[2])

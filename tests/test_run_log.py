"""What a run tells programs: JSON lines, pings and metrics; and what it tells nobody."""

from __future__ import annotations

import json
import logging
import logging.config
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest
from commands import run as command
from hypothesis import given
from hypothesis import strategies as st
from nights import DAY, SETTINGS, Fake

from churnkit import project_run, runlog
from churnkit.clock import Cutoff
from churnkit.config import load_settings
from churnkit.errors import ConfigError, DataError
from churnkit.nightly import alone, checked_address, metrics_text, ping

SCHEMA = json.loads(
    (Path(__file__).parents[1] / "docs" / "run_log.schema.json").read_text(encoding="utf-8")
)


@pytest.fixture
def fake(tmp_path, monkeypatch) -> Fake:
    """A project in the current folder, whose work costs nothing, also for the commands."""
    (tmp_path / "purchases.csv").write_text("customer_id,ts\na,2024-01-01\n")
    (tmp_path / "churnkit.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    fake = Fake(tmp_path)
    whole = project_run.run_project

    def cheap(settings, as_of, **asked):
        return whole(settings, as_of, work=fake.work(), **asked)

    monkeypatch.setattr(project_run, "run_project", cheap)
    return fake


def lines(stderr: str) -> list[dict]:
    told = [json.loads(line) for line in stderr.splitlines()]
    for line in told:
        jsonschema.validate(line, SCHEMA, format_checker=jsonschema.FormatChecker())
    return told


def night(*more: str, day: str = DAY):
    result = command("run", "--as-of", day, "--log-format", "json", *more)
    return result.exit_code, lines(result.stderr), result.stdout


# ── JSON lines ──────────────────────────────────────────────────────────────────────────────


def test_every_line_keeps_the_schema_and_every_step_is_told(fake):
    code, told, out = night()
    assert code == 0
    assert [t["step"] for t in told if t["event"] == "done"] == [
        *["check", "score", "calls", "kpi", "monitor", "report"]
    ]
    check = next(t for t in told if t["event"] == "done" and t["step"] == "check")
    assert (check["rows"], check["as_of"], check["level"]) == (100, DAY, "info")
    assert any(t["event"] == "working" and t["message"] == "checking the logs" for t in told)
    assert (told[-1]["event"], told[-1]["exit_code"]) == ("finished", 0)
    assert "The night of" in out


def test_a_second_run_tells_that_nothing_was_to_be_done(fake):
    night()
    code, told, _ = night("--json")
    assert code == 99
    assert {t["event"] for t in told} == {"kept", "finished", "ended"}


def test_a_fault_is_one_line_without_what_the_data_said(fake):
    fake.failing["score"] = DataError(
        "row 7 of postgresql://me:pass@host/shop says 'customer 12748'", 'Mend "12748".'
    )
    code, told, out = night("--json")
    failed = next(t for t in told if t["event"] == "failed")
    assert code == 3
    assert (failed["level"], failed["exit_code"], failed["error"]) == ("error", 3, "DataError")
    assert failed["message"] == "row 7 of … says '…'"
    assert not [t for t in told if "12748" in str(t) or "pass" in str(t)]
    assert json.loads(out)["failed"] == "score"


def test_warnings_of_the_scores_are_lines_and_hold_no_customer(fake):
    fake.warnings = ["overrides hold for customers who are not at risk now: '12748', '12749'"]
    _, told, out = night("--json")
    (warning,) = [t for t in told if t["event"] == "warning"]
    assert (warning["level"], warning["step"]) == ("warning", "score")
    assert warning["message"] == "overrides hold for customers who are not at risk now: '…'"
    assert json.loads(out)["warnings"] == fake.warnings


def test_warnings_of_the_scores_are_told_people_too(fake):
    fake.warnings = ["the model has grade C"]
    assert "Warning: the model has grade C" in command("run", "--as-of", DAY).stderr


def test_what_nobody_foresaw_ends_in_a_line_and_exit_code_1(fake):
    fake.failing["monitor"] = ZeroDivisionError("12748")
    code, told, _ = night()
    assert (code, told[-1]["event"], told[-1]["error"]) == (1, "ended", "ZeroDivisionError")
    assert "12748" not in str(told)


@pytest.mark.parametrize("day", ["2024-05-15T12:00", "yesterday"])
def test_refusals_before_the_night_are_lines_too(fake, day):
    code, told, _ = night(day=day)
    assert (code, told[-1]["event"], told[-1]["exit_code"]) == (2, "ended", 2)


def test_busy_is_a_line_with_75(fake):
    with alone(fake.folder / "ledger"):
        code, told, _ = night()
    assert (code, told[-1]["exit_code"], told[-1]["error"]) == (75, 75, "Busy")


def test_text_is_the_default_and_names_the_error(fake):
    fake.failing["kpi"] = ConfigError("the disk is full", "Free some.")
    result = command("run", "--as-of", DAY)
    assert result.exit_code == 2
    assert "Error: the disk is full" in result.stderr
    assert re.search("■ kpi +failed", result.stdout)
    assert re.search("· report +not run", result.stdout)


def test_other_libraries_are_heard_but_not_repeated(capsys):
    with runlog.as_json():
        logging.getLogger("store").warning("password is %s", "secret")
        logging.getLogger("store").info("not grave")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("customer 12748", UserWarning, stacklevel=1)
        runlog.tell("warning", message="ours")
    told = lines(capsys.readouterr().err)
    assert [(t["event"], t.get("error"), t.get("message")) for t in told] == [
        ("library", "store", None), ("library", "py.warnings", None), ("warning", None, "ours")
    ]  # fmt: skip


def test_nothing_is_told_unless_it_is_asked_for(capsys):
    runlog.tell("done", step="check")
    with runlog.as_json():
        pass
    runlog.tell("done", step="check")
    assert capsys.readouterr().err == ""


def test_a_library_that_sets_up_logging_silences_nobody(capsys):
    with runlog.as_json():
        logging.config.dictConfig({"version": 1, "root": {"handlers": []}})
        runlog.tell("done", step="check")
    assert len(lines(capsys.readouterr().err)) == 1


def test_a_field_that_the_schema_does_not_know_cannot_be_told():
    with pytest.raises(TypeError, match="customer"):
        runlog.tell("done", customer="12748")


def test_the_schema_knows_every_field():
    assert {"time", "level", "event", *runlog.FIELDS} == SCHEMA["properties"].keys()


@given(st.text(), st.sampled_from("'\""), st.text(st.characters(codec="utf-8")), st.text())
def test_what_is_quoted_never_comes_out(before, quote, secret, after):
    assert "-12748" not in runlog.masked(f"{before}{quote}{secret}-12748{quote}{after}")


# ── The watchdog ────────────────────────────────────────────────────────────────────────────


class Watchdog(ThreadingHTTPServer):
    """Remembers what it was asked for, and answers as it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.code, self.drips = 200, False
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/uuid"


class _Answer(BaseHTTPRequestHandler):
    server: Watchdog

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.drips:
            self.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
            while not self.server.over.wait(0.05):
                self.wfile.write(b"x")
            return
        self.send_response(self.server.code)
        if self.server.code == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    with Watchdog() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def watched(fake, watchdog, monkeypatch) -> Callable[[], tuple[int, list[str]]]:
    """Runs a night that the watchdog is told of; tells exit code and what it was asked for."""
    (fake.folder / "churnkit.toml").write_text(
        SETTINGS + '[run]\nhealthcheck_url = "${WATCHDOG}"\n'
    )
    monkeypatch.setenv("WATCHDOG", watchdog.url)

    def run() -> tuple[int, list[str]]:
        watchdog.asked.clear()
        return night()[0], list(watchdog.asked)

    return run


def test_start_and_success_are_told_also_if_nothing_was_to_be_done(watched):
    assert watched() == (0, ["/uuid/start", "/uuid"])
    assert watched() == (99, ["/uuid/start", "/uuid"])


def test_failure_is_told(fake, watched):
    fake.failing["score"] = DataError("no")
    assert watched() == (3, ["/uuid/start", "/uuid/fail"])
    fake.failing["score"] = KeyError("no")
    assert watched() == (1, ["/uuid/start", "/uuid/fail"])
    fake.published = ["2024-06-01"]
    assert watched() == (2, ["/uuid/start", "/uuid/fail"])


def test_a_run_that_finds_another_tells_nobody(fake, watched):
    with alone(fake.folder / "ledger"):
        assert watched() == (75, [])


@pytest.mark.parametrize("code", [404, 500, 302])
def test_a_watchdog_that_is_ill_fails_no_run_and_is_not_followed(watchdog, watched, code):
    watchdog.code = code
    assert watched() == (0, ["/uuid/start", "/uuid"])
    assert ping(watchdog.url) == f"the server answered {code}"


def test_a_watchdog_that_is_gone_fails_no_run_and_its_address_is_told_nobody(fake, monkeypatch):
    toml = SETTINGS + '[run]\nhealthcheck_url = "http://127.0.0.1:9/${UUID}"\n'
    (fake.folder / "churnkit.toml").write_text(toml)
    monkeypatch.setenv("UUID", "s3cret")
    code, told, out = night("--json")
    assert code == 0
    assert [t["event"] for t in told].count("warning") == 2
    assert len(json.loads(out)["warnings"]) == 2
    assert "s3cret" not in str(told) + out
    monkeypatch.delenv("UUID")
    code, told, _ = night("--force", "--json")
    assert (code, told[0]["event"]) == (0, "warning")
    assert "UUID" in told[0]["message"]


def test_a_watchdog_that_drips_is_not_waited_for(watchdog):
    watchdog.drips = True
    assert ping(watchdog.url, patience=0.3) != ""


@pytest.mark.parametrize(
    "url",
    ["", "hc-ping.com/uuid", "ftp://host/uuid", "file:///etc/passwd", "https://", "http://[1/x",
     "https://host/a b", "https://host/\n", "http://höst/"],
)  # fmt: skip
def test_what_is_no_address_of_the_web_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError, match="healthcheck_url") as refused:
        checked_address(url)
    assert url in ("", "https://") or url not in str(refused.value)


# ── Metrics ─────────────────────────────────────────────────────────────────────────────────

NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r"[a-zA-Z_][a-zA-Z0-9_]*"
SAMPLE = re.compile(
    rf'({NAME})(?:\{{({LABEL}="(?:[^"\\\n]|\\[\\"n])*"(?:,{LABEL}="(?:[^"\\\n]|\\[\\"n])*")*)\}})?'
    r" (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?)|NaN|[+-]Inf)"
)
ONE_LABEL = re.compile(rf'({LABEL})="((?:[^"\\\n]|\\[\\"n])*)"')


def parsed(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples of a text, read by the grammar of the exposition format 0.0.4.

    Each family has one HELP, then one TYPE, then its samples together; no sample comes twice.
    """
    assert text.endswith("\n")
    found, family, known = {}, "", []
    undo = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert re.fullmatch(NAME, family)
            assert family not in known
            known.append(family)
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {family} gauge"
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == family
            labels = tuple(
                (key, re.sub(r"\\.", lambda m: undo[m[0]], value))
                for key, value in ONE_LABEL.findall(match[2] or "")
            )
            assert (family, labels) not in found
            found[family, labels] = float(match[3])
    return found


def test_metrics_tell_the_night(fake):
    toml = SETTINGS + '[run]\nmetrics_file = "node/churnkit.prom"\n'
    (fake.folder / "churnkit.toml").write_text(toml)
    fake.verdict, fake.rejected = "watch", 8
    night()
    told = parsed((fake.folder / "node/churnkit.prom").read_text())
    assert told["churnkit_run_success", ()] == 1
    assert told["churnkit_run_as_of_timestamp_seconds", ()] == Cutoff.parse(DAY).us / 1e6
    lights = {labels: value for (name, labels), value in told.items() if name.endswith("customers")}
    assert lights == {(("light", "red"),): 2, (("light", "yellow"),): 3, (("light", "green"),): 4}
    assert told["churnkit_verdict", (("verdict", "watch"),)] == 1
    assert told["churnkit_verdict", (("verdict", "ok"),)] == 0
    assert told["churnkit_rows", (("log", "purchases"),)] == 92
    assert told["churnkit_rejected_rows", (("log", "purchases"),)] == 8
    assert told["churnkit_model_age_days", ()] == 12
    assert told["churnkit_step_seconds", (("step", "score"),)] >= 0
    assert night()[0] == 99
    again = parsed((fake.folder / "node/churnkit.prom").read_text())
    assert again | {("churnkit_run_exit_code", ()): 0} == told


def test_metrics_of_a_night_that_failed_say_so(fake):
    toml = SETTINGS + '[run]\nmetrics_file = "churnkit.prom"\n'
    (fake.folder / "churnkit.toml").write_text(toml)
    fake.failing["score"] = DataError("no")
    night()
    told = parsed((fake.folder / "churnkit.prom").read_text())
    assert (told["churnkit_run_success", ()], told["churnkit_run_exit_code", ()]) == (0, 3)
    assert "churnkit_customers" not in {name for name, _ in told}


def test_metrics_that_cannot_be_written_fail_no_run(fake):
    toml = SETTINGS + '[run]\nmetrics_file = "purchases.csv/churnkit.prom"\n'
    (fake.folder / "churnkit.toml").write_text(toml)
    code, told, _ = night()
    assert code == 0
    assert any(t["event"] == "warning" and "metrics" in t["message"] for t in told)


@given(
    st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\r")),
                    st.integers(0, 10**12) | st.floats(allow_infinity=False), max_size=4)
)  # fmt: skip
def test_whatever_a_log_is_called_the_text_can_be_read_back(rows):
    told = {"as_of_seconds": 0, "success": True, "exit_code": 0, "steps": {}, "rows": rows}
    found = parsed(metrics_text(told))
    back = {labels[0][1]: n for (name, labels), n in found.items() if name == "churnkit_rows"}
    assert back == pytest.approx(rows, nan_ok=True)


# ── The settings ────────────────────────────────────────────────────────────────────────────


def test_an_address_in_the_settings_is_not_repeated_when_it_is_wrong(fake):
    toml = SETTINGS + '[run]\nhealthcheck_url = "ftp://host/s3cret"\n'
    (fake.folder / "churnkit.toml").write_text(toml)
    with pytest.raises(ConfigError) as refused:
        load_settings(fake.folder / "churnkit.toml")
    assert "s3cret" not in str(refused.value)

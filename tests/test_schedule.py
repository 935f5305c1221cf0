"""Files for schedulers: read as each of them reads them, and then really run."""

from __future__ import annotations

import ast
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import jinja2
import pytest
import yaml
from commands import run, told
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from churnkit.errors import ConfigError
from churnkit.schedule import TARGETS, NightlyJob, executable_here, write_files

ODD = [
    "plain", "a b", "it's", '"quoted"', "50%", "$HOME", "${HOME}", "`id`", "$(id)", "a;b|c&d", "#x",
    "*?[a]", "-n", "~", "!x", "<a>", "کلینیک", "naïve 🙂", "%n%%d", "@at@",
]  # fmt: skip
names = st.text(
    st.characters(
        codec="utf-8", categories=("L", "M", "N", "P", "S", "Zs"), exclude_characters="/"
    ),
    min_size=1,
    max_size=30,
).filter(lambda name: name not in (".", ".."))
FAKE = """#!/bin/sh
{ pwd; for word in "$@"; do printf '%s\\n' "$word"; done; } >"$0.told"
echo told; echo failed >&2
code=$(sed -n 1p "$0.codes" 2>/dev/null); sed -i 1d "$0.codes" 2>/dev/null
exit ${code:-0}
"""


def job(folder: Path, at="02:30", zone="Europe/Berlin", executable: Path | None = None):
    return NightlyJob(folder / "churnkit.toml", executable or folder / "churnkit", at, zone)


def text(scheduler: str, made: NightlyJob, k: int = 0) -> str:
    return TARGETS[scheduler](made)[k].text


class Project:
    """A folder with a program that tells what it was called with; clock and sleep are not real."""

    def __init__(self, folder: Path, bin_: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        bin_.mkdir(exist_ok=True)
        self.folder, self.bin = folder, bin_
        self.job = job(folder)
        self._script(self.job.executable, FAKE)
        self._script(bin_ / "date", '#!/bin/sh\necho "$1 of $TZ"\n')
        self._script(bin_ / "sleep", f'#!/bin/sh\necho "$1" >>{shlex.quote(str(bin_ / "naps"))}\n')

    @staticmethod
    def _script(path: Path, script: str) -> None:
        path.write_text(script)
        path.chmod(0o755)

    def codes(self, *codes: int) -> None:
        path = self.folder / "churnkit.codes"
        path.write_text("".join(f"{code}\n" for code in codes))

    def called(self) -> list[str]:
        return (self.folder / "churnkit.told").read_text().split("\n")[:-1]

    def naps(self) -> list[str]:
        path = self.bin / "naps"
        return path.read_text().split() if path.exists() else []

    @property
    def environment(self) -> dict[str, str]:
        """What cron leaves of it."""
        path = f"{self.bin}:/usr/bin:/bin"
        return {"HOME": "/", "LOGNAME": "me", "SHELL": "/bin/sh", "PATH": path}

    def wanted(self, as_of: str = "+%F of Europe/Berlin") -> list[str]:
        return [
            str(self.folder), "run", "--config", str(self.job.config), "--as-of", as_of,
            "--log-format", "json",
        ]  # fmt: skip


@pytest.fixture
def project(tmp_path) -> Project:
    return Project(tmp_path / "pro ject", tmp_path / "bin")


def words_of(told: list[str]) -> list[str]:
    """The folder and the words, in any order of the options."""
    options = dict(zip(told[2::2], told[3::2], strict=True))
    return [*told[:2], *(part for pair in sorted(options.items()) for part in pair)]


# ── cron ────────────────────────────────────────────────────────────────────────────────────


def cron_entry(text: str) -> tuple[list[str], str]:
    """The five fields of time and the command of a crontab, as cron takes it apart."""
    entries = [x for x in text.splitlines() if not re.match(r"#|[A-Z_]+=", x) and x.strip()]
    (entry,) = entries
    *when, command = entry.split(None, 5)
    command = re.split(r"(?<!\\)%", command)[0]  # what follows would be standard input
    return when, command.replace(r"\%", "%")


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="there is no shell")
@pytest.mark.parametrize("name", ODD)
def test_the_line_for_cron_starts_the_night_in_any_folder(tmp_path, name):
    project = Project(tmp_path / name, tmp_path / ".bin")
    when, command = cron_entry(text("cron", project.job))
    assert when == ["30", "2", "*", "*", "*"]
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=project.environment, cwd="/", capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert project.called() == project.wanted()
    assert project.job.log.read_text() == "told\nfailed\n"


@pytest.mark.parametrize(
    ("codes", "code", "naps", "mail"),
    [
        ((0,), 0, 0, b""),
        ((99,), 0, 0, b""),
        ((75, 75, 0), 0, 2, b""),
        ((75,) * 9, 75, 5, b"churnkit ended with exit code 75"),
        ((75, 3), 3, 1, b"churnkit ended with exit code 3"),
        ((1,), 1, 0, b"churnkit ended with exit code 1"),
    ],
)
def test_cron_tries_again_while_another_run_is_at_work_and_mails_only_failures(
    project, codes, code, naps, mail
):
    project.codes(*codes)
    _, command = cron_entry(text("cron", project.job))
    done = subprocess.run(["/bin/sh", "-c", command], env=project.environment, capture_output=True)
    assert done.returncode == code
    assert done.stdout.startswith(mail)
    assert bool(done.stdout) == bool(mail)
    assert project.naps() == ["600"] * naps


@given(names)
def test_every_word_reaches_the_shell_of_cron_as_it_is(name):
    assume("\\" not in name)
    try:
        made = job(Path("/srv") / name)
        _, command = cron_entry(text("cron", made))
    except ConfigError:
        return  # what cannot be quoted is refused; see below
    words = shlex.split(command)
    assert words[:2] == ["/bin/sh", "-c"]
    folder = f"/srv/{name}"
    assert words[4:] == [
        f"{folder}/churnkit", folder, f"{folder}/churnkit.toml", "Europe/Berlin",
        f"{folder}/churnkit-run.log",
    ]  # fmt: skip


def test_a_line_that_is_too_long_for_cron_is_refused():
    with pytest.raises(ConfigError, match="bytes"):
        text("cron", job(Path("/srv") / ("x" * 200)))


def test_a_backslash_is_refused_for_cron_and_kept_for_systemd(tmp_path):
    made = job(Path("/srv/a\\b"))
    with pytest.raises(ConfigError, match="backslash"):
        text("cron", made)
    assert exec_start(text("systemd", made))[3:] == [
        "/srv/a\\b/churnkit", "/srv/a\\b/churnkit.toml", "Europe/Berlin"
    ]  # fmt: skip


REAL_CRON = os.environ.get("CHURNKIT_REAL_CRON") and os.geteuid() == 0 and shutil.which("cron")


@pytest.mark.skipif(not REAL_CRON, reason="CHURNKIT_REAL_CRON is not set, or there is no cron")
def test_a_real_cron_runs_the_line(tmp_path):
    """Takes up to a minute. The crontab of root is replaced meanwhile, and put back."""
    project = Project(tmp_path / "pro ject's 50% $HOME", tmp_path / "bin")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    project._script(project.job.executable, f'#!/bin/sh\nprintf "%s\\n" "$@" >{pipe}\n')
    line = text("cron", project.job).replace("\n30 2 * * *", "\n* * * * *")
    before = subprocess.run(["crontab", "-l"], capture_output=True, text=True).stdout
    subprocess.run(["crontab", "-"], input=line, text=True, check=True)
    try:
        with subprocess.Popen([shutil.which("cron"), "-f"]) as cron:
            reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            assert select.select([reading], [], [], 130)[0]
            words = os.read(reading, 10_000).decode().split("\n")
            cron.terminate()
    finally:
        back = ["crontab", "-"] if before else ["crontab", "-r"]
        subprocess.run(back, input=before, text=True, check=True)
    assert words[:3] == ["run", "--config", str(project.job.config)]
    assert date.fromisoformat(words[4])


# ── systemd ─────────────────────────────────────────────────────────────────────────────────


def unit(text: str, key: str) -> str:
    """The value of a setting of a unit, as it stands there."""
    (value,) = [x.removeprefix(f"{key}=") for x in text.splitlines() if x.startswith(f"{key}=")]
    return value


def exec_start(text: str) -> list[str]:
    """The words of ExecStart as systemd reads them: systemd.service(5), COMMAND LINES."""
    words, value = [], unit(text, "ExecStart")
    token = re.compile(r"""\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s"']+))(?=\s|$)""")
    at = 0
    while at < len(value):
        match = token.match(value, at)
        assert match, value[at:]
        word = next(part for part in match.groups() if part is not None)
        word = re.sub(r"\\(.)", r"\1", word).replace("%%", "%")
        words.append(re.sub(r"\$\$", "$", word))
        at = match.end()
    return words


@pytest.mark.parametrize("name", [*ODD, "back\\slash"])
def test_the_unit_starts_the_night_in_any_folder(tmp_path, name):
    project = Project(tmp_path / name, tmp_path / ".bin")
    service = text("systemd", project.job)
    folder = unit(service, "WorkingDirectory").replace("%%", "%")
    done = subprocess.run(
        exec_start(service), env=project.environment, cwd=folder, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"failed\n")
    assert project.called() == project.wanted()


def test_nothing_to_do_is_a_success_and_only_busy_and_crashes_are_tried_again(tmp_path):
    service = text("systemd", job(tmp_path))
    assert unit(service, "SuccessExitStatus") == "99"
    assert unit(service, "Restart") == "on-failure"
    assert set(unit(service, "RestartPreventExitStatus").split()) == {*"12345"}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize("name", ["plain", 'pro ject\'s 50% $HOME "x" \\y'])
def test_systemd_itself_finds_no_fault(tmp_path, name):
    project = Project(tmp_path / name, tmp_path / ".bin")
    paths = write_files(TARGETS["systemd"](project.job), tmp_path / "units")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if "churnkit" in line]
    assert (done.returncode, ours) == (0, [])
    calendar = unit(paths[1].read_text(), "OnCalendar")
    assert calendar == "*-*-* 02:30:00 Europe/Berlin"
    subprocess.run(["systemd-analyze", "calendar", calendar], capture_output=True, check=True)


# ── Airflow, Dagster, Prefect ───────────────────────────────────────────────────────────────

PYTHONS = ("airflow", "dagster", "prefect")


@pytest.mark.parametrize("scheduler", PYTHONS)
@given(name=names)
def test_python_files_hold_the_paths_as_they_are(scheduler, name):
    try:
        made = job(Path("/srv") / name)
    except ConfigError:
        return
    tree = ast.parse(text(scheduler, made))
    told = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id.isupper()
    }
    assert told == {
        "EXECUTABLE": str(made.executable), "CONFIG": str(made.config),
        "FOLDER": str(made.folder), "ZONE": "Europe/Berlin",
    }  # fmt: skip


class FailException(Exception):
    """What Airflow takes for a failure that is not tried again."""


class SkipException(Exception):
    """What Airflow takes for a task that had nothing to do."""


def airflow_task(text: str, monkeypatch, *, newest: bool = True) -> tuple[dict, dict]:
    """What the DAG and its task are declared with, under an Airflow that only writes it down."""
    dag, task = {}, {}

    class Dag:
        def __init__(self, **told):
            dag.update(told)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    modules = {
        "pendulum": {"datetime": lambda *day, tz: datetime(*day, tzinfo=ZoneInfo(tz))},
        "airflow": {}, "airflow.sdk": {"DAG": Dag}, "airflow.providers": {},
        "airflow.providers.standard": {}, "airflow.providers.standard.operators": {},
        "airflow.providers.standard.operators.python": {
            "PythonOperator": lambda **t: task.update(t)
        },
        "airflow.sdk.exceptions" if newest else "airflow.exceptions": {
            "AirflowFailException": FailException, "AirflowSkipException": SkipException
        },
    }  # fmt: skip
    for name, content in modules.items():
        monkeypatch.setitem(sys.modules, name, SimpleNamespace(**content))
    exec(compile(text, "dag.py", "exec"), {})
    return dag, task


@pytest.mark.parametrize("name", ODD)
def test_the_task_of_airflow_starts_the_night_of_the_day_that_has_begun(
    tmp_path, name, monkeypatch
):
    project = Project(tmp_path / name, tmp_path / ".bin")
    dag, task = airflow_task(text("airflow", project.job), monkeypatch)
    # Due at 02:30 in Berlin, which is still the day before in New York.
    due = datetime(2024, 5, 15, 0, 30, tzinfo=UTC)
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(task["op_args"][0])
    for context in (
        {"data_interval_end": due},  # Airflow 2, and 3 with a schedule
        {"data_interval_end": None, "dag_run": SimpleNamespace(run_after=due)},  # 3 by hand
    ):
        task["python_callable"](template.render(**dag["user_defined_macros"], **context))
        assert project.called() == project.wanted("2024-05-15")


@pytest.mark.parametrize("newest", [True, False])
def test_airflow_tries_again_only_when_busy_and_skips_when_nothing_is_to_be_done(
    project, monkeypatch, capsys, newest
):
    _, task = airflow_task(text("airflow", project.job), monkeypatch, newest=newest)
    for code, kind in ((75, RuntimeError), (99, SkipException), *((n, FailException) for n in
                       (1, 2, 3, 4, 5))):  # fmt: skip
        project.codes(code)
        with pytest.raises(kind) as raised:
            task["python_callable"]("2024-05-15")
        assert type(raised.value) is kind
    assert capsys.readouterr().out == "told\nfailed\n" * 7


def test_the_dag_never_runs_twice_at_once(tmp_path, monkeypatch):
    dag, task = airflow_task(text("airflow", job(tmp_path)), monkeypatch)
    assert (task["retries"], task["retry_delay"]) == (6, timedelta(seconds=600))
    assert (dag["max_active_runs"], dag["catchup"], dag["schedule"]) == (1, False, "30 2 * * *")
    assert str(dag["start_date"].tzinfo) == "Europe/Berlin"


REAL = {
    "airflow": """
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(FOLDER)
assert not bag.import_errors, bag.import_errors
assert bag.dags["churnkit"].get_task("run").retries == 6
""",
    "dagster": """
import datetime, dagster
defs = load("churnkit_definitions.py")
due = datetime.datetime(2024, 5, 15, 0, 30, tzinfo=datetime.timezone.utc)
context = dagster.build_schedule_context(scheduled_execution_time=due)
asked = defs.churnkit_nightly(context)
assert asked.run_key == "2024-05-15"
assert defs.churnkit_night.execute_in_process(run_config=asked.run_config).success
""",
    "prefect": """
flow = load("churnkit_flow.py")
assert flow.churnkit_night.name == "churnkit"
assert flow.churnkit_run.retry_condition_fn is not None
""",
}
LOAD = """
import importlib.util, sys
FOLDER = sys.argv[1]

def load(name):
    spec = importlib.util.spec_from_file_location(name[:-3], f"{FOLDER}/{name}")
    module = sys.modules[name[:-3]] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
"""


@pytest.mark.parametrize("scheduler", PYTHONS)
def test_the_real_scheduler_takes_the_file(project, tmp_path, scheduler):
    """CHURNKIT_AIRFLOW_PYTHON and the like name a Python that has it; here it is not installed."""
    python = os.environ.get(f"CHURNKIT_{scheduler.upper()}_PYTHON")
    if not python:
        pytest.skip(f"CHURNKIT_{scheduler.upper()}_PYTHON is not set")
    write_files(TARGETS[scheduler](project.job), tmp_path / "files")
    homes = {f"{s.upper()}_HOME": str(tmp_path / "home") for s in ("airflow", "prefect")}
    done = subprocess.run(
        [python, "-c", LOAD + REAL[scheduler], tmp_path / "files"],
        capture_output=True, text=True, env={**os.environ, **homes},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]


def test_dagster_and_prefect_try_again_only_when_busy(tmp_path):
    made = job(tmp_path)
    for scheduler in ("dagster", "prefect"):
        tree = ast.parse(text(scheduler, made))
        codes = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)} & {75, 99}
        assert codes == {75, 99}
    assert "raise RetryRequested(max_retries=6, seconds_to_wait=600)" in text("dagster", made)
    assert "retry_condition_fn=_is_busy" in text("prefect", made)


# ── GitHub ──────────────────────────────────────────────────────────────────────────────────


def workflow(made: NightlyJob) -> dict:
    return yaml.safe_load(text("github", made))


@given(names)
def test_the_workflow_holds_the_paths_as_they_are(name):
    try:
        made = job(Path("/srv") / name)
    except ConfigError:
        return
    (step,) = workflow(made)["jobs"]["night"]["steps"]
    assert (step["env"]["CONFIG"], step["env"]["FOLDER"]) == (str(made.config), str(made.folder))


def test_the_workflow_asks_for_nothing_and_runs_once_at_a_time(tmp_path):
    told = workflow(job(tmp_path))
    assert told["permissions"] == {}
    assert told["concurrency"] == {"group": "churnkit", "cancel-in-progress": False}
    assert told["jobs"]["night"]["runs-on"] == "self-hosted"
    (step,) = told["jobs"]["night"]["steps"]
    assert "${{" not in step["run"]  # what is typed in by hand reaches the shell as a variable only
    assert told[True]["schedule"] == [{"cron": "30 1 * * *"}]  # YAML takes `on` for true


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize(
    ("codes", "code", "naps"), [((0,), 0, 0), ((99,), 0, 0), ((75, 0), 0, 1), ((3,), 3, 0)]
)
def test_the_step_of_the_workflow_runs_as_github_runs_it(project, codes, code, naps):
    project.codes(*codes)
    (step,) = workflow(project.job)["jobs"]["night"]["steps"]
    environment = {**project.environment, **step["env"], "AS_OF": ""}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env=environment, capture_output=True,
    )  # fmt: skip
    assert (done.returncode, len(project.naps())) == (code, naps)
    assert words_of(project.called()) == words_of(project.wanted())


def test_a_day_that_is_asked_for_by_hand_is_the_one_that_runs(project):
    (step,) = workflow(project.job)["jobs"]["night"]["steps"]
    environment = {**project.environment, **step["env"], "AS_OF": "2024-05-15; id"}
    subprocess.run(["bash", "-e", "-c", step["run"]], env=environment, check=True, stdout=-3)
    assert words_of(project.called()) == words_of(project.wanted("2024-05-15; id"))


@pytest.mark.parametrize(
    ("at", "zone", "cron"),
    [
        ("02:30", "UTC", "30 2 * * *"),
        ("23:59", "UTC", "59 23 * * *"),
        ("02:30", "Europe/Berlin", "30 1 * * *"),
        ("02:30", "America/New_York", "30 7 * * *"),
        ("02:30", "Asia/Kathmandu", "45 20 * * *"),
        ("02:30", "Asia/Tehran", "0 23 * * *"),
    ],
)
def test_the_clocks_of_utc(at, zone, cron):
    assert job(Path("/srv"), at, zone).utc_cron == cron


def test_a_time_that_summer_carries_into_the_next_day_is_refused():
    with pytest.raises(ConfigError, match="another day"):
        text("github", job(Path("/srv"), "23:30"))


@settings(max_examples=25)
@given(
    st.times(),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Tehran",
                     "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo"]),
)  # fmt: skip
def test_by_the_clocks_of_utc_every_day_of_the_zone_has_one_run_and_none_too_early(time, zone):
    made = job(Path("/srv"), f"{time:%H:%M}", zone)
    try:
        minute, hour = map(int, made.utc_cron.split()[:2])
    except ConfigError:
        return
    runs = [
        (datetime(2031, 1, 1, hour, minute, tzinfo=UTC) + timedelta(n)).astimezone(ZoneInfo(zone))
        for n in range(365)
    ]
    assert len({run.date() for run in runs}) == len(runs)
    assert all((run.hour, run.minute) >= (time.hour, time.minute) for run in runs)


# ── What cannot be quoted, and the command ──────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name",
    ["a\nb", "a\rb", "a\x00b", "a\x1bb", "a\u2028b", "a\ud800b", "a{{b", "a{%b", "a{#b", "a ",
     "a\\"],
)  # fmt: skip
def test_paths_that_no_scheduler_can_quote_are_refused(name):
    with pytest.raises(ConfigError, match="path of the project"):
        job(Path("/srv") / name)
    with pytest.raises(ConfigError, match="path of the program"):
        job(Path("/srv/good"), executable=Path("/srv") / name / "churnkit")


def test_a_path_that_is_not_whole_is_refused():
    with pytest.raises(ConfigError, match="not whole"):
        job(Path("project"))


@pytest.mark.parametrize(
    "at", ["", "2:30", "24:00", "02:60", "02:30:00", "noon", "٠٢:٣٠", "02:30\n"]
)
def test_what_is_no_time_of_day_is_refused(at):
    with pytest.raises(ConfigError, match="no time of day"):
        job(Path("/srv"), at)


@pytest.mark.parametrize("zone", ["Mars/Phobos", "", "Europe/Berlin; id", "../UTC"])
def test_an_unknown_zone_is_refused(zone):
    with pytest.raises(ConfigError, match="time zone"):
        job(Path("/srv"), zone=zone)


@pytest.fixture
def toml(tmp_path, monkeypatch) -> Path:
    path = tmp_path / "churnkit.toml"
    path.write_text('[question]\ntimezone = "Asia/Tehran"\n[logs.purchases]\npath = "p.csv"\n')
    monkeypatch.chdir(tmp_path)
    return path


@pytest.mark.parametrize("scheduler", list(TARGETS))
def test_the_command_prints_files_with_whole_paths_and_the_business_zone(toml, scheduler):
    result = run("schedule", scheduler)
    assert result.exit_code == 0, result.stderr
    assert str(toml) in result.stdout
    assert str(executable_here()) in result.stdout
    assert "Asia/Tehran" in result.stdout
    assert not re.search(r"@\w+@", result.stdout)
    files = told("schedule", scheduler)["files"]
    assert "\n".join(file["text"] for file in files) == result.stdout


def test_the_command_writes_files_and_replaces_none_unasked(toml, tmp_path):
    out = tmp_path / "units"
    paths = told("schedule", "systemd", "--out", str(out))["paths"]
    assert sorted(path.name for path in out.iterdir()) == ["churnkit.service", "churnkit.timer"]
    assert run("schedule", "systemd", "--out", str(out)).exit_code == 0  # they say the same
    refused = run("schedule", "systemd", "--at", "03:00", "--out", str(out))
    assert (refused.exit_code, "--force" in refused.stderr) == (2, True)
    assert "02:30" in Path(paths[1]).read_text()
    assert run("schedule", "systemd", "--at", "03:00", "--out", str(out), "--force").exit_code == 0
    assert "03:00" in Path(paths[1]).read_text()


def test_the_program_that_is_started_can_be_named_if_it_can_be_run(toml, tmp_path):
    program = tmp_path / "other" / "churnkit"
    asked = ("schedule", "cron", "--executable", str(program))
    program.parent.mkdir()
    for make in (lambda: None, program.touch):  # not there, and there but no program
        make()
        refused = run(*asked)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "no program that can be run" in refused.stderr
    program.chmod(0o755)
    (file,) = told(*asked)["files"]
    assert str(program) in file["text"]

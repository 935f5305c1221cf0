"""The files of each scheduler, made from a template by quoting as each of them reads."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from churnkit.atomic import whole_file
from churnkit.errors import ConfigError
from churnkit.schedule.nightly_job import NightlyJob

_TEMPLATES = Path(__file__).with_name("templates")
_PLACE = re.compile(r"@(\w+)@")
_LONGEST_LINE = 998  # what Debian's cron takes of a command
_PATIENCE, _TRIES = 600, 6  # seconds between tries while another run is at work, and how many


@dataclass(frozen=True)
class Scheduled:
    """A file for a scheduler.

    Attributes
    ----------
    name
        How it is usually called.
    text
        What is in it.
    """

    name: str
    text: str


def cron(job: NightlyJob) -> list[Scheduled]:
    """A line for ``crontab -e``.

    Raises
    ------
    ConfigError
        If the paths are too long for a line of cron.
    """
    # Arguments of a shell of its own, so that no path is quoted twice.
    script = (
        f'cd "$2" || exit; n=0; while :; do "$1" run --config "$3" --as-of "$(TZ=$4 date +%F)" '
        f'--log-format json >>"$5" 2>&1; c=$?; n=$((n+1)); [ $c = 75 ] && [ $n -lt {_TRIES} ] || '
        f"break; sleep {_PATIENCE}; done; case $c in 0|99) exit 0; esac; "
        'echo "churnkit ended with exit code $c, see $5"; exit $c'
    )
    if "\\" in f"{job.config}{job.executable}":
        raise ConfigError(
            "a path of the project or the program holds a backslash, and crons differ in what they "
            "make of it",
            "Move it to a folder without one, or use systemd.",
        )
    words = ["/bin/sh", "-c", script, "churnkit", *_arguments(job)]
    command = " ".join(map(shlex.quote, words)).replace("%", r"\%")
    if len(command.encode()) > _LONGEST_LINE:
        raise ConfigError(
            f"the line for cron has {len(command.encode())} bytes, and cron takes {_LONGEST_LINE}",
            "Move the project to a shorter path, or use systemd.",
        )
    return [_filled("cron.txt", "churnkit.cron", job, {"command": command})]


def systemd(job: NightlyJob) -> list[Scheduled]:
    """A service and the timer that starts it."""
    words = [_unit_quoted(str(word)) for word in _arguments(job)]
    values = {
        "arguments": " ".join([words[0], *words[2:4]]),
        "folder": _unit_path(job.folder),
        "calendar": f"*-*-* {job.at}:00 {job.zone}",
        "tries": str(_TRIES),
        "patience": str(_PATIENCE),
        "span": str(2 * _TRIES * _PATIENCE),
    }
    names = ("churnkit.service", "churnkit.timer")
    return [_filled(f"{name}.txt", name, job, values) for name in names]


def airflow(job: NightlyJob) -> list[Scheduled]:
    """A DAG, for Airflow 2.9 and newer and for 3."""
    return [_python("airflow", "churnkit_dag.py", job)]


def dagster(job: NightlyJob) -> list[Scheduled]:
    """A job with its schedule, as one module of definitions."""
    return [_python("dagster", "churnkit_definitions.py", job)]


def prefect(job: NightlyJob) -> list[Scheduled]:
    """A flow that serves itself."""
    return [_python("prefect", "churnkit_flow.py", job)]


def github(job: NightlyJob) -> list[Scheduled]:
    """A workflow for a runner of one's own, which has the project on its disk."""
    values = {
        "cron": job.utc_cron,
        "executable": _yaml(str(job.executable)),
        "config": _yaml(str(job.config)),
        "folder": _yaml(str(job.folder)),
        "zone": _yaml(job.zone),
    }
    return [_filled("github.yml.txt", "churnkit.yml", job, values)]


TARGETS: Mapping[str, Callable[[NightlyJob], list[Scheduled]]] = {
    "cron": cron,
    "systemd": systemd,
    "airflow": airflow,
    "dagster": dagster,
    "prefect": prefect,
    "github": github,
}
"""Scheduler → what makes its files."""


def write_files(files: list[Scheduled], folder: Path, *, force: bool = False) -> list[Path]:
    """Write the files into a folder; each appears whole or not at all.

    Parameters
    ----------
    files
        What to write.
    folder
        Where to; made when missing.
    force
        Replace files that say something else.

    Raises
    ------
    ConfigError
        If one is there already and says something else, or the folder cannot be written to.
    """
    paths = [folder / file.name for file in files]
    for file, path in zip(files, paths, strict=True):
        if path.exists() and not force and path.read_bytes() != file.text.encode():
            raise ConfigError(
                f"{path} is there already, and says something else", "Add --force to replace it."
            )
    for file, path in zip(files, paths, strict=True):
        with whole_file(path) as aside:
            aside.write_text(file.text, encoding="utf-8")
    return paths


def _arguments(job: NightlyJob) -> list[str]:
    """Program, folder, settings, zone and log, in the order of the shell's ``$1`` to ``$5``."""
    return [str(p) for p in (job.executable, job.folder, job.config, job.zone, job.log)]


def _python(template: str, name: str, job: NightlyJob) -> Scheduled:
    values = {
        "executable": repr(str(job.executable)),
        "config": repr(str(job.config)),
        "folder": repr(str(job.folder)),
        "zone": repr(job.zone),
        "cron": repr(job.cron),
        "tries": str(_TRIES),
        "patience": str(_PATIENCE),
    }
    return _filled(f"{template}.py.txt", name, job, values)


def _filled(template: str, name: str, job: NightlyJob, values: Mapping[str, str]) -> Scheduled:
    """A template with its places filled; what is filled in is not looked at again."""
    told = {"at": job.at, "zone_name": job.zone, "cron_time": job.cron, **values}
    text = (_TEMPLATES / template).read_text(encoding="utf-8")
    return Scheduled(name, _PLACE.sub(lambda match: told[match[1]], text))


def _unit_quoted(text: str) -> str:
    """One word of ``ExecStart``: quotes, backslashes, specifiers and variables are undone."""
    told = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + told.replace("%", "%%").replace("$", "$$") + '"'


def _unit_path(path: Path) -> str:
    """A path as the whole value of a setting, where nothing but specifiers is read."""
    return str(path).replace("%", "%%")


def _yaml(text: str) -> str:
    """A text in double quotes, which YAML reads as JSON does."""
    return json.dumps(text, ensure_ascii=False)

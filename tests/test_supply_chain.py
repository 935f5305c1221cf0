"""What comes in and what goes out: lock files with hashes, and workflows of least authority."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-release.lock")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PIN = re.compile(r"[\w-]+/[\w.-]+@[0-9a-f]{40} # v[\d.]+")


def locked(name: str) -> dict[str, list[tuple[Requirement, list[str]]]]:
    """Package → its versions in a lock file, each with its hashes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found: dict[str, list[tuple[Requirement, list[str]]]] = {}
    for entry in re.split(r"\n(?=\w)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)):
        told, *hashes = re.split(r"\s*\\?\n?\s+--hash=", entry.strip())
        requirement = Requirement(told.removesuffix("\\").strip())
        found.setdefault(canonicalize_name(requirement.name), []).append((requirement, hashes))
    return found


def asked(extra: str) -> list[Requirement]:
    """What an extra asks for, with the extras that it names."""
    found = []
    for told in EXTRAS[extra]:
        one = Requirement(told)
        if one.name == "churnkit":
            found += [wanted for more in sorted(one.extras) for wanted in asked(more)]
        else:
            found.append(one)
    return found


BASE = [Requirement(told) for told in PROJECT["project"]["dependencies"]]
WANTED = {
    "requirements.lock": [*BASE, *asked("mysql"), *asked("postgres")],
    "requirements-test.lock": [*BASE, *asked("test")],
    "requirements-release.lock": [
        Requirement(told) for told in PROJECT["dependency-groups"]["release"]
    ],
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_holds_what_is_asked_for_in_versions_that_are_allowed(name):
    """Run ``make lock`` after a change of pyproject.toml."""
    held = locked(name)
    for wanted in WANTED[name]:
        versions = held.get(canonicalize_name(wanted.name), [])
        assert versions, f"{wanted} is not in {name}: make lock"
        for version, _ in versions:
            [pin] = version.specifier
            assert wanted.specifier.contains(pin.version), f"{version}, not {wanted}: make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_by_version_and_hash(name):
    for versions in locked(name).values():
        for requirement, hashes in versions:
            assert [pin.operator for pin in requirement.specifier] == ["=="], requirement
            assert requirement.url is None
            assert hashes
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), requirement


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_names_no_place_to_fetch_from(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"://|^\s*-(?!-hash)|index|find-links|trusted-host|/[a-z]+/", text, re.M)


def test_what_runs_is_tested_in_the_same_versions():
    def pins(name: str) -> set[str]:
        return {f"{r.name}{r.specifier}" for versions in locked(name).values() for r, _ in versions}

    assert pins("requirements.lock") <= pins("requirements-test.lock")


# ── Workflows ───────────────────────────────────────────────────────────────────────────────


def read(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


RELEASE = read(ROOT / ".github" / "workflows" / "release.yml")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_to_a_commit(path):
    told = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert told
    assert not [one for one in told if not PIN.fullmatch(one)]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_nothing_else_unless_a_job_says_so(path):
    told = read(path)
    assert told["permissions"] in ({}, {"contents": "read"})
    for job in told["jobs"].values():
        assert job["timeout-minutes"] <= 60
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False
            # What others write, such as titles, must not become part of a script.
            assert "${{" not in step.get("run", "")
    assert "pull_request_target" not in (told.get("on") or told.get(True))


def test_only_the_job_that_publishes_has_an_identity_and_it_runs_nothing_of_ours():
    jobs = RELEASE["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read"},
        "publish": {"id-token": "write", "attestations": "write"},
        "page": {"contents": "write"},
    }
    assert jobs["publish"]["environment"] == "pypi"
    assert all("run" not in step for step in jobs["publish"]["steps"])
    names = [step.get("uses", "").partition("@")[0] for step in jobs["publish"]["steps"]]
    assert names.index("actions/attest-build-provenance") < names.index(
        "pypa/gh-action-pypi-publish"
    )


def test_a_release_is_built_from_a_tag_and_needs_no_stored_secret():
    assert (RELEASE.get("on") or RELEASE.get(True)) == {"push": {"tags": ["v*"]}}
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "secrets." not in text
    assert {"make audit", "make sbom"} <= {s.get("run") for s in RELEASE["jobs"]["build"]["steps"]}


def test_the_tools_of_a_release_fail_rather_than_pass_what_they_could_not_look_at():
    text = re.sub(r"\\\n\s*", "", (ROOT / "Makefile").read_text(encoding="utf-8"))
    recipes = dict(re.findall(r"^([a-z]+):.*\n((?:\t.*\n)+)", text, re.MULTILINE))
    assert "pip-audit --strict --disable-pip --require-hashes" in recipes["audit"]
    assert all(f"--requirement {name}" in recipes["audit"] for name in LOCKS)
    assert "--require-hashes --requirement requirements.lock" in recipes["sbom"]
    assert "--validate" in recipes["sbom"]
    assert "--generate-hashes" in text
    assert "LOCKED" in read(ROOT / ".github" / "workflows" / "ci.yml")["env"]

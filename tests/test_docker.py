"""The image definition: read and judged without Docker; its steps run by hand where asked for."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KNOWN = {
    *["FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD"],
}


@dataclass
class Stage:
    """A stage of a Dockerfile: its base, its name, and its instructions in order."""

    base: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [said for name, said in self.instructions if name == instruction]


def stages() -> list[Stage]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if not line.strip():
            continue
        instruction, said = line.split(None, 1)
        if instruction == "FROM":
            base, *named = re.split(r"\s+AS\s+", said)
            found.append(Stage(base, named[0] if named else ""))
        else:
            found[-1].instructions.append((instruction, said))
    return found


BUILD, FINAL = stages()


def context() -> set[str]:
    """The files that the build may see, by the rules of .dockerignore (the last one holds)."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    found = set()
    tops = (top for top in ROOT.iterdir() if top.name not in (".venv", ".git", "build"))
    inside = (path for top in tops for path in (top.rglob("*") if top.is_dir() else [top]))
    for path in (path for path in inside if path.is_file()):
        parts = path.relative_to(ROOT).parts
        seen = True
        for rule in rules:
            bare = rule.removeprefix("!").removeprefix("**/")
            heads = ["/".join(parts[: k + 1]) for k in range(len(parts))]
            tails = parts if rule.startswith("**/") else heads[:1]
            if any(fnmatch.fnmatch(name, bare) for name in [*tails, *heads[:1]]):
                seen = rule.startswith("!")
        if seen:
            found.add("/".join(parts))
    return found


def test_it_has_a_stage_that_builds_and_one_that_runs_of_the_same_pinned_base():
    assert BUILD.name == "build"
    assert BUILD.base == FINAL.base
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", FINAL.base)
    version = tuple(map(int, FINAL.base.split(":")[1].split("-")[0].split(".")[:2]))
    assert (3, 11) <= version < (3, 14)


def test_only_plain_instructions_are_used():
    """No ADD, which may fetch; no ARG, which may carry a secret into the history."""
    assert {name for stage in (BUILD, FINAL) for name, _ in stage.instructions} <= KNOWN


def test_it_runs_as_nobody_in_particular_in_the_project():
    names = [name for name, _ in FINAL.instructions]
    assert FINAL.all("USER") == ["10001:10001"]
    assert FINAL.all("WORKDIR") == ["/project"]
    assert FINAL.all("ENTRYPOINT") == ['["churnkit"]']
    assert names.index("USER") > max(k for k, name in enumerate(names) if name in ("RUN", "COPY"))


def test_what_runs_is_copied_from_what_was_built_and_nothing_else():
    assert FINAL.all("COPY") == ["--from=build /opt/churnkit /opt/churnkit"]
    assert not [said for said in FINAL.all("RUN") if re.search(r"\b(uv|pip)\b", said)]


def test_the_build_copies_what_it_needs_and_sees_nothing_else():
    copied = [name for said in BUILD.all("COPY") for name in said.split()[:-1]]
    assert copied == [
        "requirements-release.lock", "requirements.lock", "pyproject.toml", "README.md", "LICENSE",
        "src",
    ]  # fmt: skip
    seen = context()
    assert {name.split("/")[0] for name in seen} == {*copied}
    assert "src/churnkit/cli/__init__.py" in seen
    assert "src/churnkit/report/page.css" in seen
    assert not [name for name in seen if name.endswith(".pyc")]


def test_nothing_is_fetched_by_address_and_packages_come_by_their_hashes():
    said = " ".join(text for stage in (BUILD, FINAL) for _, text in stage.instructions)
    assert "://" not in said
    assert not re.search(r"\b(curl|wget|sudo)\b", said)
    installs = [said for said in BUILD.all("RUN") if "pip install" in said]
    locked = [said for said in installs if "--require-hashes --requirement requirements" in said]
    assert len(locked) == 2
    assert all("--no-deps --no-index dist/" in said for said in installs if said not in locked)
    assert "--no-isolation" in said  # what builds is locked as well


def test_no_secret_is_in_it():
    said = " ".join(text for stage in (BUILD, FINAL) for _, text in stage.instructions)
    assert not re.search(r"password|passwd|secret|token|api_?key", said, re.IGNORECASE)


def test_lists_of_packages_do_not_stay_in_the_image():
    (said,) = FINAL.all("RUN")
    assert "--no-install-recommends" in said
    assert said.endswith("rm -rf /var/lib/apt/lists/*")


NOBODY = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}


def built_by_hand(root: Path) -> Path:
    """Does what the build stage says, below a folder; returns what stands for /opt/churnkit."""
    python, source, made = root / "python", root / "src", root / "opt" / "churnkit"
    # One that nobody in particular may start, too.
    base = shutil.which("python3", path="/usr/bin") if NOBODY else sys.executable
    subprocess.run([base, "-m", "venv", python], check=True)
    made.parent.mkdir()
    passed = {k: v for k, v in os.environ.items() if re.match(r"PIP_|UV_|SSL_|.*_proxy$", k, re.I)}
    environment = {**passed, "PATH": f"{python / 'bin'}:/usr/bin:/bin", "HOME": str(root)}
    for instruction, said in BUILD.instructions:
        if instruction == "WORKDIR":
            source.mkdir()
        elif instruction == "ENV":
            environment |= dict(pair.split("=") for pair in said.split())
        elif instruction == "COPY":
            copy_context(said.split()[:-1], source)
        else:
            if NOBODY:
                subprocess.run(["chown", "-R", "65534:65534", root], check=True)
            command = ["/bin/sh", "-c", said.replace("/opt/churnkit", str(made))]
            cwd = source if source.exists() else root
            subprocess.run(command, cwd=cwd, env=environment, check=True, **NOBODY)
    shutil.rmtree(source)  # what runs must not need it
    return made


def copy_context(names: list[str], to: Path) -> None:
    for name in context():
        if name.split("/")[0] in names:
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


@pytest.mark.skipif(
    not os.environ.get("CHURNKIT_DOCKER_STEPS"), reason="CHURNKIT_DOCKER_STEPS is not set"
)
def test_its_steps_work_by_hand_in_a_clean_folder_without_privileges(tmp_path_factory):
    """Takes minutes, and asks PyPI. What needs a Debian of its own (apt-get) is left out."""
    root = tmp_path_factory.mktemp("image")
    for above in (root, *root.parents[:2]):
        above.chmod(0o755)
    made = built_by_hand(root)
    environment = {"PATH": f"{made / 'bin'}:/usr/bin:/bin"}
    for said in FINAL.all("ENV"):
        environment |= dict(p.split("=") for p in said.split() if not p.startswith("PATH="))
    for command in ("--version", "demo --out demo --customers 1500 --json"):
        done = subprocess.run(
            ["churnkit", *command.split()], cwd=root, env=environment, capture_output=True,
            text=True, **NOBODY,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]

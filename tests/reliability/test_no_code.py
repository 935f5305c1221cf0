"""Line 10: a bundle is text that is looked at; nothing that came with it is ever run.

What is planted here would write a file if it ran: a pickle when it is loaded, a module when it is
imported. MLflow's own loader runs such things, which is why churnkit never asks it.
"""

from __future__ import annotations

import ast
import json
import pickle
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import run
from forged import RULE, save, sign

from churnkit import bundle
from churnkit.errors import BundleError
from churnkit.registry import CHAMPION, Record, Registry
from churnkit.release import champion

ROOT = Path(__file__).parents[2]
RAN = "ran.txt"


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (self.marker,)


def planted(folder: Path, name: str, marker: Path) -> None:
    """A file of this name that leaves the marker when it is loaded, imported or run."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in {".pkl", ".joblib", ".pickle"}:
        path.write_bytes(pickle.dumps(Bomb(marker)))
    elif path.name == "MLmodel":
        path.write_text(
            "flavors:\n  python_function:\n    loader_module: loader\n    code: code\n"
            "    data: .\n    env: {}\n"
        )
    else:
        path.write_text(f"from pathlib import Path\nPath({str(marker)!r}).touch()\n")


PLANTS = (
    *("model.pkl", "model.joblib", "data.pickle", "python_model.pkl", "loader.py", "__init__.py"),
    *("code/churnkit/__init__.py", "code/lightgbm.py", "MLmodel", "sitecustomize.py", "model.so"),
    *("booster-0.py", "conftest.py", ".hidden.pth", "json.py"),
)


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """Is not there at the end, and nothing was added to what Python imports."""
    path, modules = list(sys.path), {"loader", "sitecustomize"} & sys.modules.keys()
    yield tmp_path / RAN
    assert not (tmp_path / RAN).exists()
    assert sys.path == path
    assert {"loader", "sitecustomize"} & sys.modules.keys() == modules


def test_10_what_is_planted_here_does_run_where_it_is_let(tmp_path: Path) -> None:
    planted(tmp_path, "model.pkl", tmp_path / RAN)
    pickle.loads((tmp_path / "model.pkl").read_bytes())
    assert (tmp_path / RAN).exists()


def test_10_code_and_pickles_in_a_bundle_are_refused_and_do_not_run(tmp_path, marker, seen):
    sound = save(RULE, tmp_path / "sound")
    for name in PLANTS:
        for signed in (False, True):
            folder = shutil.copytree(sound, tmp_path / f"{PLANTS.index(name)}-{signed}")
            planted(folder, name, marker)
            if signed and "/" not in name:
                sign(folder)
            for look in (bundle.load, bundle.card, bundle.verify):
                with pytest.raises(BundleError) as refusal:
                    look(folder)
                assert refusal.value.exit_code == 5
                assert name.partition("/")[0] in refusal.value.found
    seen("planted bundles refused", 2 * len(PLANTS))


def test_10_the_commands_end_with_5(tmp_path, marker, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("purchases.csv").write_text("customer_id,ts\na,2024-01-01\n")
    Path("churnkit.toml").write_text('[logs.purchases]\npath = "purchases.csv"\n')
    for name in ("model.pkl", "code/churnkit/__init__.py", "loader.py"):
        folder = save(RULE, tmp_path / f"with-{Path(name).stem}")
        planted(folder, name, marker)
        for arguments in (
            ("score", "--model", str(folder), "--as-of", "2024-05-15"),
            ("models", "push", str(folder)),
        ):
            told = run(*arguments)
            assert told.exit_code == 5, (arguments, told.output)
            assert "Traceback" not in told.output
    assert not Path("scores").exists()


@pytest.fixture
def released(tmp_path, empty_store, monkeypatch) -> tuple[Path, Registry]:
    """The folder and registry of a champion."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    folder = shutil.copytree(empty_store, tmp_path / "models")
    registry = Registry(folder)
    path = save(RULE, folder / "rule")
    registry.log(path, Record(tags={"sha256": bundle.digest(path)}))
    registry.promote("1")
    return folder, registry


def test_10_what_mlflow_would_run_beside_a_bundle_is_not_even_fetched(
    released, marker, tmp_path
) -> None:
    folder, registry = released
    [beside] = folder.glob("mlartifacts/**/MLmodel")
    for name in PLANTS:
        planted(beside.parent, name, marker)
    (tmp_path / "into").mkdir()
    fetched, _ = registry.fetch(CHAMPION, tmp_path / "into")
    there = {path.name for path in (tmp_path / "into").rglob("*") if path.is_file()}
    assert there == {path.name for path in fetched.iterdir()}
    bundle.verify(fetched)
    champion(folder, registry)


def test_10_code_planted_into_the_bundle_of_the_champion_is_refused(released, marker) -> None:
    folder, registry = released
    [beside] = folder.glob("mlartifacts/**/MLmodel")
    for name in ("model.pkl", "code/churnkit/__init__.py"):
        planted(beside.parent / "bundle", name, marker)
    with pytest.raises(BundleError, match=r"code.*model\.pkl"):
        champion(folder, registry)


def test_10_a_pointer_to_another_folder_is_refused(released, marker) -> None:
    folder, _ = released
    outside = save(RULE, folder.parent / "outside")
    pointer = folder / "champion.json"
    for name in ("../outside", str(outside), "..", ".", "", "a/../../outside", 7, None):
        pointer.write_text(json.dumps({"bundle": name, "version": "1"}))
        with pytest.raises(BundleError):
            champion(folder, Registry(folder, uri="http://127.0.0.1:9"))


def test_10_a_name_told_by_the_store_leads_nowhere_else(released, tmp_path) -> None:
    folder, registry = released
    for name in ("..", ".hidden", "../../elsewhere", "/etc", "a\\b"):
        shutil.rmtree(folder / "rule", ignore_errors=True)
        (folder / "champion.json").unlink(missing_ok=True)
        with registry._client() as client:
            client.set_model_version_tag(registry.name, "1", "bundle", name)
        before = {*tmp_path.iterdir()}
        champion(folder, registry)
        kept = json.loads((folder / "champion.json").read_text())["bundle"]
        assert bundle.verify(folder / kept)
        assert {*tmp_path.iterdir()} == before
        shutil.rmtree(folder / kept)


# ── The code itself ─────────────────────────────────────────────────────────────────────────

UNSAFE_MODULES = {"pickle", "cPickle", "joblib", "cloudpickle", "dill", "shelve", "marshal", "imp"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "read_pickle", "to_pickle", "load_model"}
# The user's own features are code, which runs because the user names its file.
OWN_FEATURES = {("features/own.py", "exec"), ("features/own.py", "compile")}


def test_10_no_module_loads_pickles_or_runs_text() -> None:
    found = {
        (path.relative_to(ROOT / "src/churnkit").as_posix(), what)
        for path in (ROOT / "src" / "churnkit").rglob("*.py")
        for what in unsafe(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found <= OWN_FEATURES


def unsafe(tree: ast.AST) -> Iterator[str]:
    """What of a module could run what it reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.partition(".")[0] in UNSAFE_MODULES)
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").partition(".")[0] in UNSAFE_MODULES:
                yield str(node.module)
        elif isinstance(node, ast.Call):
            yield from _unsafe_call(node)


def _unsafe_call(node: ast.Call) -> Iterator[str]:
    asked = node.func
    name = asked.id if isinstance(asked, ast.Name) else getattr(asked, "attr", "")
    owner = getattr(getattr(asked, "value", None), "id", "")
    if name in UNSAFE_CALLS and owner != "re":
        yield name
    if name in {"load", "unsafe_load", "full_load"} and owner == "yaml":
        yield "yaml.load"
    for key in node.keywords:
        allowed = isinstance(key.value, ast.Constant) and key.value.value is False
        if key.arg in {"allow_pickle", "shell", "trust_remote_code"} and not allowed:
            yield key.arg


@pytest.mark.parametrize(
    "text",
    [
        *("import pickle", "from joblib import load", "import dill.source", "eval('1')"),
        *("exec(text)", "pd.read_pickle(p)", "np.load(p, allow_pickle=True)", "yaml.load(text)"),
        *("subprocess.run(c, shell=True)", "mlflow.pyfunc.load_model(uri)", "builtins.exec(x)"),
    ],
)
def test_10_the_look_at_the_code_sees(text: str) -> None:
    assert [*unsafe(ast.parse(text))]
    assert not [*unsafe(ast.parse("re.compile('a'); json.load(f); yaml.safe_load(t)"))]

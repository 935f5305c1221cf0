"""Features of the user's own: loaded once, replaced when changed, never part of a bundle."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churnkit.clock import Cutoff
from churnkit.errors import ConfigError, DataError
from churnkit.features import CATALOGUE, FeatureSpec, build_features, feature
from churnkit.features.own import load_own, load_own_text, own_sources
from churnkit.features.registry import own_features
from churnkit.index import Observations, PurchaseIndex
from churnkit.sources import read_logs

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "own_features.py"
AT = Cutoff.parse("2024-03-01")

HEAD = """\
import numpy as np
from churnkit.features import *

@feature(unit="purchases", says="twice the purchases")
def twice(p: PurchaseIndex, at: Observations) -> np.ndarray:
"""
TWICE = HEAD + "    return 2 * p.sales.count(at)\n"
PURCHASES = pd.DataFrame(
    {
        "customer_id": ["a", "a", "b", "b"],
        "ts": ["2024-01-01", "2024-02-20", "2024-02-25", "2024-03-01"],
        "amount": [500, 100, 100.01, 900],
    }
)


@pytest.fixture(autouse=True)
def _nothing_stays():
    builtin = dict(CATALOGUE)
    yield
    load_own()
    CATALOGUE.clear()
    CATALOGUE.update(builtin)


@pytest.fixture
def file(tmp_path):
    """Writes a file of features."""

    def written(text: str, name: str = "mine.py") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def values(name: str) -> list[float]:
    return build_features(read_logs(PURCHASES), AT).column(name).tolist()


def refused(*paths: Path) -> str:
    known = dict(CATALOGUE)
    with pytest.raises(ConfigError) as told:
        load_own(*paths)
    assert known == CATALOGUE
    assert told.value.mend
    return told.value.found


# ── The documented example ──────────────────────────────────────────────────────────────────


def test_the_documented_example_is_the_one_in_the_folder():
    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "own_features.md").read_text(), re.S
    )
    imports, *definitions = code.split("\n\n\n")
    told = EXAMPLE.read_text()
    assert definitions
    assert all(definition in told for definition in definitions)
    assert all(line in told for line in imports.splitlines())


def test_the_documented_example_counts_large_purchases_in_every_window():
    assert load_own(EXAMPLE) == ("large_purchases_count",)
    assert values("large_purchases_count_30d") == [0, 1]
    assert values("large_purchases_count_90d") == [1, 1]
    (told,) = [
        column
        for column in FeatureSpec.learn(read_logs(PURCHASES), AT).columns()
        if column.name == "large_purchases_count_30d"
    ]
    assert told.says == "purchases above 100 in the last 30 days"
    assert told.theme == "large_purchases_count"


# ── Loading, again and again ────────────────────────────────────────────────────────────────


def test_a_file_stands_in_the_catalogue_once_it_is_loaded(file):
    path = file(TWICE)
    assert load_own(path) == ("twice",)
    assert own_sources() == ((str(path), TWICE),)
    assert values("twice") == [4, 2]


def test_a_changed_file_replaces_its_features(file):
    load_own(file(TWICE))
    load_own(file(TWICE.replace("2 *", "3 *").replace("twice", "thrice")))
    assert "twice" not in CATALOGUE
    assert values("thrice") == [6, 3]


def test_a_file_that_has_not_changed_is_not_run_again(file):
    load_own(path := file(TWICE))
    first = CATALOGUE["twice"].build
    load_own(path)
    assert CATALOGUE["twice"].build is first


def test_only_the_files_that_are_asked_for_are_known(file):
    one, other = file(TWICE), file(TWICE.replace("twice", "thrice"), "other.py")
    load_own(one)
    load_own(other)
    assert list(own_features()) == ["thrice"]
    load_own(one, other)
    assert sorted(own_features()) == ["thrice", "twice"]
    modules = [name for name in sys.modules if name.startswith("churnkit_own_")]
    assert len(modules) == 2
    load_own()
    assert not own_features()
    assert not [name for name in sys.modules if name.startswith("churnkit_own_")]


def test_sources_can_be_loaded_elsewhere_by_their_text(file):
    load_own(file(TWICE))
    sources, digests = own_sources(), own_features()
    load_own()
    for path, text in sources:
        load_own_text(path, text)
    assert own_features() == digests


def test_a_feature_in_a_notebook_is_replaced_when_its_cell_is_run_again():
    def cell(times: int) -> None:
        @feature(unit="purchases", says="times the purchases")
        def times_purchases(p: PurchaseIndex, at: Observations) -> np.ndarray:
            return times * p.sales.count(at)

    cell(2)
    cell(3)
    assert values("times_purchases") == [6, 3]


# ── The hash of the definition ──────────────────────────────────────────────────────────────


def digest(text: str) -> str:
    load_own_text("mine.py", text)
    return own_features()["twice"]


@pytest.mark.parametrize(
    "same",
    [
        TWICE.replace("import", "# why\nimport", 1),
        TWICE.replace("2 *", "2  *"),
        TWICE.replace(" -> np.ndarray:", " -> np.ndarray:  # doubled"),
    ],
)
def test_comments_and_spaces_change_no_hash(same):
    assert same != TWICE
    assert digest(same) == digest(TWICE)


@pytest.mark.parametrize(
    "other",
    [TWICE.replace("2 *", "3 *"), TWICE + "\nHELPER = 1\n", TWICE.replace("twice the", "2 x")],
)
def test_everything_else_in_the_file_does(other):
    assert digest(other) != digest(TWICE)


def test_the_hash_does_not_depend_on_where_the_file_is(file, tmp_path):
    load_own(file(TWICE))
    one = own_features()
    (tmp_path / "elsewhere").mkdir()
    load_own(file(TWICE, "elsewhere/yours.py"))
    assert own_features() == one


def test_columns_are_refused_if_the_definition_was_changed_or_is_missing(file):
    load_own(file(TWICE))
    spec = FeatureSpec.learn(read_logs(PURCHASES), AT)
    assert "twice" in [column.name for column in FeatureSpec.from_dict(spec.to_dict()).columns()]
    load_own(file(TWICE.replace("2 *", "3 *")))
    with pytest.raises(ConfigError, match=r"'twice' \(.*mine.py, line 4\) is not what the model"):
        spec.columns()
    load_own()
    with pytest.raises(ConfigError, match="'twice' is not built in, and its definition is not"):
        spec.columns()


# ── What cannot be used, by file and line ───────────────────────────────────────────────────


def test_a_file_that_is_not_there(tmp_path):
    assert refused(tmp_path / "nowhere.py") == f"{tmp_path / 'nowhere.py'}: no such file"


def test_a_folder_or_a_picture(tmp_path):
    assert "cannot be read" in refused(tmp_path)
    (tmp_path / "picture.py").write_bytes(b"\x89PNG\r\n\xff")
    assert "cannot be read" in refused(tmp_path / "picture.py")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\ndef twice(:\n", "line 2: invalid syntax"),
        ("x = 1\n\nimport nonsense_that_is_not_there\n", "line 3: ModuleNotFoundError"),
        ("def f():\n    return 1 / 0\n\nf()\n", "line 2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        ("x = 1\n", "declares no feature"),
        ("x = '\0'\n", "null bytes"),
        (HEAD.replace("unit", "unite") + "    return 1\n", "line 4: TypeError: feature() got an"),
        (TWICE + TWICE, "two features are called 'twice'"),
        (TWICE.replace("twice(", "recency("), "two features are called 'recency'"),
        (TWICE.replace("p: PurchaseIndex", "p"), "its first parameter is annotated"),
        (TWICE.replace("at: Observations", "at, days"), "takes at, days"),
    ],
)
def test_a_file_that_cannot_be_used_names_the_line(file, text, said):
    path = file(text)
    found = refused(path)
    assert said in found
    assert str(path) in found


def test_a_broken_file_leaves_the_one_before_it_in_use(file):
    load_own(file(TWICE))
    assert "line 6" in refused(file(HEAD + "    return (\n"))
    assert values("twice") == [4, 2]
    refused(file(TWICE.replace("twice", "thrice") + "1 / 0\n"))
    assert values("twice") == [4, 2]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    return p.sales.nonsense(at)\n", "failed: AttributeError"),
        ("    return 1.0\n", "returned the shape ()"),
        ("    return np.ones(len(at) + 1)\n", "returned the shape"),
        ("    return p.sales.count(at) + np.inf\n", "returned inf for"),
    ],
)
def test_a_feature_that_fails_is_named_with_its_place(file, body, said):
    path = file(HEAD + body)
    load_own(path)
    with pytest.raises(ConfigError) as told:
        values("twice")
    assert f"'twice' ({path}, line 4) {said}" in told.value.found


def test_a_feature_whose_log_is_absent_is_named(file):
    load_own(file(TWICE))
    visits = pd.DataFrame({"customer_id": ["a"], "ts": ["2024-01-01"], "event": ["visit"]})
    with pytest.raises(DataError, match=r"'twice' .* needs a purchases log"):
        build_features(read_logs(activity=visits), AT)

"""Line 8: whatever happened to a bundle on its way, it is refused, and LightGBM never sees it.

LightGBM's parser believes what it reads: a flipped bit can crash the process, hang it, or change
scores unseen. So in these tests it must not be asked at all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from commands import run
from forged import CARD, CARD_TEXT, RULE, save, sign

from churnkit import bundle
from churnkit.errors import BundleError
from churnkit.estimators import ChurnClassifier
from churnkit.model import ChurnModel

PAGE = "<!doctype html><html><title>502 Bad Gateway</title><body>502 Bad Gateway</body></html>"


@pytest.fixture(autouse=True)
def _no_parser(monkeypatch) -> None:
    def explode(*_, **__):
        raise AssertionError("LightGBM was given an unverified text")

    for native in ("lightgbm.Booster", "lightgbm.basic.Booster"):
        monkeypatch.setattr(native, explode)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> dict[str, Path]:
    """A plain rule, and a single small tree."""
    folder = tmp_path_factory.mktemp("small")
    return {"rule": save(RULE, folder / "rule"), "tree": _one_tree(folder / "tree")}


def _one_tree(folder: Path) -> Path:
    import forged

    model = forged.model(RULE)
    X = forged.customers()
    tree = ChurnClassifier(trees=1, leaves=2, seeds=1).fit(X, forged.churned(X))
    of_one = ChurnModel("lightgbm", tree, model.names, model.spec, model.question, ("2024-04-15",))
    return bundle.save(of_one, folder, CARD, CARD_TEXT)


@pytest.fixture(scope="module")
def large(training, tmp_path_factory) -> Path:
    """What a training leaves, with its card and its trees of the spend."""
    folder = tmp_path_factory.mktemp("large") / "model"
    return bundle.save(training.model, folder, training.card(), "# Card")


def refused(folder: Path) -> BundleError:
    """What is said of a bundle that neither loads nor shows its card."""
    with pytest.raises(BundleError) as refusal:
        bundle.load(folder)
    with pytest.raises(BundleError):
        bundle.card(folder)
    assert refusal.value.exit_code == 5
    assert "cannot be used" not in refusal.value.found, "it was parsed"
    return refusal.value


@contextmanager
def damaged(path: Path, content: bytes) -> Iterator[None]:
    """Another content of a file, and then its own again."""
    sound = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(sound)


def flip(path: Path, bit: int) -> bytes:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


def flip_all(folder: Path, bits: dict[Path, np.ndarray]) -> int:
    """Flip these bits one at a time; each must be refused."""
    for path, chosen in bits.items():
        for bit in chosen.tolist():
            with damaged(path, flip(path, bit)):
                with pytest.raises(BundleError) as refusal:
                    bundle.load(folder)
                assert "cannot be used" not in refusal.value.found, "it was parsed"
    assert bundle.verify(folder)
    return sum(map(len, bits.values()))


def test_08_every_flipped_bit_of_a_small_bundle_is_refused(small, trials, seen, tmp_path):
    flipped = 0
    for name, sound in small.items():
        folder = shutil.copytree(sound, tmp_path / name)
        bits: dict[Path, np.ndarray] = {}
        for path in sorted(folder.iterdir()):
            every = np.arange(8 * path.stat().st_size)
            draw = np.random.default_rng(len(every))
            bits[path] = trials(draw.choice(every, min(30, len(every)), replace=False), every)
        flipped += flip_all(folder, bits)
    seen("single bits flipped in small bundles", flipped)


def test_08_random_flips_over_a_large_bundle_are_refused(large, trials, seen, tmp_path):
    folder = shutil.copytree(large, tmp_path / "large")
    files, rng = sorted(folder.iterdir()), np.random.default_rng(8)
    sizes = np.array([path.stat().st_size for path in files])
    chosen = rng.choice(len(files), trials(100, 10_000), p=sizes / sizes.sum())
    bits = {
        path: rng.integers(8 * size, size=int((chosen == k).sum()))
        for k, (path, size) in enumerate(zip(files, sizes.tolist(), strict=True))
    }
    seen("random bits flipped in a large bundle", flip_all(folder, bits))


def test_08_a_bundle_that_was_cut_off_is_refused_wherever_it_was(small, trials, seen, tmp_path):
    cuts = 0
    for name, sound in small.items():
        folder = shutil.copytree(sound, tmp_path / name)
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            some = sorted({0, 1, len(content) // 2, len(content) - 1})
            for length in trials(some, range(len(content))):
                with damaged(path, content[:length]):
                    refused(folder)
                cuts += 1
    seen("files cut off", cuts)


@pytest.mark.parametrize("content", [b"", PAGE.encode(), b"\0" * 4096, b"\xff\xfe{", b"{}", b"["])
def test_08_a_page_or_anything_else_in_place_of_a_file_is_refused(large, content, tmp_path):
    folder = shutil.copytree(large, tmp_path / "large")
    for path in sorted(folder.iterdir()):
        with damaged(path, content):
            assert path.name in refused(folder).found or path.name == "manifest.json"


def test_08_files_of_a_bundle_in_each_others_places_are_refused(large, tmp_path):
    folder = shutil.copytree(large, tmp_path / "large")
    files = sorted(folder.iterdir())
    for one in files:
        for other in files:
            if one != other:
                with damaged(one, other.read_bytes()):
                    refused(folder)


def test_08_a_file_too_few_or_too_many_or_of_another_bundle_is_refused(large, small, tmp_path):
    for path in sorted(large.iterdir()):
        folder = shutil.copytree(large, tmp_path / f"without-{path.name}")
        (folder / path.name).unlink()
        refused(folder)
        other = small["tree"] / path.name
        if other.exists():
            shutil.copy(other, folder / path.name)
            refused(folder)
    folder = shutil.copytree(large, tmp_path / "more")
    for name in ("booster-99.txt", "loader.py", "model.json.bak", ".hidden"):
        (folder / name).write_text("")
        assert name in refused(folder).found
        (folder / name).unlink()
    assert bundle.verify(folder)


@pytest.mark.parametrize("name", ["manifest.json", "model.json", "booster-0.txt"])
def test_08_what_is_no_file_is_refused_and_nothing_waits_for_it(small, name, tmp_path):
    for what in ("folder", "pipe", "device"):
        folder = shutil.copytree(small["tree"], tmp_path / what)
        (folder / name).unlink()
        if what == "folder":
            (folder / name).mkdir()
        elif what == "pipe":
            os.mkfifo(folder / name)
        else:
            (folder / name).symlink_to("/dev/zero")
        assert name in refused(folder).found


def test_08_the_command_ends_with_5_and_publishes_nothing(large, shop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shop.purchases.to_parquet("purchases.parquet", index=False)
    Path("churnkit.toml").write_text('[logs.purchases]\npath = "purchases.parquet"\n')
    for k, path in enumerate(sorted(large.iterdir())):
        folder = shutil.copytree(large, tmp_path / f"model-{k}")
        (folder / path.name).write_bytes(flip(path, 8 * path.stat().st_size // 2))
        result = run("score", "--model", str(folder), "--as-of", "2024-05-15")
        assert result.exit_code == 5
        assert str(folder) in result.stderr.replace("\n", "")
        assert "Traceback" not in result.output
    assert not Path("scores").exists()


def test_08_damage_that_was_signed_is_for_the_look_at_the_trees(small, tmp_path):
    """See test_malicious_trees.py: what is signed is parsed, once it is known to be sound."""
    folder = shutil.copytree(small["tree"], tmp_path / "signed")
    text = (folder / "booster-0.txt").read_text()
    (folder / "booster-0.txt").write_text(text.replace("num_leaves=2", "num_leaves=3"))
    sign(folder)
    with pytest.raises(BundleError, match=r"cannot be used.*tree 0"):
        bundle.load(folder)

"""Bundles changed at random and signed anew: each is refused, or predicts finite numbers.

``python mutants.py FIRST COUNT FILE…``: mutants of files of sound bundles, with seeds from FIRST
on. Prints a line for each before it is loaded, and what became of it after.
A native crash, or more than `SECONDS` for one, ends the process; its last line says which it was.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from forged import customers, parted, rebuilt, sign

from churnkit import bundle
from churnkit.errors import BundleError
from churnkit.model import ChurnModel

SECONDS, MINUTE = 5, 60  # of work, and of waiting, since a machine may be busy
NASTY = (
    *("-1", "0", "1", "2", "3", "6", "7", "255", "-128", "256", "2147483647", "-2147483648"),
    *("2147483648", "4294967296", "18446744073709551616", "1e308", "-1e308", "1e-308", "1e400"),
    *("inf", "-inf", "nan", "", "-0", "+1", "007", "1.5", "0x10", "1e", "--1", "1 2", "1=2", "\n"),
    *("9" * 400, "9" * 5000, "1e30", "-1e30", "1e31", "\t1", " ", "[", "[1", "[1:", ":", "]", '"'),
    *('"],"tree_info":[', "Column_0", "none", "binary", "regression", "sigmoid:-1", "v3", "\0"),
)
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 5, 6, 7, 0.5, 1e-308, 1e30, -1e30, 1e31, 1e300, -1e300),
    *(float("nan"), float("inf"), -float("inf"), 2**31, 2**63, 10**400, "", "x", "nan", "1e999"),
    *([], {}, [0], [[0]], [1e300] * 3, [None], {"x": 1}, "é" * 100, "a\0b", "</script>", 36_500),
)


# ── The trees ───────────────────────────────────────────────────────────────────────────────


def mutated_trees(text: str, rng: np.random.Generator) -> str:
    """One to three random changes of a LightGBM text; mostly with sizes that fit."""
    if rng.random() < 0.1:
        return _other_bytes(text, rng)
    head, trees = parted(text)
    for _ in range(rng.integers(1, 4)):
        if rng.random() < 0.2:
            head = _other_line(head, rng)
        elif rng.random() < 0.1:
            trees = [trees[k] for k in rng.integers(len(trees), size=rng.integers(1, 9))]
        else:
            k = int(rng.integers(len(trees)))
            change = _other_bytes if rng.random() < 0.2 else _other_line
            trees[k] = change(trees[k], rng)
    return rebuilt(head, trees)


def _other_bytes(text: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(len(text)))
    new = chr(rng.integers(128)) * int(rng.integers(0, 3))
    return text[:at] + new + text[at + int(rng.integers(0, 3)) :]


def _other_line(text: str, rng: np.random.Generator) -> str:
    lines = text.split("\n")
    k, what = int(rng.integers(len(lines))), rng.random()
    if what < 0.05:
        lines.insert(k, lines[int(rng.integers(len(lines)))])
    elif what < 0.1:
        del lines[k]
    elif what < 0.15:
        lines.insert(k, str(rng.choice(["average_output", "leaf_const=1", "x=1", "=", ""])))
    else:
        name, equals, value = lines[k].partition("=")
        lines[k] = name + equals + _other_numbers(value, rng)
    return "\n".join(lines)


def _other_numbers(value: str, rng: np.random.Generator) -> str:
    numbers = value.split(" ")
    at, what = int(rng.integers(len(numbers))), rng.random()
    if what < 0.1:
        numbers.insert(at, numbers[at])
    elif what < 0.2:
        del numbers[at]
    elif what < 0.5:
        numbers[at] = numbers[int(rng.integers(len(numbers)))]
    elif what < 0.6:
        numbers[at] = str(int(rng.integers(-10, 80)))
    else:
        numbers[at] = NASTY[int(rng.integers(len(NASTY)))]
    return " ".join(numbers)


# ── All else ────────────────────────────────────────────────────────────────────────────────


def mutated_model(text: str, rng: np.random.Generator) -> str:
    """One or two random changes of what tells the model beside its trees."""
    told = json.loads(text)
    for _ in range(rng.integers(1, 3)):
        places = [place for place in _places(told) if not _is_told_elsewhere(place)]
        place = places[int(rng.integers(len(places)))]
        told = _elsewhere(told, place, rng)
    return json.dumps(told)


def _is_told_elsewhere(place: tuple[str | int, ...]) -> bool:
    return len(place) > 3 and place[0] == "spec" and place[1] == "static"  # 70 words of no interest


def _places(told: Any) -> Iterator[tuple[str | int, ...]]:
    inside = told.items() if isinstance(told, dict) else enumerate(told)
    for key, value in inside:
        yield (key,)
        if isinstance(value, dict | list):
            yield from ((key, *more) for more in _places(value))


def _elsewhere(told: Any, place: tuple[Any, ...], rng: np.random.Generator) -> Any:
    *way, last = place
    inside = told
    for key in way:
        inside = inside[key]
    what = rng.random()
    if what < 0.1:
        del inside[last]
    elif what < 0.2 and isinstance(inside, list):
        inside.insert(last, inside[int(rng.integers(len(inside)))])
    elif what < 0.4 and isinstance(inside[last], int | float):
        inside[last] *= float(rng.choice([-1, 0, 1e-9, 1e9, 1e200]))
    else:
        inside[last] = ODD[int(rng.integers(len(ODD)))]
    return told


# ── One after the other ─────────────────────────────────────────────────────────────────────

CHANGES: dict[str, Callable[[str, np.random.Generator], str]] = {
    "booster-0.txt": mutated_trees,
    "model.json": mutated_model,
}


def asked() -> np.ndarray:
    """Rows that somebody may ask about: customers, missing values, and very large ones."""
    X = customers()[:40].copy()
    rng = np.random.default_rng(0)
    odd = np.array([0.0, -1.0, 1e-30, 1e9, -1e9, 3e38, -3e38, np.nan])
    X[10:30, :5] = rng.choice(odd, size=(20, 5))
    X[30:, 5] = np.nan
    return X


def require_finite(model: ChurnModel, X: np.ndarray) -> None:
    """All that scoring asks of a model is told, in numbers."""
    log_odds, by_path = model.estimator.explained(X)
    exact = model.estimator.contributions(X)
    probability = model.estimator.predict_proba(X)
    for told in (log_odds, by_path, exact, probability):
        assert np.isfinite(told).all()
    assert ((probability >= 0) & (probability <= 1)).all()
    if model.spend is not None:
        usual = X[:10]
        spent = model.spend.predict(usual, np.full(len(usual), 100.0))
        assert np.isfinite(spent).all()
        assert (spent >= 0).all()


def outcome(folder: Path, name: str, change: str) -> str:
    """What becomes of a bundle whose file is this text."""
    (folder / name).write_text(change, newline="")
    sign(folder)
    try:
        model = bundle.load(folder)
    except BundleError:
        return "refused"
    with np.errstate(all="ignore"):
        require_finite(model, asked())
    return "sound"


def main(file: Path, first: int, count: int) -> None:
    """Load mutants of a file of a bundle, with these seeds, one after the other."""
    folder, name = file.parent, file.name
    sound = file.read_text()
    for seed in range(first, first + count):
        print(seed, flush=True)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)  # its end is the end of the process
        signal.setitimer(signal.ITIMER_REAL, MINUTE)
        changed = CHANGES[name](sound, np.random.default_rng(seed))
        print(outcome(folder, name, changed), flush=True)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    (folder / name).write_text(sound, newline="")


def survived(files: Sequence[Path], count: int, first: int = 0) -> Counter[str]:
    """How many mutants of files of bundles were refused, and how many were sound.

    So many of each file, all in one process beside this one.

    Raises
    ------
    AssertionError
        If one crashed or hung the process, raised what is no refusal, or gave no finite numbers.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(first), str(count), *map(str, files)],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    told = done.stdout.split()
    last = [line for line in told if line.isdecimal()][-1:]
    assert done.returncode == 0, (told[-9:], last, done.returncode, done.stderr[-2000:])
    return Counter(line for line in told if line in ("refused", "sound"))


if __name__ == "__main__":
    for path in map(Path, sys.argv[3:]):
        print(path, flush=True)
        main(path, int(sys.argv[1]), int(sys.argv[2]))

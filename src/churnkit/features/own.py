"""Features of the user's own: a Python file that is run once, and replaced when it changes.

No model bundle holds code. It remembers a hash of the whole file instead, so that what was trained
with one file is not scored with another.
"""

from __future__ import annotations

import ast
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from churnkit.errors import ChurnkitError, ConfigError
from churnkit.features.registry import CATALOGUE, OWN_DIGEST, digest_of


@dataclass(frozen=True)
class _Loaded:
    """A file whose features are in the catalogue."""

    text: str
    module: str


_FILES: dict[str, _Loaded] = {}


def load_own(*paths: Path) -> tuple[str, ...]:
    """Make the features of these files known, and of no other file.

    A file that is known already is run again only if its text has changed.

    Returns
    -------
    tuple of str
        The names of their features.

    Raises
    ------
    ConfigError
        If a file is missing, is no Python, fails when it is run, or declares no feature.
    """
    texts = {str(path): _text_of(path) for path in paths}
    for path in _FILES.keys() - texts.keys():
        _forget(_FILES.pop(path).module)
    return tuple(name for path, text in texts.items() for name in load_own_text(path, text))


def load_own_text(path: str, text: str) -> tuple[str, ...]:
    """Make the features of one more file known, from its text.

    Parameters
    ----------
    path
        What messages call the file; an earlier text under this name is replaced.
    text
        Python source.

    Returns
    -------
    tuple of str
        The names of its features.

    Raises
    ------
    ConfigError
        If the text is no Python, fails when it is run, or declares no feature; what was known
        before stays as it was.
    """
    if path not in _FILES or _FILES[path].text != text:
        _run(path, text)
    return _names_of(_FILES[path].module)


def own_sources() -> tuple[tuple[str, str], ...]:
    """Path and text of every file whose features are known, for `load_own_text` elsewhere."""
    return tuple((path, loaded.text) for path, loaded in _FILES.items())


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file", "Mend file in [features] of churnkit.toml, or take it out."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", "It must be Python.") from error


def _run(path: str, text: str) -> None:
    """Run a file, whose features then replace those it declared before."""
    tree = _parsed(path, text)
    module = ModuleType("churnkit_own_" + digest_of(ast.Constant(path)))
    module.__file__ = path
    setattr(module, OWN_DIGEST, digest_of(tree))
    with _all_or_nothing(module):
        try:
            exec(compile(tree, path, "exec"), vars(module))  # noqa: S102 - the user's own file
        except ChurnkitError:
            raise
        except (Exception, SystemExit) as error:
            raise _failed(path, error) from error
        if not _names_of(module.__name__):
            raise ConfigError(
                f"{path} declares no feature",
                "Put @feature(unit=…, says=…) before a function; docs/own_features.md shows one.",
            )
    _FILES[path] = _Loaded(text, module.__name__)


@contextmanager
def _all_or_nothing(module: ModuleType) -> Iterator[None]:
    """Take a module in place of the one of its name, which comes back if something fails."""
    before, catalogue = sys.modules.get(module.__name__), dict(CATALOGUE)
    _forget(module.__name__)
    sys.modules[module.__name__] = module
    try:
        yield
    except BaseException:
        _forget(module.__name__)
        if before is not None:
            sys.modules[module.__name__] = before
        CATALOGUE.clear()
        CATALOGUE.update(catalogue)
        raise


def _parsed(path: str, text: str) -> ast.Module:
    try:
        return ast.parse(text, filename=path)
    except SyntaxError as error:
        raise ConfigError(f"{path}, line {error.lineno}: {error.msg}", "Mend the line.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{path} is no Python: {error}", "Mend the file.") from error


def _failed(path: str, error: BaseException) -> ConfigError:
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    where = f"{path}, line {lines[-1]}" if lines else path
    return ConfigError(f"{where}: {type(error).__name__}: {error}", "Mend the line.")


def _names_of(module: str) -> tuple[str, ...]:
    return tuple(f.name for f in CATALOGUE.values() if f.build.__module__ == module)


def _forget(module: str) -> None:
    for name in _names_of(module):
        del CATALOGUE[name]
    sys.modules.pop(module, None)

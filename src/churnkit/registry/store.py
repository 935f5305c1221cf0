"""The MLflow store behind a registry: how it is opened, and what is said when it fails."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from churnkit.errors import ChurnkitError
from churnkit.sources.stores.address import SECRET_OPTION

if TYPE_CHECKING:
    from mlflow import MlflowClient


@contextmanager
def opened(folder: Path, uri: str) -> Iterator[MlflowClient]:
    """A client; the first use of a local store is made by one process at a time.

    Raises
    ------
    ChurnkitError
        If the store fails, or is used in vain within the context, whatever its library raises.
    """
    from filelock import FileLock

    # No telemetry: churnkit asks no network but the store it is given.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    # A server that is down shall be noticed within a minute, not within half an hour.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    # Bars of a few small files would only be noise between the lines of a command.
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / ".mlflow.lock"):
                client = MlflowClient(uri)
                client.search_experiments(max_results=1)
            yield client
        except ChurnkitError:
            raise
        # Artifacts may lie anywhere (s3://, gs://), and each library has errors of its own.
        except Exception as error:
            raise ChurnkitError(
                without_password(f"the MLflow store {uri} failed: {_first_line(error)}"),
                _mend(error),
            ) from error


def without_password(text: str) -> str:
    """The text without what stands before the @ of an address, and without its secret options."""
    # The options first: there may be an @ in a password of theirs.
    shown = re.sub(r"([?&])([^=&\s]+)=[^&\s]*", _without_secret, text)
    return re.sub(r"(\w://)\S+@", r"\1***@", shown)


def _without_secret(option: re.Match[str]) -> str:
    secret = SECRET_OPTION.search(unquote(option[2]).lower())
    return f"{option[1]}{option[2]}=***" if secret else option[0]


def _mend(error: Exception) -> str:
    check = "Check MLFLOW_TRACKING_URI and the store."
    if isinstance(error, ModuleNotFoundError):
        return f"Install {error.name or 'what is missing'}, which the store needs. {check}"
    return check


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [repr(error)])[0]

"""Which files and hosts the settings name, whatever they are for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from churnkit.errors import ConfigError
from churnkit.sources.files.source import before_pattern
from churnkit.sources.stores.address import Address

_PATHS = (
    ("features", "file"), ("output", "models"), ("output", "scores"), ("output", "ledger"),
    ("output", "csv"), ("output", "reports"), ("run", "metrics_file"), ("engine", "spill"),
    ("privacy", "key_file"),
    ("privacy", "key_file"),
)  # fmt: skip
_STORES = (("output", "url"), ("output", "ledger_url"))
# Options by which a driver is told where to go, beside or in place of the host.
_HOST_OPTIONS = {"host", "hostaddr", "server", "account"}
_DETOURS = {"service", "servicefile", "dsn", "odbc_connect"}
# Spark takes parquet.`/some/folder` for a table.
_FILE_OF_SPARK = re.compile(
    r"\s*(?:parquet|csv|json|orc|text|avro|delta|binaryfile)\s*\.\s*`(?!(?!file)\w+://)(?:file:/*(?=/))?(.*)`.*"
    r"|(?=[/.])(.+)",
    re.IGNORECASE | re.DOTALL,
)
_VARIABLE = re.compile(r"\$\{\w+\}")


def named_files(settings: Any, folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file and folder that the settings name.

    Parameters
    ----------
    settings
        `churnkit.config.Settings`.
    folder
        Where relative paths begin.

    Yields
    ------
    tuple
        How messages call the key, and the path; of a pattern, the folder in which it begins.
    """
    for name, log in settings.logs.given().items():
        for path in [log.path] if isinstance(log.path, str) else log.path or ():
            yield f"path of [logs.{name}]", folder / before_pattern(Path(path))
        if log.spark is not None and (file := _FILE_OF_SPARK.fullmatch(log.spark)):
            yield f"spark of [logs.{name}]", folder / (file[1] or file[2])
    for table, key in _PATHS:
        path = getattr(getattr(settings, table), key)
        if path is not None:
            yield f"{key} of [{table}]", folder / path
    for named, url in _stores(settings):
        address = Address.parse(url)
        if address.is_file:
            # What a variable stands for is up to whoever runs churnkit; what stands around it not.
            yield named, folder / _VARIABLE.sub("x", address.database)
    store = _file_of_tracking(settings.mlflow.tracking_uri)
    if store is not None:
        yield "tracking_uri of [mlflow]", folder / store


def named_hosts(settings: Any) -> Iterator[tuple[str, str]]:
    """Every host that the settings name, but for those that a variable stands for.

    Yields
    ------
    tuple
        How messages call the key, and the host, with its port if there is one.

    Raises
    ------
    ConfigError
        If an address tells its host in a way that cannot be told from it.
    """
    for named, url in _stores(settings):
        if not _VARIABLE.fullmatch(url):
            yield from ((named, host) for host in _hosts(Address.parse(url), named))
    for named, url in _of_the_web(settings):
        yield from ((named, host) for host in _host_of_web(url).split(","))


def _of_the_web(settings: Any) -> Iterator[tuple[str, str]]:
    for name, log in settings.logs.given().items():
        if log.spark is not None and "://" in log.spark:
            yield f"spark of [logs.{name}]", log.spark
    tracking = settings.mlflow.tracking_uri
    if tracking and _file_of_tracking(tracking) is None:
        yield "tracking_uri of [mlflow]", tracking
    ping = settings.run.healthcheck_url
    if ping and not _VARIABLE.fullmatch(ping):
        yield "healthcheck_url of [run]", ping
    if settings.engine.name == "spark" and not settings.engine.master.startswith("local"):
        yield "master of [engine]", settings.engine.master.removeprefix("k8s://")


def _stores(settings: Any) -> Iterator[tuple[str, str]]:
    for name, log in settings.logs.given().items():
        if log.url is not None:
            yield f"url of [logs.{name}]", log.url
    for table, key in _STORES:
        if url := getattr(getattr(settings, table), key):
            yield f"{key} of [{table}]", url


def _hosts(address: Address, named: str) -> Iterator[str]:
    if address.is_file:
        return
    told = [*address.host.split(",")]
    for key, value in address.options:
        if key.lower() in _DETOURS:
            raise ConfigError(
                f"{named}: the option {key!r} hides the host of the address",
                "Name the host in the address, where [security] can look at it.",
            )
        if key.lower() in _HOST_OPTIONS and not value.startswith("/"):  # no socket of this machine
            told += value.split(",")
    if len(told) > 1 and not told[0]:
        told = told[1:]
    yield from (host for host in told if not _VARIABLE.fullmatch(host))


def _host_of_web(url: str) -> str:
    """The host of any address, with its port; what is no address is its own host."""
    rest = url.partition("://")[2] or url
    return re.split(r"[/?#]", rest)[0].rpartition("@")[2]


def _file_of_tracking(uri: str) -> str | None:
    """The file or folder of a tracking store that is none of the network."""
    if uri.startswith("sqlite:"):
        return uri.partition(":///")[2].partition("?")[0]
    if uri.startswith("file:"):
        return "/" + uri.removeprefix("file:").lstrip("/")
    is_path = uri and "://" not in uri and not uri.startswith("databricks")
    return uri if is_path else None

"""A Spark session of our own, for those who do not hand one in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.engines.spark.faults import gist, without_pandas
from churnkit.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_HERE = "127.0.0.1"  # whatever the machine calls itself
_QUIET = Path(__file__).with_name("log4j2.properties")
_SETTINGS = {
    # A log level among the settings would come too late for what is said at the start.
    "spark.driver.extraJavaOptions": f'-Dlog4j2.configurationFile="{_QUIET}"',
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "100000",
    "spark.driver.maxResultSize": "0",  # a sample to learn from, which its own setting bounds
}
_LOCAL = {
    "spark.driver.host": _HERE,
    "spark.driver.bindAddress": _HERE,
}


@contextmanager
def spark_session(master: str, settings: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """A Spark session that is stopped at the end.

    Parameters
    ----------
    master
        ``local[4]`` for four threads of this machine, or the URL of a cluster.
    settings
        Further settings of Spark, such as ``{"spark.driver.memory": "4g"}``.

    Raises
    ------
    ConfigError
        If pyspark or Java is missing, the master cannot be reached, or a session runs already.
    """
    require_pyspark()
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    if SparkSession.getActiveSession() is not None:
        raise ConfigError(
            "a Spark session runs in this process already", "Hand it in instead of a master URL."
        )
    usual = _SETTINGS | (_LOCAL if master.startswith("local") else {})
    builder = SparkSession.builder.appName("churnkit").master(master)
    for name, value in (usual | dict(settings or {})).items():
        builder = builder.config(name, value)
    try:
        with _on_this_machine(master), without_pandas():
            session = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        raise ConfigError(
            f"Spark does not start at {master}: {gist(error)}",
            "Install Java 17 or later and set JAVA_HOME; check the master URL.",
        ) from error
    try:
        yield session
    finally:
        session.stop()


def require_pyspark() -> None:
    """Refuse to go on without pyspark.

    Raises
    ------
    ConfigError
        With the command that installs it.
    """
    if find_spec("pyspark") is None:
        raise ConfigError(
            "Spark is driven by a package that is not installed", "pip install 'churnkit[spark]'"
        )


@contextmanager
def _on_this_machine(master: str) -> Iterator[None]:
    """A local Spark keeps to this machine, its workers to the Python of this process.

    What the environment says already is left as it is.
    """
    # Spark looks for these when a session begins, and nowhere else.
    wanted = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": _HERE}
    if not master.startswith("local"):
        wanted = {}
    missing = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(missing)
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]

"""The logs of a project in Spark: its session, its frames, and what a model learns from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from churnkit.config import Settings
from churnkit.logs import CustomerLogs
from churnkit.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from churnkit.engines.spark import Sample


@contextmanager
def opened_frames(settings: Settings, progress: Progress) -> Iterator[dict[str, DataFrame]]:
    """The rows of each log in a session at the master of the settings, until the context ends.

    Raises
    ------
    ConfigError
        If Spark does not start, or does not read a log; what can be told without a session is
        told before one starts.
    DataError
        If a file is missing, or Spark cannot read it.
    """
    from churnkit.engines.spark import readable_of, spark_frames, spark_session

    if settings.privacy.pseudonymise:
        settings.require_same_key()
    sources = dict(readable_of(settings.sources()))
    progress(f"starting Spark at {settings.engine.master}")
    with spark_session(settings.engine.master) as session:
        yield spark_frames(session, sources)


@contextmanager
def opened_to_learn(
    settings: Settings, progress: Progress
) -> Iterator[tuple[CustomerLogs, Sample | None]]:
    """The logs that a model learns from, and what was drawn of them: ``None`` if that is all.

    With Spark, features are built on its executors, and the customers are a sample if they are
    more than the settings say; else it is `Settings.open_logs`.

    Raises
    ------
    DataError, ConfigError
        As `Settings.open_logs` and `opened_frames`.
    """
    if settings.engine.name != "spark":
        progress("reading and sorting the logs")
        with settings.open_logs() as logs:
            yield logs, None
        return
    from churnkit.engines.spark import logs_to_learn_from

    asked, contract = (settings.asked(), settings.schedule()), settings.contract()
    many = settings.engine.sample
    with (
        opened_frames(settings, progress) as frames,
        logs_to_learn_from(frames, *asked, contract, customers=many, progress=progress) as found,
    ):
        yield found

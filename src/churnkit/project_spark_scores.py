"""Scoring a project on Spark: from its settings to a run that executors wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from churnkit.changes import NEEDED
from churnkit.config import Settings
from churnkit.engines.spark import spark_to_score
from churnkit.engines.spark.reading import literal_path
from churnkit.errors import ConfigError, DataError
from churnkit.logs import CustomerLogs
from churnkit.progress import Progress
from churnkit.project_scores import Asked, Grounds, Published, content_of, run_told
from churnkit.project_spark import opened_frames
from churnkit.publishing import ScoreStore
from churnkit.scoring import Totals

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_OTHERWISE = 'Leave it out, or take name = "duckdb" in [engine].'


def require_scorable(settings: Settings, *, incremental: bool, out: bool) -> None:
    """Refuse what only one machine does, before anybody waits.

    Raises
    ------
    ConfigError
        What that is.
    """
    if incremental:
        raise ConfigError(
            "Spark scores all customers: --incremental is for one machine", _OTHERWISE
        )
    if out:
        raise ConfigError(
            "Spark publishes scores, and writes no file beside: --out is for one machine",
            f"Read what is published (churnkit.read_scores, or the Parquet files). {_OTHERWISE}",
        )
    if settings.output.url is not None:
        raise ConfigError(
            "Spark does not write to the store of [output] url: all rows would come to one machine",
            _OTHERWISE,
        )
    if settings.calls.rank_by == "uplift":
        raise ConfigError(
            'rank_by = "uplift" in [calls] learns from all customers on one machine', _OTHERWISE
        )


def publish_on_spark(
    asked: Asked,
    store: ScoreStore,
    progress: Progress,
    look: Callable[[CustomerLogs], Callable[[Asked, CustomerLogs, Totals], dict[str, Any]]],
    *,
    force: bool = False,
) -> Published:
    """Score the customers of a day on the executors, and have them publish it.

    Parameters
    ----------
    asked, store, progress, force
        As for `churnkit.project_scores.publish`.
    look
        Looks at what is told of the logs before anybody is scored, and gives what summarises.
    """
    settings, as_of = asked.settings, asked.as_of
    ledger = settings.open_ledger()
    day_before = ledger.day_before(as_of)
    grounds = Grounds.of(settings, asked.model, as_of, asked.overrides, day_before, asked.within)
    with (
        opened_frames(settings, progress) as frames,
        spark_to_score(
            frames, asked.model, as_of, settings.contract(), light=asked.light,
            within=asked.within, earlier=day_before, progress=progress,
        ) as ready,
    ):  # fmt: skip
        summarise = look(ready.logs)
        prints = ready.logs.fingerprint
        key = grounds.key(prints)
        known = None if force else store.published(as_of, key)
        if known is not None and "summary" in known.told:
            says = f"already published as run {known.run}: nothing has changed"
            return Published(known, dict(known.told["summary"]), True, None, says)
        session = next(iter(frames.values())).sparkSession
        before = None if day_before is None else _run_of(settings, store, session, day_before)
        scores = ready.scored(
            asked.actions, segment=settings.calls.segment, before=before,
            overrides=asked.overrides, margin=settings.money.margin, progress=progress,
        )  # fmt: skip
        totals = scores.totals
        summary = summarise(asked, ready.logs, totals)
        told = run_told(asked, grounds, ready.logs, prints, totals, summary)
        progress("publishing")
        manifest = scores.publish(store, key, told, force=force)
    says = f"published as run {manifest.run}"
    return Published(manifest, summary, known is not None, totals.customers, says)


def _run_of(settings: Settings, store: ScoreStore, session: SparkSession, day: str) -> DataFrame:
    """The run of a day that counts: what was published, or else the rows of the ledger."""
    ledger = settings.open_ledger()
    content = content_of(ledger, day)
    for manifest in store.runs():
        if (manifest.as_of, manifest.content) == (day, content):
            try:
                path = store.verified(manifest)
            except DataError:
                break
            return session.read.parquet(literal_path(str(path.absolute()))).select(*NEEDED)
    # It was removed, or never published: the ledger lies on this machine.
    return session.createDataFrame(ledger.read(day, NEEDED))

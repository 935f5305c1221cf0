"""`SparkSource`: rows that only Spark reads, by the name of a table or by an address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from churnkit.errors import ConfigError

if TYPE_CHECKING:
    import duckdb

    from churnkit.logs import Rows


@dataclass(frozen=True)
class SparkSource:
    """A table or view of Spark's catalog, or Parquet files at an address that Spark can read.

    Parameters
    ----------
    named
        ``shop.orders``, ``catalog.shop.orders``, or ``s3a://bucket/orders``.

    Raises
    ------
    ConfigError
        If it holds a password, or names a file of this machine.

    Examples
    --------
    >>> SparkSource("shop.orders").is_address
    False
    """

    named: str

    def __post_init__(self) -> None:
        scheme, _, rest = self.named.partition("://")
        if not self.named.strip():
            raise ConfigError(
                "spark names neither a table nor an address", "Write it like shop.orders."
            )
        if self.named.startswith("file:"):
            raise ConfigError(
                "spark names a file of this machine", "Name it by path; Spark reads that, too."
            )
        if self.is_address and ":" in rest.partition("/")[0].rpartition("@")[0]:
            raise ConfigError(  # which is not repeated
                f"the {scheme} address holds a password",
                "Leave it out: Spark's own settings (spark-defaults.conf) hold what it needs.",
            )

    @property
    def is_address(self) -> bool:
        """Whether it names files rather than a table."""
        return "://" in self.named

    @property
    def name(self) -> str:
        """How messages call the source."""
        return self.named if self.is_address else f"the Spark table {self.named}"

    def files(self) -> Sequence[Path]:
        """None: Spark reads the rows, and no engine of this machine."""
        return ()

    def attach(self, _: duckdb.DuckDBPyConnection, log: str) -> Rows:
        """Refuse: no engine of this machine reads it.

        Raises
        ------
        ConfigError
            Always.
        """
        raise ConfigError(
            f"the {log} log is {self.name}, which only Spark reads",
            'Use name = "spark" in [engine] with features build, train and score; for all else '
            f"name a path or a url in [logs.{log}].",
        )

"""Files as logs: CSV, Parquet, JSON lines and workbooks, alone or many at once."""

from churnkit.sources.files.source import FileSource

__all__ = ["FileSource"]

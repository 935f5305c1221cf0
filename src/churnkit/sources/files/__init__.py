"""Files as logs: CSV, Parquet, JSON lines and workbooks, alone or many at once."""

from churnkit.sources.files.source import FileSource, reading_error

__all__ = ["FileSource", "reading_error"]

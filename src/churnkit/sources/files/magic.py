"""What a file is by its first bytes, when its name says something else."""

from __future__ import annotations

import re
from pathlib import Path

from churnkit.errors import DataError

_FIRST_BYTES: tuple[tuple[bytes, str, str], ...] = (
    (rb"PK\x03\x04[\s\S]{0,4000}?(\[Content_Types\]\.xml|xl/)", "an Excel book", "Name it .xlsx."),
    (rb"PK(\x03\x04|\x05\x06)", "a zip archive", "Unpack it and name the file inside."),
    (rb"\x1f\x8b", "packed with gzip", "Name it .gz, as in orders.csv.gz."),
    (rb"\x28\xb5\x2f\xfd", "packed with zstd", "Name it .zst, as in orders.csv.zst."),
    (rb"BZh|\xfd7zXZ|7z\xbc\xaf|Rar!", "a packed archive", "Unpack it first."),
    (rb"PAR1", "a Parquet file", "Name it .parquet."),
    (rb"\xd0\xcf\x11\xe0", "an old Excel book", "Name it .xls, or save it as .xlsx."),
    (rb"%PDF", "a PDF", "Export the table itself as CSV."),
    (rb"SQLite format 3\x00", "an SQLite database", "Name it as sqlite:///FILE#TABLE."),
    (rb"ARROW1|ORC", "a binary table", "Export it as Parquet."),
    (rb"version https://git-lfs", "a Git LFS pointer, not the data", "Run `git lfs pull`."),
    (
        rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml|head|table)",
        "a web page or XML, such as a login page or an error",
        "Download or export the file again.",
    ),
)


def must_be_text(path: Path, head: bytes) -> None:
    """Refuse a file that is named as text and is something else.

    Raises
    ------
    DataError
        If the first bytes are those of an archive, a book, a page or another binary format.
    """
    for first, says, mend in _FIRST_BYTES:
        if re.match(first, head):
            raise DataError(f"{path} is {says}, not lines of text", mend)

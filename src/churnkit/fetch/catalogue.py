"""The public sets that churnkit knows: where each lies, its digest, licence and citation."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from churnkit.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Fingerprint:
    """What a file must be, to the last bit.

    Parameters
    ----------
    size
        Length in bytes.
    sha256
        Digest of the content, in lower-case hexadecimal.
    """

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """The fingerprint of a file on disk."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(file.tell(), digest)

    def __str__(self) -> str:
        return f"{self.size:,} bytes, sha256 {self.sha256}"


@dataclass(frozen=True)
class PublicSet:
    """A public log: where it is published, and what it is once it is here.

    Parameters
    ----------
    name
        What ``churnkit fetch`` calls it.
    what
        One sentence: customers, rows, span.
    url
        Where the archive (zip) is published.
    member
        The file inside the archive that is the log; nothing else is taken out.
    published
        The fingerprint of that file as its authors publish it.
    file
        What the file is called here.
    kept
        The fingerprint of the file here; differs from ``published`` only by ``convert``.
    licence
        On what terms it may be used.
    citation
        Whom to name.
    page
        Where its authors describe it.
    convert
        From the published content to what is kept, where that needs a header or another form.
    """

    name: str
    what: str
    url: str
    member: str
    published: Fingerprint
    file: str
    kept: Fingerprint
    licence: str
    citation: str
    page: str
    convert: Callable[[bytes], bytes] | None = None

    def init_line(self, folder: Path) -> str:
        """The command that reads the file from a folder."""
        return f"churnkit init --purchases {shlex.quote(str(folder / self.file))}"

    def told(self, folder: Path) -> dict[str, Any]:
        """As plain values, for the terminal and for programs."""
        return {
            "name": self.name,
            "what": self.what,
            "path": str(folder / self.file),
            "bytes": self.kept.size,
            "sha256": self.kept.sha256,
            "licence": self.licence,
            "citation": self.citation,
            "url": self.url,
            "page": self.page,
            "init": self.init_line(folder),
        }

    def notice(self) -> str:
        """The text that lies beside the file: origin, licence, citation, digest."""
        changed = (
            f"Changed: `{self.member}` was given the form of `{self.file}`; no row was left out.\n"
            if self.convert
            else ""
        )
        return (
            f"{self.file}: {self.what}\n\n"
            f"From: {self.url} ({self.member})\n"
            f"Described at: {self.page}\n"
            f"Licence: {self.licence}\n"
            f"Cite: {self.citation}\n"
            f"{changed}"
            f"Verified: {self.kept}\n"
        )


def public_set(name: str) -> PublicSet:
    """The set of that name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    if name not in CATALOGUE:
        raise ConfigError(
            f"no public set is called {name!r}" if name else "no public set was named",
            f"{did_you_mean(name, CATALOGUE)}Known: {', '.join(CATALOGUE)}; more with --list.",
        )
    return CATALOGUE[name]


def _cdnow_with_header(published: bytes) -> bytes:
    """Fixed columns without names become a CSV with a header and ISO dates; values stay as told."""
    rows = [b"customer_id,date,quantity,amount"]
    for line in published.splitlines():
        customer, day, quantity, amount = line.split()
        date = b"-".join((day[:4], day[4:6], day[6:]))
        rows.append(b",".join((customer, date, quantity, amount)))
    return b"\n".join(rows) + b"\n"


_RETAIL = Fingerprint(
    45_622_278, "bcbe73b35f5b7babf197fb0cb983a11f5d9ff929078d4aa53d171b1f2df2e980"
)

CATALOGUE: dict[str, PublicSet] = {
    known.name: known
    for known in (
        PublicSet(
            name="online-retail-ii",
            what="1,067,371 invoice lines of a British gift shop, 2009-12 to 2011-12, two sheets",
            url="https://archive.ics.uci.edu/static/public/502/online+retail+ii.zip",
            member="online_retail_II.xlsx",
            published=_RETAIL,
            file="online_retail_II.xlsx",
            kept=_RETAIL,
            licence="CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/)",
            citation="Chen, D. (2012). Online Retail II [Dataset]. UCI Machine Learning "
            "Repository. https://doi.org/10.24432/C5CG6D",
            page="https://archive.ics.uci.edu/dataset/502/online+retail+ii",
        ),
        PublicSet(
            name="cdnow",
            what="69,659 purchases, to 1998-06, of 23,570 customers first seen in 1997-01 to -03",
            url="https://www.brucehardie.com/datasets/CDNOW_master.zip",
            member="CDNOW_master.txt",
            published=Fingerprint(
                1_950_452, "61fd6f7bf3497187a7ec0d9ff6a99b7568f1fe911a9f3665e02efecd6b34ed07"
            ),
            file="cdnow.csv",
            kept=Fingerprint(
                1_741_972, "599a84a46bfff7f77fc6da257c32c88308ce8ec62bf87228913efc88b7e77387"
            ),
            licence="none stated by its authors, who offer it for research and teaching",
            citation="Fader, P. S. and Hardie, B. G. S. (2001). Forecasting Repeat Sales at CDNOW: "
            "A Case Study. Interfaces 31(3), Part 2 of 2, S94-S107.",
            page="https://www.brucehardie.com/datasets/",
            convert=_cdnow_with_header,
        ),
    )
}

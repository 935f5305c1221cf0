"""The model on its way to executors: the text files of its bundle, verified there once more."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churnkit import bundle
from churnkit.atomic import scratch_folder
from churnkit.errors import BundleError
from churnkit.model import ChurnModel

if TYPE_CHECKING:
    from pyspark import Broadcast
    from pyspark.sql import SparkSession

_KNOWN: dict[str, ChurnModel] = {}  # of this process: sha256 → the model


@dataclass(frozen=True)
class Shipped:
    """A model that every executor can get.

    Attributes
    ----------
    content
        The text files of the bundle, as bytes of JSON.
    sha256
        Of these bytes.
    version
        What the model is called.
    """

    content: Broadcast[bytes]
    sha256: str
    version: str

    @classmethod
    def of(cls, model: ChurnModel, session: SparkSession) -> Shipped:
        """Have a model sent to the executors, once to each.

        Raises
        ------
        BundleError
            If the model is one that cannot be kept.
        """
        content = packed(model)
        digest = sha256(content).hexdigest()
        return cls(session.sparkContext.broadcast(content), digest, model.version)

    def model(self) -> ChurnModel:
        """The model, with one thread; verified before LightGBM sees it, once in each process.

        Raises
        ------
        BundleError
            If what came is not what was sent, or is no sound bundle.
        """
        if self.sha256 not in _KNOWN:
            _KNOWN.clear()
            _KNOWN[self.sha256] = unpacked(self.content.value, self.sha256)
        return _KNOWN[self.sha256].called(self.version)


def packed(model: ChurnModel) -> bytes:
    """The text files of the bundle of a model, with their manifest."""
    with scratch_folder() as folder:
        made = bundle.save(model, folder / "model", {}, "")
        told = {path.name: path.read_text(encoding="utf-8") for path in made.iterdir()}
    return json.dumps(dict(sorted(told.items()))).encode()


def unpacked(content: bytes, digest: str) -> ChurnModel:
    """The model of what `packed` told, verified as any bundle is.

    Raises
    ------
    BundleError
        If it has another sha256, or the bundle does not fit its manifest or is not sound.
    """
    if sha256(content).hexdigest() != digest:
        raise BundleError(
            "the model that came to an executor is not the one that was sent",
            "Score anew; if it happens again, look at the network and the disks of the cluster.",
        )
    told: dict[str, Any] = json.loads(content)
    with scratch_folder() as folder:
        for name, text in told.items():
            (folder / Path(name).name).write_text(text, encoding="utf-8")
        return bundle.load(folder).on_threads(1)

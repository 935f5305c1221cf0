"""What goes wrong on an executor, told on the driver as churnkit tells it."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from churnkit.errors import BundleError, ChurnkitError, ConfigError, DataError, GateRefused

Batches = Iterator["pa.RecordBatch"]
Work = Callable[[Batches], Batches]

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

_KINDS: dict[str, type[ChurnkitError]] = {
    "BundleError": BundleError,
    "ConfigError": ConfigError,
    "DataError": DataError,
    "GateRefused": GateRefused,
}
_OF_NO_USE = "An error occurred while calling "  # begins what py4j tells of an error of Java
_FRAMES = ("at ", "... ")  # of the stack of Java
_RAISED = re.compile(r"(?!org\.|java\.|py4j\.)[\w.]*(Error|Exception)\b")  # by Python
_TOLD = re.compile(r"RuntimeError: churnkit says (\{.*\})")


def on_executors(frame: DataFrame, work: Work, schema: StructType) -> DataFrame:
    """What work makes of each partition of a frame; `spark_faults` tells what goes wrong."""
    with without_pandas():
        return frame.mapInArrow(partial(_telling, work), schema)


@contextmanager
def without_pandas() -> Iterator[None]:
    """Nothing of pandas is used here; pyspark complains of its version all the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas")
        yield


def _telling(work: Work, batches: Batches) -> Batches:
    # Spark hands over the text of an exception, and that within the texts of many others.
    try:
        yield from work(batches)
    except ChurnkitError as error:
        told = {"kind": type(error).__name__, "found": error.found, "mend": error.mend}
        raise RuntimeError(f"churnkit says {json.dumps(told)}") from None


@contextmanager
def spark_faults(
    found: str = "Spark fails", mend: str = "Look at the log of the failing executor."
) -> Iterator[None]:
    """Errors of Spark as errors of churnkit; to be put around what makes Spark work.

    Parameters
    ----------
    found, mend
        What is told of errors that are not churnkit's own, and of how to mend them.

    Raises
    ------
    ChurnkitError
        The one that an executor raised.
    DataError
        If Spark fails for any other reason.

    Examples
    --------
    ``with spark_faults(): features.write.parquet("features")``
    """
    from py4j.protocol import Py4JJavaError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        match = _TOLD.search(str(error))
        if match:
            told = json.loads(match[1])
            raise _KINDS[told["kind"]](told["found"], told["mend"]) from None
        raise DataError(f"{found}: {gist(error)}", mend) from error


def gist(error: Exception) -> str:
    """The line that matters of an error that is long."""
    said = (line.strip().strip(": ") for line in str(error).splitlines())
    lines = [line for line in said if line and not line.startswith((_OF_NO_USE, *_FRAMES))]
    if not lines:
        return type(error).__name__
    if not any(line.startswith("Traceback ") for line in lines):
        return lines[0]
    raised = [line for line in lines if _RAISED.match(line)]
    return (raised or lines)[-1]

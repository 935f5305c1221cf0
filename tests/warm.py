"""The daemon of Spark's Python workers, with everything loaded before it forks them."""

import duckdb  # noqa: F401
import pandas as pd  # noqa: F401
import pyarrow.compute  # noqa: F401
import pyspark.sql.pandas.serializers  # noqa: F401
from pyspark.daemon import manager

import churnkit.engines.spark  # noqa: F401

if __name__ == "__main__":
    manager()

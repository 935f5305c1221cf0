"""What a spreadsheet would run is neutralised in every table it may open, and nothing else is."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from churnkit.scoring import write_frame
from churnkit.spreadsheet import neutralised

FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1", "＋1", "－1", "＠x",
    "=HYPERLINK(\"http://evil\")",
]  # fmt: skip
PLAIN = ["anna", "C-1", "a=b", "'quoted", "", "ن=", " 5"]


@pytest.mark.parametrize("text", FORMULAS)
def test_20_a_text_that_a_spreadsheet_would_run_is_neutralised(text):
    assert neutralised(pd.DataFrame({"customer_id": [text]}))["customer_id"].tolist() == [
        f"'{text}"
    ]


@pytest.mark.parametrize("text", PLAIN)
def test_20_other_texts_are_left_alone(text):
    frame = pd.DataFrame({"customer_id": [text]})
    assert neutralised(frame)["customer_id"].tolist() == [text]


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_20_texts_are_found_whatever_their_type(dtype):
    frame = pd.DataFrame({"customer_id": pd.Series(["=1", "anna"], dtype=dtype)})
    assert neutralised(frame)["customer_id"].tolist() == ["'=1", "anna"]


def test_20_numbers_and_gaps_are_left_alone():
    frame = pd.DataFrame({"p": [-0.5, np.nan], "n": [-1, 2], "text": ["-", None]})
    told = neutralised(frame)
    assert_frame_equal(told[["p", "n"]], frame[["p", "n"]])
    assert told["text"].tolist()[0] == "'-"
    assert told["text"].isna().tolist() == [False, True]


@given(st.lists(st.text() | st.text("a\r\n\t=,\"'"), min_size=1, max_size=5))
@example(["a\r=1+1"])
def test_20_no_cell_of_a_csv_begins_like_a_formula(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("csv") / "scores.csv"
    write_frame(pd.DataFrame({"row": range(len(texts)), "text": texts}), path)
    with path.open(encoding="utf-8", newline="") as file:
        cells = [row["text"] for row in csv.DictReader(file)]
    assert len(cells) == len(texts)
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))]


def test_20_parquet_keeps_texts_as_they_are(tmp_path):
    frame = pd.DataFrame({"customer_id": FORMULAS, "p": range(len(FORMULAS))})
    write_frame(frame, tmp_path / "scores.parquet")
    assert_frame_equal(pd.read_parquet(tmp_path / "scores.parquet"), frame)

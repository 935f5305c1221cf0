"""Excel books: sheets of one header are one log, others are named, cells are text without loss."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import failure, file, notes, outcome, read, table

from churnkit.errors import ConfigError, DataError
from churnkit.sources import FileSource

HEADER = ["customer_id", "ts", "amount"]
ROW = ["a", "2024-01-01", 1]


def book(path: Path, hidden: str = "", **sheets: list[list[object]]) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
        sheet.sheet_state = "hidden" if name == hidden else "visible"
    made.save(path)
    return path


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("00123", "00123"),
        ("12345678901234567890", "12345678901234567890"),
        (13085, "13085"),
        (13085.0, "13085"),
        (0.1, "0.1"),
        (-7.25, "-7.25"),
        (1e300, "1e+300"),
        (123456789012345, "123456789012345"),
        (True, "true"),
        (datetime.fromisoformat("2009-12-01 07:45"), "2009-12-01 07:45:00"),
        (date(2009, 12, 1), "2009-12-01"),
        (time(7, 45), "07:45:00"),
        (" Müller ", " Müller "),
        ("چاي", "چاي"),
        ("two\nlines", "two\nlines"),
        (None, None),
        ("", None),
    ],
)
def test_cells_are_text(cell, text, tmp_path):
    path = book(tmp_path / "x.xlsx", A=[["id", "cell"], ["a", cell], ["b", "c"]])
    told = table(FileSource(path))[0]["cell"]
    assert told in {text, f"{text} 00:00:00"}


def test_sheets_of_one_header_are_stacked_and_the_others_noted(tmp_path):
    path = book(
        tmp_path / "x.xlsx",
        hidden="old",
        readme=[["Sales of all years"]],
        y2010=[HEADER, ROW, [None, "2024-01-01", 1]],
        y2011=[[*HEADER[1:], HEADER[0]], ["2024-01-02", 1, "b"], ["2024-01-02", 1, None]],
        totals=[["month", "sum"], ["2010-01", 7]],
        old=[HEADER, ROW],
        empty=[],
        header=[HEADER],
    )
    logs = read(FileSource(path))
    assert list(logs.customer_ids) == ["a", "b"]
    aside = [(row["file"], row["row"]) for row in logs.rejected.to_pylist()]
    assert aside == [(f"{path} [y2010]", 2), (f"{path} [y2011]", 2)]
    assert notes(FileSource(path)) == (
        f"{path} [old] is left out: it is hidden",
        f"{path} [readme] is left out: it has no rows under a header",
        f"{path} [totals] is left out: its columns are month, sum",
        f"{path} [empty] is left out: it has no rows under a header",
        f"{path} [header] is left out: it has no rows under a header",
    )


def test_one_sheet_can_be_named(tmp_path):
    path = book(tmp_path / "x.xlsx", one=[HEADER, ROW], two=[["id", "n"], ["a", 1]])
    assert table(FileSource(path, sheet="two")) == [{"id": "a", "n": "1"}]
    with pytest.raises(ConfigError, match="no sheet 'tow'") as told:
        read(FileSource(path, sheet="tow"))
    assert "Did you mean 'two'?" in told.value.mend


def test_titles_margins_and_blank_rows_are_passed_over(tmp_path):
    rows = [[], [None, "Sales 2024"], [], [None, *HEADER], [None, *ROW], [], [None, *ROW]]
    path = book(tmp_path / "x.xlsx", A=rows)
    assert table(FileSource(path)) == [dict(zip(HEADER, ["a", "2024-01-01", "1"], strict=True))] * 2
    assert notes(FileSource(path)) == (
        f"{path} [A]: what stands above the header is left out: 'Sales 2024'",
    )


def test_a_long_sheet_keeps_its_order(tmp_path):
    rows = [[f"c{n}", "2024-01-01", n if n % 9 else None] for n in range(1, 25_001)]
    path = book(tmp_path / "x.xlsx", A=[HEADER, *rows])
    assert read(FileSource(path)).rejected["row"].to_pylist() == list(range(9, 25_001, 9))


def test_books_are_stacked_by_the_names_of_their_columns(tmp_path):
    book(tmp_path / "1.xlsx", A=[HEADER, ROW])
    other = book(tmp_path / "2.xlsx", A=[["id", "n"], ["a", 1]])
    told = failure(FileSource(tmp_path / "*.xlsx"))
    assert told.found == f"{other} has no sheet with the columns of {tmp_path / '1.xlsx'}"
    assert "its columns are id, n" in told.mend


BROKEN = {
    "text.xlsx": (b"customer_id,ts\na,2024-01-01\n", "cannot be read"),
    "zip.xlsx": (b"PK\x03\x04" + bytes(100), "cannot be read"),
    "locked.xlsx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "protected by a password"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000), "cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_book_is_told_by_name(name, tmp_path):
    content, says = BROKEN[name]
    path = file(tmp_path, name, content)
    found = failure(FileSource(path)).found
    assert found.startswith(str(path))
    assert says in found


@pytest.mark.parametrize("rows", [[], [["only", "header"]], [["a title"], [], ["a remark"]]])
def test_a_book_without_a_log(rows, tmp_path):
    path = book(tmp_path / "x.xlsx", A=rows)
    told = failure(FileSource(path))
    assert told.found == f"{path} has no sheet that looks like a log"
    assert f"{path} [A] is left out" in told.mend


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return book(tmp_path_factory.mktemp("book") / "x.xlsx", A=[HEADER, *[ROW] * 50]).read_bytes()


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_book_is_read_whole_or_refused(tmp_path, sound, data):
    content = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(sound) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = file(tmp_path, "x.xlsx", bytes(content[: data.draw(st.none() | st.integers(1, 9999))]))
    told = outcome(FileSource(path))
    if isinstance(told, DataError):
        assert str(path) in told.found
    else:
        assert len(told) == 50

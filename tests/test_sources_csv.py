"""Delimited text: delimiter and encoding are told from the file, nothing else is guessed."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from made import GOOD_ROW, HEADER, LAX, failure, file, read, table

from churnkit.errors import ConfigError
from churnkit.logs import Contract, LogMapping
from churnkit.logs.sql import spill_folder
from churnkit.sources import FileSource, connect


def customers(path: Path, **options: str) -> list[str]:
    return list(read(FileSource(path, **options)).customer_ids)


# ── Rows ────────────────────────────────────────────────────────────────────────────────────


def test_no_line_is_taken_for_a_comment_or_skipped(tmp_path):
    rows = "a,2024-01-01,1\n#b,2024-01-01,1\n\n//c,2024-01-01,1\n"
    assert customers(file(tmp_path, "x.csv", HEADER + rows)) == ["#b", "//c", "a"]


def test_null_is_a_name_like_any_other(tmp_path):
    rows = 'NULL,2024-01-01,1\n"",2024-01-01,1\nNone,2024-01-01,1\n'
    assert customers(file(tmp_path, "x.csv", HEADER + rows)) == ["NULL", "None"]


@pytest.mark.parametrize(
    "rows",
    [
        "a,1\nb,2",  # no end
        "a,1\nb,2\n\n\n",  # blank lines at the end
        "a,1\n\nb,2\n",  # and between
        "a,1,\nb,2,\n",  # a delimiter at the end
        '"a","1"\n"b","2"\n',
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_the_same_however_their_lines_end(rows, end, tmp_path):
    path = file(tmp_path, "x.csv", ("id,n\n" + rows).replace("\n", end))
    assert table(FileSource(path)) == [{"id": "a", "n": "1"}, {"id": "b", "n": "2"}]


@pytest.mark.parametrize(
    "content",
    ["id,n\r\na,1\nb,2\r\n", "id,n\na,1\r\nb,2\n", "id,n\na,1\rb,2\r\n", "id,n\ra,1\nb,2\r\n"],
)
def test_line_ends_may_be_mixed(content, tmp_path):
    """As in exports that were put together."""
    path = file(tmp_path, "x.csv", content)
    assert table(FileSource(path)) == [{"id": "a", "n": "1"}, {"id": "b", "n": "2"}]


def test_quoted_texts_keep_what_they_hold(tmp_path):
    texts = ["two\nlines", "two\r\nlines", "a, comma", 'a "word"', " blanks ", "", "a;b\t|"]
    rows = "".join('{},"{}"\n'.format(n, text.replace('"', '""')) for n, text in enumerate(texts))
    shown = table(FileSource(file(tmp_path, "x.csv", "id,text\n" + rows)))
    assert [row["text"] for row in shown] == [text or None for text in texts]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)] * 2)
    ),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    packed=st.booleans(),
)
@example(rows=[("\r", "\n")], delimiter=",", encoding="utf-8", packed=False)
def test_what_a_csv_writer_writes_is_read(tmp_path, rows, delimiter, encoding, packed):
    import csv
    import io

    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "other"), *rows])
    content = text.getvalue().encode(encoding)
    name, content = ("x.csv.gz", gzip.compress(content)) if packed else ("x.csv", content)
    shown = table(FileSource(file(tmp_path, name, content)))
    assert [(r["id"] or "", r["other"] or "") for r in shown] == rows


def test_rows_are_counted_across_a_long_file(tmp_path):
    rows = "".join(f"c{n},2024-01-01,{n if n % 9 else ''}\n" for n in range(1, 30_001))
    logs = read(FileSource(file(tmp_path, "x.csv", HEADER + rows)))
    assert logs.rejected["row"].to_pylist() == list(range(9, 30_001, 9))


# ── Header and delimiter ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("content", "delimiter", "sure"),
    [
        ("a,b\n1,2\n", ",", "sure"),
        ("a;b\n1,5;2,5\n", ";", "sure"),
        ("a\tb\n1\t2\n", "\t", "sure"),
        ('"a, EUR, net";b;c\n1;2;3\n', ";", "sure"),
        ("a|b\n", "|", "likely"),
        ("a;b\n1\n", ";", "likely"),
        ("a\n1\n", ",", "a guess"),
        ("sep=;\na;b\n1;2\n", ";", "sure"),
        ("sep=^\r\na^b\r\n1^2\r\n", "^", "sure"),
    ],
)
def test_the_header_line_tells_the_delimiter(content, delimiter, sure, tmp_path):
    dialect = FileSource(file(tmp_path, "x.csv", content)).dialect()
    assert (dialect.delimiter, dialect.sure) == (delimiter, sure)
    assert dialect.why


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_first_line_may_be_for_excel(end, tmp_path):
    content = f"sep=;{end}customer_id;ts{end}a;2024-01-01{end}"
    assert customers(file(tmp_path, "x.csv", content)) == ["a"]


def test_a_declared_delimiter_wins(tmp_path):
    path = file(tmp_path, "x.csv", "a;a;a^ts\n1;2;3^2024-01-01\n")
    assert table(FileSource(path, delimiter="^")) == [{"a;a;a": "1;2;3", "ts": "2024-01-01"}]
    assert FileSource(path, delimiter="^").dialect().why == "declared"


@pytest.mark.parametrize("delimiter", ["", ", ", '"', "\n", "\0"])
def test_a_delimiter_is_one_character(delimiter, tmp_path):
    source = FileSource(file(tmp_path, "x.csv", HEADER), delimiter=delimiter)
    with pytest.raises(ConfigError, match="delimiter"):
        source.dialect()


def test_columns_without_a_name_or_with_the_same_are_told_apart(tmp_path):
    content = "customer_id,ts,,x,X,x\na,2024-01-01,1,2,3,4\n"
    path = file(tmp_path, "x.csv", content)
    for column, amount in {"column3": 1, "x": 2, "X_5": 3, "x_6": 4}.items():
        mapping = LogMapping({"customer_id": "customer_id", "ts": "ts", "amount": column})
        logs = read(FileSource(path), Contract({"purchases": mapping}))
        assert logs.purchases.columns["amount"].tolist() == [100 * amount]


# ── Encodings ───────────────────────────────────────────────────────────────────────────────

WESTERN = "Müller, Zoë, Crème brûlée, Señor Ångström, Straße – “naïve” 5 €"
ARABIC = "محمد علي, فاطمة الزهراء, مکتبه چاپ گل، ژاله; شركة النور"
ENCODINGS = [
    # text, codec, told as, how sure
    ("plain", "ascii", "utf-8", "sure"),
    (WESTERN, "utf-8", "utf-8", "sure"),
    (WESTERN, "utf-8-sig", "utf-8-sig", "sure"),
    (WESTERN, "utf-16", "utf-16-le", "sure"),
    (WESTERN, "utf-16-le", "utf-16-le", "likely"),
    (WESTERN, "utf-16-be", "utf-16-be", "likely"),
    (WESTERN, "cp1252", "cp1252", "likely"),
    ("Müller", "latin-1", "cp1252", "a guess"),
    (ARABIC, "utf-8", "utf-8", "sure"),
    (ARABIC, "utf-16", "utf-16-le", "sure"),
    (ARABIC, "utf-16-le", "utf-16-le", "likely"),
    (ARABIC, "cp1256", "cp1256", "likely"),
    ("علي", "cp1256", "cp1256", "a guess"),
]


@pytest.mark.parametrize(("text", "codec", "told", "sure"), ENCODINGS)
def test_the_encoding_is_told_from_the_bytes(text, codec, told, sure, tmp_path):
    content = f'id,"{text}"\n1,"{text}"\n'
    source = FileSource(file(tmp_path, "x.csv", content.encode(codec)))
    encoding = source.dialect().encoding
    assert (encoding.name, encoding.sure) == (told, sure)
    assert encoding.why
    assert table(source) == [{"id": "1", text: text}]


@pytest.mark.parametrize("codec", ["cp1252", "cp1256"])
def test_letters_may_come_late(codec, tmp_path):
    """Far beyond the beginning that tells the delimiter."""
    late = {"cp1252": "Müller", "cp1256": "محمد"}[codec]
    rows = "a,1\n" * 500_000 + f"{late},2\n"
    source = FileSource(file(tmp_path, "x.csv.gz", gzip.compress(("id,n\n" + rows).encode(codec))))
    assert source.dialect().encoding.name == codec
    with connect(reads=source.files()) as con:
        rows = source.attach(con, "purchases")
        assert con.execute(f"SELECT id FROM {rows.table} WHERE n = '2'").fetchall() == [(late,)]


@pytest.mark.parametrize("codec", ["cp1251", "cp1253", "cp1255", "koi8-r", "cp1250", "cp850"])
def test_an_encoding_of_other_letters_is_not_guessed(codec, tmp_path):
    text = {
        "cp1251": "Привет, дорогой покупатель",
        "koi8-r": "Привет, дорогой покупатель",
        "cp1253": "Καλημέρα αγαπητέ πελάτη",
        "cp1255": "שלום לקוח יקר",
        "cp850": "Mädchen und Jüngling, fröhlich und naiv",
        "cp1250": "Łódź, Ślązak, Kraków, żółw, źdźbło, święto, wąż, ćma",
    }[codec]
    path = file(tmp_path, "x.csv", f'customer_id,ts\n"{text}",2024-01-01\n'.encode(codec))
    assert "neither UTF-8" in failure(FileSource(path)).found
    assert customers(path, encoding=codec) == [text]


@pytest.mark.parametrize("name", ["nonsense", "hex", "rot13", "base64"])
def test_a_declared_encoding_must_be_known(name, tmp_path):
    source = FileSource(file(tmp_path, "x.csv", HEADER + GOOD_ROW), encoding=name)
    with pytest.raises(ConfigError, match="is not known"):
        source.dialect()


@pytest.mark.parametrize(
    ("declared", "content", "line"),
    [
        ("utf-8", b"a,2024-01-01,1\nM\xfcller,2024-01-01,1\n", 3),
        ("cp1252", b"a,2024-01-01,1\nb,2024-01-01,1\n\x81,2024-01-01,1\n", 4),
        ("utf-16", b"\0\xd8a,", 1),
        ("ascii", "a,2024-01-01,1\né,2024-01-01,1\n".encode(), 3),
        ("cp1252", b"a,2024-01-01,1\r\n" * 200_000 + b"\x81,2024-01-01,1\n", 200_002),
    ],
)
def test_bytes_that_are_no_text_are_told_with_their_line(declared, content, line, tmp_path):
    header = HEADER.encode() if declared != "utf-16" else b""
    path = file(tmp_path, "x.csv", header + content)
    assert failure(FileSource(path, encoding=declared)).found.startswith(f"{path}, line {line}: ")


def test_a_few_bad_bytes_in_utf_8_are_no_other_encoding(tmp_path):
    content = (HEADER + f"{ARABIC},1\n".replace(",", " ")[:-3] + ",2024-01-01,1\n").encode()
    path = file(tmp_path, "x.csv", content + b"M\xfcller,2024-01-01,1\n")
    assert failure(FileSource(path)).found.startswith(f"{path}, line 3: the bytes are no text")


def test_no_copy_is_left_behind(tmp_path):
    path = file(tmp_path, "x.csv.gz", gzip.compress(f"id,{WESTERN!r}\n".encode("cp1252")))
    spill = tmp_path / "spill"
    spill.mkdir()
    with connect(spill=spill) as con:
        FileSource(path).attach(con, "purchases")
        assert [*spill.rglob("*")] == [spill_folder(con)]


# ── Several files ───────────────────────────────────────────────────────────────────────────


def test_files_of_a_pattern_are_read_in_the_order_of_their_names(tmp_path):
    for name in ("b", "a", "c"):
        file(tmp_path, f"data/{name}.csv", f"id,n\n{name},1\n")
    file(tmp_path, "data/other.txt", "no such log\n")
    assert [row["id"] for row in table(FileSource(tmp_path / "data" / "*.csv"))] == ["a", "b", "c"]


def test_files_of_a_list_keep_its_order_and_count_once(tmp_path):
    paths = [file(tmp_path, f"{name}.csv", f"id,n\n{name},1\n") for name in "ba"]
    source = FileSource([*paths, str(paths[0]), tmp_path / "*.csv"])
    assert [row["id"] for row in table(source)] == ["b", "a"]
    assert source.name == f"{paths[0]} and 3 more"


def test_files_may_differ_in_dialect_and_order_of_columns(tmp_path):
    file(tmp_path, "1.csv", "id,n\nZoë,1\n")
    file(tmp_path, "2.csv", "n;ID\n2;Müller\n".encode("cp1252"))
    assert table(FileSource(tmp_path / "*.csv")) == [
        {"id": "Zoë", "n": "1"},
        {"id": "Müller", "n": "2"},
    ]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("id,n,more", "has 'more' besides"),
        ("id", "lacks 'n'"),
        ("id,m", "lacks 'n' and has 'm' besides"),
    ],
)
def test_files_of_other_columns_are_refused(header, found, tmp_path):
    first = file(tmp_path, "1.csv", "id,n\na,1\n")
    other = file(tmp_path, "2.csv", header + "\n")
    told = failure(FileSource(tmp_path / "*.csv")).found
    assert told == f"{other} {found}, compared with {first}"


def test_the_broken_one_of_several_files_is_named(tmp_path):
    for name in "abc":
        file(tmp_path, f"{name}.csv", HEADER + GOOD_ROW * 3 + ("a,2\n" if name == "b" else ""))
    told = failure(FileSource(tmp_path / "*.csv")).found
    assert told == f"{tmp_path / 'b.csv'}, line 5: 2 fields where the header has 3: x; 9"


def test_a_file_without_rows_among_others_adds_none(tmp_path):
    for name, rows in (("a", GOOD_ROW), ("b", ""), ("c", GOOD_ROW + ",2024-01-01,1\n")):
        file(tmp_path, f"{name}.csv", HEADER + rows)
    logs = read(FileSource(tmp_path / "*.csv"))
    [first, second] = logs.rejected.to_pylist()
    assert (Path(first["file"]).name, first["row"]) == ("c.csv", 1)
    assert (Path(second["file"]).name, second["row"]) == ("c.csv", 2)


@pytest.mark.parametrize("name", ["a*.csv", "a?.csv", "[ab].csv", "it's.csv", "x=1 y.csv"])
def test_the_name_of_a_file_that_exists_is_no_pattern(name, tmp_path):
    file(tmp_path, "ab.csv", HEADER + "wrong,2024-01-01,1\n")
    assert customers(file(tmp_path, name, HEADER + "right,2024-01-01,1\n")) == ["right"]


def test_a_pattern_without_files(tmp_path):
    assert "no file matches" in failure(FileSource(tmp_path / "*.csv")).found


def test_files_of_different_kinds_are_refused(tmp_path):
    file(tmp_path, "a.csv", HEADER)
    file(tmp_path, "b.jsonl", "{}")
    assert "different kinds" in failure(FileSource(tmp_path / "*")).found


def test_no_file_is_named():
    assert "no file is named" in failure(FileSource([])).found


@pytest.mark.parametrize("option", ["encoding", "delimiter", "sheet"])
def test_options_of_other_kinds_are_refused(option, tmp_path):
    path = file(tmp_path, "x.parquet", "PAR1")
    with pytest.raises(ConfigError, match=f"`{option}` is not for files of this kind"):
        read(FileSource(path, **{option: ","}), LAX)

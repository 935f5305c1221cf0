"""JSON lines: every key is a column, every value is text, a broken line is told by its number."""

from __future__ import annotations

import gzip

import pytest
from made import failure, file, notes, read, table

from churnkit.sources import FileSource


def test_all_keys_of_all_lines_are_columns(tmp_path):
    lines = '{"b": 1, "a": 2}\n\n{"a": 3, "late": "x"}\n{}\n'
    path = file(tmp_path, "x.jsonl", lines)
    assert table(FileSource(path)) == [
        {"b": "1", "a": "2", "late": None},
        {"b": None, "a": "3", "late": "x"},
        {"b": None, "a": None, "late": None},
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"text"', "text"),
        ("null", None),
        ('""', ""),
        ("true", "true"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("00123.50".lstrip("0"), "123.5"),
        ('"00123"', "00123"),
        ("0.1", "0.1"),
        ("-1.5e3", "-1500.0"),
        (r'"\u067e\u0633\ud83d\ude00"', "پس😀"),
        ('"two\\nlines"', "two\nlines"),
        ('{"x": [1, {"y": null}]}', '{"x":[1,{"y":null}]}'),
        ("[1, 2]", "[1,2]"),
    ],
)
def test_values_are_text(value, text, tmp_path):
    path = file(tmp_path, "x.jsonl", f'{{"a": {value}, "other": 0}}\n')
    assert table(FileSource(path)) == [{"a": text, "other": "0"}]


@pytest.mark.parametrize("key", ["", "/", "~", "a/b~1", "$.x", "a.b", "a'b", 'a\\"b', "0", "*"])
def test_keys_may_have_any_name(key, tmp_path):
    path = file(tmp_path, "x.jsonl", f'{{"other": 0, "{key}": 1}}\n')
    told = table(FileSource(path))[0]
    assert list(told.values()) == ["0", "1"]
    assert list(told)[1] == (key.replace('\\"', '"') or "column2")


def test_keys_that_differ_in_case_are_two_columns(tmp_path):
    path = file(tmp_path, "x.jsonl", '{"id": 1, "ID": 2}\n')
    assert table(FileSource(path)) == [{"id": "1", "ID_2": "2"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", '[{"id": 1},\n {"id": 2}]\n'),
        ("x.json", '{"id": 1}\n{"id": 2}'),
        ("x.ndjson", '{"id": 1}\r\n{"id": 2}\r\n'),
        ("x.jsonl", '\ufeff{"id": 1}\n{"id": 2}\n'),
        ("x.jsonl", '{"id": 1}\n{"id": 2}\n'.encode("utf-16")),
        ("x.jsonl.gz", gzip.compress(b'{"id": 1}\n{"id": 2}\n', mtime=0)),
        ("x.json.gz", gzip.compress(b'[{"id": 1}, {"id": 2}]', mtime=0)),
    ],
)
def test_lines_and_arrays_are_the_same_rows(name, content, tmp_path):
    source = FileSource(file(tmp_path, name, content))
    assert table(source) == [{"id": "1"}, {"id": "2"}]
    assert notes(source) == ()
    assert source.dialect() is None


def test_files_may_have_different_keys(tmp_path):
    file(tmp_path, "1.jsonl", '{"id": 1}\n')
    file(tmp_path, "2.jsonl", '{"n": 2}\n{"id": 3}\n')
    assert table(FileSource(tmp_path / "*.jsonl")) == [
        {"id": "1", "n": None},
        {"id": None, "n": "2"},
        {"id": "3", "n": None},
    ]


def test_rows_are_counted_in_their_file(tmp_path):
    good = '{"customer_id": "a", "ts": "2024-01-01"}\n'
    file(tmp_path, "1.jsonl", good * 3)
    path = file(tmp_path, "2.jsonl", good + '\n{"customer_id": null, "ts": "2024-01-01"}\n')
    aside = read(FileSource(tmp_path / "*.jsonl")).rejected.to_pylist()
    missing = [(r["file"], r["row"]) for r in aside if r["reason"] == "missing_customer_id"]
    assert missing == [(str(path), 2)]


GOOD = '{"id": 1}\n'
BROKEN = {
    "cut.jsonl": (GOOD * 2 + '{"id": 2, "b', ", line 3: no JSON at character 11"),
    "comma.jsonl": (GOOD + '{"id": 2},\n', ", line 2: no JSON at character 10 (Extra data)"),
    "two.jsonl": (GOOD + '{"id": 2} {"id": 3}\n', ", line 2: no JSON"),
    "text.jsonl": (GOOD + "\n" + "hello\n", ", line 3: no JSON at character 1"),
    "csv.jsonl": ("id,n\n1,2\n", ", line 1: no JSON at character 1"),
    "number.jsonl": (GOOD + "7\n", ", line 2: a value that is no object"),
    "list.jsonl": (GOOD + "[7]\n", ", line 2: a value that is no object"),
    "latin.jsonl": (b'{"id": "M\xfcller"}\n' + b"\xff" * 9, ""),
    "nul.jsonl": (GOOD + '{"id": "a\\u0000"}\n', ", row 2: there is a NUL byte"),
    "long.jsonl": (GOOD + '{"id": "' + "x" * 40_000_000 + '"}\n', ", line 2: the line is longer"),
    "pretty.jsonl": ('{\n "id": 1\n}\n', ", line 1: no JSON"),
    "keys.jsonl": ("".join(f'{{"c{n}": 1}}\n' for n in range(1200)), " has more than 1000 keys"),
    "nothing.jsonl": ("\n\n", " holds no JSON objects"),
    "empty.json": ("[]", " holds no JSON objects"),
    "cut.json": ('[{"id": 1},\n{"id": 2},', " ends before its array does"),
    "array.json": ('[{"id": 1}, {"id": ]', ": "),
    "numbers.json": ("[1, 2]", ": a value is no object"),
    "plain.jsonl.gz": (GOOD, " cannot be read: it is not packed"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_with_its_line(name, tmp_path):
    content, says = BROKEN[name]
    path = file(tmp_path, name, content)
    assert failure(FileSource(path)).found.startswith(f"{path}{says}")


def test_the_broken_one_of_several_files_is_named(tmp_path):
    for name in "abc":
        file(tmp_path, f"{name}.jsonl", GOOD * 3 + ("{\n" if name == "b" else ""))
    assert failure(FileSource(tmp_path / "*")).found.startswith(f"{tmp_path / 'b.jsonl'}, line 4: ")

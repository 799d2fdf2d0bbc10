"""Tables as CSV and Parquet: dialect, header, text column and labels are detected; a damaged row costs only itself.

`tests.fuzz` tries random bytes.
"""

from __future__ import annotations

import io
import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as pq
from syrupy.assertion import SnapshotAssertion

from engine.corpus.readers.tables import parquet_rows
from engine.corpus.readers.tables.csv_records import MAX_RECORD_LINES
from tests.engine.corpus.reading import Case, Files, read, recorded_cases, texts_of


@recorded_cases("csv", "columns", "headers", "labels")
def test_a_table_is_read_as_recorded(case: Case, snapshot: SnapshotAssertion) -> None:
    assert case.read() == snapshot


X, Y, Z = ("x" * 200_000, "y" * 100_000, "z" * 200_000)
LONG = {
    "a table of very many columns is refused": "," * 100_000 + "\n",
    "an unclosed quotation mark is searched in a bounded number of lines": 'first\n"never closed\n'
    + "plain\n" * (MAX_RECORD_LINES + 10)
    + '"quoted"\n',
    "an open quotation on every line drops every line": 'x","\n' * 20_000,  # minutes, if each were parsed to the end
    "a record of as many lines as allowed is whole": '"' + "x\n" * (MAX_RECORD_LINES - 1) + 'x"\nbye\n',
    "a field beyond the limit of CSV is dropped": f'hello\n"{X}"\n"{Y}"\n{Z}\nbye\n',
    "the first escaped quotation mark may be far from the start": "id,text\n"
    + "1,hello\n" * 2000
    + '2,"she \\"waved\\" twice"\n3,"C:\\"\n',
    "a long run of backslashes takes linear time": 'id,text\n1,"' + "\\" * 100_000 + 'x \\"hi\\""\n',
    "hundreds of zeros at the start are a file sorted by label": "0,so sad\n" * 1200 + "4,hello\n" * 2,
    "zeros and ones under a usual name are not silently halved": "label,text\n" + "0,hello\n" * 1200 + "1,bye\n" * 5,
    "zeros in several columns are counts and no labels": "".join(f"{n},0,0,0,hello {n} and so\n" for n in range(200)),
    "zeros in the middle are counts and no labels": "".join(f"{n},0,en,0,hello {n} and so\n" for n in range(200)),
    "a single column of zeros in the middle is no label": "".join(f"a{n},0,hello {n} and so,b\n" for n in range(200)),
    "a category of many rows is not the text": "greeting,topic\n"
    + "".join(f"hello {'a' * n},a very long name of a topic that repeats\n" for n in range(30)),
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_table_is_read_as_recorded(name: str, snapshot: SnapshotAssertion) -> None:
    assert read({"a.csv": LONG[name]}, format="csv") == snapshot


@given(tweets=st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\0")), min_size=1))
def test_csv_written_with_quotes_is_read_back_whole(tweets: list[str]) -> None:
    texts = ["x" * 4000, *tweets]  # few of the characters are control characters, so this is a text file
    content = "".join('"' + text.replace('"', '""') + '"\n' for text in ["text", *texts])
    assert texts_of({"a.csv": content}, format="csv") == texts


def test_a_column_of_thousands_of_digits_is_no_number() -> None:
    assert "! a.csv has no column 999" in read({"a.csv": "id,text\n1,hello\n"}, column="9" * 5000)


# Parquet --------------------------------------------------------------------------------------------------------------

WIDE = {"id": [1, 2], "user": ["mia", "tom"], "tweet": ["hello there", "good morning"], "score": [0.5, None]}
APP = '<a href="https://example.com/a-long-way" rel="nofollow">An App of Many Words</a>'
TARGET = {"text": ["one", "two"], "target": [0, 1], "day": pa.array([0, 1], pa.date32())}
TEXTS = pa.array(["one ü", None, "", "one ü"], pa.string())


def parquet(columns: dict[str, Any], **options: Any) -> Files:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return {"a.parquet": file.getvalue()}


PARQUET: dict[str, tuple[dict[str, Any], tuple[dict[str, Any], ...]]] = {
    "the column is detected and noted, or named, or numbered": (
        WIDE,
        ({}, {"column": "user"}, {"column": "USER"}, {"column": "2"}),
    ),
    "a column that is not there is an error that lists those that are": (
        WIDE,
        tuple({"column": column} for column in ("absent", "0", "5", "²", "9" * 5000)),
    ),
    "a column called text beats a longer one called otherwise": (
        {"id": [1, 2], "source": [APP, APP], "text": ["おはよう", "こんばんは"], "tags": [["a"], []]},
        ({},),
    ),
    "a column with a usual name beats a longer one of texts": (
        {"tweet_text": ["good day", "bad day"], "rephrased_text": ["this is a good day", "this is a bad day"]},
        ({},),
    ),
    "labels of unknown meaning are used only if they are asked for": (
        TARGET,
        ({}, {"label_column": "target", "label": "1"}),
    ),
    "a table without texts is an error": ({"id": [1], "names": [["a", "b"]]}, ({},)),
    "an empty table has no rows": ({"text": pa.array([], pa.string())}, ({},)),
    "a text is read as Windows-1252 if it is not UTF-8": ({"text": pa.array([b"caf\xe9", "ü".encode()])}, ({},)),
    "lists are no texts": ({"text": [["a"], ["b"]]}, ({"column": "text"},)),
    "numbers are no texts": ({"text": [1, 2]}, ({"column": "text"},)),
    "objects are no texts": ({"text": [{"a": "x"}, {"a": "y"}]}, ({"column": "text"},)),
    "truth values are no texts": ({"text": [True, False]}, ({"column": "text"},)),
    "two columns of one name are an error": ({}, ({"column": "text"},)),
    **{
        f"every type of text is read and a null is empty: {kind}": ({"text": TEXTS.cast(kind)}, ({},))
        for kind in (pa.string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string()))
    },
}


@pytest.mark.parametrize("name", PARQUET)
def test_parquet_is_read_as_recorded(name: str, snapshot: SnapshotAssertion) -> None:
    columns, options = PARQUET[name]
    files = parquet(columns)
    if name.startswith("two columns"):
        file = io.BytesIO()
        pq.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"]), file)
        files = {"a.parquet": file.getvalue()}
    assert "\n".join(read(files, **each) for each in options) == snapshot


def test_rows_of_many_batches_and_groups_come_in_order() -> None:
    texts = [f"tweet number {n}" for n in range(5000)]
    assert texts_of(parquet({"text": texts}, row_group_size=700)) == texts


def test_a_file_in_an_archive_is_loaded_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    files = parquet(WIDE)
    assert texts_of(files, "zip") == WIDE["tweet"]
    monkeypatch.setattr(parquet_rows, "MAX_LOADED_BYTES", 100)
    assert "too large to be read as a whole" in read(files, "zip")


def test_a_row_group_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["x" * 1000 * n for n in range(50)]
    monkeypatch.setattr(parquet_rows, "MAX_GROUP_BYTES", 100_000)
    assert "in one row group" in read(parquet({"text": texts}, compression="zstd", use_dictionary=False))


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    files = parquet(WIDE)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert read(files).splitlines()[-1].endswith("pip install pyarrow")


@pytest.mark.parametrize("data", [b"PAR1", b"PAR1PAR1", b"PAR1" + b"\xff" * 100 + b"PAR1", b"cut"])
def test_a_damaged_file_is_an_error(data: bytes) -> None:
    content = parquet(WIDE)["a.parquet"][:-20] if data == b"cut" else data
    assert "a damaged Parquet file" in read({"a.parquet": content}, format="parquet")

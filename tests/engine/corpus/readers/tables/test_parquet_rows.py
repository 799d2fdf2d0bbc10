"""Parquet: the text column is detected or set by --column. `tests.fuzz` tries damaged files."""

from __future__ import annotations

import io
import sys
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from engine.config.corpus import CorpusConfig
from engine.corpus.readers.tables import parquet_rows as module
from engine.corpus.readers.tables.parquet_rows import parquet_rows
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError

WIDE = {"id": [1, 2], "user": ["mia", "tom"], "tweet": ["hello there", "good morning"], "score": [0.5, None]}


class Stream(io.BytesIO):
    """A file inside an archive, which can't seek."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation("seek")


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return file.getvalue()


def rows_of(data: bytes | dict[str, Any], **options: Any) -> tuple[list[Row], list[str]]:
    source = Source("a.parquet", "parquet")
    file = io.BytesIO(data if isinstance(data, bytes) else parquet(data))
    return list(parquet_rows(file, source, CorpusConfig(**options))), source.notes


def reasons(rows: list[Row]) -> list[str]:
    return [row if isinstance(row, str) else row.reason for row in rows]


def test_the_column_is_detected_and_noted() -> None:
    rows, notes = rows_of(WIDE)
    assert rows == ["hello there", "good morning"]
    assert notes == ["text in column 3 (tweet): by its name"]


def test_a_column_called_text_beats_a_longer_one_called_otherwise() -> None:
    app = '<a href="https://example.com/a-long-way" rel="nofollow">An App of Many Words</a>'
    japanese = {"id": [1, 2], "source": [app, app], "text": ["おはよう", "こんばんは"], "tags": [["a"], []]}
    assert rows_of(japanese)[0] == ["おはよう", "こんばんは"]
    rephrased = {"tweet_text": ["good day", "bad day"], "rephrased_text": ["this is a good day", "this is a bad day"]}
    rows, notes = rows_of(rephrased)
    assert rows == ["good day", "bad day"]
    assert notes == ["text in column 1 (tweet_text): by its name"]


def test_rows_are_chosen_by_a_label_column_that_is_named_and_kept_if_their_labels_are_unknown() -> None:
    columns = {"text": ["one", "two"], "target": [0, 1], "day": pa.array([0, 1], pa.date32())}
    rows, notes = rows_of(columns)
    assert rows == ["one", "two"]
    assert "labels in column 2 (target): not used (0, 1), every row kept" in notes[1]
    rows, _ = rows_of(columns, label_column="target", label="1")
    assert rows == [DroppedRow("labelled 0", "row 1: one"), "two"]


@pytest.mark.parametrize("column", ["user", "USER", "2"])
def test_a_column_may_be_named_or_numbered(column: str) -> None:
    rows, notes = rows_of(WIDE, column=column)
    assert rows == ["mia", "tom"]
    assert notes == ["text in column 2 (user)"]


@pytest.mark.parametrize("column", ["absent", "0", "5", "²", "9" * 5000])
def test_a_column_that_is_not_there_is_an_error_that_lists_those_that_are(column: str) -> None:
    with pytest.raises(CorpusError, match="has no column") as caught:
        rows_of(WIDE, column=column)
    assert "id, user, tweet, score" in caught.value.hint


def test_a_table_without_texts_is_an_error() -> None:
    with pytest.raises(CorpusError, match="no text column"):
        rows_of({"id": [1], "names": [["a", "b"]]})


def test_an_empty_table_yields_no_rows() -> None:
    assert rows_of({"text": pa.array([], pa.string())}) == ([], [])


@pytest.mark.parametrize("kind", [pa.string(), pa.string_view(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_every_type_of_text_is_read_and_a_null_is_empty(kind: pa.DataType) -> None:
    texts = pa.array(["one ü", None, "", "one ü"], pa.string()).cast(kind)
    rows = rows_of({"text": texts})[0]
    assert rows == ["one ü", DroppedRow("empty", "row 2: null"), "", "one ü"]


def test_texts_that_are_not_utf_8_are_read_as_windows_1252() -> None:
    assert rows_of({"text": pa.array([b"caf\xe9", "ü".encode()])})[0] == ["café", "ü"]


@pytest.mark.parametrize("values", [[["a"], ["b"]], [1, 2], [{"a": "x"}, {"a": "y"}], [True, False]])
def test_a_named_column_that_is_not_text_yields_dropped_rows(values: list[object]) -> None:
    assert reasons(rows_of({"text": values}, column="text")[0]) == ["not a text"] * 2


def test_rows_of_many_batches_and_groups_come_in_order() -> None:
    texts = [f"tweet number {n}" for n in range(5000)]
    assert rows_of(parquet({"text": texts}, row_group_size=700))[0] == texts


def test_a_file_in_an_archive_is_loaded_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet(WIDE)
    source, config = Source("a.zip: a.parquet", "parquet"), CorpusConfig()
    assert list(parquet_rows(Stream(data), source, config)) == ["hello there", "good morning"]
    monkeypatch.setattr(module, "MAX_LOADED_BYTES", len(data) - 1)
    with pytest.raises(CorpusError, match="too large to be read as a whole"):
        list(parquet_rows(Stream(data), source, config))


def test_a_row_group_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = parquet({"text": ["x" * 1000 * n for n in range(50)]}, compression="zstd", use_dictionary=False)
    monkeypatch.setattr(module, "MAX_GROUP_BYTES", 100_000)
    assert len(data) < 100_000
    with pytest.raises(CorpusError, match="in one row group"):
        rows_of(data)


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(CorpusError) as caught:
        rows_of(WIDE)
    assert "pip install pyarrow" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1" + b"\xff" * 100 + b"PAR1", parquet(WIDE)[:-20]])
def test_a_damaged_file_is_an_error(data: bytes) -> None:
    with pytest.raises(CorpusError, match="a damaged Parquet file"):
        rows_of(data)

"""Arrow files, Arrow streams and Feather are read batch by batch, within limits, also inside an archive."""

from __future__ import annotations

import contextlib
import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import feather, ipc

from engine.config.corpus import CorpusConfig
from engine.corpus.files import ReadProgress
from engine.corpus.ingest.sources import open_sources
from engine.corpus.readers.tables import arrow_messages
from engine.corpus.readers.tables.arrow_rows import arrow_rows, looks_like
from engine.corpus.types import DroppedRow, Row, Source
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import zip_of

WIDE = {
    "id": [1, 2, 3],
    "author": ["mia", "tom", "ann"],
    "tweet": ["hello there ü", None, "good morning"],
    "label": [4, 0, 4],
}
ROWS: list[Row] = ["hello there ü", DroppedRow("labelled sad (0)", "row 2: None"), "good morning"]


class Stream(io.BytesIO):
    """A file inside an archive, which can't seek."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation("seek")


def ipc_of(table: pa.Table, *, is_file: bool, compression: str | None = None, batch_rows: int | None = None) -> bytes:
    """Return a table as an Arrow file or stream."""
    file = io.BytesIO()
    options = ipc.IpcWriteOptions(compression=compression)
    with (ipc.new_file if is_file else ipc.new_stream)(file, table.schema, options=options) as writer:
        writer.write_table(table, batch_rows)
    return file.getvalue()


def feather_2(table: pa.Table) -> bytes:
    """Return a table as Feather 2."""
    file = io.BytesIO()
    feather.write_feather(table, file)
    return file.getvalue()


KINDS: dict[str, Callable[[pa.Table], bytes]] = {
    "file": lambda table: ipc_of(table, is_file=True),
    "file in zstd": lambda table: ipc_of(table, is_file=True, compression="zstd"),
    "stream": lambda table: ipc_of(table, is_file=False),
    "stream in lz4": lambda table: ipc_of(table, is_file=False, compression="lz4"),
    "feather 2": feather_2,
}
kinds = pytest.mark.parametrize("kind", KINDS)


def read(data: bytes, **options: Any) -> tuple[list[Row], list[str]]:
    source = Source("a.arrow", "arrow")
    return list(arrow_rows(Stream(data), source, CorpusConfig(**options))), source.notes


@kinds
def test_the_tweets_are_read_from_the_text_column_and_filtered_by_label(kind: str) -> None:
    data = KINDS[kind](pa.table(WIDE))
    assert looks_like(data)
    rows, notes = read(data)
    assert rows == ROWS
    assert notes[0].startswith("text in column 3 (tweet)")
    assert notes[1].startswith("labels in column 4 (label): kept happy (4)")


@kinds
def test_a_column_may_be_named_or_numbered(kind: str) -> None:
    data = KINDS[kind](pa.table(WIDE))
    for column in ("author", "2"):
        assert read(data, column=column, label="all")[0] == ["mia", "tom", "ann"]
    with pytest.raises(CorpusError, match="has no column absent"):
        read(data, column="absent")


@pytest.mark.parametrize("kind", ["file", "stream in lz4", "feather 2"])
@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()])
def test_every_type_of_text_is_read(kind: str, type_: pa.DataType) -> None:
    texts = pa.array(["one ü", None, "two"], pa.string()).cast(type_)
    assert read(KINDS[kind](pa.table({"text": texts})))[0] == ["one ü", DroppedRow("empty", "row 2: null"), "two"]


@pytest.mark.parametrize("is_file", [True, False])
def test_batches_with_changing_dictionaries_come_in_order(is_file: bool) -> None:
    texts = [f"tweet number {number % 700}" for number in range(5000)]
    table = pa.table({"text": pa.array(texts).dictionary_encode()})
    assert read(ipc_of(table, is_file=is_file, batch_rows=300))[0] == texts
    assert read(ipc_of(pa.table({"text": texts}), is_file=is_file, batch_rows=1700))[0] == texts


def test_a_table_without_rows_or_without_texts_is_read_as_such() -> None:
    assert read(ipc_of(pa.table({"text": pa.array([], pa.string())}), is_file=True))[0] == []
    with pytest.raises(CorpusError, match="no text column"):
        read(ipc_of(pa.table({"id": [1]}), is_file=True))


@pytest.mark.parametrize("name", ["a.feather", "data-00000-of-00001.arrow"])
def test_a_file_is_detected_alone_and_in_a_zip(tmp_path: Path, name: str) -> None:
    data = feather_2(pa.table(WIDE)) if name.endswith(".feather") else ipc_of(pa.table(WIDE), is_file=False)
    (tmp_path / name).write_bytes(data)
    (tmp_path / "a.zip").write_bytes(zip_of({name: data}))
    for path in (tmp_path / name, tmp_path / "a.zip"):
        (opened,) = open_sources(CorpusConfig(files=(str(path),)), ReadProgress())
        assert opened.source.format == "arrow"
        assert list(opened.rows) == ROWS


def test_the_folder_of_a_hugging_face_dataset_is_read_without_its_description(tmp_path: Path) -> None:
    (tmp_path / "data-00000-of-00001.arrow").write_bytes(ipc_of(pa.table(WIDE), is_file=False))
    (tmp_path / "dataset_info.json").write_text('{"description": "Tweets that we collected.", "features": {}}')
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    (opened,) = open_sources(CorpusConfig(files=(str(tmp_path),)), ReadProgress())
    assert list(opened.rows) == ROWS
    assert "not read: dataset_info.json (without texts), state.json (without texts)" in opened.source.notes


# Damage and limits ----------------------------------------------------------------------------------------------------


@kinds
def test_a_truncated_file_is_an_error(kind: str) -> None:
    data = KINDS[kind](pa.table(WIDE))
    body_ends = (
        {len(data), len(data) - 8} if kind.startswith("stream") else set()
    )  # a stream may have no mark at its end
    for end in sorted(set(range(4, len(data), 7)) - body_ends):
        with pytest.raises(CorpusError, match="damaged"):
            read(data[:end])


@kinds
def test_a_flipped_byte_is_an_error_or_another_text_and_never_a_crash(kind: str) -> None:
    data = KINDS[kind](pa.table(WIDE))
    for place in range(4, len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x55
        with contextlib.suppress(CorpusError):
            read(bytes(changed))


def test_a_batch_that_decompresses_to_too_much_is_refused_before_it_is_decompressed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arrow_messages, "MAX_BATCH_BYTES", 1 << 20)
    for texts in (pa.array(["x" * 2_000_000]), pa.array(["x" * 2_000_000]).dictionary_encode()):
        data = ipc_of(pa.table({"text": texts}), is_file=False, compression="zstd")
        assert len(data) < 4000
        with pytest.raises(CorpusError, match="over 1 MB in one record batch"):
            read(data)


def test_a_batch_that_is_announced_as_larger_than_the_file_is_damaged() -> None:
    data = bytearray(ipc_of(pa.table(WIDE), is_file=False))
    (size,) = struct.unpack_from("<i", data, 4)
    struct.pack_into("<i", data, 8 + size + 4, 1 << 24)  # the metadata of the second message
    with pytest.raises(CorpusError, match="its Arrow data are truncated"):
        read(bytes(data))


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(CorpusError, match="is Arrow, and the package pyarrow is not installed") as caught:
        read(feather_2(pa.table(WIDE)))
    assert "pip install pyarrow" in caught.value.hint

"""`ArrowMessages`: the messages of an Arrow stream or file (Arrow format, "Serialization and IPC"), within limits.

`pyarrow` allocates whatever a message announces, so each message is measured before `pyarrow` decodes it: its body, and
the decompressed size of each of its buffers. An Arrow file is its magic, a stream, and an index that is not needed
here: both are read sequentially, also inside an archive.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, NamedTuple

from engine.corpus.files.byte_stream import ByteStream
from engine.corpus.files.decompress import damaged
from engine.corpus.types import Source
from engine.errors import CorpusError

FILE_MAGIC = b"ARROW1\0\0"
MAX_METADATA_BYTES = 64 << 20
MAX_BATCH_BYTES = 1 << 30
"""Limit of a message's body, and of its decompressed buffers together."""

_CONTINUATION = b"\xff\xff\xff\xff"
_SCHEMA, _DICTIONARY, _RECORD_BATCH = 1, 2, 3
_SKIP_BYTES = _SLICE_BYTES = 1 << 20


class _Table(NamedTuple):
    """A table of a flatbuffer (flatbuffers.dev, "Internals"). Raises `struct.error` outside its data."""

    data: bytes
    position: int

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, _number("<I", data, 0))

    def place(self, index: int) -> int:
        """Return the position of a field by its index in the format's schema; 0 if it is absent."""
        vtable = self.position - _number("<i", self.data, self.position)
        entry = 4 + 2 * index
        offset = _number("<H", self.data, vtable + entry) if entry < _number("<H", self.data, vtable) else 0
        return self.position + offset if offset else 0

    def number(self, index: int, kind: str) -> int:
        place = self.place(index)
        return _number(kind, self.data, place) if place else 0

    def table(self, index: int) -> _Table:
        place = self.place(index)
        return _Table(self.data, place + _number("<I", self.data, place))


def _number(kind: str, data: bytes, position: int) -> int:
    if position < 0:
        raise struct.error("a negative position")
    number: int = struct.unpack_from(kind, data, position)[0]
    return number


def starts_stream(head: bytes) -> bool:
    """Return whether a file starts with the schema of an Arrow stream."""
    if head[:4] != _CONTINUATION:
        return False
    try:
        return _Table.root(head[8:]).number(1, "<B") == _SCHEMA
    except struct.error:
        return False


class ArrowMessages(ByteStream):
    """The bytes of a stream, of which a message is available only after it was measured. Raises `CorpusError`."""

    def __init__(self, file: BinaryIO, source: Source) -> None:
        """Read the schema of a stream or file."""
        self._file, self._name = file, source.name
        self._delta_bytes = 0
        self._is_at_end = False
        start = self._read(8)
        self._is_file = start == FILE_MAGIC
        self._ready = self._next_message(b"" if self._is_file else start)
        self.schema = b"".join(self._ready)
        """The first message."""

    def next_bytes(self, max_bytes: int) -> bytes:
        """Return some bytes of the stream, without the magic of a file."""
        if not self._ready and not self._is_at_end:
            self._ready = self._next_message()
        if not self._ready:
            return b""
        piece = self._ready[0]
        data = bytes(piece[: min(max_bytes, _SLICE_BYTES)])
        self._ready[:1] = [piece[len(data) :]] if len(data) < len(piece) else []
        return data

    def _next_message(self, prefix: bytes = b"") -> list[memoryview]:
        """Return the pieces of the next message; the mark of the end, or nothing, at the end."""
        prefix = prefix or self._file.read(8)
        if not prefix and not self._is_file:
            self._is_at_end = True
            return []
        if len(prefix) < 8:
            raise self._truncated()
        (size,) = struct.unpack("<i", prefix[4:])
        if prefix[:4] != _CONTINUATION or not 0 <= size <= MAX_METADATA_BYTES:
            raise damaged(self._name, "a message in it is invalid")
        if size == 0:
            self._finish()
            return [memoryview(prefix)]
        metadata = self._read(size)
        try:
            body = self._body(_Table.root(metadata))
        except struct.error as error:
            raise damaged(self._name, "a message in it is invalid") from error
        return [memoryview(piece) for piece in (prefix, metadata, body) if piece]

    def _body(self, message: _Table) -> bytes:
        """Return the body of a message. Raises `CorpusError` if it is too large, also when it is decompressed."""
        size = message.number(3, "<q")
        self._require_size(size)
        body = self._read(size)
        kind = message.number(1, "<B")
        if kind in {_DICTIONARY, _RECORD_BATCH}:
            header = message.table(2)
            batch = header.table(1) if kind == _DICTIONARY else header
            unpacked = _decompressed_bytes(batch, body)
            if kind == _DICTIONARY and header.number(2, "<B"):  # a delta, which is added to the ones before
                self._delta_bytes += unpacked
            self._require_size(max(unpacked, self._delta_bytes))
        return body

    def _require_size(self, num_bytes: int) -> None:
        if num_bytes < 0:
            raise damaged(self._name, "a message in it is invalid")
        if num_bytes > MAX_BATCH_BYTES:
            raise CorpusError(
                f"{self._name} has over {MAX_BATCH_BYTES >> 20:,} MB in one record batch.",
                "Save it with smaller batches, as Parquet, or as CSV.",
            )

    def _finish(self) -> None:
        """Read a file on to its last bytes, which are the magic again, to detect one that is truncated."""
        self._is_at_end = True
        tail = b""
        while block := self._file.read(_SKIP_BYTES):
            tail = (tail + block)[-len(FILE_MAGIC) :]
        if self._is_file and not tail.endswith(FILE_MAGIC.rstrip(b"\0")):
            raise self._truncated()

    def _read(self, size: int) -> bytes:
        """Return exactly `size` bytes."""
        data = self._file.read(size)
        if len(data) < size:
            raise self._truncated()
        return data

    def _truncated(self) -> CorpusError:
        return damaged(self._name, "its Arrow data are truncated")


def _decompressed_bytes(batch: _Table, body: bytes) -> int:
    """Return the size of a batch's buffers after decompression, which precedes each compressed one."""
    if not batch.place(3):
        return len(body)
    place = batch.place(2)
    start = place + _number("<I", batch.data, place)
    total = 0
    for number in range(min(_number("<I", batch.data, start), len(batch.data) // 16)):
        offset, length = struct.unpack_from("<qq", batch.data, start + 4 + 16 * number)
        total += max(length, _number("<q", body, offset)) if length else 0
    return total

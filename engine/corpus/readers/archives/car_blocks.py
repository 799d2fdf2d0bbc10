"""Reads CAR files (content addressable archives, version 1) block by block; `libipld` decodes them.

A file is a header and then length-prefixed sections of a content id and the block's bytes. Never has more than one
block in memory, and never decodes one that is longer than the network allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from engine.errors import CorpusError

MAX_BLOCK_BYTES = 4 << 20
"""Servers refuse records over 1 MB; a megabyte of empty arrays takes 60 MB when decoded."""

_VARINT_BYTES = 9
_RAW = b"\x01\x55"
"""Prefix of the content id of raw bytes."""


def car_blocks(file: BinaryIO, head: bytes, name: str) -> Iterator[tuple[bytes, object]]:
    """Yield each block's content id and decoded value; blocks that are not DAG-CBOR (pictures) are skipped.

    `head` is the part of the file that was already read. Raises `CorpusError` if the file is damaged or `libipld` is
    not installed.
    """
    try:
        import libipld
    except ImportError as error:
        raise CorpusError(
            f"{name} is a Bluesky repository, and the package libipld is not installed.",
            "Install it in the program's environment: pip install libipld",
        ) from error
    reader = _Reader(file, head, name)
    try:
        header = libipld.decode_dag_cbor(reader.section())
        if not isinstance(header, dict) or header.get("version") != 1:
            raise _damaged(name, "its header is not version 1")
        while section := reader.section():
            length = _cid_bytes(section)
            if not 0 < length < len(section):
                raise _damaged(name, "a block has no content id")
            if not section.startswith(_RAW):
                yield section[:length], libipld.decode_dag_cbor(section[length:])
    except (ValueError, RecursionError) as error:
        raise _damaged(name, "a block is not DAG-CBOR") from error


class _Reader:
    """Splits a file into sections."""

    def __init__(self, file: BinaryIO, head: bytes, name: str) -> None:
        self._file = file
        self._ahead = bytearray(head)
        self._name = name

    def section(self) -> bytes:
        """Return the next section; b"" at the end of the file."""
        length = shift = 0
        for count in range(_VARINT_BYTES):
            byte = self._take(1)
            if not byte and not count:
                return b""
            if not byte:
                raise _damaged(self._name, "it is truncated")
            length |= (byte[0] & 0x7F) << shift
            shift += 7
            if byte[0] < 0x80:
                break
        if not 0 < length <= MAX_BLOCK_BYTES:
            raise _damaged(self._name, f"a block has an invalid length, {length:,} bytes")
        data = self._take(length)
        if len(data) < length:
            raise _damaged(self._name, "it is truncated")
        return data

    def _take(self, num_bytes: int) -> bytes:
        """Return the next bytes; fewer at the end of the file."""
        while len(self._ahead) < num_bytes and (block := self._file.read(max(num_bytes, 65_536))):
            self._ahead += block
        taken = bytes(self._ahead[:num_bytes])
        del self._ahead[:num_bytes]
        return taken


def _cid_bytes(section: bytes) -> int:
    """Return the length of a section's content id: 34 bytes (version 0), or four numbers and a hash; 0 if invalid."""
    if section.startswith(b"\x12\x20"):
        return 34
    # version, codec, hash function and hash length are below 128 in every repository: one byte each
    is_usual = len(section) > 4 and section[0] == 1 and all(byte < 0x80 for byte in section[1:4])
    return 4 + section[3] if is_usual else 0


def _damaged(name: str, problem: str) -> CorpusError:
    return CorpusError(
        f"{name} is a damaged Bluesky repository: {problem}.", "Export your data again in the app's settings."
    )

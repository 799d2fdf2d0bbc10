"""`ByteStream`: what every layer of an open file is; a layer only says which bytes come next."""

from __future__ import annotations

import abc
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER_BYTES = 1 << 18


class ByteStream(io.RawIOBase, abc.ABC):
    """Bytes that are read from the beginning to the end."""

    @abc.abstractmethod
    def next_bytes(self, max_bytes: int) -> bytes:
        """Return from 1 to `max_bytes` bytes, none at the end."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read some bytes, as `io.BufferedReader` asks for them."""
        view = memoryview(buffer).cast("B")
        data = self.next_bytes(len(view)) if len(view) else b""
        view[: len(data)] = data
        return len(data)


def buffered(stream: ByteStream) -> io.BufferedReader:
    """Return the stream with `peek`, `readline` and all else that a reader needs."""
    return io.BufferedReader(stream, BUFFER_BYTES)

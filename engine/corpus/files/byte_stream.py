"""`ByteStream`: the base class of the layers of an open file; a layer implements only `next_bytes`."""

from __future__ import annotations

import abc
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER_BYTES = 1 << 18


class ByteStream(io.RawIOBase, abc.ABC):
    """A raw stream that is read sequentially."""

    num_bytes = 0
    """Bytes that were read from it."""

    @abc.abstractmethod
    def next_bytes(self, max_bytes: int) -> bytes:
        """Return 1 to `max_bytes` bytes; b"" at the end."""

    def tell(self) -> int:
        """Return the number of bytes that were read."""
        return self.num_bytes

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer` as far as one call of `next_bytes` goes; for `io.BufferedReader`."""
        view = memoryview(buffer).cast("B")
        data = self.next_bytes(len(view)) if len(view) else b""
        view[: len(data)] = data
        self.num_bytes += len(data)
        return len(data)


def buffered(stream: ByteStream) -> io.BufferedReader:
    """Return the stream with a buffer, `peek` and `readline`."""
    return io.BufferedReader(stream, BUFFER_BYTES)

"""gzip, bzip2 and xz, recognised by their first bytes, unpacked as they are read, and never beyond an `Allowance`."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from engine.corpus.opening.streams import ByteStream, buffered
from engine.errors import CorpusError

MAX_UNPACKED_BYTES = 64 << 30
"""What may come out of one named file, all its members together."""
MAX_RATIO = 50
"""How many times its packed size data may unpack to, all in all and at every moment: text reaches about 20."""
ALWAYS_ALLOWED_BYTES = 16 << 20
"""Below this the ratio does not matter: a small file that repeats itself is no bomb."""
MAX_LAYERS = 3
_XZ_MEMORY_BYTES = 256 << 20
"""xz -9 needs 65 MB to unpack; a file may ask for 4 GB."""
_INPUT_BYTES = 1 << 16


class Allowance:
    """What may still come out of one named file; guards against archives made to fill memory or never to end."""

    def __init__(self, name: str, packed_bytes: int) -> None:
        """Begin with nothing unpacked of a file with `packed_bytes` on disk."""
        self._name = name
        self._limit = min(MAX_UNPACKED_BYTES, max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * packed_bytes))
        self._reached: dict[str, int] = {}
        self._total = 0

    def spend(self, stream: str, position: int, packed_position: int) -> None:
        """Note that the first `packed_position` bytes of `stream` have unpacked to `position`. Raises `CorpusError`.

        A second reading costs nothing. A bomb shows as soon as it goes off, however large the rest of the file is.
        """
        more = position - self._reached.get(stream, 0)
        if more > 0:
            self._reached[stream] = position
            self._total += more
        limit = min(self._limit, max(ALWAYS_ALLOWED_BYTES, MAX_RATIO * packed_position))
        if self._total > self._limit or position > limit:
            raise CorpusError(
                f"{self._name} unpacks to far more than its size lets expect (over {limit >> 20:,} MB).",
                "It may be made to do harm. If you trust it, unpack it yourself and name the file in it.",
            )


def damaged(name: str, what: str) -> CorpusError:
    """Return the error of a file whose packed data do not add up."""
    return CorpusError(f"{name} is damaged: {what}.", "Download or copy it again.")


class Decoder(Protocol):
    """What bz2 and lzma give and `Inflate` imitates: bytes in, at most so many bytes out."""

    @property
    def eof(self) -> bool:
        """Whether the end of the packed stream was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes without more input."""

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the packed stream."""

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Take `data`, give at most `max_length` bytes."""


class Inflate:
    """zlib's decoder in the manners of bz2's."""

    def __init__(self, window_bits: int) -> None:
        """31 window bits are gzip with its header and checksum, -15 the bare data in a zip."""
        self._inner = zlib.decompressobj(window_bits)

    @property
    def eof(self) -> bool:
        """Whether the end of the packed stream was reached."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """Whether all input was taken; some output may still come."""
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """What followed the end of the packed stream."""
        return self._inner.unused_data

    def decompress(self, data: bytes, /, max_length: int) -> bytes:
        """Take `data`, give at most `max_length` bytes."""
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


@dataclass(frozen=True)
class Packing:
    """One way to make a file smaller."""

    name: str
    magic: tuple[bytes, ...]
    decoder: Callable[[], Decoder]


DEFLATE = Packing("zip", (), lambda: Inflate(-15))
PACKINGS = (
    Packing("gzip", (b"\x1f\x8b\x08",), lambda: Inflate(31)),
    Packing(
        "bzip2",
        tuple(b"BZh%d" % level + block for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")),
        bz2.BZ2Decompressor,
    ),
    Packing("xz", (b"\xfd7zXZ\x00",), lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)),
)


class Unpacker(ByteStream):
    """The unpacked bytes of a packed stream, of all its members where several were put one after another."""

    def __init__(self, packed: BinaryIO, packing: Packing, name: str, allowance: Allowance, stream: str) -> None:
        """Begin at the beginning; `name` is for messages, `stream` is what the allowance counts it as."""
        self._packed, self._packing, self._name = packed, packing, name
        self._allowance, self._stream = allowance, stream
        self._decoder = packing.decoder()
        self._position = self._packed_position = 0

    def next_bytes(self, max_bytes: int) -> bytes:
        """Unpack some bytes. Raises `CorpusError` where the data are damaged, cut off or a bomb."""
        try:
            data = self._unpack(max_bytes)
        except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
            raise damaged(self._name, f"its {self._packing.name} data do not add up") from error
        self._position += len(data)
        self._allowance.spend(self._stream, self._position, self._packed_position)
        return data

    def _unpack(self, max_bytes: int) -> bytes:
        """Return up to `max_bytes` bytes, none at the end."""
        rest = b""
        while True:
            if self._decoder.eof:
                rest = self._next_stream()
                if not rest:
                    return b""
            packed = rest or (self._more() if self._decoder.needs_input else b"")
            is_at_end = not packed and self._decoder.needs_input
            data = self._decoder.decompress(packed, max_bytes)
            if data:
                return data
            if is_at_end and not self._decoder.eof:
                raise damaged(self._name, f"its {self._packing.name} data are cut off")
            rest = b""

    def _next_stream(self) -> bytes:
        """Begin the stream that follows, and return its first bytes; none where nothing but padding follows."""
        if self._packing is DEFLATE:
            return b""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest and (more := self._more()):
            rest = more.lstrip(b"\0")
        if rest:
            self._decoder = self._packing.decoder()
        return rest

    def _more(self) -> bytes:
        """Read some packed bytes, none at their end."""
        data = self._packed.read(_INPUT_BYTES)
        self._packed_position += len(data)
        return data

    def close(self) -> None:
        """Close it and what it reads from."""
        self._packed.close()
        super().close()


def unpacked(file: io.BufferedReader, name: str, allowance: Allowance) -> io.BufferedReader:
    """Return the file without the packings around it, itself where there are none. Raises `CorpusError`."""
    for layer in range(MAX_LAYERS + 1):
        packing = _packing_of(file.peek(16))
        if packing is None:
            return file
        file = buffered(Unpacker(file, packing, name, allowance, f"{name}#{layer}"))
    file.close()
    raise CorpusError(f"{name} is packed more than {MAX_LAYERS} times over.", "Unpack it and name the file in it.")


def _packing_of(head: bytes) -> Packing | None:
    """Return the packing that a file's first bytes tell of."""
    return next((packing for packing in PACKINGS if head.startswith(packing.magic)), None)

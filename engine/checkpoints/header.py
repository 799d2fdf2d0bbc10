"""The head of a checkpoint's file: what its metadata says, and where each tensor lies. Trusts nothing in it.

A safetensors file is eight bytes that say how long the head is, the head as JSON, then the tensors without a gap.
Everything here is bounded by `MAX_HEADER_BYTES`, whatever the file claims, and read with plain reads: a file that is
mapped into memory ends the process where it is cut short meanwhile. Knows no torch.
"""

from __future__ import annotations

import math
import os
from typing import Annotated, BinaryIO

import msgspec

from engine.protocol import codec

MAX_HEADER_BYTES = 8 * 1024 * 1024
"""A vocabulary of every character that there is takes 2 MB."""
_NUM_BYTES = {"F32": 4, "U8": 1}
"""Of one number, by the types that a checkpoint has; others are in no checkpoint."""
_METADATA = "__metadata__"

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**48)]


class HeaderError(ValueError):
    """The head is not that of any checkpoint; its text says why."""


class TensorSpec(msgspec.Struct, frozen=True):
    """Type, shape and place of one tensor."""

    dtype: str = ""
    shape: Annotated[tuple[_Count, ...], msgspec.Meta(max_length=8)] = ()
    data_offsets: tuple[_Count, _Count] = (0, 0)
    """Its first byte and the one after its last, counted from the end of the head."""

    @property
    def num_bytes(self) -> int:
        """What its shape takes; raises `HeaderError` for a type that no checkpoint has."""
        if self.dtype not in _NUM_BYTES:
            raise HeaderError("it has numbers of a type that no checkpoint has")
        return _NUM_BYTES[self.dtype] * math.prod(self.shape)


class Metadata(msgspec.Struct, frozen=True):
    """The texts that a checkpoint has beside its tensors; empty where one is missing."""

    tweetgen: str = ""
    tweetgen_info_sha256: str = ""
    tweetgen_sha256: str = ""


class _OnlyMetadata(msgspec.Struct, frozen=True):
    """What a head says but for its tensors, which are not kept."""

    metadata: Metadata = msgspec.field(name=_METADATA, default=Metadata())


class Header(msgspec.Struct, frozen=True):
    """The head of a file, checked."""

    metadata: Metadata
    text: bytes
    num_data_bytes: int

    @property
    def data_start(self) -> int:
        """Where the tensors begin in the file."""
        return 8 + len(self.text)

    def places(self) -> dict[str, TensorSpec]:
        """Return where each tensor lies: one after the other, to the end of the file. Raises `HeaderError`."""
        places = _decoded(self.text, dict[str, TensorSpec])
        places.pop(_METADATA, None)
        end = 0
        for place in sorted(places.values(), key=lambda place: place.data_offsets):
            first, last = place.data_offsets
            if first != end or last - first != place.num_bytes:
                raise HeaderError("its tensors overlap, or leave a gap")
            end = last
        if end != self.num_data_bytes:
            raise HeaderError(f"it holds {self.num_data_bytes:,} bytes of tensors where {end:,} were written")
        return places


def read_header(file: BinaryIO) -> Header:
    """Return the head of an open file. Raises `HeaderError`, and `OSError` where it can't be read."""
    num_file_bytes = os.fstat(file.fileno()).st_size
    num_bytes = int.from_bytes(file.read(8), "little")
    if not 2 <= num_bytes <= num_file_bytes - 8:
        raise HeaderError("it is cut off, or no checkpoint")
    if num_bytes > MAX_HEADER_BYTES:
        raise HeaderError(f"its head is {num_bytes:,} bytes long; no checkpoint's is")
    text = file.read(num_bytes)
    if len(text) != num_bytes:
        raise HeaderError("it is cut off")
    return Header(_decoded(text, _OnlyMetadata).metadata, text, num_file_bytes - 8 - num_bytes)


def _decoded(text: bytes, kind: type[codec.Value]) -> codec.Value:
    """Return what the JSON of a head says. Raises `HeaderError`."""
    try:
        return codec.decode(text, kind)
    except codec.DecodeError as error:
        raise HeaderError(f"its head can't be read: {error}") from error

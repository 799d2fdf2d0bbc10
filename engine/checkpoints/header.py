"""The header of a checkpoint file: its metadata, and the offsets of its tensors. Never trusts the file.

A safetensors file is the length of the header in eight bytes, the header as JSON, then the tensors without a gap.
Memory is bounded by `MAX_HEADER_BYTES`, whatever the file claims. Plain reads, no memory map: a mapped file that is
truncated meanwhile kills the process. Never imports torch.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Annotated, BinaryIO

import msgspec

from engine.protocol import codec

MAX_HEADER_BYTES = 8 * 1024 * 1024
"""A vocabulary of all of Unicode takes 2 MB."""
_NUM_BYTES = {"I64": 8, "F32": 4, "U8": 1}
"""Bytes per element, by the dtypes that a checkpoint may have."""
_METADATA = "__metadata__"
_ALIGNMENT = 8

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**48)]


class HeaderError(ValueError):
    """The header is not that of a checkpoint; the message is the reason."""


class TensorSpec(msgspec.Struct, frozen=True):
    """Dtype, shape and offsets of one tensor."""

    dtype: str = ""
    shape: Annotated[tuple[_Count, ...], msgspec.Meta(max_length=8)] = ()
    data_offsets: tuple[_Count, _Count] = (0, 0)
    """Its first byte and the one after its last, from the end of the header."""

    @property
    def num_bytes(self) -> int:
        """Bytes that its shape takes. Raises `HeaderError` on an unsupported dtype."""
        if self.dtype not in _NUM_BYTES:
            raise HeaderError("it has tensors of an unsupported type")
        return _NUM_BYTES[self.dtype] * math.prod(self.shape)


class Metadata(msgspec.Struct, frozen=True):
    """The metadata strings of a checkpoint; empty if missing."""

    tweetgen: str = ""
    tweetgen_info_sha256: str = ""
    tweetgen_sha256: str = ""


class _OnlyMetadata(msgspec.Struct, frozen=True):
    """Decodes the metadata of a header and skips its tensors."""

    metadata: Metadata = msgspec.field(name=_METADATA, default=Metadata())


class Header(msgspec.Struct, frozen=True):
    """A header whose length and metadata were checked."""

    metadata: Metadata
    text: bytes
    num_data_bytes: int

    @property
    def data_start(self) -> int:
        """Offset of the tensors in the file."""
        return 8 + len(self.text)

    def tensors(self) -> dict[str, TensorSpec]:
        """Return the tensors by name, after checking that they fill the file without a gap. Raises `HeaderError`."""
        tensor_specs = _decoded(self.text, dict[str, TensorSpec])
        tensor_specs.pop(_METADATA, None)
        end = 0
        for spec in sorted(tensor_specs.values(), key=lambda spec: spec.data_offsets):
            first, last = spec.data_offsets
            if first != end or last - first != spec.num_bytes:
                raise HeaderError("its tensors overlap, or leave a gap")
            end = last
        if end != self.num_data_bytes:
            raise HeaderError(f"it has {self.num_data_bytes:,} bytes of tensors instead of {end:,}")
        return tensor_specs


def read_header(file: BinaryIO) -> Header:
    """Return the header of an open file. Raises `HeaderError`, and `OSError` if the file can't be read."""
    num_file_bytes = os.fstat(file.fileno()).st_size
    num_bytes = int.from_bytes(file.read(8), "little")
    if not 2 <= num_bytes <= num_file_bytes - 8:
        raise HeaderError("it is truncated, or not a checkpoint")
    if num_bytes > MAX_HEADER_BYTES:
        raise HeaderError(f"its header of {num_bytes:,} bytes is too long")
    text = file.read(num_bytes)
    if len(text) != num_bytes:
        raise HeaderError("it is truncated")
    return Header(_decoded(text, _OnlyMetadata).metadata, text, num_file_bytes - 8 - num_bytes)


def encode_header(metadata: Mapping[str, str], tensor_specs: Mapping[str, TensorSpec]) -> bytes:
    """Return the start of a file up to its tensors; padded, so that they are aligned."""
    text = codec.encode({_METADATA: metadata, **tensor_specs}).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _decoded(text: bytes, kind: type[codec.Value]) -> codec.Value:
    """Decode the JSON of a header. Raises `HeaderError`."""
    try:
        return codec.decode(text, kind)
    except codec.DecodeError as error:
        raise HeaderError(f"its header can't be read: {error}") from error

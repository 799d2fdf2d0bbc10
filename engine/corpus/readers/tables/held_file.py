"""Loads a file whose index is at its end, up to a limit, where it can't be read in place: inside an archive."""

from __future__ import annotations

from typing import BinaryIO

from engine.corpus.types import Source
from engine.errors import CorpusError

MAX_HELD_BYTES = 1 << 30
_CHUNK_BYTES = 1 << 20


def held(file: BinaryIO, source: Source) -> bytearray:
    """Return the rest of a file. Raises `CorpusError` if it is over `MAX_HELD_BYTES`."""
    content = bytearray()
    while block := file.read(_CHUNK_BYTES):
        content += block
        if len(content) > MAX_HELD_BYTES:
            raise CorpusError(
                f"{source.name} is over {MAX_HELD_BYTES >> 20:,} MB, too large to be read as a whole.",
                "Extract it if it is in an archive, or save it as CSV.",
            )
    return content

"""Zip archives as members, read by `zipfile` with bounds. Never extracts to disk."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile
from collections.abc import Callable
from functools import partial

from engine.corpus.files.archive_entries import MAX_ENTRIES, Contents, FoundMember, Listing, Wanted, too_many_files
from engine.corpus.files.byte_stream import BUFFER_BYTES, buffered
from engine.corpus.files.decompress import (
    DECOMPRESSION_ERRORS,
    DecompressedStream,
    DecompressionLimit,
    damaged,
    decompressed,
)
from engine.errors import CorpusError

MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
MAX_LIST_BYTES = 64 << 20
"""Limit of the central directory, which `zipfile` reads at once; 100,000 files take about 10 MB."""
_ENTRY_MAGIC = b"PK\x01\x02"
_ENCRYPTED_FLAG = 0x1


class _BoundedReader(io.BufferedReader):
    """The zip file as `zipfile` sees it: a central directory with too many entries is refused before it is parsed."""

    def __init__(self, shown: str, file: io.BufferedReader) -> None:
        """`shown` is the name of the file in messages."""
        super().__init__(file.detach(), BUFFER_BYTES)
        self._shown = shown

    def read(self, size: int | None = -1, /) -> bytes:
        """Read some bytes. Raises `CorpusError` if they are a directory of too many entries."""
        if size is not None and size > MAX_LIST_BYTES:
            raise too_many_files(self._shown, MAX_ENTRIES)
        data = super().read(MAX_LIST_BYTES if size is None or size < 0 else size)
        if data.count(_ENTRY_MAGIC) > MAX_ENTRIES:
            raise too_many_files(self._shown, MAX_ENTRIES)
        return data


def zip_contents(
    shown: str, open_raw: Callable[[], io.BufferedReader], limit: DecompressionLimit, wanted: Wanted
) -> Contents:
    """Return the wanted members of a zip archive. Raises `CorpusError`."""
    archive = open_zip(shown, open_raw)
    listing = Listing[zipfile.ZipInfo](shown, wanted)
    for info in archive.infolist():
        listing.add(info.filename, info, is_file=not stat.S_ISLNK(info.external_attr >> 16))
    num_bytes = packed_bytes = 0
    for _, info in listing.entries:
        limit.check_ratio(info.file_size, info.compress_size)
        num_bytes += info.file_size
        packed_bytes += info.compress_size
    limit.check_ratio(num_bytes, packed_bytes)
    return listing.contents(
        FoundMember(name, partial(_opened, archive, info, f"{shown}: {name}", limit, number), info.compress_size)
        for number, (name, info) in enumerate(listing.entries)
    )


def open_zip(shown: str, open_raw: Callable[[], io.BufferedReader]) -> zipfile.ZipFile:
    """Open a zip archive; it has no descriptor to close. Raises `CorpusError`."""
    try:
        return zipfile.ZipFile(_BoundedReader(shown, open_raw()))
    except DECOMPRESSION_ERRORS as error:
        raise damaged(shown, "its central directory, at the end of the file, is missing or corrupt") from error


def _opened(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, limit: DecompressionLimit, number: int
) -> io.BufferedReader:
    """Open an entry. Raises `CorpusError`."""
    if info.flag_bits & _ENCRYPTED_FLAG:
        raise CorpusError(f"{name} is encrypted.", "Extract it with its password and give the file in it.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer Pythons warn of overlapping entries; the limit counts them
            entry = archive.open(info)
    except NotImplementedError as error:
        what = f"{name} uses an unsupported zip compression (method {info.compress_type})."
        raise CorpusError(what, "Extract it and give the file in it.") from error
    except DECOMPRESSION_ERRORS as error:
        raise damaged(name, "it is not at its offset in the archive") from error
    file = buffered(DecompressedStream((entry,), "zip", name, limit, (number, -1)))
    return decompressed(file, name, limit, number)

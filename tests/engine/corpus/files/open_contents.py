"""Builds archives in memory, and reads all members of a path."""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import libipld
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from engine.corpus.files.archives import Contents
from engine.corpus.files.members import find
from engine.corpus.files.streams import ReadProgress
from engine.errors import CorpusError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


CAR_ID = b"\x01\x71\x12\x20"
"""The beginning of the id of a block of records."""


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    """Return a tar archive of these files, compressed if `mode` says so."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]  # not a literal mode
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def gzip_of(content: bytes) -> bytes:
    """Return the content in gzip, deterministically."""
    return gzip.compress(content, mtime=0)


def zstd_of(content: bytes, window_log: int = 0) -> bytes:
    """Return the content in zstd with a checksum, as its command line does; `window_log` 31 is `zstd --long=31`."""
    parameter = zstd.CompressionParameter
    compressor = zstd.ZstdCompressor(options={parameter.checksum_flag: 1, parameter.window_log: window_log})
    return compressor.compress(content) + compressor.flush()


def parquet_of(columns: Any, **options: Any) -> bytes:
    """Return a Parquet file with a table, or with the columns of one by name."""
    file = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), file, **options)
    return file.getvalue()


def section_of(content: bytes) -> bytes:
    """Return a section of a repository of Bluesky: its length as a number of 7 bits a byte, and its content."""
    length, number = b"", len(content)
    while number >= 0x80:
        length, number = length + bytes([number & 0x7F | 0x80]), number >> 7
    return length + bytes([number]) + content


def car_of(blocks: Sequence[object], version: int = 1) -> bytes:
    """Return a repository of Bluesky with these blocks, of which the first is the root, and a raw one."""
    encoded = [libipld.encode_dag_cbor(block) for block in blocks]
    ids = [CAR_ID + hashlib.sha256(block).digest() for block in encoded]
    header = libipld.encode_dag_cbor({"roots": ids[:1], "version": version})
    raw = b"\x01\x55\x12\x20" + bytes(32) + b"\xff\xd8 a picture"
    return b"".join(map(section_of, (header, raw, *map(bytes.__add__, ids, encoded))))


def found_in(path: Path) -> Contents:
    """Return the contents of a path, with every file accepted that is no archive."""
    return find(path, ReadProgress(), lambda name: not name.endswith((".zip", ".tar")))


def read_all(path: Path) -> dict[str, bytes]:
    """Return the content of all members at a path, by name."""
    contents: dict[str, bytes] = {}
    for member in found_in(path).members:
        with member.open() as file:
            contents[member.name] = file.read()
    return contents


def error_of(path: Path) -> str:
    """Return the message and the hint of the error of reading a path completely, without its folder."""
    with pytest.raises(CorpusError) as caught:
        read_all(path)
    assert caught.value.hint
    assert str(path) in caught.value.message
    return f"{caught.value.message}\n{caught.value.hint}".replace(f"{path.parent}/", "")

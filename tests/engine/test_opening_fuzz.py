"""Bytes of any kind in, bytes or a `CorpusError` out: nothing else, and no end of memory or time.

Tries 600 inputs: 100 of random bytes, and 100 mutations each of a zip, a tar, and what gzip, bzip2 and xz make of one.
"""

from __future__ import annotations

import bz2
import contextlib
import lzma
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import CorpusError
from tests.engine.opening_helpers import gzip_of, read_all, tar_of, zip_of

FILES = {"a.txt": b"a nice day\n" * 20, "data/b.csv": b"id,text\n1,hello\n", "c.txt.gz": gzip_of(b"hello\n")}
SEEDS = {
    "zip": zip_of(FILES),
    "tar": tar_of(FILES),
    "tar.gz": gzip_of(tar_of(FILES)),
    "tar.bz2": bz2.compress(tar_of(FILES)),
    "tar.xz": lzma.compress(tar_of(FILES)),
}
MAGIC = st.sampled_from([b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08", b"BZh91AY&SY", b"\xfd7zXZ\0", b"\xff\xfe"])


def read_or_refuse(folder: Path, content: bytes) -> None:
    """Fail unless a file with this content gives bytes or a `CorpusError`."""
    path = folder / "fuzz"
    path.write_bytes(content)
    with contextlib.suppress(CorpusError):
        read_all(path)


@settings(max_examples=100)
@given(magic=MAGIC, rest=st.binary(max_size=2000))
def test_random_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, magic: bytes, rest: bytes) -> None:
    read_or_refuse(tmp_path_factory.mktemp("fuzz"), magic + rest)


@pytest.mark.parametrize("seed", SEEDS)
@settings(max_examples=100)
@given(data=st.data())
def test_a_mutated_archive_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, seed: str, data: st.DataObject
) -> None:
    content = bytearray(SEEDS[seed])
    for _ in range(data.draw(st.integers(1, 5))):
        first = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 8))
        content[first : first + length] = data.draw(st.binary(max_size=8))
    read_or_refuse(tmp_path_factory.mktemp("fuzz"), bytes(content))

"""Zip and tar archives are read member by member, within limits, and never write or read outside themselves."""

from __future__ import annotations

import bz2
import hashlib
import io
import lzma
import os
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.corpus.files import archive_entries as entries
from engine.corpus.files import decompress, tars, zips
from tests.engine.corpus.files.open_contents import error_of, found_in, gzip_of, read_all, tar_of, zip_of, zstd_of

FILES = {
    "a.txt": b"one\n" * 50,
    "data/b.csv": b"two\n" + hashlib.shake_128(b"").digest(300_000),
    "data/deep/c.txt": b"three\n",
}
ARCHIVES = {
    "zip": zip_of(FILES),
    "stored zip": zip_of(FILES, zipfile.ZIP_STORED),
    "tar": tar_of(FILES),
    "tar.gz": gzip_of(tar_of(FILES)),
    "tar.bz2": bz2.compress(tar_of(FILES)),
    "tar.xz": lzma.compress(tar_of(FILES)),
    "tar.zst": zstd_of(tar_of(FILES)),
}
archives = pytest.mark.parametrize("archive", ARCHIVES)
KINDS: dict[str, Callable[[dict[str, bytes]], bytes]] = {"zip": zip_of, "tar": tar_of}
kinds = pytest.mark.parametrize("kind", KINDS)


def written(folder: Path, content: bytes) -> Path:
    """Return a new file with this content and no suffix."""
    path = folder / "archive"
    path.write_bytes(content)
    return path


@archives
def test_all_files_of_an_archive_are_read_in_its_order(tmp_path: Path, archive: str) -> None:
    path = written(tmp_path, ARCHIVES[archive])
    assert list(read_all(path).items()) == list(FILES.items())
    assert found_in(path).is_container
    assert os.listdir(tmp_path) == ["archive"]


@archives
def test_members_can_be_opened_in_any_order_and_repeatedly(tmp_path: Path, archive: str) -> None:
    members = {member.name: member for member in found_in(written(tmp_path, ARCHIVES[archive])).members}
    with members["data/b.csv"].open() as outer:
        head = outer.read(6)
        with members["a.txt"].open() as inner:
            assert inner.read() == FILES["a.txt"]
        assert head + outer.read() == FILES["data/b.csv"]
    with members["data/b.csv"].open() as file:
        assert file.readline() == b"two\n"
    with members["data/deep/c.txt"].open() as file:
        assert file.read() == FILES["data/deep/c.txt"]


@archives
def test_a_truncated_archive_is_reported_as_damaged(tmp_path: Path, archive: str) -> None:
    content = ARCHIVES[archive]
    for share in (0.2, 0.6, 0.9):
        assert "damaged" in error_of(written(tmp_path, content[: int(share * len(content))]))


@kinds
def test_compressed_files_in_an_archive_are_decompressed(tmp_path: Path, kind: str) -> None:
    files = {"a.csv.gz": gzip_of(b"hello\n"), "c.csv.zst": zstd_of(b"hi\n")}
    assert read_all(written(tmp_path, KINDS[kind](files))) == {"a.csv.gz": b"hello\n", "c.csv.zst": b"hi\n"}


# What is not read -----------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("name", ["../out.txt", "/etc/passwd", "..\\out.txt", "C:\\out.txt"])
def test_a_path_that_leaves_the_archive_is_reported_and_never_opened(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "out.txt").write_bytes(b"outside\n")
    path = written(tmp_path / "inside", KINDS[kind]({name: b"evil\n", "in.txt": b"good\n"}))
    assert read_all(path) == {"in.txt": b"good\n"}
    assert found_in(path).left_out == (f"{name.replace(chr(92), '/')} (its path leaves the archive)",)


@kinds
def test_hidden_files_are_ignored_and_nested_archives_reported(tmp_path: Path, kind: str) -> None:
    files = {"__MACOSX/a.txt": b"x", "._a.txt": b"x", ".git/a.txt": b"x", "in.zip": zip_of(FILES), "./a.txt": b"good"}
    path = written(tmp_path, KINDS[kind](files))
    assert read_all(path) == {"a.txt": b"good"}
    assert found_in(path).left_out == ("in.zip (an archive inside an archive)",)


def test_links_are_reported_and_never_followed(tmp_path: Path) -> None:
    tar, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.GNUTYPE_SPARSE):
            info = tarfile.TarInfo(f"link-{kind.decode()}.txt")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    with zipfile.ZipFile(zipped, "w") as zip_archive:
        zip_info = zipfile.ZipInfo("link.txt")
        zip_info.external_attr = 0o120777 << 16
        zip_archive.writestr(zip_info, "/etc/passwd")
    for content, num_links in ((tar, 4), (zipped, 1)):
        found = found_in(written(tmp_path, content.getvalue()))
        assert (found.members, len(found.left_out)) == ((), num_links)


# Limits ---------------------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("files", [FILES, dict.fromkeys((".1", ".2", ".3"), b"")], ids=["too many", "hidden"])
def test_an_archive_with_too_many_files_is_refused_even_if_none_would_be_read(
    tmp_path: Path, kind: str, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = [(entries, "MAX_MEMBERS")] if files is FILES else [(zips, "MAX_ENTRIES"), (tars, "MAX_ENTRIES")]
    for module, limit in limits:
        monkeypatch.setattr(module, limit, 2)
    assert "over 2 files" in error_of(written(tmp_path, KINDS[kind](files)))


def test_a_too_large_central_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MAX_LIST_BYTES", 1 << 17)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zip_archive:
        for number in range(3):
            info = zipfile.ZipInfo(f"{number}.txt")
            info.comment = bytes(60_000)
            zip_archive.writestr(info, b"")
    assert "files" in error_of(written(tmp_path, file.getvalue()))


def overlapping() -> bytes:
    """Return a zip archive whose entries are all at the same data."""
    one = zip_of({"0.txt": bytes(1 << 19)})
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    many = one[start:end] * 100
    return one[:start] + many + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 100, 100, len(many), start, 0)


ZEROS = bytes(4 << 20)
BOMBS = {  # a few thousand bytes each
    "zip": zip_of({"a.txt": ZEROS}),
    "gzip in a zip": zip_of({"a.gz": gzip_of(ZEROS)}, zipfile.ZIP_STORED),
    "zstd in a tar": tar_of({"a.zst": zstd_of(ZEROS)}),
    "gzip in a tar": tar_of({"a.gz": gzip_of(ZEROS)}),
    "files of one zip that share their data": overlapping(),
    "many files of a tar": tar_of({f"{number}.gz": gzip_of(bytes(1 << 19)) for number in range(10)}),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_decompression_bomb_is_stopped(tmp_path: Path, bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    assert re.search("far more|not at its offset", error_of(written(tmp_path, BOMBS[bomb])))


# Damage ---------------------------------------------------------------------------------------------------------------


def changed(content: bytes, *changes: tuple[int, int]) -> bytes:
    """Return the content with some bytes, by their places, XORed with a value."""
    data = bytearray(content)
    for place, value in changes:
        data[place] ^= value
    return bytes(data)


def long_header(kind: bytes) -> bytes:
    info = tarfile.TarInfo("a.txt")
    info.type = kind
    info.size = 5 << 20
    return info.tobuf() + bytes(5 << 20)


def negative_length() -> bytes:
    header = bytearray(tarfile.TarInfo("a.txt").tobuf())
    header[124:136] = b"\xff" * 10 + (-1024).to_bytes(2, "big", signed=True)  # base 256, as GNU tar writes it
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) * 3


ONE = zip_of({"a.txt": b"hello"})
LISTED = ONE.index(b"PK\x01\x02")
DAMAGED = {
    "a wrong checksum": changed(ONE, (LISTED + 16, 1)),
    "an unknown compression": changed(ONE, (8, 8 ^ 9), (LISTED + 10, 8 ^ 9)),  # Deflate64
    "an encrypted file": changed(ONE, (6, 1), (LISTED + 8, 1)),
    "an invalid header of a tar": changed(tar_of({"a.txt": b"one", "b.txt": b"two"}), (1024 + 10, 0xFF)),
    "a negative length in a tar": negative_length(),
    "a too long header of a tar": long_header(tarfile.XHDTYPE),
    "a too long name in a tar": long_header(tarfile.GNUTYPE_LONGNAME),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_named(tmp_path: Path, name: str, snapshot: SnapshotAssertion) -> None:
    assert error_of(written(tmp_path, DAMAGED[name])) == snapshot

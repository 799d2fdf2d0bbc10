"""Zip and tar archives: read where they lie, member by member, and never a byte outside them."""

from __future__ import annotations

import bz2
import hashlib
import io
import lzma
import os
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from engine.corpus.opening import Meter, tars, unpacking, zips
from engine.errors import CorpusError
from tests.engine.opening_helpers import error_of, found_in, gzip_of, read_all, tar_of, zip_of

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
}
archives = pytest.mark.parametrize("archive", ARCHIVES)


def written(folder: Path, content: bytes) -> Path:
    """Return a new file with this content, whose name tells nothing."""
    path = folder / "archive"
    path.write_bytes(content)
    return path


# Both -------------------------------------------------------------------------------------------------------------


@archives
def test_all_files_of_an_archive_are_read_in_its_order(tmp_path: Path, archive: str) -> None:
    path = written(tmp_path, ARCHIVES[archive])
    assert list(read_all(path).items()) == list(FILES.items())
    assert found_in(path).is_container
    assert os.listdir(tmp_path) == ["archive"]


@archives
def test_members_are_opened_in_any_order_and_as_often_as_one_likes(tmp_path: Path, archive: str) -> None:
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
@pytest.mark.parametrize("share", [0.2, 0.6, 0.9])
def test_an_archive_that_is_cut_off_is_called_damaged(tmp_path: Path, archive: str, share: float) -> None:
    content = ARCHIVES[archive]
    assert "damaged" in error_of(written(tmp_path, content[: int(share * len(content))])).message


@pytest.mark.parametrize("archive", ["zip", "tar"])
def test_packed_files_in_an_archive_are_unpacked_too(tmp_path: Path, archive: str) -> None:
    files = {"a.csv.gz": gzip_of(b"hello\n"), "b.txt": "hé".encode("utf-16")}
    content = zip_of(files) if archive == "zip" else tar_of(files)
    assert read_all(written(tmp_path, content)) == {"a.csv.gz": b"hello\n", "b.txt": "hé".encode()}


@pytest.mark.parametrize("archive", ["zip", "tar"])
def test_a_bomb_in_an_archive_is_stopped(tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    files = {"a.gz": gzip_of(bytes(4 << 20))}
    content = zip_of(files) if archive == "zip" else tar_of(files)
    assert "far more" in error_of(written(tmp_path, content)).message


@pytest.mark.parametrize("archive", ["zip", "tar"])
@pytest.mark.parametrize("name", ["../out.txt", "/etc/passwd", "a/../../out.txt", "..\\out.txt", "C:\\out.txt"])
def test_a_path_that_leaves_the_archive_is_named_and_never_opened(tmp_path: Path, archive: str, name: str) -> None:
    files = {name: b"evil\n", "in.txt": b"good\n"}
    (tmp_path / "inside").mkdir()
    (tmp_path / "out.txt").write_bytes(b"outside\n")
    path = written(tmp_path / "inside", zip_of(files) if archive == "zip" else tar_of(files))
    assert read_all(path) == {"in.txt": b"good\n"}
    assert found_in(path).left_out == (f"{name.replace(chr(92), '/')} (its path leaves the archive)",)


@pytest.mark.parametrize("archive", ["zip", "tar"])
def test_hidden_files_are_passed_over_and_archives_in_archives_named(tmp_path: Path, archive: str) -> None:
    files = {"__MACOSX/a.txt": b"x", "._a.txt": b"x", ".git/a.txt": b"x", "in.zip": zip_of(FILES), "./a.txt": b"good"}
    path = written(tmp_path, zip_of(files) if archive == "zip" else tar_of(files))
    assert read_all(path) == {"a.txt": b"good"}
    assert found_in(path).left_out == ("in.zip (an archive inside an archive)",)


@pytest.mark.parametrize("archive", ["zip", "tar"])
def test_an_archive_of_countless_files_is_refused(
    tmp_path: Path, archive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (tars, zips):
        monkeypatch.setattr(module, "MAX_MEMBERS", 2)
    path = written(tmp_path, zip_of(FILES) if archive == "zip" else tar_of(FILES))
    assert "over 2 files" in error_of(path).message


@pytest.mark.parametrize("archive", ["tar.gz", "tar.xz"])
def test_a_packed_tar_whose_last_bytes_are_wrong_is_damaged(tmp_path: Path, archive: str) -> None:
    content = bytearray(ARCHIVES[archive])
    content[-6] ^= 1
    assert "do not add up" in error_of(written(tmp_path, bytes(content))).message


@archives
def test_reading_an_archive_moves_the_meter_to_its_end(tmp_path: Path, archive: str) -> None:
    meter = Meter()
    members = found_in(written(tmp_path, ARCHIVES[archive]), meter).members
    meter.expect(sum(member.raw_bytes for member in members))
    shares = []
    for member in members:
        meter.begin(member.raw_bytes)
        with member.open() as file:
            file.read()
        shares.append(meter.share)
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] > 0.9


# Zip --------------------------------------------------------------------------------------------------------------


def test_a_zip_without_files_has_no_members(tmp_path: Path) -> None:
    assert found_in(written(tmp_path, zip_of({}))).members == ()


def test_an_entry_of_a_zip_without_a_name_is_passed_over(tmp_path: Path) -> None:
    content = zip_of({"a": b"hello"}).replace(b"a", b"\0")  # zipfile ends a name at a NUL
    assert read_all(written(tmp_path, content)) == {}


def test_an_encrypted_file_in_a_zip_is_told(tmp_path: Path) -> None:
    content = bytearray(zip_of({"a.txt": b"hello"}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    error = error_of(written(tmp_path, bytes(content)))
    assert "a.txt is encrypted" in error.message
    assert "password" in error.hint


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_rare_way_to_pack_a_zip_is_told(tmp_path: Path, method: int) -> None:
    assert f"zip method {method}" in error_of(written(tmp_path, zip_of(FILES, method))).message


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_wrong_checksum_in_a_zip_is_found(tmp_path: Path, method: int) -> None:
    content = bytearray(zip_of({"a.txt": b"hello"}, method))
    content[content.index(b"PK\x01\x02") + 16] ^= 1
    assert "length or checksum is wrong" in error_of(written(tmp_path, bytes(content))).message


def test_a_file_in_a_zip_that_is_longer_than_told_is_found(tmp_path: Path) -> None:
    content = bytearray(zip_of({"a.txt": b"hello" * 100}))
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 5)
    assert "length or checksum is wrong" in error_of(written(tmp_path, bytes(content))).message


def test_entries_of_a_zip_that_share_their_data_count_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    monkeypatch.setattr(unpacking, "MAX_RATIO", 20)
    one = zip_of({"0.txt": os.urandom(1 << 19)}, zipfile.ZIP_STORED)
    start = one.index(b"PK\x01\x02")
    directory = one[start : one.index(b"PK\x05\x06")]
    many = b"".join(directory.replace(b"0.txt", b"%05d" % number) for number in range(100))
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 100, 100, len(many), start, 0)
    path = written(tmp_path, one[:start] + many + end)
    assert len(found_in(path).members) == 100
    assert "far more" in error_of(path).message


def test_a_link_in_a_zip_is_never_followed(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        info = zipfile.ZipInfo("link.txt")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    path = written(tmp_path, file.getvalue())
    assert read_all(path) == {}
    assert found_in(path).left_out == ("link.txt (a link)",)


def test_a_list_of_entries_too_long_to_be_real_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "_MAX_DIRECTORY_BYTES", 100)
    assert "its list of entries" in error_of(written(tmp_path, ARCHIVES["zip"])).message


# Tar --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_and_devices_in_a_tar_are_named_and_never_followed(tmp_path: Path, kind: bytes) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("link.txt")
        info.type = kind
        info.linkname = "/etc/passwd"
        archive.addfile(info)
    path = written(tmp_path, file.getvalue())
    assert read_all(path) == {}
    assert found_in(path).left_out == ("link.txt (a link or device)",)


def test_an_old_tar_without_a_magic_word_is_known_by_its_checksum(tmp_path: Path) -> None:
    header = bytearray(tar_of({"a.txt": b"hello"})[:512])
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert read_all(written(tmp_path, bytes(header) + b"hello".ljust(512, b"\0"))) == {"a.txt": b"hello"}


def test_a_tar_header_that_makes_no_sense_is_no_end_of_the_archive(tmp_path: Path) -> None:
    content = bytearray(tar_of({"a.txt": b"one", "b.txt": b"two"}))
    content[1024 + 10] ^= 0xFF
    assert "no tar header" in error_of(written(tmp_path, bytes(content))).message


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_tar_header_that_would_fill_the_memory_is_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("a.txt")
    info.type = kind
    info.size = 50 << 20
    content = gzip_of(info.tobuf() + bytes(50 << 20))
    assert "too long" in error_of(written(tmp_path, content)).message


def test_a_tar_header_with_a_negative_length_ends_nothing_in_a_loop(tmp_path: Path) -> None:
    header = bytearray(tarfile.TarInfo("a.txt").tobuf())
    header[124:136] = b"\xff" * 10 + (-1024).to_bytes(2, "big", signed=True)  # base 256, as GNU tar writes it
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    assert "points back" in error_of(written(tmp_path, bytes(header) * 3)).message


def test_a_packed_tar_of_many_files_is_unpacked_once_while_they_are_read_in_order(tmp_path: Path) -> None:
    meter = Meter()
    path = written(tmp_path, gzip_of(tar_of({f"{number:03}.txt": os.urandom(3000) for number in range(300)})))
    members = found_in(path, meter).members
    meter.expect(3 * path.stat().st_size)
    meter.begin(3 * path.stat().st_size)
    for member in members:
        with member.open() as file:
            file.read(100)
    assert meter.read_bytes <= path.stat().st_size


def test_a_member_of_an_archive_that_changed_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, ARCHIVES["tar"])
    members = found_in(path).members
    path.write_bytes(ARCHIVES["tar"] + bytes(512))
    with pytest.raises(CorpusError, match="changed while it was read"):
        members[0].open()

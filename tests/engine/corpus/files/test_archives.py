"""Files are found and read, compressed, in folders and in archives, within limits; what is damaged is an error."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import lzma
import os
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.corpus.files import archives, members, streams
from engine.corpus.files.members import content_hash
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import error_of, found_in, gzip_of, read_all, tar_of, zip_of, zstd_of
from tests.engine.corpus.reading import write

TEXT = "".join(f"a nice day, number {number}\n" for number in range(2000)).encode()
FILES = {
    "a.txt": b"one\n" * 50,
    "data/b.csv": b"two\n" + hashlib.shake_128(b"").digest(300_000),
    "data/deep/c.txt": b"three\n",
}
Pack = Callable[[bytes], bytes]
PACKERS: dict[str, Pack] = {"gzip": gzip_of, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd_of}
ARCHIVES = {
    "zip": zip_of(FILES),
    "stored zip": zip_of(FILES, zipfile.ZIP_STORED),
    "tar": tar_of(FILES),
    **{f"tar in {name}": pack(tar_of(FILES)) for name, pack in PACKERS.items()},
}
KINDS: dict[str, Callable[[dict[str, bytes]], bytes]] = {"zip": zip_of, "tar": tar_of}
kinds = pytest.mark.parametrize("kind", KINDS)


def written(folder: Path, content: bytes, name: str = "archive") -> Path:
    """Return a new file with this content."""
    return write(folder, {name: content}) / name


@pytest.mark.parametrize("archive", ARCHIVES)
def test_files_of_an_archive_are_read_in_any_order_and_its_truncation_named(tmp_path: Path, archive: str) -> None:
    content = ARCHIVES[archive]
    path = written(tmp_path, content)
    assert list(read_all(path).items()) == list(FILES.items())
    assert found_in(path).is_container
    assert os.listdir(tmp_path) == ["archive"]
    members = {member.name: member for member in found_in(path).members}
    with members["data/b.csv"].open() as outer:
        line = outer.readline()
        assert line == b"two\n"
        with members["a.txt"].open() as inner:
            assert inner.read() == FILES["a.txt"]
        assert line + outer.read() == FILES["data/b.csv"]
    with members["data/deep/c.txt"].open() as file:
        assert file.read() == FILES["data/deep/c.txt"]
    for share in (0.2, 0.6, 0.9):
        assert "damaged" in error_of(written(tmp_path, content[: int(share * len(content))]))


@pytest.mark.parametrize("packer", PACKERS)
def test_compression_is_detected_by_content_and_damage_to_it_named(tmp_path: Path, packer: str) -> None:
    pack = PACKERS[packer]
    several = pack(TEXT) + pack(b"") + pack(b"the end\n")
    assert read_all(written(tmp_path, several, "tweets.dat")) == {"tweets.dat": TEXT + b"the end\n"}
    long = pack(os.urandom(5000).hex().encode())
    for share in (0.3, 0.9, 0.999):
        error = error_of(written(tmp_path, long[: int(share * len(long))]))
        assert f"its {packer} data are truncated" in error
    middle = len(pack(TEXT)) // 2
    assert "damaged" in error_of(written(tmp_path, changed(pack(TEXT), (middle, 0xFF))))
    if packer == "zstd":  # with a skippable frame in front, and the largest window
        skippable = b"\x5a\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"any"
        assert read_all(written(tmp_path, skippable + zstd_of(TEXT, window_log=31))) == {"archive": TEXT}


@kinds
@pytest.mark.parametrize("name", ["../out.txt", "/etc/passwd", "..\\out.txt", "C:\\out.txt"])
def test_a_path_that_leaves_the_archive_is_reported_and_never_opened(tmp_path: Path, kind: str, name: str) -> None:
    write(tmp_path, {"out.txt": b"outside\n"})
    path = written(tmp_path / "inside", KINDS[kind]({name: b"evil\n", "in.txt": b"good\n"}))
    assert read_all(path) == {"in.txt": b"good\n"}
    assert found_in(path).skipped == [f"{name.replace(chr(92), '/')} (its path leaves the archive)"]


@kinds
def test_compressed_files_are_decompressed_hidden_ones_ignored_and_archives_reported(tmp_path: Path, kind: str) -> None:
    files = {"__MACOSX/a.txt": b"x", "._a.txt": b"x", ".git/a.txt": b"x", "in.zip": zip_of(FILES), "./a.txt": b"good"}
    files |= {"a.csv.gz": gzip_of(b"hello\n"), "c.csv.zst": zstd_of(b"hi\n")}
    path = written(tmp_path, KINDS[kind](files))
    assert read_all(path) == {"a.txt": b"good", "a.csv.gz": b"hello\n", "c.csv.zst": b"hi\n"}
    assert found_in(path).skipped == ["in.zip (an archive inside an archive)"]


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
        assert (found.members, len(found.skipped)) == ([], num_links)


# Limits and damage ----------------------------------------------------------------------------------------------------


def overlapping() -> bytes:
    """Return a zip archive whose entries are all at the same data."""
    one = zip_of({"0.txt": bytes(1 << 19)})
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    many = one[start:end] * 100
    return one[:start] + many + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 100, 100, len(many), start, 0)


def changed(content: bytes, *changes: tuple[int, int]) -> bytes:
    """Return the content with some bytes, by their places, XORed with a value."""
    data = bytearray(content)
    for place, value in changes:
        data[place] ^= value
    return bytes(data)


def long_header(kind: bytes) -> bytes:
    info = tarfile.TarInfo("a.txt")
    info.type, info.size = kind, 5 << 20
    return info.tobuf() + bytes(5 << 20)


def negative_length() -> bytes:
    header = bytearray(tarfile.TarInfo("a.txt").tobuf())
    header[124:136] = b"\xff" * 10 + (-1024).to_bytes(2, "big", signed=True)  # base 256, as GNU tar writes it
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) * 3


HIDDEN = dict.fromkeys((".1", ".2", ".3"), b"")
ZEROS = bytes(4 << 20)
NOISE = hashlib.shake_128(b"").digest(1 << 19)
"""It does not compress: a bomb with it is within the limit for the whole file."""
ONE = zip_of({"a.txt": b"hello"})
LISTED = ONE.index(b"PK\x01\x02")
BOMB = (streams, "ALWAYS_ALLOWED_BYTES", 1 << 20)
UNREADABLE: dict[str, tuple[bytes, *tuple[tuple[Any, str, int], ...]]] = {  # a content, and limits that are lowered
    "too many files in a zip": (zip_of(FILES), (archives, "MAX_MEMBERS", 2)),
    "too many files in a tar": (tar_of(FILES), (archives, "MAX_MEMBERS", 2)),
    "too many hidden files in a zip": (zip_of(HIDDEN), (archives, "MAX_ENTRIES", 2)),
    "too many hidden files in a tar": (tar_of(HIDDEN), (archives, "MAX_ENTRIES", 2)),
    "a too large central directory": (zip_of(FILES), (archives, "MAX_LIST_BYTES", 100)),
    "zstd that needs more memory than there is": (zstd_of(TEXT, window_log=27), (streams, "_ZSTD_WINDOW_LOG", 20)),
    "more than any file may unpack to, but no bomb": (gzip_of(TEXT), (streams, "MAX_DECOMPRESSED_BYTES", 1000)),
    "four layers of compression": (gzip_of(gzip_of(gzip_of(gzip_of(TEXT)))),),
    "a bomb: zip": (zip_of({"a.txt": ZEROS}), BOMB),
    "a bomb: gzip in a zip": (zip_of({"a.gz": gzip_of(ZEROS)}, zipfile.ZIP_STORED), BOMB),
    "a bomb: zstd in a tar": (tar_of({"a.zst": zstd_of(ZEROS)}), BOMB),
    "a bomb: gzip in a tar": (tar_of({"a.gz": gzip_of(ZEROS)}), BOMB),
    "a bomb: many files of a tar": (tar_of({f"{n}.gz": gzip_of(bytes(1 << 19)) for n in range(10)}), BOMB),
    "a bomb: between two layers": (gzip_of(gzip_of(b"") * 400_000), BOMB),  # 8 MB that decompress to nothing
    "a bomb: the first part of a gzip": (gzip_of(ZEROS * 2 + NOISE), BOMB, (streams, "MAX_RATIO", 20)),
    "a bomb: a file of a tar": (
        tar_of({"a.txt": ZEROS * 2, "b.txt": NOISE}, "w:gz"),
        BOMB,
        (streams, "MAX_RATIO", 20),
    ),
    "a bomb: a file of a zip": (zip_of({"a.txt": ZEROS, "b.txt": NOISE}), BOMB),
    "a bomb: many files of a zip": (zip_of({"b.tar": NOISE, **dict.fromkeys("123456789", ZEROS[: 1 << 20])}), BOMB),
    "a wrong checksum": (changed(ONE, (LISTED + 16, 1)),),
    "an unknown compression": (changed(ONE, (8, 8 ^ 9), (LISTED + 10, 8 ^ 9)),),  # Deflate64
    "an encrypted file": (changed(ONE, (6, 1), (LISTED + 8, 1)),),
    "an invalid header of a tar": (changed(tar_of({"a.txt": b"one", "b.txt": b"two"}), (1024 + 10, 0xFF)),),
    "a negative length in a tar": (negative_length(),),
    "a too long header of a tar": (long_header(tarfile.XHDTYPE),),
    "a too long name in a tar": (long_header(tarfile.GNUTYPE_LONGNAME),),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_damaged_or_beyond_a_limit_is_named(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    content, *limits = UNREADABLE[name]
    for module, limit, value in limits:
        monkeypatch.setattr(module, limit, value)
    found = re.sub(r"over \d MB", "over N MB", error_of(written(tmp_path, content)))  # by what Python reads at once
    assert found.replace("invalid offset", "a header points back") == snapshot  # newer Pythons refuse it themselves


def test_files_of_one_zip_that_share_their_data_are_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*BOMB)
    assert re.search("far more|not at its offset", error_of(written(tmp_path, overlapping())))  # newer Pythons refuse


def test_even_indented_json_of_an_api_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "ALWAYS_ALLOWED_BYTES", 1 << 17)
    post = {f"field_{number}": None for number in range(40)}
    texts = [hashlib.sha256(b"%d" % number).hexdigest()[:20] for number in range(300)]  # no text compresses less
    text = json.dumps([{**post, "text": each} for each in texts], indent=4).encode()
    assert len(text) > 50 * len(lzma.compress(text))
    for pack in PACKERS.values():
        assert read_all(written(tmp_path, pack(text))) == {"archive": text}


REFUSE = mock.Mock(side_effect=PermissionError(13, "Permission denied"))
"""Refuses as a system does; permissions do not stop root, who may run the tests."""


def test_what_is_no_regular_readable_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a\0b", "x" * 300, "\ud800"):
        with pytest.raises(CorpusError, match="can't be read"):
            read_all(tmp_path / name)
    assert "is a device or socket" in error_of(Path("/dev/zero"))
    os.mkfifo(tmp_path / "pipe")
    assert re.search("is a pipe.*--data -", error_of(tmp_path / "pipe"), re.DOTALL)
    path = written(tmp_path, TEXT)
    monkeypatch.setattr(os, "open", REFUSE)
    assert re.search("Permission denied.*\nCheck its permissions.$", error_of(path))


def rewrite(path: Path) -> None:
    path.write_bytes(TEXT.upper() * 20)
    os.utime(path, ns=(1, 1))  # the clock may not have moved


CHANGES: dict[str, Callable[[Path], object]] = {
    "grows": lambda path: path.write_bytes(TEXT * 21),
    "shrinks": lambda path: os.truncate(path, 100),
    "is rewritten": rewrite,
}


@pytest.mark.parametrize("change", [*CHANGES, "fails"])
def test_a_file_that_changes_meanwhile_is_an_error(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, TEXT * 20)
    (member,) = found_in(path).members
    with member.open() as file:
        file.read(10)
        if change == "fails":
            monkeypatch.setattr(os, "pread", mock.Mock(side_effect=OSError(5, "Input/output error")))
        else:
            CHANGES[change](path)
        reason = "can't be read: Input/output error" if change == "fails" else "changed while it was read"
        with pytest.raises(CorpusError, match=reason):
            file.read()


def test_all_files_below_a_folder_that_are_not_hidden_are_found_sorted_and_archives_opened(tmp_path: Path) -> None:
    files = {"a.txt": b"1", "b/a/c.txt": b"2", "b/b.txt": b"3", "z.txt": b"4"}
    write(tmp_path, {**files, ".hidden.txt": b"x", ".git/b.txt": b"x"})
    assert list(read_all(tmp_path).items()) == list(files.items())
    archives = {"a.zip": zip_of({"in.txt": b"1"}), "b/c.tar": tar_of({"../out.txt": b"x", "in.txt": b"2"})}
    folder = write(tmp_path / "archives", archives)
    assert read_all(folder) == {"a.zip/in.txt": b"1", "b/c.tar/in.txt": b"2"}
    assert found_in(folder).skipped == ["b/c.tar/../out.txt (its path leaves the archive)"]


def test_links_are_followed_within_a_folder_and_each_file_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"folder/a/b.txt": b"1", "outside/in/secret.txt": b"x"})
    folder, outside = tmp_path / "folder", tmp_path / "outside"
    inside: dict[str, str | Path] = {"up": folder, "itself": "itself", "nowhere": "absent", "link.txt": "b.txt"}
    for name, target in (inside | {"out": outside, "out.txt": outside / "in/secret.txt", "up.txt": "out.txt"}).items():
        (folder / "a" / name).symlink_to(target)
    os.link(folder / "a" / "b.txt", folder / "c.txt")
    (tmp_path / "other").symlink_to("folder")
    for path in (folder, tmp_path / "other", folder / "a" / "up"):
        assert read_all(path) == {"a/b.txt": b"1"}
        skipped = [f"a/{name} (a link that leaves the folder: give its target)" for name in ("out", "out.txt")]
        assert found_in(path).skipped == skipped


@pytest.mark.parametrize("limit", ["MAX_ENTRIES", "MAX_MEMBERS", "MAX_MEMBERS in a zip"])
def test_a_folder_with_too_many_files_is_refused_before_the_first_is_opened(
    tmp_path: Path, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{number}.txt": b"x" for number in range(4)}
    is_zip = limit.endswith("zip")
    write(tmp_path, {"in.zip": zip_of(files)} if is_zip else {f"a/{name}": b"x" for name in files})
    monkeypatch.setattr(members, limit.partition(" ")[0], 3)
    if not is_zip:
        monkeypatch.setattr(os, "open", None)
    assert "over 3 files" in error_of(tmp_path)


def test_a_folder_without_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"a/b.txt": b"1", "c.txt": b"2"})
    list_folder = os.listdir
    monkeypatch.setattr(os, "listdir", lambda path: REFUSE() if path.name == "a" else list_folder(path))
    assert "Permission denied" in error_of(tmp_path / "a")
    assert found_in(tmp_path).skipped == ["a (a folder that can't be listed)"]
    assert read_all(tmp_path) == {"c.txt": b"2"}


def test_the_content_hash_differs_between_contents_and_ignores_other_files(tmp_path: Path) -> None:
    files, other = ({"a.txt": b"one\n", "b/c.txt": content} for content in (b"two\n", b"2wo\n"))
    write(tmp_path, {"text": b"one\n", "other": b"One\n", "zip": zip_of(files), "other zip": zip_of(other)})
    write(tmp_path, {"tar": tar_of(files), "a damaged zip": zip_of(files)[:-5]})
    for name, inside in {"folder": files, "other folder": other, "renamed": {"z.txt": b"one\n", **files}}.items():
        write(tmp_path / name, inside)
    names = os.listdir(tmp_path)
    assert len({content_hash(tmp_path / name, lambda _: True) for name in names}) == len(names)
    before = content_hash(tmp_path / "folder", lambda name: name.endswith(".txt"))
    write(tmp_path / "folder", {"photo.jpg": b"x", ".hidden.txt": b"x"})
    assert content_hash(tmp_path / "folder", lambda name: name.endswith(".txt")) == before

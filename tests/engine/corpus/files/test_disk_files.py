"""Files are opened compressed or not and in any Unicode encoding; damaged or changing ones are errors."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from engine.corpus.files import decompress
from engine.errors import CorpusError
from tests.engine.corpus.files.open_contents import error_of, found_in, gzip_of, read_all, zstd_of
from tests.engine.corpus.reading import PACKERS

TEXT = "".join(f"a nice day, number {number}\n" for number in range(2000)).encode()
packers = pytest.mark.parametrize("packer", PACKERS)


def written(folder: Path, content: bytes, name: str = "tweets.txt") -> Path:
    """Return a new file with this content."""
    path = folder / name
    path.write_bytes(content)
    return path


# Compressed -----------------------------------------------------------------------------------------------------------


@packers
def test_compression_is_detected_by_content_not_by_name(tmp_path: Path, packer: str) -> None:
    assert read_all(written(tmp_path, PACKERS[packer](TEXT), "tweets.dat")) == {"tweets.dat": TEXT}


@packers
def test_concatenated_compressed_files_are_read_completely(tmp_path: Path, packer: str) -> None:
    content = PACKERS[packer](TEXT) + PACKERS[packer](b"") + PACKERS[packer](b"the end\n")
    assert read_all(written(tmp_path, content)) == {"tweets.txt": TEXT + b"the end\n"}


def test_zstd_data_with_the_largest_window_and_a_skippable_frame_in_front_are_read(tmp_path: Path) -> None:
    skippable = b"\x5a\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"any"
    assert read_all(written(tmp_path, skippable + zstd_of(TEXT, window_log=31))) == {"tweets.txt": TEXT}


def test_zstd_data_that_need_more_memory_than_there_is_are_not_called_corrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decompress, "_ZSTD_WINDOW_LOG", 20)
    assert "needs more memory" in error_of(written(tmp_path, zstd_of(TEXT, window_log=27)))


def test_a_file_over_the_limit_of_all_files_is_not_called_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decompress, "MAX_DECOMPRESSED_BYTES", 1000)
    error = error_of(written(tmp_path, gzip_of(TEXT)))
    assert "too much to be read" in error
    assert "bomb" not in error


def test_too_many_layers_of_compression_are_refused(tmp_path: Path) -> None:
    content = TEXT
    for _ in range(decompress.MAX_LAYERS + 1):
        content = gzip_of(content)
    assert "compressed more than 3 times" in error_of(written(tmp_path, content))


@packers
def test_a_truncated_compressed_file_is_reported(tmp_path: Path, packer: str) -> None:
    content = PACKERS[packer](os.urandom(5000).hex().encode())
    for share in (0.3, 0.9, 0.999):
        error = error_of(written(tmp_path, content[: int(share * len(content))]))
        assert f"its {packer} data are truncated" in error


@packers
def test_a_flipped_byte_in_a_compressed_file_is_detected(tmp_path: Path, packer: str) -> None:
    content = bytearray(PACKERS[packer](TEXT))
    content[len(content) // 2] ^= 0xFF
    assert "damaged" in error_of(written(tmp_path, bytes(content)))


def test_a_bomb_between_two_layers_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "ALWAYS_ALLOWED_BYTES", 1 << 20)
    nothing_often = gzip_of(b"") * 400_000  # 8 MB that decompress to nothing
    assert "far more" in error_of(written(tmp_path, gzip_of(nothing_often)))


# Not regular files, and changing files --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a\0b", "x" * 300, "\ud800"])
def test_an_invalid_file_name_is_reported(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match="can't be read"):
        read_all(tmp_path / name)


def test_a_file_without_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, TEXT)
    monkeypatch.setattr(os, "open", refuse)  # permissions do not stop root, who may run the tests
    error = error_of(path)
    assert "Permission denied" in error
    assert error.endswith("\nCheck its permissions.")


def refuse(*_: object) -> NoReturn:
    raise PermissionError(13, "Permission denied")


def test_a_failing_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError(5, "Input/output error")

    (member,) = found_in(written(tmp_path, TEXT * 20)).members
    with member.open() as file:
        monkeypatch.setattr(os, "pread", fail)
        with pytest.raises(CorpusError, match="can't be read: Input/output error"):
            file.read()


def test_a_device_is_never_read() -> None:
    assert "is a device or socket" in error_of(Path("/dev/zero"))


def test_a_pipe_without_a_writer_is_refused_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    error = error_of(tmp_path / "pipe")
    assert "is a pipe" in error
    assert "--data -" in error


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten"])
def test_a_file_that_changes_while_it_is_read_is_an_error_and_not_a_strange_tweet(tmp_path: Path, change: str) -> None:
    path = written(tmp_path, TEXT * 20)
    (member,) = found_in(path).members
    with member.open() as file:
        file.read(10)
        match change:
            case "grows":
                path.write_bytes(TEXT * 21)
            case "shrinks":
                os.truncate(path, 100)
            case _:
                path.write_bytes(TEXT.upper() * 20)
                os.utime(path, ns=(1, 1))  # the clock may not have moved
        with pytest.raises(CorpusError, match="changed while it was read"):
            file.read()

"""The one way a file is written: at any moment it is whole, the old one or the new one, whatever breaks."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.folders import write_atomically

ROOT = Path(__file__).parents[2]
OLD, NEW = b"old " * 100, b"new " * 5000


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file with old content in a folder of its own."""
    path = tmp_path / "folder" / "file.bin"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def assert_untouched(target: Path) -> None:
    """The old file is whole and nothing lies beside it."""
    assert target.read_bytes() == OLD
    assert list(target.parent.iterdir()) == [target]


def raising(error: BaseException) -> Callable[..., None]:
    """Return a function that raises `error` whatever it is called with."""

    def broken(*_: object, **__: object) -> None:
        raise error

    return broken


@contextlib.contextmanager
def files_end_at(num_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond `num_bytes`, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_new_content_takes_the_place_of_the_old(target: Path) -> None:
    write_atomically(target, NEW)
    assert target.read_bytes() == NEW
    assert list(target.parent.iterdir()) == [target]


def test_folders_that_are_missing_are_made(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b" / "file.bin", NEW)
    assert (tmp_path / "a" / "b" / "file.bin").read_bytes() == NEW


def test_a_disk_that_is_full_while_writing_leaves_the_old_file_whole(target: Path) -> None:
    with files_end_at(1000), pytest.raises(StorageError) as caught:
        write_atomically(target, NEW)
    assert str(target) in caught.value.message
    assert_untouched(target)


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_failure_before_the_rename_leaves_the_old_file_whole(
    target: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    monkeypatch.setattr(os, call, raising(OSError(code, os.strerror(code))))
    with pytest.raises(StorageError, match=os.strerror(code)) as caught:
        write_atomically(target, NEW)
    assert str(target) in caught.value.message
    assert "TWEETGEN_HOME" in caught.value.hint
    assert_untouched(target)


def test_an_interrupt_leaves_the_old_file_whole_and_is_not_swallowed(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, NEW)
    assert_untouched(target)


def test_a_process_killed_before_the_rename_leaves_the_old_file_whole(target: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from engine.folders import write_atomically;"
        "os.replace = lambda *_: os.kill(os.getpid(), 9);"
        "write_atomically(Path(sys.argv[1]), b'new')"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, str(target)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        timeout=60,
        capture_output=True,
    )
    assert process.returncode == -9, process.stderr
    assert target.read_bytes() == OLD
    assert all(path == target or path.suffix == ".tmp" for path in target.parent.iterdir())


def test_content_is_on_the_disk_before_it_gets_its_name(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    sync, rename = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        calls.append("sync folder" if stat.S_ISDIR(status.st_mode) else f"sync {status.st_size} bytes")
        sync(descriptor)

    def replace(source: str, destination: Path) -> None:
        calls.append("rename")
        rename(source, destination)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_atomically(target, NEW)
    assert calls == [f"sync {len(NEW)} bytes", "rename", "sync folder"]


def test_a_file_system_that_cannot_sync_folders_still_saves(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(target, NEW)
    assert target.read_bytes() == NEW


@pytest.mark.parametrize("in_the_way", ["folder", "folder/sub"])
def test_a_file_where_a_folder_should_be_is_a_storage_error(tmp_path: Path, in_the_way: str) -> None:
    obstacle = tmp_path / in_the_way
    obstacle.parent.mkdir(exist_ok=True)
    obstacle.write_bytes(OLD)
    with pytest.raises(StorageError):
        write_atomically(tmp_path / "folder" / "sub" / "file.bin", NEW)
    assert obstacle.read_bytes() == OLD


def test_a_folder_where_the_file_should_be_is_a_storage_error_that_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file.bin").mkdir()
    with pytest.raises(StorageError):
        write_atomically(tmp_path / "file.bin", NEW)
    assert list(tmp_path.iterdir()) == [tmp_path / "file.bin"]

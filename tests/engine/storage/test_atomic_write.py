"""A file is written atomically: whatever fails, it has the old content or the new."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.storage.atomic_write import remove_stale_temporaries, write_atomically
from engine.storage.folders import find_run
from tests.engine.helpers import resume_config, run_session, stop_at, tiny_config, write_corpus

OLD, NEW = b"old " * 100, b"new " * 5000


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file with old content in a folder of its own."""
    path = tmp_path / "folder" / "file.bin"
    path.parent.mkdir()
    path.write_bytes(OLD)
    return path


def assert_untouched(target: Path) -> None:
    """Assert that the file has its old content and is alone in its folder."""
    assert target.read_bytes() == OLD
    assert list(target.parent.iterdir()) == [target]


def raising(error: BaseException) -> Callable[..., None]:
    """Return a function that raises `error` for any arguments."""

    def broken(*_: object, **__: object) -> None:
        raise error

    return broken


def test_the_new_content_replaces_the_old_after_fsync(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert target.read_bytes() == NEW
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "Free some space or set TWEETGEN_HOME"),
        (errno.EACCES, "Change the permissions or set TWEETGEN_HOME"),
        (errno.EROFS, "Set TWEETGEN_HOME"),
    ],
)
def test_a_failure_before_the_rename_leaves_the_old_content_and_a_hint(
    target: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, remedy: str
) -> None:
    monkeypatch.setattr(os, call, raising(OSError(code, os.strerror(code))))
    with pytest.raises(StorageError, match=os.strerror(code)) as caught:
        write_atomically(target, NEW)
    assert str(target) in caught.value.message
    assert caught.value.hint.startswith(remedy)
    assert_untouched(target)


def test_an_interrupt_is_not_swallowed_and_leaves_the_old_content_alone(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, NEW)
    assert_untouched(target)


def test_a_kill_before_the_rename_leaves_the_old_content_and_a_file_that_is_removed_later(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:  # nothing is cleaned up
        killed.setattr(os, "replace", raising(KeyboardInterrupt()))
        killed.setattr(os, "unlink", raising(OSError(errno.EIO, os.strerror(errno.EIO))))
        with pytest.raises(KeyboardInterrupt):
            write_atomically(target, NEW)
    assert target.read_bytes() == OLD
    assert len(list(target.parent.iterdir())) == 2
    remove_stale_temporaries(target.parent, 0.0)
    assert_untouched(target)


def test_a_file_system_that_cannot_sync_folders_still_saves(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_atomically(target, NEW)
    assert target.read_bytes() == NEW


def test_a_file_or_folder_in_the_way_is_a_storage_error_that_leaves_nothing_behind(target: Path) -> None:
    with pytest.raises(StorageError):
        write_atomically(target / "sub" / "file.bin", NEW)
    (target.parent / "folder.bin").mkdir()
    with pytest.raises(StorageError):
        write_atomically(target.parent / "folder.bin", NEW)
    assert {path.name for path in target.parent.iterdir()} == {"file.bin", "folder.bin"}


def left(folder: Path, name: str, age_seconds: float = 0.0) -> Path:
    """Return a temporary file of this age."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(b"half of it")
    os.utime(path, (time.time() - age_seconds,) * 2)
    return path


def test_only_temporary_files_are_removed_and_young_ones_only_on_request(tmp_path: Path) -> None:
    left(tmp_path, ".old.safetensors.zzzzzzz1.tmp", 2 * 3600.0)
    young = left(tmp_path, ".young.safetensors.a1b2c3d4.tmp")
    others = {left(tmp_path, name, 1e6) for name in ("latest.safetensors", ".hidden", ".x.tmp", "notes.tmp")}
    remove_stale_temporaries(tmp_path)
    assert set(tmp_path.iterdir()) == {*others, young}
    remove_stale_temporaries(tmp_path, 0.0)
    assert set(tmp_path.iterdir()) == others
    remove_stale_temporaries(tmp_path / "gone")


def test_a_resumed_run_removes_its_own_temporaries_and_old_ones_of_named_checkpoints(home: Path) -> None:
    run_session(tiny_config(write_corpus(home)), stop_at(3))
    run = find_run("tiny")
    left(run.path, ".config.json.a1b2c3d4.tmp")
    left(run.checkpoint_path("latest").parent, ".best.safetensors.x1b2c3d4.tmp")
    young = left(home / "checkpoints", ".mine.safetensors.a1b2c3d4.tmp")
    left(home / "checkpoints", ".mine.safetensors.b1b2c3d4.tmp", 2 * 3600.0)

    run_session(resume_config("tiny"))

    assert list(home.rglob("*.tmp")) == [young]

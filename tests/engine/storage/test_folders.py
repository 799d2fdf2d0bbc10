"""Files of the data folder: written atomically, under valid names; the latest run."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import time
from datetime import datetime
from pathlib import Path
from unittest.mock import Mock, patch

import platformdirs
import pytest
from hypothesis import given

from engine.config.run import RunConfig
from engine.errors import ConfigError, StorageError
from engine.session.startup.preflight import check
from engine.storage import folders
from engine.storage.files import in_use_error, remove_stale_temporaries, write_atomically
from engine.storage.folders import checked_name, create_run_folder, find_run, list_runs, named_checkpoint_path
from tests.engine.helpers import resume_config, run_session, run_tiny, stop_at, write_corpus
from tests.strategies import hostile_text

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


@pytest.mark.parametrize("can_sync", [True, False], ids=["folders can be synced", "or not"])
def test_new_content_replaces_the_old_after_fsync(
    target: Path, monkeypatch: pytest.MonkeyPatch, can_sync: bool
) -> None:
    calls: list[str] = []
    sync, rename = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        status = os.fstat(descriptor)
        calls.append("sync folder" if stat.S_ISDIR(status.st_mode) else f"sync {status.st_size} bytes")
        if stat.S_ISDIR(status.st_mode) and not can_sync:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
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


@pytest.mark.parametrize("has_full_sync", [True, False])
def test_on_macos_new_content_is_written_out_of_the_memory_of_the_disk_before_it_replaces_the_old(
    target: Path, monkeypatch: pytest.MonkeyPatch, has_full_sync: bool
) -> None:
    full_sync, asked = 51, list[tuple[int, bytes]]()

    def control(descriptor: int, operation: int) -> int:
        assert operation == full_sync
        asked.append((stat.S_IFMT(os.fstat(descriptor).st_mode), target.read_bytes()))
        if not has_full_sync:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        return 0

    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", full_sync, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    write_atomically(target, NEW)
    assert asked == [(stat.S_IFREG, OLD), (stat.S_IFDIR, NEW)]


def test_the_name_of_a_run_is_one_word_of_the_command_that_a_hint_gives() -> None:
    taken = create_run_folder("my run")
    taken.config_path.touch()
    assert in_use_error(taken.journal_path).hint.startswith('Attach to it: tweetgen-tui attach "my run";')
    with pytest.raises(ConfigError) as caught:
        create_run_folder("my run")
    assert caught.value.hint.startswith('Resume it: --resume "my run";')


REMEDIES = {
    errno.ENOSPC: "Free some space or set TWEETGEN_HOME",
    errno.EACCES: "Change the permissions or set TWEETGEN_HOME",
    errno.EROFS: "Set TWEETGEN_HOME",
}


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
@pytest.mark.parametrize("code", REMEDIES)
def test_a_failure_before_the_rename_leaves_the_old_content_and_a_hint(target: Path, call: str, code: int) -> None:
    text = os.strerror(code)
    with patch.object(os, call, side_effect=OSError(code, text)), pytest.raises(StorageError, match=text) as caught:
        write_atomically(target, NEW)
    assert str(target) in caught.value.message
    assert caught.value.hint.startswith(REMEDIES[code])
    assert_untouched(target)


@patch.object(os, "replace", Mock(side_effect=KeyboardInterrupt))
def test_a_kill_before_the_rename_leaves_the_old_content_and_a_file_that_is_removed_later(target: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, NEW)
    assert_untouched(target)
    no_cleaning = patch.object(os, "unlink", side_effect=OSError(errno.EIO, os.strerror(errno.EIO)))
    with no_cleaning, pytest.raises(KeyboardInterrupt):
        write_atomically(target, NEW)
    assert target.read_bytes() == OLD
    assert len(list(target.parent.iterdir())) == 2
    remove_stale_temporaries(target.parent, 0.0)
    assert_untouched(target)


def test_a_file_or_folder_in_the_way_is_a_storage_error_that_leaves_nothing_behind(target: Path) -> None:
    with pytest.raises(StorageError):
        write_atomically(target / "sub" / "file.bin", NEW)
    (target.parent / "folder.bin").mkdir()
    with pytest.raises(StorageError):
        write_atomically(target.parent / "folder.bin", NEW)
    assert {path.name for path in target.parent.iterdir()} == {"file.bin", "folder.bin"}


def test_a_resumed_run_removes_its_own_temporaries_old_ones_of_named_checkpoints_and_no_other_file(home: Path) -> None:
    run_tiny(write_corpus(home), stop_at(3))
    run, named = find_run("tiny").path, home / "checkpoints"
    named.mkdir()
    old = [named / ".mine.safetensors.b1b2c3d4.tmp", *(named / name for name in ("notes.tmp", ".x.tmp", ".hidden"))]
    young = [run / ".config.json.a1b2c3d4.tmp", run / "checkpoints" / ".best.safetensors.x1b2c3d4.tmp"]
    young += [named / ".mine.safetensors.a1b2c3d4.tmp", run / "notes.tmp"]
    for path in (*old, *young):
        path.write_bytes(b"half of it")
    for path in old:
        os.utime(path, (time.time() - 7200.0,) * 2)
    run_session(resume_config("tiny"))
    assert [path.exists() for path in old] == [False, True, True, True]
    assert [path.exists() for path in young] == [False, False, True, True]


# Names and runs -------------------------------------------------------------------------------------------------------
def test_the_environment_or_the_platform_sets_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TWEETGEN_HOME", "~/tweets")
    assert folders.home() == tmp_path / "tweets"
    platforms = Path(platformdirs.user_data_dir("tweetgen-tui", appauthor=False))
    monkeypatch.setenv("TWEETGEN_HOME", "")
    assert folders.home() == platforms
    monkeypatch.delenv("TWEETGEN_HOME")
    assert folders.home() == platforms


def test_a_reserved_name_is_refused() -> None:
    for kind, name in (("run", "last"), ("checkpoint", "last"), ("checkpoint", "latest"), ("checkpoint", "best")):
        with pytest.raises(ConfigError, match=f"A {kind} can't be called {name}"):
            checked_name(name, kind)
        assert checked_name(name + "-2", kind) == name + "-2"


@given(name=hostile_text(max_pieces=3))
def test_an_accepted_name_is_a_file_directly_in_the_folder(name: str) -> None:
    try:
        path = named_checkpoint_path(name)
    except ConfigError:
        return
    assert path.parent == folders.home() / "checkpoints"
    assert path.name == f"{name}.safetensors"
    assert len(path.name.encode()) + 20 <= 255


@pytest.mark.parametrize("has_saved", [False, True])
def test_a_taken_name_is_refused_and_resume_is_offered_if_the_run_can_be_resumed(has_saved: bool) -> None:
    run = create_run_folder("mine")
    assert list(run.path.iterdir()) == []
    if has_saved:
        run.config_path.touch()
    for refuse in (lambda: create_run_folder("mine"), lambda: check(RunConfig(run_name="mine"))):
        with pytest.raises(ConfigError, match="already a run called mine") as caught:
            refuse()
        assert ("--resume mine" in caught.value.hint) == has_saved


def test_runs_of_the_same_second_get_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Noon(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override] # of the one way in which it is called
            return datetime(2026, 1, 1, 12, 0, 0)  # noqa: DTZ001 - as the name of a run has it

    monkeypatch.setattr(folders, "datetime", Noon)
    names = [create_run_folder(None).name for _ in range(3)]
    assert names == ["2026-01-01-120000", "2026-01-01-120000-2", "2026-01-01-120000-3"]


def test_the_latest_run_is_the_one_with_the_newest_file_and_one_without_a_config_is_none(home: Path) -> None:
    for name, changed_at in [("one", 100.0), ("three", 300.0), ("two", 200.0)]:
        path = create_run_folder(name).config_path
        path.write_text("{}")
        os.utime(path, (changed_at, changed_at))
    (home / "runs" / "empty").mkdir()
    (home / "runs" / "file").write_text("")
    three, two, one = list_runs()
    assert [three.name, two.name, one.name] == ["three", "two", "one"]
    newer = [(one, "config.json"), (two, "checkpoints/latest.safetensors"), (three, "events.jsonl")]
    for changed_at, (run, saved) in enumerate(newer, start=400):
        (run.path / saved).parent.mkdir(exist_ok=True)
        (run.path / saved).write_bytes(b"")
        os.utime(run.path / saved, (changed_at, changed_at))
        assert find_run("last") == run
    one.config_path.unlink()  # just deleted
    assert one.last_changed == 0.0
    assert list_runs() == [three, two]

"""What a killed process left while it wrote is removed; what somebody still writes is not."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.folders import RunFolder, find_run
from engine.leftovers import STALE_SECONDS, remove_leftovers
from tests.engine.helpers import resume_config, run_session, stop_at, tiny_config, write_corpus

ROOT = Path(__file__).parents[2]


def left(folder: Path, name: str = ".latest.safetensors.a1b2c3d4.tmp", age_seconds: float = 0.0) -> Path:
    """Return a temporary file that somebody left so long ago."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(b"half of it")
    os.utime(path, (time.time() - age_seconds,) * 2)
    return path


def test_what_a_killed_process_left_is_removed_and_all_else_stays(tmp_path: Path) -> None:
    gone = left(tmp_path)
    others = [
        left(tmp_path, name) for name in ("latest.safetensors", ".hidden", ".x.tmp", "notes.tmp", ".a.LOUDNAME.tmp")
    ]
    assert remove_leftovers(tmp_path, 0.0) == [gone]
    assert sorted(tmp_path.iterdir()) == sorted(others)


def test_what_a_process_still_writes_stays(tmp_path: Path) -> None:
    path = left(tmp_path, age_seconds=10 * STALE_SECONDS)
    with path.open("ab") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        assert remove_leftovers(tmp_path, 0.0) == []
    assert remove_leftovers(tmp_path, 0.0) == [path]


def test_of_a_folder_that_others_write_in_only_old_ones_are_removed(tmp_path: Path) -> None:
    left(tmp_path, age_seconds=STALE_SECONDS - 60)
    old = left(tmp_path, ".mine.safetensors.zzzzzzz1.tmp", STALE_SECONDS + 60)
    assert remove_leftovers(tmp_path) == [old]


def test_where_there_are_no_locks_only_old_ones_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError

    left(tmp_path)
    old = left(tmp_path, ".mine.safetensors.zzzzzzz1.tmp", STALE_SECONDS + 60)
    monkeypatch.setattr(fcntl, "flock", flock)
    assert remove_leftovers(tmp_path, 0.0) == [old]


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert remove_leftovers(tmp_path / "gone") == []


def test_a_process_that_writes_a_file_holds_its_temporary_one(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from engine.folders import write_atomically;"
        "os.replace = lambda *_: (print('x', flush=True), sys.stdin.read());"
        "write_atomically(Path(sys.argv[1]) / 'file', b'new')"
    ).replace("os.replace", "os.fsync")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"x\n"
        assert remove_leftovers(tmp_path, 0.0) == []
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(remove_leftovers(tmp_path, 0.0)) == 1


def test_a_resumed_run_removes_its_own_and_old_ones_of_named_checkpoints(home: Path) -> None:
    run_session(tiny_config(write_corpus(home)), stop_at(3))
    run: RunFolder = find_run("tiny")
    for folder, name in (
        (run.path, ".config.json.a1b2c3d4.tmp"),
        (run.checkpoint_path("latest").parent, ".best.x1b2c3d4.tmp"),
    ):
        left(folder, name)
    young = left(home / "checkpoints", ".mine.safetensors.a1b2c3d4.tmp")
    left(home / "checkpoints", ".mine.safetensors.b1b2c3d4.tmp", 2 * STALE_SECONDS)

    run_session(resume_config("tiny"))

    assert list(home.rglob("*.tmp")) == [young]

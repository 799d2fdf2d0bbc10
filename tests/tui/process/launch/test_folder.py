"""The folder of a launch: a rank is alive exactly while its file is locked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.storage.file_lock import try_lock
from tui.process.launch import folder as folder_module
from tui.process.launch.folder import LaunchFolder


def test_a_rank_is_alive_also_where_another_process_looked_for_long_while_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = iter([True, True])
    monkeypatch.setattr(folder_module, "try_lock", lambda each: not next(refusals, False) and try_lock(each))
    folder = LaunchFolder(tmp_path)
    with folder.alive(0, 0):
        assert folder.pid_of(0, 0) == os.getpid()
        assert not folder.is_lost(0, 0)
    assert folder.pid_of(0, 0) is None
    assert folder.is_lost(0, 0)

"""Files and checkpoints to choose from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.storage.folders import create_run_folder, named_checkpoint_path
from tests.engine.checkpoints.saved import write_checkpoint
from tests.tui.screens.dialogs.browser import NOW


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of files to choose from, and a home elsewhere."""
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    folder = tmp_path / "in"
    (folder / "archive").mkdir(parents=True)
    (folder / "archive" / "tweets.js").touch()
    for name in ("first.csv", "second.csv", "third tweets.txt"):
        (folder / name).write_bytes(b"1234")
    return folder


@pytest.fixture
def saved(home: Path) -> Path:
    """Save two checkpoints, `old` and `new`, and the run `now`; returns their folder."""
    write_checkpoint(named_checkpoint_path("old"), step=5, bits_per_char=2.0)
    write_checkpoint(named_checkpoint_path("new"), step=9, bits_per_char=3.0)
    folder = create_run_folder("now")
    folder.config_path.write_text("{}")
    for name in ("latest", "best", "step-7"):
        write_checkpoint(folder.checkpoint_path(name))
    paths = (*map(named_checkpoint_path, ("old", "new")), *map(folder.checkpoint_path, ("latest", "best", "step-7")))
    for hours, path in enumerate(reversed(paths), start=1):
        os.utime(path, (NOW - 3600 * hours, NOW - 3600 * hours))
    return home / "checkpoints"

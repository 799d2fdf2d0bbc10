"""Files to choose from."""

from __future__ import annotations

from pathlib import Path

import pytest


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

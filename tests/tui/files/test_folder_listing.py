"""A folder listing marks the files that the engine reads, by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.files.folder_listing import list_folder


@pytest.mark.parametrize(
    "name",
    ["a.CSV", "a.tab", "a.pq", "a.text", "a.ndjson", "a.car", "tweets.js", "a.tbz2", "a.txz", "a.tar.gz", "a.xz"],
)
def test_files_that_can_contain_tweets_are_marked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert [entry.kind for entry in list_folder(tmp_path) if entry.is_inside] == ["tweets"]


def test_other_files_are_not_marked(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    assert [entry.kind for entry in list_folder(tmp_path) if entry.is_inside] == ["other"]

"""The lesson continues at its stop; a missing or damaged file means its beginning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.lesson.progress import Progress, read_progress, write_progress


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "lesson" / "progress.json"
    progress = Progress(3, frozenset({1, 2, 8}))
    write_progress(path, progress)
    assert read_progress(path) == progress
    assert not progress.is_complete
    assert Progress(1, frozenset(range(1, 9))).is_complete


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"3",
        b"{}",
        b'{"stop": 3}',
        b'{"stop": 9, "done": []}',
        b'{"stop": 0, "done": []}',
        b'{"stop": true, "done": []}',
        b'{"stop": "3", "done": []}',
        b'{"stop": 3, "done": 4}',
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_means_the_beginning(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "progress.json"
    path.write_bytes(content)
    assert read_progress(path) == Progress()


def test_a_missing_file_means_the_beginning(tmp_path: Path) -> None:
    assert read_progress(tmp_path / "progress.json") == Progress()


def test_stops_that_do_not_exist_are_not_done(tmp_path: Path) -> None:
    path = tmp_path / "progress.json"
    path.write_text('{"stop": 2, "done": [1, 9, -1, "2", true, 2.0]}', encoding="utf-8")
    assert read_progress(path) == Progress(2, frozenset({1}))

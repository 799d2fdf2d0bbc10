"""What somebody else did to a journal: kills are silent, all else is worth a word, and nothing takes long."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import StorageError
from engine.events import FORMAT_VERSION, Event, Paused, to_json
from engine.journal import Journal, read_journal
from engine.journal_lines import MAX_LINE_BYTES, Unread
from tests.fakes import run_started, steps_finished


def paused(step: int) -> Event:
    return Paused(step=step, elapsed_seconds=step / 2)


def lines(*parts: Event | bytes) -> bytes:
    """Return a journal of events and other lines."""
    return b"".join((part if isinstance(part, bytes) else to_json(part).encode()) + b"\n" for part in parts)


def read(path: Path, content: bytes) -> tuple[list[Event], str]:
    """Return the events of a journal with this content, and the word about what was left out."""
    path.write_bytes(content)
    unread = Unread()
    return list(read_journal(path, unread)), unread.word


TORN = to_json(paused(9)).encode()[:20]
NEWER = b'{"event":"BrainTransplanted","step":3,"elapsed_seconds":1.0,"donor":"another run"}'


def test_a_line_that_was_torn_in_each_session_is_left_out_silently(tmp_path: Path) -> None:
    events, word = read(tmp_path / "j", lines(run_started(), paused(1), TORN, run_started(), paused(2), b"\0" * 500))
    assert events == [run_started(), paused(1), run_started(), paused(2)]
    assert word == ""


def test_more_that_can_not_be_read_is_told_and_counted(tmp_path: Path) -> None:
    events, word = read(tmp_path / "j", lines(run_started(), *[b"\xff\xfe", b"[]", b'{"step": 1}'] * 4, paused(2)))
    assert events == [run_started(), paused(2)]
    assert word == "12 lines of the journal can't be read; they are left out."


def test_events_of_a_newer_version_are_told_to_be_that(tmp_path: Path) -> None:
    events, word = read(tmp_path / "j", lines(run_started(), NEWER, paused(2), NEWER))
    assert events == [run_started(), paused(2)]
    assert word == (
        "The journal was written by a newer tweetgen-tui. Events left out: 2. Update this program to see all of it."
    )


def test_a_newer_version_is_told_though_all_can_be_read(tmp_path: Path) -> None:
    newer = replace(run_started(), format_version=FORMAT_VERSION + 1)
    events, word = read(tmp_path / "j", lines(newer, paused(2)))
    assert events == [newer, paused(2)]
    assert word == "The journal was written by a newer tweetgen-tui. Update this program to see all of it."


def test_a_newer_version_is_told_where_its_very_start_can_not_be_read(tmp_path: Path) -> None:
    start = to_json(replace(run_started(), format_version=FORMAT_VERSION + 1)).encode()
    events, word = read(tmp_path / "j", lines(start.replace(b'"vocab_size":', b'"vocabulary":'), paused(2)))
    assert events == [paused(2)]
    assert "newer tweetgen-tui. Events left out: 1." in word


def test_new_fields_of_known_events_change_nothing(tmp_path: Path) -> None:
    line = to_json(paused(1)).encode().replace(b"{", b'{"mood":"calm",', 1)
    assert read(tmp_path / "j", lines(run_started(), line)) == ([run_started(), paused(1)], "")


@pytest.mark.parametrize(
    "line",
    [
        to_json(paused(1)).replace('"step":1', '"step":1e999').encode(),
        to_json(paused(1)).replace('"step":1', '"step":NaN').encode(),
        to_json(paused(1)).replace('"step":1', '"step":"1"').encode(),
        to_json(paused(1)).replace('"step":1', '"step":-1').encode(),
        to_json(paused(1)).replace('"step":1', '"step":1' + "0" * 30).encode(),
        to_json(paused(1)).replace("0.5", "-0.5").encode(),
        to_json(steps_finished(1, [4.0])).replace("4.0", "1e300").encode(),
        to_json(steps_finished(1, [4.0])).replace("4.0", "null").encode(),
    ],
)
def test_numbers_that_no_run_has_are_no_event(tmp_path: Path, line: bytes) -> None:
    events, word = read(tmp_path / "j", lines(run_started(), line, line))
    assert events == [run_started()]
    assert word.startswith("2 lines")


def test_a_line_without_an_end_is_passed_over_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(lines(run_started()))
    size = 200_000_000
    with path.open("ab") as file:  # a hole: nearly nothing of it lies on the disk
        file.truncate(size)
        file.seek(size)
        file.write(b"\n" + lines(paused(2)))
    began = time.process_time()
    unread = Unread()
    assert list(read_journal(path, unread)) == [run_started(), paused(2)]
    assert unread.word == ""
    assert time.process_time() - began < 2


def test_an_event_after_a_line_of_exactly_the_longest_length_is_read(tmp_path: Path) -> None:
    for length in (MAX_LINE_BYTES - 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 1):
        assert read(tmp_path / "j", lines(b"x" * length, paused(2)))[0] == [paused(2)]


def test_what_is_no_file_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "zero", "folder"):
        with pytest.raises(OSError, match=r"regular|directory"):
            list(read_journal(tmp_path / name))


def test_a_pipe_in_a_journals_place_is_not_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match=r"pipe can't be written: Not a regular file"):
        Journal(tmp_path / "pipe")

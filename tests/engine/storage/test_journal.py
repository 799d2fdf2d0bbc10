"""Every event written to the journal is read back, whatever happens to the file, and only one program writes it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import StorageError
from engine.protocol.events import Event, Paused, StepsThinned, to_json
from engine.storage import atomic_write, step_buckets
from engine.storage.file_lock import is_locked
from engine.storage.journal import Journal
from engine.storage.journal_reader import SkippedLines, last_event, read_journal
from tests import strategies
from tests.fakes import BrokenDisk, run_started, steps_finished, tweet_sampled


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    return folder / "events.jsonl"


def paused(step: int) -> Event:
    return Paused(step=step, elapsed_seconds=step / 2)


def write(path: Path, *events: Event) -> None:
    """Append events in a new session."""
    journal = Journal(path)
    for event in events:
        journal.write(event)
    journal.close()


# Writing --------------------------------------------------------------------------------------------------------------


@given(sessions=st.lists(st.lists(strategies.events(), max_size=4), max_size=3))
def test_events_of_all_sessions_are_read_in_order(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[list[Event]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "events.jsonl"
    for events in sessions:
        write(path, *events)
    expected = [event for events in sessions for event in events]
    assert list(read_journal(path)) == expected
    assert (path.read_text() if path.exists() else "") == "".join(f"{to_json(event)}\n" for event in expected)
    assert last_event(path) == (expected[-1] if expected else None)


def test_an_open_journal_is_locked_and_has_every_event_at_once(path: Path) -> None:
    first = Journal(path)
    first.write(paused(1))
    assert list(read_journal(path)) == [paused(1)]
    assert is_locked(path)
    with pytest.raises(StorageError, match="tiny is active already") as refused:
        Journal(path)
    assert "tweetgen-tui attach tiny" in refused.value.hint
    first.close()
    assert not is_locked(path)


def steps_on_disk(path: Path) -> list[tuple[str, int, int]]:
    """Return kind, first and last step of each report in a journal."""
    events = (event for event in read_journal(path) if hasattr(event, "first_step"))
    return [(type(event).__name__, event.first_step, event.step) for event in events]


def test_the_open_bucket_is_written_at_a_checkpoint_and_at_the_end_and_widths_count_from_the_first_session(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_buckets, "WHOLE_STEPS", 8)
    first = Journal(path)
    for event in (run_started(), steps_finished(1, [2.0] * 10), tweet_sampled("hi", 10)):
        first.write(event)
    written = [("StepsFinished", 1, 7), ("StepsThinned", 8, 9)]
    assert steps_on_disk(path) == written
    assert last_event(path) == tweet_sampled("hi", 10)
    first.end_bucket()
    first.write(steps_finished(11, [2.0] * 6))
    first.close()
    written += [("StepsThinned", *steps) for steps in [(10, 10), (11, 11), (12, 13), (14, 15), (16, 16)]]
    assert steps_on_disk(path) == written
    write(path, run_started(step=16, resumed_from="tiny/latest"), steps_finished(17, [2.0] * 8))
    assert steps_on_disk(path)[len(written) :] == [("StepsThinned", *steps) for steps in [(17, 19), (20, 23), (24, 24)]]


def test_a_bucket_that_a_failing_disk_refuses_is_written_before_later_lines(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_buckets, "WHOLE_STEPS", 8)
    disk = BrokenDisk()
    monkeypatch.setattr(atomic_write, "os", disk)
    written = Journal(path)
    written.write(run_started())
    disk.breaks_at = 0
    with pytest.raises(StorageError, match="No space left"):
        written.write(steps_finished(1, [2.0] * 16))
    written.write(paused(16))
    assert (written.is_failing, written.num_waiting) == (True, 7)  # whole steps, five buckets and the pause
    with pytest.raises(StorageError):
        written.flush()
    disk.breaks_at = None
    written.flush()
    written.close()
    assert [type(event).__name__ for event in read_journal(path)][-2:] == ["StepsThinned", "Paused"]
    assert sum(event.num_steps for event in read_journal(path) if isinstance(event, StepsThinned)) == 9


@pytest.mark.parametrize("num_bytes", [1, 20, len(to_json(paused(2)))])
def test_a_torn_last_line_is_skipped_and_harms_no_later_line(path: Path, num_bytes: int) -> None:
    write(path, paused(1))
    path.write_bytes(path.read_bytes() + to_json(paused(2)).encode()[:num_bytes])
    before = [paused(1)] if num_bytes < len(to_json(paused(2))) else [paused(1), paused(2)]
    assert list(read_journal(path)) == before
    write(path, paused(3))
    assert list(read_journal(path)) == [*before, paused(3)]


def test_a_journal_that_can_not_be_opened_is_a_storage_error(path: Path) -> None:
    with pytest.raises(StorageError, match=r"events\.jsonl can't be written: No such file"):
        Journal(path.parent / "no such folder" / "events.jsonl")
    os.mkfifo(path)  # what is written into a pipe waits for a reader
    with pytest.raises(StorageError, match="Not a regular file"):
        Journal(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        Journal(path)


def test_a_file_system_without_locks_is_accepted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    write(path, paused(1))
    assert not is_locked(path)
    assert list(read_journal(path)) == [paused(1)]


# Reading damaged journals ---------------------------------------------------------------------------------------------


def changed(event: Event, old: str, new: str) -> bytes:
    return to_json(event).replace(old, new, 1).encode()


TORN = to_json(paused(9)).encode()[:20]
JUNK = [b"\xff\xfe", b"[]", b'{"step": 1}', b"[" * 100_000, b'{"event":"Exploded","step":3,"elapsed_seconds":1.0}']
NUMBERS = [changed(paused(1), '"step":1', f'"step":{number}') for number in ("1e999", "NaN", '"1"', "-1", "9" * 30)]
LOSSES = [changed(steps_finished(1, [4.0]), "4.0", loss) for loss in ("1e300", "null")]


@pytest.mark.parametrize(
    ("lines", "events", "num_counted"),
    [
        pytest.param([run_started(), TORN, run_started(), b"\0" * 500], [run_started()] * 2, 0, id="one torn each"),
        pytest.param([run_started(), *JUNK, paused(2), *JUNK], [run_started(), paused(2)], 10, id="more is counted"),
        pytest.param([run_started(), *NUMBERS, *LOSSES], [run_started()], 7, id="invalid numbers"),
        pytest.param([b"", b" ", paused(1), b""], [paused(1)], 0, id="empty lines"),
    ],
)
def test_invalid_lines_are_skipped_and_warned_of(
    path: Path, lines: list[Event | bytes], events: list[Event], num_counted: int
) -> None:
    path.write_bytes(b"".join((line if isinstance(line, bytes) else to_json(line).encode()) + b"\n" for line in lines))
    skipped = SkippedLines()
    assert list(read_journal(path, skipped)) == events
    counted = f"{num_counted} lines of the journal can't be read; they are skipped."
    assert skipped.warning == (counted if num_counted else "")


def test_what_is_not_a_regular_file_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "zero", "folder"):
        with pytest.raises(OSError, match=r"regular|directory"):
            list(read_journal(tmp_path / name))
    assert list(read_journal(tmp_path / "missing")) == []

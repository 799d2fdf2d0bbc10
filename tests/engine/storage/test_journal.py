"""Every event written to the journal is read back, whatever happens to the file, and only one program writes it."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import StorageError
from engine.protocol.events import Event, Paused, to_json
from engine.storage.file_lock import is_locked
from engine.storage.journal import Journal
from engine.storage.journal_reader import SkippedLines, last_event, read_journal
from tests import strategies
from tests.fakes import run_started, steps_finished

ROOT = Path(__file__).parents[3]


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


def test_a_killed_process_leaves_its_events_and_no_lock(path: Path) -> None:
    code = (
        "import signal, sys; from pathlib import Path;"
        "from engine.storage.journal import Journal; from engine.protocol.events import Paused;"
        "journal = Journal(Path(sys.argv[1])); journal.write(Paused(step=1, elapsed_seconds=0.5));"
        "print('x', flush=True); signal.pause()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"x\n"
        assert is_locked(path)
        with pytest.raises(StorageError, match="tiny is active already") as refused:
            Journal(path)
        assert "tweetgen-tui attach tiny" in refused.value.hint
        process.send_signal(signal.SIGKILL)
    assert list(read_journal(path)) == [paused(1)]
    assert not is_locked(path)
    write(path, paused(2))
    assert list(read_journal(path)) == [paused(1), paused(2)]


@pytest.mark.parametrize("num_bytes", [1, 20, len(to_json(paused(2)))])
def test_a_torn_last_line_is_skipped_and_harms_no_later_line(path: Path, num_bytes: int) -> None:
    write(path, paused(1))
    torn = to_json(paused(2)).encode()[:num_bytes]
    path.write_bytes(path.read_bytes() + torn)
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

TORN = to_json(paused(9)).encode()[:20]


def read(path: Path, *parts: Event | bytes) -> tuple[list[Event], str]:
    """Return the events of a journal of these lines, and the warning about skipped lines."""
    path.write_bytes(b"".join((part if isinstance(part, bytes) else to_json(part).encode()) + b"\n" for part in parts))
    skipped = SkippedLines()
    return list(read_journal(path, skipped)), skipped.warning


@pytest.mark.parametrize(
    ("parts", "events", "word"),
    [
        pytest.param(
            [run_started(), paused(1), TORN, run_started(), paused(2), b"\0" * 500],
            [run_started(), paused(1), run_started(), paused(2)],
            "",
            id="a torn line in each session is silent",
        ),
        pytest.param(
            [run_started(), *[b"\xff\xfe", b"[]", b'{"step": 1}', b"[" * 100_000] * 3, paused(2)],
            [run_started(), paused(2)],
            "12 lines of the journal can't be read; they are skipped.",
            id="more is counted",
        ),
        pytest.param(
            [run_started(), to_json(paused(1)).encode().replace(b"{", b'{"mood":"calm",', 1)],
            [run_started(), paused(1)],
            "",
            id="new fields change nothing",
        ),
    ],
)
def test_invalid_lines_are_skipped_and_warned_of(
    path: Path, parts: list[Event | bytes], events: list[Event], word: str
) -> None:
    assert read(path, *parts) == (events, word)


def test_events_with_invalid_numbers_are_skipped(path: Path) -> None:
    numbers = ("1e999", "NaN", '"1"', "-1", "1" + "0" * 30)
    lines = [to_json(paused(1)).replace('"step":1', f'"step":{number}').encode() for number in numbers]
    losses = [to_json(steps_finished(1, [4.0])).replace("4.0", loss).encode() for loss in ("1e300", "null")]
    events, word = read(path, run_started(), *lines, *losses)
    assert events == [run_started()]
    assert word.startswith("7 lines")


def test_what_is_not_a_regular_file_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "zero", "folder"):
        with pytest.raises(OSError, match=r"regular|directory"):
            list(read_journal(tmp_path / name))
    assert list(read_journal(tmp_path / "missing")) == []

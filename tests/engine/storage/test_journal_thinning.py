"""A journal is thinned while it is written: nothing but old steps changes, whatever happens meanwhile."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from engine.config.run import TrainingConfig
from engine.errors import StorageError
from engine.protocol import events as e
from engine.storage import journal_thinning, thinning
from engine.storage.file_lock import is_locked
from engine.storage.journal import Journal, to_line
from engine.storage.journal_reader import read_journal
from engine.storage.journal_thinning import JournalThinning
from tests.day import STEPS_PER_SECOND, write_run
from tests.fakes import run_started, steps_finished, tweet_sampled

ROOT = Path(__file__).parents[3]
STEPS_PER_REPORT = 100
WHOLE_BYTES = journal_thinning.MIN_BYTES
SMALL: dict[str, Any] = {"MIN_BYTES": 20_000, "_PART_BYTES": 1000, "_BYTES_BETWEEN_SYNCS": 4000, "_REST_SECONDS": 0.0}


@pytest.fixture(autouse=True)
def small_bounds() -> Iterator[None]:
    with (
        mock.patch.multiple(journal_thinning, **SMALL),
        mock.patch.multiple(thinning, KEPT_STEPS=500, MIN_BUCKETS=8),
    ):
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    return folder / "events.jsonl"


def run_events(first_report: int, last_report: int) -> Iterator[e.Event]:
    """Yield reports of 100 steps each, with a tweet after every fifth."""
    for number in range(first_report, last_report + 1):
        losses = [1.25 + (number * step) % 64 / 64 for step in range(STEPS_PER_REPORT)]
        yield steps_finished((number - 1) * STEPS_PER_REPORT + 1, losses)
        if not number % 5:
            yield tweet_sampled(f"tweet {number}", number * STEPS_PER_REPORT)


def write(journal: Journal, events: Iterable[e.Event]) -> None:
    for event in events:
        journal.write(event)


def wait(journal: Journal) -> None:
    """Wait for the thinning that was started."""
    assert journal._thinning is not None
    journal._thinning.wait()


def others(events: Iterable[e.Event]) -> list[e.Event]:
    return [event for event in events if not isinstance(event, e.StepsFinished | e.StepsThinned)]


def num_steps(events: Iterable[e.Event]) -> int:
    """Return how many steps some events report; each once, in order."""
    last = 0
    for event in events:
        if isinstance(event, e.StepsFinished | e.StepsThinned):
            assert event.first_step == last + 1
            last = event.step
    return last


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def is_thinned(path: Path) -> bool:
    return b'"StepsThinned"' in path.read_bytes()


def opened(path: Path, *events: e.Event) -> Journal:
    journal = Journal(path)
    write(journal, events or [run_started()])
    return journal


def test_old_steps_become_buckets_and_all_else_stays_while_the_run_goes_on(path: Path) -> None:
    journal = opened(path)
    for first in range(1, 300, 10):
        write(journal, run_events(first, first + 9))
        if journal._thinning is not None:
            wait(journal)
    assert journal.path.stat().st_size < 60_000
    events = list(read_journal(path))
    assert num_steps(events) == 30_000
    assert others(events) == [run_started(), *others(run_events(1, 300))]
    recent = [event for event in events if isinstance(event, e.StepsFinished)]
    assert recent == [event for event in run_events(1, 300) if isinstance(event, e.StepsFinished)][-len(recent) :]
    assert len(recent) * STEPS_PER_REPORT >= 500
    assert is_locked(path)
    with pytest.raises(StorageError, match="active already"):
        Journal(path)
    journal.close()
    assert not is_locked(path)
    assert names_in(path.parent) == ["events.jsonl"]


@pytest.fixture
def at_the_end_of_copying(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    """Call what the list contains once a copy is written, on another thread than that of the copy."""
    actions: list[Callable[[], None]] = []
    original = JournalThinning._write_thinned

    def write_thinned(thinning: JournalThinning, *arguments: Any) -> None:
        original(thinning, *arguments)
        for action in actions:
            thread = threading.Thread(target=action)
            thread.start()
            thread.join()

    monkeypatch.setattr(JournalThinning, "_write_thinned", write_thinned)
    yield actions
    assert not [thread for thread in threading.enumerate() if thread.name == "journal"]


def test_what_is_written_during_the_copying_is_in_the_copy(
    path: Path, at_the_end_of_copying: list[Callable[[], None]]
) -> None:
    journal = opened(path)
    is_written = threading.Event()

    def write_more() -> None:
        assert is_written.wait(60)
        write(journal, run_events(101, 130))

    at_the_end_of_copying.append(write_more)
    write(journal, run_events(1, 100))
    is_written.set()
    wait(journal)
    at_the_end_of_copying.clear()
    assert is_thinned(path)
    write(journal, run_events(131, 132))
    journal.close()
    assert num_steps(read_journal(path)) == 13_200
    assert others(read_journal(path)) == [run_started(), *others(run_events(1, 132))]


def test_a_run_that_keeps_every_step_is_not_thinned(path: Path) -> None:
    journal = opened(path, run_started(training=TrainingConfig(keep_every_step=True)))
    write(journal, run_events(1, 200))
    assert journal._thinning is None
    journal.close()
    assert list(read_journal(path))[1:] == list(run_events(1, 200))


def test_the_journal_of_an_earlier_version_is_thinned_when_its_run_is_resumed(path: Path) -> None:
    before = [run_started(), *run_events(1, 200)]
    path.write_bytes(b"".join(map(to_line, before)))
    path.chmod(0o640)
    started = run_started(step=20_000, resumed_from="tiny/latest")
    journal = opened(path, started)
    wait(journal)
    assert is_thinned(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    write(journal, run_events(201, 202))
    journal.close()
    events = list(read_journal(path))
    assert num_steps(events) == 20_200
    assert others(events) == [*others(before), started, *others(run_events(201, 202))]


def test_a_reader_of_the_former_file_reads_it_to_its_end(path: Path) -> None:
    journal = opened(path)
    with path.open("rb") as file:
        write(journal, run_events(1, 100))
        wait(journal)
        assert is_thinned(path)
        assert b'"StepsThinned"' not in file.read()
    journal.close()


def test_a_full_disk_leaves_the_journal_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journal_thinning, "write_all", full)
    journal = opened(path)
    write(journal, run_events(1, 150))
    wait(journal)
    assert "the journal was not thinned: [Errno 28] No space left" in caplog.text
    write(journal, run_events(151, 152))
    journal.close()
    assert list(read_journal(path))[1:] == list(run_events(1, 152))
    assert names_in(path.parent) == ["events.jsonl"]


def test_a_copy_is_not_begun_where_it_would_fill_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=1000, f_frsize=4096))
    monkeypatch.setattr(JournalThinning, "_write_thinned", pytest.fail)
    journal = opened(path)
    write(journal, run_events(1, 100))
    wait(journal)
    journal.close()
    assert list(read_journal(path))[1:] == list(run_events(1, 100))


def test_a_file_that_an_editor_puts_in_place_meanwhile_stays_there(
    path: Path, at_the_end_of_copying: list[Callable[[], None]]
) -> None:
    def save_in_editor() -> None:
        (path.parent / "new").write_bytes(to_line(run_started()))
        (path.parent / "new").rename(path)

    journal = opened(path)
    at_the_end_of_copying.append(save_in_editor)
    write(journal, run_events(1, 100))
    wait(journal)
    assert not journal.recreate_if_missing()
    write(journal, run_events(101, 102))
    journal.close()
    assert list(read_journal(path)) == [run_started(), *run_events(101, 102)]
    assert names_in(path.parent) == ["events.jsonl"]


def test_a_journal_that_is_deleted_meanwhile_is_created_again(
    path: Path, at_the_end_of_copying: list[Callable[[], None]]
) -> None:
    journal = opened(path)
    at_the_end_of_copying.append(path.unlink)
    write(journal, run_events(1, 100))
    wait(journal)
    assert names_in(path.parent) == []
    assert journal.recreate_if_missing()
    journal.close()
    assert [type(event) for event in read_journal(path)] == [e.RunStarted]


def test_closing_a_journal_cancels_the_copying(path: Path) -> None:
    with mock.patch.multiple(journal_thinning, _WORK_SECONDS=0.0, _REST_SECONDS=60.0):
        journal = opened(path)
        write(journal, run_events(1, 100))
        journal.close()
    assert not is_thinned(path)
    assert names_in(path.parent) == ["events.jsonl"]


def test_a_program_that_opened_the_former_file_gets_no_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between its opening and its locking, the former file may be replaced by a copy and unlocked."""
    path.write_bytes(to_line(run_started()))
    copy = path.parent / "copy"
    copy.write_bytes(to_line(run_started()))
    holder = Journal(copy)
    original = fcntl.flock

    def flock(*arguments: Any) -> None:
        if copy.exists():
            copy.rename(path)
        original(*arguments)

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match="active already"):
        Journal(path)
    path.rename(copy)
    path.write_bytes(to_line(run_started()))
    assert is_locked(path)
    holder.close()
    assert not is_locked(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from unittest import mock
from engine.storage import journal_thinning, thinning
from engine.storage.journal import Journal
from tests.engine.storage.test_journal_thinning import SMALL, run_events, run_started, wait

def killing(function, is_after):
    def killed(*arguments):
        if is_after:
            function(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    return killed

name, is_after = sys.argv[2], sys.argv[3] == "after"
setattr(os, name, killing(getattr(os, name), is_after))
with mock.patch.multiple(journal_thinning, **SMALL), mock.patch.multiple(thinning, KEPT_STEPS=500, MIN_BUCKETS=8):
    journal = Journal(Path(sys.argv[1]))
    for event in (run_started(), *run_events(1, 100)):
        journal.write(event)
    wait(journal)
"""


@pytest.mark.parametrize(("function", "when"), [("fchmod", "after"), ("fsync", "after"), ("replace", "after")])
def test_a_kill_leaves_the_journal_whole(path: Path, function: str, when: str) -> None:
    command = [sys.executable, "-c", KILLED, str(path), function, when]
    ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not is_locked(path)
    assert is_thinned(path) == (function == "replace")
    written = num_steps(read_journal(path))
    whole = [run_started(), *run_events(1, 100)]
    assert written >= 500
    left = others(read_journal(path))
    assert left == others(whole)[: len(left)]
    assert len(left) >= sum(event.step < written for event in others(whole))


def test_the_setting_of_the_latest_session_counts(path: Path) -> None:
    keeping = TrainingConfig(keep_every_step=True)
    journal = opened(path, run_started(training=keeping), *run_events(1, 100))
    journal.write(replace(run_started(), step=10_000, resumed_from="tiny/latest"))
    wait(journal)
    journal.close()
    assert is_thinned(path)


def test_a_day_takes_less_than_200_megabytes_on_a_scale_of_1_to_864(path: Path) -> None:
    scale, seconds = 864, 100
    with (
        mock.patch.multiple(journal_thinning, MIN_BYTES=WHOLE_BYTES // scale),
        mock.patch.multiple(thinning, KEPT_STEPS=1024, MIN_BUCKETS=16),
    ):
        greatest = write_run(path, seconds)
    assert greatest < 200_000_000 / scale
    events = list(read_journal(path))
    buckets = [event for event in events if isinstance(event, e.StepsThinned)]
    recent = [event for event in events if isinstance(event, e.StepsFinished)]
    assert 16 <= len(buckets) <= 2 * 16 + 1
    assert {bucket.num_steps for bucket in buckets[1:-1]} == {4096}
    assert sum(len(event.train_losses) for event in recent) >= 1024
    assert num_steps(events) == seconds * STEPS_PER_SECOND
    assert sum(isinstance(event, e.TweetSampled) for event in events) == seconds
    assert sum(isinstance(event, e.EvalFinished) for event in events) == seconds // 2

"""Read the journals of runs, and wait for events in them."""

from __future__ import annotations

from pathlib import Path

import psutil

from engine.protocol import events as e
from engine.storage.file_lock import is_locked
from engine.storage.journal_reader import read_journal
from tests.cli.program import processes_in
from tests.engine.session.stream_rules import assert_valid_stream
from tests.waiting import wait_until


def journal_of(home: Path, run: str = "watched") -> Path:
    """Return the path of a run's journal."""
    return home / "runs" / run / "events.jsonl"


def events_of(home: Path, run: str = "watched") -> list[e.Event]:
    """Return the events in a run's journal so far; none before it exists."""
    return list(read_journal(journal_of(home, run))) if journal_of(home, run).exists() else []


def last_step(home: Path, run: str = "watched") -> int:
    """Return the highest step in a run's journal; 0 before the first event."""
    return max((event.step for event in events_of(home, run)), default=0)


def wait_for_steps(home: Path, num_steps: int) -> None:
    """Wait until the run `watched` has taken `num_steps` further steps."""
    before = last_step(home)
    wait_until(lambda: last_step(home) >= before + num_steps, f"{num_steps} steps after {before}")


def wait_for_end(home: Path) -> e.RunFinished:
    """Wait until the journal of the run `watched` is released, check the order of its events, and return the last."""
    wait_until(lambda: not is_locked(journal_of(home)), "the end of the run")
    *events, ended = events_of(home)
    assert_valid_stream([*events, ended])
    assert isinstance(ended, e.RunFinished)
    return ended


def trainer_of(home: Path) -> psutil.Process:
    """Return the training process: of those with this data folder, the largest, as it has torch loaded."""
    return max(processes_in(home), key=lambda process: process.memory_info().rss)

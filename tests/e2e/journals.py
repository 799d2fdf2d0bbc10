"""What the journals of runs say, and waiting for what they are to say."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from engine.protocol import events as e
from engine.storage.file_lock import is_locked
from engine.storage.journal_reader import read_journal
from tests.cli.program import processes_in
from tests.e2e.terminal import DEADLINE_SECONDS
from tests.engine.session.stream_rules import assert_keeps_the_rules


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; fail after the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)  # the pause between two looks, not a wait for something to have happened


def journal_of(home: Path, run: str = "watched") -> Path:
    """Return where a run's journal is."""
    return home / "runs" / run / "events.jsonl"


def events_of(home: Path, run: str = "watched") -> list[e.Event]:
    """Return what a run's journal tells so far; nothing where there is none yet."""
    return list(read_journal(journal_of(home, run))) if journal_of(home, run).exists() else []


def last_step(home: Path, run: str = "watched") -> int:
    """Return the last step that the journal of a run tells of."""
    return max((event.step for event in events_of(home, run)), default=0)


def wait_for_steps(home: Path, num_steps: int, run: str = "watched") -> None:
    """Wait until a run has come so many steps further."""
    before = last_step(home, run)
    wait_until(lambda: last_step(home, run) >= before + num_steps, f"{num_steps} steps after {before}")


def wait_for_end(home: Path, run: str = "watched") -> e.RunFinished:
    """Wait until no process has a run any more; return its last event."""
    wait_until(lambda: not is_locked(journal_of(home, run)), "the end of the run")
    told = events_of(home, run)
    assert_keeps_the_rules(told)
    assert isinstance(told[-1], e.RunFinished)
    return told[-1]


def trainer_of(home: Path) -> psutil.Process:
    """Return the process that trains: of those with this data folder, the one with torch in it."""
    return max(processes_in(home), key=lambda process: process.memory_info().rss)


def losses_of(home: Path, run: str) -> dict[int, float]:
    """Return the loss of every step of a run."""
    losses: dict[int, float] = {}
    for event in events_of(home, run):
        if isinstance(event, e.StepsFinished):
            losses.update(zip(range(event.first_step, event.step + 1), event.train_losses, strict=True))
    return losses

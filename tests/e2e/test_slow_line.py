"""A line that takes nothing: training goes on, and the screen is whole once the line takes again."""

from __future__ import annotations

import time

from engine.events import StepsFinished
from engine.journal import read_journal
from tests.e2e.terminal import DEADLINE_SECONDS, Terminal

MANY_STEPS = 500
FLOOD = 300
"""The plot drawn that often, in nats and in bits, is more than a pty holds."""


def steps_of(terminal: Terminal, run: str) -> int:
    events = read_journal(terminal.home / "runs" / run / "events.jsonl")
    return max((event.step for event in events if isinstance(event, StepsFinished)), default=0)


def test_a_terminal_that_reads_nothing_holds_up_no_training(screen: Terminal) -> None:
    screen.press(*"b" * FLOOD)  # and from here on nothing is read
    before = steps_of(screen, "watched")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while steps_of(screen, "watched") < before + MANY_STEPS:
        assert time.monotonic() < deadline, "no step while the terminal stood still"
        time.sleep(0.05)  # the pause between two looks, not a wait for something to have happened

    screen.press("q")

    status, _ = screen.wait_for_exit()
    assert status == 0
    assert screen.modes_left_set == []

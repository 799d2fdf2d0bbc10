"""What a rank does in the tests of the launcher: `python -m tests.tui.process.launch.dummy WHAT`. Imports no torch."""

from __future__ import annotations

import os
import select
import signal
import sys
from types import FrameType
from typing import NoReturn

from tests.waiting import wait_until
from tui.process.launch.rank import Rank, this_rank
from tui.process.signals import leave_at_once


def main() -> None:
    rank = this_rank()
    assert rank is not None
    what = sys.argv[1]
    files = [rank.folder.rank_path(rank.attempt, each) for each in range(rank.num_ranks)]
    wait_until(lambda: all(file.exists() for file in files), "the start of all ranks")
    if what.startswith("exit-") and rank.is_leader:
        sys.exit(int(what.removeprefix("exit-")))
    if what == "forward":
        wait_for_forwarded_signal(rank)
    if what == "lose-follower" and rank.attempt == 0:
        lose_follower(rank)
    if what == "lose-leader-always":
        if rank.is_leader:
            sys.exit(75)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        rest()
    if what == "outlive" and not rank.is_leader:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        rest()
    if what == "interrupt" and rank.is_leader:
        signal.signal(signal.SIGINT, leave_at_once)
        os.kill(os.getppid(), signal.SIGINT)
    if what in {"wait", "interrupt"}:
        rest()


def rest() -> NoReturn:
    """Do nothing until a signal ends this process.

    `signal.pause` would miss one that arrives right before the call: Python runs its handler only after it.
    """
    while True:
        select.select([], [], [], 0.05)


def wait_for_forwarded_signal(rank: Rank) -> None:
    """Send the launcher a signal; the leader exits when it is forwarded, the follower after the leader."""

    def receive(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    if rank.is_leader:
        os.kill(os.getppid(), signal.SIGINT)
        wait_until(lambda: select.select([0], [], [], 0)[0], "the signal in the pipe")
        signal.signal(signal.SIGINT, receive)
        rank.lifeline.forward_signals()
        rest()
    wait_until(lambda: rank.folder.exit_code is not None, "the leader's end")


def lose_follower(rank: Rank) -> None:
    """Kill the follower; the leader waits for the agent's signal."""
    if not rank.is_leader:
        os.kill(os.getpid(), signal.SIGKILL)
    rest()


if __name__ == "__main__":
    main()

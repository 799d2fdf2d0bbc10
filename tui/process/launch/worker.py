"""The main module of a rank: `python -m tui.process.launch.worker MODULE ARGUMENTS` runs `python -m MODULE ARGUMENTS`.

To torch's agent, an exit code other than 0 means that all ranks are to start again. So a rank that ends in order exits
with 0, even where its run has failed, and the launcher reads the leader's code from the launch folder.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from types import FrameType

from engine.errors import RankLostError
from tui.process.launch.folder import ENDED_IN_ORDER, ENDED_WITH_OTHERS
from tui.process.launch.rank import Rank, this_rank


def main() -> int:
    """Run the module named by the first argument; return the exit code for torch's agent."""
    rank = this_rank()
    if rank is None:
        raise SystemExit("This module is started by tweetgen-tui with --nproc-per-node.")
    if rank.folder.exit_code is not None:  # the run has ended in order, and another rank was lost after that
        return 0
    with rank.folder.alive(rank.attempt, rank.number):
        return _run(rank)


def _run(rank: Rank) -> int:
    """Run the module, and report how it has ended."""

    def end(number: int, _frame: FrameType | None) -> None:
        if rank.is_alone():
            rank.leave_lost(ENDED_WITH_OTHERS)
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    rank.lifeline.start()
    try:
        runpy.run_module(sys.argv.pop(1), run_name="__main__")
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    if code == RankLostError.exit_code:
        return code
    if rank.is_leader:
        rank.folder.set_exit_code(code)
    rank.folder.report(rank.attempt, rank.number, ENDED_IN_ORDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())

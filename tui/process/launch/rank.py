"""This process as a rank of a launch: its files in the launch folder, its lifeline, and its end."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from typing import NoReturn

from engine.errors import RankLostError
from tui.process.launch.folder import LaunchFolder
from tui.process.launch.lifeline import Lifeline


@dataclass(frozen=True)
class Rank:
    """One of the processes of a launch."""

    folder: LaunchFolder
    number: int
    num_ranks: int
    attempt: int
    """Restarts before this one."""
    lifeline: Lifeline = field(default_factory=Lifeline)

    @property
    def is_leader(self) -> bool:
        """Whether this is rank 0."""
        return self.number == 0

    def is_alone(self) -> bool:
        """Return whether another rank was lost, so that torch's agent is about to start all again."""
        others = (rank for rank in range(self.num_ranks) if rank != self.number)
        return any(self.folder.is_lost(self.attempt, rank) for rank in others)

    def leave_lost(self, why: str) -> NoReturn:
        """Exit at once without saving, for torch's agent to start all ranks again."""
        self.folder.report(self.attempt, self.number, why)
        os._exit(RankLostError.exit_code)


@functools.cache
def this_rank() -> Rank | None:
    """Return this process as a rank of a launch; None without a launcher."""
    folder = LaunchFolder.from_environment()
    if folder is None or "RANK" not in os.environ:
        return None
    number, num_ranks = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    return Rank(folder, number, num_ranks, attempt=int(os.environ["TORCHELASTIC_RESTART_COUNT"]))

"""Ranks on threads of this process: what `engine.parallel.ranks.Ranks` does for processes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from engine.parallel.place import Place
from engine.parallel.ranks import Ranks

DEADLINE_SECONDS = 60.0
Result = TypeVar("Result")


class _Meeting:
    """What the ranks share."""

    def __init__(self, world_size: int) -> None:
        self.barrier = threading.Barrier(world_size, timeout=DEADLINE_SECONDS)
        self.tensors: list[Tensor | None] = [None] * world_size
        self.replies: dict[int, object] = {}


class ThreadRanks:
    """One rank; its methods are those of `Ranks`."""

    backend = "gloo"

    def __init__(self, meeting: _Meeting, rank: int, world_size: int) -> None:
        self.place = Place(rank=rank, world_size=world_size, local_rank=rank, local_world_size=world_size)
        self.num_sums = 0
        self._meeting = meeting

    def sum_(self, tensor: Tensor) -> None:
        self.num_sums += 1
        total = torch.stack(self._exchanged(tensor)).sum(0)
        self._meeting.barrier.wait()
        tensor.copy_(total)

    def broadcast_(self, tensor: Tensor) -> None:
        [first, *_] = self._exchanged(tensor)
        self._meeting.barrier.wait()
        tensor.copy_(first)

    def _exchanged(self, tensor: Tensor) -> list[Tensor]:
        self._meeting.tensors[self.place.rank] = tensor.clone()
        self._meeting.barrier.wait()
        return [each for each in self._meeting.tensors if each is not None]

    def reply(self, reply: object) -> None:
        self._meeting.replies[self.place.rank] = reply
        self._meeting.barrier.wait()

    def replies(self, _: type[object]) -> list[object]:
        self._meeting.barrier.wait()
        return [reply for _, reply in sorted(self._meeting.replies.items())]


def run_on_threads(world_size: int, body: Callable[[Ranks], Result]) -> list[Result]:
    """Return what `body` returns on each rank."""
    meeting = _Meeting(world_size)
    ranks: list[Any] = [ThreadRanks(meeting, rank, world_size) for rank in range(world_size)]

    def run(rank: Any) -> Result:
        try:
            return body(cast("Ranks", rank))
        except BaseException:
            meeting.barrier.abort()  # or the others would wait for this rank
            raise

    with ThreadPoolExecutor(world_size) as pool:
        return list(pool.map(run, ranks))

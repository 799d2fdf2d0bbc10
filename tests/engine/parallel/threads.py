"""Ranks as threads of this process, with torch's own gloo and a store in memory: no process has to import torch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

import torch
from torch import Tensor
from torch._C._distributed_c10d import HashStore, ProcessGroupGloo, Store

from engine.parallel.place import Place
from engine.parallel.ranks import Ranks

_Result = TypeVar("_Result")
TIMEOUT_SECONDS = 60.0


class GlooGroup:
    """A gloo group that is not the default group of the process, so that there can be several."""

    backend = "gloo"

    def __init__(self, store: Store, place: Place) -> None:
        timeout = timedelta(seconds=TIMEOUT_SECONDS)
        self._group: ProcessGroupGloo | None = ProcessGroupGloo(store, place.rank, place.world_size, timeout)

    def all_reduce(self, tensor: Tensor) -> None:
        assert self._group is not None
        self._group.allreduce([tensor]).wait()  # type: ignore[attr-defined] # torch's stub lacks it

    def broadcast(self, tensor: Tensor) -> None:
        assert self._group is not None
        self._group.broadcast(tensor, 0).wait()  # type: ignore[attr-defined] # the same

    def close(self) -> None:
        self._group = None  # closes its sockets


def on_ranks(
    work: Callable[[Ranks], _Result],
    world_size: int = 2,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> list[Future[_Result]]:
    """Run `work` on each of several ranks at the same time; return what became of it, by rank."""
    store = HashStore()

    def run(rank: int) -> _Result:
        place = Place(
            rank=rank,
            world_size=world_size,
            local_rank=rank,
            local_world_size=world_size,
            timeout_seconds=timeout_seconds,
        )
        ranks = Ranks(place, torch.device("cpu"), store, 1, GlooGroup)
        try:
            return work(ranks)
        finally:
            ranks.close()

    with ThreadPoolExecutor(world_size) as pool:
        return [pool.submit(run, rank) for rank in range(world_size)]

"""Ranks as threads of this process, with torch's own gloo and a store in memory; and the runs that they train."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._C._distributed_c10d import HashStore, ProcessGroupGloo, Store

from engine.config.run import RunConfig
from engine.protocol.events import Event
from engine.session.place import Place
from engine.session.ranks import Follower, Ranks
from tests.engine.helpers import run_session

_Result = TypeVar("_Result")
TIMEOUT_SECONDS = 60.0


class GlooGroup:
    """A gloo group that is not the default group of the process, so that there can be several."""

    backend = "gloo"

    def __init__(self, store: Store, place: Place) -> None:
        timeout = timedelta(seconds=TIMEOUT_SECONDS)
        self._group: Any = ProcessGroupGloo(store, place.rank, place.world_size, timeout)

    def all_reduce(self, tensor: Tensor) -> None:
        self._group.allreduce([tensor]).wait()

    def broadcast(self, tensor: Tensor) -> None:
        self._group.broadcast(tensor, 0).wait()

    def close(self) -> None:
        self._group = None  # closes its sockets


def on_ranks(
    work: Callable[[Ranks], _Result], world_size: int = 2, timeout_seconds: float = TIMEOUT_SECONDS
) -> list[Future[_Result]]:
    """Run `work` on each of several ranks at the same time; return what became of it, by rank."""
    store = HashStore()
    size: dict[str, Any] = {"world_size": world_size, "local_world_size": world_size}

    def run(rank: int) -> _Result:
        threading.current_thread().name = f"rank {rank}"
        place = Place(rank=rank, local_rank=rank, timeout_seconds=timeout_seconds, **size)
        ranks = Ranks(place, torch.device("cpu"), store, 1, GlooGroup)
        try:
            return work(ranks)
        finally:
            ranks.close()

    with ThreadPoolExecutor(world_size) as pool:
        return [pool.submit(run, rank) for rank in range(world_size)]


def run_shared(
    config: RunConfig, *, world_size: int = 2, timeout_seconds: float = TIMEOUT_SECONDS, **options: Any
) -> list[Event]:
    """Run a session on rank 0, with followers; return its events.

    Raises what `TrainingSession.run` raises, then what a follower raises.
    """

    def work(ranks: Ranks) -> list[Event]:
        if ranks.place.is_leader:
            return run_session(config, ranks=ranks, **options)
        Follower(ranks, torch.device("cpu"), num_threads=1).run()
        return []

    emitted, *_ = [outcome.result() for outcome in on_ranks(work, world_size, timeout_seconds)]
    return emitted

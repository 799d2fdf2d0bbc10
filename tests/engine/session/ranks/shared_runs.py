"""Ranks as threads of this process, with torch's own gloo and a store in memory; and the runs that they train."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch._C._distributed_c10d import HashStore, PrefixStore, ProcessGroupGloo

from engine.config.run import RunConfig
from engine.protocol.events import Event
from engine.session.ranks.connection import Ranks
from engine.session.ranks.place import Place
from engine.session.ranks.worker import Worker
from tests.engine.helpers import run_session

_Result = TypeVar("_Result")
TIMEOUT_SECONDS = 60.0


def on_ranks(
    work: Callable[[Ranks], _Result],
    world_size: int = 2,
    timeout_seconds: float = TIMEOUT_SECONDS,
    wrapped: Callable[[Any], Any] = lambda group: group,
) -> list[Future[_Result]]:
    """Run `work` on each of several ranks at the same time; return what became of it, by rank.

    The group that sums gradients is `wrapped` on each rank.
    """
    store = HashStore()
    size: dict[str, Any] = {"world_size": world_size, "local_world_size": world_size}

    def run(rank: int) -> _Result:
        threading.current_thread().name = f"rank {rank}"
        limits = {"data": TIMEOUT_SECONDS, "orders": 1e6}
        groups: list[Any] = [
            ProcessGroupGloo(PrefixStore(name, store), rank, world_size, timedelta(seconds=seconds))
            for name, seconds in limits.items()
        ]
        ranks: Any = Ranks(
            Place(rank=rank, local_rank=rank, timeout_seconds=timeout_seconds, **size),
            torch.device("cpu"),
            wrapped(groups.pop(0)),
            groups.pop(),
        )
        try:
            return work(ranks)
        finally:
            ranks._data = ranks._orders = None  # closes their sockets, as the end of a process does

    with ThreadPoolExecutor(world_size) as pool:
        return [pool.submit(run, rank) for rank in range(world_size)]


def is_rank_1() -> bool:
    """Return whether the calling thread is that of rank 1."""
    return threading.current_thread().name == "rank 1"


def outcomes_of(config: RunConfig, world_size: int = 2, **options: Any) -> list[Future[list[Event]]]:
    """Run a session on rank 0, with workers; return what became of each rank.

    `options` are those of `on_ranks` and of `run_session`.
    """
    own = {name: options.pop(name) for name in ("timeout_seconds", "wrapped") if name in options}

    def work(ranks: Ranks) -> list[Event]:
        if ranks.place.is_leader:
            return run_session(config, ranks=ranks, **options)
        Worker(ranks, num_threads=1).run()
        return []

    return on_ranks(work, world_size, **own)


def run_shared(config: RunConfig, *, world_size: int = 2, **options: Any) -> list[Event]:
    """Run a session on rank 0, with workers; return its events.

    Raises what `TrainingSession.run` raises, then what a worker raises.
    """
    emitted, *_ = [outcome.result() for outcome in outcomes_of(config, world_size, **options)]
    return emitted

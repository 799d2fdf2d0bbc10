"""Runs that several ranks train, as threads of this process."""

from __future__ import annotations

from typing import Any

import torch

from engine.config.run import RunConfig
from engine.parallel.ranks import Ranks
from engine.protocol.events import Event
from engine.session.ranks.follower import Follower
from tests.engine.helpers import run_session
from tests.engine.parallel.threads import TIMEOUT_SECONDS, on_ranks


def run_shared(
    config: RunConfig,
    *,
    world_size: int = 2,
    timeout_seconds: float = TIMEOUT_SECONDS,
    **options: Any,
) -> list[Event]:
    """Run a session on rank 0, with followers; return its events.

    Raises what `TrainingSession.run` raises, then what a follower raises.
    """

    def work(ranks: Ranks) -> list[Event]:
        if ranks.place.is_leader:
            return run_session(config, ranks=ranks, **options)
        Follower(ranks, torch.device("cpu"), num_threads=1).run()
        return []

    of_leader, *of_followers = on_ranks(work, world_size, timeout_seconds)
    emitted = of_leader.result()
    for outcome in of_followers:
        outcome.result()
    return emitted

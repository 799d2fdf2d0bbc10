"""`Place`: the place of this process among those that train together, from the environment that torchrun sets."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import DistributedError

DEFAULT_TIMEOUT_SECONDS = 60.0
TIMEOUT_VARIABLE = "TWEETGEN_RANK_TIMEOUT"
"""Seconds after which a rank that has not joined, or does not answer, counts as lost."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One of several processes. Rank 0 is the leader, the others are followers."""

    rank: int
    world_size: int
    local_rank: int = 0
    """The number of this process on its machine; that of its GPU."""
    local_world_size: int = 1
    """Processes on this machine."""
    restart_count: int = 0
    """How often the agent has started all processes again."""
    max_restarts: int = 0
    job: str = ""
    """The agent's name of the run, the same after a restart; empty without an agent."""
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS

    @property
    def is_leader(self) -> bool:
        """Whether this process gives the leases."""
        return self.rank == 0

    @property
    def host(self) -> str:
        """The name of this machine."""
        return socket.gethostname()


def place_from_environment(environ: Mapping[str, str] = os.environ) -> Place | None:
    """Return the place that torchrun's variables describe; None for a process that trains alone.

    Raises `DistributedError` where a variable is missing or invalid.
    """
    if "RANK" not in environ:
        return None
    for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        if name not in environ:
            raise DistributedError(
                f"RANK is set in the environment, but {name} is not.",
                "torchrun sets all of them; without it, unset RANK.",
            )
    place = Place(
        rank=_number(environ, "RANK"),
        world_size=_number(environ, "WORLD_SIZE"),
        local_rank=_number(environ, "LOCAL_RANK", 0),
        local_world_size=_number(environ, "LOCAL_WORLD_SIZE", 1),
        restart_count=_number(environ, "TORCHELASTIC_RESTART_COUNT", 0),
        max_restarts=_number(environ, "TORCHELASTIC_MAX_RESTARTS", 0),
        job=environ.get("TORCHELASTIC_RUN_ID", ""),
        timeout_seconds=_seconds(environ),
    )
    if place.rank >= place.world_size:
        raise DistributedError(f"RANK is {place.rank}, but WORLD_SIZE is {place.world_size}.", "Ranks count from 0.")
    return place if place.world_size > 1 else None


def _number(environ: Mapping[str, str], name: str, default: int | None = None) -> int:
    """Return a variable as a number of at least 0. Raises `DistributedError`."""
    text = environ.get(name, default)
    try:
        number = int(str(text))
    except ValueError:
        number = -1
    if number < 0:
        raise DistributedError(f"{name} is {text!r} in the environment, not a whole number.", "torchrun sets it.")
    return number


def _seconds(environ: Mapping[str, str]) -> float:
    """Return the timeout. Raises `DistributedError`."""
    text = environ.get(TIMEOUT_VARIABLE, str(DEFAULT_TIMEOUT_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        raise DistributedError(f"{TIMEOUT_VARIABLE} is {text!r}, not a number of seconds from 1 to 86,400.")
    return seconds

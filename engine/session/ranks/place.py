"""The place of this process among the ranks that train one run, from torchrun's environment; and how the ranks join.

They meet on the store that torchrun's agent serves. It survives a restart of the ranks with all keys of the attempt
before (torch 2.13), and neither the agent's count of restarts nor its port tells two attempts apart on all machines. So
each rank announces itself with a nonce, and belongs to the attempt whose leader has admitted that nonce. Imports torch
only to join.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.errors import DistributedError, TweetgenError
from engine.protocol import codec

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

DEFAULT_TIMEOUT_SECONDS = 60.0
TIMEOUT_VARIABLE = "TWEETGEN_RANK_TIMEOUT"
"""Seconds after which a rank that has not joined, or does not answer, counts as lost."""
Versions = dict[str, str]
_POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Place:
    """One of several processes. Rank 0 is the leader, the others are workers."""

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
        """Whether this process gives the orders."""
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


# Joining --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Card:
    """How a rank announces itself."""

    nonce: str
    host: str
    versions: Versions
    problem: str = ""
    """Why it can't train."""
    hint: str = ""


def connect(place: Place) -> Store:
    """Return the store that all ranks share. Raises `DistributedError`."""
    from torch.distributed.rendezvous import rendezvous

    timeout = timedelta(seconds=place.timeout_seconds)
    try:
        store: Store
        store, _, _ = next(rendezvous("env://", place.rank, place.world_size, timeout=timeout))
        return store
    except (RuntimeError, ValueError) as error:
        text = str(error).splitlines()[0]
        if "eaddrinuse" in text.lower() or "address already in use" in text.lower():
            raise DistributedError(
                "The port of the rendezvous, MASTER_PORT, is in use by another program.",
                "Choose another one: torchrun --rdzv-endpoint HOST:PORT",
            ) from None
        raise DistributedError(
            f"The processes did not find each other within {place.timeout_seconds:g} s: {text}",
            f"All {place.world_size} must start at about the same time; {TIMEOUT_VARIABLE} sets the seconds.",
        ) from None


def join_attempt(store: Store, place: Place, versions: Versions, problem: TweetgenError | None = None) -> int:
    """Return the number of this attempt, once all ranks have joined.

    Raises `DistributedError` on all of them where one is missing, runs other versions, or has a `problem`.
    """
    card = Card(nonce=uuid.uuid4().hex, host=place.host, versions=versions)
    if problem is not None:
        card = replace(card, problem=problem.message, hint=problem.hint)
    deadline = time.monotonic() + place.timeout_seconds
    if not place.is_leader:
        return _wait_to_be_admitted(store, place, card, deadline)
    attempt = store.add("tweetgen/attempts", 1)
    try:
        _compare({0: card, **_admit_all(store, place, attempt, deadline)})
    except TweetgenError as error:
        store.set(f"tweetgen/{attempt}/refused", f"{error.message}\n{error.hint}")
        raise
    store.set(f"tweetgen/{attempt}/complete", "")
    return attempt


def _admit_all(store: Store, place: Place, attempt: int, deadline: float) -> dict[int, Card]:
    """Admit every other rank, and return their cards. Raises `DistributedError`, which names the missing ones.

    A card may be one of an attempt before; a rank that has read its admission confirms it.
    """
    cards: dict[int, Card] = {}
    while missing := sorted(set(range(1, place.world_size)) - cards.keys()):
        for rank in missing:
            if store.check([f"tweetgen/join/{rank}"]):
                card = codec.decode(store.get(f"tweetgen/join/{rank}"), Card)
                store.set(f"tweetgen/admitted/{card.nonce}", str(attempt))
                if store.check([f"tweetgen/{attempt}/here/{rank}"]):
                    cards[rank] = card
        if time.monotonic() > deadline and (missing := [rank for rank in missing if rank not in cards]):
            raise DistributedError(
                f"Of {place.world_size} processes, {len(missing)} did not join within {place.timeout_seconds:g} s: "
                f"rank {', '.join(map(str, missing))}.",
                f"Look at their output; they may have failed before they could join. {TIMEOUT_VARIABLE} sets the "
                "seconds.",
            )
        time.sleep(_POLL_SECONDS)
    return cards


def _compare(cards: Mapping[int, Card]) -> None:
    """Raise `DistributedError` where a rank has a problem, or runs other versions than the leader."""
    leader = cards[0]
    for rank, card in sorted(cards.items()):
        if card.problem:
            raise DistributedError(f"Rank {rank} on {card.host}: {card.problem}", card.hint)
        for package, version in leader.versions.items():
            if card.versions.get(package) != version:
                raise DistributedError(
                    f"Rank {rank} on {card.host} has {package} {card.versions.get(package, 'of no known version')}, "
                    f"rank 0 on {leader.host} has {version}.",
                    "Install the same versions everywhere.",
                )


def _wait_to_be_admitted(store: Store, place: Place, card: Card, deadline: float) -> int:
    """Announce this rank until the leader has admitted it, and all others. Raises `DistributedError`."""
    store.set(f"tweetgen/join/{place.rank}", codec.encode(card))
    attempt = 0
    while time.monotonic() < deadline + _POLL_SECONDS:
        if not attempt and store.check([f"tweetgen/admitted/{card.nonce}"]):
            attempt = int(store.get(f"tweetgen/admitted/{card.nonce}"))
            store.set(f"tweetgen/{attempt}/here/{place.rank}", card.nonce)
        if attempt and store.check([f"tweetgen/{attempt}/complete"]):
            return attempt
        if attempt and store.check([f"tweetgen/{attempt}/refused"]):
            message, _, hint = store.get(f"tweetgen/{attempt}/refused").decode().partition("\n")
            raise DistributedError(message, hint)
        time.sleep(_POLL_SECONDS)
    raise DistributedError(
        f"Rank {place.rank} was not admitted within {place.timeout_seconds:g} s: rank 0 or another rank did not join.",
        f"Look at the output of rank 0; {TIMEOUT_VARIABLE} sets the seconds.",
    )

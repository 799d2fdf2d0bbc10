"""The handshake: all ranks announce themselves on the store, compare versions, and agree on a number for this attempt.

The agent's store may survive a restart of the processes, with all keys of the attempt before. So each rank announces
itself with a nonce, and belongs to the attempt whose leader has admitted that nonce.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

from torch._C._distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from engine.errors import DistributedError, TweetgenError
from engine.parallel.place import TIMEOUT_VARIABLE, Place
from engine.protocol import codec

Versions = dict[str, str]
_POLL_SECONDS = 0.02
_ADDRESS_IN_USE = ("EADDRINUSE", "address already in use", "Address already in use")


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
    timeout = timedelta(seconds=place.timeout_seconds)
    try:
        store: Store
        store, _, _ = next(rendezvous("env://", place.rank, place.world_size, timeout=timeout))
        return store
    except (RuntimeError, ValueError) as error:
        text = str(error).splitlines()[0]
        if any(words in text for words in _ADDRESS_IN_USE):
            failure = DistributedError(
                "The port of the rendezvous, MASTER_PORT, is in use by another program.",
                "Choose another one: torchrun --rdzv-endpoint HOST:PORT",
            )
        else:
            failure = DistributedError(
                f"The processes did not find each other within {place.timeout_seconds:g} s: {text}",
                f"All {place.world_size} must start at about the same time; {TIMEOUT_VARIABLE} sets the seconds.",
            )
    raise failure  # outside of the `except`: torch's traceback is of no use


def join(store: Store, place: Place, versions: Versions, problem: TweetgenError | None = None) -> int:
    """Return the number of this attempt, once all ranks have joined.

    Raises `DistributedError` on all of them where one is missing, runs other versions, or has a `problem`.
    """
    card = Card(nonce=uuid.uuid4().hex, host=place.host, versions=versions)
    if problem is not None:
        card = replace(card, problem=problem.message, hint=problem.hint)
    deadline = time.monotonic() + place.timeout_seconds
    if place.is_leader:
        attempt = store.add("tweetgen/attempts", 1)
        try:
            _compare(card, _admit_all(store, place, attempt, deadline))
        except TweetgenError as error:
            store.set(f"tweetgen/{attempt}/refused", f"{error.message}\n{error.hint}")
            raise
        store.set(f"tweetgen/{attempt}/complete", "")
        return attempt
    return _wait_to_be_admitted(store, place, card, deadline)


def _admit_all(store: Store, place: Place, attempt: int, deadline: float) -> dict[int, Card]:
    """Admit every other rank, and return their cards. Raises `DistributedError`, which names the missing ones."""
    cards: dict[int, Card] = {}
    while len(cards) < place.world_size - 1:
        for rank in range(1, place.world_size):
            if rank not in cards and store.check([f"tweetgen/join/{rank}"]):
                card = codec.decode(store.get(f"tweetgen/join/{rank}"), Card)
                store.set(f"tweetgen/admitted/{card.nonce}", str(attempt))
                if store.check([f"tweetgen/{attempt}/here/{rank}"]):
                    cards[rank] = card
        if time.monotonic() > deadline:
            missing = [str(rank) for rank in range(1, place.world_size) if rank not in cards]
            raise DistributedError(
                f"Of {place.world_size} processes, {len(missing)} did not join within {place.timeout_seconds:g} s: "
                f"rank {', '.join(missing)}.",
                "Look at their output; they may have failed before they could join.",
            )
        time.sleep(_POLL_SECONDS)
    return cards


def _compare(own: Card, others: dict[int, Card]) -> None:
    """Raise `DistributedError` where a rank has a problem, or runs other versions than the leader."""
    for rank, card in ((0, own), *sorted(others.items())):
        if card.problem:
            raise DistributedError(f"Rank {rank} on {card.host}: {card.problem}", card.hint)
        for package, version in own.versions.items():
            if card.versions.get(package) != version:
                raise DistributedError(
                    f"Rank {rank} on {card.host} has {package} {card.versions.get(package, 'of no known version')}, "
                    f"rank 0 on {own.host} has {version}.",
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

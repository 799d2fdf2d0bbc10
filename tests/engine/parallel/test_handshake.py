"""Ranks join on a store that may have the keys of an earlier attempt; those that are missing, or differ, are named."""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from torch._C._distributed_c10d import HashStore

from engine.errors import DeviceError, DistributedError, TweetgenError
from engine.parallel import handshake
from engine.parallel.handshake import Versions, connect, join
from engine.parallel.place import Place

VERSIONS = {"torch": "2.13", "tweetgen-tui": "0.1"}


def place(rank: int, world_size: int = 3, timeout_seconds: float = 30.0) -> Place:
    return Place(rank=rank, world_size=world_size, timeout_seconds=timeout_seconds)


def joined(
    store: HashStore, places: list[Place], versions: Versions = VERSIONS, problem: TweetgenError | None = None
) -> list[Future[int]]:
    """Let ranks join at the same time, the last with these versions and problem; return the outcome of each."""
    others = [(each, VERSIONS, None) for each in places[:-1]]
    with ThreadPoolExecutor(len(places)) as pool:
        return [pool.submit(join, store, *each) for each in (*others, (places[-1], versions, problem))]


def test_all_ranks_agree_on_the_attempt_also_when_an_earlier_one_left_its_keys() -> None:
    store = HashStore()
    for attempt in (1, 2, 3):
        assert [each.result() for each in joined(store, [place(rank) for rank in range(3)])] == [attempt] * 3


def test_a_rank_that_does_not_come_is_named_on_all_that_did(monkeypatch: pytest.MonkeyPatch) -> None:
    class Watched(HashStore):
        seconds = 0.0

        def check(self, keys: list[str]) -> bool:
            is_there = super().check(keys)
            if is_there and keys == ["tweetgen/1/here/2"]:  # rank 0 has looked
                self.seconds = 2.0
            return is_there

    store = Watched()
    monkeypatch.setattr(handshake, "time", SimpleNamespace(monotonic=lambda: store.seconds, sleep=time.sleep))
    for outcome in joined(store, [place(0, timeout_seconds=1.0), place(2)]):
        assert isinstance(error := outcome.exception(), DistributedError)
        assert "1 did not join within 1 s: rank 1." in error.message


def test_a_follower_whose_leader_does_not_come_ends_after_the_timeout() -> None:
    with pytest.raises(DistributedError, match="Rank 1 was not admitted within 1 s"):
        join(HashStore(), place(1, timeout_seconds=1.0), VERSIONS)


@pytest.mark.parametrize(
    ("versions", "problem", "words"),
    [
        ({**VERSIONS, "torch": "2.9"}, None, "has torch 2.9"),
        (VERSIONS, DeviceError("This machine has 2 GPUs; process 3 on it has none."), "process 3 on it has none."),
    ],
)
def test_another_version_or_a_missing_device_is_named_on_all_ranks(
    versions: Versions, problem: TweetgenError | None, words: str
) -> None:
    for outcome in joined(HashStore(), [place(rank) for rank in range(3)], versions, problem):
        assert isinstance(error := outcome.exception(), DistributedError)
        assert error.message.startswith("Rank 2 on ")
        assert words in error.message


@pytest.mark.parametrize(
    ("rank", "words"), [(1, "did not find each other within 1 s"), (0, "is in use by another program")]
)
def test_a_store_that_nobody_serves_and_a_port_in_use_are_errors(
    monkeypatch: pytest.MonkeyPatch, rank: int, words: str
) -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = 1 if rank else taken.getsockname()[1]  # 1 is privileged: nobody listens
        monkeypatch.setenv("MASTER_ADDR", "localhost")
        monkeypatch.setenv("MASTER_PORT", str(port))
        with pytest.raises(DistributedError, match=words):
            connect(place(rank, timeout_seconds=1.0))

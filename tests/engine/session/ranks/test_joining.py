"""How ranks find each other; whatever keeps one of them from joining is named on all that did."""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from torch._C._distributed_c10d import HashStore

from engine.errors import DeviceError, DistributedError, TweetgenError
from engine.session.ranks import place as place_module
from engine.session.ranks.place import (
    TIMEOUT_VARIABLE,
    Place,
    Versions,
    connect,
    join_attempt,
    place_from_environment,
)

ADDRESS = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", **ADDRESS, "TORCHELASTIC_RESTART_COUNT": "1"}


def test_the_place_is_that_of_torchrun_and_a_process_alone_has_none() -> None:
    place = Place(rank=3, world_size=4, local_rank=1, local_world_size=2, restart_count=1, max_restarts=3)
    environ = {**TORCHRUN, "TORCHELASTIC_MAX_RESTARTS": "3"}
    assert place_from_environment(environ) == place
    assert place_from_environment({**environ, TIMEOUT_VARIABLE: "7"}) == replace(place, timeout_seconds=7.0)
    assert not place.is_leader
    assert place_from_environment({}) is None
    assert place_from_environment({**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"}) is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MASTER_PORT", None, "MASTER_PORT is not"),
        ("WORLD_SIZE", None, "WORLD_SIZE is not"),
        ("RANK", "one", "RANK is 'one'"),
        ("RANK", "4", "RANK is 4, but WORLD_SIZE is 4"),
        ("LOCAL_RANK", "-1", "LOCAL_RANK is '-1'"),
        (TIMEOUT_VARIABLE, "soon", "is 'soon'"),
        (TIMEOUT_VARIABLE, "0.5", "is '0.5'"),
    ],
)
def test_a_broken_environment_is_an_error_that_names_the_variable(name: str, value: str | None, words: str) -> None:
    environ = {key: text for key, text in {**TORCHRUN, name: value}.items() if text is not None}
    with pytest.raises(DistributedError, match=words):
        place_from_environment(environ)


VERSIONS = {"torch": "2.13", "tweetgen-tui": "0.1"}


def place(rank: int, world_size: int = 3, timeout_seconds: float = 30.0) -> Place:
    return Place(rank=rank, world_size=world_size, timeout_seconds=timeout_seconds)


def joined(
    store: HashStore, places: list[Place], versions: Versions = VERSIONS, problem: TweetgenError | None = None
) -> list[Future[int]]:
    """Let ranks join at the same time, the last with these versions and problem; return the outcome of each."""
    others = [(each, VERSIONS, None) for each in places[:-1]]
    with ThreadPoolExecutor(len(places)) as pool:
        return [pool.submit(join_attempt, store, *each) for each in (*others, (places[-1], versions, problem))]


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

    with pytest.raises(DistributedError, match="Rank 1 was not admitted within 1 s"):  # the leader does not come
        join_attempt(HashStore(), place(1, timeout_seconds=1.0), VERSIONS)
    store = Watched()
    monkeypatch.setattr(place_module, "time", SimpleNamespace(monotonic=lambda: store.seconds, sleep=time.sleep))
    for outcome in joined(store, [place(0, timeout_seconds=1.0), place(2)]):
        assert isinstance(error := outcome.exception(), DistributedError)
        assert "1 did not join within 1 s: rank 1." in error.message


def test_another_version_or_a_missing_device_is_named_on_all_ranks() -> None:
    no_device = DeviceError("This machine has 2 GPUs; process 3 on it has none.")
    old, odd = ({**VERSIONS, "torch": "2.9"}, None), (VERSIONS, no_device)
    for last, words in ((old, "has torch 2.9"), (odd, "process 3 on it has none.")):
        for outcome in joined(HashStore(), [place(rank) for rank in range(3)], *last):
            assert isinstance(error := outcome.exception(), DistributedError)
            assert error.message.startswith("Rank 2 on ")
            assert words in error.message


def test_a_store_without_server_and_a_port_in_use_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "1")  # privileged: no server there
    with pytest.raises(DistributedError, match="did not find each other within 1 s"):
        connect(place(1, timeout_seconds=1.0))
    with socket.create_server(("localhost", 0)) as taken:
        monkeypatch.setenv("MASTER_PORT", str(taken.getsockname()[1]))
        with pytest.raises(DistributedError, match="is in use by another program"):
            connect(place(0, timeout_seconds=1.0))

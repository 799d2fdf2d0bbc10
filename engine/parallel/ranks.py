"""`Ranks`: the connection of this process to the others. Used by the session's thread, or a follower's main thread."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor
from torch._C._distributed_c10d import PrefixStore, Store
from torch.distributed import DistStoreError

from engine.errors import DeviceError, DistributedError, RankLostError, TweetgenError
from engine.parallel.group import OpenGroup, TorchGroup
from engine.parallel.handshake import Versions, connect, join
from engine.parallel.leases import Lease, lease_from_json, lease_to_json
from engine.parallel.place import Place
from engine.protocol import codec

_HEARTBEATS_PER_TIMEOUT = 20
_MAX_BEAT_SECONDS = 1.0
_TERMINATED_SECONDS = 10.0
"""For how long a rank with a SIGTERM waits for a sign of life of the leader."""
_WAIT_SECONDS = 0.5
"""How often a rank that waits for the store looks for an error of another one."""
_LEASES_KEPT = 100
"""Leases that stay in the store: a rank is never as many behind, since those of steps end together."""
_SOURCE = re.compile(r"^\[\S+\] ")
"""The place in gloo's source that its messages begin with."""
_Reply = TypeVar("_Reply")


class Ranks:
    """Sums, broadcasts and leases among all ranks of a run.

    Every method raises `RankLostError` where another rank has ended or does not answer, and `DistributedError` with the
    message of a rank that has failed in an orderly way (`fail`).
    """

    def __init__(self, place: Place, device: torch.device, store: Store, attempt: int, open_group: OpenGroup) -> None:
        """Join the other ranks of an attempt; `device` is what this one computes on."""
        self.place = place
        self.device = device
        self.waiting_seconds = 0.0
        """Time spent in `sum_gradients_` so far; on a GPU, in queueing it."""
        self.is_terminated = False
        """Whether this process has received SIGTERM, which torchrun sends at the end of all, and where one is lost."""
        self._store = PrefixStore(f"tweetgen/{attempt}", store)
        self._num_leases = 0
        self._ended = threading.Event()
        with self._losses("joining"):
            self._group = open_group(PrefixStore("group", self._store), place)
        if place.is_leader:
            threading.Thread(target=self._beat, name="heartbeat of rank 0", daemon=True).start()

    @property
    def backend(self) -> str:
        """What sums tensors: nccl or gloo."""
        return self._group.backend

    @classmethod
    def join(cls, place: Place, find_device: Callable[[], torch.device], versions: Versions) -> Ranks:
        """Join the other ranks, with the device that `find_device` returns.

        Raises `DistributedError` where they do not join, have other versions, or have no device.
        """
        store, problem, device = connect(place), None, torch.device("cpu")
        try:
            device = find_device()
        except DeviceError as error:  # reported to the leader, which ends all
            problem = error
        if device.type == "cuda":
            torch.cuda.set_device(device)
        attempt = join(store, place, versions, problem)
        return cls(place, device, store, attempt, partial(TorchGroup, device=device))

    def close(self) -> None:
        """Leave the process group; nothing follows."""
        self._ended.set()
        self._group.close()

    def sum_(self, tensor: Tensor) -> None:
        """Replace a tensor, on the device of the group, by the sum over all ranks: the same bits on each of them."""
        with self._losses("a sum over all ranks"):
            self._group.all_reduce(tensor)

    def sum_gradients_(self, gradients: Tensor) -> None:
        """Do what `sum_` does, and count the time."""
        began = time.perf_counter()
        self.sum_(gradients)
        self.waiting_seconds += time.perf_counter() - began

    def broadcast_(self, tensor: Tensor) -> None:
        """Replace a tensor, on the device of the group, by the leader's."""
        with self._losses("a broadcast"):
            self._group.broadcast(tensor)

    def send(self, lease: Lease) -> None:
        """Send a lease to all followers."""
        self._num_leases += 1
        with self._losses("a lease"):
            self._store.set(f"lease/{self._num_leases}", lease_to_json(lease))
            if self._num_leases > _LEASES_KEPT:
                self._store.delete_key(f"lease/{self._num_leases - _LEASES_KEPT}")

    def next_lease(self) -> Lease:
        """Wait for the leader's next lease, however long it is in a pause, as long as there are heartbeats."""
        self._num_leases += 1
        key, pulse, beaten_at = f"lease/{self._num_leases}", self._pulse(), time.monotonic()
        while not self._has_come(key):
            if (now := self._pulse()) != pulse:
                pulse, beaten_at = now, time.monotonic()
            elif time.monotonic() - beaten_at > (seconds := self._heartbeat_seconds):
                raise RankLostError(f"Rank 0 has sent no heartbeat for {seconds:g} s.")
        with self._losses("a lease"):
            return lease_from_json(self._store.get(key))

    def reply(self, reply: object) -> None:
        """Answer the last lease."""
        with self._losses("a reply"):
            self._store.set(f"reply/{self._num_leases}/{self.place.rank}", codec.encode(reply))

    def replies(
        self, reply_type: type[_Reply], *, seconds: float | None = None, wait: Callable[[], None] | None = None
    ) -> list[_Reply]:
        """Return the followers' answers to the last lease, by rank.

        They have `seconds` to answer, by default the timeout. Where `wait` is given, it is called again and again
        meanwhile, without a limit; it may raise.
        """
        found = []
        seconds = seconds or self.place.timeout_seconds
        deadline = time.monotonic() + seconds
        for rank in range(1, self.place.world_size):
            key = f"reply/{self._num_leases}/{rank}"
            while not self._has_come(key):
                if wait is not None:
                    wait()
                elif time.monotonic() > deadline:
                    raise RankLostError(f"Rank {rank} does not answer for {seconds:g} s.")
            with self._losses("a reply"):
                found.append(codec.decode(self._store.get(key), reply_type))
                self._store.delete_key(key)
        return found

    def fail(self, error: TweetgenError) -> None:
        """Let the other ranks end with this error, of this rank; none of them is to start again."""
        with contextlib.suppress(RuntimeError):
            self._store.set("error", f"{self.place.rank}\n{error.message}\n{error.hint}")

    def abandon(self) -> None:
        """Let the other ranks end, to be started again with this one: a rank was lost."""
        with contextlib.suppress(RuntimeError):
            self._store.set("lost", str(self.place.rank))

    def _has_come(self, key: str) -> bool:
        """Wait a moment for a key; return whether it is there. Raises the error of a rank that has failed."""
        try:
            self._store.wait([key], timedelta(seconds=_WAIT_SECONDS))
        except DistStoreError:  # not yet
            self._raise_error_of_others()
            return False
        except RuntimeError as error:
            raise self._lost("the store", error) from error
        return True

    def _pulse(self) -> int:
        """Return the number of the leader's heartbeats."""
        with self._losses("a heartbeat"):
            return self._store.add("heartbeats", 0)

    @property
    def _heartbeat_seconds(self) -> float:
        """The time without a heartbeat after which the leader counts as lost."""
        seconds = self.place.timeout_seconds
        return min(seconds, _TERMINATED_SECONDS) if self.is_terminated else seconds

    def _beat(self) -> None:
        """Count up for as long as this process lives; a store is safe for several threads. The thread's body."""
        seconds = min(_MAX_BEAT_SECONDS, self.place.timeout_seconds / _HEARTBEATS_PER_TIMEOUT)
        with contextlib.suppress(RuntimeError):  # the store is gone, and so is the run
            while not self._ended.wait(seconds):
                self._store.add("heartbeats", 1)

    @contextlib.contextmanager
    def _losses(self, what: str) -> Iterator[None]:
        """Turn an error of torch's communication into the one of `_lost`."""
        try:
            yield
        except RuntimeError as error:
            raise self._lost(what, error) from error

    def _lost(self, what: str, error: RuntimeError) -> TweetgenError:
        """Return the error that another rank has stored, or that one was lost, after a failure of `what`."""
        try:
            self._raise_error_of_others()
        except TweetgenError as own_words:
            return own_words
        detail = _SOURCE.sub("", str(error).partition("\n")[0])
        return RankLostError(f"Another process of the run ended or hangs: {what} failed. {detail}".strip())

    def _raise_error_of_others(self) -> None:
        """Raise the error that another rank has stored, if any."""
        try:
            is_there = self._store.check(["error"])
            text = self._store.get("error").decode() if is_there else ""
            is_lost = self._store.check(["lost"])
        except RuntimeError:
            return
        if text:
            rank, message, hint = text.split("\n", 2)
            if int(rank) != self.place.rank:
                raise DistributedError(message if rank == "0" else f"Rank {rank}: {message}", hint)
        if is_lost:
            raise RankLostError("Another process of the run ended or hangs.")

"""Several processes that train one run: orders and sums among them, the leader's side and the followers'.

**Control goes through the store, data through the process group.** Rank 0, the leader, gives leases to the others, the
followers: JSON through torch's `TCPStore`, never pickle. Only flat buffers of numbers go through collectives (NCCL for
CUDA tensors, gloo for those of a CPU). All ranks execute the same leases in the same order, so every collective of one
has its counterpart on the others. Nothing here starts a process: torchrun does, and starts all again where one is lost.

The agent's store may survive a restart of the processes, with all keys of the attempt before. So each rank announces
itself with a nonce, and belongs to the attempt whose leader has admitted that nonce.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Protocol, TypeVar, assert_never, get_args

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import PrefixStore, Store
from torch.distributed import DistStoreError
from torch.distributed.rendezvous import rendezvous

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.compute.clocks import Phase, SteadyClock, Stopwatch
from engine.compute.device import (
    Runtime,
    available_cores,
    derived_seed,
    generator_states,
    restore_generator_states,
)
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, RunConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.batches import Part
from engine.corpus.position import Position
from engine.corpus.training_data import KnownVocab, TrainingData, load_training_data
from engine.errors import DeviceError, DistributedError, RankLostError, TweetgenError, WeightsDifferError
from engine.model.gru import TextGenerator
from engine.progress import Stage
from engine.protocol import codec, events
from engine.session.place import TIMEOUT_VARIABLE, Place
from engine.session.reporter import Reporter
from engine.session.state import Progress, RunState
from engine.storage.folders import home
from engine.storage.log import log_traceback
from engine.training.out_of_memory import OutOfMemoryRetry
from engine.training.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class Read:
    """Read the tweets; answered by `TweetsRead`."""

    corpus: CorpusConfig
    known: KnownVocab | None
    """The vocabulary that the one of the run starts with; None: a new one of the tweets."""


@dataclass(frozen=True, kw_only=True)
class Sync:
    """Continue from this state. With `has_weights`, a new trainer receives the leader's state by broadcasts."""

    model: ModelConfig
    training: TrainingConfig
    position: Position
    """Of the next batch, in batches of `training.batch_size`."""
    step: int
    precision: str
    has_weights: bool
    generators: tuple[str, ...] = ()
    """The state of each rank's random generator, in hex, by rank; an empty one is to be seeded by rank and step."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Take a step for each learning rate."""

    learning_rates: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Report what happened since the last report; answered by `Reported`."""

    has_checksum: bool = False
    has_generator: bool = False


@dataclass(frozen=True, kw_only=True)
class Stop:
    """End. Answered by an empty `Reported`."""


Lease = Read | Sync | Steps | Report | Stop
_LEASES: dict[str, type[Lease]] = {lease_type.__name__: lease_type for lease_type in get_args(Lease)}


@dataclass(frozen=True, kw_only=True)
class TweetsRead:
    """The tweets of one rank, or why it has none."""

    host: str
    digest: str = ""
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Reported:
    """What a rank reports."""

    seconds: float = 0.0
    """Time since the last report, in which the rank was training."""
    waiting_seconds: float = 0.0
    """The part of it spent in sums over all ranks."""
    device: str = ""
    host: str = ""
    warnings: tuple[str, ...] = ()
    checksum: int = 0
    """Of the weights."""
    generator: str = ""
    """The state of the rank's random generator, in hex."""


def lease_to_json(lease: Lease) -> str:
    """Return a lease as one line: `{"lease": NAME, ...}`."""
    return codec.encode(lease, tag="lease")


def lease_from_json(line: str | bytes) -> Lease:
    """Return the lease that `line` encodes. Raises `engine.protocol.codec.DecodeError`."""
    return codec.decode_tagged(line, "lease", _LEASES)


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


class Group(Protocol):
    """The collectives. Each raises `RuntimeError` where another rank has ended, or does not take part in time."""

    @property
    def backend(self) -> str:
        """Nccl or gloo."""

    def all_reduce(self, tensor: Tensor) -> None:
        """Replace a tensor by the sum over all ranks."""

    def broadcast(self, tensor: Tensor) -> None:
        """Replace a tensor by that of rank 0."""

    def close(self) -> None:
        """Leave the group without waiting for other ranks."""


OpenGroup = Callable[[Store, Place], Group]


class TorchGroup:
    """The default process group of this process: NCCL on a GPU, else gloo."""

    def __init__(self, store: Store, place: Place, device: torch.device) -> None:
        """Join the group; all ranks do so at the same time."""
        self.backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(
            self.backend,
            store=store,
            rank=place.rank,
            world_size=place.world_size,
            timeout=timedelta(seconds=place.timeout_seconds),
            device_id=device if device.type == "cuda" else None,
        )

    def all_reduce(self, tensor: Tensor) -> None:
        """Sum; on a GPU this only queues the sum."""
        dist.all_reduce(tensor)

    def broadcast(self, tensor: Tensor) -> None:
        """Broadcast."""
        dist.broadcast(tensor, src=0)

    def close(self) -> None:
        """Destroy the group."""
        with contextlib.suppress(RuntimeError, ValueError):
            dist.destroy_process_group()


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


def rank_generators(checkpoint: Checkpoint, device_type: str) -> dict[int, Tensor]:
    """Return the states of the followers' generators in a checkpoint, (bytes,) uint8 each, by rank."""
    prefix = f"generator.{device_type}."
    found = {name.removeprefix(prefix): state for name, state in checkpoint.tensors.items() if name.startswith(prefix)}
    return {int(rank): state for rank, state in found.items() if rank.isdecimal()}


def to_hex(state: Tensor) -> str:
    """Return a generator's state, (bytes,) uint8, as text."""
    return bytes(state.numpy()).hex()


def from_hex(text: str) -> Tensor:
    """Return the state that `to_hex` has encoded."""
    return torch.frombuffer(bytearray.fromhex(text), dtype=torch.uint8)


LOG = logging.getLogger(__name__)
LEASE_SECONDS = 0.05
MAX_STEPS = 200
_LAST_REPORT_SECONDS = 5.0
"""How long the last save of a run waits for the other ranks, which may be ending already."""
_PHASES_OF_A_STEP: tuple[Phase, ...] = ("data", "forward", "backward", "optimizer", "waiting")
UpcomingRates = Callable[[int], list[float]]
"""Returns the learning rates of the next steps, at least one, up to a number, and none beyond what is due."""


class Leader:
    """Gives the leases of one run."""

    def __init__(self, ranks: Ranks, state: RunState, reporter: Reporter) -> None:
        self._ranks = ranks
        self._state = state
        self._reporter = reporter
        self._rates: deque[float] = deque()
        self._began = time.perf_counter()
        self._num_steps = 1
        self._is_sent: tuple[object, object] = (None, None)
        """The trainer and the batches that the followers have."""
        self._checked_at: tuple[object, int] = (None, -1)

    @property
    def has_lease(self) -> bool:
        """Whether the followers wait for another step."""
        return bool(self._rates)

    def next_rate(self, upcoming: UpcomingRates) -> float:
        """Return the learning rate of the next step, which the followers take as well."""
        if not self._rates:
            self._sync()
            self._rates.extend(upcoming(self._length()))
            self._num_steps = len(self._rates)
            self._began = time.perf_counter()
            self._ranks.send(Steps(learning_rates=tuple(self._rates)))
        return self._rates.popleft()

    def _length(self) -> int:
        """Return for how many steps the next lease is, by the time that those of the last one took."""
        seconds = (time.perf_counter() - self._began) / self._num_steps
        return max(1, min(MAX_STEPS, round(LEASE_SECONDS / max(seconds, 1e-6)), 2 * self._num_steps))

    def report_times(self, times: Mapping[str, float]) -> None:
        """Emit how the ranks shared the time since the last report, and their warnings.

        `times` are the fields of the leader's own `StepTimes`.
        """
        reports = self._reports(Report())
        own = Reported(
            seconds=sum(times[f"{phase}_seconds"] for phase in _PHASES_OF_A_STEP),
            waiting_seconds=times["waiting_seconds"],
            device=str(self._state.runtime.device),
            host=self._ranks.place.host,
        )
        every = [own, *reports]
        self._reporter.emit(
            events.RanksMeasured,
            waiting_shares=tuple(round(min(each.waiting_seconds / max(each.seconds, 1e-9), 1.0), 4) for each in every),
            devices=tuple(each.device for each in every),
            hosts=tuple(each.host for each in every),
        )

    def check_weights(self, *, is_last: bool = False) -> None:
        """Compare the weights of all ranks before they are saved, and collect the states of their generators.

        Raises `WeightsDifferError`. Before the last save of a run, a rank that failed or does not answer is no error,
        unless that end was asked for by SIGTERM: then it is the reason of the signal, and all are to start again.
        """
        here, is_terminated = (self._state.trainer, self._state.step), self._ranks.is_terminated
        if self._checked_at == here and not (is_last and is_terminated):
            return
        draws = self._state.model_config.dropout > 0
        try:
            seconds = _LAST_REPORT_SECONDS if is_last else None
            reports = self._reports(Report(has_checksum=True, has_generator=draws), seconds)
        except DistributedError:
            if is_last and not is_terminated:
                LOG.warning("a rank did not report before the last save", exc_info=True)
                self._state.rank_generators = {}  # a resume seeds them by step: those of an earlier save are no better
                return
            raise
        own = self._state.trainer.checksum()
        for rank, report in enumerate(reports, start=1):
            if report.checksum != own:
                raise WeightsDifferError(
                    f"The weights of rank {rank} on {report.host} differ from those of rank 0 at step "
                    f"{self._state.step:,}; its device may be faulty, or of another type, which rounds differently.",
                    "The run goes back to its latest checkpoint.",
                )
        self._checked_at = here
        if draws:
            self._state.rank_generators = {
                rank: from_hex(report.generator) for rank, report in enumerate(reports, start=1)
            }

    def _reports(self, lease: Report, seconds: float | None = None) -> list[Reported]:
        """Return the followers' reports, after emitting their warnings."""
        self._sync()
        self._ranks.send(lease)
        reports = self._ranks.replies(Reported, seconds=seconds)
        for rank, report in enumerate(reports, start=1):
            for message in report.warnings:
                self._reporter.emit(events.Warned, message=f"Rank {rank} on {report.host}: {message}")
        return reports

    def _sync(self) -> None:
        """Send the followers the settings, the position and, with a new trainer, its weights, if any has changed."""
        state = self._state
        trainer, batches = self._is_sent
        if trainer is state.trainer and batches is state.batches:
            return
        has_weights = trainer is not state.trainer
        generators = tuple(
            to_hex(state.rank_generators[rank]) if rank in state.rank_generators else ""
            for rank in range(self._ranks.place.world_size)
        )
        self._ranks.send(
            Sync(
                model=state.model_config,
                training=state.training,
                position=state.batches.position,
                step=state.step,
                precision=state.runtime.precision,
                has_weights=has_weights,
                generators=generators,
            )
        )
        self._is_sent = state.trainer, state.batches
        if has_weights:
            state.trainer.broadcast_state(self._ranks.broadcast_)


GENERATOR_OF_A_RANK = 4  # purpose of a derived seed
"""So that ranks draw different dropout masks."""


class Follower:
    """One follower of one run. For the process's main thread."""

    def __init__(
        self, ranks: Ranks, device: torch.device, num_threads: int = 0, *, is_deterministic: bool = False
    ) -> None:
        """Compute on `device`, with this number of CPU threads; 0 divides the cores among the ranks of this machine."""
        self._ranks = ranks
        self._num_threads = num_threads or threads_of_a_rank(ranks.place.local_world_size)
        self._device = device
        self._is_deterministic = is_deterministic and device.type == "cuda"
        self._data: TrainingData | None = None
        self._state: RunState | None = None
        self._warnings = _Warnings()
        self._seconds = self._waited = 0.0

    def run(self) -> None:
        """Execute leases until `Stop`.

        Raises `RankLostError`, and any other `TweetgenError` after storing it for the other ranks.
        """
        try:
            while not isinstance(lease := self._ranks.next_lease(), Stop):
                self._execute(lease)
        except DistributedError:
            raise  # the error of another rank
        except TweetgenError as error:
            self._ranks.fail(error)
            raise
        except Exception as error:  # re-raised; stored first, so that the other ranks end too
            where = log_traceback(error, f"rank {self._ranks.place.rank} has failed", home() / "tweetgen.log")
            self._ranks.fail(TweetgenError(f"{type(error).__name__}: {error}", where))
            raise
        self._ranks.reply(Reported())

    def _execute(self, lease: Read | Sync | Steps | Report) -> None:
        match lease:
            case Read():
                self._read(lease)
            case Sync():
                self._sync(lease)
            case Steps(learning_rates=learning_rates):
                self._take_steps(learning_rates)
            case Report():
                self._report(lease)
            case _:
                assert_never(lease)

    def _read(self, lease: Read) -> None:
        """Read the tweets on this machine; what is wrong with them is part of the answer."""
        try:
            data = load_training_data(lease.corpus, lease.known, lambda _: None)
        except TweetgenError as error:
            self._ranks.reply(TweetsRead(host=self._ranks.place.host, problem=error.message, hint=error.hint))
            return
        place = self._ranks.place
        self._data = replace(data, part=Part(place.rank, place.world_size))
        self._ranks.reply(TweetsRead(host=place.host, digest=data.corpus.digest))

    def _sync(self, lease: Sync) -> None:
        """Continue from the leader's state."""
        data = _given(self._data)
        batches = data.batches(lease.training, lease.position)
        if lease.has_weights:
            self._state = self._new_state(lease, data)
            self._state.trainer.broadcast_state(self._ranks.broadcast_)
            self._state.trainer.step_count = lease.step
            self._seed(lease)
        state = _given(self._state)
        state.training = lease.training
        state.trainer.set_batch_size(lease.training.batch_size)
        state.batches = batches

    def _new_state(self, lease: Sync, data: TrainingData) -> RunState:
        """Return the state of a run with a new trainer, whose weights come with the next broadcasts."""
        runtime = Runtime(
            device=self._device,
            precision=lease.precision,
            num_threads=self._num_threads,
            is_deterministic=self._is_deterministic,
        )
        runtime.apply()
        model = TextGenerator.from_config(len(data.vocab), lease.model).to(runtime.device)
        if self._state is not None:
            self._state.trainer.close()
        world_size = self._ranks.place.world_size
        sum_over_ranks = self._ranks.sum_gradients_
        trainer = Trainer(model, lease.training, runtime, sum_over_ranks=sum_over_ranks, world_size=world_size)
        return RunState(
            trainer=trainer,
            runtime=runtime,
            thread_tuner=None,
            model_config=lease.model,
            training=lease.training,
            sampling=SamplingConfig(),
            batches=data.batches(lease.training, lease.position),
            progress=Progress(),
            stopwatch=Stopwatch(SteadyClock(time.monotonic)),
        )

    def _seed(self, lease: Sync) -> None:
        """Restore this rank's random generator, or seed it by rank and step."""
        rank = self._ranks.place.rank
        torch.manual_seed(derived_seed(lease.training.seed, GENERATOR_OF_A_RANK, rank, lease.step))
        if rank < len(lease.generators) and lease.generators[rank]:
            states = generator_states(self._device) | {self._device.type: from_hex(lease.generators[rank])}
            restore_generator_states(states, self._device)

    def _take_steps(self, learning_rates: tuple[float, ...]) -> None:
        state = _given(self._state)
        began = time.perf_counter()
        fallback = OutOfMemoryRetry(state, self._warnings)
        for rate in learning_rates:
            fallback.take_step(next(state.batches), rate)
        state.trainer.drain_report()
        self._seconds += time.perf_counter() - began

    def _report(self, lease: Report) -> None:
        state, waited = _given(self._state), self._ranks.waiting_seconds
        generator = generator_states(self._device)[self._device.type] if lease.has_generator else None
        self._ranks.reply(
            Reported(
                seconds=self._seconds,
                waiting_seconds=min(waited - self._waited, self._seconds),
                device=str(self._device),
                host=self._ranks.place.host,
                warnings=tuple(self._warnings.messages),
                checksum=state.trainer.checksum() if lease.has_checksum else 0,
                generator="" if generator is None else to_hex(generator),
            )
        )
        self._warnings.messages.clear()
        if not lease.has_checksum:
            self._seconds, self._waited = 0.0, waited


class _Warnings:
    """Collects warnings for the next report, in place of a reporter."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def emit(self, _event_type: Callable[..., Any], *, message: str) -> None:
        """Store the message of a `Warned`."""
        self.messages.append(message)


_Value = TypeVar("_Value")


def _given(value: _Value | None) -> _Value:
    """Return what an earlier lease has set. Raises `DistributedError` where the leader skipped that lease."""
    if value is None:
        raise DistributedError("Rank 0 gave a lease before the tweets or the weights.", "This is a bug; report it.")
    return value


def threads_of_a_rank(num_ranks: int) -> int:
    """Return the CPU threads of each of several ranks on this machine: its share of the cores, at least one."""
    return max(1, available_cores() // num_ranks)


AUTOSAVE_SECONDS = 20.0
"""Between saves of `latest`, unless the user set it: what is lost when one of many processes is lost."""


def config_of_leader(config: RunConfig, ranks: Ranks, info: CheckpointInfo | None) -> RunConfig:
    """Return the config of a shared run: a rank's share of the cores as threads, and more frequent saves.

    `info` is the checkpoint that the run continues from, which has the user's choice of that interval, too.
    """
    default = TrainingConfig.autosave_seconds
    is_open = info is None or info.training.autosave_seconds == default
    threads = config.runtime.threads or threads_of_a_rank(ranks.place.local_world_size)
    return replace(
        config,
        runtime=replace(config.runtime, threads=threads),
        settings={"autosave_seconds": AUTOSAVE_SECONDS, **config.settings} if is_open else config.settings,
    )


def load_for_all(
    ranks: Ranks | None, config: CorpusConfig, known: KnownVocab | None, on_stage: Callable[[Stage], None]
) -> TrainingData:
    """Load the tweets, on all ranks at the same time: from the same tweets, all have the same vocabulary.

    Raises `DistributedError` where theirs are others.
    """
    if ranks is None:
        return load_training_data(config, known, on_stage)
    ranks.send(Read(corpus=config, known=known))
    data = load_training_data(config, known, on_stage)
    stage = Stage("waiting for the other processes to read the tweets")
    for rank, reply in enumerate(ranks.replies(TweetsRead, wait=lambda: on_stage(stage)), start=1):
        if reply.problem:
            raise DistributedError(f"Rank {rank} on {reply.host} can't read the tweets: {reply.problem}", reply.hint)
        if reply.digest != data.corpus.digest:
            raise DistributedError(
                f"The tweets of rank {rank} on {reply.host} are not those of rank 0 on {ranks.place.host}.",
                "Copy the same files, of the same names, to each machine.",
            )
    return replace(data, part=Part(ranks.place.rank, ranks.place.world_size))

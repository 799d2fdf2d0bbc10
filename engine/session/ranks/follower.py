"""`Follower`: a rank other than 0. It executes the leader's leases until a `Stop`; it has no journal and no user."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar, assert_never

import torch

from engine.compute.clocks import SteadyClock, Stopwatch
from engine.compute.device import (
    Runtime,
    available_cores,
    derived_seed,
    generator_states,
    restore_generator_states,
    seed_generators,
)
from engine.config.sampling import SamplingConfig
from engine.corpus.batches import Part
from engine.corpus.training_data import TrainingData, load_training_data
from engine.errors import DistributedError, TweetgenError
from engine.model.gru import TextGenerator
from engine.parallel.leases import Read, Report, Reported, Steps, Stop, Sync, TweetsRead
from engine.parallel.ranks import Ranks
from engine.session.ranks.generators import from_hex, to_hex
from engine.session.state import Progress, RunState
from engine.storage.folders import home
from engine.storage.log import log_traceback
from engine.training.out_of_memory import OutOfMemoryRetry
from engine.training.trainer import Trainer

LOG = logging.getLogger(__name__)
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
        seed_generators(derived_seed(lease.training.seed, GENERATOR_OF_A_RANK, rank, lease.step))
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

"""`Worker`: a rank other than 0. It executes the leader's orders until it is to end, without journal, user and clock.

What goes wrong here is a part of its next answer, and the leader ends the run.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import assert_never

import torch
from msgspec import structs

from engine.compute.cuda_graphs import new_failures
from engine.compute.device import Draw, Runtime, derived_seed, generator_states, restore_generator_states
from engine.corpus.batches import BatchStream, Part
from engine.corpus.training_data import TrainingData, load_training_data
from engine.errors import DistributedError, RankLostError, TweetgenError
from engine.model.gru import TextGenerator
from engine.session.ranks.connection import Answer, Begin, Build, End, Ranks, Report, Steps, Sync, make_trainer
from engine.storage.folders import home
from engine.storage.log import log_traceback
from engine.training.out_of_memory import OutOfMemoryRetry
from engine.training.trainer import Trainer


class Worker:
    """Executes the orders of the leader on the process's main thread."""

    def __init__(self, ranks: Ranks, num_threads: int = 0, *, is_deterministic: bool = False) -> None:
        """Compute with this number of CPU threads; 0 divides the cores among the ranks of this machine."""
        self._ranks = ranks
        self._num_threads = num_threads or ranks.share_of_cores
        self._is_deterministic = is_deterministic and ranks.device.type == "cuda"
        self.trainer: Trainer
        self.batches: BatchStream
        self._data: TrainingData
        self._warnings: list[str] = []  # since the last report
        self._unrecorded: set[str] = set()
        """The work that can't be recorded as CUDA graphs, as reported to the leader."""
        self._oom = OutOfMemoryRetry(self, self._warnings.append)
        self._problem: TweetgenError | None = None
        """Why this rank can't go on. It contributes NaN to all steps, until the leader has asked why."""
        self._seconds = self._waited = 0.0

    def run(self) -> None:
        """Execute orders until `End`. Raises `RankLostError`, and `DistributedError` with the problem of the run."""
        while not isinstance(order := self._ranks.receive_order(), End):
            answer = Answer(host=self._ranks.place.host, device=str(self._ranks.device))
            try:
                answer = self._execute(order, answer)
            except RankLostError:
                raise
            except TweetgenError as error:
                self._problem = self._problem or error
            except Exception as error:  # noqa: BLE001 - the leader reports it
                where = log_traceback(error, f"rank {self._ranks.place.rank} has failed", home() / "tweetgen.log")
                self._problem = TweetgenError(f"{type(error).__name__}: {error}", where)
            if isinstance(order, Begin | Build | Report):
                if (problem := self._problem) is not None:
                    answer = structs.replace(answer, problem=problem.message, hint=problem.hint)
                self._ranks.send_answer(answer)
        if order.problem:
            raise DistributedError(order.problem, order.hint)

    def _execute(self, order: Begin | Build | Sync | Steps | Report, answer: Answer) -> Answer:
        """Execute an order; return the answer. After a problem, only those that the other ranks take part in."""
        place = self._ranks.place
        match order:
            case Sync():
                self._sync(order)
            case Steps(rates=rates):
                self._take_steps(rates)
            case _ if self._problem is not None:
                pass
            case Begin():
                data = load_training_data(order.corpus, order.known, lambda _: None)
                self._data = replace(data, part=Part(place.rank, place.world_size))
                return structs.replace(answer, digest=data.corpus.digest)
            case Build():
                self._build(order)
            case Report():
                return self._report(order, answer)
            case _:
                assert_never(order)
        return answer

    def _build(self, order: Build) -> None:
        """Make a new trainer; the next `Sync` has its state."""
        ranks = self._ranks
        runtime = Runtime(
            device=ranks.device,
            precision=order.precision,
            num_threads=self._num_threads,
            is_deterministic=self._is_deterministic,
        )
        runtime.apply()
        model = TextGenerator.from_config(len(self._data.vocab), order.model).to(ranks.device)
        self.trainer = make_trainer(model, order.training, runtime, ranks)

    def _sync(self, order: Sync) -> None:
        """Continue from the leader's state; this rank's random generator is restored, or seeded by rank and step."""
        rank, device = self._ranks.place.rank, self._ranks.device
        self.batches = self._data.batches(order.training, order.position)
        if order.has_weights:
            self.trainer.broadcast_state(self._ranks.broadcast_)
            self.trainer.step_count = order.step
            torch.manual_seed(derived_seed(order.training.seed, Draw.DROPOUT_OF_A_RANK, rank, order.step))
            if rank < len(order.generators) and order.generators[rank]:
                own = torch.frombuffer(bytearray(order.generators[rank]), dtype=torch.uint8)
                restore_generator_states(generator_states(device) | {device.type: own}, device)
        self.trainer.set_batch_size(order.training.batch_size)

    def _take_steps(self, rates: tuple[float, ...]) -> None:
        began = time.perf_counter()
        with self._ranks.promised(len(rates), self.trainer.flat.grads_and_loss):
            if self._problem is not None:
                raise self._problem
            for rate in rates:
                self._oom.take_step(next(self.batches), rate)
            self.trainer.drain_report()
        self._seconds += time.perf_counter() - began

    def _report(self, order: Report, answer: Answer) -> Answer:
        """Return what happened since the last report."""
        device, waited = self._ranks.device, self._ranks.waiting_seconds
        is_save = order.checksum
        draws = is_save and self.trainer.model.dropout.p > 0
        answer = structs.replace(
            answer,
            seconds=self._seconds,
            waiting_seconds=min(waited - self._waited, self._seconds),
            warnings=(*self._warnings, *new_failures(self._unrecorded)),
            checksum=self.trainer.flat.checksum() if is_save else 0,
            generator=bytes(generator_states(device)[device.type].numpy()) if draws else b"",
        )
        self._warnings.clear()
        if not is_save:
            self._seconds, self._waited = 0.0, waited
        return answer

"""`Leader`: rank 0's side of a run that several processes train; and what differs in the preparation of such a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.compute.clocks import Phase
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, TrainingConfig
from engine.corpus.batches import Part
from engine.corpus.training_data import KnownVocab, TrainingData, load_training_data
from engine.errors import DistributedError, WeightsDifferError
from engine.protocol import events
from engine.protocol.progress import Stage
from engine.session.ranks.connection import Answer, Begin, Build, Ranks, Report, Steps, Sync
from engine.session.reporter import Reporter
from engine.session.state import RunState

LOG = logging.getLogger(__name__)
PROMISE_SECONDS = 0.05
"""About how long the leader takes steps before it looks at commands and clock again."""
MAX_STEPS = 200
AUTOSAVE_SECONDS = 20.0
"""Between saves of `latest`, unless the user set it: what is lost when one of many processes is lost."""
_PHASES_OF_A_STEP: tuple[Phase, ...] = ("data", "forward", "backward", "optimizer", "waiting")


# Preparation ----------------------------------------------------------------------------------------------------------


def raise_problem(answers: Sequence[Answer]) -> None:
    """Raise `DistributedError` with the words of the first rank that can't go on, if any."""
    for rank, answer in enumerate(answers):
        if answer.problem:
            raise DistributedError(f"Rank {rank}: {answer.problem}", answer.hint)


def rank_generators(checkpoint: Checkpoint, device_type: str) -> dict[int, Tensor]:
    """Return the states of the workers' generators in a checkpoint, (bytes,) uint8 each, by rank."""
    prefix = f"generator.{device_type}."
    found = {name.removeprefix(prefix): state for name, state in checkpoint.tensors.items() if name.startswith(prefix)}
    return {int(rank): state for rank, state in found.items() if rank.isdecimal()}


def config_of_leader(config: RunConfig, ranks: Ranks, info: CheckpointInfo | None) -> RunConfig:
    """Return the config of a shared run: a rank's share of the cores as threads, and more frequent saves.

    `info` is the checkpoint that the run continues from, which has the user's choice of that interval, too.
    """
    default = TrainingConfig.autosave_seconds
    is_open = info is None or info.training.autosave_seconds == default
    threads = config.runtime.threads or ranks.share_of_cores
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
    ranks.send_order(Begin(corpus=config, known=known))
    try:
        data = load_training_data(config, known, on_stage)
    except BaseException:  # raised on; a stop during the setup, too, finds the others still about to answer
        ranks.receive_answers(Answer(), poll=lambda: None)  # no rank receives an order before it has answered
        raise
    stage = Stage("waiting for the other processes to read the tweets")
    own, *others = ranks.receive_answers(Answer(digest=data.corpus.digest), poll=lambda: on_stage(stage))
    for rank, answer in enumerate(others, start=1):
        if answer.problem:
            words = f"Rank {rank} on {answer.host} can't read the tweets: {answer.problem}"
            raise DistributedError(words, answer.hint)
        if answer.digest != own.digest:
            raise DistributedError(
                f"The tweets of rank {rank} on {answer.host} are not those of rank 0 on {ranks.place.host}.",
                "Copy the same files, of the same names, to each machine.",
            )
    return replace(data, part=Part(ranks.place.rank, ranks.place.world_size))


class Leader:
    """Rank 0's side of a run that several processes train. Used by the session's thread only."""

    def __init__(self, ranks: Ranks, state: RunState, reporter: Reporter) -> None:
        self._ranks = ranks
        self._state = state
        self._reporter = reporter
        self._num_steps = 1
        """The steps of the next promise, by the time that those of the last one took."""
        self._sent: tuple[object, object] = (None, None)
        """The trainer and the batches that the workers have."""
        self._verified_at: tuple[object, int] = (None, -1)

    @contextmanager
    def promised(self, *, is_single: bool) -> Iterator[list[float]]:
        """Promise the next steps to all ranks, or one. The block takes one for each learning rate, and nothing else."""
        trainer = self._state.trainer
        self._sync()
        rates = self._state.upcoming_rates(1 if is_single else self._num_steps)
        began = time.perf_counter()
        self._ranks.send_order(Steps(rates=tuple(rates)))
        with self._ranks.promised(len(rates), trainer.flat.grads_and_loss):
            yield rates
        seconds = (time.perf_counter() - began) / len(rates)
        self._num_steps = max(1, min(MAX_STEPS, round(PROMISE_SECONDS / max(seconds, 1e-6)), 2 * len(rates)))
        if trainer.skipped_in_a_row:
            self.verify()  # a rank that can't compute reports why

    def report_times(self, times: Mapping[str, float]) -> None:
        """Emit how the ranks shared the time since the last report, and their warnings.

        `times` are the fields of the leader's own `StepTimes`.
        """
        answers = self._ask(
            Report(),
            Answer(
                host=self._ranks.place.host,
                device=str(self._state.runtime.device),
                seconds=sum(times[f"{phase}_seconds"] for phase in _PHASES_OF_A_STEP),
                waiting_seconds=times["waiting_seconds"],
            ),
        )
        raise_problem(answers)
        shares = [min(each.waiting_seconds / max(each.seconds, 1e-9), 1.0) for each in answers]
        self._reporter.emit(
            events.RanksMeasured,
            waiting_shares=tuple(round(share, 4) for share in shares),
            devices=tuple(each.device for each in answers),
            hosts=tuple(each.host for each in answers),
        )

    def verify(self, *, is_last: bool = False) -> None:
        """Compare the weights of all ranks before they are saved, and collect the states of their generators.

        Raises `WeightsDifferError`, and `DistributedError` where a rank can't go on or is lost. Before the last save of
        a run, the latter is only a warning, unless SIGTERM ends the run: then a lost rank is the reason of the signal,
        and all are to start again.
        """
        state, ranks = self._state, self._ranks
        here = state.trainer, state.step
        if self._verified_at == here and not (is_last and ranks.is_terminated):
            return
        own, problem = Answer(checksum=state.trainer.flat.checksum()), None
        answers = [own]
        try:
            answers = self._ask(Report(checksum=True), own, ranks.LAST_SECONDS if is_last else None)
            raise_problem(answers)
        except DistributedError as error:
            if not is_last or ranks.is_terminated:
                raise
            problem = error
        for rank, answer in enumerate(answers):
            if not answer.problem and answer.checksum != own.checksum:
                raise WeightsDifferError(
                    f"The weights of rank {rank} on {answer.host} differ from those of rank 0 at step "
                    f"{state.step:,}; its device may be faulty, or of another type, which rounds differently.",
                    "The run goes back to its latest checkpoint.",
                )
        if problem is not None:
            words = "Not all processes confirmed their weights before the last save."
            LOG.warning(words, exc_info=problem)
            reason = f"{problem.message.removesuffix('.')}. {problem.hint}".strip()
            self._reporter.emit(events.Warned, message=f"{words} {reason}")
            state.rank_generators = {}  # a resume seeds them by step: those of an earlier save are no better
            return
        self._verified_at = here
        if state.model_config.dropout > 0:
            states = [torch.frombuffer(bytearray(answer.generator), dtype=torch.uint8) for answer in answers[1:]]
            state.rank_generators = dict(enumerate(states, start=1))

    def _ask(self, report: Report, own: Answer, seconds: float | None = None) -> list[Answer]:
        """Return the answers of all ranks to a report, after emitting their warnings."""
        self._sync()
        self._ranks.send_order(report, seconds)
        answers = self._ranks.receive_answers(own, seconds=seconds)
        for rank, answer in enumerate(answers):
            for message in answer.warnings:
                self._reporter.emit(events.Warned, message=f"Rank {rank} on {answer.host}: {message}")
        return answers

    def _sync(self) -> None:
        """Send the workers the settings and the position of a new trainer or stream of batches, and its weights.

        The weights only of a new trainer. A setting that needs neither, as the learning rate, is sent with the steps.
        """
        state, ranks = self._state, self._ranks
        trainer, batches = self._sent
        if trainer is state.trainer and batches is state.batches:
            return
        has_weights = trainer is not state.trainer
        if has_weights:
            model, precision = state.model_config, state.runtime.precision
            ranks.send_order(Build(model=model, training=state.training, precision=precision))
            raise_problem(ranks.receive_answers(Answer()))
        generators = [state.rank_generators.get(rank) for rank in range(ranks.place.world_size)]
        ranks.send_order(
            Sync(
                training=state.training,
                position=state.batches.position,
                step=state.step,
                has_weights=has_weights,
                generators=tuple(b"" if each is None else bytes(each.numpy()) for each in generators),
            )
        )
        self._sent = state.trainer, state.batches
        if has_weights:
            state.trainer.broadcast_state(ranks.broadcast_)

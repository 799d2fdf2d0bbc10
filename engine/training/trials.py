"""`Trials`: timed forward and backward passes on the CPU, for `engine.compute.calibration` to compare candidates.

They overwrite the gradient, and change neither weights nor optimizer nor any generator.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch

from engine.compute.calibration import Candidate
from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import PAD
from engine.training.trainer import Trainer

FIRST_COLUMNS = 4
"""Characters per tweet in the first round: few, since some candidates may be much slower than others."""


def first_columns(batch: Batch, num_columns: int) -> Batch:
    """Return a batch of the first characters of each tweet."""
    inputs, targets = batch.inputs[:, :num_columns], batch.targets[:, :num_columns]
    return Batch(inputs, targets, num_targets=int((targets != PAD).sum()))


class TrialAbortedError(Exception):
    """The trials are to stop: something else is to be done first."""


class Trials:
    """Forward and backward passes of one batch. They leave trainer and torch in the precision and threads of the last.

    The first pass of a candidate at a size is not timed: it allocates memory, starts threads, and compiles in bfloat16.
    """

    def __init__(self, trainer: Trainer, batches: Sequence[Batch], should_stop: Callable[[], bool]) -> None:
        """Use the batch of median length; once `should_stop` returns true, a trial raises `TrialAbortedError`."""
        self._trainer = trainer
        self._batch = sorted(batches, key=lambda batch: batch.num_targets)[len(batches) // 2]
        self._should_stop = should_stop
        self._warm: set[tuple[Candidate, int]] = set()

    def run(self, candidate: Candidate, size: int, clock: Callable[[], float]) -> tuple[int, float]:
        """Return the characters of a trial, and its seconds on this clock."""
        if self._should_stop():
            raise TrialAbortedError
        batch = first_columns(self._batch, FIRST_COLUMNS * size)
        torch.set_num_threads(candidate.num_threads)
        self._trainer.try_precision(candidate.precision)
        if (candidate, batch.inputs.shape[1]) not in self._warm:
            self._warm.add((candidate, batch.inputs.shape[1]))
            self._trainer.forward_backward(batch)
        began = clock()
        self._trainer.forward_backward(batch)
        return batch.num_targets, max(clock() - began, 1e-9)

    def in_seconds(self, candidate: Candidate, _: int, size: int) -> tuple[int, float]:
        """Run a trial; its time is that on the clock, in which threads wait for busy cores and for each other."""
        return self.run(candidate, size, time.perf_counter)

    def in_cpu_seconds(self, candidate: Candidate, _: int, size: int) -> tuple[int, float]:
        """Run a trial; its time is that of this thread on a core, which other processes hardly change."""
        return self.run(candidate, size, time.thread_time)

"""`ThreadedStep`: a step on several threads, each with its own tweets and its own gradient; the gradients are summed.

If instead each operation is split among the threads, as PyTorch does, all of them wait for each other hundreds of times
in a step, the code compiled by Numba uses only one, and a thread that waits occupies a core (`libgomp` spins for
milliseconds). Here they wait once. So while a step runs, PyTorch itself uses one thread.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from engine.compute.cpu.ngram_kernels import add_touched
from engine.compute.cpu.train_step import GruStep
from engine.compute.step_timer import PhaseTimer
from engine.corpus.encoded_tweets import Batch
from engine.model.gru import TextGenerator
from engine.model.parameters import FlatParameters
from engine.model.vocab import PAD


@contextmanager
def one_torch_thread() -> Iterator[int]:
    """Let PyTorch compute on one thread inside the block; yields how many it uses outside of it."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield num_threads
    finally:
        torch.set_num_threads(num_threads)


class ThreadedStep:
    """The forward and backward pass of one model, as `GruStep`, on as many threads as PyTorch has. Not thread-safe."""

    def __init__(self, model: TextGenerator, precision: str = "float32") -> None:
        """Use the parameters of a model on the CPU, and its `FlatParameters`; arguments as of `GruStep`."""
        self._model, self._precision = model, precision
        self._flat = FlatParameters(model)
        self._own = GruStep(model, precision, _touched(self._flat))
        self._helpers: list[_Helper] = []

    def use_timer(self, timer: PhaseTimer) -> None:
        """Switch this timer from "forward" to "backward" during a step."""
        self._own.timer = timer

    @property
    def steps(self) -> list[GruStep]:
        """Those of all threads that have been used."""
        return [self._own, *(helper.step for helper in self._helpers)]

    def loss_and_grads(self, batch: Batch) -> Tensor:
        """Return the loss and write each parameter's `grad`, as `GruStep` does."""
        with one_torch_thread() as num_threads:
            own, *others = _split(batch, num_threads)
            while len(self._helpers) < len(others):
                self._helpers.append(_Helper(self._model, self._precision))
            helpers, futures = self._helpers[: len(others)], list[Future[Tensor]]()
            try:
                for helper, part in zip(helpers, others, strict=True):
                    futures.append(helper.start(part))
                loss = self._own.loss_and_grads(own)
            finally:
                wait(futures)
            for helper, future in zip(helpers, futures, strict=True):
                loss = loss + future.result()
                _add_grads(self._flat, helper.flat)
        return loss


class _Helper:
    """A thread, and a copy of the model that shares all but the gradient."""

    def __init__(self, model: TextGenerator, precision: str) -> None:
        """Copy a model whose parameters are views of one buffer."""
        shared: dict[int, Tensor] = {id(weight): nn.Parameter(weight.data) for weight in model.parameters()}
        shared |= {id(buffer): buffer for buffer in model.buffers()}
        self._model, self._copy = model, copy.deepcopy(model, dict(shared))
        self.flat = FlatParameters(self._copy)
        self.step = GruStep(self._copy, precision, _touched(self.flat))
        self._generator = torch.Generator()
        for dropout in self.step.dropouts:
            dropout.generator = self._generator
        self._thread = ThreadPoolExecutor(1, "training", initializer=torch.set_num_threads, initargs=(1,))

    def start(self, part: Batch) -> Future[Tensor]:
        """Start the work on this part; its masks of dropout are drawn from torch's generator, by one number."""
        self._copy.train(self._model.training)
        if self._model.training and self._model.dropout.p > 0:
            self._generator.manual_seed(int(torch.randint(2**62, ())))
        return self._thread.submit(self.step.loss_and_grads, part)


def _touched(flat: FlatParameters) -> Tensor | None:
    return None if flat.table is None else flat.table.touched


def _add_grads(flat: FlatParameters, other: FlatParameters) -> None:
    """Add another gradient of the same layout to that of `flat`."""
    flat.dense_grads.add_(other.dense_grads)
    if flat.table is not None and other.table is not None:
        pairs = flat.table.grad, flat.table.touched, other.table.grad, other.table.touched
        add_touched(*(each.numpy() for each in pairs))


def _split(batch: Batch, num_parts: int) -> list[Batch]:
    """Split a batch into at most `num_parts`, tweet by tweet in turn: sorted by length, all take as long."""
    num_parts = min(num_parts, batch.num_tweets)
    if num_parts == 1:
        return [batch]
    pairs = [(batch.inputs[first::num_parts], batch.targets[first::num_parts]) for first in range(num_parts)]
    return [
        Batch(inputs, targets, int(np.count_nonzero(targets != PAD)), batch.total_targets) for inputs, targets in pairs
    ]

"""A fake of CUDA graphs, trainers that run the device step on the CPU, and the update in the readable way."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Any, cast

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from engine.compute import stepper
from engine.compute.cuda_graphs import CudaRecorder
from engine.compute.device import Runtime
from engine.compute.optimizer import DECAY_EVERY, NGRAM_RATE_FACTOR, RowRmsprop
from engine.compute.stepper import CharStepper
from engine.config.run import TrainingConfig
from engine.corpus.arrays import Batch
from engine.model.gru import TextGenerator
from engine.training import trainer as trainer_module
from engine.training.trainer import Trainer

RATE = 2.0**-7
"""Exact in float32: on a device, the learning rate is a float32 tensor."""


@dataclass
class FakeRecording:
    """Runs its work when replayed, on the current content of its static input."""

    log: list[str]
    work: Callable[[], None]

    def replay(self) -> None:
        self.log.append("replay")
        self.work()

    def reset(self) -> None:
        raise AssertionError("only the recorder may free a recording, once the device is done with it")


class FakeRecorder(CudaRecorder):
    """Logs all calls; like CUDA's, it does not run the work that it records."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def run_on_side_stream(self, work: Callable[[], None]) -> None:
        self.log.append("warm-up")
        work()

    def record(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        self.log.append("record")
        return cast("torch.cuda.CUDAGraph", FakeRecording(self.log, work))

    def discard(self, _: object) -> None:
        self.log.append("discard")


class FailingRecorder(FakeRecorder):
    """Fails with `error` at the recordings of these numbers, counted from 1."""

    def __init__(self, error: RuntimeError, failing: Container[int]) -> None:
        super().__init__()
        self._error = error
        self._failing = failing

    def record(self, work: Callable[[], None]) -> torch.cuda.CUDAGraph:
        recording = super().record(work)
        if self.log.count("record") in self._failing:
            raise self._error
        return recording


def losses_of(trainer: Trainer, batches: Iterable[Batch], rate: float = RATE) -> list[float]:
    """Run a step on each batch; return their losses."""
    for batch in batches:
        trainer.step(batch, rate)
    return trainer.drain_report().train_losses


def use_device_step(
    monkeypatch: pytest.MonkeyPatch, recorder: CudaRecorder | None, on: type[TextGenerator] = TextGenerator
) -> None:
    """Make every `Trainer` use the device step, with what a device has in place of compiled code, on the CPU.

    Or only the trainers of models of one class.
    """
    made = Trainer.__init__

    def make(self: Trainer, model: TextGenerator, config: TrainingConfig, runtime: Runtime, **options: Any) -> None:
        made(self, model, config, runtime, **options)
        if isinstance(model, on):
            self._device_step = self._make_device_step(may_record=options.get("may_record", True))

    monkeypatch.setattr(RowRmsprop, "step", RowRmsprop.update_by_masks)
    monkeypatch.setattr(trainer_module, "recorder_for", lambda _: recorder)
    monkeypatch.setattr(Trainer, "__init__", make)


def use_char_graphs(
    monkeypatch: pytest.MonkeyPatch, recorder: CudaRecorder, on: type[TextGenerator] = TextGenerator
) -> None:
    """Make every `CharStepper` that may use compiled code use a `CharGraph` in its place, on the CPU.

    Or only those of models of one class.
    """
    made = CharStepper.__init__

    def make(self: CharStepper, model: TextGenerator, *, may_compile: bool = True, **options: Any) -> None:
        is_on_device = isinstance(model, on)
        made(self, model, may_compile=may_compile and not is_on_device, **options)
        if is_on_device and may_compile and not options.get("held"):
            self._graph = stepper.char_graph_of(model, self.weights)

    monkeypatch.setattr(stepper, "_GRAPHS", {})
    monkeypatch.setattr(stepper, "CudaRecorder", lambda _: recorder)
    monkeypatch.setattr(CharStepper, "__init__", make)


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch leaves it untyped
    """Records schema and arguments of each operation, including those of autograd's backward pass."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch leaves it untyped
        self.schemas: list[Any] = []
        self.arguments: list[tuple[Any, ...]] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch imports its compiler, which takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.schemas.append(func._schema)
        self.arguments.append(args)
        return func(*args, **(kwargs or {}))


class ReferenceOptimizer:
    """Clipping and AdamW by torch for all weights but the table, and row-wise RMSprop for that, row by row."""

    def __init__(self, model: TextGenerator, config: TrainingConfig) -> None:
        self._table = None if model.ngram_input is None else model.ngram_input.weight
        self._dense = [parameter for parameter in model.parameters() if parameter is not self._table]
        self._config = config
        self.adamw = torch.optim.AdamW(self._dense, lr=config.learning_rate, weight_decay=config.weight_decay)
        self.row_square = torch.zeros(0) if self._table is None else self._table.detach().new_zeros(len(self._table))
        self._num_steps = 0

    def zero_grad(self) -> None:
        """Reset all gradients."""
        for parameter in (*self._dense, *([] if self._table is None else [self._table])):
            parameter.grad = None

    def step(self) -> float:
        """Update all weights by their gradients; return the norm of the dense ones before they are clipped."""
        norm = torch.nn.utils.clip_grad_norm_(self._dense, self._config.max_grad_norm)
        self.adamw.step()
        self._num_steps += 1
        if self._table is not None and self._table.grad is not None:
            rate = NGRAM_RATE_FACTOR * self.adamw.param_groups[0]["lr"]
            first = self._num_steps % DECAY_EVERY
            self._table.data[first::DECAY_EVERY] *= (1 - rate * self._config.ngram_decay) ** DECAY_EVERY
            for row in self._table.grad.any(dim=1).nonzero().flatten().tolist():
                grad = self._table.grad[row]
                self.row_square[row] = 0.999 * self.row_square[row] + 0.001 * grad.square().mean()
                scale = (self.row_square[row] / (1 - 0.999**self._num_steps)).sqrt() + 1e-8
                self._table.data[row] -= rate * grad / scale
        return norm.item()

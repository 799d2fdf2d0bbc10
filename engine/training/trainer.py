"""`Trainer`: one optimizer step at a time. It does not decide when to sample, evaluate, save or stop.

The loss of a step stays on the device until `drain_report` reads many at once, so that a GPU never waits for the
screen; a non-finite step is skipped on the device (`engine.compute.optimizer`). On a CPU the step is assembled
here, from `engine.compute.cpu`; on other devices `engine.compute.gpu_step` runs all of it.

**Several ranks.** Each has a trainer with equal weights and its own part of each batch. Between gradient and update,
`sum_over_ranks` replaces the gradient and the loss by their sums over all ranks; from the same bits, all of them clip,
update or skip alike.

**Micro-batches**, where memory does not suffice for a whole batch. Loss and gradient of a part are those of its sum of
losses, divided by the targets of the whole step. So those of all parts add up, and the accumulated step is, to
rounding, the step of the whole batch: one clipping, one update, one loss. With dropout, other numbers are drawn, as
many of them.

**A step that fails.** Until the sum over ranks or the update starts, an exception leaves everything as it was before
the step, generators included: the step can be repeated, in micro-batches or by a resumed run. After that the weights
may be updated in part, or the other ranks continue, and `is_consistent` is false. A CUDA graph of gradient and update
starts as a whole: one that can't be launched has changed nothing, and after the launch the step can't be repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from engine.compute.clocks import PhaseTimer
from engine.compute.cpu.step import ThreadedStep, one_torch_thread
from engine.compute.device import Runtime, generators_restored_on_error
from engine.compute.gpu_step import DeviceStep, recorder_for
from engine.compute.memory import free_memory
from engine.compute.optimizer import OptimizerStep
from engine.compute.stepper import discard_char_graph
from engine.config.run import TrainingConfig
from engine.corpus.arrays import Batch, CorpusBatch, EncodedTweets
from engine.model.gru import TABLE_NAME, TextGenerator, weights_with_prefix
from engine.model.parameters import FlatParameters, WeightAverage


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """The steps since the last report, in order; loss and gradient norm are NaN for a skipped step."""

    first_step: int
    train_losses: list[float]
    grad_norms: list[float]
    learning_rates: list[float]


class AbandonedError(Exception):
    """Trials or an evaluation of a trainer's model were stopped: something else is to be done first."""


class Trainer:
    """A model, its optimizer, and the count of steps. One thread at a time."""

    def __init__(
        self,
        model: TextGenerator,
        config: TrainingConfig,
        runtime: Runtime,
        *,
        may_record: bool = True,
        world_size: int = 1,
        sum_over_ranks: Callable[[Tensor], None] | None = None,
    ) -> None:
        """`model` is on the runtime's device already; `may_record` allows CUDA graphs.

        `sum_over_ranks` replaces a tensor by its sum over all ranks, at one point of each step.
        """
        self.model = model
        self.step_count = 0
        self.micro_batch_size: int | None = None
        """Largest number of tweets computed at once; None is a whole batch."""
        self.skipped_in_a_row = 0
        """Steps skipped since the last that was not; on a GPU, as of the last report."""
        self._device = runtime.device
        self.precision = runtime.precision
        """The precision of steps on a CPU; memory for another one is kept until `use_precision`."""
        self.timer = PhaseTimer()
        """Times the phases of each step; in "forward" when one begins."""
        self.flat = FlatParameters(model)
        """Weights, gradient and loss, each in one buffer."""
        self._optimizer_step = OptimizerStep(self.flat, config)
        self._learning_rates: list[float] = []
        """The learning rates of the steps in the loss buffer."""
        self._world_size = world_size
        self._sum_over_ranks = sum_over_ranks
        """None where there is one rank. Not bound to this object: a reference cycle would keep a replaced trainer."""
        self._batch_size = config.batch_size
        self._cpu_steps: dict[str, ThreadedStep] = {}
        """Forward and backward pass on the CPU by precision, each with memory of its own; created on first use."""
        self._device_step = None if runtime.device.type == "cpu" else self._make_device_step(may_record=may_record)
        """The whole step on any other device."""
        self._average = WeightAverage(model, config.average_lag) if config.average_lag else None

    def _make_device_step(self, *, may_record: bool) -> DeviceStep:
        return DeviceStep(
            self.model,
            self.flat,
            self._optimizer_step,
            precision=self.precision,
            recorder=recorder_for(self.model) if may_record else None,
        )

    # The step ---------------------------------------------------------------------------------------------------------
    def prepare(self, batch: Batch) -> None:
        """Do the host's work for a batch, else done by `step`: pad it where a CPU trains."""
        if self._device_step is None:
            _ = batch.inputs  # padded on first access

    def step(self, batch: Batch, learning_rate: float) -> None:
        """Train on one batch, or this rank's part of it: forward, backward, sum, clip, update.

        A step with a non-finite loss or gradient is skipped: it counts, and changes no weight. Raises
        `DeviceMemoryError` if the corpus does not fit the device's memory.
        """
        self.model.train()
        self._optimizer_step.has_begun = False
        sum_gradients = self._sum_over_ranks and partial(self._sum_gradients, self._sum_over_ranks)
        draws = self.model.dropout.p > 0
        with generators_restored_on_error(self._device) if draws else nullcontext():
            if self._device_step is None:
                self._compute_gradient(batch)
                if sum_gradients is not None:
                    sum_gradients()
                self.timer.switch_to("optimizer")
                with one_torch_thread():
                    is_skipped = self._optimizer_step.run(learning_rate)
                self.skipped_in_a_row = self.skipped_in_a_row + 1 if is_skipped.item() else 0
            elif isinstance(batch, CorpusBatch):
                num_rows = self.num_rows(batch)
                self._device_step.run(batch, num_rows, learning_rate, self.micro_batch_size, sum_gradients)
            else:
                raise TypeError("a GPU gathers its batches from a corpus")
            if self._average is not None:
                with one_torch_thread() if self._device_step is None else nullcontext():
                    self._average.update(self.step_count + 1)
            self._optimizer_step.losses.count()
            self._learning_rates.append(learning_rate)
            self.step_count += 1
        self._optimizer_step.has_begun = False

    def _compute_gradient(self, batch: Batch) -> None:
        """Write loss and gradient of a batch, in micro-batches if it is larger than one, on the CPU."""
        buffer = self.flat.grads_and_loss
        if batch.num_tweets == 0:  # fewer tweets than ranks
            buffer.zero_()
            return
        if self.precision not in self._cpu_steps:
            self._cpu_steps[self.precision] = ThreadedStep(self.model, self.precision)
        compute = self._cpu_steps[self.precision].loss_and_grads
        size = self.micro_batch_size or batch.num_tweets
        if batch.num_tweets <= size:
            self.timer.switch_to("forward")
            self.flat.loss.copy_(compute(batch, self.timer))
            return
        total = torch.zeros_like(buffer)
        for part in split_batch(batch, size):
            self.timer.switch_to("forward")
            self.flat.loss.copy_(compute(part, self.timer))
            total.add_(buffer)
        buffer.copy_(total)

    def _sum_gradients(self, sum_over_ranks: Callable[[Tensor], None]) -> None:
        """Sum gradient and loss over all ranks; on a GPU, `DeviceStep` calls this between gradient and update."""
        self._optimizer_step.has_begun = True
        with self.timer.during("waiting"):
            sum_over_ranks(self.flat.grads_and_loss)

    @property
    def is_consistent(self) -> bool:
        """Whether all of the state is that after `step_count` steps.

        False after a step that raised in or after its sum or update, or the launch of a CUDA graph that includes these.
        """
        return not self._optimizer_step.has_begun

    @property
    def num_graphs(self) -> int | None:
        """Number of CUDA graphs that replace the launch of a step's kernels; None where none are made."""
        return self._device_step.num_graphs if self._device_step else None

    def first_loss_problem(self, tweets: EncodedTweets) -> str:
        """Return a warning if a device computes another loss of the first tweets than the CPU; else empty."""
        return self._device_step.first_loss_problem(tweets) if self._device_step else ""

    def drain_report(self) -> StepReport:
        """Return all steps since the last report; waits for the device once."""
        first_step = self.step_count - len(self._optimizer_step.losses) + 1
        with self.timer.during("forward"):  # on a GPU this waits for the steps
            losses, norms = self._optimizer_step.losses.drain()
        was_taken = [math.isfinite(loss) and math.isfinite(norm) for loss, norm in zip(losses, norms, strict=True)]
        if self._device_step is not None:
            for each in was_taken:
                self.skipped_in_a_row = 0 if each else self.skipped_in_a_row + 1
        rates, self._learning_rates = self._learning_rates, []
        return StepReport(
            first_step=first_step,
            train_losses=[loss if taken else math.nan for loss, taken in zip(losses, was_taken, strict=True)],
            grad_norms=[norm if taken else math.nan for norm, taken in zip(norms, was_taken, strict=True)],
            learning_rates=rates,
        )

    # How it is computed -----------------------------------------------------------------------------------------------
    def forward_backward(self, batch: Batch) -> None:
        """Do the work of a step on the CPU except for the update, for timing.

        Overwrites the gradient and leaves the model in eval mode, in which no generator is used.
        """
        self.model.eval()
        self._compute_gradient(batch)

    def use_precision(self, precision: str) -> None:
        """Compute the steps on the CPU in this precision from now on; the state is the same in both."""
        self.precision = precision
        self._cpu_steps = {name: step for name, step in self._cpu_steps.items() if name == precision}

    def set_batch_size(self, batch_size: int) -> None:
        """Pad small batches to that many tweets over all ranks from now on; frees the recordings for others."""
        self._batch_size = batch_size
        self.close()

    def num_rows(self, batch: Batch) -> int:
        """Return how many tweets a step computes; a device pads a batch to this rank's part of the batch size."""
        own_part = 0 if self._device_step is None else -(-self._batch_size // self._world_size)
        return max(batch.num_tweets, own_part)

    def set_micro_batch_size(self, micro_batch_size: int) -> None:
        """Compute at most that many tweets at once from now on; frees the memory for more."""
        self.micro_batch_size = micro_batch_size
        self.free_memory()

    def free_memory(self) -> None:
        """Free all memory that is only kept to make steps and the sampling of tweets faster."""
        self.close()
        discard_char_graph(self.model.device)
        self._cpu_steps.clear()
        free_memory(self._device)

    def close(self) -> None:
        """Free the CUDA graphs recorded for later steps."""
        if self._device_step is not None:
            self._device_step.graphs.discard_all()

    # The state as named tensors ---------------------------------------------------------------------------------------
    @property
    def eval_model(self) -> TextGenerator:
        """The model to evaluate and to sample from: that of the averaged weights if averaging is on."""
        return self.model if self._average is None else self._average.model

    def state(self) -> dict[str, Tensor]:
        """Return weights and optimizer state by name, as a checkpoint stores them; not copies.

        `model.` are the weights, `average.` the averaged ones if any, `optimizer.` is missing before the first step.
        """
        tensors = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        if self._average is not None:
            tensors |= {f"average.{name}": tensor for name, tensor in self._average.model.state_dict().items()}
        return tensors | self._optimizer_tensors() if self.step_count else tensors

    def _optimizer_tensors(self) -> dict[str, Tensor]:
        """Return step count and state of each parameter, views of the flat buffers.

        The state is two moments, of the same shape, and for a table one mean square per row, (1 + R,).
        """
        flat, adamw, of_table = self.flat, self._optimizer_step.adamw, self._optimizer_step.table_optimizer
        tensors = {f"optimizer.step.{name}": adamw.step_count for name in flat.views(flat.weights)}
        for key, moment in (("exp_avg", adamw.exp_avg), ("exp_avg_sq", adamw.exp_avg_sq)):
            tensors |= {f"optimizer.{key}.{name}": view for name, view in flat.views(moment).items()}
        return tensors if of_table is None else tensors | {f"optimizer.row_square.{TABLE_NAME}": of_table.row_square}

    def load_state(self, tensors: dict[str, Tensor], step_count: int) -> None:
        """Restore a `state` of `step_count` steps; an average that it lacks starts from the weights.

        An optimizer that it lacks starts from zeros. Raises `KeyError` or `RuntimeError` if it does not fit the model.
        """
        self.model.load_state_dict(weights_with_prefix(tensors, "model."))
        if self._average is not None:
            averages = weights_with_prefix(tensors, "average.") or self.model.state_dict()
            self._average.model.load_state_dict(averages)
        has_optimizer = any(name.startswith("optimizer.") for name in tensors)
        for name, tensor in self._optimizer_tensors().items():
            if has_optimizer:
                tensor.copy_(tensors[name])
            else:
                tensor.zero_()
        self.step_count = step_count
        self.skipped_in_a_row = 0
        self._optimizer_step.has_begun = False
        self._optimizer_step.losses.clear()
        self._learning_rates.clear()
        self.close()

    def broadcast_state(self, broadcast_: Callable[[Tensor], None]) -> None:
        """Pass each buffer of the state through `broadcast_`, which replaces it by that of one of the ranks.

        Few large buffers, in the same order on all ranks; the contexts of an n-gram input are a buffer of the model.
        """
        adamw, of_table = self._optimizer_step.adamw, self._optimizer_step.table_optimizer
        weights = [*self.model.buffers(), self.flat.weights]
        averages = [] if self._average is None else [*self._average.model.buffers(), self._average.weights]
        row_squares = [] if of_table is None else [of_table.row_square]
        for buffer in (*weights, *averages, adamw.exp_avg, adamw.exp_avg_sq, *row_squares, adamw.step_count):
            broadcast_(buffer)


def split_batch(batch: Batch, micro_batch_size: int) -> list[Batch]:
    """Split a batch into micro-batches of `micro_batch_size` tweets, in order; the last may have fewer."""
    firsts = range(0, len(batch.targets), micro_batch_size)
    return [batch.part(slice(first, first + micro_batch_size)) for first in firsts]

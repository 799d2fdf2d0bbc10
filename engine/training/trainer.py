"""`Trainer`: one optimizer step at a time. It does not decide when to sample, evaluate, save or stop.

The loss of a step stays on the device until `drain_report` reads many at once, so that a GPU never waits for the
screen; a non-finite step is skipped on the device (`engine.compute.optimizer`). On a CPU the step is assembled
here, from `engine.compute.cpu`; on other devices `engine.compute.gpu_step` runs all of it.

**Several ranks.** Each has a trainer with equal weights and its own part of each batch. Between gradient and update,
`sum_over_ranks` replaces the gradient and the loss by their sums over all ranks; from the same bits, all of them clip,
update or skip alike.

**A step that fails.** Until the sum over ranks or the update starts, an exception leaves everything as it was before
the step, generators included: the step can be repeated, in micro-batches (`engine.training.micro_batches`) or by a
resumed run. After that the weights may be updated in part, or the other ranks continue, and `is_consistent` is false.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

from torch import Tensor

from engine.compute.cpu.threaded_step import one_torch_thread
from engine.compute.cuda_graphs import Backlog
from engine.compute.device import Runtime, generators_restored_on_error
from engine.compute.gpu_step import DeviceStep, recorder_for
from engine.compute.memory import free_memory
from engine.compute.optimizer import FusedAdamW, LossBuffer, OptimizerStep
from engine.compute.step_timer import PhaseTimer
from engine.config.run import TrainingConfig
from engine.corpus.encoded_tweets import Batch, CorpusBatch
from engine.model.flat_parameters import FlatParameters
from engine.model.gru import TextGenerator
from engine.model.weight_average import WeightAverage
from engine.training.cpu_gradients import CpuGradients
from engine.training.step_report import StepReport
from engine.training.trainer_state import optimizer_tensors, restore_state, state_buffers, weight_tensors


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
        self._runtime = runtime
        self.micro_batch_size: int | None = None
        """Largest number of tweets computed at once; None is a whole batch."""
        self.skipped_in_a_row = 0
        """Steps skipped since the last that was not; on a GPU, as of the last report."""
        self._timer = PhaseTimer()
        on_cpu = runtime.device.type == "cpu"
        self._flat = FlatParameters(model)
        self._cpu = CpuGradients(model, self._flat, runtime.precision, self._timer) if on_cpu else None
        self._adamw = FusedAdamW(self._flat, config.weight_decay)
        self._losses = LossBuffer(runtime.device)
        self._learning_rates: list[float] = []
        """Of the steps in the loss buffer."""
        self._optimizer_step = OptimizerStep(
            self._flat,
            self._adamw,
            self._losses,
            max_grad_norm=config.max_grad_norm or math.inf,
            ngram_decay=config.ngram_decay,
        )
        self._world_size = world_size
        self._sum_over_ranks = sum_over_ranks
        self._batch_size = config.batch_size
        self._device_step = None if on_cpu else self._make_device_step(may_record=may_record)
        self._average = WeightAverage(model, config.average_lag) if config.average_lag else None

    def _make_device_step(self, *, may_record: bool) -> DeviceStep:
        return DeviceStep(
            self.model,
            self._flat,
            self._optimizer_step,
            precision=self._runtime.precision,
            recorder=recorder_for(self.model) if may_record else None,
            backlog=Backlog() if self._runtime.device.type == "cuda" else None,
            sum_over_ranks=self._sum_over_ranks and partial(self._sum_gradients, self._sum_over_ranks),
        )

    def set_batch_size(self, batch_size: int) -> None:
        """Pad small batches to that many tweets over all ranks from now on; frees the recordings for others."""
        self._batch_size = batch_size
        self.close()

    def use_timer(self, timer: PhaseTimer) -> None:
        """Report the phases of each step to this timer from now on; it is in "forward" when a step begins."""
        self._timer = timer
        if self._cpu is not None:
            self._cpu.use_timer(timer)

    @property
    def eval_model(self) -> TextGenerator:
        """The model to evaluate and to sample from: that of the averaged weights if averaging is on."""
        return self.model if self._average is None else self._average.model

    @property
    def is_consistent(self) -> bool:
        """Whether all of the state is that after `step_count` steps; false after an interrupted sum or update."""
        return not self._optimizer_step.has_begun

    @property
    def num_graphs(self) -> int | None:
        """Number of CUDA graphs that replace steps; None on a device without graphs."""
        return (
            None if self._runtime.device.type != "cuda" or self._device_step is None else self._device_step.num_graphs
        )

    @property
    def recording_failure(self) -> str:
        """Why steps can't be recorded as CUDA graphs; empty if they can, or have not been yet."""
        return "" if self._device_step is None else self._device_step.recording_failure

    def num_rows(self, batch: Batch) -> int:
        """Return how many tweets a step computes; a device pads a batch to this rank's part of the batch size."""
        own_part = 0 if self._device_step is None else -(-self._batch_size // self._world_size)
        return max(batch.num_tweets, own_part)

    def prepare(self, batch: Batch) -> None:
        """Do the host's work for a batch, else done by `step`: pad it where a CPU trains."""
        if self._cpu is not None:
            _ = batch.inputs  # padded on first access

    def step(self, batch: Batch, learning_rate: float) -> None:
        """Train on one batch, or this rank's part of it: forward, backward, sum, clip, update.

        A step with a non-finite loss or gradient is skipped: it counts, and changes no weight. Raises
        `DeviceMemoryError` if the corpus does not fit the device's memory.
        """
        self.model.train()
        self._optimizer_step.has_begun = False
        draws = self.model.dropout.p > 0
        with generators_restored_on_error(self._runtime.device) if draws else nullcontext():
            if self._cpu is not None:
                self._step_on_cpu(self._cpu, batch, learning_rate)
            elif self._device_step is not None and isinstance(batch, CorpusBatch):
                self._device_step.run(batch, self.num_rows(batch), learning_rate)
            else:
                raise TypeError("a GPU gathers its batches from a corpus")
            if self._average is not None:
                with one_torch_thread() if self._device_step is None else nullcontext():
                    self._average.update(self.step_count + 1)
            self._losses.count()
            self._learning_rates.append(learning_rate)
            self.step_count += 1
        self._optimizer_step.has_begun = False

    def set_micro_batch_size(self, micro_batch_size: int) -> None:
        """Compute at most that many tweets at once from now on; frees the memory for more."""
        self.micro_batch_size = micro_batch_size
        self.free_memory()

    def free_memory(self) -> None:
        """Free all memory that is only kept to make steps faster."""
        if self._device_step is not None:
            self._device_step.set_micro_batch_size(self.micro_batch_size)
        if self._cpu is not None:
            self._cpu.free_memory()
        free_memory(self._runtime.device)

    def _step_on_cpu(self, cpu: CpuGradients, batch: Batch, learning_rate: float) -> None:
        """Take a step on the CPU."""
        cpu.compute(batch, self.micro_batch_size)
        if self._sum_over_ranks is not None:
            self._sum_gradients(self._sum_over_ranks)
        self._timer.switch_to("optimizer")
        with one_torch_thread():
            is_skipped = self._optimizer_step.run(learning_rate)
        self.skipped_in_a_row = self.skipped_in_a_row + 1 if is_skipped.item() else 0

    def _sum_gradients(self, sum_over_ranks: Callable[[Tensor], None]) -> None:
        """Sum gradient and loss over all ranks."""
        self._optimizer_step.has_begun = True
        with self._timer.during("waiting"):
            sum_over_ranks(self._flat.grads_and_loss)

    def broadcast_state(self, broadcast_: Callable[[Tensor], None]) -> None:
        """Pass each buffer of the state through `broadcast_`, which replaces it by that of one of the ranks."""
        of_table = self._optimizer_step.of_table
        for buffer in state_buffers(self.model, self._flat, self._average, self._adamw, of_table):
            broadcast_(buffer)

    def checksum(self) -> int:
        """Return a number that depends on the bits and the place of each weight; waits for the device."""
        return self._flat.checksum()

    def forward_backward(self, batch: Batch) -> None:
        """Do the work of a step on the CPU except for the update, for timing.

        Overwrites the gradient and leaves the model in eval mode, in which no generator is used.
        """
        self.model.eval()
        self._on_cpu.compute(batch, self.micro_batch_size)

    def try_precision(self, precision: str) -> None:
        """Compute in this precision on the CPU until `use_precision`, for timing."""
        self._on_cpu.try_precision(precision)

    def use_precision(self, precision: str) -> None:
        """Compute the steps on the CPU in this precision from now on; the state is the same in both."""
        self._on_cpu.use_precision(precision)

    @property
    def _on_cpu(self) -> CpuGradients:
        if self._cpu is None:
            raise TypeError("the model is on a GPU")
        return self._cpu

    def close(self) -> None:
        """Free the CUDA graphs recorded for later steps."""
        if self._device_step is not None:
            self._device_step.discard_graphs()

    def drain_report(self) -> StepReport:
        """Return all steps since the last report; waits for the device once."""
        first_step = self.step_count - len(self._losses) + 1
        with self._timer.during("forward"):  # on a GPU this waits for the steps
            losses, norms = self._losses.drain()
        rates, self._learning_rates = self._learning_rates, []
        report = StepReport.of(first_step, losses, norms, rates)
        if self._device_step is not None:
            for loss in report.train_losses:
                self.skipped_in_a_row = self.skipped_in_a_row + 1 if math.isnan(loss) else 0
        return report

    def state(self) -> dict[str, Tensor]:
        """Return weights and optimizer state by name, as a checkpoint stores them; not copies."""
        optimizer = optimizer_tensors(self._flat, self._adamw, self._optimizer_step.of_table) if self.step_count else {}
        return weight_tensors(self.model, self._average) | optimizer

    def load_state(self, tensors: dict[str, Tensor], step_count: int) -> None:
        """Restore a `state` of `step_count` steps. Raises `KeyError` or `RuntimeError` if it does not fit."""
        restore_state(
            tensors,
            self.model,
            self._average,
            optimizer_tensors(self._flat, self._adamw, self._optimizer_step.of_table),
        )
        self.step_count = step_count
        self.skipped_in_a_row = 0
        self._optimizer_step.has_begun = False
        self._losses.clear()
        self._learning_rates.clear()
        self.close()

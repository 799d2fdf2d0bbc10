"""`CpuGradients`: loss and gradient of a batch on the CPU, at once or in micro-batches; the precision can change."""

from __future__ import annotations

from engine.compute.cpu.threaded_step import ThreadedStep
from engine.compute.step_timer import PhaseTimer
from engine.corpus.encoded_tweets import Batch
from engine.model.gru import TextGenerator
from engine.model.parameters import FlatParameters
from engine.training.micro_batches import accumulate, split_batch


class CpuGradients:
    """The forward and backward pass of one model on the CPU. Not thread-safe."""

    def __init__(self, model: TextGenerator, flat: FlatParameters, precision: str, timer: PhaseTimer) -> None:
        """Write to the gradient and the loss of `flat`, the parameters of `model`."""
        self._model = model
        self._flat = flat
        self._precision = precision
        self._timer = timer
        self._steps: dict[str, ThreadedStep] = {}

    @property
    def _step(self) -> ThreadedStep:
        """The implementation in the precision in use; it is created, with memory of its own, on first use."""
        if self._precision not in self._steps:
            self._steps[self._precision] = ThreadedStep(self._model, self._precision)
            self._steps[self._precision].use_timer(self._timer)
        return self._steps[self._precision]

    def use_timer(self, timer: PhaseTimer) -> None:
        """Report the phases of each pass to this timer from now on."""
        self._timer = timer
        for step in self._steps.values():
            step.use_timer(timer)

    def try_precision(self, precision: str) -> None:
        """Compute in this precision; the memory for the other one is kept."""
        self._precision = precision

    def use_precision(self, precision: str) -> None:
        """Compute in this precision from now on; frees the memory for the other one."""
        self._precision = precision
        self._steps = {name: step for name, step in self._steps.items() if name == precision}

    def free_memory(self) -> None:
        """Free all memory that is only kept to make passes faster."""
        self._steps.clear()

    def compute(self, batch: Batch, micro_batch_size: int | None) -> None:
        """Write loss and gradient of a batch: in micro-batches if it is larger than one, zero if it has no tweet."""
        num_tweets = batch.num_tweets
        if num_tweets == 0:
            self._flat.grads_and_loss.zero_()
        elif micro_batch_size is None or num_tweets <= micro_batch_size:
            self._compute_at_once(batch)
        else:
            parts = split_batch(batch, micro_batch_size)
            accumulate(parts, self._compute_at_once, self._flat.grads_and_loss)

    def _compute_at_once(self, batch: Batch) -> None:
        """Write loss and gradient of a batch or micro-batch, of at least one tweet."""
        self._timer.switch_to("forward")
        self._flat.loss.copy_(self._step.loss_and_grads(batch))

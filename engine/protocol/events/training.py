"""Events of training: steps with their losses, evaluations, times, and the checkpoints that are saved and loaded."""

from __future__ import annotations

from dataclasses import dataclass

from engine.config.run import ModelConfig
from engine.protocol.events.base import BaseEvent, Count, Number, StepNumber


@dataclass(frozen=True, kw_only=True)
class StepsFinished(BaseEvent):
    """One or more consecutive steps; the last of them is `step`."""

    first_step: StepNumber
    train_losses: tuple[Number, ...]
    """One per step, nats per character."""
    grad_norms: tuple[Number, ...]
    """One per step, before clipping."""
    learning_rates: tuple[Number, ...]
    """One per step."""
    chars_per_second: Number
    """Targets without padding, over the last few seconds of training."""

    def __post_init__(self) -> None:
        """Raise `ValueError` unless there is a step, and one number per step: a journal may have been edited."""
        num_steps = _num_steps(self.first_step, self.step)
        if any(len(each) != num_steps for each in (self.train_losses, self.grad_norms, self.learning_rates)):
            raise ValueError(f"not one loss, norm and learning rate for each of {num_steps} steps")

    @property
    def learning_rate(self) -> float:
        """That of the last step."""
        return self.learning_rates[-1]


@dataclass(frozen=True, kw_only=True)
class StepsThinned(BaseEvent):
    """A bucket of consecutive steps, in place of their `StepsFinished` in a journal."""

    first_step: StepNumber
    least_loss: Number
    """Of the train losses, nats per character."""
    mean_loss: Number
    greatest_loss: Number
    least_grad_norm: Number
    """Of the gradient norms before clipping."""
    mean_grad_norm: Number
    greatest_grad_norm: Number
    learning_rate: Number
    """Of the last of these steps."""
    chars_per_second: Number
    """As in the last `StepsFinished` of the bucket."""

    def __post_init__(self) -> None:
        """Raise `ValueError` unless there is a step."""
        _num_steps(self.first_step, self.step)

    @property
    def num_steps(self) -> int:
        """Number of its steps."""
        return self.step - self.first_step + 1


def _num_steps(first_step: int, last_step: int) -> int:
    """Return the number of consecutive steps. Raises `ValueError` if there is none."""
    if last_step < first_step:
        raise ValueError(f"the last step, {last_step}, is before the first, {first_step}")
    return last_step - first_step + 1


@dataclass(frozen=True, kw_only=True)
class EvalFinished(BaseEvent):
    """The model was evaluated on the validation tweets."""

    val_loss: Number
    """Nats per character, by the rule of `engine.training.evaluation`."""
    bits_per_char: Number
    is_best: bool
    is_early: bool = False
    """Whether it was measured on some of the tweets, before the first regular evaluation; then it is never the best."""


@dataclass(frozen=True, kw_only=True)
class StepTimes(BaseEvent):
    """Time spent on each part of the last seconds of training; the rest is reporting and idle time."""

    num_steps: Count
    seconds: Number
    """Since the previous of these events, or the start; pauses and thread measurements excluded."""
    data_seconds: Number
    """Preparing batches."""
    forward_seconds: Number
    """On a GPU, whose steps run asynchronously: all of the step."""
    backward_seconds: Number
    optimizer_seconds: Number
    sampling_seconds: Number
    """Sampling tweets, and answering queries about the model."""
    evaluation_seconds: Number
    saving_seconds: Number
    """Copying the weights for a checkpoint."""
    waiting_seconds: Number = 0.0
    """Of several processes: waiting for the sum of their gradients."""


@dataclass(frozen=True, kw_only=True)
class RanksMeasured(BaseEvent):
    """How the processes of a run shared the last seconds of training; one entry per rank in each field."""

    waiting_shares: tuple[float, ...]
    """Share of the time, 0 to 1, spent waiting for the sum of the gradients; the slowest rank waits least."""
    devices: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ThreadsChanged(BaseEvent):
    """The steps run on another number of CPU threads or in another precision from now on, measured to be faster."""

    num_threads: int
    precision: str
    message: str
    """Both, those before, and the speedup."""


@dataclass(frozen=True, kw_only=True)
class CheckpointSaved(BaseEvent):
    """A checkpoint is in place under its final name."""

    name: str
    path: str
    bits_per_char: float | None
    """Of the last evaluation; None before the first."""
    weights_step: int
    """Step of its weights, which the run may have left behind by now."""


@dataclass(frozen=True, kw_only=True)
class CheckpointLoaded(BaseEvent):
    """The run continues from a checkpoint; `step` is the checkpoint's."""

    name: str
    path: str
    bits_per_char: float | None
    """Of its last evaluation; None before the first, and for a checkpoint of other tweets than the run's."""
    epochs: float
    """Epochs completed by the checkpoint."""


@dataclass(frozen=True, kw_only=True)
class ModelChanged(BaseEvent):
    """The checkpoint just loaded has a model of another shape."""

    model: ModelConfig
    num_parameters: int

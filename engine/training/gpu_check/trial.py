"""`GpuTrial`: the weights, batches and trainers of all checks of a device; and `Finding`, what a check has found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.compute.cuda_graphs import WARM_UP_VISITS, new_failures
from engine.compute.device import Runtime
from engine.compute.gpu_step import bucket_length
from engine.config.run import TrainingConfig
from engine.corpus.arrays import CorpusBatch, EncodedTweets
from engine.model.gru import TextGenerator
from engine.training.gpu_check.gpu import CheckedGpu
from engine.training.trainer import Trainer

CPU = torch.device("cpu")
NUM_STEPS = 20
"""Steps of which losses are compared."""
SAME_LOSSES = 1e-5
"""Largest relative difference between losses of recorded steps and of the same steps taken eagerly."""
MAX_RARE = 4
"""Padded lengths of `GpuTrial.steps` that are not recorded."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The model, and the amount of work. A GRU of 256 units in two layers is one that `auto` chooses on a GPU."""

    hidden_size: int = 256
    num_layers: int = 2
    batch_size: int = 64
    learning_rate: float = 0.002
    num_timed: int = 50
    """Steps that are timed, and in which the host may not wait."""
    num_repeated: int = 500
    """Steps after which no more memory may be in use than after ten."""
    num_joined: int = 8
    """Batches that are joined to one where memory is made to run out."""


@dataclass(frozen=True)
class Finding:
    """What a check has found."""

    figure: str
    """In a few words, what is right or wrong."""
    numbers: dict[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    is_right: bool


class NotApplicableError(Exception):
    """The GPU lacks what a check is about; the message names it."""


def difference(found: Sequence[float], expected: Sequence[float]) -> float:
    """Return the largest relative difference of two series; NaN, which is within no limit, where one has a NaN."""
    pairs = np.array(list(zip(found, expected, strict=True)))
    return float(np.max(np.abs(pairs[:, 0] - pairs[:, 1]) / np.abs(pairs[:, 1])))


class GpuTrial:
    """Trains models of always the same weights on always the same batches. Changes torch's generators."""

    def __init__(self, gpu: CheckedGpu, tweets: EncodedTweets, vocab_size: int, sizes: Sizes | None = None) -> None:
        """Train on these tweets, which have at least three padded lengths."""
        self.gpu = gpu
        self.device = gpu.device
        self.tweets = tweets
        self.sizes = sizes or Sizes()
        self.training = TrainingConfig(
            batch_size=self.sizes.batch_size,
            learning_rate=self.sizes.learning_rate,
            weight_decay=0.01,
            max_grad_norm=1.0,
            average_lag=0.05,
        )
        self._vocab_size = vocab_size
        by_length = self._batches_by_length()
        common = max(by_length.values(), key=len)
        rare = [own[0] for own in by_length.values() if own is not common]
        self.batch = common[0]
        self.lengths = [rare[0], common[0], rare[-1]]
        """Batches of three padded lengths: the most frequent, between the shortest and the longest of the others."""
        few = rare[-MAX_RARE:] * WARM_UP_VISITS
        self.steps = list(islice(cycle(common), NUM_STEPS - len(few)))
        """The batches of 20 steps: one padded length that is recorded, and others that come too seldom for it."""
        for number, batch in enumerate(few):
            self.steps.insert(2 * number + 1, batch)

    def _batches_by_length(self) -> dict[int, list[CorpusBatch]]:
        """Return batches of tweets of about the same length, by padded length, the shortest first."""
        size, found = self.sizes.batch_size, defaultdict[int, list[CorpusBatch]](list)
        order = np.argsort(self.tweets.lengths, kind="stable")
        for first in range(0, len(order) - size + 1, size):
            batch = self.tweets.batch(order[first : first + size])
            found[bucket_length(batch.num_columns)].append(batch)
        return found

    def new_model(self, dropout: float = 0.0) -> TextGenerator:
        """Return a model on the CPU."""
        torch.manual_seed(0)
        size, num_layers = self.sizes.hidden_size, self.sizes.num_layers
        return TextGenerator(self._vocab_size, size, size, num_layers, dropout, tied_embeddings=True)

    def new_trainer(self, *, dropout: float = 0.0, precision: str = "float32", may_record: bool = True) -> Trainer:
        """Return a trainer on the device."""
        return self.trainer_of(self.gpu.moved(self.new_model(dropout)), precision=precision, may_record=may_record)

    def trainer_of(self, model: TextGenerator, *, precision: str = "float32", may_record: bool = True) -> Trainer:
        """Return the trainer of a model, on the CPU or on the device."""
        runtime = Runtime(device=model.device, precision=precision, num_threads=torch.get_num_threads())
        return Trainer(model, self.training, runtime, may_record=may_record)

    def losses(self, trainer: Trainer, batches: Iterable[CorpusBatch]) -> list[float]:
        """Take a step on each batch; return their losses."""
        for batch in batches:
            trainer.step(batch, self.training.learning_rate)
        return trainer.drain_report().train_losses

    def eager_losses(self, batches: Iterable[CorpusBatch], precision: str = "float32") -> list[float]:
        """Return the losses of a new trainer on the device that records nothing."""
        return self.losses(self.new_trainer(precision=precision, may_record=False), batches)

    def require_graphs(self) -> None:
        """Raise `NotApplicableError` on a device that records nothing."""
        if not self.gpu.has_graphs:
            raise NotApplicableError(f"{self.device.type} has no CUDA graphs")


def not_recorded(what: str, numbers: dict[str, Any]) -> Finding:
    """Return the finding that no step, or character of a tweet, was recorded, and why."""
    figure = f"no {what} was recorded. {' '.join(new_failures(set()))}".strip()
    return Finding(figure, numbers, is_right=False)


def copy_of_state(trainer: Trainer) -> dict[str, Tensor]:
    """Return copies of the weights and of the optimizer's tensors."""
    return {name: tensor.clone() for name, tensor in trainer.state().items()}


def put_back(trainer: Trainer, state: dict[str, Tensor]) -> None:
    """Set weights and optimizer to copies, at the addresses that recorded steps have."""
    for name, tensor in trainer.state().items():
        tensor.copy_(state[name])

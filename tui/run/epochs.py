"""How many epochs some steps are. A run may begin with small batches, the parts of whole ones (`BatchStream`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.config.run import TrainingConfig
from engine.corpus.batches import FIRST_TWEETS


@dataclass(frozen=True, kw_only=True)
class EpochCount:
    """Converts steps, counted from a point of the run, to epochs and back."""

    epochs_before: float
    """Epochs completed at that point."""
    steps_per_epoch: int
    """With whole batches."""
    num_small_steps: float
    """Steps on small batches from that point on."""
    steps_per_batch: int
    """Of those, per whole batch."""

    @classmethod
    def of(cls, training: TrainingConfig, num_tweets: int, epochs_before: float) -> EpochCount:
        """Return the count of a run on `num_tweets`, from where `epochs_before` are completed."""
        steps_per_epoch = max(math.ceil(num_tweets / training.batch_size), 1)
        steps_per_batch = 1
        if training.first_batch_size:
            steps_per_batch = math.ceil(min(training.batch_size, num_tweets) / training.first_batch_size)
        num_cut = min(math.ceil(FIRST_TWEETS / training.batch_size), steps_per_epoch)
        return cls(
            epochs_before=epochs_before,
            steps_per_epoch=steps_per_epoch,
            num_small_steps=max(0.0, num_cut - epochs_before * steps_per_epoch) * steps_per_batch,
            steps_per_batch=steps_per_batch,
        )

    def epochs_after(self, steps: int) -> float:
        """Return the epochs completed after so many steps."""
        num_small = min(steps, self.num_small_steps)
        num_batches = num_small / self.steps_per_batch + steps - num_small
        return self.epochs_before + num_batches / self.steps_per_epoch

    def steps_until(self, epochs: float) -> float:
        """Return the steps until so many epochs are completed, the inverse of `epochs_after`."""
        num_batches = (epochs - self.epochs_before) * self.steps_per_epoch
        num_cut = min(num_batches, self.num_small_steps / self.steps_per_batch)
        return num_cut * self.steps_per_batch + num_batches - num_cut

"""Batches by length: shuffled, sorted within pools, cut, shuffled again; and a place in them that can be saved.

Sorting everything would feed the model short tweets for minutes, not sorting at all would make almost half of every
batch padding; within pools of about a hundred batches, padding falls to a few percent and the order stays random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.encoded import Batch, EncodedTweets

POOL_BATCHES = 100


@dataclass(frozen=True, kw_only=True)
class Position:
    """A place in the data: the batch that comes next."""

    epoch: int = 0
    batch: int = 0


def epoch_order(lengths: npt.NDArray[np.int64], batch_size: int, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
    """Return the tweets of each batch of an epoch; depends on nothing but the arguments."""
    generator = np.random.Generator(np.random.PCG64([seed, epoch]))
    shuffled = generator.permutation(len(lengths))
    batches = []
    for start in range(0, len(shuffled), POOL_BATCHES * batch_size):
        pool = shuffled[start : start + POOL_BATCHES * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [batches[index] for index in generator.permutation(len(batches))]


class BatchStream:
    """Batches without end, epoch after epoch, from any position on."""

    def __init__(self, tweets: EncodedTweets, batch_size: int, seed: int, position: Position) -> None:
        """Stand at `position`; one beyond the last batch (of another batch size) begins the next epoch."""
        self._tweets = tweets
        self._batch_size = batch_size
        self._seed = seed
        self.position = position
        self._batches = self._order(position.epoch)

    def _order(self, epoch: int) -> list[npt.NDArray[np.int64]]:
        return epoch_order(self._tweets.lengths, self._batch_size, self._seed, epoch)

    @property
    def epochs(self) -> float:
        """Epochs that have been passed through, the current one in part."""
        return self.position.epoch + self.position.batch / len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        """Return itself: there is only one place to be in."""
        return self

    def __next__(self) -> Batch:
        """Return the batch at `position` and go on to the next."""
        if self.position.batch >= len(self._batches):
            self.position = Position(epoch=self.position.epoch + 1)
            self._batches = self._order(self.position.epoch)
        batch = self._tweets.batch(self._batches[self.position.batch])
        self.position = Position(epoch=self.position.epoch, batch=self.position.batch + 1)
        return batch

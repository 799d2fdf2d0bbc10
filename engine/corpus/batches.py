"""The order of batches: tweets are shuffled, sorted by length within pools, cut into batches, and shuffled again.

Sorting the whole corpus would feed the model short tweets for minutes; without sorting almost half of every batch is
padding. With pools of a hundred batches, padding falls to a few percent and the order stays random. The order depends
on seed and epoch alone, so a `BatchCursor` is enough to resume.

A run may begin with smaller batches: the first batches of its first epoch are cut into parts. An untrained model learns
about as much from a step on few tweets as on many (measured: docs/recipes.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.arrays import CorpusBatch, EncodedTweets, Indices
from engine.protocol.progress import BatchCursor

POOL_BATCHES = 100
FIRST_TWEETS = 8000
"""How many tweets come in smaller batches where a run begins with such. Another number would change resumed runs."""
_MAX_MEASURED = 200_000
Rows = Indices  # (batch,)
"""The indices of the tweets of a batch."""


@dataclass(frozen=True)
class Part:
    """Which tweets of each batch belong to this process: every `world_size`-th, from `rank` on."""

    rank: int = 0
    world_size: int = 1

    def of(self, rows: Rows) -> Rows:
        """Return this process's part of a batch. A batch is sorted by length, so all parts take about as long."""
        return rows[self.rank :: self.world_size]


ALL = Part()

Weights = npt.NDArray[np.float64]  # (tweets,)
"""Mean repetitions of each tweet per epoch; 1.5 is once or twice."""


def epoch_order(lengths: Indices, batch_size: int, seed: int, epoch: int, weights: Weights | None = None) -> list[Rows]:
    """Return the indices of the tweets of each batch, (batch,) each; a pure function of the arguments."""
    generator = np.random.Generator(np.random.PCG64([seed, epoch]))
    tweets = np.arange(len(lengths))
    if weights is not None:
        tweets = np.repeat(tweets, np.floor(weights + generator.random(len(weights))).astype(np.int64))
    shuffled = generator.permutation(tweets)
    batches = []
    for start in range(0, len(shuffled), POOL_BATCHES * batch_size):
        pool = shuffled[start : start + POOL_BATCHES * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [batches[index] for index in generator.permutation(len(batches))]


def _cut(batches: Sequence[Rows], batch_size: int, first_batch_size: int) -> tuple[list[Rows], list[float]]:
    """Return the batches of the first epoch with the first ones cut, and the part of a whole batch that each is."""
    num_cut = -(-FIRST_TWEETS // batch_size)
    parts, shares = [], []
    for number, whole in enumerate(batches):
        starts = range(first_batch_size, len(whole), first_batch_size) if number < num_cut else ()
        own = np.split(whole, starts)
        parts += own
        shares += [len(part) / len(whole) for part in own]
    return parts, shares


def padding_shares(lengths: Indices, batch_size: int, seed: int, weights: Weights | None = None) -> tuple[float, float]:
    """Return the shares of padding, 0 to 1, over the first epoch: of its batches, and if they were not sorted.

    From more than `_MAX_MEASURED` tweets, an even sample is measured.
    """
    if len(lengths) > _MAX_MEASURED:
        chosen = np.linspace(0, len(lengths) - 1, _MAX_MEASURED).astype(np.int64)
        lengths, weights = lengths[chosen], None if weights is None else weights[chosen]
    order = epoch_order(lengths, batch_size, seed, 0, weights)
    num_targets = lengths[np.concatenate(order)] + 1
    sizes = np.array([len(batch) for batch in order])
    shuffled = np.random.Generator(np.random.PCG64([seed, 0])).permutation(num_targets)
    return _padding_share(num_targets, sizes), _padding_share(shuffled, sizes)


def _padding_share(num_targets: Indices, sizes: Indices) -> float:
    """Return the share of padding if tweets of `num_targets` are cut, in order, into batches of `sizes`."""
    columns = np.maximum.reduceat(num_targets, np.cumsum(sizes) - sizes)  # of each batch
    return 1 - float(num_targets.sum() / (columns * sizes).sum())


class BatchStream:
    """An endless iterator over batches, epoch after epoch, that can start anywhere."""

    def __init__(
        self,
        tweets: EncodedTweets,
        batch_size: int,
        seed: int,
        position: BatchCursor,
        weights: Weights | None = None,
        part: Part = ALL,
        *,
        first_batch_size: int = 0,
    ) -> None:
        """Start at `position`; one after the last batch (for another batch size) is the start of the next epoch.

        With a `first_batch_size`, the first `FIRST_TWEETS` tweets of the first epoch come in batches of that size.
        With a `part`, the batches have only that part of the tweets, and the `total_targets` of all.
        """
        self._part = part
        self._last = tweets.batch(np.empty(0, dtype=np.int64))
        self._tweets = tweets
        self._batch_size = batch_size
        self._first_batch_size = first_batch_size
        self._seed = seed
        self._weights = weights
        self._position = position
        self._batches: list[Rows]
        self._begin_epoch(position.epoch)

    def _begin_epoch(self, epoch: int) -> None:
        """Set the batches of an epoch, and how many whole ones come before each, and before the next epoch."""
        batches = epoch_order(self._tweets.lengths, self._batch_size, self._seed, epoch, self._weights)
        shares = [1.0] * len(batches)
        if epoch == 0 and self._first_batch_size:
            batches, shares = _cut(batches, self._batch_size, self._first_batch_size)
        self._batches = batches
        self._before = np.concatenate(([0.0], np.cumsum(shares)))

    def _epochs_at(self, batch: int) -> float:
        """Return the share of the epoch before a batch."""
        return float(self._before[batch] / self._before[-1])

    @property
    def position(self) -> BatchCursor:
        """The position of the next batch."""
        has_more = self._position.batch < len(self._batches)
        return self._position if has_more else BatchCursor(epoch=self._position.epoch + 1)

    @property
    def tweets_per_epoch(self) -> int:
        """Tweets per epoch; with weights, the mean."""
        return len(self._tweets) if self._weights is None else round(float(self._weights.sum()))

    @property
    def epochs(self) -> float:
        """Epochs completed, as a fraction."""
        return self.position.epoch + self._epochs_at(self.position.batch)

    def seek(self, share: float) -> None:
        """Go to this share, 0 to 1, of the epoch, rounded to whole batches."""
        whole = round(share * self._before[-1])
        self._position = BatchCursor(epoch=self._position.epoch, batch=int(np.searchsorted(self._before, whole - 1e-6)))

    def __iter__(self) -> Iterator[CorpusBatch]:
        """Return itself: a stream has a single position."""
        return self

    def __next__(self) -> CorpusBatch:
        """Return the batch at `position` and advance."""
        here = self.position
        if here.epoch != self._position.epoch:
            self._begin_epoch(here.epoch)
        whole = self._tweets.batch(self._batches[here.batch])
        batch = CorpusBatch(self._tweets, self._part.of(whole.rows), whole.num_targets, whole.num_columns)
        self._position, self._last = BatchCursor(epoch=here.epoch, batch=here.batch + 1), whole
        return batch

    def whole_batch(self) -> CorpusBatch:
        """Return the tweets of the last batch, of all parts."""
        return self._last

    def upcoming_epochs(self, count: int) -> list[float]:
        """Return the `epochs` before each of the next batches: at least one, at most `count`, all of one epoch."""
        here = self.position
        num_batches = len(self._batches) if here.epoch == self._position.epoch else here.batch + 1
        count = max(1, min(count, num_batches - here.batch))
        return [here.epoch + self._epochs_at(here.batch + ahead) for ahead in range(count)]

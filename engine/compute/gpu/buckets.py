"""Batches of few shapes: lengths are rounded up to a bucket's, and a batch of too few tweets is filled with padding.

A CUDA graph is for one shape, and cuDNN plans for one shape at a time. Padding costs time but changes nothing: it comes
after a tweet's end, so no state that counts has seen it, and the loss is a mean over targets that are not padding.

Bucket lengths are multiples of 8 up to 128, of 16 up to 256 and so on: never an eighth more than needed (but for tweets
under 64 characters), and 17 lengths for tweets of up to 144.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import PAD

MIN_SPACING = 8
SPACINGS_PER_LENGTH = 16


@dataclass(frozen=True)
class DeviceBatch:
    """Tweets as a device takes them: time-major, so that inputs and targets are two views of one array."""

    tokens: npt.NDArray[np.int32]  # (T + 1, B): BOS, characters, EOS, PAD; inputs are all rows but the last
    num_targets: int
    """Targets that are not padding."""


def bucket_length(length: int) -> int:
    """Return the length of the bucket that tweets of `length` targets belong to."""
    next_power_of_two = 1 << (length - 1).bit_length()
    spacing = max(MIN_SPACING, next_power_of_two // SPACINGS_PER_LENGTH)
    return -(-length // spacing) * spacing


def to_device_batch(batch: Batch, batch_size: int) -> DeviceBatch:
    """Return `batch` in the shape of its bucket, with at least `batch_size` tweets.

    What follows a tweet's end is computed and counts for nothing, be it padding or, once, `EOS`.
    """
    num_tweets, length = batch.targets.shape
    tokens = np.full((bucket_length(length) + 1, max(batch_size, num_tweets)), PAD, dtype=np.int32)
    tokens[0, :num_tweets] = batch.inputs[:, 0]
    tokens[1 : length + 1, :num_tweets] = batch.targets.T
    return DeviceBatch(tokens, batch.num_targets)

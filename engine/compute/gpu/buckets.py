"""Batches of few shapes: lengths are padded to that of a bucket, and small batches with empty tweets.

A CUDA graph has one shape, and cuDNN plans for one shape at a time. Padding costs time but does not change the result:
it follows a tweet's end, so it affects no state of the tweet, and the loss is a mean over targets that are not padding.

Bucket lengths are multiples of 8 up to 128, of 16 up to 256 and so on: padding adds less than an eighth (except to
tweets under 64 characters), and tweets of up to 144 characters need 17 lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.encoded_tweets import Batch
from engine.model.vocab import EOS, PAD

MIN_SPACING = 8
SPACINGS_PER_LENGTH = 16


@dataclass(frozen=True)
class DeviceBatch:
    """A time-major batch for a device; inputs and targets are two views of one array."""

    tokens: npt.NDArray[np.int32]  # (T + 1, B): BOS, characters, EOS, PAD; inputs are all rows but the last
    num_targets: int
    """Targets that are not padding."""
    total_targets: int
    """Those of the whole step, over all ranks."""


def bucket_length(length: int) -> int:
    """Return the padded length of a batch whose longest tweet has `length` targets."""
    next_power_of_two = 1 << (length - 1).bit_length()
    spacing = max(MIN_SPACING, next_power_of_two // SPACINGS_PER_LENGTH)
    return -(-length // spacing) * spacing


def to_device_batch(batch: Batch, batch_size: int) -> DeviceBatch:
    """Return `batch` padded to its bucket and to at least `batch_size` tweets.

    Rows after a tweet's end, `PAD` or once `EOS`, are computed but masked in the loss.
    """
    num_tweets, length = batch.targets.shape
    tokens = np.full((bucket_length(length) + 1, max(batch_size, num_tweets)), PAD, dtype=np.int32)
    tokens[0, :num_tweets] = batch.inputs[:, 0]
    tokens[1 : length + 1, :num_tweets] = batch.targets.T
    return DeviceBatch(tokens, batch.num_targets, batch.total_targets)


def to_batch(batch: Batch | DeviceBatch) -> Batch:
    """Return the batch that `to_device_batch` padded; one that is not padded is returned unchanged."""
    if isinstance(batch, Batch):
        return batch
    tokens = batch.tokens[:, batch.tokens[1] != PAD].T.astype(np.int64)  # (B, T + 1)
    length = int((tokens[:, 1:] != PAD).sum(axis=1).max())
    inputs, targets = tokens[:, :length], tokens[:, 1 : length + 1]
    return Batch(np.where(inputs == EOS, PAD, inputs), targets, batch.num_targets, batch.total_targets)

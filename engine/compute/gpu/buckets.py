"""Batches of few shapes: lengths are padded to that of a bucket, and small batches with empty tweets.

A CUDA graph has one shape, and cuDNN plans for one shape at a time. Padding costs time but does not change the result:
it follows a tweet's end, so it affects no state of the tweet, and the loss counts no target that is padding.

Bucket lengths are multiples of 8 up to 128, of 16 up to 256 and so on: padding adds less than an eighth (except to
tweets under 64 characters), and tweets of up to 144 characters need 17 lengths.
"""

from __future__ import annotations

import numpy as np

from engine.corpus.encoded_tweets import Ids

MIN_SPACING = 8
SPACINGS_PER_LENGTH = 16
NO_TWEET = -1
"""The row of an empty tweet, which is all padding."""


def bucket_length(length: int) -> int:
    """Return the padded length of a batch whose longest tweet has `length` targets."""
    next_power_of_two = 1 << (length - 1).bit_length()
    spacing = max(MIN_SPACING, next_power_of_two // SPACINGS_PER_LENGTH)
    return -(-length // spacing) * spacing


def padded_rows(rows: Ids, batch_size: int) -> Ids:
    """Return the rows of a batch, (B,), with empty tweets up to `batch_size`."""
    return np.pad(rows, (0, max(0, batch_size - len(rows))), constant_values=NO_TWEET)

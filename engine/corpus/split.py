"""Which tweets are held out: decided by what they say, so that it does not depend on order or seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

VALIDATION_SHARE = 0.05
MIN_VALIDATION_TWEETS = 200
MAX_VALIDATION_SHARE = 0.2
"""Wins over the minimum: of a small corpus, at least four fifths are trained on."""


def num_validation_tweets(num_tweets: int) -> int:
    """Return how many of `num_tweets` are held out."""
    wanted = max(round(VALIDATION_SHARE * num_tweets), MIN_VALIDATION_TWEETS)
    return min(wanted, int(MAX_VALIDATION_SHARE * num_tweets))


def validation_mask(keys: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which tweets are held out: those whose key hashes lowest. `keys` are distinct."""
    digests = b"".join(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest() for key in keys)
    hashes = np.frombuffer(digests, dtype=">u8")
    mask = np.zeros(len(keys), dtype=np.bool_)
    mask[np.argsort(hashes, kind="stable")[: num_validation_tweets(len(keys))]] = True
    return mask

"""Which tweets are held out: decided by what they say, so that it does not depend on order or seed.

Tweets that say the same, or share a long run of characters, go to the same side. They are taken in the order of a hash
of their keys: first whole components (all that hang together by near-duplicates and shared runs), as long as they are
small. A component larger than a hundredth of what is wanted stays in training: a validation loss must not hang on one
song. Where that is not enough, because nearly all tweets hang together as those from a grammar do, whole groups of
near-duplicates follow, and shared runs cross; `leak_share` says how many.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.similarity.rolling_hash import Hashes, Indices
from engine.corpus.similarity.winnowing import join_shared_runs
from engine.protocol.stage import OnProgress, no_progress

VALIDATION_SHARE = 0.05
MIN_VALIDATION_TWEETS = 200
MAX_VALIDATION_SHARE = 0.2
"""Wins over the minimum: of a small corpus, at least four fifths are trained on."""
MAX_COMPONENT_SHARE = 0.01
"""Of the tweets wanted, that one component may make up."""


def num_validation_tweets(num_tweets: int) -> int:
    """Return how many of `num_tweets` are held out."""
    wanted = max(round(VALIDATION_SHARE * num_tweets), MIN_VALIDATION_TWEETS)
    return min(wanted, int(MAX_VALIDATION_SHARE * num_tweets))


def validation_mask(
    keys: FlatTweets, groups: Indices, digests: Hashes, on_progress: OnProgress = no_progress
) -> npt.NDArray[np.bool_]:
    """Return which tweets are held out, (tweets,): whole `groups` (a label for each tweet), at most those wanted.

    `digests` are stable hashes of the keys, (tweets,). Nothing is held out if no group is small enough.
    """
    wanted = num_validation_tweets(len(keys))
    limit = max(1, int(MAX_COMPONENT_SHARE * wanted))
    mask = np.zeros(len(keys), dtype=np.bool_)
    for labels, largest in (
        (join_shared_runs(keys, groups, on_progress), limit),
        (groups, limit),
        (groups, wanted),
    ):
        missing = wanted - int(np.count_nonzero(mask))
        if missing:
            mask |= _lowest(np.where(mask, -1, labels), digests, missing, largest)
    return mask


def _lowest(labels: Indices, digests: Hashes, wanted: int, largest: int) -> npt.NDArray[np.bool_]:
    """Return which tweets are in the groups with the lowest digests that fit into `wanted`, none over `largest`.

    A tweet labelled -1 is in no group.
    """
    sizes = np.bincount(labels + 1, minlength=len(labels) + 1)[1:]
    lowest = np.full(len(labels), np.iinfo(np.uint64).max, dtype=np.uint64)
    is_free = labels >= 0
    np.minimum.at(lowest, labels[is_free], digests[is_free])
    candidates = np.flatnonzero((sizes > 0) & (sizes <= largest))
    candidates = candidates[np.argsort(lowest[candidates], kind="stable")]
    is_taken = np.zeros(len(labels) + 1, dtype=np.bool_)  # the last one is for -1
    for candidate, size in zip(candidates.tolist(), sizes[candidates].tolist(), strict=True):
        if size <= wanted:
            is_taken[candidate] = True
            wanted -= size
            if not wanted:
                break
    return is_taken[labels]

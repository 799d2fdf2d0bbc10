"""Chooses the validation tweets by a hash of their content, so that the split does not depend on order or seed.

Near-duplicates, and tweets that share a long run of characters, go to the same side: whole connected components are
held out, in the order of their hashes. A component larger than a hundredth of the validation set stays in training: the
validation loss must not depend on one song. If that is not enough, because nearly all tweets are connected as those of
a grammar are, groups of near-duplicates are held out and shared runs cross the split; `leak_share` measures how many.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.similarity.rolling_hash import Hashes, Indices
from engine.corpus.similarity.winnowing import join_shared_runs
from engine.progress import OnProgress, no_progress

VALIDATION_SHARE = 0.05
MIN_VALIDATION_TWEETS = 200
MAX_VALIDATION_SHARE = 0.2
"""Takes precedence over the minimum: at least four fifths of a small corpus are training tweets."""
MAX_COMPONENT_SHARE = 0.01
"""Largest share of the validation set that one component may be."""


def num_validation_tweets(num_tweets: int) -> int:
    """Return the size of the validation set of a corpus of `num_tweets`."""
    wanted = max(round(VALIDATION_SHARE * num_tweets), MIN_VALIDATION_TWEETS)
    return min(wanted, int(MAX_VALIDATION_SHARE * num_tweets))


def validation_mask(
    keys: FlatTweets, groups: Indices, digests: Hashes, on_progress: OnProgress = no_progress
) -> npt.NDArray[np.bool_]:
    """Return the mask of the validation tweets, (tweets,): whole `groups`, no more than `num_validation_tweets`.

    `groups` are labels, `digests` stable hashes of the keys, both (tweets,). All False if no group is small enough.
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
    """Return the mask of the groups with the lowest digests that fit into `wanted` tweets, none over `largest`.

    A tweet with label -1 is in no group.
    """
    sizes = np.bincount(labels + 1, minlength=len(labels) + 1)[1:]
    lowest = np.full(len(labels), np.iinfo(np.uint64).max, dtype=np.uint64)
    is_free = labels >= 0
    np.minimum.at(lowest, labels[is_free], digests[is_free])
    candidates = np.flatnonzero((sizes > 0) & (sizes <= largest))
    candidates = candidates[np.argsort(lowest[candidates], kind="stable")]
    is_chosen = np.zeros(len(labels) + 1, dtype=np.bool_)  # the last one is for -1
    for candidate, size in zip(candidates.tolist(), sizes[candidates].tolist(), strict=True):
        if size <= wanted:
            is_chosen[candidate] = True
            wanted -= size
            if not wanted:
                break
    return is_chosen[labels]

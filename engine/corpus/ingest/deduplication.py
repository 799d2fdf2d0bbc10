"""Groups near-duplicates, and drops all but the first tweet of each group. Never compares texts itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.ingest.collection import Collection
from engine.corpus.report import DUPLICATE, NEAR_DUPLICATE
from engine.corpus.similarity import near_duplicate_groups
from engine.progress import OnProgress, no_progress


@dataclass(frozen=True)
class GroupedTweets:
    """Tweets, and the groups of near-duplicates among them."""

    collection: Collection
    groups: npt.NDArray[np.int64]  # (tweets,)
    """The index of the first tweet of each tweet's group."""
    num_duplicates: int
    num_near_duplicates: int


def group(collection: Collection, on_progress: OnProgress = no_progress) -> GroupedTweets:
    """Group near-duplicates; unless duplicates are kept, drop all but the first of each. Consumes `collection`."""
    groups = near_duplicate_groups(collection.keys, on_progress)
    is_repeated = groups != np.arange(len(groups))
    if not collection.has_duplicates:
        _drop_near_duplicates(collection, is_repeated)
        counts = collection.num_dropped(DUPLICATE), collection.num_dropped(NEAR_DUPLICATE)
        kept = collection.compact(~is_repeated) if is_repeated.any() else collection
        return GroupedTweets(kept, np.arange(len(kept.texts)), *counts)
    is_exact = np.ones(len(groups), dtype=np.bool_)
    is_exact[np.unique(collection.digests, return_index=True)[1]] = False
    num_near = int(np.count_nonzero(is_repeated & ~is_exact))
    return GroupedTweets(collection, groups, int(np.count_nonzero(is_exact)), num_near)


def _drop_near_duplicates(collection: Collection, is_dropped: npt.NDArray[np.bool_]) -> None:
    """Move near-duplicates from kept to dropped in the counts of their sources."""
    dropped = np.flatnonzero(is_dropped)
    numbers, firsts, counts = np.unique(collection.source_of[dropped], return_index=True, return_counts=True)
    for number, first, count in zip(numbers.tolist(), dropped[firsts].tolist(), counts.tolist(), strict=True):
        collection.sources[number].drop_kept(NEAR_DUPLICATE, count, collection.texts[first])

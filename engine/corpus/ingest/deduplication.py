"""Drops duplicates and near-duplicates: the first tweet of each group is kept. Never compares texts itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.corpus.ingest.collection import Collection
from engine.corpus.report import DUPLICATE, NEAR_DUPLICATE
from engine.corpus.similarity.near_duplicates import near_duplicate_groups
from engine.protocol.stage import OnProgress, no_progress
from engine.text import EXAMPLE_CHARS, harmless


@dataclass(frozen=True)
class GroupedTweets:
    """Tweets, and the groups of near-duplicates among them."""

    collection: Collection
    groups: npt.NDArray[np.int64]  # (tweets,)
    """The index of the first tweet of each tweet's group."""
    num_duplicates: int
    num_near_duplicates: int


def group(collection: Collection, on_progress: OnProgress = no_progress, *, keep_duplicates: bool) -> GroupedTweets:
    """Group near-duplicates; without `keep_duplicates`, drop all but the first of each group. Consumes `collection`."""
    groups = near_duplicate_groups(collection.keys, on_progress)
    numbers = np.arange(len(groups))
    is_repeated = groups != numbers
    is_exact = np.ones(len(groups), dtype=np.bool_)
    is_exact[np.unique(collection.digests, return_index=True)[1]] = False
    is_near = is_repeated & ~is_exact
    counts = int(np.count_nonzero(is_exact)), int(np.count_nonzero(is_near))
    if keep_duplicates or not is_repeated.any():
        return GroupedTweets(collection, groups, *counts)
    for reason, is_dropped in ((DUPLICATE, is_exact), (NEAR_DUPLICATE, is_near)):
        _drop_kept(collection, reason, is_dropped)
    kept = collection.compact(~is_repeated)
    return GroupedTweets(kept, np.arange(len(kept.texts)), *counts)


def _drop_kept(collection: Collection, reason: str, is_dropped: npt.NDArray[np.bool_]) -> None:
    """Move dropped tweets from kept to dropped in the counts of their sources."""
    dropped = np.flatnonzero(is_dropped)
    numbers, firsts, counts = np.unique(collection.source_of[dropped], return_index=True, return_counts=True)
    for number, first, count in zip(numbers.tolist(), dropped[firsts].tolist(), counts.tolist(), strict=True):
        collection.sources[number].drop_kept(reason, count, harmless(collection.texts[first], EXAMPLE_CHARS))

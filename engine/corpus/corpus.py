"""`Corpus`: the tweets of a run, held as flat arrays, and what there is to know of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.report import CorpusReport
from engine.corpus.similarity.novelty import NoveltyIndex


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The tweets of a run."""

    name: str
    train: FlatTweets
    validation: FlatTweets
    num_train_by_file: tuple[int, ...]
    """Training tweets that come from each of `CorpusConfig.files`, which follow one another in `train`."""
    char_counts: dict[str, int]
    """How often each character occurs in the training tweets."""
    novelty: NoveltyIndex
    """What the training tweets say, for telling a new tweet from a copy."""
    digest: str
    """A hash of the training tweets in their order: equal for equal training data."""
    report: CorpusReport
    was_cached: bool = False
    """Whether it was opened from the cache instead of being read."""

    @property
    def num_train_chars(self) -> int:
        """Characters to learn from in one epoch, the end-of-tweet symbols included."""
        return sum(self.char_counts.values()) + len(self.train)


def digest_of(tweets: FlatTweets) -> str:
    """Return a hash of the tweets in their order."""
    digest = hashlib.sha256(tweets.offsets.astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(tweets.utf8).data)
    return digest.hexdigest()

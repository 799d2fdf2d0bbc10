"""`Corpus`: the tweets of a run as flat arrays, split into training and validation, with their statistics."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from engine.corpus.arrays import FlatTweets
from engine.corpus.hashing import NoveltyIndex
from engine.corpus.report import CorpusReport


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """The tweets of a run, immutable."""

    name: str
    train: FlatTweets
    validation: FlatTweets
    num_train_by_file: tuple[int, ...]
    """Training tweets of each of `CorpusConfig.files`; in `train` they are in the same order."""
    char_counts: dict[str, int]
    """How often each character occurs in the training tweets."""
    novelty: NoveltyIndex
    """The index of the training tweets, to distinguish new tweets from copies."""
    digest: str
    """A hash of the training tweets in order; a resume compares it."""
    report: CorpusReport
    others: tuple[str, ...] = ()
    """Some of the other tweets of the data, if a single one is to be overfitted."""
    was_cached: bool = False
    """Whether it was loaded from the cache."""

    @property
    def num_train_chars(self) -> int:
        """Targets of one epoch: all characters and one EOS per tweet."""
        return sum(self.char_counts.values()) + len(self.train)


def digest_of(tweets: FlatTweets) -> str:
    """Return the SHA-256 of the tweets in order, in hexadecimal."""
    digest = hashlib.sha256(tweets.offsets.astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(tweets.utf8).data)
    return digest.hexdigest()

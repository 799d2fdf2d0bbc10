"""Near-duplicates: chain tweets, spam and songs, which differ in a word or a name.

Two tweets are near-duplicates if their words are equal, in any order, after deleting at most one word or two adjacent
ones (a name) from each, and at least 5 words and 24 characters remain. The search is exact and linear: a tweet's hash
is the sum of its words' hashes, a deletion subtracts a word's hash, and tweets that share one of these hashes are
joined (deletion neighbourhoods, as in SymSpell; Garbe 2012). MinHash would need as many hashes and miss some. Never
compares two texts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.report import counted
from engine.corpus.similarity.components import join_similar
from engine.corpus.similarity.rolling_hash import CodePoints, Hashes, Indices, RunHasher, mix
from engine.progress import OnProgress, no_progress

MIN_WORDS = 5
MIN_CHARS = 24
_BLANK = 0x20


def near_duplicate_groups(keys: FlatTweets, on_progress: OnProgress = no_progress) -> Indices:
    """Return the smallest index in each tweet's group, (tweets,); equal keys are always in one group."""
    doing = f"comparing {counted(len(keys), 'tweet')}"
    return join_similar(keys, np.arange(len(keys)), deletion_hashes, on_progress, doing)


@dataclass(frozen=True)
class _Words:
    """The words of a chunk of tweets."""

    hashes: Hashes  # (words,)
    num_chars: Indices  # (words,)
    owners: Indices  # (words,)
    offsets: Indices  # (tweets + 1,): the words of tweet i are those from offsets[i] to before offsets[i + 1]

    @classmethod
    def of(cls, chars: CodePoints, hasher: RunHasher) -> _Words:
        """Split tweets at blanks."""
        is_letter = np.zeros(len(chars.codes) + 2, dtype=np.bool_)
        np.not_equal(chars.codes, _BLANK, out=is_letter[1:-1])
        is_border = np.zeros(len(chars.codes) + 1, dtype=np.bool_)
        is_border[chars.offsets] = True
        starts = np.flatnonzero(is_letter[1:] & (is_border | ~is_letter[:-1]))
        ends = np.flatnonzero(is_letter[:-1] & (is_border | ~is_letter[1:]))
        offsets = np.searchsorted(starts, chars.offsets)
        owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        return cls(mix(hasher.runs(starts, ends)), ends - starts, owners, offsets)


def deletion_hashes(keys: FlatTweets) -> tuple[Hashes, Indices]:
    """Return the hashes of each tweet without and with each deletion, (hashes,), and the index of each one's tweet.

    A tweet that is too short to be a near-duplicate has a single hash, of its text.
    """
    chars = CodePoints.of(keys)
    hasher = RunHasher.of(chars)
    words = _Words.of(chars, hasher)
    sums = _sums(words.hashes, words.offsets)
    num_words = np.diff(words.offsets)
    num_chars = _sums(words.num_chars.astype(np.uint64), words.offsets).astype(np.int64) + num_words - 1
    is_long = (num_words >= MIN_WORDS) & (num_chars >= MIN_CHARS)
    whole = np.where(is_long, sums, mix(hasher.runs(chars.offsets[:-1], chars.offsets[1:])))

    words_left, chars_left = num_words[words.owners] - 1, num_chars[words.owners] - words.num_chars - 1
    less_one = sums[words.owners] - words.hashes
    one = np.flatnonzero((words_left >= MIN_WORDS) & (chars_left >= MIN_CHARS))
    has_next = words.owners[1:] == words.owners[:-1]
    is_two = has_next & (words_left[:-1] > MIN_WORDS) & (chars_left[:-1] - words.num_chars[1:] - 1 >= MIN_CHARS)
    two = np.flatnonzero(is_two)
    hashes = np.concatenate((whole, less_one[one], less_one[two] - words.hashes[two + 1]))
    return hashes, np.concatenate((np.arange(len(keys)), words.owners[one], words.owners[two]))


def _sums(values: Hashes, offsets: Indices) -> Hashes:
    """Return the sum of `values`, (words,), per tweet, modulo 2^64, (tweets,)."""
    before = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(values)))[offsets]
    sums: Hashes = np.diff(before)
    return sums

"""The frequent contexts of some tweets: the last two, or two and three, characters before a prediction.

They are counted once, at the start of a run, and become the rows of an n-gram bias (`engine.model.ngram_bias`). A row
that is seen only a few times would memorize these few places. Imports no torch.
"""

from __future__ import annotations

import math

import numpy as np

from engine.config.run import MAX_NGRAM_CONTEXTS
from engine.corpus.encoded_tweets import EncodedTweets, Ids
from engine.model.ngram_codes import pair_code, triple_code
from engine.model.vocab import BOS, PAD

MIN_PAIR_COUNT, MIN_TRIPLE_COUNT = 5, 30
MAX_CHARS, MAX_SORTED_CHARS = 4_000_000, 1_000_000
"""Characters that are counted, in bins or by sorting; of a larger corpus, those of an even sample of its tweets."""
MAX_BINS = 1 << 24
"""Up to so many possible contexts, 256 characters, each has a bin of its own."""
MAX_NUMBERS = 1 << 22
"""Limit of contexts times vocabulary: 16 MB in float32, five times (table, gradient, two moments, average)."""


def frequent_contexts(tweets: EncodedTweets, vocab_size: int, order: int) -> Ids:
    """Return the codes of the contexts that occur often enough, ascending, (R,); none for an order of 0.

    Those of two characters need 5 occurrences and those of three 30, in a sample in proportion. The most frequent ones
    are returned, at most `MAX_NGRAM_CONTEXTS` and `MAX_NUMBERS` / `vocab_size`. Needs up to 0.3 GB for a moment.
    """
    most = min(MAX_NGRAM_CONTEXTS, MAX_NUMBERS // vocab_size)
    if order == 0 or len(tweets) == 0:
        return np.empty(0, dtype=np.int64)
    limit = MAX_CHARS if vocab_size**3 <= MAX_BINS else MAX_SORTED_CHARS
    share = min(1.0, limit / tweets.num_targets)
    inputs = _with_starts(tweets if share == 1 else _sample(tweets, share))
    codes = inputs[1:-1] * vocab_size + inputs[2:]
    pairs, pair_counts = _frequent(codes, vocab_size, 2, MIN_PAIR_COUNT * share)
    found, counts = [pair_code(*np.divmod(pairs, vocab_size))], [pair_counts]
    if order > 2:
        codes += inputs[:-2] * vocab_size**2
        triples, triple_counts = _frequent(codes, vocab_size, 3, MIN_TRIPLE_COUNT * share)
        first, rest = np.divmod(triples, vocab_size**2)
        found.append(triple_code(first, *np.divmod(rest, vocab_size)))
        counts.append(triple_counts)
    most_frequent = np.argsort(-np.concatenate(counts), kind="stable")[:most]
    return np.sort(np.concatenate(found)[most_frequent])


def _sample(tweets: EncodedTweets, share: float) -> EncodedTweets:
    """Return this share of the tweets, evenly spaced."""
    chosen = np.linspace(0, len(tweets) - 1, math.ceil(share * len(tweets))).astype(np.int64)
    pieces = [tweets.token_ids[tweets.offsets[tweet] : tweets.offsets[tweet + 1]] for tweet in chosen.tolist()]
    return EncodedTweets(np.concatenate(pieces), np.concatenate(([0], np.cumsum(tweets.lengths[chosen]))))


def _with_starts(tweets: EncodedTweets) -> Ids:
    """Return the inputs of all tweets one after the other, `PAD PAD BOS` and the characters of each."""
    starts = tweets.offsets[:-1] + 3 * np.arange(len(tweets))
    inputs = np.full(len(tweets.token_ids) + 3 * len(tweets), PAD, dtype=np.int64)
    is_char = np.ones(len(inputs), dtype=np.bool_)
    for place in range(3):
        is_char[starts + place] = False
    inputs[is_char] = tweets.token_ids
    inputs[starts + 2] = BOS
    return inputs


def _frequent(codes: Ids, vocab_size: int, order: int, least: float) -> tuple[Ids, Ids]:
    """Return the codes, in base `vocab_size`, that occur `least` times and do not end in padding, and their counts."""
    if vocab_size**order <= MAX_BINS:
        counts = np.bincount(codes)
        values = np.flatnonzero(counts >= max(1.0, least))
        counts = counts[values]
    else:
        values, counts = np.unique(codes, return_counts=True)
        values, counts = values[counts >= least], counts[counts >= least]
    is_context = values % vocab_size != PAD
    return values[is_context], counts[is_context]

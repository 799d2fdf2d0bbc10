"""The frequent contexts of some tweets: the last two, three or four characters before a prediction.

They are counted once, at the start of a run, and become the rows of an n-gram input (`engine.model.gru`). A row
that is seen only a few times would memorize these few places. Imports no torch.

A context is at most as frequent as the same one without its first character. So the longer ones are counted only at
places whose shorter one is frequent, as (first character, index of the shorter one), which has a bin of its own if
there are not too many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.config.run import MAX_NGRAM_CONTEXTS
from engine.model.vocab import BOS, EMPTY_WINDOW, LONGEST, NUM_IDS, PAD, UNK, appended, context_code

Ids = npt.NDArray[np.int64]
MIN_COUNTS: Final[Mapping[int, int]] = {2: 5, 3: 30, 4: 60}
"""Least number of occurrences, not decreasing, by the number of characters."""
MAX_CHARS, MAX_SORTED_CHARS = 4_000_000, 1_000_000
"""Characters that are counted, in bins or by sorting; of a larger corpus, those of an even sample of its tweets."""
MAX_BINS = 1 << 23
"""Up to so many possible contexts, each has a bin of its own."""
_MAX_BINNED_VOCAB = 256
"""Largest vocabulary of which `MAX_CHARS` are counted: that of a larger one may need sorting."""
MAX_NUMBERS = 1 << 22
"""Limit of contexts times hidden size: 16 MB in float32, three times (table, gradient, average)."""


def frequent_contexts(
    token_ids: npt.NDArray[np.integer], offsets: Ids, vocab_size: int, order: int, hidden_size: int
) -> Ids:
    """Return the codes of the contexts that occur often enough, ascending, (R,); none for an order of 0.

    Tweet i is `token_ids[offsets[i]:offsets[i + 1]]`, where `token_ids` is (all characters,), `offsets` (tweets + 1,).
    A context has 2 to `order` characters and needs `MIN_COUNTS`, in a sample in proportion. The most frequent ones are
    returned, at most `MAX_NGRAM_CONTEXTS` and `MAX_NUMBERS` / `hidden_size`. Needs up to 0.3 GB for a moment.
    """
    most = min(MAX_NGRAM_CONTEXTS, MAX_NUMBERS // hidden_size)
    num_tweets = len(offsets) - 1
    if order == 0 or num_tweets == 0:
        return np.empty(0, dtype=np.int64)
    limit = MAX_CHARS if vocab_size <= _MAX_BINNED_VOCAB else MAX_SORTED_CHARS
    share = min(1.0, limit / (len(token_ids) + num_tweets))
    if share < 1:  # evenly spaced tweets
        chosen = np.linspace(0, num_tweets - 1, math.ceil(share * num_tweets)).astype(np.int64)
        token_ids = np.concatenate([token_ids[offsets[tweet] : offsets[tweet + 1]] for tweet in chosen.tolist()])
        offsets = np.concatenate(([0], np.cumsum(np.diff(offsets)[chosen])))
    inputs = _with_starts(token_ids, offsets)
    inputs[inputs >= NUM_IDS] = UNK
    places = np.flatnonzero(inputs != PAD)
    suffixes, num_suffixes = inputs[places], min(vocab_size, NUM_IDS)  # at first of one character
    found, found_counts = [], []
    for length in range(2, order + 1):
        contexts = inputs[places - length + 1] * num_suffixes + suffixes
        counts, suffixes = _frequent(contexts, num_suffixes * min(vocab_size, NUM_IDS), MIN_COUNTS[length] * share)
        places, suffixes = places[suffixes >= 0], suffixes[suffixes >= 0]
        num_suffixes = len(counts)
        examples = np.empty(num_suffixes, dtype=np.int64)
        examples[suffixes] = places
        found.append(_codes_at(inputs, examples, length))
        found_counts.append(counts)
    most_frequent = np.argsort(-np.concatenate(found_counts), kind="stable")[:most]
    return np.sort(np.concatenate(found)[most_frequent])


def _with_starts(token_ids: npt.NDArray[np.integer], offsets: Ids) -> Ids:
    """Return the inputs of all tweets one after the other, `PAD PAD PAD BOS` and the characters of each."""
    num_tweets = len(offsets) - 1
    starts = offsets[:-1] + LONGEST * np.arange(num_tweets)
    inputs = np.full(len(token_ids) + LONGEST * num_tweets, PAD, dtype=np.int64)
    is_char = np.ones(len(inputs), dtype=np.bool_)
    for place in range(LONGEST):
        is_char[starts + place] = False
    inputs[is_char] = token_ids
    inputs[starts + LONGEST - 1] = BOS
    return inputs


def _frequent(contexts: Ids, num_possible: int, least: float) -> tuple[Ids, Ids]:
    """Return the counts of the contexts, numbers below `num_possible`, that occur `least` times, and their indices.

    The latter are the index of each place's context in the counts, -1 if it is not frequent.
    """
    if num_possible <= MAX_BINS:
        counts = np.bincount(contexts, minlength=num_possible)
        numbers = contexts
    else:
        _, numbers, counts = np.unique(contexts, return_inverse=True, return_counts=True)
    is_frequent = counts >= max(1.0, least)
    indices = np.where(is_frequent, np.cumsum(is_frequent) - 1, -1)
    return counts[is_frequent], indices[numbers]


def _codes_at(inputs: Ids, places: Ids, length: int) -> Ids:
    """Return the codes of the contexts of this length that end at these places."""
    windows = np.full(len(places), EMPTY_WINDOW, dtype=np.int64)
    for back in reversed(range(LONGEST)):
        windows = appended(windows, inputs[places - back])
    codes: Ids = context_code(windows, length)
    return codes

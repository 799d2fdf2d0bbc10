"""Leakage: the share of validation tweets with a long run of characters from a training tweet. Measures the split.

It is measured on the tweets without case, names and links, not on the keys by which the split is made. All runs of 30
characters are compared by 64-bit hashes: no false negatives, and a false positive in 1.6 million tweets has a
probability of about 10^-5.
"""

from __future__ import annotations

import numpy as np

from engine.corpus.arrays import FlatTweets, Indices, Mask
from engine.corpus.cleaning import LINK, MENTION
from engine.corpus.hashing import BitTable, HashedChars, Hashes, distinct, find_in, mix
from engine.progress import OnProgress, no_progress

LEAK_RUN = 30
_SLOTS_PER_HASH = 32


def leak_share(train: FlatTweets, validation: FlatTweets, on_progress: OnProgress = no_progress) -> float:
    """Return the share, 0 to 1, of validation tweets that share a run of 30 characters or more with a training tweet.

    Case, mentions, links and repeated white space are ignored. 0 without validation tweets.
    """
    if not len(validation):
        return 0.0
    known = distinct(np.concatenate([_runs(chunk)[0] for _, chunk in validation.chunks()]))
    is_shared = _is_in_any(known, train, on_progress)
    num_leaked = 0
    for _, chunk in validation.chunks():
        hashes, owners = _runs(chunk)
        num_leaked += len(np.unique(owners[is_shared[find_in(known, hashes)]]))
    return num_leaked / len(validation)


def comparison_text(tweet: str) -> str:
    """Return a tweet without case, mentions and links, and with single blanks."""
    text = tweet.casefold()
    if "@" in text or "http" in text or "www." in text:
        text = MENTION.sub(" ", LINK.sub(" ", text))
    return " ".join(text.split())


def _is_in_any(known: Hashes, tweets: FlatTweets, on_progress: OnProgress) -> Mask:
    """Return the mask of the sorted hashes `known` that occur in `tweets`, (known,)."""
    table = BitTable(_SLOTS_PER_HASH * len(known))
    table.add(table.slots(known))
    is_shared = np.zeros(len(known), dtype=np.bool_)
    for first, chunk in tweets.chunks():
        hashes, _ = _runs(chunk)
        candidates = hashes[table.has(table.slots(hashes))]
        places = find_in(known, candidates)
        is_shared[places[known[places] == candidates]] = True
        on_progress((first + len(chunk)) / len(tweets), "measuring the leakage")
    return is_shared


def _runs(tweets: FlatTweets) -> tuple[Hashes, Indices]:
    """Return the hashes of all runs of `LEAK_RUN` characters, (runs,), and the index of each one's tweet, (runs,)."""
    chars = HashedChars.of(FlatTweets.from_texts(map(comparison_text, tweets)))
    begins = np.flatnonzero(chars.fits(LEAK_RUN))
    return mix(chars.windows(LEAK_RUN)[begins]), chars.owners[begins]

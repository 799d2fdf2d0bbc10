"""Long runs of characters that tweets share: an exact test on samples of their windows.

Winnowing (Schleimer, Wilkerson and Aiken 2003): of the hashes of all windows of 22 characters, those are fingerprints
that are the smallest among some 3 in a row. A shared run of 24 characters or more holds 3 windows in a row, and both
tweets choose the same among them: it is never missed. Half of all windows are chosen. Shorter windows in longer rows
would be fewer, but join what shares less: with 18 in rows of 7, a twelfth of 48,336 real tweets hung together.
"""

from __future__ import annotations

import numpy as np

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.similarity.components import join_alike
from engine.corpus.similarity.rolling_hash import CodePoints, Hashes, Indices, RunHasher, begins_window
from engine.protocol.stage import OnProgress, no_progress

WINDOW = 22
ROW = 3
SHARED_RUN = WINDOW + ROW - 1
"""Characters of a shared run that is always found; shorter ones, down to `WINDOW`, only by chance."""


def join_shared_runs(keys: FlatTweets, labels: Indices, on_progress: OnProgress = no_progress) -> Indices:
    """Return `labels` with the groups joined that share a run of `SHARED_RUN` characters or more."""
    return join_alike(keys, labels, winnowed, on_progress, "choosing the tweets to hold out")


def winnowed(tweets: FlatTweets) -> tuple[Hashes, Indices]:
    """Return the fingerprints of some tweets, and whose they are."""
    chars = CodePoints.of(tweets)
    begins_row = begins_window(chars, SHARED_RUN)[: max(0, len(chars.codes) - SHARED_RUN + 1)]
    hashes = RunHasher.of(chars).windows(WINDOW)
    if not begins_row.any():
        return hashes[:0], np.zeros(0, dtype=np.int64)
    smallest = np.zeros(len(hashes) + ROW - 1, dtype=np.uint64)
    smallest[ROW - 1 : len(hashes)] = _over_rows(np.minimum, hashes) * begins_row
    is_chosen = hashes == _over_rows(np.maximum, smallest)
    chosen = np.flatnonzero(is_chosen)
    hashes, owners = hashes[chosen], chars.owners[chosen]
    is_new = np.ones(len(chosen), dtype=np.bool_)
    is_new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return hashes[is_new], owners[is_new]


def _over_rows(ufunc: np.ufunc, hashes: Hashes) -> Hashes:
    """Return the smallest or largest of each `ROW` hashes in a row."""
    chosen = hashes[: len(hashes) - ROW + 1]
    for place in range(1, ROW):
        chosen = ufunc(chosen, hashes[place : len(hashes) - ROW + 1 + place])
    return chosen

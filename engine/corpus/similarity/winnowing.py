"""Finds tweets that share long runs of characters, by winnowing (Schleimer, Wilkerson and Aiken 2003).

Of the hashes of all windows of 22 characters, the smallest of every 3 in a row are the fingerprints. A shared run of 24
characters or more contains 3 windows in a row, of which both tweets choose the same: it is never missed. Half of all
windows are chosen. Shorter windows in longer rows would need fewer fingerprints but join unrelated tweets: with 18 in
rows of 7, a twelfth of 48,336 real tweets were one component.
"""

from __future__ import annotations

import numpy as np

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.similarity.components import join_similar
from engine.corpus.similarity.rolling_hash import CodePoints, Hashes, Indices, RunHasher, window_fits
from engine.progress import OnProgress, no_progress

WINDOW = 22
ROW = 3
SHARED_RUN = WINDOW + ROW - 1
"""Length from which a shared run is always found; shorter ones, down to `WINDOW`, are found by chance."""


def join_shared_runs(keys: FlatTweets, labels: Indices, on_progress: OnProgress = no_progress) -> Indices:
    """Return `labels`, (tweets,), with the groups merged that share a run of `SHARED_RUN` characters or more."""
    return join_similar(keys, labels, winnowed, on_progress, "choosing validation tweets")


def winnowed(tweets: FlatTweets) -> tuple[Hashes, Indices]:
    """Return the fingerprints of tweets, (fingerprints,), and the index of each one's tweet, (fingerprints,)."""
    chars = CodePoints.of(tweets)
    begins_row = window_fits(chars, SHARED_RUN)[: max(0, len(chars.codes) - SHARED_RUN + 1)]
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
    """Return the minimum or maximum of each `ROW` hashes in a row."""
    chosen = hashes[: len(hashes) - ROW + 1]
    for place in range(1, ROW):
        chosen = ufunc(chosen, hashes[place : len(hashes) - ROW + 1 + place])
    return chosen

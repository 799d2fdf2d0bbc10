"""How much of the validation tweets can be known from the training tweets: the figure that shows what a split is worth.

It is measured on the tweets themselves, not on the keys that the split goes by. All runs of 30 characters are compared
through 64-bit hashes: none is missed, and one is found by mistake with a chance of about 10^-5 in 1.6 million tweets.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.corpus.flat_tweets import FlatTweets
from engine.corpus.ingest.cleaning import LINK, MENTION
from engine.corpus.similarity.rolling_hash import CodePoints, Hashes, Indices, RunHasher, begins_window, chunks_of, mix
from engine.corpus.similarity.sorted_sets import BitTable, distinct, places_in
from engine.protocol.stage import OnProgress, no_progress

LEAK_RUN = 30
_SLOTS_PER_HASH = 32


def leak_share(train: FlatTweets, validation: FlatTweets, on_progress: OnProgress = no_progress) -> float:
    """Return the share, 0 to 1, of validation tweets that share a run of 30 characters or more with a training tweet.

    Case, mentions, links and the width of white space do not count. Without validation tweets it is 0.
    """
    if not len(validation):
        return 0.0
    known = distinct(np.concatenate([_runs(chunk)[0] for _, chunk in chunks_of(validation)]))
    is_shared = _is_in_any(known, train, on_progress)
    num_leaked = 0
    for _, chunk in chunks_of(validation):
        hashes, owners = _runs(chunk)
        num_leaked += len(np.unique(owners[is_shared[places_in(known, hashes)]]))
    return num_leaked / len(validation)


def comparable(tweet: str) -> str:
    """Return a tweet without case, mentions and links, and with single blanks."""
    text = tweet.casefold()
    if "@" in text or "http" in text or "www." in text:
        text = MENTION.sub(" ", LINK.sub(" ", text))
    return " ".join(text.split())


def _is_in_any(known: Hashes, tweets: FlatTweets, on_progress: OnProgress) -> npt.NDArray[np.bool_]:
    """Return which of some sorted hashes are those of a run in `tweets`."""
    table = BitTable(_SLOTS_PER_HASH * len(known))
    table.add(table.slots(known))
    is_shared = np.zeros(len(known), dtype=np.bool_)
    for first, chunk in chunks_of(tweets):
        hashes, _ = _runs(chunk)
        candidates = hashes[table.has(table.slots(hashes))]
        places = places_in(known, candidates)
        is_shared[places[known[places] == candidates]] = True
        on_progress((first + len(chunk)) / len(tweets), "looking at the tweets")
    return is_shared


def _runs(tweets: FlatTweets) -> tuple[Hashes, Indices]:
    """Return the hashes of all runs of `LEAK_RUN` characters in some tweets, and whose they are."""
    chars = CodePoints.of(FlatTweets.from_texts(map(comparable, tweets)))
    begins = np.flatnonzero(begins_window(chars, LEAK_RUN))
    return mix(RunHasher.of(chars).windows(LEAK_RUN)[begins]), chars.owners[begins]

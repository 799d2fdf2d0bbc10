"""Whether a corpus could be loaded, as far as a glance at its files tells: before a screen opens."""

from __future__ import annotations

import time

from engine.corpus.cleaning import Cleaner, duplicate_key
from engine.corpus.collection import no_progress, tallied_rows
from engine.corpus.loading import MIN_TWEETS, load_corpus
from engine.corpus_config import CorpusConfig

MAX_SECONDS = 0.5
_ROWS_PER_LOOK = 256


def check_corpus(config: CorpusConfig) -> None:
    """Raise the `CorpusError` that `load_corpus` would, as far as the first tweets of each file show it.

    Takes about `MAX_SECONDS` however large the files are: what can't be known by then is left to `load_corpus`.
    """
    if config.overfit is not None:
        load_corpus(config)
        return
    if not config.files:
        return
    keys: set[str] = set()
    num_rows = 0
    deadline = time.monotonic() + MAX_SECONDS
    for _, rows in tallied_rows(config, no_progress):
        cleaner = Cleaner(config)
        for row in rows:
            num_rows += 1
            tweet = cleaner(row)
            if isinstance(tweet, str):
                keys.add(duplicate_key(tweet))
            if len(keys) >= 10 * MIN_TWEETS or (num_rows % _ROWS_PER_LOOK == 0 and time.monotonic() > deadline):
                return
    if len(keys) < MIN_TWEETS:
        load_corpus(config)  # all was read already: it is small, and this tells what is wrong with it

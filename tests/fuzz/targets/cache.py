"""Entries of the corpus cache: a damaged one must be a miss."""

from __future__ import annotations

from pathlib import Path

from engine.config.corpus import CorpusConfig
from engine.corpus import cache
from engine.corpus.loading import load_corpus
from tests.engine.helpers import small_tweets
from tests.fuzz.target import Target

KEY = "0" * 64


def make(folder: Path) -> Target:
    """Return the target."""
    path = folder / "small.txt"
    path.write_text("\n".join(small_tweets()))
    cache.store(KEY, load_corpus(CorpusConfig(files=(str(path),))))
    whole = cache._path(KEY).read_bytes()
    return Target(name="cache", seeds=(whole,), check=_check)


def _check(data: bytes) -> str:
    """Load an entry and use all of it."""
    cache._path(KEY).parent.mkdir(parents=True, exist_ok=True)
    cache._path(KEY).write_bytes(data)
    corpus = cache.load(KEY, "fuzz")
    if corpus is None:
        return "none"
    tweets = [*corpus.train, *corpus.validation]
    corpus.novelty.classify(tweets[0] if tweets else "")
    return f"{len(tweets)}"

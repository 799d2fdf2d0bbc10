"""Entries of the cache of corpora: one that is not whole is as if there were none.

The first byte of an input says whether the rest is the file or its facts, with a good file around them.
"""

from __future__ import annotations

import json
from pathlib import Path

from engine.corpus import cache
from engine.corpus.loading import load_corpus
from engine.corpus_config import CorpusConfig
from tests.engine.damaging import header_size, with_metadata
from tests.engine.helpers import small_tweets
from tests.fuzz.target import Target

KEY = "0" * 64


def make(folder: Path) -> Target:
    """Return the target."""
    path = folder / "small.txt"
    path.write_text("\n".join(small_tweets()))
    cache.store(KEY, load_corpus(CorpusConfig(files=(str(path),))))
    whole = cache._path(KEY).read_bytes()
    facts = json.loads(whole[8 : header_size(whole)])["__metadata__"]["facts"].encode()
    return Target(name="cache", seeds=(b"f" + whole, b"i" + facts), check=lambda data: _check(whole, data))


def _check(whole: bytes, data: bytes) -> str:
    """Open an entry, and use what is in it."""
    content = data[1:]
    if data[:1] == b"i":
        content = with_metadata(whole, facts=data[1:].decode("utf-8", "replace"))
    cache._path(KEY).parent.mkdir(parents=True, exist_ok=True)
    cache._path(KEY).write_bytes(content)
    corpus = cache.load(KEY, "fuzz")
    if corpus is None:
        return "none"
    tweets = [*corpus.train, *corpus.validation]
    corpus.novelty.judge(tweets[0] if tweets else "")
    return f"{len(tweets)}"

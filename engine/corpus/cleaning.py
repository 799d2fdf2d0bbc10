"""Which rows become tweets: the tutorial's rules, on cleaned text, each drop with its reason."""

from __future__ import annotations

import re

from engine.corpus.rows import Row, Unusable
from engine.text import clean

LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_MENTION = re.compile(r"@\w+")
_NO_LETTERS = re.compile(r"[\W_]+")


def to_tweet(row: Row, max_length: int) -> Row:
    """Return the row's cleaned tweet, or why it has none: empty, only a link, over `max_length` characters."""
    if isinstance(row, Unusable):
        return row
    tweet = clean(row)
    if not tweet:
        return Unusable("empty")
    if not LINK.sub("", tweet).strip():
        return Unusable("only a link")
    if len(tweet) > max_length:
        return Unusable(f"over {max_length} characters")
    return tweet


def duplicate_key(tweet: str) -> str:
    """Return what is left of a tweet without case, @names, links and punctuation; the tweet itself if nothing is."""
    bare = _MENTION.sub(" ", LINK.sub(" ", tweet.casefold()))
    return _NO_LETTERS.sub(" ", bare).strip() or tweet.casefold()

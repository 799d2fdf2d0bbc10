"""Which rows become tweets: the tutorial's rules, on cleaned text, each drop with its reason."""

from __future__ import annotations

import re
import unicodedata

from engine.corpus.rows import Row, Unusable
from engine.text import clean

LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_MENTION = re.compile(r"@\w+")
_NO_LETTERS = re.compile(r"[\W_]+")
_EMOJI_SELECTORS = "\ufe0e\ufe0f"


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
    return _words(bare) or tweet.casefold()


def _words(text: str) -> str:
    """Return the letters, digits and the marks on them (vowel signs, for example), a blank for each run between."""
    if text.isascii():
        return _NO_LETTERS.sub(" ", text).strip()
    kept: list[str] = []
    for char in text:
        is_mark = bool(kept) and kept[-1] != " " and unicodedata.category(char) in {"Mn", "Mc"}
        kept.append(char if char.isalnum() or (is_mark and char not in _EMOJI_SELECTORS) else " ")
    return " ".join("".join(kept).split())

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
    return _NO_LETTERS.sub(" ", bare if bare.isascii() else _with_marks(bare)).strip() or tweet.casefold()


def _with_marks(text: str) -> str:
    """Return a text in which a mark on a letter, a vowel sign for example, can't be taken for punctuation."""
    marked = []
    is_on_letter = False
    for char in text:
        is_mark = is_on_letter and unicodedata.category(char) in {"Mn", "Mc"} and char not in _SELECTORS
        is_on_letter = is_mark or char.isalpha()
        marked.append(f"\x00{ord(char):x}x" if is_mark else char)
    return "".join(marked)

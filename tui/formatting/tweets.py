"""The text of a tweet as feed and summary show it."""

from __future__ import annotations

from engine.protocol.events import TweetSampled
from engine.text import ELLIPSIS, sanitize_line

EMPTY_TWEET = "(empty: <EOS> at once)"
"""Shown in place of an empty text."""
_MAX_CHARS = 2000


def shown_text(tweet: TweetSampled) -> str:
    """Return the text as shown, with an ellipsis if it was cut at its maximum length."""
    if not tweet.text:
        return EMPTY_TWEET
    text = sanitize_line(tweet.text, _MAX_CHARS)
    return text if tweet.reached_eos else text + ELLIPSIS

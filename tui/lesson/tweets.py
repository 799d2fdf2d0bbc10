"""Which training tweet a stop looks at."""

from __future__ import annotations

from collections.abc import Sequence

_WANTED_CHARS = 60
"""Fits most terminals, and has several words."""


def tweet_to_look_at(tweets: Sequence[str]) -> str:
    """Return the first tweet with a name in it of about the wanted length, else the one closest to that length."""

    def distance(tweet: str) -> tuple[bool, int]:
        return "@" not in tweet, abs(len(tweet) - _WANTED_CHARS)

    return min(tweets, key=distance, default="")

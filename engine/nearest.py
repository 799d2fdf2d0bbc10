"""Which training tweet is most like a text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.text import harmless


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """The training tweet that has most in common with a text."""

    text: str = ""
    """Empty where none has anything."""
    share: float = 0.0
    """How alike they are, 0 to 1."""


def nearest_tweet(train: Iterable[str], text: str) -> Nearest:
    """Return the tweet of `train` that shares most trigrams of characters with `text`, for their number in both."""
    wanted = _trigrams(text)
    best = Nearest()
    for tweet in train:
        trigrams = _trigrams(tweet)
        share = len(wanted & trigrams) / max(1, len(wanted | trigrams))
        if share > best.share:
            best = Nearest(text=harmless(tweet), share=round(share, 3))
    return best


def _trigrams(text: str) -> set[str]:
    return {text[at : at + 3] for at in range(len(text) - 2)}

"""The events that answer a question about the model: how it would go on, what it thinks of a text."""

from __future__ import annotations

from dataclasses import dataclass

from engine.protocol.base_event import BaseEvent


@dataclass(frozen=True, kw_only=True)
class CharChance:
    """A character that may come next."""

    char: str
    """Empty for the end of the tweet."""
    probability: float
    """The model's own, at temperature 1."""


@dataclass(frozen=True, kw_only=True)
class CharRead:
    """What the model thought of one character of a text."""

    char: str
    """Empty for the end of the tweet."""
    bits: float
    """How surprised it was, at temperature 1; an unknown character costs its `<UNK>` plus 20."""
    likeliest: tuple[CharChance, ...]
    """What it would rather have seen, the likeliest first."""


@dataclass(frozen=True, kw_only=True)
class TextCompleted(BaseEvent):
    """How the model would go on, as `CompleteText` asked."""

    request: int
    """As in the question."""
    completion: tuple[str, ...]
    """What it would write next, at the temperature of the run; by characters, for blanks at its ends count."""
    reached_eos: bool
    """Whether the completion ends the tweet."""
    next_chars: tuple[CharChance, ...]
    """The likeliest next characters."""
    unknown_chars: tuple[str, ...]
    """Those of the text that the vocabulary lacks; then there is no completion."""
    bits_per_char: float | None = None
    """How surprised the model was by the text itself, at temperature 1; None where there is nothing to say."""


@dataclass(frozen=True, kw_only=True)
class TweetRead(BaseEvent):
    """What the model thinks of a text, as `ReadTweet` asked."""

    text: str
    chars: tuple[CharRead, ...]
    """Of each character, and of the end of the tweet."""
    bits_per_char: float
    copied_share: float
    """The share, 0 to 1, of its characters in long runs that stand in a training tweet."""
    nearest: str
    """The training tweet that has most in common with it; empty where none has anything."""
    nearest_share: float
    """How alike the two are, 0 to 1."""

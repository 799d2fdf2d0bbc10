"""Events with text of the model: sampled tweets, and the answers to queries about a text."""

from __future__ import annotations

from dataclasses import dataclass

from engine.protocol.events.base import BaseEvent, Count, Novelty, Number, RefusalReason


@dataclass(frozen=True, kw_only=True)
class TweetSampled(BaseEvent):
    """The model sampled a tweet."""

    text: str
    """Every sampled character, blanks at the ends included."""
    temperature: Number
    reached_eos: bool
    bits_per_char: Number
    """At temperature 1."""
    novelty: Novelty
    copied_share: Number = 0.0
    """The share, 0 to 1, of its characters in long runs that also occur in a training tweet."""
    char_bits: tuple[Number, ...] = ()
    """Bits of each character, and of `<EOS>` if it was reached; () where they are not recorded."""
    prime: str = ""
    """The text that it begins with."""
    num_drafts: Count = 1
    """Tweets sampled until this one was chosen, itself included."""
    refused: tuple[tuple[RefusalReason, Count], ...] = ()
    """The number of drafts that the filter refused, by the first reason of each."""
    unmet: tuple[RefusalReason, ...] = ()
    """The reasons against this tweet, where no draft passed the filter and it came nearest; else ()."""


@dataclass(frozen=True, kw_only=True)
class TweetDelayed(BaseEvent):
    """The filter delays the next tweet: its drafts take over two seconds, or its share of the time is used up."""

    num_drafts: Count
    """Finished drafts of the tweet; 0 while it waits."""
    max_drafts: Count
    """Its drafts at most."""
    due_in_seconds: Number = 0.0
    """Training time until it is due, at most; 0 while its drafts are sampled."""


@dataclass(frozen=True, kw_only=True)
class LadderTweet:
    """One rung of a temperature ladder."""

    temperature: float
    text: str
    reached_eos: bool
    bits_per_char: float
    novelty: Novelty


@dataclass(frozen=True, kw_only=True)
class LadderSampled(BaseEvent):
    """The model sampled one tweet per temperature from the same seed and prime; answers `SampleLadder`."""

    prime: str
    seed: int
    rungs: tuple[LadderTweet, ...]


@dataclass(frozen=True, kw_only=True)
class CharChance:
    """A possible next character and its probability."""

    char: str
    """Empty for `<EOS>`."""
    probability: float
    """At temperature 1."""


@dataclass(frozen=True, kw_only=True)
class CharRead:
    """What the model predicted at one character of a text."""

    char: str
    """Empty for `<EOS>`."""
    bits: float
    """Its cost at temperature 1; an unknown character costs its `<UNK>` plus 20."""
    likeliest: tuple[CharChance, ...]
    """The most probable characters at this place, most probable first."""


@dataclass(frozen=True, kw_only=True)
class TextCompleted(BaseEvent):
    """The model's continuation of a text; answers `CompleteText`."""

    request: int
    """As in the command."""
    completion: tuple[str, ...]
    """The continuation at the run's temperature; as characters, so that leading and trailing blanks survive."""
    reached_eos: bool
    """Whether the completion ends the tweet."""
    next_chars: tuple[CharChance, ...]
    """The most probable next characters."""
    unknown_chars: tuple[str, ...]
    """Characters of the text outside the vocabulary; if there are any, there is no completion."""
    bits_per_char: float | None = None
    """Of the text itself, at temperature 1; None where it has no characters to predict."""


@dataclass(frozen=True, kw_only=True)
class TweetRead(BaseEvent):
    """The model's predictions along a text; answers `ReadTweet`."""

    text: str
    chars: tuple[CharRead, ...]
    """One per character, and one for `<EOS>`."""
    bits_per_char: float
    copied_share: float
    """The share, 0 to 1, of its characters in long runs that also occur in a training tweet."""
    nearest: str
    """The most similar training tweet; empty where none has anything in common with the text."""
    nearest_share: float
    """Similarity to that tweet, 0 to 1."""

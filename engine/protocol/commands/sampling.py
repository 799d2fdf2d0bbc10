"""Queries about texts: they sample or read with the current weights, and change nothing."""

from __future__ import annotations

from dataclasses import dataclass

from engine.config.sampling import LADDER_TEMPERATURES


@dataclass(frozen=True, kw_only=True)
class SampleNow:
    """Sample a tweet now; answered by `TweetSampled`."""

    prime: str | None = None
    """The text to begin with; None: the run's prime."""
    draw: int | None = None
    """That of a `CompleteText`, at least 0: with the same weights, the tweet begins with its completion. None: a new
    random tweet."""


@dataclass(frozen=True, kw_only=True)
class CompleteText:
    """Continue a text with the current weights; answered by `TextCompleted`."""

    text: str
    request: int = 0
    """Any number; identifies the answer."""
    draw: int = 0
    """At least 0; another one gives another random continuation."""


@dataclass(frozen=True, kw_only=True)
class ReadTweet:
    """Predict along a text, and find the training tweet nearest to it; answered by `TweetRead`."""

    text: str


@dataclass(frozen=True, kw_only=True)
class SampleLadder:
    """Sample one tweet per temperature from the same seed and prime; answered by `LadderSampled`."""

    seed: int
    prime: str = ""
    temperatures: tuple[float, ...] = LADDER_TEMPERATURES

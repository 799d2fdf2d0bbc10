"""`CorpusConfig`: which files are read and how, and what becomes of the tweets in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.config.validation import require, require_between, require_choice

FileFormat = Literal["auto", "csv", "sentiment140", "x", "mastodon", "bluesky", "jsonl", "json", "parquet", "text"]
STANDARD_INPUT = "-"
DEFAULT_LABEL = "happy"


@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """Which tweets are read, and which of them are used."""

    files: tuple[str, ...] = ()
    """A file, folder or archive of tweets, or - for standard input; may be repeated. Without it, the embedded ones."""
    format: FileFormat = "auto"
    """How the files are written; auto looks at their content, then at their name."""
    column: str | None = None
    """Column (name, or number from 1) or key (dotted where it is nested) that holds the tweet."""
    label: str = DEFAULT_LABEL
    """Of tweets labelled with a polarity: happy, sad, neutral, all, or a value such as 2."""
    weight: tuple[float, ...] = ()
    """How often the tweets of each --data come in an epoch, in their order; the largest at least 1. May be repeated."""
    blank_line_separated: bool = False
    """Plain text: pieces end at a blank line instead of at every line."""
    no_replies: bool = False
    """X, Mastodon and Bluesky archives: leave out answers to others."""
    no_sensitive: bool = False
    """Mastodon archives: leave out posts marked as sensitive or behind a content warning."""
    keep_links: bool = False
    """X archives: keep the t.co links at which pictures and pages were."""
    lowercase: bool = False
    """Turn all letters into small ones."""
    strip_mentions: bool = False
    """Leave out every @name."""
    mask_mentions: bool = False
    """Turn every @name into @user."""
    ascii: bool = False
    """Turn accented letters into plain ones and leave out all else that is not ASCII."""
    max_length: int = 140
    """Characters that a tweet may have; longer ones are dropped."""
    keep_duplicates: bool = False
    """Train on all of a group of tweets that say the same, not on one only."""
    min_char_count: int = 1
    """Times that a character must occur in the training tweets to be in the vocabulary."""
    overfit: int | None = None
    """Train on this one row of the data (counted from 0; the tutorial takes 200) until the model knows it by heart."""

    def __post_init__(self) -> None:
        """Check every field."""
        require_choice(self, "format", FileFormat)
        require_between(self, "max_length", 1, 100_000)
        require_between(self, "min_char_count", 1)
        require_between(self, "overfit", 0)
        rule = "it is happy, sad, neutral, all or a value"
        require("label", repr(self.label), rule, is_valid=bool(self.label.strip()))
        self._check_weight()

    def _check_weight(self) -> None:
        """Check that the weights, if there are any, fit the files."""
        rule = "there is one for each --data, from 0.01 to 100, and the largest is at least 1"
        is_fitting = (
            len(self.weight) == len(self.files)
            and all(0.01 <= each <= 100 for each in self.weight)
            and max(self.weight, default=0) >= 1
        )
        shown = ", ".join(f"{each:g}" for each in self.weight)
        require("weight", shown, rule, is_valid=not self.weight or is_fitting)

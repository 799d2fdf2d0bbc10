"""`SamplingConfig`: how tweets are sampled, and which of them are wanted.

The filter (`FILTER_FIELDS`) changes no distribution: whole tweets, the drafts, are sampled until one passes
(`engine.sampling.filter`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from engine.config.fields import Between, require, require_valid
from engine.text import MAX_CHARS, comparable, has_word, is_harmless, with_single_blanks

MIN_TEMPERATURE = 0.05
MAX_TEMPERATURE = 5.0
LADDER_TEMPERATURES = (0.2, 0.5, 0.8, 1.0, 1.5, 2.0, 5.0)
MAX_TWEET_CHARS = 100_000
"""The largest `max_length`, of sampled tweets and of those trained on."""
MAX_DRAFTS = 1000
"""Drafts per tweet at most, without a run."""
MAX_DRAFTS_IN_RUN = 32
"""Drafts per tweet at most in a run, which takes no step meanwhile."""
MAX_AVOIDED_CHARS = 10_000
"""Avoided words and phrases in total, one character more for each: so a `ChangeSettings` fits a line of the socket."""
MAX_REQUIRED_CHARS = 1000
DRAW_FIELDS = ("top_k", "top_p", "min_p", "temperature_last")
"""The settings of how each character is drawn, besides the temperature; their defaults disable them."""
FILTER_FIELDS = ("only_new", "avoid", "must_contain", "min_length", "best_of")
"""The settings by which drafts are refused; their defaults refuse none."""


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How the next character is sampled from the model's distribution, and which whole tweets are wanted."""

    temperature: Annotated[float, Between(MIN_TEMPERATURE, MAX_TEMPERATURE, or_zero=True)] = 0.8
    """Sampling temperature, 0.05 to 5: low is repetitive, 1 is the model's own distribution; 0 is greedy."""
    top_k: Annotated[int, Between(0)] = 0
    """Sample from the k most likely characters only; 0 disables."""
    top_p: Annotated[float, Between(0.001, 1.0)] = 1.0
    """Sample from the most likely characters with this total probability only (nucleus); 1 disables."""
    min_p: Annotated[float, Between(0.0, 0.999)] = 0.0
    """Exclude characters less likely than this share of the most likely one; 0 disables."""
    prime: str = ""
    """Text that every sampled tweet starts with."""
    max_length: Annotated[int, Between(1, MAX_TWEET_CHARS)] = 140
    """Maximum length of a sampled tweet in characters, the prime included: longer ones are cut, with a filter
    refused."""
    only_new: bool = False
    """Refuse drafts that copy a training tweet, or of which at least half is long parts of training tweets; names,
    links, case and punctuation are ignored. This and the other options of the filter sample
    up to 1,000 drafts per tweet, in a run 32, until one passes; if none does, the nearest is returned. Ladder,
    completions and X-ray are not filtered."""
    avoid: tuple[str, ...] = ()
    """Refuse drafts with one of these words or phrases, in any case: separated by commas, or @FILE with one per line.
    Whole words only: art is not in party, but in @art, #art and art's. #art is only the tag, and @art in FILE only the
    name."""
    must_contain: str = ""
    """Refuse drafts without this text, in any case, also within words."""
    min_length: Annotated[int, Between(0, MAX_CHARS)] = 0
    """Refuse drafts with fewer characters, the prime included."""
    best_of: Annotated[int, Between(1, MAX_DRAFTS)] = 1
    """Of the first N drafts that pass the filter, return the one with the fewest bits per character. Add --only-new:
    copies have the fewest."""
    temperature_last: bool = False
    """Apply top-k, top-p and min-p at temperature 1 and the temperature after them: with --min-p, even 2 to 5 stay
    readable."""

    @property
    def has_filter(self) -> bool:
        """Whether drafts can be refused; those that do not end within `max_length` then are, too."""
        return any(getattr(self, name) != getattr(SamplingConfig, name) for name in FILTER_FIELDS)

    def without_filter(self) -> SamplingConfig:
        """Return the settings of the distribution alone, with prime and maximum length."""
        return replace(self, **{name: getattr(SamplingConfig, name) for name in FILTER_FIELDS})

    def __post_init__(self) -> None:
        require_valid(self)
        allowed = f"below --max-length, {self.max_length}"
        require("min_length", self.min_length, allowed, is_valid=self.min_length < self.max_length)
        self._require_text("prime", MAX_CHARS)
        self._require_text("must_contain", MAX_REQUIRED_CHARS)
        num_chars = sum(len(words) + 1 for words in self.avoid)
        allowed = f"at most {MAX_AVOIDED_CHARS:,} characters of words"
        require("avoid", f"{num_chars:,}", allowed, is_valid=num_chars <= MAX_AVOIDED_CHARS)
        for words in self.avoid:
            is_valid = words != "" and is_harmless(words) and words == with_single_blanks(words)
            require("avoid", repr(words), "words of visible characters and single blanks", is_valid=is_valid)

    def require_satisfiable(self) -> None:
        """Raise `ConfigError` where prime or required text has an avoided word, so that no draft can pass.

        Not a part of the validation: a session refuses such settings as a command, with its reason.
        """
        prime, required = comparable(self.prime), comparable(self.must_contain)
        for words in self.avoid:
            allowed, avoided = f"without the avoided word “{words}”", comparable(words)
            require("prime", repr(self.prime), allowed, is_valid=not has_word(prime, avoided, goes_on=True))
            require("must_contain", repr(self.must_contain), allowed, is_valid=not has_word(required, avoided))

    def require_for_run(self) -> None:
        """Raise `ConfigError` unless a run, with its fewer drafts, can sample with these settings."""
        self.require_satisfiable()
        is_valid = self.best_of <= MAX_DRAFTS_IN_RUN
        require("best_of", self.best_of, f"at most {MAX_DRAFTS_IN_RUN} in a run", is_valid=is_valid)

    def _require_text(self, name: str, max_chars: int) -> None:
        """Raise `ConfigError` unless the field `name` is harmless text that fits into a tweet and `max_chars`."""
        text: str = getattr(self, name)
        is_valid = len(text) <= min(self.max_length - 1, max_chars)
        allowed = f"shorter than --max-length, {self.max_length}, and at most {max_chars:,} characters long"
        require(name, f"{len(text)} characters", allowed, is_valid=is_valid)
        allowed = "text without control or invisible characters or stacks of accents"
        require(name, repr(text), allowed, is_valid=is_harmless(text))

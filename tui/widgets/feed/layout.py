"""What stands left of a tweet's text in the feed, and how wide: all of it from 92 cells, less in a narrower feed.

Pure: knows no widget. Whatever stands in a column takes the same cells on every line.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from engine.protocol.events import TweetSampled
from engine.text import ELLIPSIS, harmless
from tui.settings.theme import NOVELTY_GLYPHS

PIN_GLYPH, SELECTED_GLYPH = "◆", "▸"
"""Both one cell wide."""
EMPTY_TWEET = "(empty: <EOS> at once)"
"""Shown in place of the text of a tweet that has none."""
FULL_WIDTH = 92
"""From this many cells, novelty is also a word, with the share that was copied."""
BITS_WIDTH = 68
"""From this many cells, the tweet's own bits per character are shown."""
STEPS_WIDTH = 50
"""From this many cells, step and temperature are shown."""
MIN_TEXT_WIDTH = 10
"""So that nothing is wrapped to slivers while the feed has no size yet."""
MIN_STEP_WIDTH = 5
_WORD_WIDTH = len("near-copy 100%")
_MAX_CHARS = 2000

Parts = list[tuple[str, str]]
"""Pieces of a line: text, and the component class that colours it."""


@dataclass(frozen=True)
class Columns:
    """The columns of a feed of this width."""

    width: int
    step_width: int = MIN_STEP_WIDTH

    @property
    def indent(self) -> int:
        """How many cells stand before a tweet's text."""
        return sum(cell_len(text) for text, _ in self.before_text(_WIDEST, ""))

    @property
    def text_width(self) -> int:
        """How many cells there are for a tweet's text."""
        return max(MIN_TEXT_WIDTH, self.width - self.indent)

    def before_text(self, tweet: TweetSampled, sign: str) -> Parts:
        """Return what stands before the first line of a tweet; `sign` is one cell wide, or empty for none."""
        facts = word = bits = ""
        if self.width >= STEPS_WIDTH:
            facts = f"{tweet.step:>{self.step_width},}  {tweet.temperature:.2f} "
        if self.width >= FULL_WIDTH:
            word = f"{novelty_words(tweet):<{_WORD_WIDTH}}  "
        if self.width >= BITS_WIDTH:
            bits = f"{_four_cells(tweet.bits_per_char)}  "
        return [
            (sign or " ", "sign"),
            (facts, "facts"),
            (NOVELTY_GLYPHS[tweet.novelty] + " ", tweet.novelty),
            (word + bits, "facts"),
        ]

    @property
    def heading(self) -> str:
        """Names of the columns, each over its own, from the first cell on; empty where they say nothing."""
        if self.width < BITS_WIDTH:
            return ""
        word = f"{'novelty':<{_WORD_WIDTH + 4}}" if self.width >= FULL_WIDTH else "  "
        return f"{'step':>{self.step_width + 1}}  temp {word}bits  tweet"


def step_width(last_step: int, before: int) -> int:
    """Return how wide the column of steps must be, which is never narrower than it was before."""
    return max(before, len(f"{last_step:,}"))


def novelty_words(tweet: TweetSampled) -> str:
    """Return how new a tweet is; of a near copy also the share that was copied, where that is known."""
    if tweet.novelty == "near-copy" and tweet.copied_share > 0:
        return f"near-copy {min(tweet.copied_share, 1.0):.0%}"
    return tweet.novelty


def shown_text(tweet: TweetSampled) -> str:
    """Return what is shown of a tweet: its text, with an ellipsis where it was cut at its longest."""
    if not tweet.text:
        return EMPTY_TWEET
    text = harmless(tweet.text, _MAX_CHARS)
    return text if tweet.reached_eos else text + ELLIPSIS


def has_bits_of_chars(tweet: TweetSampled, shown: str) -> bool:
    """Say whether it is known how surprising each character is of what is shown of a tweet."""
    is_whole = shown == (tweet.text if tweet.reached_eos else tweet.text + ELLIPSIS)
    return is_whole and len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos


def _four_cells(bits: float) -> str:
    """Return a figure as exactly four cells."""
    bits = min(max(bits, 0.0), 9999.0)
    return next(shown for digits in (2, 1, 0) if len(shown := f"{bits:>4.{digits}f}") <= 4)


_WIDEST = TweetSampled(
    step=0, elapsed_seconds=0.0, text="", temperature=0.0, reached_eos=True, bits_per_char=0.0, novelty="new"
)
"""All tweets take the same cells; any will do to count them."""

"""The columns left of a tweet's text, and their widths: fewer columns in a narrower feed. Never imports a widget.

A column has the same width on every line.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from engine.protocol.events import TweetSampled
from engine.text import ELLIPSIS
from tui.formatting.loss_units import LossUnit, bits_in_unit
from tui.settings.theme import NOVELTY_GLYPHS

PIN_GLYPH, SELECTED_GLYPH = "◆", "▸"
"""Both one cell wide."""
FULL_WIDTH = 92
"""From this many cells, novelty is also a word, with the share that was copied."""
LOSS_WIDTH = 68
"""From this many cells, the tweet's mean loss per character is shown."""
STEPS_WIDTH = 50
"""From this many cells, step and temperature are shown."""
MIN_TEXT_WIDTH = 10
"""Minimum width of the text, while the feed has no size yet."""
MIN_STEP_WIDTH = 5
_WORD_WIDTH = len("near-copy 100%")

Parts = list[tuple[str, str]]
"""Segments of a line: text, and the component class that styles it."""


@dataclass(frozen=True)
class FeedColumns:
    """The columns of a feed of this width."""

    width: int
    step_width: int = MIN_STEP_WIDTH
    unit: LossUnit = "bits"

    @property
    def indent(self) -> int:
        """Width of the columns before the text."""
        return sum(cell_len(text) for text, _ in self.before_text(_WIDEST, ""))

    @property
    def text_width(self) -> int:
        """Width of the text."""
        return max(MIN_TEXT_WIDTH, self.width - self.indent)

    def before_text(self, tweet: TweetSampled, sign: str) -> Parts:
        """Return the columns of a tweet's first line; `sign` is one cell wide, or empty."""
        facts = word = loss = ""
        if self.width >= STEPS_WIDTH:
            facts = f"{tweet.step:>{self.step_width},}  {tweet.temperature:.2f} "
        if self.width >= FULL_WIDTH:
            word = f"{novelty_words(tweet):<{_WORD_WIDTH}}  "
        if self.width >= LOSS_WIDTH:
            loss = f"{_four_cells(bits_in_unit(tweet.bits_per_char, self.unit))}  "
        return [
            (sign or " ", "sign"),
            (facts, "facts"),
            (NOVELTY_GLYPHS[tweet.novelty] + " ", tweet.novelty),
            (word + loss, "facts"),
        ]

    @property
    def heading(self) -> str:
        """Titles of the columns, each aligned with its own; empty in a narrow feed."""
        if self.width < LOSS_WIDTH:
            return ""
        word = f"{'novelty':<{_WORD_WIDTH + 4}}" if self.width >= FULL_WIDTH else "  "
        return f"{'step':>{self.step_width + 1}}  temp {word}{self.unit}  tweet"


def step_width(last_step: int, before: int) -> int:
    """Return the width of the column of steps, which never shrinks."""
    return max(before, len(f"{last_step:,}"))


def novelty_words(tweet: TweetSampled) -> str:
    """Return the novelty; of a near-copy with the share that was copied, if known."""
    if tweet.novelty == "near-copy" and tweet.copied_share > 0:
        return f"near-copy {min(tweet.copied_share, 1.0):.0%}"
    return tweet.novelty


def has_char_bits(tweet: TweetSampled, shown: str) -> bool:
    """Return whether every character of the shown text has its bits."""
    is_whole = shown == (tweet.text if tweet.reached_eos else tweet.text + ELLIPSIS)
    return is_whole and len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos


def _four_cells(loss: float) -> str:
    """Return a loss in exactly four cells, in either unit: the text must not move when the unit changes."""
    loss = min(max(loss, 0.0), 9999.0)
    return next(shown for digits in (2, 1, 0) if len(shown := f"{loss:>4.{digits}f}") <= 4)


_WIDEST = TweetSampled(
    step=0, elapsed_seconds=0.0, text="", temperature=0.0, reached_eos=True, bits_per_char=0.0, novelty="new"
)
"""The columns of all tweets have the same width: any tweet can be measured."""

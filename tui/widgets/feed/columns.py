"""The columns around a tweet's text, and their widths: fewer columns in a narrower feed. Never imports a widget.

A column has the same width on every line. The rule above the feed has the titles of the right columns.

The counts in the rule above the feed: how many tweets are new or copies, and what the filter refused.

The surprise of each character, as a step of a scale. Pure; never chooses a colour.

A grapheme (an emoji sequence, a letter with its marks) has the step of its most surprising character.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, split_graphemes
from textual.content import Content

from engine.protocol.events import Novelty, TweetSampled
from engine.text import ELLIPSIS
from tui.run.marks import DraftCounts, drafts_text, num_refused_text
from tui.text.numbers import LossUnit, bits_in_unit
from tui.text.tweets import NOVELTY_GLYPHS

PIN_GLYPH, SELECTED_GLYPH = "◆", "▌"
"""Both one cell wide."""
DRAFTS_MARK, FAILING_MARK = "+", "!"
"""Beside the novelty of a tweet: several drafts were sampled for it; none passed the filter, this is the nearest."""
TEMPERATURE_WIDTH = 92
"""From this many cells, the temperature is shown."""
LOSS_WIDTH = 60
"""From this many cells, the tweet's mean loss per character is shown."""
STEPS_WIDTH = 50
"""From this many cells, the step is shown."""
MIN_TEXT_WIDTH = 10
"""Minimum width of the text, while the feed has no size yet."""
MIN_STEP_WIDTH = 5
FIRST_RANKS = (1, 3, 6)
"""Number of newer tweets from which on a tweet is a step less bright; few, as each step repaints a tweet."""
NUM_AGES = len(FIRST_RANKS) + 1

Parts = list[tuple[str, str]]
"""Segments of a line: text, and the component class that styles it."""


def age_of(rank: int) -> int:
    """Return the brightness of a tweet with `rank` newer ones: 0 is the brightest of `NUM_AGES`."""
    return bisect_right(FIRST_RANKS, rank)


def changed_ranks(num_added: int) -> list[int]:
    """Return the ranks of tweets whose brightness changes as tweets are added, the added ones excluded."""
    return [rank for rank in range(num_added, num_added + FIRST_RANKS[-1]) if age_of(rank) != age_of(rank - num_added)]


@dataclass(frozen=True)
class FeedColumns:
    """The columns of a feed of this width."""

    width: int
    step_width: int = MIN_STEP_WIDTH
    has_marks: bool = False
    """Whether there is a column for the marks of tweets that several drafts were sampled for."""
    unit: LossUnit = "bits"

    @property
    def indent(self) -> int:
        """Width of the columns before the text."""
        return sum(cell_len(text) for text, _ in self.before_text(_ANY, is_selected=False, is_pinned=False))

    @property
    def text_width(self) -> int:
        """Width of the text."""
        return max(MIN_TEXT_WIDTH, self.width - self.indent - cell_len(self.after_text(_ANY)))

    def before_text(self, tweet: TweetSampled, *, is_selected: bool, is_pinned: bool) -> Parts:
        """Return the columns before the text on a tweet's first line."""
        step = f"{tweet.step:>{self.step_width},} " if self.width >= STEPS_WIDTH else ""
        return [
            (SELECTED_GLYPH if is_selected else " ", "selected"),
            (PIN_GLYPH if is_pinned else " ", "pin"),
            (step, "facts"),
            (NOVELTY_GLYPHS[tweet.novelty], tweet.novelty),
            (mark_of(tweet) or " " if self.has_marks else "", "failing" if tweet.unmet else "facts"),
            (" ", tweet.novelty),
        ]

    def after_text(self, tweet: TweetSampled) -> str:
        """Return the columns after the text on a tweet's first line; empty in a narrow feed."""
        if self.width < LOSS_WIDTH:
            return ""
        temperature = f"  {tweet.temperature:.2f}" if self.width >= TEMPERATURE_WIDTH else ""
        return f"{temperature}  {_four_cells(bits_in_unit(tweet.bits_per_char, self.unit))} "

    @property
    def heading(self) -> str:
        """Titles of the columns after the text, aligned with them; empty in a narrow feed."""
        if self.width < LOSS_WIDTH:
            return ""
        return f"temp  {self.unit}" if self.width >= TEMPERATURE_WIDTH else self.unit


def mark_of(tweet: TweetSampled) -> str:
    """Return the mark of a tweet that several drafts were sampled for; empty for others."""
    return FAILING_MARK if tweet.unmet else DRAFTS_MARK if tweet.num_drafts > 1 else ""


def step_width(last_step: int, before: int) -> int:
    """Return the width of the column of steps, which never shrinks."""
    return max(before, len(f"{last_step:,}"))


def has_char_bits(tweet: TweetSampled, shown: str) -> bool:
    """Return whether every character of the shown text has its bits."""
    is_whole = shown == (tweet.text if tweet.reached_eos else tweet.text + ELLIPSIS)
    return is_whole and len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos


def _four_cells(loss: float) -> str:
    """Return a loss in exactly four cells, in either unit: the text must not move when the unit changes."""
    loss = min(max(loss, 0.0), 9999.0)
    return next(shown for digits in (2, 1, 0) if len(shown := f"{loss:>4.{digits}f}") <= 4)


_ANY = TweetSampled(
    step=0, elapsed_seconds=0.0, text="", temperature=0.0, reached_eos=True, bits_per_char=0.0, novelty="new"
)
"""The columns of all tweets have the same width: any tweet can be measured."""


Styled = Callable[[str, str], Content]
"""Returns a text, its second argument, in the style of a name."""


def counts_of(drafts: DraftCounts, num_by_novelty: Mapping[Novelty, int], styled: Styled) -> Iterator[Content]:
    """Yield the counts in ever fewer cells, the last empty; that of the marked tweets is the last to be left out."""
    long, short = (_novelty_counts(num_by_novelty, styled, is_long=is_long) for is_long in (True, False))
    if drafts.num_drafts:
        verb = "fails" if drafts.num_failing == 1 else "fail"
        words = f"{FAILING_MARK} {drafts.num_failing:,} {verb} this filter"
        failing = styled("failing", words) if drafts.num_failing else Content()
        reasons, num_refused = Content(drafts_text(drafts)), Content(num_refused_text(drafts))
        yield joined([reasons, failing, long])
        yield joined([reasons, failing, short])
        yield joined([reasons, failing])
        yield joined([num_refused, failing, short])
        yield joined([num_refused, failing])
        yield failing or short
    else:
        yield long
        yield short
    yield Content()


def _novelty_counts(found: Mapping[Novelty, int], styled: Styled, *, is_long: bool) -> Content:
    """Return how many tweets are new, near-copies and copies, which explains the marks; or only how many are new."""
    if not found:
        return Content()
    if not is_long:
        total = sum(found.values())
        return styled("new", NOVELTY_GLYPHS["new"]) + Content(f" {found.get('new', 0):,} of {total:,} new")
    return joined(
        styled(novelty, glyph) + Content(f" {found.get(novelty, 0):,} {_word_of(novelty, found.get(novelty, 0))}")
        for novelty, glyph in NOVELTY_GLYPHS.items()
    )


def joined(parts: Iterable[Content]) -> Content:
    """Return the parts that are not empty, side by side."""
    return Content("  ").join(part for part in parts if part)


def _word_of(novelty: Novelty, count: int) -> str:
    """Return the name of a mark for that many tweets."""
    return f"{novelty[:-1]}ies" if novelty.endswith("copy") and count != 1 else novelty


STEP_BITS = (0.5, 1.5, 3.0, 5.0, 7.5)
"""From this many bits, the next step: probabilities of about 71, 35, 12, 3 and 0.6 percent."""
NUM_STEPS = len(STEP_BITS) + 1


def runs_by_surprise(text: str, char_bits: Sequence[float]) -> Iterator[tuple[str, int]]:
    """Yield the runs of `text` in one step, with the step; `char_bits` has a value per code point.

    Text beyond the values, such as the ellipsis of a truncated tweet, is in the lowest step.
    """
    start, step = 0, -1
    for begin, end in _graphemes(text):
        step_here = bisect_right(STEP_BITS, max(char_bits[begin:end], default=0.0))
        if step_here != step:
            if begin > start:
                yield text[start:begin], step
            start, step = begin, step_here
    if start < len(text):
        yield text[start:], step


def _graphemes(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each grapheme."""
    if text.isascii():
        yield from zip(range(len(text)), range(1, len(text) + 1), strict=True)
    else:
        for begin, end, _ in split_graphemes(text)[0]:
            yield begin, end

"""The columns around a tweet's text, the counts in the rule above the feed, and the surprise of characters.

A column has the same width on every line; a narrower feed has fewer of them. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap

from engine.protocol.events import Novelty, TweetSampled
from engine.text import ELLIPSIS
from tui.run.marks import DraftCounts, drafts_text, num_refused_text
from tui.text.cells import Line, Span, cell_len, num_cells, split_graphemes
from tui.text.numbers import LossUnit, bits_in_unit
from tui.text.tweets import NOVELTY_GLYPHS, refused_text

PIN_GLYPH, SELECTED_GLYPH = "◆", "▌"
"""Glyphs of one cell."""
DRAFTS_MARK, FAILING_MARK = "+", "!"
"""Beside the novelty of a tweet: several drafts were sampled for it; none passed the filter, this is the nearest."""
STEPS_WIDTH, LOSS_WIDTH, TEMPERATURE_WIDTH = 50, 60, 92
"""From this many cells, the feed shows steps, mean losses per character, and temperatures."""
_MIN_TEXT_WIDTH = 10
_MIN_STEP_WIDTH = 5
_FIRST_RANKS = (1, 3, 6)
"""Number of newer tweets from which on a tweet is a step less bright; few, as each step repaints a tweet."""
NUM_AGES = len(_FIRST_RANKS) + 1
STEP_BITS = (0.5, 1.5, 3.0, 5.0, 7.5)
"""From this many bits, the next step of surprise: probabilities of about 71, 35, 12, 3 and 0.6 percent."""
NUM_STEPS = len(STEP_BITS) + 1
_UNDERLINED = (f"surprise-{NUM_STEPS - 2}", f"surprise-{NUM_STEPS - 1}")

_ANY = TweetSampled(
    step=0, elapsed_seconds=0.0, text="", temperature=0.0, reached_eos=True, bits_per_char=0.0, novelty="new"
)
"""The columns of all tweets have the same width: any tweet can be measured."""


def with_fewer_styles(line: Iterable[Span]) -> Line:
    """Return the line with blanks joined to the next span, or to the last: over ssh, a change of style costs more."""
    merged: list[Span] = []
    for span in line:
        if merged and merged[-1].text.isspace() and span.text and not span.style.endswith(_UNDERLINED):
            merged.append(Span(merged.pop().text + span.text, span.style))
        elif span.text:
            merged.append(span)
    if len(merged) > 1 and merged[-1].text.isspace() and not merged[-2].style.endswith(_UNDERLINED):
        blanks = merged.pop().text
        merged[-1] = Span(merged[-1].text + blanks, merged[-1].style)
    return tuple(merged)


@dataclass(frozen=True)
class FeedColumns:
    """The columns of a feed of this width."""

    width: int
    step_width: int = _MIN_STEP_WIDTH
    has_marks: bool = False
    """Whether there is a column for the marks of tweets that several drafts were sampled for."""

    @property
    def indent(self) -> int:
        """Width of the columns before the text."""
        return num_cells(self.before_text(_ANY, "facts", is_selected=False, is_pinned=False))

    @property
    def text_width(self) -> int:
        return max(_MIN_TEXT_WIDTH, self.width - self.indent - cell_len(self.after_text(_ANY)))

    def heading(self, unit: LossUnit) -> str:
        """Return the titles of the columns after the text, aligned with them; empty in a narrow feed."""
        temperature = "temp  " if self.width >= TEMPERATURE_WIDTH else ""
        return temperature + unit if self.width >= LOSS_WIDTH else ""

    def with_room_for(self, tweets: Sequence[TweetSampled]) -> FeedColumns:
        """Return columns that more tweets fit into. They never shrink."""
        step_width = max((len(f"{tweet.step:,}") for tweet in tweets), default=0)
        has_marks = self.has_marks or any(map(_mark_of, tweets))
        return replace(self, step_width=max(self.step_width, step_width), has_marks=has_marks)

    def before_text(self, tweet: TweetSampled, facts: str, *, is_selected: bool, is_pinned: bool) -> Line:
        """Return the columns before the text on a tweet's first line; `facts` is the style of its step."""
        return (
            Span(SELECTED_GLYPH if is_selected else " ", "selected"),
            Span(PIN_GLYPH if is_pinned else " ", "pin"),
            Span(f"{tweet.step:>{self.step_width},} " if self.width >= STEPS_WIDTH else "", facts),
            Span(NOVELTY_GLYPHS[tweet.novelty], tweet.novelty),
            Span(_mark_of(tweet) or " " if self.has_marks else "", "failing" if tweet.unmet else facts),
            Span(" ", tweet.novelty),
        )

    def after_text(self, tweet: TweetSampled, unit: LossUnit = "bits") -> str:
        """Return the columns after the text on a tweet's first line; empty in a narrow feed."""
        if self.width < LOSS_WIDTH:
            return ""
        temperature = f"  {tweet.temperature:.2f}" if self.width >= TEMPERATURE_WIDTH else ""
        loss = min(max(bits_in_unit(tweet.bits_per_char, unit), 0.0), 9999.0)
        four_cells = next(shown for digits in (2, 1, 0) if len(shown := f"{loss:>4.{digits}f}") <= 4)
        return f"{temperature}  {four_cells} "  # in either unit: the text must not move when the unit changes


def _mark_of(tweet: TweetSampled) -> str:
    return FAILING_MARK if tweet.unmet else DRAFTS_MARK if tweet.num_drafts > 1 else ""


def age_of(rank: int) -> int:
    """Return the brightness of a tweet with `rank` newer ones: 0 is the brightest of `NUM_AGES`."""
    return bisect_right(_FIRST_RANKS, rank)


def counts_of(drafts: DraftCounts, found: Counter[Novelty]) -> list[Line]:
    """Return the counts in ever fewer cells, the last empty; that of the marked tweets is the last to be left out."""
    long, short = Line(), Line()
    if found:
        for kind, glyph in NOVELTY_GLYPHS.items():
            count = f"{found[kind]:,} new" if kind == "new" else refused_text([(kind, found[kind])])
            long = joined(long, (Span(glyph, kind), Span(f" {count}", "facts")))
        short = Span(NOVELTY_GLYPHS["new"], "new"), Span(f" {found['new']:,} of {found.total():,} new", "facts")
    if not drafts.num_drafts:
        return [long, short, ()]
    verb = "fails" if drafts.num_failing == 1 else "fail"
    words = f"{FAILING_MARK} {drafts.num_failing:,} {verb} this filter"
    failing: Line = (Span(words, "failing"),) if drafts.num_failing else ()
    reasons, refused = ((Span(text(drafts), "facts"),) for text in (drafts_text, num_refused_text))
    facts = (reasons, failing, long), (reasons, failing, short), (reasons, failing), (refused, failing, short)
    return [*starmap(joined, facts), joined(refused, failing), failing or short, ()]


def joined(*facts: Line) -> Line:
    """Return the facts that are not empty side by side."""
    return tuple(span for fact in facts if fact for span in (Span("  ", "facts"), *fact))[1:]


def has_char_bits(tweet: TweetSampled, shown: str) -> bool:
    """Return whether every character of the shown text has its bits."""
    is_whole = shown == (tweet.text if tweet.reached_eos else tweet.text + ELLIPSIS)
    return is_whole and len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos


def runs_by_surprise(text: str, char_bits: Sequence[float]) -> Iterator[tuple[str, int]]:
    """Yield the runs of `text` in one step of surprise, with the step; `char_bits` has a value per code point.

    A grapheme (an emoji sequence, a letter with its marks) has the step of its most surprising character. Text beyond
    the values, such as the ellipsis of a truncated tweet, is in the lowest step.
    """
    start, step = 0, -1
    for begin, end, _ in split_graphemes(text)[0]:
        step_here = bisect_right(STEP_BITS, max(char_bits[begin:end], default=0.0))
        if step_here != step:
            if begin > start:
                yield text[start:begin], step
            start, step = begin, step_here
    if start < len(text):
        yield text[start:], step

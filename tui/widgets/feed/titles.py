"""The counts in the rule above the feed: how many tweets are new or copies, and what the filter refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from textual.content import Content

from engine.protocol.events import Novelty
from tui.run.draft_texts import drafts_text, num_passed_text
from tui.run.drafts import DraftCounts
from tui.settings.theme import NOVELTY_GLYPHS
from tui.widgets.feed.layout import FAILING_MARK

Styled = Callable[[str, str], Content]
"""Returns a text, its second argument, in the style of a name."""


def counts_of(drafts: DraftCounts, num_by_novelty: Mapping[Novelty, int], styled: Styled) -> Iterator[Content]:
    """Yield the counts in ever fewer cells, the last empty; those of the drafts are the last to be left out."""
    long, short = (_novelty_counts(num_by_novelty, styled, is_long=is_long) for is_long in (True, False))
    if drafts.num_drafts:
        failing = styled("failing", f"{FAILING_MARK} {drafts.num_failing:,}") if drafts.num_failing else Content()
        reasons, num_passed = Content(drafts_text(drafts)), Content(num_passed_text(drafts))
        yield joined([reasons, failing, long])
        yield joined([reasons, failing, short])
        yield joined([reasons, failing])
        yield joined([num_passed, failing, short])
        yield joined([num_passed, failing])
    else:
        yield long
        yield short
    yield Content()


def _novelty_counts(found: Mapping[Novelty, int], styled: Styled, *, is_long: bool) -> Content:
    """Return how many tweets are new, near-copies and copies; the long form explains the marks."""
    parts = []
    for novelty, glyph in NOVELTY_GLYPHS.items() if found else ():
        count = found.get(novelty, 0)
        word = f" {_word_of(novelty, count)}" if is_long else ""
        parts += [styled(novelty, glyph) + Content(f" {count:,}{word}")] if is_long or count else []
    return joined(parts)


def joined(parts: Iterable[Content]) -> Content:
    """Return the parts that are not empty, side by side."""
    return Content("  ").join(part for part in parts if part)


def _word_of(novelty: Novelty, count: int) -> str:
    """Return the name of a mark for that many tweets."""
    return f"{novelty[:-1]}ies" if novelty.endswith("copy") and count != 1 else novelty

"""The counts in the rule above the feed: how many tweets are new or copies, and what the filter refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from textual.content import Content

from engine.protocol.events import Novelty
from tui.run.draft_texts import drafts_text, num_refused_text
from tui.run.drafts import DraftCounts
from tui.settings.theme import NOVELTY_GLYPHS
from tui.widgets.feed.layout import FAILING_MARK

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

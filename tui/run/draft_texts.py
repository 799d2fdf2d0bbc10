"""The drafts of tweets as sentences. Apart from `drafts`, which the reducer imports: no framework is loaded there."""

from __future__ import annotations

from tui.formatting.numbers import format_count
from tui.formatting.sampling import refused_text
from tui.run.drafts import DraftCounts


def num_shown_text(counts: DraftCounts) -> str:
    """Return how many of the drafts are shown: "5 of 38 drafts"."""
    noun = "draft" if counts.num_drafts == 1 else "drafts"
    return f"{format_count(counts.num_shown)} of {format_count(counts.num_drafts)} {noun}"


def drafts_text(counts: DraftCounts) -> str:
    """Return the same, and why the others are not: "5 of 38 drafts: 20 copies, 13 with avoided words"."""
    reasons = [refused_text(counts.refused)] if counts.refused else []
    if counts.num_passed_over:
        reasons.append(f"{format_count(counts.num_passed_over)} with more bits per character")
    return f"{num_shown_text(counts)}: {', '.join(reasons) or 'none refused'}"

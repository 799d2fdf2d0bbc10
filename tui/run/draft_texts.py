"""The drafts of filtered tweets as short texts, the same on the screen and on the command line."""

from __future__ import annotations

import math

from tui.formatting.numbers import format_count, format_duration
from tui.formatting.sampling import reason_text, refused_text
from tui.run.drafts import DraftCounts, DraftedTweet, counts_after
from tui.run.view import RunView


def num_refused_text(counts: DraftCounts) -> str:
    """Return how many of the drafts were not chosen: "33 of 38 drafts refused", "none of 5 drafts refused"."""
    num_refused = counts.num_drafts - (counts.num_shown - counts.num_failing)
    noun = "draft" if counts.num_drafts == 1 else "drafts"
    return f"{format_count(num_refused) if num_refused else 'none'} of {format_count(counts.num_drafts)} {noun} refused"


def drafts_text(counts: DraftCounts) -> str:
    """Return the same, and why: "33 of 38 drafts refused: 20 copies, 13 with avoided words"."""
    reasons = [refused_text(counts.refused)] if counts.refused else []
    if counts.num_passed_over:
        reasons.append(f"{format_count(counts.num_passed_over)} with more bits per character")
    return ": ".join(filter(None, (num_refused_text(counts), ", ".join(reasons))))


def refusals_of(tweet: DraftedTweet) -> str:
    """Return why the other drafts of a tweet were refused, as `drafts_text` does; empty if it was the only draft."""
    return drafts_text(counts_after(DraftCounts(), [tweet])) if tweet.num_drafts > 1 else ""


def failure_of(tweet: DraftedTweet) -> str:
    """Return the reasons against a tweet of which no draft passed the filter; empty for the others."""
    reasons = ", ".join(map(reason_text, tweet.unmet))
    return f"No draft passed the filter; this one comes nearest: {reasons}." if reasons else ""


def delay_text(view: RunView) -> str:
    """Return what delays the next tweet: "draft 17 of 32", "next within 0:24"; empty if nothing does."""
    delay = view.tweet_delayed
    if delay is None or view.phase not in {"training", "paused"}:
        return ""
    if not delay.due_in_seconds:
        if view.step != delay.step:  # training has gone on without the tweet
            return ""
        return f"draft {min(delay.num_drafts + 1, delay.max_drafts)} of {delay.max_drafts}"
    seconds = math.ceil(delay.elapsed_seconds + delay.due_in_seconds - view.elapsed_seconds)
    return f"next within {format_duration(seconds)}" if seconds > 0 and view.phase == "training" else ""

"""What delays the next tweet, as a short text."""

from __future__ import annotations

import pytest

from engine.protocol import events as e
from tests.fakes import run_started, steps_finished, tweet_sampled
from tui.run.draft_texts import delay_text
from tui.run.folding import fold
from tui.run.view import RunView

DRAWING = e.TweetDelayed(step=3, elapsed_seconds=10.0, num_drafts=16, max_drafts=32)
WAITING = e.TweetDelayed(step=3, elapsed_seconds=10.0, num_drafts=0, max_drafts=32, due_in_seconds=24.2)
LATER = e.Warned(step=9, elapsed_seconds=30.0, message="later")
DUE = e.Warned(step=9, elapsed_seconds=34.3, message="due")
PAUSED = e.Paused(step=3, elapsed_seconds=10.0)
BY_STEPS = e.IntervalsChanged(step=3, elapsed_seconds=10.0, eval_every=7, sample_every=100)


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ((), ""),
        ((DRAWING,), "draft 17 of 32"),
        ((DRAWING, tweet_sampled("hi")), ""),
        ((tweet_sampled("hi"), WAITING), "next within 0:25"),
        ((WAITING, LATER), "next within 0:05"),
        ((WAITING, DUE), ""),
        ((WAITING, steps_finished(4, [2.0]), tweet_sampled("hi")), ""),
        ((PAUSED, DRAWING), "draft 17 of 32"),
        ((DRAWING, steps_finished(4, [2.0])), ""),
        ((WAITING, PAUSED), ""),
        ((WAITING, PAUSED, e.Resumed(step=3, elapsed_seconds=11.0)), "next within 0:24"),
        ((WAITING, BY_STEPS), ""),
        ((WAITING, run_started(step=3, resumed_from=f"{run_started().run}/latest")), ""),
        ((DRAWING, e.RunFinished(step=3, elapsed_seconds=10.0, reason="x", total_seconds=1.0, total_chars=1)), ""),
    ],
)
def test_a_delay_by_the_filter_is_shown_until_the_next_tweet(events: tuple[e.Event, ...], text: str) -> None:
    assert delay_text(fold(RunView(), [run_started(), *events])) == text

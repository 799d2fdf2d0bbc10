"""What the shell shows after the screen: the latest run, how to go on with it, and with those before it."""

from __future__ import annotations

from tests.fakes import run_started, steps_finished, tweet
from tui.run_view import RunView
from tui.state import apply
from tui.summary import earlier_lines, summary_lines


def view_of(run: str, corpus: str) -> RunView:
    view = apply(RunView(), run_started(run=run, corpus=corpus))
    return apply(apply(view, steps_finished(1, [4.0, 3.5])), tweet("hello there", 2))


def test_earlier_runs_are_told_with_their_tweets_and_how_to_go_on_with_them() -> None:
    views = [view_of("first", "a.csv"), RunView(), view_of("my second", "b.csv")]
    assert earlier_lines(views) == [
        "Run before it:  tweetgen-tui --resume first  (a.csv)",
        'Run before it:  tweetgen-tui --resume "my second"  (b.csv)',
    ]


def test_a_single_run_tells_of_no_other() -> None:
    assert earlier_lines([]) == []
    assert summary_lines(view_of("first", "a.csv"))[-1] == "Go on with it:  tweetgen-tui --resume first"

"""The lines printed after the screen: the latest run, how to resume it, and the earlier runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.config.run import TrainingConfig
from engine.protocol.events import CheckpointLoaded, CheckpointSaved, Paused, RunFinished, Warned
from tests.fakes import run_started, steps_finished, tweet_sampled
from tui.formatting.tweets import EMPTY_TWEET
from tui.process.outcome import exit_code_of
from tui.run.reducer import apply
from tui.run.summary import earlier_lines, how_to_attach, summary_lines
from tui.run.view import RunView


def view_of(run: str, corpus: str) -> RunView:
    view = apply(RunView(), run_started(run=run, corpus=corpus))
    return apply(apply(view, steps_finished(1, [4.0, 3.5])), tweet_sampled("hello there", 2))


def test_earlier_runs_are_summarised_with_a_tweet_and_the_command_to_resume() -> None:
    views = [view_of("first", "a.csv"), RunView(), view_of("my second", "b.csv")]
    assert earlier_lines(views) == [
        "Earlier run:  tweetgen-tui --resume first  (a.csv)",
        'Earlier run:  tweetgen-tui --resume "my second"  (b.csv)',
    ]


def test_the_summary_of_a_single_run_mentions_no_other() -> None:
    assert earlier_lines([]) == []
    assert summary_lines(view_of("first", "a.csv"))[-1] == "Continue it:  tweetgen-tui --resume first"


def test_a_resumed_run_on_a_full_disk_refers_to_the_existing_latest() -> None:
    resumed = run_started(run="first", step=100, resumed_from="first/latest")
    full = Warned(step=100, elapsed_seconds=1.0, message="No space left on device.", kind="disk")
    view = apply(apply(apply(RunView(), resumed), full), steps_finished(101, [4.0, 3.5]))
    assert summary_lines(view)[-2:] == [
        "Saved up to step 100: a resume repeats the 2 steps after it.",
        "Continue it:  tweetgen-tui --resume first",
    ]
    view = apply(apply(apply(RunView(), run_started(run="first")), full), steps_finished(1, [4.0, 3.5]))
    assert summary_lines(view)[-1] == "Nothing is saved: the disk could not be written."


def test_steps_taken_while_latest_was_written_count_as_unsaved_and_the_mark_of_a_save_is_at_its_weights() -> None:
    view = apply(apply(RunView(), run_started(run="first")), steps_finished(1, [4.0, 3.5, 3.0]))
    saved = CheckpointSaved(step=3, elapsed_seconds=1.0, name="latest", path="", bits_per_char=None, weights_step=1)

    view = apply(apply(view, saved), replace(saved, name="mine"))

    assert "Saved up to step 1: a resume repeats the 2 steps after it." in summary_lines(view)
    assert [(mark.step, mark.label) for mark in view.marks] == [(1, "saved mine")]


def test_an_empty_tweet_reads_as_in_the_feed() -> None:
    assert f"  {EMPTY_TWEET}" in summary_lines(apply(view_of("first", "a.csv"), tweet_sampled("", 2)))


def test_a_run_whose_budget_is_used_up_does_not_continue_without_a_screen() -> None:
    view = apply(RunView(), run_started(run="first", training=TrainingConfig(max_steps=2)))
    view = apply(view, steps_finished(1, [4.0, 3.5]))
    assert "continues in the background" in how_to_attach(view)
    view = apply(view, Paused(step=2, elapsed_seconds=1.0))
    assert how_to_attach(view) == "The run first is finished; its process ends once no screen is attached."


def test_steps_since_a_load_count_as_unsaved() -> None:
    saved = CheckpointSaved(
        step=9, elapsed_seconds=1.0, name="latest", path="/latest", bits_per_char=None, weights_step=9
    )
    loaded = CheckpointLoaded(step=4, elapsed_seconds=1.0, name="calm", path="/calm", bits_per_char=None, epochs=0.0)
    full = Warned(step=4, elapsed_seconds=1.0, message="No space left on device.", kind="disk")
    ended = RunFinished(step=6, elapsed_seconds=2.0, reason="stopped", total_seconds=2.0, total_chars=1)
    view = RunView()
    for event in (run_started(run="first"), saved, loaded, full, steps_finished(5, [4.0, 3.5]), ended):
        view = apply(view, event)
    assert summary_lines(view)[-2:] == [
        "The 2 steps since step 4 was loaded are not saved.",
        "Continue it:  tweetgen-tui --resume first",
    ]
    assert exit_code_of(view) == 1


@pytest.mark.parametrize(("num_steps", "option"), [(1, ""), (2, " --max-steps 4"), (7, " --max-steps 14")])
def test_the_command_that_continues_a_run_has_a_budget_beyond_what_is_used(num_steps: int, option: str) -> None:
    view = apply(RunView(), run_started(run="first", training=TrainingConfig(max_steps=2)))
    view = apply(view, steps_finished(1, [4.0] * num_steps))
    saved = CheckpointSaved(
        step=num_steps, elapsed_seconds=1.0, name="latest", path="/latest", bits_per_char=None, weights_step=num_steps
    )
    assert summary_lines(apply(view, saved))[-1] == f"Continue it:  tweetgen-tui --resume first{option}"

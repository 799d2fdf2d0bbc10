"""What the end bar says about a run that is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.config.run import TrainingConfig
from engine.protocol import events as e
from tests.fakes import eval_finished, run_started, steps_finished
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.widgets.end_bar import outcome_texts

PAUSED = e.Paused(step=100, elapsed_seconds=125.0)


def view_of(*events: e.Event, max_steps: int | None = 100) -> RunView:
    """Return the view of a run of 100 steps after further events."""
    script = (
        run_started(training=TrainingConfig(max_steps=max_steps)),
        steps_finished(1, [2.0] * 90),
        eval_finished(90, 2.03),
        steps_finished(91, [2.0] * 10, elapsed_seconds=125.0),
    )
    view = RunView()
    for event in (*script, *events):
        view = apply(view, event)
    return view


def saved(name: str) -> e.CheckpointSaved:
    return e.CheckpointSaved(
        step=100, elapsed_seconds=125.0, name=name, path=f"/{name}", bits_per_char=2.03, weights_step=100
    )


def test_a_run_that_is_on_has_no_end() -> None:
    assert not list(outcome_texts(view_of(), "bits"))
    assert not list(outcome_texts(view_of(PAUSED, max_steps=200), "bits"))


def test_what_was_reached_the_best_figure_and_the_checkpoints_are_named() -> None:
    texts = list(outcome_texts(view_of(PAUSED, saved("mine"), saved("latest")), "bits"))
    assert texts[0] == ("■ finished: 100 steps in 2:05   best 2.03 bits/char at step 90   saved: best, latest, mine")
    assert texts[-1] == "■ finished   best 2.03"
    assert [len(text) for text in texts] == sorted((len(text) for text in texts), reverse=True)
    assert any(len(text) <= 40 and "100 steps" in text for text in texts)


def test_the_best_figure_is_in_the_unit_of_the_screen() -> None:
    assert "best 1.407 nats/char at step 90" in next(iter(outcome_texts(view_of(PAUSED), "nats")))


def test_latest_is_named_only_where_it_has_the_last_step() -> None:
    early = e.CheckpointSaved(
        step=90, elapsed_seconds=1.0, name="latest", path="/l", bits_per_char=None, weights_step=90
    )
    assert next(iter(outcome_texts(view_of(early, PAUSED), "bits"))).endswith("saved: best")


def test_a_name_of_others_is_shown_without_control_characters() -> None:
    assert "\x1b" not in "".join(outcome_texts(view_of(PAUSED, saved("\x1b[2J")), "bits"))


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        (
            e.RunFinished(step=100, elapsed_seconds=9.0, reason="max_steps", total_seconds=9.0, total_chars=9),
            "■ finished: 100 steps in 0:09",
        ),
        (
            e.RunFinished(
                step=100, elapsed_seconds=9.0, reason="stopped by the user", total_seconds=9.0, total_chars=9
            ),
            "■ stopped by the user: 100 steps in 0:09",
        ),
        (
            e.RunFailed(step=100, elapsed_seconds=9.0, title="The disk is full", detail="", hint=""),
            "✗ failed: 100 steps in 2:05   best 2.03 bits/char at step 90   saved: best   The disk is full",
        ),
    ],
)
def test_a_run_that_has_ended_says_how(ended: e.RunFinished | e.RunFailed, words: str) -> None:
    assert next(iter(outcome_texts(view_of(ended), "bits"))).startswith(words)


def test_a_pause_at_an_end_within_a_replay_is_no_end_of_it() -> None:
    assert not list(outcome_texts(replace(view_of(PAUSED), is_replay=True), "bits"))

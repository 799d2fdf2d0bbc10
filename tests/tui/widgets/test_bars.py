"""The end bar and the step bar as text."""

from __future__ import annotations

from dataclasses import replace

from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.config.run import TrainingConfig
from engine.protocol import events as e
from tests import fakes
from tests.fakes import (
    checkpoint_loaded,
    checkpoint_saved,
    eval_finished,
    paused,
    run_failed,
    run_finished,
    run_started,
    steps_finished,
)
from tests.tui.widgets.status.test_facts import view_after
from tui.run.view import RunView
from tui.widgets.bars import StepBar, outcome_texts, step_text

PAUSED = paused(100, 125.0)


def run_of_100(*events: e.Event, max_steps: int | None = 100) -> RunView:
    """Return the view of a run of 100 steps after further events."""
    return view_after(
        run_started(training=TrainingConfig(max_steps=max_steps)),
        steps_finished(1, [2.0] * 90),
        eval_finished(90, 2.03),
        steps_finished(91, [2.0] * 10, elapsed_seconds=125.0),
        *events,
    )


ENDS = {
    "training": run_of_100(),
    "paused before its end": run_of_100(PAUSED, max_steps=200),
    "paused at an end within a replay": replace(run_of_100(PAUSED), is_replay=True),
    "at the end of its budget, saved": run_of_100(PAUSED, checkpoint_saved(100, "mi\x1b[2Jne"), checkpoint_saved(100)),
    "at the end, `latest` is of an earlier step": run_of_100(checkpoint_saved(90), PAUSED),
    "back at its best, as validation rose": run_of_100(
        checkpoint_loaded(90, f"{run_started().run}/best"),
        e.FinishPlanned(step=90, elapsed_seconds=125.0, last_step=90),
        paused(90, 125.0),
        max_steps=None,
    ),
    "ended by its budget": run_of_100(run_finished(100, "max_steps")),
    "stopped": run_of_100(run_finished(100, "stopped by the user")),
    "failed": run_of_100(run_failed(100, "The disk is full")),
}


def test_the_end_bar_shows_what_a_run_that_is_over_has_reached_from_the_longest_text_to_the_shortest(
    snapshot: SnapshotAssertion,
) -> None:
    lines = []
    for name, view in ENDS.items():
        lines += [f"# {name}", *outcome_texts(view, "bits")]
    nats = next(outcome_texts(ENDS["failed"], "nats"))
    assert "\n".join([*lines, "# in nats", nats]) == snapshot


def test_the_step_bar_ends_with_a_whole_number_and_losses_have_three_digits_or_more(
    snapshot: SnapshotAssertion,
) -> None:
    losses = ((3.3894, 3.3661), (0.4801, 0.4129), (0.00174, 0.00171), (0.0, 0.0))
    lines = [
        step_text(fakes.step_taken(1205, loss_before=before, loss_after=after), 80, "nats") for before, after in losses
    ]
    for width in (10, 30, 40, 60, 80, 200):
        lines.append(f"{width:3} {step_text(fakes.step_taken(1205, num_tweets=1), width)}|")
        assert cell_len(lines[-1]) <= width + 5
    assert "\n".join(lines) == snapshot


def test_a_step_bar_whose_dialog_is_not_on_the_screen_any_more_can_be_updated() -> None:
    line = StepBar()
    line.show(None, "paused: . takes one step")
    assert line.is_up
    line.show(None)
    assert not line.is_up

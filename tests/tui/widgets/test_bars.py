"""The header, the end bar and the step bar as text: what they show, and what is left out first of a narrow one."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.config.run import TrainingConfig
from engine.protocol import events as e
from tests.fakes import eval_finished, run_started, step_taken, steps_finished
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.widgets.end_bar import outcome_texts
from tui.widgets.header import header_line
from tui.widgets.status.lines import plain
from tui.widgets.step_bar import StepBar, step_text


def view_after(*events: e.Event) -> RunView:
    return reduce(apply, events, RunView())


STEPS = steps_finished(1, [1.702] * 600, elapsed_seconds=3723.0)
RUNNING = view_after(run_started(), STEPS)


def used_up(**budget: float) -> RunView:
    return view_after(run_started(training=TrainingConfig(**budget)), STEPS)  # type: ignore[arg-type] # numbers


ONE_TWEET = view_after(
    run_started(num_train_tweets=1, num_val_tweets=0), STEPS, e.Paused(step=600, elapsed_seconds=9.0)
)
HEADERS = {
    "training": (RUNNING, ""),
    "paused": (replace(RUNNING, phase="paused"), ""),
    "replay": (replace(RUNNING, is_replay=True), ""),
    "attached": (RUNNING, "attached, 2 screens"),
    "one tweet": (ONE_TWEET, ""),
    "long name": (view_after(run_started(corpus="happy tweets (embedded, synthetic)"), STEPS), ""),
    "endless name": (view_after(run_started(corpus="x" * 200), STEPS), ""),
    "last step of a budget, evaluating": (used_up(max_steps=600), ""),
    "last second of a budget, evaluating": (used_up(max_seconds=3723), ""),
    "one step before": (used_up(max_steps=601), ""),
    "budget used up": (replace(used_up(max_steps=600), phase="paused"), ""),
}


def test_the_header_leaves_out_device_model_and_counts_first(snapshot: SnapshotAssertion) -> None:
    lines = []
    for name, (view, badge) in HEADERS.items():
        widths = (200, 120, 100, 80, 72, 71, 48, 40) if name == "training" else (120, 80, 40)
        lines += [f"# {name}", *(f"{width:3} {plain([header_line(view, badge, width)])}|" for width in widths)]
    assert "\n".join(lines) == snapshot


@given(st.integers(40, 220), st.text(max_size=80), st.sampled_from(["", "read-only", "attached, 12 screens"]))
def test_the_header_fills_its_width_with_any_corpus(width: int, corpus: str, badge: str) -> None:
    view = apply(apply(RunView(), run_started(corpus=corpus)), replace(STEPS, train_losses=(1.7,), grad_norms=(1.0,)))
    assert sum(cell_len(segment.text) for segment in header_line(view, badge, width)) == width


PAUSED = e.Paused(step=100, elapsed_seconds=125.0)


def run_of_100(*events: e.Event, max_steps: int | None = 100) -> RunView:
    """Return the view of a run of 100 steps after further events."""
    return view_after(
        run_started(training=TrainingConfig(max_steps=max_steps)),
        steps_finished(1, [2.0] * 90),
        eval_finished(90, 2.03),
        steps_finished(91, [2.0] * 10, elapsed_seconds=125.0),
        *events,
    )


def saved(name: str, step: int = 100) -> e.CheckpointSaved:
    return e.CheckpointSaved(
        step=step, elapsed_seconds=125.0, name=name, path=f"/{name}", bits_per_char=2.03, weights_step=step
    )


def ended(reason: str) -> e.RunFinished:
    return e.RunFinished(step=100, elapsed_seconds=9.0, reason=reason, total_seconds=9.0, total_chars=9)


FAILED = e.RunFailed(step=100, elapsed_seconds=9.0, title="The disk is full", detail="", hint="")
ENDS = {
    "training": run_of_100(),
    "paused before its end": run_of_100(PAUSED, max_steps=200),
    "paused at an end within a replay": replace(run_of_100(PAUSED), is_replay=True),
    "at the end of its budget, saved": run_of_100(PAUSED, saved("mine"), saved("latest")),
    "at the end, `latest` is of an earlier step": run_of_100(saved("latest", 90), PAUSED),
    "ended by its budget": run_of_100(ended("max_steps")),
    "stopped": run_of_100(ended("stopped by the user")),
    "failed": run_of_100(FAILED),
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
    lines = [step_text(step_taken(1205, loss_before=before, loss_after=after), 80, "nats") for before, after in losses]
    for width in (10, 30, 40, 60, 80, 200):
        lines.append(f"{width:3} {step_text(step_taken(1205, num_tweets=1), width)}|")
        assert cell_len(lines[-1]) <= width + 5
    assert "\n".join(lines) == snapshot


def test_a_step_bar_whose_dialog_is_not_on_the_screen_any_more_can_be_updated() -> None:
    line = StepBar()
    line.show(None, "paused: . takes one step")
    assert line.is_up
    line.show(None)
    assert not line.is_up

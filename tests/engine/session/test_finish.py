"""`Finish` anneals the learning rate to zero over a tenth of the steps so far, then ends the run."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.events import Event
from engine.training.schedule import MIN_FINISH_STEPS, finish_after
from tests.engine.helpers import latest, losses, of_type, only, resume_config, run_session, tiny_config
from tests.engine.session.stream_rules import assert_valid_stream
from tests.engine.session.test_end import run_paused_at_end


def rates(emitted: list[Event]) -> dict[int, float]:
    """Return the learning rate of each step, of a run with one step per event."""
    return {event.step: event.learning_rate for event in of_type(emitted, e.StepsFinished)}


@given(step=st.integers(0, 10**7))
def test_a_finish_takes_a_tenth_of_the_steps_so_far_and_anneals_the_rate_to_zero(step: int) -> None:
    finish = finish_after(step)
    num_steps = finish.last_step - finish.first_step

    assert finish.first_step == step
    assert num_steps == max(MIN_FINISH_STEPS, math.ceil(step / 10))
    assert finish.rate_factor(step) == 1
    shares = [finish.rate_factor(step + taken) for taken in range(min(num_steps, 200))]
    assert shares == sorted(shares, reverse=True)
    assert finish.rate_factor(finish.last_step - 1) > 0 == finish.rate_factor(finish.last_step)


def test_a_finishing_run_ends_at_its_planned_step(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus, max_steps=10**6, eval_every=500), {30: [c.Finish()]})

    planned = only(emitted, e.FinishPlanned)
    assert (planned.step, planned.last_step) == (30, 30 + MIN_FINISH_STEPS)
    assert only(emitted, e.RunFinished).reason == "finished"
    assert max(losses(emitted)) == planned.last_step
    assert only(emitted, e.EvalFinished).step == planned.last_step
    learned_with = rates(emitted)
    assert learned_with[30] == learned_with[31] == 0.004
    assert 0 < learned_with[planned.last_step] < 0.0002
    assert_valid_stream(emitted)


def test_a_finish_is_cancelled(corpus: Path) -> None:
    emitted = run_session(tiny_config(corpus, max_steps=60), {30: [c.Finish()], 40: [c.CancelFinish()]})

    assert only(emitted, e.FinishCancelled).step == 40
    assert only(emitted, e.RunFinished).reason == "max_steps"
    assert rates(emitted)[40] < rates(emitted)[41] == 0.004


def test_a_second_finish_and_one_after_the_end_are_refused(corpus: Path) -> None:
    twice = run_session(tiny_config(corpus, max_steps=10**6), {5: [c.Finish(), c.Finish()]})
    late = run_paused_at_end(tiny_config(corpus, run_name="late", max_steps=6), [c.Finish()])

    assert only(twice, e.CommandRefused).detail == "The run is finishing already: it ends at step 25."
    assert only(late, e.CommandRefused).title == "The run is finished"
    assert only(late, e.CommandRefused).detail == "The run is finished: --max-steps is reached."


def test_a_run_stopped_while_finishing_resumes_bit_for_bit(tmp_path: Path, corpus: Path) -> None:
    whole = run_session(tiny_config(corpus, run_name="whole", max_steps=10**6), {30: [c.Finish()]})

    first = run_session(tiny_config(corpus, max_steps=10**6), {30: [c.Finish()], 37: [c.Stop()]})
    rest = run_session(resume_config())

    assert {**losses(first), **losses(rest)} == losses(whole)
    assert {**rates(first), **rates(rest)} == rates(whole)
    assert only(rest, e.FinishPlanned).last_step == 50
    assert only(rest, e.RunFinished).reason == "finished"


def test_a_finished_run_that_is_resumed_trains_at_its_own_learning_rate(corpus: Path) -> None:
    run_session(tiny_config(corpus, max_steps=10**6), {30: [c.Finish()]})
    assert latest().has_finished

    emitted = run_session(resume_config(), {55: [c.Stop()]})

    assert only(emitted, e.Warned).message == "The run had finished; it continues at its learning rate."
    assert rates(emitted)[51] == 0.004
    assert not of_type(emitted, e.FinishPlanned)


def test_a_finished_run_on_the_screen_pauses_and_resumes_on_command(corpus: Path) -> None:
    emitted = run_session(
        tiny_config(corpus, max_steps=10**6),
        {5: [c.Finish()], 27: [c.Stop()]},
        on_event=lambda event: [c.Resume()] if isinstance(event, e.Warned) else [],
        pauses_at_end=True,
    )

    assert (
        only(emitted, e.Warned).message
        == "The run is finished. You can still sample from its model, save it, load others, and continue it with a "
        "larger budget."
    )
    names = [type(event).__name__ for event in emitted]
    assert names[names.index("Warned") + 1 :][:2] == ["FinishCancelled", "Resumed"]
    assert_valid_stream(emitted)


def test_loading_a_checkpoint_cancels_a_finish(corpus: Path) -> None:
    emitted = run_session(
        tiny_config(corpus, max_steps=10**6),
        {10: [c.SaveCheckpoint(name="early")], 30: [c.Finish()], 35: [c.LoadCheckpoint(name="early")]},
        on_event=lambda event: [c.Stop()] if isinstance(event, e.FinishCancelled) else [],
    )

    names = [type(event).__name__ for event in emitted]
    assert names.index("FinishCancelled") == names.index("CheckpointLoaded") + 1

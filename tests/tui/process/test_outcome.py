"""What the process does after its screen has closed, as a pure function."""

from __future__ import annotations

import pytest

from engine.errors import InternalError
from engine.protocol.events import RunFinished
from tests.fakes import run_started
from tui.process.outcome import ExitPlan, Outcome, plan_exit
from tui.run.reducer import apply
from tui.run.view import RunView

TRAINING = apply(RunView(), run_started(run="north"))
ENDED = apply(TRAINING, RunFinished(step=1, elapsed_seconds=1.0, reason="done", total_seconds=1.0, total_chars=1))


def after(outcome: Outcome, view: RunView = TRAINING, *, is_alive: bool = True, is_remote: bool = False) -> ExitPlan:
    return plan_exit(outcome, view, is_alive=is_alive, is_remote=is_remote)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(is_detached=True), "attach north"),
        (Outcome(exit_code=129, is_detached=True), "attach north"),
        (Outcome(is_ending=True), "ends in the background"),
        (Outcome.failed(InternalError("a mistake")), "attach north"),
    ],
)
def test_a_detached_or_slow_run_runs_on_without_the_screen(outcome: Outcome, words: str) -> None:
    done = after(outcome)
    assert (done.exit_code, done.continues_in_background) == (outcome.exit_code, True)
    assert words in done.lines[0]


def test_a_detached_run_of_another_process_does_not_run_on_in_this_one() -> None:
    done = after(Outcome(is_detached=True), is_remote=True)
    assert not done.continues_in_background
    assert "attach north" in done.lines[0]


@pytest.mark.parametrize(
    ("outcome", "view", "is_alive"),
    [
        (Outcome(is_ending=True), ENDED, False),
        (Outcome(is_ending=True), TRAINING, False),
        (Outcome(exit_code=130, is_ending=True, is_abandoned=True), TRAINING, True),
        (Outcome(is_ending=True), RunView(), True),
        (Outcome(exit_code=129, is_ending=True), RunView(is_replay=True), True),
    ],
)
def test_a_run_that_has_ended_or_must_end_does_not_run_on(outcome: Outcome, view: RunView, is_alive: bool) -> None:
    done = after(outcome, view, is_alive=is_alive)
    assert (done.exit_code, done.continues_in_background) == (outcome.exit_code, False)
    assert not any("background" in line for line in done.lines)


def test_an_abandoned_run_and_one_without_a_start_are_not_waited_for() -> None:
    assert after(Outcome(is_abandoned=True)).saving_seconds == 0
    assert after(Outcome(), RunView()).saving_seconds == 0
    assert after(Outcome(), ENDED).saving_seconds > 0

"""What was asked for is shown until it is answered; `test_undo` proves it for any order of changes and answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import events as e
from engine.commands import CancelFinish, Finish, Pause, SampleNow, SetBatchSize, SetLearningRate, SetSampling
from engine.config import SamplingConfig, TrainingConfig
from engine.events import FinishCancelled, FinishPlanned
from tests.fakes import run_started, steps_finished
from tui.run_view import RunView
from tui.screens.wishes import Wishes
from tui.state import apply


def running(**training: float) -> RunView:
    started = run_started(training=TrainingConfig(**training), sampling=SamplingConfig(temperature=2.5))  # type: ignore[arg-type] # by name
    return apply(apply(RunView(), started), steps_finished(1, [2.0] * 10, learning_rate=started.training.learning_rate))


@given(st.lists(st.sampled_from(["f", "answer"]), max_size=20))
def test_each_f_asks_for_the_other_however_fast_they_come(turns: list[str]) -> None:
    view, wishes = RunView(step=5), Wishes()
    asked: list[Finish | CancelFinish] = []
    num_answered = 0
    for turn in turns:
        if turn == "f":
            asked.append(wishes.finish_toggled(view))
            wishes = wishes.after_sending(asked[-1])
        elif num_answered < len(asked):
            now = {"step": 5, "elapsed_seconds": 0.0}
            is_finish = isinstance(asked[num_answered], Finish)
            answer = FinishPlanned(last_step=25, **now) if is_finish else FinishCancelled(**now)  # type: ignore[arg-type] # by name
            view, wishes = apply(view, answer), wishes.after(answer)
            num_answered += 1
    assert [isinstance(command, Finish) for command in asked] == [number % 2 == 0 for number in range(len(asked))]


def test_a_wish_holds_until_it_is_answered_and_a_refused_one_is_given_up() -> None:
    view = running()
    size = SetBatchSize(batch_size=64)
    wishes = Wishes().after_sending(SampleNow()).after_sending(size).after_sending(Pause())
    shown = wishes.over(view)
    assert shown.training is not None
    assert shown.training.batch_size == 64
    assert shown.epoch == pytest.approx(view.epoch)
    for command in ("SetBatchSize", "Pause"):
        wishes = wishes.after(
            e.CommandRefused(step=0, elapsed_seconds=0.0, command=command, title="no", detail="no", hint="")
        )
    assert wishes == Wishes()
    assert wishes.over(view) is view


@pytest.mark.parametrize(("start", "direction", "limit"), [(9.5, 1, 10.0), (1.1e-8, -1, 1e-8)])
def test_the_learning_rate_stops_at_its_limits(start: float, direction: int, limit: float) -> None:
    view = running(learning_rate=start)
    assert Wishes().other_learning_rate(view, direction) == SetLearningRate(learning_rate=limit)
    assert isinstance(Wishes().other_temperature(view, 1), SetSampling)

"""What was asked for is shown until the last answer has come, in whatever order keys and answers fall."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.commands import CancelFinish, Finish, SetSampling
from engine.config import SamplingConfig
from engine.events import FinishCancelled, FinishPlanned, SamplingChanged
from tui.run_view import RunView
from tui.screens.wishes import Wishes
from tui.state import apply

TURNS = st.lists(st.sampled_from(["up", "down", "answer"]), max_size=40)


@given(TURNS)
def test_the_temperature_shown_is_the_sum_of_the_keys_pressed(turns: list[str]) -> None:
    view, wishes, presses = RunView(sampling=SamplingConfig(temperature=2.5)), Wishes(), 0
    on_the_way: list[SetSampling] = []
    for turn in turns:
        if turn == "answer" and on_the_way:
            answer = SamplingChanged(step=1, elapsed_seconds=0.0, sampling=on_the_way.pop(0).sampling)
            view, wishes = apply(view, answer), wishes.after(answer)
        elif turn != "answer":
            direction = 1 if turn == "up" else -1
            wishes, command = wishes.with_other_temperature(view, direction)
            on_the_way.append(command)
            presses += direction
        assert wishes.over(view).sampling.temperature == round(2.5 + 0.05 * presses, 2)


@given(st.lists(st.sampled_from(["f", "answer"]), max_size=20))
def test_each_f_asks_for_the_other_however_fast_they_come(turns: list[str]) -> None:
    view, wishes = RunView(step=5), Wishes()
    asked: list[Finish | CancelFinish] = []
    num_answered = 0
    for turn in turns:
        if turn == "f":
            wishes, command = wishes.with_finish_toggled(view)
            asked.append(command)
        elif num_answered < len(asked):
            now = {"step": 5, "elapsed_seconds": 0.0}
            is_finish = isinstance(asked[num_answered], Finish)
            answer = FinishPlanned(last_step=25, **now) if is_finish else FinishCancelled(**now)  # type: ignore[arg-type] # by name
            view, wishes = apply(view, answer), wishes.after(answer)
            num_answered += 1
    assert [isinstance(command, Finish) for command in asked] == [number % 2 == 0 for number in range(len(asked))]

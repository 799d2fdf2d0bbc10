"""Pending commands are shown at once, and undo restores settings, in any order of keys and answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.run import BUDGETS, IMPLIED_SETTINGS, LIVE_SETTINGS
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from tests.fakes import change, run_started, steps_finished
from tests.tui.run.driven import Screen
from tui.run.fold import fold
from tui.run.model import next_learning_rate, next_temperature
from tui.run.pending import UNDO_LABELS
from tui.run.view import RunView

KEYS = {"+": 1, "-": -1, "]": 1, "[": -1}
SETTINGS = st.one_of(
    st.builds(change, batch_size=st.integers(1, 4)),
    st.builds(change, learning_rate=st.sampled_from([0.001, 0.002, 0.004])),
    st.builds(change, steps_per_second=st.integers(0, 2)),
    st.builds(change, eval_every=st.integers(0, 2)),
    st.builds(change, eval_every=st.integers(0, 2), sample_every=st.integers(0, 2)),
    st.builds(change, temperature=st.sampled_from([0.5, 0.8, 1.0]), prime=st.sampled_from(["", "the "])),
    st.builds(change, temperature=st.sampled_from([0.5, 0.8]), batch_size=st.integers(1, 4)),
)
OTHERS = st.sampled_from([c.Finish(), c.Finish(on=False), c.LoadCheckpoint(name="best"), c.SampleNow(), c.SaveLatest()])
HALVING = c.LoadCheckpoint(name="best", halves_rate=True)


# Pending --------------------------------------------------------------------------------------------------------------


@given(st.lists(SETTINGS | OTHERS | st.booleans(), max_size=30))
def test_each_answer_or_refusal_matches_the_oldest_pending_command_of_its_type(turns: list[c.Command | bool]) -> None:
    screen = Screen()
    for turn in turns:
        if isinstance(turn, bool):
            screen.answer(is_refused=turn)
        else:
            screen.send(turn)
        assert list(screen.run.pending.commands) == [
            each for each in screen.link.sent if not isinstance(each, c.SampleNow)
        ]


@given(st.lists(st.sampled_from([*KEYS, "answer"]), max_size=40))
def test_the_view_shows_the_sum_of_all_pressed_keys(turns: list[str]) -> None:
    started = run_started(sampling=SamplingConfig(temperature=2.5))
    screen = Screen(fold(RunView(), [started]))
    screen.see(steps_finished(1, [2.0], learning_rates=(started.training.learning_rate,)))
    temperature_steps = rate_steps = 0
    for turn in turns:
        if turn == "answer":
            screen.answer()
        elif turn in "+-":
            screen.send(change(temperature=next_temperature(screen.run.shown.sampling.temperature, KEYS[turn])))
            temperature_steps += KEYS[turn]
        else:
            screen.send(change(learning_rate=next_learning_rate(screen.training.learning_rate, KEYS[turn])))
            rate_steps += KEYS[turn]
        assert screen.run.shown.sampling.temperature == round(2.5 + 0.05 * temperature_steps, 2)
        rate = 0.004 * 10 ** (rate_steps / 10)
        assert [screen.training.learning_rate, screen.run.shown.learning_rate] == pytest.approx([rate, rate], rel=1e-4)


@given(st.lists(st.sampled_from(["f", "answer"]), max_size=20))
def test_each_f_sends_finish_or_cancel_in_alternation_however_fast_they_come(turns: list[str]) -> None:
    screen, asked = Screen(), []
    for turn in turns:
        if turn == "f":
            asked.append(screen.run.pending.finish_toggled(screen.run.view))
            screen.send(asked[-1])
        else:
            screen.answer()
    assert asked == [c.Finish(on=False) if number % 2 else c.Finish() for number in range(len(asked))]


@pytest.mark.parametrize(("start", "direction", "limit"), [(9.5, 1, 10.0), (1.1e-8, -1, 1e-8)])
def test_the_learning_rate_stops_at_its_limits(start: float, direction: int, limit: float) -> None:
    assert next_learning_rate(start, direction) == limit


# Undo -----------------------------------------------------------------------------------------------------------------


@given(st.lists(SETTINGS | st.sampled_from(["answer", "undo"]), max_size=30))
def test_undo_restores_all_previous_settings_whichever_commands_were_answered(turns: list[c.Command | str]) -> None:
    screen = Screen()
    before = [screen.settings]
    for turn in turns:
        if turn == "answer":
            screen.answer()
        elif turn == "undo":
            assert bool(screen.run.undo()) == (len(before) > 1)
            before = before[:-1] or before
        else:
            assert not isinstance(turn, str)
            screen.send(turn)
            if screen.settings != before[-1]:
                before.append(screen.settings)
        assert screen.settings == before[-1]
        assert len(screen.run.pending.changes) == len(before) - 1


def test_an_undo_has_words_for_every_setting_that_a_run_can_change_but_budgets() -> None:
    """A new live setting needs them, too."""
    assert UNDO_LABELS.keys() | {"sample_every", "sample_pacing"} == LIVE_SETTINGS - {*BUDGETS, *IMPLIED_SETTINGS}

"""Pending commands are shown at once, and undo restores settings, in any order of keys and answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.run import BUDGETS, IMPLIED_SETTINGS, LIVE_SETTINGS, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from tests.fakes import FakeSession, budget, change, checkpoint_saved, run_started, steps_finished
from tests.tui.run.driven import Screen, refusal_of
from tui.run.fold import fold
from tui.run.model import next_learning_rate, next_temperature
from tui.run.pending import UNDO_LABELS, Pending, interval_settings
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


def test_space_before_the_answer_sends_the_opposite_and_only_the_last_is_pending() -> None:
    screen = Screen()
    for expected in (c.Pause(), c.Resume(), c.Pause()):  # a session that is paused already answers no `Pause`
        assert screen.run.pending.pause_toggled(screen.run.view) == expected
        screen.send(expected)
    screen.answer()
    assert screen.run.pending == Pending()


def test_a_refused_setting_is_no_longer_shown() -> None:
    screen = Screen()
    screen.send(change(batch_size=64))
    assert screen.training.batch_size == 64
    assert screen.run.shown.epoch == pytest.approx(screen.run.view.epoch)
    screen.answer(is_refused=True)
    assert screen.run.shown is screen.run.view


def test_a_change_of_sampling_may_be_answered_before_a_change_of_training_that_was_sent_before() -> None:
    screen = Screen()
    slow, quick = change(batch_size=0, learning_rate=0.1), change(temperature=1.0)
    screen.send(slow, quick)
    screen.see(FakeSession().answer(quick))
    assert list(screen.run.pending.commands) == [slow]
    screen.see(refusal_of(slow))
    assert not screen.run.pending.commands
    assert screen.run.shown.sampling.temperature == 1.0
    assert [screen.run.undo(), screen.run.undo()] == ["temperature back to 0.80", ""]


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


CHANGES = [
    change(learning_rate=0.1),
    change(batch_size=64),
    change(steps_per_second=5),
    change(eval_every=0, sample_every=7),
    change(prime="the "),
    change(temperature=1.0, top_k=5),
    change(only_new=True, avoid=("a", "b"), best_of=4),
    change(must_contain="x", min_length=9, max_length=99, temperature_last=True),
    change(temperature=1.0, learning_rate=0.1, batch_size=64),
    budget(max_steps=9),
]


def test_undo_reports_the_restored_values(snapshot: SnapshotAssertion) -> None:
    lines = []
    for command in CHANGES:
        screen = Screen()
        screen.send(command)
        lines.append(f"{', '.join(command.settings)}: {screen.run.undo()}")
    assert "\n".join(lines) == snapshot


def test_an_undo_has_words_for_every_setting_that_a_run_can_change_but_budgets() -> None:
    """A new live setting needs them, too."""
    assert UNDO_LABELS.keys() | {"sample_every", "sample_pacing"} == LIVE_SETTINGS - {*BUDGETS, *IMPLIED_SETTINGS}


def test_an_interval_of_tweets_replaces_their_pace_by_time_until_it_is_undone() -> None:
    paced = TrainingConfig(sample_every=50, sample_pacing="seconds")
    screen = Screen(fold(RunView(), [run_started(training=paced)]))

    screen.send(change(**interval_settings("eval_every", 7)))
    assert (screen.training.eval_every, screen.training.sample_pacing) == (7, "seconds")
    screen.send(change(**interval_settings("sample_every", 50)))
    assert screen.training.sample_pacing == "interval"

    assert screen.run.undo() == "tweets back to about one every 2 seconds"
    assert screen.run.undo() == "evaluations back to every 500 steps"
    assert screen.training == paced


def test_a_refused_change_is_removed_from_the_undo_stack_and_its_neighbours_stay() -> None:
    screen = Screen()
    sizes = [change(batch_size=size) for size in (16, 8, 4)]
    screen.send(sizes[0], change(learning_rate=0.1), *sizes[1:])
    for is_refused in (False, False, True, False):
        screen.answer(is_refused=is_refused)
    descriptions = [screen.run.undo() for _ in range(4)]
    assert descriptions == ["batch size back to 16", "learning rate back to 0.004", "batch size back to 32", ""]


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_reload_at_half_the_rate_is_a_change_unless_it_is_refused(is_refused: bool) -> None:
    screen = Screen()
    screen.send(c.LoadCheckpoint(name="best"), HALVING, c.LoadCheckpoint(name="best"))
    screen.answer(is_refused=True)
    screen.answer(is_refused=is_refused)
    screen.answer(is_refused=True)
    assert len(screen.run.pending.changes) == (not is_refused)
    assert screen.run.undo() == ("" if is_refused else "learning rate back to 0.004")


def test_a_save_is_answered_by_latest_and_not_by_a_best_that_was_still_being_written() -> None:
    pending = Pending((c.SaveLatest(),))
    assert pending.after(checkpoint_saved(3, "best")) == (pending, None)
    assert pending.after(checkpoint_saved(3)) == (Pending(), c.SaveLatest())

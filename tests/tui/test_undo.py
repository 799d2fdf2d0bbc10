"""Undo: each change is taken back, the last one first, whatever has been answered by then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine import events as e
from engine.commands import LoadCheckpoint, SetBatchSize, SetIntervals, SetLearningRate, SetSampling
from engine.config import SamplingConfig, TrainingConfig
from tests.fakes import run_started
from tui.run_view import RunView
from tui.screens.wishes import Wishes
from tui.setting_commands import SettingCommand, expected_answer
from tui.state import apply
from tui.undo import Undo


class Screen:
    """What the main screen does with wishes and undo, over a session that answers when it is told to."""

    def __init__(self) -> None:
        self.view = apply(RunView(), run_started())
        self.wishes = Wishes()
        self.undo = Undo()
        self.on_the_way: list[SettingCommand] = []

    @property
    def shown(self) -> RunView:
        return self.wishes.over(self.view)

    def send(self, command: SettingCommand, *, is_undo: bool = False) -> None:
        self.undo = self.undo.after_sending(command, self.shown, is_undo=is_undo)
        self.wishes = self.wishes.after_sending(command)
        self.on_the_way.append(command)

    def take_back(self) -> str:
        self.undo, change = self.undo.taken()
        if change is None:
            return ""
        self.send(change.back, is_undo=True)
        return change.told

    def answer(self, *, is_refused: bool = False) -> None:
        if self.on_the_way:
            command = self.on_the_way.pop(0)
            kind = type(command).__name__
            refusal = e.CommandRefused(step=0, elapsed_seconds=0.0, command=kind, title="", detail="", hint="")
            event = refusal if is_refused else expected_answer(command, self.view)
            self.view = apply(self.view, event)
            self.wishes, self.undo = self.wishes.after(event), self.undo.after(event)

    @property
    def settings(self) -> tuple[SamplingConfig, TrainingConfig | None]:
        return self.shown.sampling, self.shown.training


COMMANDS = st.one_of(
    st.builds(SetBatchSize, batch_size=st.integers(1, 4)),
    st.builds(SetLearningRate, learning_rate=st.sampled_from([0.001, 0.002, 0.004])),
    st.builds(SetIntervals, eval_every=st.integers(0, 2), sample_every=st.integers(0, 2)),
    st.builds(
        SetSampling,
        sampling=st.builds(
            SamplingConfig, temperature=st.sampled_from([0.5, 0.8, 1.0]), prime=st.sampled_from(["", "the "])
        ),
    ),
)


@given(st.lists(COMMANDS | st.sampled_from(["answer", "undo"]), max_size=30))
def test_undo_leads_back_through_all_that_was_set_whatever_was_answered_by_then(
    turns: list[SettingCommand | str],
) -> None:
    screen = Screen()
    before = [screen.settings]
    for turn in turns:
        if turn == "answer":
            screen.answer()
        elif turn == "undo":
            assert bool(screen.take_back()) == (len(before) > 1)
            before = before[:-1] or before
        else:
            assert not isinstance(turn, str)
            screen.send(turn)
            if screen.settings != before[-1]:
                before.append(screen.settings)
        assert screen.settings == before[-1]
        assert len(screen.undo.changes) == len(before) - 1
    while screen.on_the_way:
        screen.answer()
    assert screen.settings == before[-1]
    assert screen.undo.on_the_way == ()


def test_a_refused_change_is_forgotten_and_those_around_it_are_not() -> None:
    screen = Screen()
    screen.send(SetBatchSize(batch_size=16))
    screen.send(SetLearningRate(learning_rate=0.1))
    screen.send(SetBatchSize(batch_size=8))
    screen.send(SetBatchSize(batch_size=4))
    screen.answer()
    screen.answer()
    screen.answer(is_refused=True)
    screen.answer()
    told = [screen.take_back() for _ in range(4)]
    assert told == ["batch size back to 16", "learning rate back to 0.004", "batch size back to 32", ""]


def test_a_reload_at_half_the_rate_is_a_change_unless_it_is_refused() -> None:
    halving, plain = LoadCheckpoint(name="best", halves_rate=True), LoadCheckpoint(name="best")
    view = apply(RunView(), run_started())
    loaded = e.CheckpointLoaded(step=0, elapsed_seconds=0.0, name="best", path="/best", bits_per_char=None)
    halved = e.LearningRateChanged(step=0, elapsed_seconds=0.0, learning_rate=0.002)
    refused = e.CommandRefused(step=0, elapsed_seconds=0.0, command="LoadCheckpoint", title="", detail="", hint="")
    undo = Undo().after_sending(plain, view).after_sending(halving, view).after_sending(plain, view)
    for event in (refused, loaded, halved, refused):
        undo = undo.after(event)
    assert (len(undo.changes), undo.on_the_way) == (1, ())
    undo = undo.after_sending(halving, view).after(refused)
    assert (len(undo.changes), undo.on_the_way) == (1, ())

"""`RunModel`: what it sends, shows, refuses and forgets, in any order of keys and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from engine.config.run import BUDGETS, IMPLIED_SETTINGS, LIVE_SETTINGS, RunConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.protocol import codec
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, change, run_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import refused
from tests.tui.run.stories import cases, event_in
from tests.tui.transcripts import short
from tui.run.connection import RunConnection, Update
from tui.run.fold import fold
from tui.run.model import RunModel, next_learning_rate, next_temperature, unmet_needs
from tui.run.pending import UNDO_LABELS, Interval, interval_settings
from tui.run.view import RunView

TRAINING = fold(RunView(), [run_started(), steps_finished(1, [2.0] * 9)])
NOW: dict[str, Any] = {"step": 9, "elapsed_seconds": 1.0}
STORIES = cases("keys")
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


class Screen(RunConnection):
    """A model with its toasts over this connection: a test gives the events, and has the commands answered."""

    interruption = ""

    def __init__(self, view: RunView | None = None) -> None:
        self.config = RunConfig()
        self.updates: list[Update] = []
        self.unanswered: list[c.Command] = []
        self.sent: list[c.Command] = []
        self.toasts: list[str] = []
        self.run = RunModel(self, view or fold(RunView(), [run_started()]))
        self.run.toast = lambda text, _: self.toasts.append(text)

    def drain(self) -> Update:
        return self.updates.pop(0)

    def send(self, command: c.Command) -> None:
        self.unanswered.append(command)
        self.sent.append(command)

    @property
    def settings(self) -> tuple[SamplingConfig, TrainingConfig]:
        assert self.run.shown.training is not None
        return self.run.shown.sampling, self.run.shown.training

    def see(self, *events: e.Event, view: RunView | None = None) -> tuple[e.Event, ...]:
        self.updates.append(Update(events, view))
        return self.run.drain()

    def answer(self, *, is_refused: bool = False) -> None:
        """Have the oldest command answered, if there is one."""
        if not self.unanswered:
            return
        command = self.unanswered.pop(0)
        names = tuple(command.settings) if isinstance(command, c.ChangeSettings) else ()
        refusal = refused(type(command).__name__, "no", 0, names)
        self.see(refusal if is_refused else FakeSession().answer(command))


def take(screen: Screen, step: str) -> object:
    """Change settings, send a command, see an event, have the oldest one answered, or call a method of the model."""
    match step.split(" ", 1):
        case ["change", settings]:
            screen.run.change(**json.loads(settings))
        case ["interval", interval]:
            name, steps = interval.split()
            screen.run.change(**interval_settings(cast("Interval", name), int(steps)))
        case ["send", command]:
            screen.run.send(codec.decode_tagged(command, c.Command))
        case ["see", event]:
            screen.see(event_in(event))
        case ["link", fields]:
            vars(screen).update(json.loads(fields))
            screen.see()
        case ["answer" | "refuse" as word]:
            screen.answer(is_refused=word == "refuse")
        case ["remedy"]:
            alert = screen.run.alert()
            assert alert is not None
            screen.run.answer(alert)
        case _:
            return getattr(screen.run, step)()
    return None


def facts(screen: Screen) -> Iterator[tuple[str, object]]:
    """Yield what a screen shows and knows, each fact with its name."""
    run, usual = screen.run, TRAINING.settings
    yield "pending", [*map(short, run.pending.commands)]
    yield "can undo", len(run.pending.changes)
    yield "settings", {name: value for name, value in run.shown.settings.items() if value != usual[name]}
    yield "phase", run.shown.phase
    yield "epoch", f"{run.shown.epoch:.4f}"
    yield "marks", [mark.label for mark in run.shown.marks]
    yield "alert", getattr(run.alert(), "kind", "")
    yield "note on steps", run.step_note
    yield "unmet needs", [*unmet_needs(run)]


@pytest.mark.parametrize("claim", STORIES)
def test_what_a_screen_sends_and_shows_after_each_step(claim: str, snapshot: SnapshotAssertion) -> None:
    screen = Screen(TRAINING)
    lines, before = list[str](), {name: str(fact) for name, fact in facts(screen)}
    for step in STORIES[claim]:
        num_sent, num_toasts = len(screen.sent), len(screen.toasts)
        returned = take(screen, step)
        lines.append(f"{step} → {returned!r}" if step == "undo" else step)
        lines += [f"    sent: {short(command)}" for command in screen.sent[num_sent:]]
        lines += [f"    toast: {text}" for text in screen.toasts[num_toasts:]]
        after = {name: str(fact) for name, fact in facts(screen)}
        lines += [f"    {name}: {fact}" for name, fact in after.items() if fact != before[name]]
        before = after
    assert "\n".join(lines) == snapshot


def test_after_a_gap_nothing_is_pending_undo_remains_and_the_screen_reacts_to_what_it_missed() -> None:
    screen = Screen(RunView())
    screen.see(run_started())
    screen.run.change(temperature=1.0)
    full = e.Warned(**NOW, message="Full.", kind="disk")
    sampled = tweet_sampled("x", 9)
    assert screen.see(sampled, view=fold(TRAINING, [full])) == (full, sampled)
    assert (screen.run.num_gaps, screen.run.pending.commands) == (1, ())
    assert screen.run.alert() is not None
    assert screen.run.shown.sampling.temperature == 0.8
    assert screen.run.undo() == "temperature back to 0.80"


def test_a_start_and_an_end_that_came_while_the_screen_was_not_connected_are_reported_too() -> None:
    screen = Screen(RunView())
    missed = (run_started(), e.Warned(**NOW, message="Rank 1 was killed."), run_finished(9))
    assert screen.see(view=fold(RunView(), missed)) == missed


@given(st.lists(SETTINGS | OTHERS | st.booleans(), max_size=30))
def test_each_answer_or_refusal_matches_the_oldest_pending_command_of_its_type(turns: list[c.Command | bool]) -> None:
    screen = Screen()
    for turn in turns:
        if isinstance(turn, bool):
            screen.answer(is_refused=turn)
        else:
            assert screen.run.send(turn)
        assert list(screen.run.pending.commands) == [
            each for each in screen.unanswered if not isinstance(each, c.SampleNow)
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
            assert screen.run.send(
                change(temperature=next_temperature(screen.run.shown.sampling.temperature, KEYS[turn]))
            )
            temperature_steps += KEYS[turn]
        else:
            assert screen.run.send(
                change(learning_rate=next_learning_rate(screen.settings[1].learning_rate, KEYS[turn]))
            )
            rate_steps += KEYS[turn]
        assert screen.run.shown.sampling.temperature == round(2.5 + 0.05 * temperature_steps, 2)
        rate = 0.004 * 10 ** (rate_steps / 10)
        assert [screen.settings[1].learning_rate, screen.run.shown.learning_rate] == pytest.approx(
            [rate, rate], rel=1e-4
        )


@given(st.lists(st.sampled_from(["f", "answer"]), max_size=20))
def test_each_f_sends_finish_or_cancel_in_alternation_however_fast_they_come(turns: list[str]) -> None:
    screen, asked = Screen(), []
    for turn in turns:
        if turn == "f":
            asked.append(screen.run.pending.finish_toggled(screen.run.view))
            assert screen.run.send(asked[-1])
        else:
            screen.answer()
    assert asked == [c.Finish(on=False) if number % 2 else c.Finish() for number in range(len(asked))]


@pytest.mark.parametrize(("start", "direction", "limit"), [(9.5, 1, 10.0), (1.1e-8, -1, 1e-8)])
def test_the_learning_rate_stops_at_its_limits(start: float, direction: int, limit: float) -> None:
    assert next_learning_rate(start, direction) == limit


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
            assert screen.run.send(turn)
            if screen.settings != before[-1]:
                before.append(screen.settings)
        assert screen.settings == before[-1]
        assert len(screen.run.pending.changes) == len(before) - 1


def test_an_undo_has_words_for_every_setting_that_a_run_can_change_but_budgets() -> None:
    """A new live setting needs them, too."""
    assert UNDO_LABELS.keys() | {"sample_every", "sample_pacing"} == LIVE_SETTINGS - {*BUDGETS, *IMPLIED_SETTINGS}

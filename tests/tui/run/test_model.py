"""`RunModel`: what it sends, refuses and forgets, over a connection that a test drives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.insight import ShowBatch
from tests.fakes import FakeSession, paused, run_started, settings_changed, steps_finished, tweet_sampled
from tui.run.connection import RunConnection, Update
from tui.run.fold import fold
from tui.run.model import RunModel
from tui.run.view import RunView

TRAINING = fold(RunView(), [run_started(), steps_finished(1, [2.0] * 9)])
NOW: dict[str, Any] = {"step": 9, "elapsed_seconds": 1.0}


class Driven(RunConnection):
    """Returns the updates of a test, and records the commands."""

    def __init__(self) -> None:
        self.config = RunConfig()
        self.updates: list[Update] = []
        self.sent: list[c.Command] = []

    def drain(self) -> Update:
        return self.updates.pop(0)

    def send(self, command: c.Command) -> None:
        self.sent.append(command)


class Screen:
    """A model with what it shows."""

    def __init__(self, view: RunView = TRAINING) -> None:
        self.link = Driven()
        self.run = RunModel(self.link, view)
        self.toasts: list[str] = []
        self.run.toast = lambda text, _: self.toasts.append(text)

    def see(self, *events: e.Event, view: RunView | None = None) -> tuple[e.Event, ...]:
        self.link.updates.append(Update(events, view))
        return self.run.drain()


def test_a_command_that_can_not_be_sent_is_refused_with_its_reason_and_changes_nothing_on_the_screen() -> None:
    screen = Screen()
    screen.link.refusal = "This screen is read-only."
    assert not screen.run.change(temperature=1.0)
    assert screen.run.shown is TRAINING
    assert screen.toasts == ["This screen is read-only."]
    assert screen.run.send(ShowBatch())  # a question changes nothing
    assert screen.link.sent == [ShowBatch()]


def test_a_change_names_only_the_settings_that_differ_and_none_is_sent_without_one() -> None:
    screen = Screen()
    assert not screen.run.change(temperature=0.8)
    assert screen.run.change(temperature=1.0, top_k=0, prime="the ")
    assert screen.link.sent == [c.ChangeSettings(settings={"temperature": 1.0, "prime": "the "})]


def test_a_changed_setting_is_shown_at_once_and_its_mark_comes_with_the_answer() -> None:
    screen = Screen()
    screen.run.change(temperature=1.0)
    assert (screen.run.shown.sampling.temperature, screen.run.shown.marks) == (1.0, ())
    screen.see(settings_changed(9, temperature=1.0))
    assert [mark.label for mark in screen.run.shown.marks] == ["temperature 1.00"]


def test_after_a_gap_nothing_is_pending_undo_remains_and_the_screen_reacts_to_what_it_missed() -> None:
    screen = Screen(RunView())
    started = run_started()
    screen.see(started)
    screen.run.change(temperature=1.0)
    full = e.Warned(**NOW, message="Full.", kind="disk")
    sampled = tweet_sampled("x", 9)
    assert screen.see(sampled, view=fold(TRAINING, [full])) == (full, sampled)
    assert (screen.run.num_gaps, screen.run.pending.commands) == (1, ())
    assert screen.run.alert() is not None
    assert screen.run.shown.sampling.temperature == 0.8
    assert screen.run.undo() == "temperature back to 0.80"


def test_a_repeated_step_key_has_one_step_under_way_and_pauses_a_run_that_trains() -> None:
    screen = Screen()
    screen.run.take_step()
    screen.see(paused(9))
    assert screen.run.step_note
    for _ in range(3):
        screen.run.take_step()
    screen.see(e.Resumed(**NOW))
    screen.run.take_step()
    assert screen.link.sent == [c.Pause(), c.TakeStep()]
    screen.run.toggle_pause()
    assert not screen.run.step_note


@pytest.mark.parametrize("is_read_only", [False, True])
def test_an_answered_alert_is_hidden_unless_its_remedy_could_not_be_sent(is_read_only: bool) -> None:
    screen = Screen(fold(TRAINING, [e.Warned(**NOW, message="Full.", kind="disk")]))
    screen.see(e.Warned(**NOW, message="Full.", kind="disk"))
    screen.link.refusal = "Read-only." if is_read_only else ""
    alert = screen.run.alert()
    assert alert is not None
    screen.run.answer(alert)
    assert screen.run.alert() == (alert if is_read_only else None)
    assert bool(screen.link.sent) is not is_read_only


def test_an_undo_is_answered_like_any_change() -> None:
    screen = Screen()
    screen.run.change(batch_size=8)
    screen.see(FakeSession().answer(screen.link.sent[-1]))
    assert screen.run.undo() == "batch size back to 32"
    assert screen.run.shown.settings["batch_size"] == 32
    assert replace(screen.run.pending, commands=()).changes == ()
    assert screen.run.undo() == ""

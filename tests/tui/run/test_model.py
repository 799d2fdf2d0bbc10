"""`RunModel`: what it sends, refuses and forgets, over a connection that a test drives."""

from __future__ import annotations

from typing import Any

import pytest

from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.insight import ShowBatch
from tests.fakes import paused, run_finished, run_started, settings_changed, steps_finished, tweet_sampled
from tests.tui.run.driven import Screen
from tui.run.fold import fold
from tui.run.model import unmet_needs
from tui.run.view import RunView

TRAINING = fold(RunView(), [run_started(), steps_finished(1, [2.0] * 9)])
NOW: dict[str, Any] = {"step": 9, "elapsed_seconds": 1.0}


def test_a_command_that_can_not_be_sent_is_refused_with_its_reason_and_changes_nothing_on_the_screen() -> None:
    screen = Screen(TRAINING)
    screen.link.refusal = "This screen is read-only."
    assert not screen.run.change(temperature=1.0)
    assert screen.run.shown is TRAINING
    assert screen.toasts == ["This screen is read-only."]
    assert screen.run.send(ShowBatch())  # a question changes nothing
    assert screen.link.sent == [ShowBatch()]


def test_a_change_names_only_the_settings_that_differ_and_none_is_sent_without_one() -> None:
    screen = Screen(TRAINING)
    assert not screen.run.change(temperature=0.8)
    assert screen.run.change(temperature=1.0, top_k=0, prime="the ")
    assert screen.link.sent == [c.ChangeSettings(settings={"temperature": 1.0, "prime": "the "})]


def test_a_changed_setting_is_shown_at_once_and_its_mark_comes_with_the_answer() -> None:
    screen = Screen(TRAINING)
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


def test_a_start_and_an_end_that_came_while_the_screen_was_not_connected_are_reported_too() -> None:
    screen = Screen(RunView())
    missed = (run_started(), e.Warned(**NOW, message="Rank 1 was killed."), run_finished(9))
    assert screen.see(view=fold(RunView(), missed)) == missed


def test_while_the_connection_is_interrupted_the_run_is_starting_and_what_is_unanswered_before_may_be_lost() -> None:
    screen = Screen(TRAINING)
    assert screen.run.change(temperature=1.0)
    screen.link.interruption = "The processes start again."
    screen.see()
    phases = [screen.run.shown.phase]
    assert not screen.run.change(temperature=1.5)
    assert unmet_needs(screen.run).keys() >= {"commands", "steering"}
    screen.link.interruption = ""
    screen.see()
    assert [*phases, screen.run.shown.phase] == ["starting", "training"]
    assert screen.run.change(temperature=1.5)
    again, lost = "The processes start again.", "The last key before the interruption may have had no effect."
    assert screen.toasts == [again, again, lost]


def test_a_repeated_step_key_has_one_step_under_way_and_pauses_a_run_that_trains() -> None:
    screen = Screen(TRAINING)
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

"""`RunModel`: what it sends, shows, refuses and forgets, over a connection that a test drives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.protocol import codec
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import run_finished, run_started, steps_finished, tweet_sampled
from tests.tui.run.driven import Screen
from tests.tui.run.stories import cases, event_in
from tests.tui.transcripts import short
from tui.run.fold import fold
from tui.run.model import unmet_needs
from tui.run.pending import Interval, interval_settings
from tui.run.view import RunView

TRAINING = fold(RunView(), [run_started(), steps_finished(1, [2.0] * 9)])
NOW: dict[str, Any] = {"step": 9, "elapsed_seconds": 1.0}
KEYS = cases("keys")


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
            vars(screen.link).update(json.loads(fields))
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


@pytest.mark.parametrize("claim", KEYS)
def test_what_a_screen_sends_and_shows_after_each_step(claim: str, snapshot: SnapshotAssertion) -> None:
    screen = Screen(TRAINING)
    lines, before = list[str](), {name: str(fact) for name, fact in facts(screen)}
    for step in KEYS[claim]:
        num_sent, num_toasts = len(screen.link.log), len(screen.toasts)
        returned = take(screen, step)
        lines.append(f"{step} → {returned!r}" if step == "undo" else step)
        lines += [f"    sent: {short(command)}" for command in screen.link.log[num_sent:]]
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

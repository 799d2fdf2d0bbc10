"""Alerts last as long as their condition, and spikes and noise raise none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion

from engine.errors import DeviceMemoryError
from engine.protocol import events as e
from engine.protocol.events import WarningKind
from tests import fakes
from tests.fakes import run_failed, steps_finished
from tests.tui.run.stories import cases, event_in
from tui.run.alerts import Alert, Alerts
from tui.run.fold import fold
from tui.run.view import RunView


class Scene:
    """A run and its alerts, event by event."""

    def __init__(self, *begin: e.Event) -> None:
        self.view, self.alerts = RunView(), Alerts()
        self.see(fakes.run_started(), *begin)

    def see(self, *events: e.Event) -> None:
        for event in events:
            self.view = fold(self.view, [event])
            self.alerts = self.alerts.after(event).at(self.view)

    @property
    def alert(self) -> Alert | None:
        return self.alerts.shown(self.view)

    @property
    def kind(self) -> str:
        return self.alert.kind if self.alert else ""


def told(steps: Iterable[str]) -> str:
    """Return the alert of a run, with its remedy and the commands of that, wherever a step of its story changes it.

    A step is an event, "train COUNT LOSS" with ten steps a report, "noise COUNT LOSS" around a loss, "slope COUNT LOSS
    LAST" between two losses, "dismiss", or "replay".
    """
    scene, lines, shown = Scene(), [], "no alert"

    def note(what: str) -> None:
        nonlocal shown
        alert = scene.alert
        text = f"{alert.text}: {alert.remedy}\n    {[*alert.commands]}" if alert else "no alert"
        lines.extend([f"{what}: {text}"] * (text != shown))
        shown = text

    for step in steps:
        losses = np.array([])
        match step.split():
            case ["train", count, loss]:
                losses = np.full(int(count), float(loss))
            case ["noise", count, loss]:
                losses = np.random.default_rng(int(count)).normal(float(loss), 0.15, int(count)).clip(0.01)
            case ["slope", count, loss, last]:
                losses = np.linspace(float(loss), float(last), int(count))
            case ["dismiss"]:
                assert scene.alert is not None
                scene.alerts = replace(scene.alerts, dismissed=scene.alerts.dismissed | {scene.alert.kind})
                note(step)
            case ["replay"]:
                scene.view = replace(scene.view, is_replay=True)
            case _:
                event = event_in(step)
                scene.see(event)
                note(f"{type(event).__name__} of step {event.step}")
        for first in range(0, len(losses), 10):
            scene.see(steps_finished(scene.view.step + 1, losses[first : first + 10].tolist()))
            note(f"step {scene.view.step}")
    return "\n".join(lines) or "no alert at all"


STORIES = cases("alerts")


@pytest.mark.parametrize("name", STORIES)
def test_when_an_alert_is_shown_and_its_remedy(name: str, snapshot: SnapshotAssertion) -> None:
    assert told(STORIES[name]) == snapshot


def warned(step: int, kind: WarningKind, message: str = "not finite") -> e.Warned:
    return e.Warned(step=step, elapsed_seconds=1.0, message=message, kind=kind)


def test_an_alert_is_hidden_once_its_remedy_is_sent_and_returns_only_if_that_command_is_refused() -> None:
    scene = Scene(*(warned(step, "not-finite") for step in (1, 2, 3)))
    assert scene.alert is not None
    kind, remedy = scene.alert.kind, scene.alert.commands
    scene.alerts = replace(scene.alerts, remedies=tuple((kind, command) for command in remedy))
    assert scene.kind == ""
    refusal = e.CommandRefused(step=3, elapsed_seconds=1.0, command="LoadCheckpoint", title="", detail="", hint="")
    same_by_hand = structs.replace(remedy[0])
    for answered in (None, same_by_hand):
        scene.alerts = scene.alerts.after(refusal, answered)
        assert scene.kind == ""
    scene.alerts = scene.alerts.after(refusal, remedy[0])
    assert scene.kind == "not-finite"


def test_a_screen_that_attaches_has_the_alert_of_a_failing_disk_or_of_a_device_without_memory() -> None:
    failing, works = warned(5, "disk", "No space left on device: not saved."), warned(6, "disk-works")
    late = Alerts.of(RunView(warnings=(warned(6, "not-finite"), works, failing)))
    assert late.up == {"disk"}
    assert late.disk_message == failing.message
    assert Alerts.of(RunView(warnings=(failing, works))).up == frozenset()
    ended = run_failed(5, DeviceMemoryError.title)
    assert Alerts.of(RunView(ended=ended)).up == {"memory"}

"""Alerts last as long as their condition, and spikes and noise raise none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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

    def train(self, losses: Iterable[float], each: int = 10) -> list[bool]:
        """Report losses ten at a time; return whether an alert was up after each report."""
        left = list(losses)
        was_up = []
        while left:
            self.see(steps_finished(self.view.step + 1, left[:each]))
            left = left[each:]
            was_up.append(self.alert is not None)
        return was_up

    @property
    def alert(self) -> Alert | None:
        return self.alerts.shown(self.view)

    @property
    def kind(self) -> str:
        return self.alert.kind if self.alert else ""

    def dismiss(self) -> None:
        assert self.alert is not None
        self.alerts = replace(self.alerts, dismissed=self.alerts.dismissed | {self.alert.kind})


def noisy(level: float, count: int, seed: int = 0) -> list[float]:
    return list(np.random.default_rng(seed).normal(level, 0.15, count).clip(0.01))


def test_a_loss_well_above_its_best_is_an_alert_soon_and_until_it_recovers() -> None:
    scene = Scene()
    assert not any(scene.train(noisy(1.7, 800)))
    was_up = scene.train(noisy(3.2, 400))
    assert 20 <= was_up.index(True) <= 32, "200 consecutive steps, and the lag of the smoothing"
    assert all(was_up[was_up.index(True) :])
    assert scene.alert is not None
    assert (scene.alert.kind, scene.alert.text) == ("diverging", "Loss 4.6, was 2.4")
    assert scene.alert.remedy == "reload latest, halve the learning rate"
    assert not any(scene.train(noisy(1.7, 400))[12:])


HARMLESS = {
    "one spike": [1e6, *noisy(1.7, 600)],
    "a burst of 80 steps": [*noisy(9.0, 80), *noisy(1.7, 600)],
    "a rise as after a higher rate": noisy(1.9, 1000),
    "a fall with bumps": [*np.linspace(2, 1.7, 300), *noisy(1.9, 150), *noisy(1.5, 300)],
}


@pytest.mark.parametrize("losses", HARMLESS.values(), ids=HARMLESS)
def test_spikes_bursts_and_noise_raise_no_alert(losses: Sequence[float]) -> None:
    scene = Scene()
    scene.train(noisy(1.7, 800, seed=1))
    assert not any(scene.train(losses))


def test_a_run_that_diverges_at_once_is_compared_with_uniform_guessing() -> None:
    scene = Scene()
    was_up = scene.train([4.8, *noisy(90.0, 399)])
    assert was_up.index(True) <= 4, "ten times as bad as blind guessing is no burst"
    assert scene.alert is not None
    assert scene.alert.text == "Loss 129.8, was 6.9"


def told(steps: Iterable[str]) -> str:
    """Return the alert of a run, with its remedy and the commands of that, wherever a step of its story changes it.

    A step is an event, "train COUNT LOSS" ten steps a report, or "dismiss".
    """
    scene, lines, shown = Scene(), [], "no alert"

    def note(what: str) -> None:
        nonlocal shown
        alert = scene.alert
        text = f"{alert.text}: {alert.remedy}\n    {[*alert.commands]}" if alert else "no alert"
        lines.extend([f"{what}: {text}"] * (text != shown))
        shown = text

    for step in steps:
        match step.split():
            case ["train", count, loss]:
                for _ in range(0, int(count), 10):
                    scene.train([float(loss)] * 10)
                    note(f"step {scene.view.step}")
            case ["dismiss"]:
                scene.dismiss()
                note(step)
            case _:
                event = event_in(step)
                scene.see(event)
                note(f"{type(event).__name__} of step {event.step}")
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


def test_a_replay_has_no_alerts_of_its_losses() -> None:
    scene = Scene()
    scene.view = replace(scene.view, is_replay=True)
    scene.train([1.5] * 600)
    assert not any(scene.train([4.0] * 400))


def test_a_screen_that_attaches_has_the_alert_of_a_failing_disk_or_of_a_device_without_memory() -> None:
    failing, works = warned(5, "disk", "No space left on device: not saved."), warned(6, "disk-works")
    late = Alerts.of(RunView(warnings=(warned(6, "not-finite"), works, failing)))
    assert late.up == {"disk"}
    assert late.disk_message == failing.message
    assert Alerts.of(RunView(warnings=(failing, works))).up == frozenset()
    ended = run_failed(5, DeviceMemoryError.title)
    assert Alerts.of(RunView(ended=ended)).up == {"memory"}

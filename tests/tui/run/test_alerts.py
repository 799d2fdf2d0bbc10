"""Alerts last as long as their condition, and spikes and noise raise none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from engine.config.run import RunConfig
from engine.errors import DeviceMemoryError
from engine.protocol import events as e
from engine.protocol.commands import Finish, LoadCheckpoint, Resume, SetBudget
from engine.training.schedule import finish_after
from tests.fakes import eval_finished, run_started, steps_finished
from tui.run.alerts import Alert, AlertMonitor, commands_for
from tui.run.reducer import apply
from tui.run.view import RunView


class Scene:
    """A run and its alerts, event by event."""

    def __init__(self, *begin: e.Event) -> None:
        self.view = RunView()
        self.monitor = AlertMonitor()
        self.see(run_started(), *begin)

    def see(self, *events: e.Event) -> None:
        for event in events:
            self.view = apply(self.view, event)
            self.monitor = self.monitor.after_event(event)
            self.monitor = self.monitor.after_tick(self.view)

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
        return self.monitor.alert(self.view, RunConfig())

    @property
    def kind(self) -> str:
        return self.alert.kind if self.alert else ""

    def refuse(self, count: int) -> None:
        for _ in range(count):
            step = self.view.step + 1
            self.see(e.Warned(step=step, elapsed_seconds=1.0, message="not finite", kind="not-finite"))


def noisy(level: float, count: int, seed: int = 0) -> list[float]:
    return list(np.random.default_rng(seed).normal(level, 0.15, count).clip(0.01))


def loaded(step: int) -> e.CheckpointLoaded:
    return e.CheckpointLoaded(step=step, elapsed_seconds=1.0, name="best", path="/best", bits_per_char=None, epochs=0.0)


# Diverging ------------------------------------------------------------------------------------------------------------


def test_a_loss_well_above_its_best_is_an_alert_soon_and_until_it_recovers() -> None:
    scene = Scene()
    assert not any(scene.train(noisy(1.7, 800)))
    was_up = scene.train(noisy(3.2, 400))
    assert 20 <= was_up.index(True) <= 32, "200 consecutive steps, and the lag of the smoothing"
    assert all(was_up[was_up.index(True) :])
    assert scene.alert == Alert(
        kind="diverging", text="Loss 4.6, was 2.4", remedy="reload latest, halve the learning rate"
    )
    assert not any(scene.train(noisy(1.7, 400))[12:])


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param([1e6, *noisy(1.7, 600)], id="one spike"),
        pytest.param([*noisy(9.0, 80), *noisy(1.7, 600)], id="a burst of 80 steps"),
        pytest.param(noisy(1.9, 1000), id="a rise as after a higher rate"),
        pytest.param([*np.linspace(2, 1.7, 300), *noisy(1.9, 150), *noisy(1.5, 300)], id="a fall with bumps"),
    ],
)
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


def test_after_a_load_the_best_loss_is_that_at_the_checkpoint() -> None:
    scene = Scene()
    scene.train([*[4.0] * 600, *[1.5] * 600])
    scene.train([3.9] * 400)
    assert scene.kind == "diverging"
    scene.see(loaded(600))
    assert scene.alert is None
    assert not any(scene.train([3.9] * 600))


def test_a_dismissed_alert_returns_only_after_its_condition_has_cleared() -> None:
    scene = Scene()
    scene.train([1.5] * 600)
    scene.train([4.0] * 400)
    assert scene.alert is not None
    scene.monitor = scene.monitor.with_dismissed(scene.alert)
    assert not any(scene.train([4.0] * 1000))
    scene.train([1.5] * 300)
    assert any(scene.train([4.0] * 400))


# Not finite -----------------------------------------------------------------------------------------------------------


def test_one_or_two_skipped_steps_are_no_alert_and_three_within_a_hundred_are() -> None:
    scene = Scene(steps_finished(1, [2.0] * 50))
    scene.refuse(1)
    scene.train([2.0] * 150)
    scene.refuse(2)
    assert scene.kind == ""
    scene.train([2.0] * 50)
    scene.refuse(1)
    assert scene.kind == "not-finite"
    assert any(scene.train([2.0] * 80))
    scene.train([2.0] * 30)
    assert scene.alert is None


def test_without_a_best_the_remedy_reloads_latest_which_ends_the_alert() -> None:
    scene = Scene(steps_finished(1, [2.0] * 50))
    scene.refuse(20)
    assert scene.alert is not None
    assert list(commands_for(scene.alert, scene.view)) == [
        LoadCheckpoint(name="2026-11-25-101112/latest", halves_rate=True)
    ]
    scene.see(loaded(50))
    assert scene.kind == ""


# Disk -----------------------------------------------------------------------------------------------------------------


def test_the_alert_of_a_full_disk_lasts_until_saving_works() -> None:
    scene = Scene(e.Warned(step=0, elapsed_seconds=0.0, message="No space left on device.", kind="disk"))
    scene.see(e.Warned(step=0, elapsed_seconds=0.0, message="Still none.", kind="disk"))
    assert scene.alert == Alert(kind="disk", text="Still none.", remedy="try saving again")
    scene.see(
        e.CheckpointSaved(step=0, elapsed_seconds=1.0, name="latest", path="/x", bits_per_char=None, weights_step=0)
    )
    assert scene.kind == "disk", "the journal may still fail"
    scene.see(e.Warned(step=0, elapsed_seconds=0.0, message="Saving works again.", kind="disk-works"))
    assert scene.kind == ""


# Validation -----------------------------------------------------------------------------------------------------------


def evaluations(bits: Sequence[float]) -> list[e.Event]:
    best = np.minimum.accumulate(bits)
    return [
        eval_finished(100 * (number + 1), value, is_best=bool(value == best[number] and value not in bits[:number]))
        for number, value in enumerate(bits)
    ]


@pytest.mark.parametrize(
    ("bits", "is_up"),
    [
        pytest.param([2.6, 2.40, 2.45, 2.46, 2.47, 2.48], True, id="rising"),
        pytest.param([2.40, 2.45, 2.46, 2.47], False, id="only three above"),
        pytest.param([2.40, 2.41, 2.415, 2.42, 2.42, 2.423], False, id="noise"),
        pytest.param([2.40, 2.45, 2.46, 2.41, 2.46, 2.47], False, id="once near the best"),
        pytest.param([2.40, 2.60, 2.55, 2.52, 2.47], False, id="coming back after a bump"),
    ],
)
def test_several_evaluations_in_a_row_well_above_the_best_are_an_alert(bits: list[float], is_up: bool) -> None:
    scene = Scene(*evaluations(bits))
    assert (scene.kind == "validation") == is_up


def test_the_remedy_of_a_rising_validation_reloads_the_best_and_finishes() -> None:
    scene = Scene(*evaluations([2.40, 2.45, 2.46, 2.47, 2.48]))
    assert scene.alert == Alert(
        kind="validation", text="Validation rises: 2.48, best 2.40", remedy="reload best and finish"
    )
    assert list(commands_for(scene.alert, scene.view)) == [LoadCheckpoint(name="2026-11-25-101112/best"), Finish()]
    scene.see(e.FinishPlanned(step=500, elapsed_seconds=1.0, last_step=600))
    assert scene.alert is None, "a run that is finishing is being put right"


def test_the_same_remedy_gives_a_run_that_is_over_the_steps_to_finish_and_resumes_it() -> None:
    scene = Scene(*evaluations([2.40, 2.45, 2.46, 2.47, 2.48]))
    over = e.Paused(step=scene.view.step, elapsed_seconds=scene.view.elapsed_seconds)
    scene.see(e.BudgetChanged(step=over.step, elapsed_seconds=over.elapsed_seconds, max_steps=over.step), over)
    assert scene.alert is not None
    assert scene.view.best is not None
    reload, *others = commands_for(scene.alert, scene.view)
    assert isinstance(reload, LoadCheckpoint)
    last_step = finish_after(scene.view.best.step).last_step
    assert others == [SetBudget(max_steps=last_step), Finish(), Resume()]


# All ------------------------------------------------------------------------------------------------------------------


def test_the_most_urgent_alert_is_shown() -> None:
    scene = Scene(*evaluations([2.40, 2.45, 2.46, 2.47, 2.48]))
    scene.see(e.Warned(step=500, elapsed_seconds=0.0, message="Full.", kind="disk"))
    assert scene.kind == "disk"
    scene.refuse(3)
    assert scene.kind == "not-finite"
    assert scene.alert is not None
    scene.monitor = scene.monitor.with_dismissed(scene.alert)
    assert scene.kind == "disk"


def test_an_alert_is_hidden_once_its_remedy_is_sent_and_returns_only_if_that_command_is_refused() -> None:
    scene = Scene()
    scene.refuse(3)
    assert scene.alert is not None
    remedy = tuple(commands_for(scene.alert, scene.view))
    scene.monitor = scene.monitor.with_remedy_sent(scene.alert, remedy)
    assert scene.kind == ""
    refusal = e.CommandRefused(step=3, elapsed_seconds=1.0, command="LoadCheckpoint", title="", detail="", hint="")
    same_by_hand = replace(remedy[0])
    for answered in (None, same_by_hand):
        scene.monitor = scene.monitor.after_event(refusal, answered)
        assert scene.kind == ""
    scene.monitor = scene.monitor.after_event(refusal, remedy[0])
    assert scene.kind == "not-finite"


def test_a_replay_has_no_alerts_of_its_losses() -> None:
    scene = Scene()
    scene.view = replace(scene.view, is_replay=True)
    scene.train([1.5] * 600)
    assert not any(scene.train([4.0] * 400))


def test_an_attached_screen_has_an_alert_for_a_failing_disk_and_none_for_a_recovered_one() -> None:
    failing = e.Warned(step=5, elapsed_seconds=1.0, message="No space left on device: not saved.", kind="disk")
    works = e.Warned(step=6, elapsed_seconds=1.0, message="Saving works again.", kind="disk-works")
    other = e.Warned(step=6, elapsed_seconds=1.0, message="The loss was not finite.", kind="not-finite")
    late = AlertMonitor.for_attached(RunView(warnings=(other, works, failing)))
    assert late.up == {"disk"}
    assert late.disk_message == failing.message
    assert AlertMonitor.for_attached(RunView(warnings=(failing, works))).up == frozenset()


def test_a_screen_that_attaches_after_an_out_of_memory_failure_has_its_alert() -> None:
    ended = e.RunFailed(step=5, elapsed_seconds=1.0, title=DeviceMemoryError.title, detail="", hint="")
    assert AlertMonitor.for_attached(RunView(ended=ended)).up == {"memory"}

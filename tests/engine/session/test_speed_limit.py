"""The speed limit: steps are spaced, commands are answered meanwhile, and the wait counts nowhere but in the time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from engine.checkpoints.metadata import read_info
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.events import Event
from engine.session import insight_service, speed_limit
from engine.storage.folders import named_checkpoint_path
from tests.engine.helpers import AnsweringInbox, Script, latest, losses, of_type, only, run_session, tiny_config
from tests.fakes import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Return a clock that only naps move."""
    clock = FakeClock()
    monkeypatch.setattr(insight_service, "time", SimpleNamespace(sleep=clock.advance))
    return clock


def step_times(emitted: list[Event]) -> list[float]:
    return [event.elapsed_seconds for event in of_type(emitted, e.StepsFinished)]


def test_steps_are_spaced_by_the_limit_from_the_first_to_the_last(corpus: Path, clock: FakeClock) -> None:
    emitted = run_session(tiny_config(corpus, steps_per_second=4.0), clock=clock)

    assert only(emitted, e.RunStarted).training.steps_per_second == 4.0
    assert step_times(emitted) == pytest.approx([number / 4 for number in range(12)])


def test_a_limit_set_while_training_applies_from_the_next_step_until_it_is_lifted(
    corpus: Path, clock: FakeClock
) -> None:
    script: Script = {3: [c.SetSpeedLimit(steps_per_second=0.5)], 6: [c.SetSpeedLimit(steps_per_second=0)]}

    emitted = run_session(tiny_config(corpus), script, clock=clock)

    gaps = [later - earlier for earlier, later in pairwise(step_times(emitted))]
    assert gaps == pytest.approx([0.0] * 2 + [2.0] * 3 + [0.0] * 6)
    assert [event.steps_per_second for event in of_type(emitted, e.SpeedLimitChanged)] == [0.5, 0.0]


def test_commands_are_executed_while_the_next_step_waits(corpus: Path) -> None:
    """The clock stands, so that no second step is ever due."""
    commands: list[Command | None] = [c.SetSpeedLimit(steps_per_second=0.01), *[None] * 9]
    inbox = AnsweringInbox([None, None, *commands, c.SetLearningRate(learning_rate=0.1), None, c.Stop()])

    with mock.patch.object(speed_limit, "NAP_SECONDS", 0.0):
        emitted = run_session(tiny_config(corpus), clock=FakeClock(), inbox=inbox)

    assert only(emitted, e.LearningRateChanged).learning_rate == 0.1
    assert len(losses(emitted)) == only(emitted, e.SpeedLimitChanged).step > 0


def test_the_wait_is_no_part_of_the_time_of_the_steps(corpus: Path, clock: FakeClock) -> None:
    emitted = run_session(tiny_config(corpus, steps_per_second=4.0), clock=clock, times_seconds=0.0)

    assert emitted[-1].elapsed_seconds > 2
    assert sum(times.seconds for times in of_type(emitted, e.StepTimes)) == 0.0


def test_a_limit_changes_no_loss(corpus: Path, clock: FakeClock) -> None:
    free = run_session(tiny_config(corpus, run_name="free"))

    assert losses(run_session(tiny_config(corpus, steps_per_second=9.0), clock=clock)) == losses(free)


def test_a_single_step_does_not_wait(corpus: Path) -> None:
    def two_steps(event: Event) -> Iterable[Command]:
        return [c.Pause(), c.TakeStep(), c.TakeStep(), c.Stop()] if isinstance(event, e.RunStarted) else []

    emitted = run_session(tiny_config(corpus, steps_per_second=0.01), {}, two_steps, clock=FakeClock())

    assert [taken.step for taken in of_type(emitted, e.StepTaken)] == [1, 2]


@pytest.mark.parametrize("limit", [-1.0, 0.001, float("nan"), float("inf")])
def test_a_bad_limit_is_refused(corpus: Path, limit: float) -> None:
    emitted = run_session(tiny_config(corpus), {3: [c.SetSpeedLimit(steps_per_second=limit)]})

    assert "steps_per_second must be 0 or at least 0.01" in only(emitted, e.CommandRefused).detail
    assert emitted[-1].step == 12


def test_a_checkpoint_stores_the_limit(corpus: Path, clock: FakeClock) -> None:
    script: Script = {3: [c.SetSpeedLimit(steps_per_second=7.0), c.SaveCheckpoint(name="slow")]}

    run_session(tiny_config(corpus), script, clock=clock)

    assert read_info(named_checkpoint_path("slow"))[0].training.steps_per_second == 7.0
    assert latest().training.steps_per_second == 7.0

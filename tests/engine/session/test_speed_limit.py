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


def test_steps_are_spaced_by_the_limit_which_changes_no_loss_and_no_time_of_steps_and_is_saved(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr(insight_service, "time", SimpleNamespace(sleep=clock.advance))  # only naps move the clock
    script: Script = {
        4: [c.SetSpeedLimit(steps_per_second=0.5), c.SaveCheckpoint(name="slow")],
        7: [c.SetSpeedLimit(steps_per_second=0)],
    }

    emitted = run_session(tiny_config(corpus, steps_per_second=4.0), script, clock=clock, times_seconds=0.0)

    assert only(emitted, e.RunStarted).training.steps_per_second == 4.0
    times = [event.elapsed_seconds for event in of_type(emitted, e.StepsFinished)]
    gaps = [later - earlier for earlier, later in pairwise([0.0, *times])]
    assert gaps == pytest.approx([0.0] + [0.25] * 3 + [2.0] * 3 + [0.0] * 5)
    assert sum(event.seconds for event in of_type(emitted, e.StepTimes)) == 0.0
    assert [event.steps_per_second for event in of_type(emitted, e.SpeedLimitChanged)] == [0.5, 0.0]
    assert read_info(named_checkpoint_path("slow"))[0].training.steps_per_second == 0.5
    assert latest().training.steps_per_second == 0.0
    assert losses(emitted) == losses(run_session(tiny_config(corpus, run_name="free")))


def test_commands_are_executed_while_the_next_step_waits(corpus: Path) -> None:
    """The clock stands, so that no second step is ever due."""
    commands: list[Command | None] = [c.SetSpeedLimit(steps_per_second=0.01), *[None] * 9]
    inbox = AnsweringInbox([None, None, *commands, c.SetLearningRate(learning_rate=0.1), None, c.Stop()])

    with mock.patch.object(speed_limit, "NAP_SECONDS", 0.0):
        emitted = run_session(tiny_config(corpus), clock=FakeClock(), inbox=inbox)

    assert only(emitted, e.LearningRateChanged).learning_rate == 0.1
    assert len(losses(emitted)) == only(emitted, e.SpeedLimitChanged).step > 0


def test_a_single_step_does_not_wait(corpus: Path) -> None:
    def two_steps(event: Event) -> Iterable[Command]:
        return [c.Pause(), c.TakeStep(), c.TakeStep(), c.Stop()] if isinstance(event, e.RunStarted) else []

    emitted = run_session(tiny_config(corpus, steps_per_second=0.01), {}, two_steps, clock=FakeClock())

    assert [taken.step for taken in of_type(emitted, e.StepTaken)] == [1, 2]

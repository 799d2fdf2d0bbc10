"""A run that goes on without a screen ends when its budget is used up, or when a signal says so."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from engine.config import RunConfig, TrainingConfig
from engine.events import Event, Paused
from tests.cli.program import ending_signals
from tests.fakes import FakeSession, run_started, steps_finished
from tests.tui.conftest import DEADLINE_SECONDS
from tui.background import go_on
from tui.bridge import EngineBridge
from tui.run_view import RunView

STARTED = run_started(training=TrainingConfig(max_steps=3))
STEPS = steps_finished(1, [4.5, 4.2, 4.0])


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Undo what the run without a screen does to signals, and let it hear those that whoever runs the tests ignores."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ending_signals()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_run_whose_budget_is_used_up_ends_where_no_terminal_is_attached() -> None:
    session = FakeSession([STEPS, Paused(step=3, elapsed_seconds=1.0)], STARTED)
    bridge = EngineBridge(RunConfig(), lambda *_: session)
    bridge.start()
    assert go_on([bridge], RunView()) == 0
    assert bridge.join(DEADLINE_SECONDS)


def test_a_signal_saves_and_ends_it() -> None:
    before = signal.getsignal(signal.SIGTERM)

    class Signalling(FakeSession):
        """Sends this process a signal, once it is handled."""

        def play(self, event: Event) -> None:
            super().play(event)
            if event is STEPS:
                while signal.getsignal(signal.SIGTERM) is before:
                    time.sleep(0.001)
                os.kill(os.getpid(), signal.SIGTERM)

    bridge = EngineBridge(RunConfig(), lambda *_: Signalling([STEPS], STARTED))
    bridge.start()
    assert go_on([bridge], RunView()) == 143

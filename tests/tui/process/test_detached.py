"""A run without a screen ends with its budget, and its host counts pending commands."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.config.run import RunConfig, TrainingConfig
from engine.protocol.commands import Command, SampleLadder, Stop
from engine.protocol.events import Event, LadderSampled, Paused
from tests.cli.program import ending_signals
from tests.engine.helpers import tiny_config, write_corpus
from tests.fakes import FakeSession, run_started, steps_finished
from tests.tui.conftest import DEADLINE_SECONDS
from tui.cli import headless
from tui.process.detached import run_detached
from tui.run.bridge import NullSubscriber
from tui.run.engine_bridge import EngineBridge
from tui.run.view import RunView

STARTED = run_started(training=TrainingConfig(max_steps=3))
STEPS = steps_finished(1, [4.5, 4.2, 4.0])


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Restore the signal handlers after the test, and enable signals that the test runner ignores."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ending_signals()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_detached_run_ends_with_its_budget_if_no_terminal_is_attached() -> None:
    session = FakeSession([STEPS, Paused(step=3, elapsed_seconds=1.0)], STARTED)
    bridge = EngineBridge(RunConfig(), lambda *_: session)
    bridge.start()
    assert run_detached([bridge], RunView()) == 0
    assert bridge.join(DEADLINE_SECONDS)


def test_its_host_counts_the_commands_that_the_session_has_received_and_not_executed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    class Counting(NullSubscriber):
        """Asks for three ladders, counts at each the commands that wait, and ends the run."""

        def __init__(
            self, _: RunConfig, send: Callable[[Command], None], num_waiting: Callable[[], int], **_further: object
        ) -> None:
            self._send, self._num_waiting = send, num_waiting
            for seed in range(3):
                send(SampleLadder(seed=seed))

        def handle(self, event: Event) -> None:
            if isinstance(event, LadderSampled):
                counts.append(self._num_waiting())
                if len(counts) == 3:
                    self._send(Stop())

    monkeypatch.setattr(headless, "Host", Counting)
    assert headless.run_headless(tiny_config(write_corpus(home)), as_json=False) == 0
    assert counts == [3, 2, 1]

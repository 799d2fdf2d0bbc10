"""After the screen: what the process does, which threads it waits for, and a run that goes on without a screen."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig, TrainingConfig
from engine.errors import InternalError
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.cli.conftest import _signals_as_before  # noqa: F401 - a fixture
from tests.engine.helpers import tiny_config, write_corpus
from tests.fakes import FakeSession, run_started, steps_finished
from tests.tui.conftest import DEADLINE_SECONDS
from tui.cli import headless
from tui.cli.commands.screen import leave_process
from tui.process import threads
from tui.process.detached import run_detached
from tui.process.outcome import Outcome, plan_exit
from tui.process.threads import on_own_thread
from tui.run.bridge import NullSubscriber
from tui.run.engine_bridge import EngineBridge
from tui.run.folding import fold
from tui.run.view import RunView

TRAINING = fold(RunView(), [run_started(run="north")])
FINISHED = e.RunFinished(step=1, elapsed_seconds=1.0, reason="done", total_seconds=1.0, total_chars=1)
ENDED = fold(TRAINING, [FINISHED])


@pytest.mark.parametrize(
    ("outcome", "view", "options"),
    [
        pytest.param(Outcome(is_detached=True), TRAINING, {}, id="detached"),
        pytest.param(Outcome(exit_code=129, is_detached=True), TRAINING, {}, id="hung up"),
        pytest.param(Outcome(is_ending=True), TRAINING, {}, id="still busy"),
        pytest.param(Outcome.failed(InternalError("a mistake")), TRAINING, {}, id="failed screen"),
        pytest.param(Outcome(is_detached=True), TRAINING, {"is_remote": True}, id="detached from another process"),
        pytest.param(Outcome(is_ending=True), ENDED, {"is_alive": False}, id="ended"),
        pytest.param(Outcome(is_ending=True), TRAINING, {"is_alive": False}, id="ended without its last event"),
        pytest.param(Outcome(exit_code=130, is_ending=True, is_abandoned=True), TRAINING, {}, id="abandoned"),
        pytest.param(Outcome(is_ending=True), RunView(), {}, id="not started"),
        pytest.param(Outcome(exit_code=129, is_ending=True), RunView(is_replay=True), {}, id="replay"),
    ],
)
def test_what_a_process_does_after_its_screen(
    outcome: Outcome, view: RunView, options: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    plan = plan_exit(outcome, view, **{"is_alive": True, **options})
    done = "continues in the background" if plan.continues_in_background else f"waits {plan.saving_seconds:g} s"
    assert "\n".join([f"exit code {plan.exit_code}, {done}", *plan.lines]) == snapshot


def test_the_program_exits_once_a_thread_that_writes_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    may_write, written, exits = threading.Event(), list[str](), list[tuple[int, list[str]]]()

    def write() -> None:
        may_write.wait(DEADLINE_SECONDS)
        written.append("the settings")

    def exit_(code: int) -> None:
        exits.append((code, [*written]))
        raise SystemExit

    async def start_writing() -> None:
        writing = asyncio.create_task(on_own_thread(write, writes=True))
        await asyncio.sleep(0)
        writing.cancel()

    asyncio.run(start_writing())
    monkeypatch.setattr(threads, "MAX_WRITING_SECONDS", DEADLINE_SECONDS)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    monkeypatch.setattr(os, "_exit", exit_)
    threading.Timer(0.05, may_write.set).start()
    with pytest.raises(SystemExit):
        leave_process(3)
    assert exits == [(3, ["the settings"])]


def test_a_detached_run_ends_with_its_budget_if_no_terminal_is_attached() -> None:
    started = run_started(training=TrainingConfig(max_steps=3))
    steps = steps_finished(1, [4.5, 4.2, 4.0])
    session = FakeSession([steps, e.Paused(step=3, elapsed_seconds=1.0)], started)
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
            self, _: RunConfig, send: Callable[[c.Command], None], num_waiting: Callable[[], int], **_further: object
        ) -> None:
            self._send, self._num_waiting = send, num_waiting
            for seed in range(3):
                send(c.SampleLadder(seed=seed))

        def handle(self, event: e.Event) -> None:
            if isinstance(event, e.LadderSampled):
                counts.append(self._num_waiting())
                if len(counts) == 3:
                    self._send(c.Stop())

    monkeypatch.setattr(headless, "Host", Counting)
    assert headless.run_headless(tiny_config(write_corpus(home)), as_json=False) == 0
    assert counts == [3, 2, 1]

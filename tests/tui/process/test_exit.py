"""How a screen ends, by signals at any moment too; what the process does then; a run continued without a screen."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig, TrainingConfig
from engine.errors import InternalError
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.cli.conftest import _signals_as_before  # noqa: F401 - a fixture
from tests.engine.helpers import tiny_config, write_corpus
from tests.fakes import FakeSession, paused, run_finished, run_started, steps_finished
from tests.tui.conftest import DEADLINE_SECONDS, LateSession, Stage, trained_by, wait_until
from tests.tui.transcripts import AtOnce
from tui.app.app import TweetgenApp
from tui.app.main_screen import MainScreen
from tui.cli import headless
from tui.cli.commands.screen import leave_process
from tui.process import signals, threads
from tui.process.exit import Outcome, plan_exit, run_detached
from tui.process.host import Host
from tui.process.local import LocalRun
from tui.run.fold import fold
from tui.run.view import RunView
from tui.widgets.status.side_panel import SidePanel

TRAINING = fold(RunView(), [run_started(run="north")])
ENDED = fold(TRAINING, [run_finished(1)])
HANGUP_CODE, TERMINATED_CODE = signals.HANGUP_CODE, 143


@pytest.mark.parametrize(
    ("owner", "moment", "code"),
    [
        (TweetgenApp, "on_load", TERMINATED_CODE),
        (TweetgenApp, "on_mount", HANGUP_CODE),
        (MainScreen, "compose", TERMINATED_CODE),
        (MainScreen, "on_mount", HANGUP_CODE),
    ],
)
async def test_a_signal_while_the_screen_opens_ends_the_program_and_the_run_unless_the_terminal_hung_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, owner: type[Any], moment: str, code: int
) -> None:
    app, whole = stage.app(FakeSession()), getattr(owner, moment, lambda _: None)  # the app has no `on_load`

    def receive_first(*arguments: Any) -> Any:
        app.leaving.receive(code)
        return whole(*arguments)

    monkeypatch.setattr(owner, moment, receive_first, raising=False)
    async with app.run_test():
        await wait_until(lambda: app.return_code is not None, "the end")
    assert (app.return_code, app.failure) == (code, None)
    assert app.return_value == Outcome(exit_code=code, is_detached=code == HANGUP_CODE, is_ending=code != HANGUP_CODE)
    if code != HANGUP_CODE:
        assert trained_by(app).wait(DEADLINE_SECONDS)
        assert fold(app.summary_view, app.connection.drain().events).ended is not None


async def test_work_that_the_end_cancels_before_it_has_begun_prints_no_warning(
    stage: Stage, recwarn: pytest.WarningsRecorder
) -> None:
    async with stage.running() as at:
        at.app.pins.open("north")
        at.app.main.query_one(SidePanel).measure()
        at.app.workers.cancel_all()
    gc.collect()
    assert [each for each in recwarn if "never awaited" in str(each.message)] == []


async def test_a_screen_that_hangs_before_it_is_mounted_is_left_at_ctrl_c_and_one_that_closes_opens_no_lesson(
    stage: Stage,
) -> None:
    for code in (signals.INTERRUPTED_CODE, None):  # a signal or a key
        outcome = stage.app(FakeSession()).leaving.outcome_without_screen(code)
        assert outcome == Outcome(exit_code=signals.INTERRUPTED_CODE, is_ending=True)
    async with stage.running() as at:
        at.app.exit(Outcome(opens_lesson=True))
        assert at.app.leaving.outcome_without_screen(TERMINATED_CODE) == Outcome()


async def test_a_second_ctrl_c_quits_although_the_session_hangs(stage: Stage) -> None:
    session = LateSession()
    async with stage.running(session) as at:
        AtOnce("ctrl+c").post_to(at.app)
        await wait_until(lambda: "ctrl+c quits at once" in at.text, "the hint")
        AtOnce("ctrl+c").post_to(at.app)
        await wait_until(lambda: at.app.return_code is not None)
    assert at.app.return_value == Outcome(exit_code=130, is_ending=True, is_abandoned=True)
    session.may_answer.set()


def test_a_signal_requests_a_stop_and_after_the_screen_ctrl_c_exits_at_once_unless_ignored_or_a_run_continues() -> None:
    reasons, codes = list[str](), list[int]()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signals.handle_ending_signals(signals.stop_at_signals(reasons.append))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.raise_signal(number)
    assert reasons == ["terminated", "interrupted"]
    for before, continues in ((signal.SIG_DFL, True), (signal.SIG_IGN, False)):
        signal.signal(signal.SIGINT, before)
        signals.handle_signals_after_screen(codes.append, continues_in_background=continues)
        assert signal.getsignal(signal.SIGINT) is not signals.leave_at_once
        signal.raise_signal(signal.SIGINT)
    assert codes == [130]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signals.handle_signals_after_screen(codes.append, continues_in_background=False)
    assert signal.getsignal(signal.SIGINT) is signals.leave_at_once


EXITS: dict[str, tuple[Outcome, RunView, dict[str, Any]]] = {
    "detached": (Outcome(is_detached=True), TRAINING, {}),
    "hung up": (Outcome(exit_code=129, is_detached=True), TRAINING, {}),
    "still busy": (Outcome(is_ending=True), TRAINING, {}),
    "failed screen": (Outcome.failed(InternalError("a mistake")), TRAINING, {}),
    "detached from another process": (Outcome(is_detached=True), TRAINING, {"is_remote": True}),
    "ended": (Outcome(is_ending=True), ENDED, {"is_alive": False}),
    "ended without its last event": (Outcome(is_ending=True), TRAINING, {"is_alive": False}),
    "abandoned": (Outcome(exit_code=130, is_ending=True, is_abandoned=True), TRAINING, {}),
    "not started": (Outcome(is_ending=True), RunView(), {}),
    "replay": (Outcome(exit_code=129, is_ending=True), RunView(is_replay=True), {}),
}


def test_what_a_process_does_after_its_screen(snapshot: SnapshotAssertion) -> None:
    lines = []
    for case, (outcome, view, options) in EXITS.items():
        run: Any = SimpleNamespace(**{"is_alive": True, "is_remote": False, "attach_problem": "", **options})
        plan = plan_exit(outcome, run, view)
        done = "continues in the background" if plan.continues_in_background else f"waits {plan.saving_seconds:g} s"
        lines += [f"» {case}: exit code {plan.exit_code}, {done}", *plan.lines]
    assert "\n".join(lines) == snapshot


def test_the_program_exits_once_a_thread_that_writes_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    may_write, written, exits = threading.Event(), list[str](), list[tuple[int, list[str]]]()

    def write() -> None:
        may_write.wait(DEADLINE_SECONDS)
        written.append("the settings")

    def exit_(code: int) -> None:
        exits.append((code, [*written]))
        raise SystemExit

    async def start_writing() -> None:
        writing = asyncio.create_task(threads.on_own_thread(write, writes=True))
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
    session = FakeSession([steps_finished(1, [4.5, 4.2, 4.0]), paused(3)], started)
    run = LocalRun(RunConfig(), lambda *_: session)
    run.start()
    assert run_detached(run, RunView()) == 0
    assert run.wait(DEADLINE_SECONDS)


def test_its_host_counts_the_commands_that_the_session_has_received_and_not_executed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    class Counting(Host):
        """Asks for three ladders, counts at each the commands that wait, and ends the run."""

        def __init__(self, config: RunConfig, send: Callable[[c.Command], None], *further: Any, **named: Any) -> None:
            super().__init__(config, send, *further, **named)
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

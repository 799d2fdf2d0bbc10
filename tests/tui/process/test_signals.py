"""Signals close the screen at any moment: exit code 128 + the signal, and no run left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.protocol import events as e
from engine.protocol.commands import Command
from tests.cli.program import ending_signals
from tests.fakes import FakeSession, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, Stage, shows, trained_by, wait_until
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.process.signals import (
    HANGUP_CODE,
    handle_ending_signals,
    handle_signals_after_screen,
    leave_at_once,
    stop_at_signals,
)
from tui.run.folding import fold
from tui.run.view import RunView
from tui.screens.main.screen import MainScreen

TERMINATED_CODE = 143


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Restore the handlers after the test, and enable signals that the test runner ignores."""
    numbers = (*ending_signals(), signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in ending_signals():
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def with_signal(app: TweetgenApp, whole: Callable[..., Any], code: int) -> Callable[..., Any]:
    """Return a method that receives a signal before it does what it does."""

    def receive_first(*arguments: Any) -> Any:
        app.signals.receive(code)
        return whole(*arguments)

    return receive_first


@pytest.mark.parametrize(
    ("owner", "moment"),
    [(TweetgenApp, "on_load"), (MainScreen, "compose"), (MainScreen, "on_mount")],
)
async def test_a_signal_while_the_screen_opens_ends_the_program_and_the_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, owner: type[Any], moment: str
) -> None:
    app = stage.app(FakeSession())
    monkeypatch.setattr(owner, moment, with_signal(app, getattr(owner, moment), TERMINATED_CODE))
    async with app.run_test():
        await wait_until(lambda: app.return_code is not None, "the end")
    assert (app.return_code, app.failure) == (TERMINATED_CODE, None)
    assert trained_by(app).join(DEADLINE_SECONDS)
    assert fold(app.summary_view, app.bridge.drain().events).ended is not None


async def test_a_signal_to_a_detached_screen_that_is_closing_ends_the_run(stage: Stage) -> None:
    app = stage.app(FakeSession())
    async with app.run_test():
        await wait_until(lambda: app.summary_view.started is not None)
        app._main_screen.leaving.detach()
        app.signals.receive(HANGUP_CODE)
        assert app.bridge.is_alive  # a hangup ends no run
        app.signals.receive(TERMINATED_CODE)
    assert app.return_code == 0
    assert trained_by(app).join(DEADLINE_SECONDS)


async def test_a_hangup_detaches_the_run_or_stops_it_as_configured(stage: Stage) -> None:
    for stops, reason in ((False, None), (True, "hung up")):
        app = stage.app(FakeSession([tweet_sampled("hello there")]))
        app.signals.stops_on_hangup = stops
        async with app.run_test():
            await wait_until(lambda app=app: app.summary_view.started is not None)  # type: ignore[misc] # bound at once
            app.signals.receive(HANGUP_CODE)
            await wait_until(lambda app=app: app.return_code is not None)  # type: ignore[misc] # bound at once
        assert app.return_value == Outcome(exit_code=HANGUP_CODE, is_detached=not stops, is_ending=stops)
        ended = app.summary_view.ended
        assert (ended.reason if isinstance(ended, e.RunFinished) else None) == reason
        assert app.bridge.join(DEADLINE_SECONDS if stops else 0.0) is stops


async def test_a_second_ctrl_c_quits_although_the_session_hangs(stage: Stage) -> None:
    may_end = threading.Event()

    class Hanging(FakeSession):
        def answer(self, command: Command) -> e.Event:
            assert may_end.wait(DEADLINE_SECONDS)
            return super().answer(command)

    app = stage.app(Hanging())
    async with app.run_test() as pilot:
        await wait_until(lambda: app.summary_view.started is not None)
        await pilot.press("ctrl+c")
        await shows(app, "ctrl+c quits at once")
        await pilot.press("ctrl+c")
        await wait_until(lambda: app.return_code is not None)
    assert app.return_value == Outcome(exit_code=130, is_ending=True, is_abandoned=True)
    may_end.set()


async def test_a_replay_whose_terminal_hangs_up_ends(stage: Stage) -> None:
    app = stage.app(FakeSession(), history=RunView(is_replay=True))
    async with app.run_test():
        await wait_until(lambda: app.summary_view.started is not None)
        app.signals.receive(HANGUP_CODE)
        await wait_until(lambda: app.return_code is not None)
    assert app.return_value == Outcome(exit_code=HANGUP_CODE, is_ending=True)


@pytest.mark.parametrize(
    ("before", "continues_in_background", "ends_at_once"),
    [(signal.SIG_DFL, False, True), (signal.SIG_DFL, True, False), (signal.SIG_IGN, False, False)],
)
def test_ctrl_c_after_the_screen_exits_at_once_unless_it_was_ignored_or_a_run_continues(
    before: signal.Handlers, continues_in_background: bool, ends_at_once: bool
) -> None:
    codes: list[int] = []
    signal.signal(signal.SIGINT, before)
    handle_signals_after_screen(codes.append, continues_in_background=continues_in_background)
    assert (signal.getsignal(signal.SIGINT) is leave_at_once) is ends_at_once
    if not ends_at_once:
        signal.raise_signal(signal.SIGINT)
    assert codes == ([130] if continues_in_background else [])


def test_the_first_signal_requests_a_stop_and_an_ignored_one_stays_ignored() -> None:
    reasons: list[str] = []
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    handle_ending_signals(stop_at_signals(reasons.append))
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.raise_signal(number)
    assert reasons == ["terminated", "interrupted"]

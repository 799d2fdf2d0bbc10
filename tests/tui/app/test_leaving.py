"""Leaving: a run that can not save, one to which no terminal could attach, the lesson, and signals."""

from __future__ import annotations

import gc
import os
import threading
from dataclasses import replace
from typing import Any

import pytest

from engine.config.run import RunConfig
from engine.errors import CorpusError
from engine.protocol.commands import Stop
from engine.protocol.events import RunFinished, Warned
from tests.fakes import FakeClock, FakeSession, RaisingSession, run_started
from tests.tui.conftest import DEADLINE_SECONDS, SCRIPT, LateSession, Running, Stage, toasted, trained_by, wait_until
from tests.tui.transcripts import AtOnce
from tui.app.app import TweetgenApp
from tui.app.pins import PinsFile
from tui.dialogs.help import HelpDialog
from tui.lesson.stops import lock_lesson
from tui.process.exit import Outcome
from tui.process.host import Host
from tui.process.local import LocalRun
from tui.process.signals import HANGUP_CODE
from tui.process.threads import writers_have_ended
from tui.run.fold import fold
from tui.run.summary import how_to_attach
from tui.run.view import RunView
from tui.settings.preferences import PreferencesStore
from tui.terminal.app import TerminalApp

PROBLEM = "EROFS."


def unsaved(session: FakeSession | None = None) -> FakeSession:
    """Return a session that can't save."""
    session = session or FakeSession(SCRIPT)
    session.stop_refusal = "The disk is full."
    return session


async def has_left(app: TweetgenApp) -> None:
    await wait_until(lambda: app.return_code is not None, "the end")


class OpensHelpAsItCloses(TerminalApp[Outcome]):
    def on_mount(self) -> None:
        self.choose_theme()
        self.push_screen(HelpDialog({}, {}))
        self.exit(Outcome(exit_code=143))


async def test_a_dialog_that_opens_as_the_screen_closes_is_no_failure() -> None:
    app = OpensHelpAsItCloses()
    assert await app.run_async(headless=True) == Outcome(exit_code=143)
    assert app.failure is None


async def test_a_run_that_can_not_save_continues_after_each_no(stage: Stage) -> None:
    async with stage.running(unsaved()) as at:
        timers = set[int]()
        for _ in range(3):
            await at.press("q", opens="Question")
            await at.press("escape", opens="MainScreen")
            timers.add(len(at.app.screen._timers))
        assert len(timers) == 1
        await at.press("q", opens="Question")
        await at.press("y")
        await has_left(at.app)
    assert at.app.summary_view.ended is not None


async def test_a_slow_run_that_can_not_save_ends_after_the_screen_has_closed(stage: Stage) -> None:
    session, clock = LateSession(), FakeClock()
    async with stage.running(unsaved(session)) as at:
        at.app.leaving._clock = clock
        AtOnce("q").post_to(at.app)
        await wait_until(lambda: "saving…" in at.text, "the wait for the run")
        clock.advance(6.0)
        await has_left(at.app)
    session.may_answer.set()
    assert trained_by(at.app).wait(DEADLINE_SECONDS)
    assert [command.unless_unsaved for command in session.received if isinstance(command, Stop)] == [True, False]


async def test_d_asks_for_confirmation_if_no_terminal_could_attach_and_shows_why(stage: Stage) -> None:
    host = Host(RunConfig(), lambda _: None, lambda: 0)
    host.problem = PROBLEM
    async with stage.running() as at:
        trained_by(at.app).host = host
        await at.press("d", opens="Question", shows=("No terminal can attach", PROBLEM))
        await at.press("escape", opens="MainScreen")
        await at.press("d", opens="Question")
        await at.press("y")
        await has_left(at.app)
    assert at.app.return_value == Outcome(is_detached=True)
    view = fold(RunView(), [run_started()])
    assert "tweetgen-tui attach" in how_to_attach(view)
    assert "attach " not in how_to_attach(view, PROBLEM).replace("attach to it", "")
    assert PROBLEM.rstrip(".") in how_to_attach(view, PROBLEM)


@pytest.mark.parametrize("owner", [PreferencesStore, PinsFile])
async def test_a_disk_that_hangs_does_not_delay_the_exit(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, owner: type
) -> None:
    savers: list[threading.Thread] = []
    may_end = threading.Event()

    def save(*_: Any) -> None:
        savers.append(threading.current_thread())
        may_end.wait()

    monkeypatch.setattr(owner, "save", save)
    async with stage.running() as at:
        assert "hello there" in at.text
        if owner is PinsFile:
            AtOnce("k").post_to(at.app)
        else:
            at.app.store.change({"bell": not at.app.store.preferences.bell})
        await wait_until(lambda: savers, "the writing")
        AtOnce("q").post_to(at.app)
        await has_left(at.app)
    assert savers[0].daemon  # so it does not hold up the process either
    assert not writers_have_ended(0.0)
    may_end.set()
    assert writers_have_ended(DEADLINE_SECONDS)


async def test_leaving_before_the_run_has_started_prevents_its_start(stage: Stage) -> None:
    async with stage.running() as at:
        waiting = LocalRun(RunConfig(), lambda *_: FakeSession())
        at.app.main.run.connection = waiting
        at.app.leaving.leave(143)
        await has_left(at.app)
    waiting.start()
    assert waiting.wait(DEADLINE_SECONDS)
    [event] = waiting.drain().events
    assert isinstance(event, RunFinished)


# The lesson -----------------------------------------------------------------------------------------------------------


async def open_lesson(at: Running, asks: str = "") -> None:
    """Ask for the lesson, and wait for words of the question."""
    at.app.leaving.action_lesson()
    await at.press(opens="Question" if asks else None, shows=asks)


@pytest.mark.parametrize("is_opened", [True, False])
async def test_the_lesson_opens_once_the_run_is_stopped_after_a_yes_and_not_if_it_was_called_off_or_is_open_elsewhere(
    stage: Stage, is_opened: bool
) -> None:
    descriptor = lock_lesson()
    async with stage.running(unsaved()) as at:
        await open_lesson(at)
        await toasted(at.app, "The lesson is open in another terminal. Go on there, or leave it there with q")
        assert at.app.screen is at.app.main
        os.close(descriptor)
        await open_lesson(at, asks="saved and stopped")
        await at.press(shows="y open the lesson")
        await at.press("escape", opens="MainScreen")
        assert not at.session.received
        await open_lesson(at, asks="saved and stopped")
        await at.press("y", shows="The disk is full. Quit anyway?")
        await at.press("escape", opens="MainScreen")
        at.session.stop_refusal = ""
        if is_opened:
            await open_lesson(at, asks="saved and stopped")
        await at.press("y" if is_opened else "q")
        await has_left(at.app)
    assert isinstance(at.session.received[-1], Stop)
    assert at.app.return_value == Outcome(is_ending=True, opens_lesson=is_opened)


async def test_the_lesson_opens_from_a_run_that_has_failed_too(stage: Stage) -> None:
    app = stage.app(RaisingSession(CorpusError("No tweets.", "Open others.")))
    async with app.run_test() as pilot:
        at = Running(app, pilot, FakeSession())
        await at.press(opens="Question")
        await at.press("escape", opens="MainScreen")
        await open_lesson(at, asks="The lesson opens in place of this screen.")
        await at.press("y")
        await has_left(app)
    assert app.return_value == Outcome(opens_lesson=True)


# Signals --------------------------------------------------------------------------------------------------------------

FULL = Warned(step=0, elapsed_seconds=0.0, message="No space left on device.", kind="disk")
DETACHED, ENDED = Outcome(is_detached=True), Outcome(is_ending=True)
SIGNALS: dict[str, tuple[int, bool, Outcome, str | None]] = {
    "a hangup of its own run": (HANGUP_CODE, False, DETACHED, None),
    "a hangup of its own run that is to stop": (HANGUP_CODE, True, ENDED, "hung up"),
    "a hangup of a launched run that is to stop": (HANGUP_CODE, True, ENDED, "hung up"),
    "a SIGTERM to the screen of a launched run": (143, True, DETACHED, None),
    "a hangup of a replay": (HANGUP_CODE, False, ENDED, "hung up"),
    "a SIGTERM to a run on a full disk": (143, False, ENDED, "terminated"),
}
"""A signal's exit code, whether a hangup stops the run, how the screen is closed, and why the run ends."""


@pytest.mark.parametrize("case", SIGNALS)
async def test_which_signals_end_which_run_and_after_a_hangup_nothing_is_drawn_any_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    code, stops_on_hangup, outcome, reason = SIGNALS[case]
    is_unsaved = "full disk" in case
    history = RunView(is_replay=True) if "replay" in case else None
    async with stage.running(FakeSession((FULL, *SCRIPT) if is_unsaved else SCRIPT), history=history) as at:
        monkeypatch.setattr(LocalRun, "is_remote", "launched" in case)
        at.app.leaving.stops_on_hangup = stops_on_hangup
        at.app.leaving.receive(code)
        await has_left(at.app)
        if code == HANGUP_CODE:
            await wait_until(lambda: at.app._batch_count == 2)  # the app shuts down in a turn of its own
            gc.collect()  # what stops the drawing must not be collected
            assert at.app._batch_count == 2, "the end of an app stops it once, the hangup once more"
    assert at.app.return_value == replace(outcome, exit_code=1 if is_unsaved else code)
    stops = [command.reason for command in at.session.received if isinstance(command, Stop)]
    assert stops == ([reason] if reason else [])
    assert getattr(at.app.summary_view.ended, "reason", None) == reason
    assert at.app.connection.wait(DEADLINE_SECONDS if reason else 0.0) is bool(reason)


async def test_a_signal_right_before_or_after_a_screen_is_detached_ends_the_run_but_a_hangup_does_not(
    stage: Stage,
) -> None:
    for is_before in (True, False):
        async with stage.running() as at:
            if is_before:
                at.app.leaving.receive(143)
            at.app.leaving.detach()  # the loop has had no turn
            if not is_before:
                at.app.leaving.receive(HANGUP_CODE)
                assert at.app.connection.is_alive
                at.app.leaving.receive(143)
        assert at.app.return_code == 0
        assert trained_by(at.app).wait(DEADLINE_SECONDS)


async def test_an_attached_screen_detaches_before_the_lesson(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage.running() as at:
        monkeypatch.setattr(LocalRun, "is_remote", True)
        await open_lesson(at, asks="it continues")
        await at.press("y")
        await has_left(at.app)
    assert at.app.return_value == Outcome(is_detached=True, opens_lesson=True)
    assert not at.session.received

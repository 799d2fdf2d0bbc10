"""The bridge ends every stream with one terminal event, whatever the session does."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from engine.commands import Command, Stop
from engine.config import RunConfig
from engine.errors import CorpusError, InternalError, exit_code_for
from engine.events import Event, RunFailed, RunFinished, RunStarted
from engine.stage import Stage
from tests.fakes import FakeSession, RaisingSession, run_started, steps_finished
from tui.bridge import EngineBridge, OnStage, OpenSession, Session

DEADLINE_SECONDS = 10.0


def events_of(open_session: OpenSession, stop: str | None = None) -> tuple[Event, ...]:
    """Run a session to its end and return all its events."""
    bridge = EngineBridge(RunConfig(), open_session)
    bridge.start()
    if stop is not None:
        bridge.stop(stop)
    assert bridge.join(DEADLINE_SECONDS)
    return bridge.drain()


def test_stop_reaches_the_session_with_its_reason() -> None:
    events = events_of(lambda _config, _on_stage: FakeSession(), stop="enough")
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], RunFinished)
    assert events[-1].reason == "enough"


def test_an_error_of_the_users_is_told_in_its_own_words() -> None:
    error = CorpusError("tweets.csv is empty.", "Give a file with tweets.")
    (event,) = events_of(lambda _config, _on_stage: RaisingSession(error))
    assert isinstance(event, RunFailed)
    assert (event.title, event.detail, event.hint) == (error.title, error.message, error.hint)


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), SystemExit(5), MemoryError()])
def test_any_other_exception_is_a_bug_of_ours(error: BaseException) -> None:
    events = events_of(lambda _config, _on_stage: RaisingSession(error, [run_started(), steps_finished(1, [4.0, 3.9])]))
    last = events[-1]
    assert isinstance(last, RunFailed)
    assert exit_code_for(last.title) == InternalError.exit_code
    assert type(error).__name__ in last.detail
    assert last.step == 2
    assert sum(isinstance(event, RunFailed) for event in events) == 1


def test_a_session_that_cannot_be_opened_fails_too() -> None:
    def refuse(config: RunConfig, on_stage: OnStage) -> Session:
        raise ImportError("no torch here")

    (event,) = events_of(refuse)
    assert isinstance(event, RunFailed)
    assert "no torch here" in event.detail


def test_an_exception_after_the_end_adds_nothing_to_the_stream() -> None:
    end = RunFinished(step=0, elapsed_seconds=0.0, reason="done", total_seconds=0.0, total_chars=0)
    events = events_of(lambda _config, _on_stage: RaisingSession(ValueError("late"), [run_started(), end]))
    assert events[-1] is end


def test_a_session_that_returns_without_a_last_event_counts_as_failed() -> None:
    class Silent:
        def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command]) -> None:
            emit(run_started())

    events = events_of(lambda _config, _on_stage: Silent())
    assert isinstance(events[-1], RunFailed)


def test_stage_is_what_the_session_says() -> None:
    opened = threading.Event()

    def open_slowly(config: RunConfig, on_stage: OnStage) -> Session:
        on_stage(Stage("reading the tweets", 0.5))
        assert opened.wait(DEADLINE_SECONDS)
        return FakeSession()

    bridge = EngineBridge(RunConfig(), open_slowly)
    bridge.start()
    end = time.monotonic() + DEADLINE_SECONDS
    while bridge.stage != Stage("reading the tweets", 0.5):
        assert time.monotonic() < end
    assert bridge.is_alive
    assert not bridge.join(0.0)
    assert bridge.drain() == ()
    bridge.send(Stop())
    opened.set()
    assert bridge.join(DEADLINE_SECONDS)


def test_sessions_of_successors_never_overlap() -> None:
    first, second = FakeSession(), FakeSession()
    sessions = iter((first, second))
    bridge = EngineBridge(RunConfig(), lambda _config, _on_stage: next(sessions))
    bridge.start()
    other = bridge.successor(RunConfig(run_name="other"))
    other.start()
    end = time.monotonic() + DEADLINE_SECONDS
    while other.stage != Stage("waiting for the run before to end"):
        assert time.monotonic() < end
    assert not other.join(0.3)
    assert other.drain() == ()
    bridge.stop("enough")
    assert bridge.join(DEADLINE_SECONDS)
    other.send(Stop(reason="done"))
    assert other.join(DEADLINE_SECONDS)
    assert isinstance(other.drain()[0], RunStarted)


def test_a_successor_that_waits_can_be_stopped() -> None:
    bridge = EngineBridge(RunConfig(), lambda _config, _on_stage: FakeSession())
    bridge.start()
    other = bridge.successor(RunConfig())
    other.start()
    other.stop("enough")
    assert other.join(DEADLINE_SECONDS)
    assert bridge.is_alive
    bridge.stop("enough")
    assert bridge.join(DEADLINE_SECONDS)


def test_a_run_after_one_that_was_given_up_waits_for_the_one_before_both() -> None:
    sessions = iter((FakeSession(), FakeSession()))
    first = EngineBridge(RunConfig(), lambda _config, _on_stage: next(sessions))
    first.start()
    given_up = first.successor(RunConfig())
    given_up.start()
    given_up.stop("enough")
    assert given_up.join(DEADLINE_SECONDS)
    third = given_up.successor(RunConfig())
    third.start()
    assert not third.join(0.5)
    assert third.drain() == ()
    first.stop("enough")
    assert first.join(DEADLINE_SECONDS)
    third.send(Stop(reason="done"))
    assert third.join(DEADLINE_SECONDS)
    assert isinstance(third.drain()[0], RunStarted)


def test_the_screen_imports_no_torch() -> None:
    code = "import sys, tui.app; print(any(name == 'torch' or name == 'engine.session' for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

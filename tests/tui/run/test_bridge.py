"""The bridge ends every stream with one terminal event, whatever the session does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import pytest

from engine.config.run import RunConfig
from engine.errors import CorpusError, InternalError, exit_code_for
from engine.protocol.commands import Command, Stop
from engine.protocol.events import Event, RunFailed, RunFinished, RunStarted
from engine.protocol.stage import Stage
from tests.fakes import FakeSession, RaisingSession, run_started, steps_finished
from tests.waiting import wait_until
from tui.run.bridge import Update
from tui.run.engine_bridge import EngineBridge, OnStage, OpenSession, Session

DEADLINE_SECONDS = 30.0


def events_of(open_session: OpenSession) -> tuple[Event, ...]:
    """Run a session to its end and return all its events."""
    bridge = EngineBridge(RunConfig(), open_session)
    bridge.start()
    assert bridge.join(DEADLINE_SECONDS)
    return bridge.drain().events


def assert_ends_when_stopped(bridge: EngineBridge) -> None:
    """Stop a run that has begun, and wait for its end."""
    wait_until(lambda: bridge.num_undrained)
    bridge.stop("enough")
    assert bridge.join(DEADLINE_SECONDS)
    first, *_, last = bridge.drain().events
    assert isinstance(first, RunStarted)
    assert isinstance(last, RunFinished)
    assert last.reason == "enough"


def test_a_stop_before_the_start_opens_no_session() -> None:
    bridge = EngineBridge(RunConfig(), lambda _config, _on_stage: pytest.fail("opened"))
    bridge.stop("terminated")
    bridge.start()
    assert bridge.join(DEADLINE_SECONDS)
    [event] = bridge.drain().events
    assert isinstance(event, RunFinished)
    assert event.reason == "terminated"


def test_a_stop_while_torch_loads_runs_no_session() -> None:
    may_go_on = threading.Event()

    def open_slowly(_config: RunConfig, on_stage: OnStage) -> Session:
        on_stage(Stage("loading torch", 0.5))
        assert may_go_on.wait(DEADLINE_SECONDS)
        return RaisingSession(AssertionError("it ran"))

    bridge = EngineBridge(RunConfig(), open_slowly)
    bridge.start()
    wait_until(lambda: bridge.stage == Stage("loading torch", 0.5))
    assert bridge.is_alive
    assert not bridge.join(0.0)
    assert bridge.drain() == Update()
    bridge.stop("terminated")
    may_go_on.set()
    assert bridge.join(DEADLINE_SECONDS)
    assert isinstance(bridge.drain().events[0], RunFinished)


def test_a_tweetgen_error_is_reported_with_its_own_title_message_and_hint() -> None:
    error = CorpusError("tweets.csv is empty.", "Give a file with tweets.")
    (event,) = events_of(lambda _config, _on_stage: RaisingSession(error))
    assert isinstance(event, RunFailed)
    assert (event.title, event.detail, event.hint) == (error.title, error.message, error.hint)


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), SystemExit(5)])
def test_any_other_exception_is_an_internal_error(error: BaseException) -> None:
    events = events_of(lambda _config, _on_stage: RaisingSession(error, [run_started(), steps_finished(1, [4.0, 3.9])]))
    last = events[-1]
    assert isinstance(last, RunFailed)
    assert exit_code_for(last.title) == InternalError.exit_code
    assert type(error).__name__ in last.detail
    assert last.step == 2
    assert sum(isinstance(event, RunFailed) for event in events) == 1


def test_an_exception_while_a_session_opens_is_a_failure() -> None:
    def refuse(_config: RunConfig, _on_stage: OnStage) -> Session:
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
        num_waiting = 0

        def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command]) -> None:
            emit(run_started())

    events = events_of(lambda _config, _on_stage: Silent())
    assert isinstance(events[-1], RunFailed)


def test_commands_that_a_session_has_received_and_not_executed_are_still_counted() -> None:
    session = FakeSession()
    session.num_waiting = 2
    bridge = EngineBridge(RunConfig(), lambda _config, _on_stage: session)
    bridge.send(Stop(reason="enough"))
    assert bridge.num_waiting == 1
    bridge.start()
    assert bridge.join(DEADLINE_SECONDS)
    assert bridge.num_waiting == 2


def test_a_run_waits_for_all_previous_runs_even_if_one_was_cancelled() -> None:
    sessions = iter((FakeSession(), FakeSession()))
    first = EngineBridge(RunConfig(), lambda _config, _on_stage: next(sessions))
    first.start()
    given_up = first.successor(RunConfig())
    given_up.start()
    wait_until(lambda: given_up.stage == Stage("waiting for the run before to end"))
    given_up.stop("enough")
    assert given_up.join(DEADLINE_SECONDS)
    third = given_up.successor(RunConfig())
    third.start()
    wait_until(lambda: third.stage == Stage("waiting for the run before to end"))
    assert third.drain() == Update()
    first.send(Stop(reason="enough"))
    assert first.join(DEADLINE_SECONDS)
    assert_ends_when_stopped(third)

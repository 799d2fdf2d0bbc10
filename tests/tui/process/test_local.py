"""`LocalRun`: every stream of events has an end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence

import pytest

from engine.config.run import RunConfig
from engine.errors import CorpusError, InternalError
from engine.protocol import commands as c
from engine.protocol.events import Event, RunFailed, RunFinished, RunStarted
from engine.protocol.progress import Stage
from tests.fakes import FakeSession, RaisingSession, run_finished, run_started, steps_finished
from tests.waiting import DEADLINE_SECONDS, wait_until
from tui.process.local import LocalRun, OnStage, OpenSession, Session
from tui.run.connection import Update


def events_of(open_session: OpenSession) -> tuple[Event, ...]:
    """Run a session to its end and return all its events."""
    run = LocalRun(RunConfig(), open_session)
    run.start()
    assert run.wait(DEADLINE_SECONDS)
    return run.drain().events


def test_a_stop_before_the_start_opens_no_session() -> None:
    run = LocalRun(RunConfig(), lambda _config, _on_stage: pytest.fail("opened"))
    run.stop("terminated")
    run.start()
    assert run.wait(DEADLINE_SECONDS)
    [event] = run.drain().events
    assert isinstance(event, RunFinished)
    assert event.reason == "terminated"


def test_a_stop_while_torch_loads_runs_no_session() -> None:
    may_go_on = threading.Event()

    def open_slowly(_config: RunConfig, on_stage: OnStage) -> Session:
        on_stage(Stage("loading torch", 0.5))
        assert may_go_on.wait(DEADLINE_SECONDS)
        return RaisingSession(AssertionError("it ran"))

    run = LocalRun(RunConfig(), open_slowly)
    run.start()
    wait_until(lambda: run.stage == Stage("loading torch", 0.5))
    assert run.is_alive
    assert not run.wait(0.0)
    assert run.drain() == Update()
    run.stop("terminated")
    may_go_on.set()
    assert run.wait(DEADLINE_SECONDS)
    assert isinstance(run.drain().events[0], RunFinished)


class Silent:
    """Returns without a last event."""

    num_waiting = 0

    def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
        emit(run_started())


TRAINED = (run_started(), steps_finished(1, [4.0, 3.9]))
NO_TWEETS = CorpusError("tweets.csv is empty.", "Give a file with tweets.")
FAILING: dict[str, tuple[Session | Exception, Sequence[Event], tuple[str, str]]] = {
    "an exception": (RaisingSession(ZeroDivisionError("no"), TRAINED), TRAINED, (InternalError.title, "ZeroDivision")),
    "an exit": (RaisingSession(SystemExit(5), TRAINED), TRAINED, (InternalError.title, "SystemExit")),
    "an exception while it opens": (ImportError("no torch here"), (), (InternalError.title, "no torch here")),
    "no last event": (Silent(), TRAINED[:1], (InternalError.title, "")),
    "an error of ours": (RaisingSession(NO_TWEETS), (), (NO_TWEETS.title, "tweets.csv is empty.Give a file")),
}


@pytest.mark.parametrize("name", FAILING)
def test_any_failure_of_a_session_is_one_error_at_its_step_with_the_title_message_and_hint_of_ours(name: str) -> None:
    session, emitted, (title, words) = FAILING[name]

    def open_session(_config: RunConfig, _on_stage: OnStage) -> Session:
        if isinstance(session, Exception):
            raise session
        return session

    *before, last = events_of(open_session)
    assert before == [*emitted]
    assert isinstance(last, RunFailed)
    assert (last.title, last.step) == (title, emitted[-1].step if emitted else 0)
    assert words in last.detail + last.hint


def test_an_exception_after_the_end_adds_nothing_to_the_stream() -> None:
    end = run_finished(0)
    assert events_of(lambda _config, _on_stage: RaisingSession(ValueError("late"), [run_started(), end]))[-1] is end


def test_commands_that_a_session_has_received_and_not_executed_are_still_counted() -> None:
    session = FakeSession()
    session.num_waiting = 2
    run = LocalRun(RunConfig(), lambda _config, _on_stage: session)
    run.send(c.Stop(reason="enough"))
    assert run.num_waiting == 1
    run.start()
    assert run.wait(DEADLINE_SECONDS)
    assert run.num_waiting == 2


def test_a_run_waits_for_all_previous_runs_even_if_one_was_cancelled() -> None:
    sessions = iter((FakeSession(), FakeSession()))
    first = LocalRun(RunConfig(), lambda _config, _on_stage: next(sessions))
    first.start()
    given_up = LocalRun(RunConfig(), first._open_session, first)
    given_up.start()
    wait_until(lambda: given_up.stage == Stage("waiting for the run before to end"))
    given_up.stop("enough")
    wait_until(lambda: not given_up.is_alive)
    assert not given_up.wait(0.0)
    third = LocalRun(RunConfig(), first._open_session, given_up)
    third.start()
    wait_until(lambda: third.stage == Stage("waiting for the run before to end"))
    assert third.drain() == Update()
    first.send(c.Stop(reason="enough"))
    assert first.wait(DEADLINE_SECONDS)
    wait_until(lambda: third._events)
    third.stop("enough")
    assert third.wait(DEADLINE_SECONDS)
    begin, *_, end = third.drain().events
    assert isinstance(begin, RunStarted)
    assert isinstance(end, RunFinished)
    assert end.reason == "enough"

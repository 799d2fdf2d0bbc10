"""`LocalRun`: a run of this process. Its session runs on a thread of its own, with two queues to and from it.

Only this module and `cli.headless` start a session. It imports torch on that thread, so that the window opens at once.
The screen polls (`drain`) at its own rate; the session never calls into it.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from engine.compute.memory import torch_imported_uncollected
from engine.config.run import RunConfig
from engine.errors import InternalError
from engine.protocol.commands import Command
from engine.protocol.events import Event, RunFailed, RunFinished, RunStarted
from engine.protocol.progress import Stage
from tui.process.host import Host
from tui.run.connection import RunConnection, Update, end_event, failure_event, to_tweetgen_error

_POLL_SECONDS = 0.2
"""How often a run that waits for the one before checks whether it was stopped."""


class Session(Protocol):
    """A `TrainingSession`, or a scripted one of a test."""

    def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command], /) -> None:
        """Run to the end: events out through `emit`, commands in from the queue."""

    @property
    def num_waiting(self) -> int:
        """Commands received from the queue and not handled completely. For any thread."""


OnStage = Callable[[Stage], None]
OpenSession = Callable[[RunConfig, OnStage], Session]
"""Opens a session on the run's thread, and reports its stages meanwhile."""


def open_training_session(config: RunConfig, on_stage: OnStage) -> Session:
    """Import torch and return a `TrainingSession`."""
    on_stage(Stage("loading torch"))
    with torch_imported_uncollected():
        from engine.session.session import TrainingSession

    return TrainingSession(config, on_stage, pauses_at_end=True)


class LocalRun(RunConnection):
    """A run on a thread of this process, and the host to which other terminals attach."""

    def __init__(
        self,
        config: RunConfig,
        open_session: OpenSession = open_training_session,
        before: RunConnection | None = None,
        on_run: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`, and no session before the run `before` has ended.

        Terminals can attach where `on_run` is given, which is called with the run's name once it has started.
        """
        self.config = config
        self.host = None if on_run is None else Host(config, self.send, lambda: self.num_waiting)
        self._on_run = on_run
        self._open_session = open_session
        self._before = before
        self._session: Session | None = None
        self._stop_reason: str | None = None
        self._events = deque[Event]()
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._last_event: Event | None = None
        # a daemon: a session that hangs must not keep the program from ending
        self._thread = threading.Thread(target=self._run, name="session", daemon=True)

    def drain(self) -> Update:
        """Return the events since the last call, in order and without a gap. For any thread."""
        events = list[Event]()
        with contextlib.suppress(IndexError):  # none is left
            while True:
                events.append(self._events.popleft())
        return Update(tuple(events))

    def send(self, command: Command) -> None:
        """Send a command to the session, which handles it between two steps. For any thread."""
        self._commands.put(command)

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Have the session save and end, or not start; with `unless_unsaved` it refuses where it can't save."""
        self._stop_reason = reason
        super().stop(reason, unless_unsaved=unless_unsaved)

    @property
    def num_waiting(self) -> int:
        """Commands that the session has not handled completely. For any thread."""
        session = self._session
        return self._commands.qsize() + (0 if session is None else session.num_waiting)

    @property
    def num_clients(self) -> int:
        """How many other terminals could steer the run now."""
        return 0 if self.host is None else self.host.num_clients

    @property
    def attach_problem(self) -> str:
        """Why no terminal can attach to the run; empty where one can."""
        return "" if self.host is None else self.host.problem

    def _run(self) -> None:
        """Run the session; the events always end with `RunFinished` or `RunFailed`. The thread's body."""
        error: BaseException = InternalError("The session ended without a final event.", "The log may have details.")
        try:
            self._run_session()
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the screen must show it
            error = raised
        if not isinstance(self._last_event, RunFinished | RunFailed):
            self._emit(failure_event(to_tweetgen_error(error, "The session"), self._last_event))
        if self.host is not None:
            self.host.close()

    def _run_session(self) -> None:
        if self._before is not None:  # sessions never overlap: torch has one global state
            self.stage = Stage("waiting for the run before to end")
            while self._before is not None and self._stop_reason is None:
                if self._before.wait(_POLL_SECONDS):
                    self._before = None  # which frees its weights
        if self._stop_reason is None:
            self._session = self._open_session(self.config, self._set_stage)
        if self._stop_reason is not None or self._session is None:  # or stopped while it was opened
            self._emit(end_event(self._stop_reason or ""))
        else:
            self._session.run(self._emit, self._commands)

    def _set_stage(self, stage: Stage) -> None:
        self.stage = stage

    def _emit(self, event: Event) -> None:
        self._last_event = event
        self._events.append(event)
        if self._on_run is not None and isinstance(event, RunStarted):
            self._on_run(event.run)
        if self.host is not None:
            self.host.handle(event)

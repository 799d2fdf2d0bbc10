"""`EngineBridge`: the bridge to a session of this process: two queues, and the thread that the session runs on.

The only module of the screen's side that starts a session. It imports torch on that thread, so that the window opens
at once. The screen polls (`drain`) at its own rate; the session never calls into it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol

from engine.config.run import RunConfig
from engine.errors import InternalError, TweetgenError
from engine.memory import torch_imported_uncollected
from engine.progress import Stage
from engine.protocol.commands import Command, Stop
from engine.protocol.events import Event, RunFailed, RunFinished
from tui.run.connection import Bridge, EventSubscriber, NullSubscriber, Update, failure_event, to_tweetgen_error

_POLL_SECONDS = 0.2
"""How often a run that waits for the one before checks whether it was stopped."""


class Session(Protocol):
    """What the bridge needs of a training session."""

    def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command], /) -> None:
        """Run to the end: events out through `emit`, commands in from the queue."""

    @property
    def num_waiting(self) -> int:
        """Commands received from the queue and not handled completely. For any thread."""


OnStage = Callable[[Stage], None]
OpenSession = Callable[[RunConfig, OnStage], Session]
"""Opens a session, and reports its stages meanwhile."""
SubscriberFactory = Callable[["EngineBridge"], EventSubscriber]


def open_training_session(config: RunConfig, on_stage: OnStage) -> Session:
    """Import torch and return a `TrainingSession`. Called on the bridge's thread."""
    on_stage(Stage("loading torch"))
    with torch_imported_uncollected():
        from engine.session.session import TrainingSession

    return TrainingSession(config, on_stage, pauses_at_end=True)


class EngineBridge:
    """Runs one session on a thread of its own. For the screen's thread; only `join` and `is_over` block."""

    is_remote = False
    host_pid = None
    num_screens = 0
    badge = refusal = interruption = ""

    def __init__(
        self,
        config: RunConfig,
        open_session: OpenSession = open_training_session,
        before: Bridge | None = None,
        make_subscriber: SubscriberFactory | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`, and no session before the run of the bridge `before` has ended.

        The subscriber made for it handles all events, on the session's thread.
        """
        self.stage = Stage("starting")
        """What the thread does before `RunStarted`."""
        self.config = config
        self.welcome = ""
        self._open_session = open_session
        self._before = before
        self._session: Session | None = None
        self._stop_reason: str | None = None
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._last_event: Event | None = None
        self._make_subscriber = make_subscriber
        self.subscriber: EventSubscriber = NullSubscriber() if make_subscriber is None else make_subscriber(self)
        # a daemon: a session that hangs must not keep the program from ending
        self._thread = threading.Thread(target=self._run_session, name="session", daemon=True)

    def start(self) -> None:
        """Start the session."""
        self._thread.start()

    def successor(self, config: RunConfig) -> EngineBridge:
        """Return a bridge for another run. Their sessions never overlap: torch has one global state."""
        return EngineBridge(config, self._open_session, before=self, make_subscriber=self._make_subscriber)

    def drain(self) -> Update:
        """Return the events since the last call, in order and without a gap."""
        events = []
        while True:
            try:
                events.append(self._events.get_nowait())
            except queue.Empty:
                return Update(tuple(events))

    @property
    def attach_problem(self) -> str:
        """Why no terminal can attach to the run; empty where one can."""
        return self.subscriber.problem

    @property
    def num_waiting(self) -> int:
        """Commands that the session has not handled completely. For any thread."""
        session = self._session
        return self._commands.qsize() + (0 if session is None else session.num_waiting)

    @property
    def num_undrained(self) -> int:
        """How many events wait for `drain`. For any thread."""
        return self._events.qsize()

    def send(self, command: Command) -> None:
        """Send a command to the session, which handles it between two steps."""
        self._commands.put(command)

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Have the session save and end, or not start; with `unless_unsaved` it refuses where it can't save."""
        self._stop_reason = reason
        self.send(Stop(reason=reason, unless_unsaved=unless_unsaved))

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the thread at most `timeout_seconds`; return whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def is_over(self, timeout_seconds: float) -> bool:
        """Wait as `join` does; return whether the runs before have ended too. For any thread."""
        before = self._before
        return self.join(timeout_seconds) and (before is None or before.is_over(timeout_seconds))

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run_session(self) -> None:
        """Run the session; the events always end with `RunFinished` or `RunFailed`. The thread's body."""
        try:
            self._wait_for_run_before()
            session = self._open_session(self.config, self._set_stage) if self._stop_reason is None else None
            self._session = session
            if session is None or self._stop_reason is not None:
                reason = self._stop_reason or ""
                self._emit(RunFinished(step=0, elapsed_seconds=0.0, reason=reason, total_seconds=0.0, total_chars=0))
            else:
                session.run(self._emit, self._commands)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the screen must show it
            self._fail(to_tweetgen_error(error, "The session"))
        else:
            self._fail(InternalError("The session ended without a final event.", "The log may have details."))

    def _wait_for_run_before(self) -> None:
        """Wait for the end of the run before, if any, unless this one is stopped."""
        if self._before is not None:
            self.stage = Stage("waiting for the run before to end")
            while not self._before.is_over(_POLL_SECONDS):
                if self._stop_reason is not None:
                    return
            self._before = None

    def _set_stage(self, stage: Stage) -> None:
        self.stage = stage

    def _emit(self, event: Event) -> None:
        self._last_event = event
        self._events.put(event)
        self.subscriber.handle(event)

    def _fail(self, error: TweetgenError) -> None:
        """Emit `RunFailed`, unless the stream has already ended."""
        if not isinstance(self._last_event, RunFinished | RunFailed):
            self._emit(failure_event(error, self._last_event))

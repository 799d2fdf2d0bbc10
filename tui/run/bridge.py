"""The bridge between screen and session: two queues and the thread that the session runs on.

The only place on the screen's side that starts a session, and the only one where torch is imported: on that thread, so
that the window opens at once. The screen asks (`drain`) at its own pace; the session never calls into it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.config.run import RunConfig
from engine.errors import InternalError, TweetgenError
from engine.protocol.commands import Command, Stop
from engine.protocol.events import Event, RunFailed, RunFinished
from engine.protocol.stage import Stage
from tui.run.error_report import to_tweetgen_error
from tui.run.view import RunView

_LOOK_SECONDS = 0.2
"""How often a run that waits for another looks whether it is still wanted."""


class Session(Protocol):
    """What the bridge needs of a training session."""

    def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command], /) -> None:
        """Run to the end: events out through `emit`, commands in from the queue."""

    @property
    def num_waiting(self) -> int:
        """How many commands were taken from the queue and are not followed to the end yet. For any thread."""


OnStage = Callable[[Stage], None]
OpenSession = Callable[[RunConfig, OnStage], Session]
"""Makes a session; tells the function given what it is doing meanwhile."""


def open_training_session(config: RunConfig, on_stage: OnStage) -> Session:
    """Import torch and return a `TrainingSession`. Called on the bridge's thread."""
    on_stage(Stage("loading torch"))
    from engine.session.session import TrainingSession

    return TrainingSession(config, on_stage, pauses_at_end=True)


class EventSubscriber(Protocol):
    """Hears the events of a session besides its screen."""

    def handle(self, event: Event) -> None:
        """Take note of an event. Never waits and never raises; called on the session's thread."""

    @property
    def num_clients(self) -> int:
        """How many others could steer the run now."""

    @property
    def problem(self) -> str:
        """Why no terminal can attach; empty where one can, or the run has not started."""

    def close(self) -> None:
        """Let the others hear the end."""


class NullSubscriber:
    """Where nobody else can watch."""

    num_clients = 0
    problem = ""

    def handle(self, event: Event) -> None:
        """Take no note."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True)
class Update:
    """What a run did since the last look at it."""

    events: tuple[Event, ...] = ()
    view: RunView | None = None
    """The run as it stood before `events`, where earlier events were missed; None where none was."""


class Bridge(Protocol):
    """A screen's way to a run, wherever that is trained. For the screen's thread; nothing blocks but `join`."""

    @property
    def stage(self) -> Stage:
        """What the run is doing before `RunStarted`."""

    @property
    def config(self) -> RunConfig:
        """What the run was asked for."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether another process trains: then a screen can go without a word, and the run goes on."""

    @property
    def host_pid(self) -> int | None:
        """That process; None where it is this one."""

    @property
    def num_screens(self) -> int:
        """How many screens are attached to the run; 0 where this one is its own."""

    @property
    def badge(self) -> str:
        """How the screen is attached, in a few words; empty where the run is its own."""

    @property
    def refusal(self) -> str:
        """Why this screen must not change the run; empty where it may."""

    @property
    def welcome(self) -> str:
        """What to tell at the beginning; may be empty."""

    @property
    def attach_problem(self) -> str:
        """Why no terminal can attach to the run; empty where one can."""

    @property
    def num_undrained(self) -> int:
        """How many events wait for `drain`. For any thread."""

    def start(self) -> None:
        """Let the run begin, or what is told of it."""

    def successor(self, config: RunConfig) -> Bridge:
        """Return a bridge for another run, which begins once this one has ended."""

    def drain(self) -> Update:
        """Return what happened since the last call."""

    def send(self, command: Command) -> None:
        """Hand a command to the session, which looks at it between two steps."""

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Ask the session to save and end, or not to begin; to refuse, with `unless_unsaved`, where it can't save."""

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end at most so long; say whether it has come."""

    def is_over(self, timeout_seconds: float) -> bool:
        """Wait as `join` does; say whether all that this one was to wait for have ended too. For any thread."""

    @property
    def is_alive(self) -> bool:
        """Whether there is more to come."""


SubscriberFactory = Callable[["EngineBridge"], EventSubscriber]
"""Lets others watch the run of a bridge."""


class EngineBridge:
    """Run one session on a thread of its own. All methods are for the screen's thread, and none of them blocks."""

    is_elsewhere = False
    host_pid = None
    num_screens = 0
    badge = refusal = welcome = ""

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
        """What the thread is doing before `RunStarted`."""
        self.config = config
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
        """Return the events since the last call, in order; none is ever missed."""
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
        """How many commands the session has not followed to the end yet. For any thread."""
        session = self._session
        return self._commands.qsize() + (0 if session is None else session.num_waiting)

    @property
    def num_undrained(self) -> int:
        """How many events wait for `drain`. For any thread."""
        return self._events.qsize()

    def send(self, command: Command) -> None:
        """Hand a command to the session, which looks at it between two steps."""
        self._commands.put(command)

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Ask the session to save and end, or not to begin; to refuse, with `unless_unsaved`, where it can't save."""
        self._stop_reason = reason
        self.send(Stop(reason=reason, unless_unsaved=unless_unsaved))

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the thread at most so long; say whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def is_over(self, timeout_seconds: float) -> bool:
        """Wait as `join` does; say whether all that this one was to wait for have ended too. For any thread."""
        before = self._before
        return self.join(timeout_seconds) and (before is None or before.is_over(timeout_seconds))

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run_session(self) -> None:
        """Open and run the session; make sure that the stream ends with a terminal event. The thread's body."""
        try:
            self._wait_for_the_run_before()
            session = self._open_session(self.config, self._set_stage) if self._stop_reason is None else None
            self._session = session
            if session is None or self._stop_reason is not None:
                self._give_up(self._stop_reason or "")
            else:
                session.run(self._emit, self._commands)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the screen must hear of it
            self._fail(to_tweetgen_error(error, "The session"))
        else:
            self._fail(InternalError("The session ended without saying why.", "The log may hold more."))

    def _wait_for_the_run_before(self) -> None:
        """Wait for the end of the run before, if there was one, as long as this one is wanted."""
        if self._before is not None:
            self.stage = Stage("waiting for the run before to end")
            while not self._before.is_over(_LOOK_SECONDS):
                if self._stop_reason is not None:
                    return
            self._before = None

    def _give_up(self, reason: str) -> None:
        """End a run that was stopped before its session was opened."""
        self._emit(RunFinished(step=0, elapsed_seconds=0.0, reason=reason, total_seconds=0.0, total_chars=0))

    def _set_stage(self, stage: Stage) -> None:
        self.stage = stage

    def _emit(self, event: Event) -> None:
        self._last_event = event
        self._events.put(event)
        self.subscriber.handle(event)

    def _fail(self, error: TweetgenError) -> None:
        """Put one `RunFailed` on the queue, unless the stream has already ended."""
        last = self._last_event
        if not isinstance(last, RunFinished | RunFailed):
            step, elapsed_seconds = (last.step, last.elapsed_seconds) if last else (0, 0.0)
            self._emit(
                RunFailed(
                    step=step,
                    elapsed_seconds=elapsed_seconds,
                    title=error.title,
                    detail=error.message,
                    hint=error.hint,
                )
            )

"""The bridge between screen and session: two queues and the thread that the session runs on.

The only place on the screen's side that starts a session, and the only one where torch is imported: on that thread, so
that the window opens at once. The screen asks (`drain`) at its own pace; the session never calls into it.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import Protocol

from engine.commands import Command, Stop
from engine.config import RunConfig
from engine.errors import InternalError, StorageError, TweetgenError
from engine.events import Event, RunFailed, RunFinished
from engine.folders import home
from engine.log import log_to

_LOGGER = logging.getLogger(__name__)


class Session(Protocol):
    """What the bridge needs of a training session."""

    def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command], /) -> None:
        """Run to the end: events out through `emit`, commands in from the queue."""


OpenSession = Callable[[RunConfig, Callable[[str], None]], Session]
"""Makes a session; tells the function given what it is doing meanwhile, in a few words."""


def open_training_session(config: RunConfig, on_stage: Callable[[str], None]) -> Session:
    """Import torch and return a `TrainingSession`. Called on the bridge's thread."""
    on_stage("loading torch")
    from engine.session import TrainingSession

    return TrainingSession(config, on_stage, rests_at_end=True)


class EngineBridge:
    """Run one session on a thread of its own. All methods are for the screen's thread, and none of them blocks."""

    def __init__(self, config: RunConfig, open_session: OpenSession = open_training_session) -> None:
        """Prepare; nothing runs before `start`."""
        self.stage = "starting"
        """What the thread is doing before `RunStarted`."""
        self._config = config
        self._open_session = open_session
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._last_event: Event | None = None
        # a daemon: a session that hangs must not keep the program from ending
        self._thread = threading.Thread(target=self._run_session, name="session", daemon=True)

    def start(self) -> None:
        """Start the session."""
        self._thread.start()

    def drain(self) -> tuple[Event, ...]:
        """Return the events since the last call, in order."""
        events = []
        while True:
            try:
                events.append(self._events.get_nowait())
            except queue.Empty:
                return tuple(events)

    def send(self, command: Command) -> None:
        """Hand a command to the session, which looks at it between two steps."""
        self._commands.put(command)

    def stop(self, reason: str) -> None:
        """Ask the session to save and end."""
        self.send(Stop(reason=reason))

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the thread at most so long; say whether it has ended."""
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run_session(self) -> None:
        """Open and run the session; make sure that the stream ends with a terminal event. The thread's body."""
        try:
            self._open_session(self._config, self._set_stage).run(self._emit, self._commands)
        except TweetgenError as error:
            self._fail(error)
        except BaseException as error:  # whatever it is, the screen must hear of it
            path = home() / "tweetgen.log"
            with contextlib.suppress(StorageError), log_to(path, "tui"):
                _LOGGER.exception("The session ended with an error.")
            self._fail(InternalError(f"{type(error).__name__}: {error}", f"The traceback is in {path}."))
        else:
            self._fail(InternalError("The session ended without saying why.", "The log may hold more."))

    def _set_stage(self, stage: str) -> None:
        self.stage = stage

    def _emit(self, event: Event) -> None:
        self._last_event = event
        self._events.put(event)

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

"""`RunConnection`: how a screen reaches a run: one of this process, of another process, or a replay."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.config.run import RunConfig
from engine.errors import InternalError, TweetgenError
from engine.protocol.commands import Command, Stop
from engine.protocol.events import Event, RunFailed, RunFinished
from engine.protocol.progress import Stage
from engine.storage.folders import home
from engine.storage.log import log_traceback
from tui.run.view import RunView


@dataclass(frozen=True)
class Update:
    """What `RunConnection.drain` returns."""

    events: tuple[Event, ...] = ()
    view: RunView | None = None
    """The run before `events`, where earlier events were missed; else None."""


class RunConnection:
    """A run as the screen reaches it, on the screen's thread: only `wait` blocks. The last event is its end."""

    config: RunConfig
    """The config with which the run was started."""
    stage = Stage("starting")
    """What the run does before `RunStarted`."""
    is_remote = False
    """Whether another process trains: the run then continues when the screen closes."""
    host_pid: int | None = None
    """The process that trains; None where it is this one."""
    num_screens = 0
    """How many screens are attached to the run of another process; 0 for a run of this one."""
    refusal = ""
    """Why this screen must not change the run; empty where it may."""
    welcome = ""
    """The notice shown at the start."""
    _thread: threading.Thread
    """The thread that adds the events. A replay has none, and overrides what uses it."""
    _before: RunConnection | None = None
    """The run that must have ended before this one starts."""

    def start(self) -> None:
        """Start the run, if it is to be started."""
        self._thread.start()

    def drain(self) -> Update:
        """Return the events since the last call, in order."""
        raise NotImplementedError

    def send(self, command: Command) -> None:
        """Send a command to the session, which handles it between two steps."""
        raise NotImplementedError

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Have the session save and end, or not start; with `unless_unsaved` it refuses where it can't save."""
        self.send(Stop(reason=reason, unless_unsaved=unless_unsaved))

    def wait(self, seconds: float) -> bool:
        """Wait for the end of this run and of those before it; return whether they have ended. For any thread."""
        if self.is_alive:
            self._thread.join(seconds)
        before = self._before  # the run's thread may clear it
        return not self.is_alive and (before is None or before.wait(seconds))

    @property
    def is_alive(self) -> bool:
        """Whether more events can come."""
        return self._thread.is_alive()

    @property
    def num_clients(self) -> int:
        """How many other terminals could steer a run of this process now."""
        return 0

    @property
    def badge(self) -> str:
        """How the screen is attached, in a few words; empty for a run of this process."""
        return ""

    @property
    def interruption(self) -> str:
        """Why the connection to the run is interrupted, as a sentence; empty while it is not."""
        return ""

    @property
    def attach_problem(self) -> str:
        """Why no terminal can attach to the run; empty where one can."""
        return ""


OpenRun = Callable[[RunConfig, RunConnection | None], RunConnection]
"""Opens a run of this config, which starts once the one before has ended."""


def to_tweetgen_error(error: BaseException, what: str) -> TweetgenError:
    """Return an exception as a `TweetgenError`; `what` failed, in the log with the traceback of an internal one."""
    if isinstance(error, TweetgenError):
        return error
    where = log_traceback(error, f"{what} ended with an error.", home() / "tweetgen.log", "tui")
    return InternalError(f"{type(error).__name__}: {error}", where)


def time_of(last: Event | None) -> dict[str, Any]:
    """Return step and time of an event that follows `last`, in place of one from the session."""
    return {"step": last.step if last else 0, "elapsed_seconds": last.elapsed_seconds if last else 0.0}


def failure_event(error: TweetgenError, last: Event | None) -> RunFailed:
    """Return the event that ends a run with an error after its event `last`."""
    return RunFailed(**time_of(last), title=error.title, detail=error.message, hint=error.hint)


def end_event(reason: str, last: Event | None = None) -> RunFinished:
    """Return the event that ends a run whose session can't report its end, after its event `last`."""
    now = time_of(last)
    return RunFinished(**now, reason=reason, total_seconds=now["elapsed_seconds"], total_chars=0)

"""`Bridge`: the interface of a screen to a run, and `EventSubscriber`, that of the others that receive its events.

An exception as an error for the user, and an error as the last event of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.config.run import RunConfig
from engine.errors import InternalError, TweetgenError
from engine.progress import Stage
from engine.protocol.commands import Command
from engine.protocol.events import Event, RunFailed
from engine.storage.folders import home
from engine.storage.log import log_traceback
from tui.run.view import RunView


@dataclass(frozen=True)
class Update:
    """What `Bridge.drain` returns."""

    events: tuple[Event, ...] = ()
    view: RunView | None = None
    """The run before `events`, where earlier events were missed; else None."""


class Bridge(Protocol):
    """The interface of a screen to a run, in this process or another. For the screen's thread; only `join` blocks."""

    @property
    def stage(self) -> Stage:
        """What the run does before `RunStarted`."""

    @property
    def config(self) -> RunConfig:
        """With which the run was started."""

    @property
    def is_remote(self) -> bool:
        """Whether another process trains: the run then continues when the screen closes."""

    @property
    def host_pid(self) -> int | None:
        """The process that trains; None where it is this one."""

    @property
    def num_screens(self) -> int:
        """How many screens are attached to the run of another process; 0 for a run of this one."""

    @property
    def badge(self) -> str:
        """How the screen is attached, in a few words; empty for a run of this process."""

    @property
    def refusal(self) -> str:
        """Why this screen must not change the run; empty where it may."""

    @property
    def interruption(self) -> str:
        """Why the connection to the run is interrupted, as a sentence; empty while it is not."""

    @property
    def welcome(self) -> str:
        """The notice shown at the start; may be empty."""

    @property
    def attach_problem(self) -> str:
        """Why no terminal can attach to the run; empty where one can."""

    @property
    def num_undrained(self) -> int:
        """How many events wait for `drain`. For any thread."""

    def start(self) -> None:
        """Start the thread, if it is not running yet."""

    def successor(self, config: RunConfig) -> Bridge:
        """Return a bridge for another run, which starts once this one has ended."""

    def drain(self) -> Update:
        """Return the events since the last call."""

    def send(self, command: Command) -> None:
        """Send a command to the session, which handles it between two steps."""

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Have the session save and end, or not start; with `unless_unsaved` it refuses where it can't save."""

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end of the run at most `timeout_seconds`; return whether it has ended."""

    def is_over(self, timeout_seconds: float) -> bool:
        """Wait as `join` does; return whether the runs before have ended too. For any thread."""

    @property
    def is_alive(self) -> bool:
        """Whether more events can come."""


class EventSubscriber(Protocol):
    """Receives the events of a session, besides its screen, for other clients."""

    def handle(self, event: Event) -> None:
        """Handle an event. Never blocks and never raises; called on the session's thread."""

    @property
    def num_clients(self) -> int:
        """How many clients could steer the run now."""

    @property
    def problem(self) -> str:
        """Why no client can attach; empty where clients can, and before the run has started."""

    def close(self) -> None:
        """Send the clients the remaining events."""


class NullSubscriber:
    """A subscriber without clients."""

    num_clients = 0
    problem = ""

    def handle(self, event: Event) -> None:
        """Ignore the event."""

    def close(self) -> None:
        """Do nothing."""


def to_tweetgen_error(error: BaseException, what: str) -> TweetgenError:
    """Return an exception as a `TweetgenError`; `what` failed, in the log with the traceback of an internal one."""
    if isinstance(error, TweetgenError):
        return error
    where = log_traceback(error, f"{what} ended with an error.", home() / "tweetgen.log", "tui")
    return InternalError(f"{type(error).__name__}: {error}", where)


def failure_event(error: TweetgenError, last: Event | None) -> RunFailed:
    """Return the event that ends a run with an error after its event `last`."""
    return RunFailed(
        step=last.step if last else 0,
        elapsed_seconds=last.elapsed_seconds if last else 0.0,
        title=error.title,
        detail=error.message,
        hint=error.hint,
    )

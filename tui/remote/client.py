"""`RemoteBridge`: the bridge of a screen to a run that another process trains. The screen can't tell it from the other.

Two threads: one reads what the host says, one writes what the screen wants, so that no call here ever waits. Where the
connection breaks while the run is still on (a watcher that was stopped for long is let go), it is made anew.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Iterable
from dataclasses import replace

from engine.config.run import RunConfig
from engine.errors import RemoteError, TweetgenError
from engine.protocol import commands, events
from engine.protocol.codec import DecodeError
from engine.protocol.commands import Command
from engine.protocol.events import Event, RunFailed, RunFinished
from engine.protocol.stage import Stage
from engine.storage.folders import RunFolder
from tui.remote.connect import connected
from tui.remote.protocol import (
    START_OF_EVENT,
    CaughtUp,
    Hello,
    Refusal,
    Screens,
    TweetsTold,
    ViewTold,
    message_in,
    to_line,
)
from tui.remote.view_codec import view_of
from tui.run.bridge import EngineBridge, SubscriberFactory, Update
from tui.run.history import read_history
from tui.run.view import RunView

_CONNECT_SECONDS = 2.0
_RECONNECT_SECONDS = 5.0
_PAUSE_SECONDS = 0.2
"""Between the end of a connection and the next."""
_ARRIVAL_SECONDS = 20.0


class RemoteBridge:
    """A connection of a screen to a run of another process, for the screen's thread; `connect` and `join` block."""

    is_elsewhere = True
    attach_problem = ""

    def __init__(
        self, folder: RunFolder, make_subscriber: SubscriberFactory | None = None, *, is_read_only: bool = False
    ) -> None:
        """Prepare to attach to the run of `folder`; `make_subscriber` is for later runs, which this process trains."""
        self.stage = Stage("attaching")
        self.config = RunConfig()
        """What the run was asked for; known once `connect` has returned."""
        self.is_read_only = is_read_only
        self.refusal = "You are only watching: this terminal was attached with --read-only." if is_read_only else ""
        """Why this screen must not change the run."""
        self.welcome = ""
        """What to tell whoever has just attached."""
        self.host_pid: int | None = None
        """The process that trains."""
        self.num_screens = 1
        """How many screens are attached, this one included."""
        self._folder = folder
        self._make_subscriber = make_subscriber
        self._events: list[Event] = []
        self._fresh_view: RunView | None = None
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._arrived = threading.Event()
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._leaving = threading.Event()
        self._last_event: Event | None = None
        self._problem: TweetgenError | None = None
        self._thread = threading.Thread(target=self._stay, name="attached", daemon=True)

    def connect(self) -> RunView:
        """Connect, and return the run as it stands. Waits for it. Raises `RemoteError`."""
        self._thread.start()
        if not self._arrived.wait(_ARRIVAL_SECONDS):
            self.leave()
            raise RemoteError(f"The run {self._folder.name} does not say where it stands.")
        with self._lock:
            view, self._fresh_view = self._fresh_view, None
        if view is None:
            raise self._problem or RemoteError(f"The run {self._folder.name} has just ended.")
        return view

    def start(self) -> None:
        """Do nothing: `connect` has."""

    def successor(self, config: RunConfig) -> EngineBridge:
        """Return a bridge for another run, which this process trains."""
        return EngineBridge(config, before=self, make_subscriber=self._make_subscriber)

    def drain(self) -> Update:
        """Return what happened since the last call."""
        with self._lock:
            update = Update(tuple(self._events), self._fresh_view)
            self._events, self._fresh_view = [], None
            return update

    @property
    def num_undrained(self) -> int:
        """How many events wait for `drain`."""
        return len(self._events)

    def send(self, command: Command) -> None:
        """Send a command to the run, unless this screen is read-only."""
        if not self.is_read_only:
            self._outbox.put(commands.to_json(command).encode() + b"\n")

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Ask the run to save and end, as the other bridge does; one who only watches leaves it alone."""
        if self.is_read_only:
            self.leave()
        else:
            self.send(commands.Stop(reason=reason, unless_unsaved=unless_unsaved))

    def leave(self) -> None:
        """Let the run go on without this screen."""
        with self._lock:
            self._leaving.set()
            self._hang_up()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end of the connection at most so long; say whether it has come."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def is_over(self, timeout_seconds: float) -> bool:
        """Wait as `join` does."""
        return self.join(timeout_seconds)

    @property
    def badge(self) -> str:
        """How this screen is attached, and how many are."""
        way = "read-only" if self.is_read_only else "attached"
        return way if self.num_screens == 1 else f"{way}, {self.num_screens} screens"

    @property
    def is_alive(self) -> bool:
        """Whether there is a connection, or will be one."""
        return self._thread.is_alive()

    def _stay(self) -> None:
        """Be connected until the run ends or the screen leaves. The thread's body."""
        try:
            seconds = _CONNECT_SECONDS
            while self._is_to_stay():
                with connected(self._folder, seconds) as (connection, greeting, lines):
                    self.host_pid = greeting.pid
                    with self._lock:
                        self._connection = connection
                    if not self._leaving.is_set():  # if it leaves from here on, it ends this connection
                        self._listen(connection, lines)
                if self._is_to_stay():
                    self._leaving.wait(_PAUSE_SECONDS)  # the process may be about to end
                seconds = _RECONNECT_SECONDS
        except TweetgenError as error:
            self._problem = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the screen must hear of it
            self._problem = RemoteError(f"{type(error).__name__}: {error}")
        if self._is_to_stay() and not self._has_read_end():
            self._fail()
        self._arrived.set()

    def _is_to_stay(self) -> bool:
        """Say whether there is a run to be connected to, and a screen that wants to be."""
        return not self._has_ended and not self._leaving.is_set()

    @property
    def _has_ended(self) -> bool:
        return isinstance(self._last_event, RunFinished | RunFailed)

    def _listen(self, connection: socket.socket, lines: Iterable[bytes]) -> None:
        """Say hello, then take in what is said until the connection ends."""
        outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        outbox.put(to_line(Hello(is_read_only=self.is_read_only)))
        self._outbox = outbox  # what was meant for a connection that broke is not sent late
        writer = threading.Thread(target=_write, args=(connection, outbox), name="wishes", daemon=True)
        writer.start()
        try:
            self._take_in(lines)
        except (OSError, DecodeError) as error:
            self._problem = RemoteError(f"The connection to the run {self._folder.name} broke: {error}.")
        finally:
            self._hang_up()  # or the writer might wait for ever for somebody to read
            outbox.put(None)
            writer.join()

    def _take_in(self, lines: Iterable[bytes]) -> None:
        """Take in lines: a whole view, then events. Raises `DecodeError`."""
        told: ViewTold | None = None
        view = RunView()
        for line in lines:
            if not line.endswith(b"\n"):  # the host was killed
                return
            if line.startswith(START_OF_EVENT):
                self._happen(events.from_json(line))
                continue
            match message_in(line):
                case ViewTold() as told:
                    view = view_of(told.view)
                case TweetsTold(tweets=tweets):
                    view = replace(view, tweets=(*view.tweets, *tweets))
                case CaughtUp() if told is not None:
                    self.config = told.config
                    self._begin_anew(view)
                case Screens(count=count):
                    self.num_screens = count
                case Refusal(reason=reason, hint=hint):
                    raise RemoteError(f"The run {self._folder.name} can't be attached to: {reason}", hint)
                case _:
                    raise DecodeError("that should not come here")

    def _happen(self, event: Event) -> None:
        self._last_event = event
        self._put(event)

    def _put(self, event: Event) -> None:
        """Have the next `drain` return an event."""
        with self._lock:
            self._events.append(event)

    def _begin_anew(self, view: RunView) -> None:
        """Take a view in place of the events before it."""
        with self._lock:
            self._events, self._fresh_view = [], view
        self._last_event = view.ended
        self._arrived.set()

    def _has_read_end(self) -> bool:
        """Take the end of the run from its journal, where it has ended while there was no connection; say whether."""
        try:
            view, _ = read_history(self._folder.journal_path)
        except OSError:
            return False
        if view.ended is not None and self._arrived.is_set():
            self._begin_anew(view)
        return self._has_ended

    def _hang_up(self) -> None:
        """End the connection, whatever its threads wait for."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def _fail(self) -> None:
        """Tell the screen that the run has gone without a word."""
        problem = self._problem or RemoteError(f"The run {self._folder.name} has ended without a word.")
        last = self._last_event
        self._happen(
            RunFailed(
                step=last.step if last else 0,
                elapsed_seconds=last.elapsed_seconds if last else 0.0,
                title=problem.title,
                detail=problem.message,
                hint=problem.hint or f"Go on from what it has saved: tweetgen-tui --resume {self._folder.name}",
            )
        )


def _write(connection: socket.socket, outbox: queue.SimpleQueue[bytes | None]) -> None:
    """Send lines until None. A thread's body."""
    while (line := outbox.get()) is not None:
        try:
            connection.sendall(line)
        except OSError:  # the reader tells
            return

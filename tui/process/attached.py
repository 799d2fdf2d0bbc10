"""Connects to the socket of an active run, and reads its greeting.

`ClientConnection`: one connection at the client's end. A thread of its own writes, so that `send` never blocks.

`AttachedRun`: the connection of a screen to a run that another process trains. The screen sees no difference.

A thread reads what the host sends; another writes, so that no call blocks. Where the connection breaks while the run is
still active (the host disconnects a client that was stopped for long), or torchrun starts its processes again, it
connects again.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import msgspec

from engine.config.run import RunConfig
from engine.errors import RemoteError, StorageError, TweetgenError
from engine.progress import Stage
from engine.protocol import codec, commands, events
from engine.protocol.codec import DecodeError
from engine.protocol.commands import Command
from engine.protocol.events import Event, RunFailed, RunFinished
from engine.protocol.insight import Question
from engine.storage.folders import RunFolder
from engine.storage.journal import last_event
from tui.process.protocol import (
    MAX_CLIENT_LINE_BYTES,
    START_OF_EVENT,
    CaughtUp,
    Greeting,
    Hello,
    Refusal,
    Screens,
    TweetsTold,
    ViewTold,
    decode_view,
    message_in,
    to_line,
)
from tui.process.sockets import is_active, require_private, socket_path
from tui.process.torchrun import Agent
from tui.run.connection import RunConnection, Update, failure_event
from tui.run.journal import read_history
from tui.run.view import RunView

_SECONDS = 2.0
"""A host answers far sooner, however busy its cores are."""
_RETRY_SECONDS = 0.1
_SILENT = "it does not answer"
OTHER_VERSION = "it runs another version of tweetgen-tui"
"""Why a client can't decode what the host sends at first."""


@contextlib.contextmanager
def connected(folder: RunFolder, seconds: float = _SECONDS) -> Iterator[tuple[socket.socket, Greeting, BinaryIO]]:
    """Connect to a run: yield the socket, the host's greeting, and the lines that follow it. Raises `RemoteError`.

    Retry for `seconds` while the run is active and can't be reached: its socket may have been deleted.
    """
    deadline = time.monotonic() + seconds
    with _connect(folder, deadline) as connection, connection.makefile("rb") as lines:
        greeting = _greeting(lines, folder)
        connection.settimeout(None)
        yield connection, greeting, lines


def _connect(folder: RunFolder, deadline: float) -> socket.socket:
    """Return a socket connected to the run's. Raises `RemoteError`."""
    path = socket_path(folder)
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            require_private(path.parent)
            connection.settimeout(_SECONDS)
            connection.connect(str(path))
        except StorageError as error:
            connection.close()
            raise RemoteError(error.message, error.hint) from None
        except OSError as error:
            connection.close()
            if not is_active(folder):
                hint = f"Continue it: tweetgen-tui --resume {folder.name}"
                raise RemoteError(f"The run {folder.name} is not active.", hint) from None
            if time.monotonic() > deadline:
                detail = f"The run {folder.name} is active, but can't be reached: {error}."
                raise RemoteError(detail, "Its log may have details.") from None
            time.sleep(_RETRY_SECONDS)
        else:
            return connection


def _greeting(lines: BinaryIO, folder: RunFolder) -> Greeting:
    """Return the host's first line. Raises `RemoteError`."""
    problem = _SILENT
    try:
        line = lines.readline(MAX_CLIENT_LINE_BYTES)
        if line.endswith(b"\n"):
            return _decode_greeting(line)
    except OSError as error:
        problem = error.strerror or problem
    except DecodeError as error:
        problem = str(error)
    raise RemoteError(
        f"The run {folder.name} can't be attached to: {problem}.",
        "If it was stopped by ctrl+z, fg in its terminal resumes it." if problem == _SILENT else "",
    )


def _decode_greeting(line: bytes) -> Greeting:
    """Return the greeting in a line. Raises `DecodeError` with a message for the user."""
    try:
        message = message_in(line)
    except DecodeError as error:
        raise DecodeError(OTHER_VERSION) from error
    if isinstance(message, Greeting):
        return message
    raise DecodeError(message.reason.rstrip(".") if isinstance(message, Refusal) else "it sent no greeting")


def read_greeting(folder: RunFolder) -> Greeting | None:
    """Return the greeting of a run; None where it is not active or does not answer."""
    if not is_active(folder):
        return None
    try:
        with connected(folder) as (_, greeting, _):
            return greeting
    except RemoteError:
        return None


@dataclass(frozen=True)
class Snapshot:
    """The run at the moment when the client attached, or caught up after it fell behind."""

    view: RunView
    config: RunConfig


class ClientConnection:
    """Sends lines, and reads snapshots and events. `send` and `disconnect` are for any thread."""

    def __init__(self, connection: socket.socket, lines: Iterable[bytes], hello: Hello) -> None:
        """Queue `hello`; nothing is sent before `run`. `lines` are those received on the socket `connection`."""
        self._socket = connection
        self._lines = lines
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self.send(to_line(hello))

    def send(self, line: bytes) -> None:
        """Queue a line; it is lost where the connection breaks."""
        self._outbox.put(line)

    def disconnect(self) -> None:
        """End the connection, whatever its threads wait for."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def run(self, on_message: Callable[[Event | Snapshot | Screens], None]) -> None:
        """Call `on_message` with all that is received until the connection ends.

        Raises `OSError` and `DecodeError`, and `RemoteError` for a refusal.
        """
        writer = threading.Thread(target=self._write, name="commands", daemon=True)
        writer.start()
        try:
            for message in self._messages():
                on_message(message)
        finally:
            self.disconnect()  # or the writer might wait for ever for a host that does not read
            self._outbox.put(None)
            writer.join()

    def _messages(self) -> Iterator[Event | Snapshot | Screens]:
        """Yield what is received: a snapshot, then events; another snapshot after a gap."""
        view_told: ViewTold | None = None
        view = RunView()
        for line in self._lines:
            if not line.endswith(b"\n"):  # the host was killed
                return
            if line.startswith(START_OF_EVENT):
                yield events.from_json(line)
                continue
            match message_in(line):
                case ViewTold() as view_told:
                    view = decode_view(view_told.view)
                case TweetsTold(tweets=tweets):
                    view = replace(view, tweets=(*view.tweets, *tweets))
                case CaughtUp() if view_told is not None:
                    yield Snapshot(view, view_told.config)
                case Screens() as screens:
                    yield screens
                case Refusal(reason=reason, hint=hint):
                    raise RemoteError(reason, hint)
                case _:
                    raise DecodeError("unexpected message")

    def _write(self) -> None:
        """Send the queued lines until None. The writer thread's body."""
        while (line := self._outbox.get()) is not None:
            try:
                self._socket.sendall(line)
            except OSError:  # the reader reports it
                return


_CONNECT_SECONDS = 2.0
_RECONNECT_SECONDS = 5.0
_PAUSE_SECONDS = 0.2
"""Between the end of a connection and the next."""
_SNAPSHOT_SECONDS = 20.0


class AttachedRun(RunConnection):
    """A connection of a screen to a run of another process, for the screen's thread; `connect` blocks, too."""

    is_remote = True
    stage = Stage("attaching")

    def __init__(self, folder: RunFolder, *, is_read_only: bool = False, agent: Agent | None = None) -> None:
        """Prepare to attach to the run of `folder`.

        `agent` is what starts the processes of a run again that is not active now: then it is waited for.
        """
        self.config = RunConfig()
        """The config of the run; known once `connect` has returned."""
        self.is_read_only = is_read_only
        self.refusal = "Read-only: this terminal was attached with --read-only." if is_read_only else ""
        """Why this screen must not change the run."""
        self.num_screens = 1
        """Screens attached to the run, including this one."""
        self._folder = folder
        self._events: list[Event] = []
        self._new_view: RunView | None = None
        self._has_snapshot = threading.Event()
        self._lock = threading.Lock()
        self._connection: ClientConnection | None = None
        self._leaving = threading.Event()
        self._last_event: Event | None = None
        self._problem: TweetgenError | None = None
        self._is_connected = False
        self._agent = agent
        """What starts the processes of the run again; None for a run of one process."""
        self._is_restarting = False
        """Whether they are being started, since the last connection ended."""
        self._stop_reason: str | None = None
        """Why the run was stopped meanwhile."""
        self._thread = threading.Thread(target=self._run, name="attached", daemon=True)

    def connect(self) -> RunView:
        """Connect, and return the current view of the run. Raises `RemoteError`."""
        self._thread.start()
        deadline = time.monotonic() + _SNAPSHOT_SECONDS
        while not self._has_snapshot.wait(_PAUSE_SECONDS):
            if self._is_restarting:
                deadline = time.monotonic() + _SNAPSHOT_SECONDS
            elif time.monotonic() > deadline:
                self.leave()
                raise RemoteError(f"The run {self._folder.name} does not answer.")
        with self._lock:
            view, self._new_view = self._new_view, None
        if view is None:
            raise self._problem or RemoteError(f"The run {self._folder.name} has just ended.")
        return view

    def drain(self) -> Update:
        """Return the events since the last call, after the view that replaces all before them if there is a new one."""
        with self._lock:
            update = Update(tuple(self._events), self._new_view)
            self._events, self._new_view = [], None
            return update

    @property
    def num_undrained(self) -> int:
        """Events that wait for `drain`."""
        return len(self._events)

    def send(self, command: Command) -> None:
        """Send a command to the run; a read-only screen sends only those that change nothing."""
        is_allowed = not self.is_read_only or isinstance(command, Question)
        if is_allowed and self._connection is not None:
            self._connection.send(codec.encode(command).encode() + b"\n")

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Send the run a request to save and end; a read-only screen only leaves it."""
        if self.is_read_only:
            self.leave()
        elif self._is_restarting and self._agent is not None:
            self._stop_reason = reason
            agent, self._agent = self._agent, None  # a second signal would interrupt it at its end
            agent.terminate()
        else:
            self.send(commands.Stop(reason=reason, unless_unsaved=unless_unsaved))

    def leave(self) -> None:
        """Disconnect; the run continues."""
        with self._lock:
            self._leaving.set()
            if self._connection is not None:
                self._connection.disconnect()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for the end of the connection; return whether it has ended. For any thread."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def badge(self) -> str:
        """How this screen is attached, and how many are."""
        if self._is_interrupted:
            return "restarting" if self._is_restarting else "reconnecting"
        mode = "read-only" if self.is_read_only else "attached"
        return mode if self.num_screens == 1 else f"{mode}, {self.num_screens} screens"

    @property
    def interruption(self) -> str:
        """Why the connection to the run is interrupted; empty while it is not."""
        if not self._is_interrupted:
            return ""
        if self._is_restarting:
            return "The processes of the run are starting again: no key reaches it until then."
        return "The connection to the run is interrupted: no key reaches it until it is back."

    @property
    def _is_interrupted(self) -> bool:
        """Whether the connection is to be made again."""
        return self._has_snapshot.is_set() and not self._is_connected and self.is_alive and self._should_run

    @property
    def is_alive(self) -> bool:
        """Whether there is a connection, or will be one."""
        return self._thread.is_alive()

    def _run(self) -> None:
        """Serve connections until the run ends or the screen disconnects. The thread's body."""
        try:
            self._prepare()
            seconds = _CONNECT_SECONDS
            while self._should_run:
                self._connect_once(seconds)
                if self._should_run:
                    self._leaving.wait(_PAUSE_SECONDS)  # the process may be about to end
                seconds = _RECONNECT_SECONDS
        except TweetgenError as error:
            self._problem = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the screen must show it
            self._problem = RemoteError(f"{type(error).__name__}: {error}")
        if self._should_run and not self._has_read_end():
            self._handle_event(self._end_event())
        self._has_snapshot.set()

    def _prepare(self) -> None:
        """Do what comes before the first connection. On the thread. Raises `TweetgenError`."""

    def _connect_once(self, seconds: float) -> None:
        """Serve one connection until it ends. Raises `RemoteError` where there is none, and none to wait for."""
        is_reached = False
        try:
            with connected(self._folder, seconds) as (connection, greeting, lines):
                is_reached, self._is_restarting = True, False
                self.host_pid, self._agent = greeting.pid, greeting.agent
                self._serve(ClientConnection(connection, lines, Hello(is_read_only=self.is_read_only)))
        except RemoteError:
            if is_reached or not self._will_start_again():
                raise
        finally:
            self._is_restarting = self._will_start_again()
            self._is_connected = False

    def _will_start_again(self) -> bool:
        """Return whether the processes of the run are about to start again."""
        has_ended = isinstance(last_event(self._folder.journal_path), RunFinished | RunFailed)
        return not has_ended and self._agent is not None and self._agent.is_alive

    @property
    def _should_run(self) -> bool:
        return not self._has_ended and not self._leaving.is_set()

    @property
    def _has_ended(self) -> bool:
        return isinstance(self._last_event, RunFinished | RunFailed)

    def _serve(self, connection: ClientConnection) -> None:
        """Handle messages until the connection ends.

        Raises `RemoteError` where the host refuses it, or sends no view that can be decoded.
        """
        with self._lock:
            self._connection = connection
        if self._leaving.is_set():  # from here on, `leave` ends this connection
            return
        try:
            connection.run(self._handle)
        except (OSError, DecodeError) as error:
            if isinstance(error, DecodeError) and not self._has_snapshot.is_set():
                raise RemoteError(f"The run {self._folder.name} can't be attached to: {OTHER_VERSION}.") from error
            self._problem = RemoteError(f"The connection to the run {self._folder.name} broke: {error}.")
        except RemoteError as refusal:
            problem = f"The run {self._folder.name} can't be attached to: {refusal.message}"
            raise RemoteError(problem, refusal.hint) from None

    def _handle(self, message: Event | Snapshot | Screens) -> None:
        match message:
            case Snapshot(view=view, config=config):
                self.config = config
                self._replace_view(view)
            case Screens(count=count):
                self.num_screens = count
            case event:
                self._handle_event(event)

    def _handle_event(self, event: Event) -> None:
        self._last_event = event
        with self._lock:
            self._events.append(event)

    def _replace_view(self, view: RunView) -> None:
        """Replace the events so far by a view."""
        with self._lock:
            self._events, self._new_view = [], view
        self._last_event = view.ended
        self._is_connected = True
        self._has_snapshot.set()

    def _has_read_end(self) -> bool:
        """Read the journal of a run that may have ended while disconnected; return whether it has ended."""
        try:
            view, _ = read_history(self._folder.journal_path)
        except OSError:
            return False
        if view.ended is not None and self._has_snapshot.is_set():
            self._replace_view(view)
        return self._has_ended

    def _end_event(self) -> RunFinished | RunFailed:
        """Return the event that ends the stream of a run whose process is gone."""
        failure = self._failure()
        if self._stop_reason is not None:
            step, seconds = failure.step, failure.elapsed_seconds
            reason = self._stop_reason
            return RunFinished(step=step, elapsed_seconds=seconds, reason=reason, total_seconds=seconds, total_chars=0)
        if failure.hint or not self._has_snapshot.is_set():
            return failure
        return msgspec.structs.replace(
            failure, hint=f"Continue from its latest checkpoint: tweetgen-tui --resume {self._folder.name}"
        )

    def _failure(self) -> RunFailed:
        """Return the error of a run whose process is gone."""
        error = self._problem or RemoteError(f"The process of the run {self._folder.name} ended unexpectedly.")
        return failure_event(error, self._last_event)

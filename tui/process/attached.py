"""`AttachedRun`: a run of another process, or of several that this one starts. The screen sees no difference.

A thread reads what the host sends; a command that the kernel does not accept at once ends the connection, so that no
call blocks. It connects again where the connection breaks while the run is still active (the host disconnects a client
that was stopped for long), and where torchrun starts its processes again.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO, Literal

import msgspec

from engine.config.run import RunConfig
from engine.errors import RemoteError, StorageError, TweetgenError
from engine.protocol import events
from engine.protocol.codec import DecodeError
from engine.protocol.commands import Command
from engine.protocol.events import Event, RunFailed, RunFinished
from engine.protocol.insight import Question
from engine.protocol.progress import Stage
from engine.storage.folders import RunFolder
from engine.storage.journal import last_event
from engine.text import quoted
from tui.process import protocol
from tui.process.protocol import Greeting, Hello, Refusal, Screens, Snapshot, SnapshotEnd, TweetChunk
from tui.process.sockets import is_active, require_private, socket_path
from tui.process.torchrun import Agent, Torchrun, restarting_agent
from tui.run.connection import RunConnection, Update, end_event, failure_event, time_of
from tui.run.journal import read_history
from tui.run.view import RunView

_ANSWER_SECONDS = 2.0
"""A host answers far sooner, however busy its cores are."""
_CONNECT_SECONDS, _RECONNECT_SECONDS, _RETRY_SECONDS = 2.0, 5.0, 0.1
_PAUSE_SECONDS = 0.2
"""Time from the end of a connection, or of a check of the run before, to the next one."""
_SNAPSHOT_SECONDS = 20.0
_State = Literal["reconnecting", "restarting", "attached"]
"""Reconnecting: no view of a connection yet. Restarting: the processes are about to start. Attached: with a view."""
_INTERRUPTIONS: dict[_State, str] = {
    "restarting": "The processes of the run are starting again: no key reaches it until then.",
    "reconnecting": "The connection to the run is interrupted: no key reaches it until it is back.",
}
_SILENT = "it does not answer"
_OTHER_VERSION = "it runs another version of tweetgen-tui"


@contextlib.contextmanager
def connected(folder: RunFolder, seconds: float) -> Iterator[tuple[socket.socket, Greeting, BinaryIO]]:
    """Connect to a run: yield the socket, the host's greeting, and the lines that follow it. Raises `RemoteError`.

    Retry for `seconds` while the run is active and can't be reached: its socket may have been deleted.
    """
    path, deadline = socket_path(folder), time.monotonic() + seconds
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            if connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) < protocol.MAX_CLIENT_LINE_BYTES:
                # macOS accepts 8 KiB at once, less than a command may have
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, protocol.MAX_CLIENT_LINE_BYTES)
            try:
                require_private(path.parent)
                connection.connect(str(path))
            except StorageError as error:
                raise RemoteError(error.message, error.hint) from None
            except OSError as error:
                if not is_active(folder):
                    hint = f"Continue it: tweetgen-tui --resume {quoted(folder.name)}"
                    raise RemoteError(f"The run {folder.name} is not active.", hint) from None
                if time.monotonic() > deadline:
                    detail = f"The run {folder.name} is active, but can't be reached: {error}."
                    raise RemoteError(detail, "Its log may have details.") from None
            else:
                with connection.makefile("rb") as lines:
                    greeting = _greeting(lines, folder)
                    connection.settimeout(None)
                    yield connection, greeting, lines
                return
        time.sleep(_RETRY_SECONDS)


def _greeting(lines: BinaryIO, folder: RunFolder) -> Greeting:
    """Return the host's first line. Raises `RemoteError`."""
    problem = _SILENT
    try:
        line = lines.readline(protocol.MAX_CLIENT_LINE_BYTES)
        if line.endswith(b"\n"):
            match protocol.message_in(line):
                case Greeting() as greeting:
                    return greeting
                case Refusal(reason=reason):
                    problem = reason.rstrip(".")
                case _:
                    problem = "it sent no greeting"
    except OSError as error:
        problem = error.strerror or problem
    except DecodeError:
        problem = _OTHER_VERSION
    hint = "If it was stopped by ctrl+z, fg in its terminal resumes it." if problem == _SILENT else ""
    raise RemoteError(f"The run {folder.name} can't be attached to: {problem}.", hint)


def read_greeting(folder: RunFolder) -> Greeting | None:
    """Return the greeting of a run; None where it is not active or does not answer."""
    with contextlib.suppress(RemoteError):
        if is_active(folder):
            with connected(folder, _CONNECT_SECONDS) as (_, greeting, _):
                return greeting
    return None


class AttachedRun(RunConnection):
    """A run that others train, for the screen's thread; `connect` blocks, too."""

    is_remote = True

    def __init__(
        self,
        folder: RunFolder,
        *,
        is_read_only: bool = False,
        torchrun: Torchrun | None = None,
        before: RunConnection | None = None,
    ) -> None:
        """Prepare to attach to the run of `folder` at `connect`.

        With `torchrun`, `start` starts the processes of the run, once the run `before` has ended.
        """
        self.config = RunConfig() if torchrun is None else torchrun.config
        """The config of the run; known once the first view has come."""
        self.stage = Stage("attaching") if torchrun is None else torchrun.stage
        self.is_read_only = is_read_only
        self.refusal = "Read-only: this terminal was attached with --read-only." if is_read_only else ""
        self.num_screens = 1
        self.torchrun = torchrun
        self._before = before
        self._folder = folder
        self._agent: Agent | None = None
        """What starts the processes of the run again; None for a run of one process."""
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._new_view: RunView | None = None
        self._last_event: Event | None = None
        self._socket: socket.socket | None = None
        self._state: _State = "reconnecting"
        self._has_started = threading.Event()
        """Whether the first view has come."""
        self._leaving = threading.Event()
        self._problem: TweetgenError | None = None
        self._thread = threading.Thread(target=self._run, name="attached", daemon=True)

    def connect(self) -> RunView:
        """Connect, and return the current view of the run. Raises `RemoteError`."""
        self._thread.start()
        deadline = time.monotonic() + _SNAPSHOT_SECONDS
        while not self._has_started.wait(_PAUSE_SECONDS) and self.is_alive:
            if self._state == "restarting":
                deadline = time.monotonic() + _SNAPSHOT_SECONDS
            elif time.monotonic() > deadline:
                self.leave()
                raise RemoteError(f"The run {self._folder.name} does not answer.")
        with self._lock:
            view, self._new_view = self._new_view, None
        if view is None:
            raise self._problem or RemoteError(f"The run {self._folder.name} has just ended.")
        return view

    def start(self) -> None:
        """Start torchrun; without one, `connect` has done all there is to do."""
        if self.torchrun is not None:
            self._thread.start()

    def drain(self) -> Update:
        """Return the events since the last call, after the view that replaces all before them if there is a new one."""
        with self._lock:
            update = Update(tuple(self._events), self._new_view)
            self._events, self._new_view = [], None
            return update

    def send(self, command: Command) -> None:
        """Send a command to the run; it is lost where the connection breaks.

        A read-only screen sends only those that change nothing.
        """
        if self.is_read_only and not isinstance(command, Question):
            return
        line = protocol.to_line(command)
        with self._lock:
            if self._socket is not None and not _is_sent(self._socket, line):
                _shut(self._socket)

    def stop(self, reason: str, *, unless_unsaved: bool = False) -> None:
        """Have the run save and end, or not start; a read-only screen only leaves it."""
        starting = self.torchrun if not self._has_started.is_set() else None
        if self.is_read_only:
            self.leave()
        elif starting is None and self._state != "restarting":
            super().stop(reason, unless_unsaved=unless_unsaved)
        elif self._should_run:  # once: a second signal would interrupt the processes at their end
            self._add(end_event(reason, self._last_event))
            self.leave()
            if starting is not None:
                starting.stop()
            elif self._agent is not None:
                self._agent.terminate()

    def leave(self) -> None:
        """Disconnect; the run continues."""
        with self._lock:
            self._leaving.set()
            if self._socket is not None:
                _shut(self._socket)

    @property
    def badge(self) -> str:
        """How this screen is attached, and how many are."""
        if self.interruption:
            return self._state
        mode = "read-only" if self.is_read_only else "attached"
        return mode if self.num_screens == 1 else f"{mode}, {self.num_screens} screens"

    @property
    def interruption(self) -> str:
        """Why the connection to the run is interrupted; empty while it is not."""
        can_come_back = self._has_started.is_set() and self.is_alive and self._should_run
        return _INTERRUPTIONS.get(self._state, "") if can_come_back else ""

    @property
    def _should_run(self) -> bool:
        return not isinstance(self._last_event, RunFinished | RunFailed) and not self._leaving.is_set()

    def _run(self) -> None:
        """Serve connections until the run ends or the screen disconnects. The thread's body."""
        try:
            self._serve()
        except TweetgenError as error:
            self._problem = error
        except Exception as error:  # noqa: BLE001 - whatever it is, the screen must show it
            self._problem = RemoteError(f"{type(error).__name__}: {error}")
        if self._should_run and self._has_started.is_set():
            with contextlib.suppress(OSError):  # the run may have ended while disconnected
                view, _ = read_history(self._folder.journal_path)
                if view.ended is not None:
                    self._replace_view(view)
        if self._should_run:
            self._add(self._end())

    def _serve(self) -> None:
        """Start torchrun if there is one, and connect as long as the run lasts. Raises `TweetgenError`."""
        if self.torchrun is not None:
            while self._before is not None and self._should_run and not self._before.wait(_PAUSE_SECONDS):
                pass
            if self._should_run:
                self.torchrun.start()
        else:
            self._agent = restarting_agent(self._folder)
        seconds = _CONNECT_SECONDS
        while self._should_run:
            self._connect_once(seconds)
            if self._should_run:
                self._leaving.wait(_PAUSE_SECONDS)  # the process may be about to end
            seconds = _RECONNECT_SECONDS

    def _connect_once(self, seconds: float) -> None:
        """Serve one connection until it ends. Raises `RemoteError` where there is none, and none to wait for.

        Also where the host refuses it, or sends no first view that can be decoded.
        """
        is_reached = False
        try:
            with connected(self._folder, seconds) as (connection, greeting, lines):
                is_reached, self._state = True, "reconnecting"
                self.host_pid = greeting.pid
                with self._lock:
                    if self._leaving.is_set():  # from here on, `leave` ends this connection
                        return
                    self._socket = connection
                _is_sent(connection, protocol.to_line(Hello(is_read_only=self.is_read_only)))  # else `lines` end
                self._receive(lines)
        except RemoteError:
            if is_reached or not self._will_start_again():
                raise
        except (OSError, DecodeError) as error:
            if isinstance(error, DecodeError) and not self._has_started.is_set():
                raise RemoteError(f"The run {self._folder.name} can't be attached to: {_OTHER_VERSION}.") from error
            self._problem = RemoteError(f"The connection to the run {self._folder.name} broke: {error}.")
        finally:
            with self._lock:
                self._socket = None
            self._state = "restarting" if self._will_start_again() else "reconnecting"

    def _will_start_again(self) -> bool:
        """Return whether the processes of the run are about to start, for the first time or again."""
        if self.torchrun is not None and not self._has_started.is_set():
            self.stage = self.torchrun.stage
            return self.torchrun.is_alive
        if self._has_started.is_set():
            self._find_agent()
        if self._agent is None or self._agent.has_ended:
            return False
        has_ended = isinstance(last_event(self._folder.journal_path), RunFinished | RunFailed)
        return not has_ended and self._agent.is_alive

    def _find_agent(self) -> None:
        """Read the agent from the folder: a run lost before its first checkpoint has none for a while."""
        self._agent = Agent.of_run(self._folder) or self._agent

    def _receive(self, lines: Iterable[bytes]) -> None:
        """Handle a snapshot, then events; another snapshot after a gap. Raises `OSError` and `TweetgenError`."""
        view: RunView | None = None
        for line in lines:
            if not line.endswith(b"\n"):  # the host was killed
                return
            if line.startswith(protocol.START_OF_EVENT):
                self._add(events.from_json(line))
                continue
            match protocol.message_in(line):
                case Snapshot() as snapshot:
                    view, self.config = protocol.decode_view(snapshot.view), snapshot.config
                case TweetChunk(tweets=tweets) if view is not None:
                    view = replace(view, tweets=(*view.tweets, *tweets))
                case SnapshotEnd() if view is not None:
                    self._replace_view(view)
                case Screens(count=count):
                    self.num_screens = count
                case Refusal(reason=reason, hint=hint):
                    raise RemoteError(f"The run {self._folder.name} can't be attached to: {reason}", hint)
                case _:
                    raise DecodeError("unexpected message")

    def _add(self, event: Event) -> None:
        self._last_event = event
        with self._lock:
            self._events.append(event)

    def _replace_view(self, view: RunView) -> None:
        """Replace the events so far by a view."""
        with self._lock:
            self._events, self._new_view = [], view
        self._find_agent()
        self._last_event, self._state = view.ended, "attached"
        self._has_started.set()

    def _end(self) -> RunFailed:
        """Return the event that ends the stream of a run whose process is gone."""
        failure = None if self.torchrun is None else self.torchrun.failure
        error = self._problem or RemoteError(f"The process of the run {self._folder.name} ended unexpectedly.")
        lost = failure or failure_event(error, self._last_event)
        if self._has_started.is_set():
            hint = f"Continue from its latest checkpoint: tweetgen-tui --resume {quoted(self._folder.name)}"
            hint = lost.hint if failure is None and lost.hint else hint
            lost = msgspec.structs.replace(lost, **time_of(self._last_event), hint=hint)
        return lost


def _is_sent(connection: socket.socket, line: bytes) -> bool:
    """Send a line without waiting; return whether the kernel has accepted all of it."""
    with contextlib.suppress(OSError):
        return connection.send(line, socket.MSG_DONTWAIT) == len(line)
    return False


def _shut(connection: socket.socket) -> None:
    """End a connection, whatever its threads wait for."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)

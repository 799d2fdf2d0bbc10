"""`Listener`: the listening socket of a run. Restores its file where it is deleted.

`HostConnection`: one connection at the host's end. Bounds what it queues, and validates what it receives.

`Host`: lets other terminals of the same user show and steer the run of this process.

A thread with an event loop of its own: ten times a second it folds new events into a view, and sends them to the
clients. The session only puts events on a queue, so training never waits for a client.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from engine.config.run import RunConfig
from engine.errors import StorageError
from engine.protocol import codec
from engine.protocol.codec import DecodeError, decode_tagged
from engine.protocol.commands import Command, Stop
from engine.protocol.events import Event, RunFailed, RunFinished, RunStarted
from engine.protocol.insight import Question
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.log import log_to
from engine.text import sanitize_line
from tui.process.protocol import (
    MAX_CLIENT_LINE_BYTES,
    Greeting,
    Hello,
    Message,
    Refusal,
    Screens,
    lines_of,
    message_in,
    to_line,
)
from tui.process.sockets import is_same_user, make_private_folder, socket_path
from tui.process.torchrun import Agent
from tui.run.fold import fold
from tui.run.journal import read_history
from tui.run.view import RunView

CHECK_SECONDS = 1.0
"""How often the socket file is checked: a runtime folder is deleted with its user's last login session."""


class Listener:
    """Belongs to the host's event loop, except `problem`, which any thread may read."""

    def __init__(self, folder: RunFolder, accept: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]) -> None:
        """Prepare to listen for the run of `folder`; `accept` is called with each connection."""
        self._folder = folder
        self._accept = accept
        self._checked_at = -math.inf
        self._server: asyncio.Server | None = None
        self._path = Path()
        self._inode: tuple[int, int] | None = None
        self.problem = ""
        """Why no client can connect; empty where clients can."""

    async def check(self) -> None:
        """Every `CHECK_SECONDS`, bind a new socket if the run's socket file was moved or deleted."""
        if time.monotonic() - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = time.monotonic()
        try:
            path = socket_path(self._folder)
            if path != self._path or not self._is_in_place():
                self.close()
                await self._open(path)
        except StorageError as error:
            self.problem = f"{error.message} {error.hint}".rstrip()
        except OSError as error:
            self.problem = f"{error}."
        else:
            self.problem = ""

    async def _open(self, path: Path) -> None:
        """Listen at `path`. The run is locked, so an existing socket belonged to a process that was killed."""
        make_private_folder(path.parent)
        path.unlink(missing_ok=True)
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            own.bind(str(path))
            path.chmod(0o600)  # before it listens, so before any client can connect
            status = path.lstat()
            self._server = await asyncio.start_unix_server(self._accept, sock=own, limit=MAX_CLIENT_LINE_BYTES)
        except OSError:
            own.close()
            raise
        self._path, self._inode = path, (status.st_dev, status.st_ino)

    def _is_in_place(self) -> bool:
        """Return whether the file at the path is the socket that this process listens on."""
        try:
            status = self._path.lstat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._inode

    def close(self) -> None:
        """Stop listening, and delete the socket file unless it is another process's by now."""
        if self._server is None:
            return
        is_own = self._is_in_place()
        self._server.close()
        self._server = None
        if is_own:
            with contextlib.suppress(OSError):
                self._path.unlink()


MAX_WAITING_BYTES = 4 * 1024 * 1024
"""A client that is further behind is sent a new snapshot in place of the events that it missed. The largest event, the
trace of a long text, has about 1 MiB."""
STALLED_SECONDS = 30.0
"""A client that reads nothing for that long is disconnected; it may connect again."""
MAX_COMMANDS_WAITING = 32
MAX_QUESTIONS_WAITING = 4
"""Of commands in the session while those of a read-only client are forwarded."""
MAX_COMMAND_BYTES = 1024 * 1024
"""Limits of the commands received and not forwarded yet; a client is not read from while it is above them."""
_MAX_REASON_CHARS = 200
_POLL_SECONDS = 0.05


class HostConnection:
    """One client of a run. Belongs to the host's event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the client of a new connection."""
        self.is_read_only = True
        self._reader = reader
        self._writer = writer
        # `drain` then waits until the kernel has all, which it delivers even after the connection is closed
        writer.transport.set_write_buffer_limits(high=0)
        self._waiting: list[bytes] = []
        self._num_waiting_bytes = 0
        self._is_behind = False
        self._is_ending = False
        self._is_woken = asyncio.Event()
        self._commands: deque[tuple[Command, int]] = deque()
        """Received and not forwarded yet, each with its size in bytes."""
        self._num_command_bytes = 0
        self._forwarding: asyncio.Task[None] | None = None

    async def handshake(self, greeting: Greeting) -> bool:
        """Send the greeting and read the client's `Hello`; return whether it is valid, after a refusal if not.

        Another user's process is refused before the greeting. Raises `OSError`.
        """
        if not is_same_user(self._writer.get_extra_info("socket")):
            await self._refuse("Only processes of the user who runs it may connect.")
            return False
        await self._send(to_line(greeting))
        hello: Message | None = None
        with contextlib.suppress(ValueError):  # the line is too long, or not a message
            hello = message_in(await self._reader.readline())
        if not isinstance(hello, Hello):
            await self._refuse("The first message is not Hello.")
            return False
        self.is_read_only = hello.is_read_only
        return True

    async def _refuse(self, reason: str) -> None:
        """Send the last line of the connection, behind what is unsent, and wait until the client has room for it.

        Raises `OSError`.
        """
        await self._send(to_line(Refusal(reason=reason)))

    def queue(self, lines: bytes) -> None:
        """Queue lines, or drop the queue where the client has fallen behind."""
        if self._num_waiting_bytes + len(lines) > MAX_WAITING_BYTES:
            self._is_behind = True
        if self._is_behind:
            self._waiting, self._num_waiting_bytes = [], 0
        else:
            self._waiting.append(lines)
            self._num_waiting_bytes += len(lines)
        self._is_woken.set()

    def close_when_sent(self) -> None:
        """Close the connection once all queued lines are sent."""
        self._is_ending = True
        self._is_woken.set()

    async def run(
        self,
        snapshot: Callable[[], Iterable[bytes]],
        send: Callable[[Command], None],
        num_waiting: Callable[[], int],
    ) -> None:
        """Send a snapshot and then queued lines, and forward commands to `send`, until either side ends.

        Refuse a client that sends an invalid command, or steers over a read-only connection. Raises `OSError`.
        """
        sending = asyncio.create_task(self._send_all(snapshot))
        sending.add_done_callback(self._close_after)
        try:
            refusal = await self._read_commands(send, num_waiting)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        if refusal:
            await self._refuse(refusal)

    def _close_after(self, sending: asyncio.Task[None]) -> None:
        """Close the connection, which ends reading, once nothing more is sent: a refusal may follow a cancellation."""
        if not sending.cancelled():
            self._writer.close()

    async def _send_all(self, snapshot: Callable[[], Iterable[bytes]]) -> None:
        """Send a snapshot, then queued lines; after a gap, another snapshot."""
        try:
            while not await self._send_until_behind(snapshot):
                pass
        except OSError:  # it is gone, or (`TimeoutError`) it reads nothing
            self._writer.transport.abort()

    async def _send_until_behind(self, snapshot: Callable[[], Iterable[bytes]]) -> bool:
        """Send a snapshot, then queued lines until the client falls behind; return whether all is sent."""
        self._waiting, self._num_waiting_bytes, self._is_behind = [], 0, False
        for line in snapshot():
            await self._send(line)
        while not self._is_behind:
            if self._waiting:
                lines, self._waiting, self._num_waiting_bytes = b"".join(self._waiting), [], 0
                await self._send(lines)
            elif self._is_ending:
                return True
            else:
                self._is_woken.clear()
                await self._is_woken.wait()
        return False

    async def _send(self, lines: bytes) -> None:
        """Write lines, and wait while too much of them is unread. Raises `OSError`."""
        self._writer.write(lines)
        async with asyncio.timeout(STALLED_SECONDS):
            await self._writer.drain()

    async def _read_commands(self, send: Callable[[Command], None], num_waiting: Callable[[], int]) -> str:
        """Forward commands to `send` until the client disconnects; return why it is refused, empty if it is not.

        `Stop` is not throttled.
        """
        while True:
            try:
                received = await self._read_command()
            except DecodeError as error:
                return sanitize_line(f"Invalid command: {str(error).rstrip('.')}.", _MAX_REASON_CHARS)
            if received is None:
                return ""
            command, num_bytes = received
            if self.is_read_only and not isinstance(command, Question):
                return "This connection is read-only."
            self._commands.append(received)
            self._num_command_bytes += num_bytes
            if isinstance(command, Stop):
                while self._commands:  # the session handles a stop before the commands that it makes superfluous
                    self._forward(send)
            elif self._forwarding is None or self._forwarding.done():
                self._forwarding = asyncio.create_task(self._forward_throttled(send, num_waiting))
            while self._num_command_bytes > MAX_COMMAND_BYTES:
                await asyncio.sleep(_POLL_SECONDS)

    async def _read_command(self) -> tuple[Command, int] | None:
        """Read a command and its size in bytes; None once the client is gone. Raises `DecodeError`."""
        try:
            line = await self._reader.readline()
        except ValueError as error:
            raise DecodeError(f"the line is longer than {MAX_CLIENT_LINE_BYTES // 1024} KiB") from error
        except OSError:
            return None
        if line and not line.endswith(b"\n"):  # it may be the start of another command
            raise DecodeError("the line has no end")
        return (decode_tagged(line, Command), len(line)) if line else None

    async def _forward_throttled(self, send: Callable[[Command], None], num_waiting: Callable[[], int]) -> None:
        """Forward all commands, no faster than the session handles them."""
        limit = MAX_QUESTIONS_WAITING if self.is_read_only else MAX_COMMANDS_WAITING
        while self._commands:
            if num_waiting() < limit:
                self._forward(send)
            else:
                await asyncio.sleep(_POLL_SECONDS)

    def _forward(self, send: Callable[[Command], None]) -> None:
        command, num_bytes = self._commands.popleft()
        self._num_command_bytes -= num_bytes
        send(command)

    async def commands_forwarded(self) -> None:
        """Wait until the commands of a client that is gone are forwarded."""
        if self._forwarding is not None:
            await self._forwarding

    async def close(self) -> None:
        """Close the connection; unsent lines are sent if the client reads them at once."""
        self._writer.close()
        try:
            async with asyncio.timeout(_POLL_SECONDS):
                await self._writer.wait_closed()
        except TimeoutError:
            if self._writer.transport.get_write_buffer_size():  # else it has closed by now, and `abort` fails (3.11)
                self._writer.transport.abort()
        except OSError:  # it is gone
            pass


TICK_SECONDS = 0.1
CLOSING_SECONDS = 1.0
"""How long an ended run waits for its clients to read the last event."""
LOG = logging.getLogger(__name__)
logging.getLogger("asyncio").addHandler(logging.NullHandler())  # or its warnings would go to stderr


class Host:
    """An `EventSubscriber` that serves the clients of a run. Its methods are for any thread."""

    def __init__(
        self,
        config: RunConfig,
        send: Callable[[Command], None],
        num_waiting: Callable[[], int],
        history: RunView | None = None,
        on_run: Callable[[str], None] = lambda _: None,
        agent: Agent | None = None,
    ) -> None:
        """Forward commands of clients to `send`, throttled by `num_waiting`: those that the session has yet to handle.

        `history` is the view of a resumed run; `on_run` is called with the run's name once it has started. `agent` is
        what starts the processes of the run again where one is lost.
        """
        self._config = config
        self._send = send
        self._num_waiting = num_waiting
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._view = history or RunView()
        self._on_run = on_run
        self._agent = agent
        self._clients: list[HostConnection] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._folder = RunFolder(Path())
        self._listener: Listener | None = None
        self._resumed: RunStarted | None = None
        self._num_clients_sent = 0
        self._is_closing = threading.Event()
        self._failure = ""
        self._is_over = False

    def handle(self, event: Event) -> None:
        """Queue an event; start to listen at the first `RunStarted`. Never blocks and never raises."""
        if self._is_over:
            return
        self._events.put(event)
        if self._thread is None and isinstance(event, RunStarted):
            try:
                self._start(event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the run continues
                self._fail(error)

    def _start(self, event: RunStarted) -> None:
        """Start the thread of a run that has started."""
        self._folder = folder_of_run(event.run)
        if event.resumed_from is not None and not len(self._view.train_losses):
            self._resumed = event
        self._on_run(event.run)
        self._listener = Listener(self._folder, self._accept)
        self._thread = threading.Thread(target=self._run, name="host", daemon=True)
        self._thread.start()

    def _fail(self, error: BaseException) -> None:
        """Stop: further events are dropped."""
        self._is_over = True
        self._failure = f"{type(error).__name__}: {error}"

    @property
    def num_clients(self) -> int:
        """Clients that are not read-only."""
        return sum(not client.is_read_only for client in self._clients)

    @property
    def problem(self) -> str:
        """Why no client can attach; empty where clients can, and before the run has started."""
        return self._failure or (self._listener.problem if self._listener is not None else "")

    def close(self) -> None:
        """Send the remaining events and remove the socket. Blocks for about a second at most."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(2 * CLOSING_SECONDS)

    def _run(self) -> None:
        """Serve until the run has ended. The thread's body."""
        try:
            if self._resumed is not None:
                with contextlib.suppress(OSError):
                    self._view, _ = read_history(self._folder.journal_path, until=self._resumed)
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - whatever it is, the run continues
            self._fail(error)
            _log(self._folder, "the host failed", error)
        finally:
            self._is_over = True

    async def _serve(self) -> None:
        """Send events and keep the socket in place until the run's last event is sent."""
        assert self._listener is not None  # noqa: S101 - set before the thread was started
        asyncio.get_running_loop().set_exception_handler(self._log_context)
        try:
            while True:
                await self._listener.check()
                is_closing = self._is_closing.is_set()  # read before the queue, so that the last event is not missed
                if self._publish() or is_closing:
                    break
                await asyncio.sleep(TICK_SECONDS)
            await self._close_connections()
        finally:
            self._listener.close()

    def _publish(self) -> bool:
        """Fold the queued events into the view, and send them to the clients; return whether the run has ended."""
        new_events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            while True:
                new_events.append(self._events.get_nowait())
        self._view = fold(self._view, new_events)
        lines = b"".join(codec.encode(event).encode() + b"\n" for event in new_events) if self._clients else b""
        if len(self._clients) != self._num_clients_sent:
            self._num_clients_sent = len(self._clients)
            lines += to_line(Screens(count=self._num_clients_sent))
        if lines:
            for client in self._clients:
                client.queue(lines)
        return bool(new_events) and isinstance(new_events[-1], RunFinished | RunFailed)

    def _snapshot(self) -> Iterator[bytes]:
        """Yield the lines of the current view."""
        yield from lines_of(self._view, self._config)
        yield to_line(Screens(count=len(self._clients)))

    def _log_context(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log the exception of a task: a bug, which ends only one connection."""
        _log(self._folder, context["message"], context.get("exception"))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a new connection."""
        task = asyncio.create_task(self._serve_client(HostConnection(reader, writer)))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve_client(self, client: HostConnection) -> None:
        """Serve one connection until it ends: greeting, snapshot, events; forward its commands."""
        try:
            if await client.handshake(self._greeting()):
                self._clients.append(client)
                await client.run(self._snapshot, self._send, self._num_waiting)
        except OSError:  # it is gone
            pass
        finally:
            if client in self._clients:
                self._clients.remove(client)
            await client.close()
        await client.commands_forwarded()

    def _greeting(self) -> Greeting:
        view = self._view
        return Greeting(
            run=self._folder.name,
            pid=os.getpid(),
            agent=self._agent,
            phase=view.phase,
            step=view.step,
            elapsed_seconds=view.elapsed_seconds,
            best_bits_per_char=None if view.best is None else view.best.bits_per_char,
            corpus="" if view.started is None else view.started.corpus,
        )

    async def _close_connections(self) -> None:
        """Give the clients a moment to read the last event; then close all connections."""
        for client in self._clients:
            client.close_when_sent()
        if self._clients:
            await asyncio.wait(self._connections, timeout=CLOSING_SECONDS)
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)


def _log(folder: RunFolder, what: str, error: BaseException | None) -> None:
    """Write an error of the host to the log of its run."""
    with contextlib.suppress(StorageError), log_to(folder.log_path, "tui"):
        LOG.error(what, exc_info=error)

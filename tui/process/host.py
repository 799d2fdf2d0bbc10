"""`Host`: lets other terminals of the same user show and steer the run of this process.

A thread with an event loop of its own: ten times a second it folds new events into a view, and sends them to the
clients. The session only puts events on a queue, so training never waits for a client.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from engine.config.run import RunConfig
from engine.errors import StorageError
from engine.protocol.codec import DecodeError, decode_tagged
from engine.protocol.commands import Command, Stop
from engine.protocol.events import Event, RunFailed, RunFinished, RunStarted
from engine.protocol.insight import Question
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.log import log_to
from engine.text import sanitize_line
from tui.process.protocol import MAX_CLIENT_LINE_BYTES, Greeting, Hello, Refusal, Screens, lines_of, message_in, to_line
from tui.process.sockets import is_same_user, make_private_folder, socket_path
from tui.run.fold import fold
from tui.run.journal import read_history
from tui.run.view import RunView

TICK_SECONDS = 0.1
CHECK_SECONDS = 1.0
"""How often the socket file is checked: a runtime folder is deleted with its user's last login session."""
CLOSING_SECONDS = 1.0
"""How long an ended run waits for its clients to read the last event."""
STALLED_SECONDS = 30.0
"""A client that reads nothing for that long is disconnected; it may connect again."""
MAX_WAITING_BYTES = 4 * 1024 * 1024
"""A client that is further behind is sent a new snapshot in place of the events that it missed. The largest event, the
trace of a long text, has about 1 MiB."""
MAX_COMMANDS_WAITING, MAX_QUESTIONS_WAITING = 32, 4
"""No command of a client is forwarded while so many are unhandled; the second limit is for read-only clients."""
MAX_COMMAND_BYTES = 1024 * 1024
"""Commands received and not forwarded yet; while a client has more, nothing is read from it."""
_MAX_REASON_CHARS = 200
_POLL_SECONDS = 0.05
LOG = logging.getLogger(__name__)
logging.getLogger("asyncio").addHandler(logging.NullHandler())  # else its warnings would go to stderr


class Client:
    """One connection to a run. Belongs to the host's event loop."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        snapshot: Callable[[], Iterable[bytes]],
        send: Callable[[Command], None],
        num_waiting: Callable[[], int],
    ) -> None:
        self.is_read_only = True
        self._snapshot = snapshot
        self._send_command, self._num_waiting = send, num_waiting
        self._reader = reader
        self._writer = writer
        # `drain` then waits until the kernel has all, which it delivers even after the connection is closed
        writer.transport.set_write_buffer_limits(high=0)
        self._waiting = bytearray()
        self._is_behind = True
        """Whether it needs a snapshot; lines are dropped until it is sent one."""
        self._is_ending = False
        self._is_woken = asyncio.Event()
        self._commands: deque[tuple[Command, int]] = deque()
        """Received and not forwarded yet, each with its size in bytes."""
        self._num_command_bytes = 0
        self.forwarding: asyncio.Task[None] | None = None
        """Forwards the commands, also those of a client that is gone."""

    async def handshake(self, greeting: Greeting) -> bool:
        """Send the greeting and read the client's `Hello`; return whether it is valid, after a refusal if not.

        Another user's process is refused before the greeting. Raises `OSError`.
        """
        problem = "Only processes of the user who runs it may connect."
        if is_same_user(self._writer.get_extra_info("socket")):
            problem = "The first message is not Hello."
            await self._send(to_line(greeting))
            with contextlib.suppress(ValueError):  # the line is too long, or not a message
                hello = message_in(await self._reader.readline())
                if isinstance(hello, Hello):
                    self.is_read_only = hello.is_read_only
                    return True
        await self._send(to_line(Refusal(reason=problem)))
        return False

    async def run(self) -> None:
        """Send a snapshot and then queued lines, and forward commands, until either side ends.

        Refuse a client that sends an invalid command, or steers over a read-only connection. Raises `OSError`.
        """
        sending = asyncio.create_task(self._send_all())
        try:
            refusal = await self._read_commands()
        finally:
            sending.cancel()  # which closes the connection, once the refusal is sent
        if refusal:
            await self._send(to_line(Refusal(reason=refusal)))

    def queue(self, lines: bytes) -> None:
        """Queue lines, or drop the queue where the client has fallen behind."""
        if self._is_behind or len(self._waiting) + len(lines) > MAX_WAITING_BYTES:
            self._is_behind, self._waiting = True, bytearray()
        else:
            self._waiting += lines
        self._is_woken.set()

    def close_when_sent(self) -> None:
        """Close the connection once all queued lines are sent."""
        self._is_ending = True
        self._is_woken.set()

    async def close(self) -> None:
        """Close the connection; unsent lines are sent if the client reads them at once."""
        self._writer.close()
        with contextlib.suppress(OSError):  # the client is gone, or (`TimeoutError`) does not read
            async with asyncio.timeout(_POLL_SECONDS):
                await self._writer.wait_closed()
        if self._writer.transport.get_write_buffer_size():  # else it is closed by now, and `abort` fails (3.11)
            self._writer.transport.abort()

    async def _send_all(self) -> None:
        """Send a snapshot, then queued lines; after a gap, another snapshot. Ends reading once nothing more is sent."""
        try:
            while self._is_behind or self._waiting or not self._is_ending:
                if self._is_behind:
                    self._is_behind, self._waiting = False, bytearray()  # in one turn with the view of the snapshot
                    for line in self._snapshot():
                        await self._send(line)
                elif self._waiting:
                    lines, self._waiting = self._waiting, bytearray()
                    await self._send(lines)
                else:
                    self._is_woken.clear()
                    await self._is_woken.wait()
        except OSError:  # the client is gone, or (`TimeoutError`) reads nothing
            self._writer.transport.abort()
        finally:
            self._writer.close()

    async def _send(self, lines: bytes | bytearray) -> None:
        """Write lines, and wait while too much of them is unread. Raises `OSError`."""
        self._writer.write(lines)
        async with asyncio.timeout(STALLED_SECONDS):
            await self._writer.drain()

    async def _read_commands(self) -> str:
        """Forward commands until the client disconnects; return why it is refused, empty if it is not."""
        while True:
            try:
                line = await self._reader.readline()
                if not line:
                    return ""
                if not line.endswith(b"\n"):  # a torn line may be the start of another command
                    raise DecodeError("the line has no end")
                command = decode_tagged(line, Command)
            except OSError:
                return ""
            except DecodeError as error:
                return sanitize_line(f"Invalid command: {str(error).rstrip('.')}.", _MAX_REASON_CHARS)
            except ValueError:
                return f"Invalid command: the line is longer than {MAX_CLIENT_LINE_BYTES // 1024} KiB."
            if self.is_read_only and not isinstance(command, Question):
                return "This connection is read-only."
            self._queue_command(command, len(line))
            while self._num_command_bytes > MAX_COMMAND_BYTES:
                await asyncio.sleep(_POLL_SECONDS)

    def _queue_command(self, command: Command, num_bytes: int) -> None:
        self._commands.append((command, num_bytes))
        self._num_command_bytes += num_bytes
        if isinstance(command, Stop):  # the session handles it before the commands that it makes superfluous
            self._forward(len(self._commands))
        elif self.forwarding is None or self.forwarding.done():
            self.forwarding = asyncio.create_task(self._forward_throttled())

    async def _forward_throttled(self) -> None:
        """Forward all commands, no faster than the session handles them."""
        limit = MAX_QUESTIONS_WAITING if self.is_read_only else MAX_COMMANDS_WAITING
        while self._commands:
            if self._num_waiting() < limit:
                self._forward(1)
            else:
                await asyncio.sleep(_POLL_SECONDS)

    def _forward(self, count: int) -> None:
        for _ in range(count):
            command, num_bytes = self._commands.popleft()
            self._num_command_bytes -= num_bytes
            self._send_command(command)


class Host:
    """Serves the clients of a run, on a socket that is restored where its file is deleted.

    Methods without an underscore are for any thread, the others for the host's own.
    """

    def __init__(self, config: RunConfig, send: Callable[[Command], None], num_waiting: Callable[[], int]) -> None:
        """Forward commands of clients to `send`; `num_waiting` counts those that the session has not handled yet."""
        self.problem = ""
        """Why no client can attach; empty where clients can, and before the run has started."""
        self._config = config
        self._send, self._num_waiting = send, num_waiting
        self._view = RunView()
        self._events = deque[Event]()
        self._folder = RunFolder(Path())
        self._thread: threading.Thread | None = None
        self._is_closing = threading.Event()
        self._is_over = False
        self._clients: list[Client] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._num_clients_sent = 0
        self._server: asyncio.Server | None = None
        self._path = Path()
        self._inode: tuple[int, int] | None = None

    def handle(self, event: Event) -> None:
        """Queue an event; start to listen at the first `RunStarted`. Never blocks and never raises."""
        if self._is_over:
            return
        self._events.append(event)
        if self._thread is None and isinstance(event, RunStarted):
            try:
                self._folder = folder_of_run(event.run)
                self._thread = threading.Thread(target=self._run, args=(event,), name="host", daemon=True)
                self._thread.start()
            except Exception as error:  # noqa: BLE001 - whatever it is, the run continues
                self._is_over, self.problem = True, f"{type(error).__name__}: {error}"

    @property
    def num_clients(self) -> int:
        """Clients that are not read-only."""
        return sum(not client.is_read_only for client in self._clients)

    def close(self) -> None:
        """Send the remaining events and remove the socket. Blocks for about a second at most."""
        self._is_closing.set()
        if self._thread is not None:
            self._thread.join(2 * CLOSING_SECONDS)

    def _run(self, started: RunStarted) -> None:
        """Serve until the run has ended. The thread's body."""
        try:
            if started.resumed_from is not None:
                with contextlib.suppress(OSError):
                    self._view, _ = read_history(self._folder.journal_path, until=started)
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - whatever it is, the run continues
            self.problem = f"{type(error).__name__}: {error}"
            self._log("the host failed", error)
        finally:
            self._is_over = True

    def _log(self, what: str, error: BaseException | None) -> None:
        with contextlib.suppress(StorageError), log_to(self._folder.log_path, "tui"):
            LOG.error(what, exc_info=error)

    async def _serve(self) -> None:
        """Send events and keep the socket in place until the run's last event is sent."""
        asyncio.get_running_loop().set_exception_handler(  # a bug in a task, which ends only one connection
            lambda _, context: self._log(context["message"], context.get("exception"))
        )
        checked_at, is_last = -math.inf, False
        try:
            while not is_last:
                if time.monotonic() - checked_at >= CHECK_SECONDS:
                    checked_at = time.monotonic()
                    await self._check_socket()
                is_closing = self._is_closing.is_set()  # read before the queue, so that the last event is not missed
                is_last = self._publish() or is_closing
                if not is_last:
                    await asyncio.sleep(TICK_SECONDS)
            for client in self._clients:
                client.close_when_sent()
            if self._clients:
                await asyncio.wait(self._connections, timeout=CLOSING_SECONDS)
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
        finally:
            self._stop_listening()

    async def _check_socket(self) -> None:
        """Listen on a new socket if there is none, or its file was moved or deleted."""
        try:
            path = socket_path(self._folder)
            if path != self._path or self._inode is None or _inode_of(path) != self._inode:
                self._stop_listening()
                await self._listen(path)
        except StorageError as error:
            self.problem = f"{error.message} {error.hint}".rstrip()
        except OSError as error:
            self.problem = f"{error}."
        else:
            self.problem = ""

    async def _listen(self, path: Path) -> None:
        """Listen at `path`. The run is locked, so an existing socket belonged to a process that was killed."""
        make_private_folder(path.parent)
        path.unlink(missing_ok=True)
        own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            own.bind(str(path))
            path.chmod(0o600)  # before it listens, so before any client can connect
            inode = _inode_of(path)
            self._server = await asyncio.start_unix_server(self._accept, sock=own, limit=MAX_CLIENT_LINE_BYTES)
        except OSError:
            own.close()
            raise
        self._path, self._inode = path, inode

    def _stop_listening(self) -> None:
        """Stop listening, and delete the socket file unless it is another process's by now."""
        if self._server is not None:
            is_own = _inode_of(self._path) == self._inode
            self._server.close()
            self._server = None
            with contextlib.suppress(OSError):
                if is_own:
                    self._path.unlink()

    def _publish(self) -> bool:
        """Fold the queued events into the view, and send them to the clients; return whether the run has ended."""
        new_events = [self._events.popleft() for _ in range(len(self._events))]
        self._view = fold(self._view, new_events)
        lines = b"".join(to_line(event) for event in new_events) if self._clients else b""
        if len(self._clients) != self._num_clients_sent:
            self._num_clients_sent = len(self._clients)
            lines += to_line(Screens(count=self._num_clients_sent))
        for client in self._clients if lines else ():
            client.queue(lines)
        return bool(new_events) and isinstance(new_events[-1], RunFinished | RunFailed)

    def _snapshot(self) -> Iterator[bytes]:
        """Yield the lines of the current view."""
        yield from lines_of(self._view, self._config)
        yield to_line(Screens(count=len(self._clients)))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer, self._snapshot, self._send, self._num_waiting)
        task = asyncio.create_task(self._serve_client(client))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve_client(self, client: Client) -> None:
        """Serve one connection until it ends: greeting, snapshot, events; forward its commands."""
        view = self._view
        greeting = Greeting(
            run=self._folder.name,
            pid=os.getpid(),
            phase=view.phase,
            step=view.step,
            elapsed_seconds=view.elapsed_seconds,
            best_bits_per_char=None if view.best is None else view.best.bits_per_char,
            corpus="" if view.started is None else view.started.corpus,
        )
        try:
            if await client.handshake(greeting):
                self._clients.append(client)
                await client.run()
        except OSError:  # the client is gone
            pass
        finally:
            if client in self._clients:
                self._clients.remove(client)
            await client.close()
        if client.forwarding is not None:
            await client.forwarding


def _inode_of(path: Path) -> tuple[int, int] | None:
    """Return what identifies a file; None without one."""
    with contextlib.suppress(OSError):
        status = path.lstat()
        return status.st_dev, status.st_ino
    return None

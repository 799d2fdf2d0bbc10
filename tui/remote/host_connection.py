"""`HostConnection`: one connection at the host's end. Bounds what it queues, and validates what it receives."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable

from engine.protocol import commands
from engine.protocol.commands import Command, Question, Stop
from tui.remote.protocol import Hello, Message, Refusal, message_in, to_line

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
_POLL_SECONDS = 0.05


class HostConnection:
    """One client of a run. Belongs to the host's event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the client of a new connection."""
        self.is_read_only = True
        self._reader = reader
        self._writer = writer
        self._waiting: list[bytes] = []
        self._num_waiting_bytes = 0
        self._is_behind = False
        self._is_ending = False
        self._is_woken = asyncio.Event()
        self._commands: deque[tuple[Command, int]] = deque()
        """Received and not forwarded yet, each with its size in bytes."""
        self._num_command_bytes = 0
        self._forwarding: asyncio.Task[None] | None = None

    def send_message(self, message: Message) -> None:
        """Send a message."""
        if not self._writer.transport.is_closing():  # asyncio (3.11) would print warnings
            self._writer.write(to_line(message))

    async def handshake(self) -> bool:
        """Read the client's `Hello`; return whether it is valid, after a refusal if not."""
        hello: Message | None = None
        with contextlib.suppress(ValueError):  # the line is too long, or not a message
            hello = message_in(await self._reader.readline())
        if not isinstance(hello, Hello):
            self.send_message(Refusal(reason="The first message is not Hello."))
            return False
        self.is_read_only = hello.is_read_only
        return True

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
        """Send a snapshot and then queued lines, and forward commands to `send`, until either side ends."""
        sending = asyncio.create_task(self._send_all(snapshot))
        try:
            await self._read_commands(send, num_waiting)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending

    async def _send_all(self, snapshot: Callable[[], Iterable[bytes]]) -> None:
        """Send a snapshot, then queued lines; after a gap, another snapshot. Ends with the connection."""
        try:
            while not await self._send_until_behind(snapshot):
                pass
        except OSError:  # it is gone, or (`TimeoutError`) it reads nothing
            self._writer.transport.abort()
        finally:
            self._writer.close()

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

    async def _read_commands(self, send: Callable[[Command], None], num_waiting: Callable[[], int]) -> None:
        """Forward commands to `send` until the client disconnects or sends an invalid line; `Stop` is not throttled."""
        while True:
            try:
                line = await self._reader.readline()
                if not line.endswith(b"\n"):  # it is gone, perhaps in the middle of a line
                    return
                command = commands.from_json(line)
            except (ValueError, OSError) as error:  # an invalid command, a line too long, or a broken connection
                if isinstance(error, ValueError):
                    self.send_message(Refusal(reason="Invalid command."))
                return
            if self.is_read_only and not isinstance(command, Question):
                self.send_message(Refusal(reason="This connection is read-only."))
                return
            self._commands.append((command, len(line)))
            self._num_command_bytes += len(line)
            if isinstance(command, Stop):
                while self._commands:  # the session handles a stop before the commands that it makes superfluous
                    self._forward(send)
            elif self._forwarding is None or self._forwarding.done():
                self._forwarding = asyncio.create_task(self._forward_throttled(send, num_waiting))
            while self._num_command_bytes > MAX_COMMAND_BYTES:
                await asyncio.sleep(_POLL_SECONDS)

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
            self._writer.transport.abort()  # would fail (Python 3.11) where it has closed by itself
        except OSError:  # it is gone
            pass

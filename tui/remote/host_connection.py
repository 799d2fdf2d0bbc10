"""`HostConnection`: one connection at the host's end. Bounds what it queues, and validates what it receives."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable

from engine.protocol.codec import DecodeError, decode_tagged
from engine.protocol.commands import Command, Stop
from engine.protocol.insight import Question
from engine.text import sanitize_line
from tui.remote.protocol import MAX_CLIENT_LINE_BYTES, Greeting, Hello, Message, Refusal, message_in, to_line
from tui.remote.socket_path import is_same_user

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

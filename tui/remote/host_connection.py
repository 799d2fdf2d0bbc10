"""`HostConnection`: one connection at the host's end. What is sent to it is bounded, what it sends is checked."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable

from engine.protocol import commands
from engine.protocol.commands import Command, Stop
from engine.text import harmless
from tui.remote.protocol import PROTOCOL, Hello, Message, Refusal, message_in, protocol_in, to_line

MAX_WAITING_BYTES = 1024 * 1024
"""A client that reads too slowly for this many gets the whole view again in place of what it missed."""
STALLED_SECONDS = 30.0
"""A client that reads nothing for so long is disconnected; it may connect again."""
MAX_COMMANDS_WAITING = 32
MAX_COMMAND_BYTES = 1024 * 1024
"""Commands received and not handed on; a client that sends more is not read from until some are."""
_PATIENCE_SECONDS = 0.05


class HostConnection:
    """One client of a run. Belongs to the host's event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the client at the other end of a new connection."""
        self.is_read_only = True
        self._reader = reader
        self._writer = writer
        self._waiting: list[bytes] = []
        self._num_waiting_bytes = 0
        self._is_behind = False
        self._is_ending = False
        self._has_news = asyncio.Event()
        self._commands: deque[tuple[Command, int]] = deque()
        """Received and not handed on, each with its size in bytes."""
        self._num_command_bytes = 0
        self._handing_on: asyncio.Task[None] | None = None

    def say(self, message: Message) -> None:
        """Send a message."""
        if not self._writer.transport.is_closing():  # asyncio (3.11) would print warnings
            self._writer.write(to_line(message))

    async def is_welcome(self) -> bool:
        """Wait for its hello; return whether it may stay, after a refusal if not."""
        hello: Message | None = None
        try:
            line = await self._reader.readline()
            protocol = protocol_in(line)
            if protocol != PROTOCOL:
                reason = f"The run speaks protocol {PROTOCOL}, and the one who comes {harmless(str(protocol))}."
                self.say(Refusal(reason=reason, hint="Attach with the version that has started the run."))
                return False
            hello = message_in(line)
        except ValueError:  # too long a line, or no message
            pass
        if not isinstance(hello, Hello):
            self.say(Refusal(reason="That was no hello."))
            return False
        self.is_read_only = hello.is_read_only
        return True

    def tell(self, lines: bytes) -> None:
        """Queue lines, unless too much waits for this client already."""
        if self._num_waiting_bytes + len(lines) > MAX_WAITING_BYTES:
            self._is_behind = True
        if self._is_behind:
            self._waiting, self._num_waiting_bytes = [], 0
        else:
            self._waiting.append(lines)
            self._num_waiting_bytes += len(lines)
        self._has_news.set()

    def tell_end(self) -> None:
        """Close the connection once all that waits is sent."""
        self._is_ending = True
        self._has_news.set()

    async def attend(
        self,
        view: Callable[[], Iterable[bytes]],
        send: Callable[[Command], None],
        num_waiting: Callable[[], int],
    ) -> None:
        """Send the view and what follows it, and hand the client's commands to `send`, until either side ends."""
        telling = asyncio.create_task(self._tell_all(view))
        try:
            await self._follow(send, num_waiting)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    async def _tell_all(self, view: Callable[[], Iterable[bytes]]) -> None:
        """Send the view, then what is queued; after a gap, the view again. Ends with the connection."""
        try:
            while not await self._tell_on_from(view):
                pass
        except OSError:  # it has gone, or (`TimeoutError`) it reads nothing
            self._writer.transport.abort()
        finally:
            self._writer.close()

    async def _tell_on_from(self, view: Callable[[], Iterable[bytes]]) -> bool:
        """Send the view, then what is queued until the client falls behind; return whether that was all."""
        self._waiting, self._num_waiting_bytes, self._is_behind = [], 0, False
        for line in view():
            await self._send(line)
        while not self._is_behind:
            if self._waiting:
                lines, self._waiting, self._num_waiting_bytes = b"".join(self._waiting), [], 0
                await self._send(lines)
            elif self._is_ending:
                return True
            else:
                self._has_news.clear()
                await self._has_news.wait()
        return False

    async def _send(self, lines: bytes) -> None:
        """Write lines, and wait while much of them is unread. Raises `OSError`."""
        self._writer.write(lines)
        async with asyncio.timeout(STALLED_SECONDS):
            await self._writer.drain()

    async def _follow(self, send: Callable[[Command], None], num_waiting: Callable[[], int]) -> None:
        """Hand its commands to `send` until it disconnects or sends something else; a `Stop` does not wait."""
        while True:
            try:
                line = await self._reader.readline()
                if not line.endswith(b"\n"):  # it has gone, perhaps in the middle of a word
                    return
                command = commands.from_json(line)
            except (ValueError, OSError) as error:  # no command, too long a line, or a broken connection
                if isinstance(error, ValueError):
                    self.say(Refusal(reason="That was no command."))
                return
            if self.is_read_only:
                self.say(Refusal(reason="This connection may only watch."))
                return
            self._commands.append((command, len(line)))
            self._num_command_bytes += len(line)
            if isinstance(command, Stop):
                self._hand_on_all(send)  # the session itself puts a stop ahead of what need not be done before
            elif self._handing_on is None or self._handing_on.done():
                self._handing_on = asyncio.create_task(self._hand_on_slowly(send, num_waiting))
            while self._num_command_bytes > MAX_COMMAND_BYTES:
                await asyncio.sleep(_PATIENCE_SECONDS)

    def _hand_on_all(self, send: Callable[[Command], None]) -> None:
        """Hand on all commands received so far."""
        while self._commands:
            self._hand_on(send)

    async def _hand_on_slowly(self, send: Callable[[Command], None], num_waiting: Callable[[], int]) -> None:
        """Hand on all commands, no faster than the session follows them."""
        while self._commands:
            if num_waiting() < MAX_COMMANDS_WAITING:
                self._hand_on(send)
            else:
                await asyncio.sleep(_PATIENCE_SECONDS)

    def _hand_on(self, send: Callable[[Command], None]) -> None:
        command, num_bytes = self._commands.popleft()
        self._num_command_bytes -= num_bytes
        send(command)

    async def finish(self) -> None:
        """Wait until the commands of a client that has gone are handed on."""
        if self._handing_on is not None:
            await self._handing_on

    async def end(self) -> None:
        """Close the connection; what waits is sent if it is read at once."""
        self._writer.close()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()  # where it has closed by itself, this would fail (Python 3.11)
        except OSError:  # it has gone
            pass

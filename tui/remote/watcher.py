"""`Watcher`: one connection at the host's end. What it is told waits in a bounded buffer, what it says is checked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from engine import commands
from engine.commands import Command
from engine.text import harmless
from tui.remote.protocol import PROTOCOL, Hello, Refusal, message_in, protocol_in, to_line

HELLO_SECONDS = 5.0
"""How long one may take to say who it is."""
MAX_WAITING_BYTES = 1024 * 1024
"""More than this waits for no one that does not read: it is told the whole view once it has taken what waits."""
STALLED_SECONDS = 30.0
"""One that takes nothing for so long is let go; it may come again."""
MAX_COMMANDS_WAITING = 32
_PATIENCE_SECONDS = 0.05


class Watcher:
    """One of those who watch a run. Lives on the host's loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Callable[[], float]) -> None:
        """Talk to who has just connected."""
        self.is_read_only = True
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._is_behind = False
        self._telling: asyncio.Task[None] | None = None
        """Where a view is being told."""
        self._held = b""
        """What has happened since that view."""
        self._num_said = 0
        self._num_taken = 0
        self._moved_at = clock()
        writer.transport.set_write_buffer_limits(high=MAX_WAITING_BYTES // 4)

    @property
    def num_waiting_bytes(self) -> int:
        """What it has not taken yet, but for what is left of a view."""
        return self._writer.transport.get_write_buffer_size() + len(self._held)

    @property
    def has_taken_all(self) -> bool:
        """Whether there is nothing left that it was to be told."""
        return self._telling is None and not self.num_waiting_bytes

    def say(self, lines: bytes) -> None:
        """Put lines in its buffer."""
        if not self._writer.transport.is_closing():  # asyncio (3.11) would print warnings
            self._num_said += len(lines)
            self._writer.write(lines)

    def refuse(self, refusal: Refusal) -> None:
        """Say why it is not wanted; the caller ends the connection."""
        self.say(to_line(refusal))

    async def is_welcome(self) -> bool:
        """Wait for its hello; say whether it may stay, and tell it if not."""
        try:
            line = await asyncio.wait_for(self._reader.readline(), HELLO_SECONDS)
            protocol = protocol_in(line)
            hello = message_in(line) if protocol == PROTOCOL else None
        except (TimeoutError, ValueError):  # too long a line, or no message
            self.refuse(Refusal(reason="That was no hello."))
            return False
        if protocol != PROTOCOL:
            reason = f"The run speaks protocol {PROTOCOL}, and the one who comes {harmless(str(protocol))}."
            self.refuse(Refusal(reason=reason, hint="Attach with the version that has started the run."))
            return False
        if not isinstance(hello, Hello):
            self.refuse(Refusal(reason="That was no hello."))
            return False
        self.is_read_only = hello.is_read_only
        return True

    def begin(self, view: Iterable[bytes]) -> None:
        """Tell it all that has been, as fast as it takes that in; what is told from now on comes after it."""
        self._is_behind = False
        self._moved_at = self._clock()
        self._telling = asyncio.create_task(self._tell_view(view))

    async def _tell_view(self, view: Iterable[bytes]) -> None:
        """Say line after line, never more than a few ahead of what it takes; then what has happened meanwhile."""
        is_told = False
        try:
            for line in view:
                self.say(line)
                await self._writer.drain()
            held, self._held = self._held, b""
            self.say(held)
            is_told = True
        except OSError:  # it has gone
            pass
        finally:
            self._telling = None
            if not is_told:
                self._writer.transport.abort()

    def tell(self, lines: bytes) -> None:
        """Tell it what has happened, unless too much waits for it already."""
        if self._is_behind:
            return
        if self._telling is None and self.num_waiting_bytes <= MAX_WAITING_BYTES:
            self.say(lines)
        elif self._telling is not None and len(self._held) + len(lines) <= MAX_WAITING_BYTES:
            self._held += lines
        else:
            self._is_behind, self._held = True, b""

    def catch_up(self, view: Callable[[], Iterable[bytes]]) -> None:
        """Begin anew with one that was behind and has taken what waited; let go of one that takes nothing."""
        num_taken = self._num_said - self._writer.transport.get_write_buffer_size()
        if num_taken != self._num_taken or self.has_taken_all:
            self._num_taken, self._moved_at = num_taken, self._clock()
        if self._is_behind and self.has_taken_all:
            self.begin(view())
        elif self._clock() - self._moved_at > STALLED_SECONDS:
            self._writer.transport.abort()

    async def follow(self, send: Callable[[Command], None], num_waiting: Callable[[], int]) -> None:
        """Hand its commands to `send` until it goes or says what is none."""
        while True:
            try:
                line = await self._reader.readline()
                if not line.endswith(b"\n"):  # it has gone, perhaps in the middle of a word
                    return
                command = commands.from_json(line)
            except ValueError:  # no command, or too long a line
                self.refuse(Refusal(reason="That was no command."))
                return
            if self.is_read_only:
                self.refuse(Refusal(reason="This connection may only watch."))
                return
            while num_waiting() >= MAX_COMMANDS_WAITING:
                await asyncio.sleep(_PATIENCE_SECONDS)
            send(command)

    async def end(self) -> None:
        """Close the connection; what waits is sent if it is taken at once."""
        if self._telling is not None:
            self._telling.cancel()
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), _PATIENCE_SECONDS)
        self._writer.transport.abort()

"""`Watcher`: one connection at the host's end. What it is told waits in a bounded buffer, what it says is checked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from engine import commands
from engine.commands import Command
from engine.wire import WireError
from tui.remote.protocol import PROTOCOL, Hello, Refusal, message_in, to_line

HELLO_SECONDS = 5.0
"""How long one may take to say who it is."""
MAX_WAITING_BYTES = 1024 * 1024
"""More than this and a view is not put in the buffer of one that does not read.

It is told the whole view once it has taken what waits.
"""
STALLED_SECONDS = 30.0
"""One that takes nothing for so long is let go; it may come again."""
_MAX_COMMANDS_WAITING = 32
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
        self._num_waiting = 0
        self._moved_at = clock()
        self._max_waiting_bytes = MAX_WAITING_BYTES

    @property
    def num_waiting_bytes(self) -> int:
        """What it has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    def say(self, lines: bytes) -> None:
        """Put lines in its buffer."""
        self._writer.write(lines)

    def refuse(self, refusal: Refusal) -> None:
        """Say why it is not wanted; the caller ends the connection."""
        self.say(to_line(refusal))

    async def is_welcome(self) -> bool:
        """Wait for its hello; say whether it may stay, and tell it if not."""
        try:
            line = await asyncio.wait_for(self._reader.readline(), HELLO_SECONDS)
            hello = message_in(line)
        except (TimeoutError, ValueError):  # too long a line, or no message
            self.refuse(Refusal(reason="That was no hello."))
            return False
        if not isinstance(hello, Hello):
            self.refuse(Refusal(reason="That was no hello."))
            return False
        if hello.protocol != PROTOCOL:
            reason = f"The run speaks protocol {PROTOCOL}, and the one who comes {hello.protocol}."
            self.refuse(Refusal(reason=reason, hint="Attach with the version that has started the run."))
            return False
        self.is_read_only = hello.is_read_only
        return True

    def begin(self, view: Iterable[bytes]) -> None:
        """Tell it all that has been."""
        for line in view:
            self.say(line)
        self._max_waiting_bytes = self.num_waiting_bytes + MAX_WAITING_BYTES
        self._is_behind = False
        self._moved_at = self._clock()

    def tell(self, lines: bytes) -> None:
        """Tell it what has happened, unless too much waits for it already."""
        if not self._is_behind and self.num_waiting_bytes <= self._max_waiting_bytes:
            self.say(lines)
        else:
            self._is_behind = True

    def catch_up(self, view: Callable[[], Iterable[bytes]]) -> None:
        """Begin anew with one that was behind and has taken what waited; let go of one that takes nothing."""
        num_waiting = self.num_waiting_bytes
        if num_waiting != self._num_waiting or not num_waiting:
            self._num_waiting, self._moved_at = num_waiting, self._clock()
        if self._is_behind and not num_waiting:
            self.begin(view())
        elif num_waiting and self._clock() - self._moved_at > STALLED_SECONDS:
            self._writer.transport.abort()

    async def follow(self, send: Callable[[Command], None], num_waiting: Callable[[], int]) -> None:
        """Hand its commands to `send` until it goes or says what is none."""
        while True:
            try:
                line = await self._reader.readline()
                if not line:
                    return
                command = commands.from_json(line)
            except (WireError, ValueError):
                self.refuse(Refusal(reason="That was no command."))
                return
            if self.is_read_only:
                self.refuse(Refusal(reason="This connection may only watch."))
                return
            while num_waiting() >= _MAX_COMMANDS_WAITING:
                await asyncio.sleep(_PATIENCE_SECONDS)
            send(command)

    async def end(self) -> None:
        """Close the connection; what waits is sent if it is taken at once."""
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.close()
            await asyncio.wait_for(self._writer.wait_closed(), _PATIENCE_SECONDS)
        self._writer.transport.abort()

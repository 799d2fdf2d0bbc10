"""`ClientConnection`: one connection at the client's end. A thread of its own writes, so that `send` never blocks."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from engine.config.run import RunConfig
from engine.errors import RemoteError
from engine.protocol import events
from engine.protocol.codec import DecodeError
from engine.protocol.events import Event
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
from tui.remote.view_codec import decode_view
from tui.run.view import RunView


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

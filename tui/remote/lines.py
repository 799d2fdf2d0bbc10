"""Lines through a socket that waits, as the watcher's threads use it."""

from __future__ import annotations

import queue
import socket
from collections.abc import Iterator

from engine.wire import WireError
from tui.remote.protocol import MAX_HOST_LINE_BYTES

_CHUNK_BYTES = 256 * 1024


def write_lines(connection: socket.socket, outbox: queue.SimpleQueue[bytes | None]) -> None:
    """Send what the screen wants, until the end. A thread's body."""
    while (line := outbox.get()) is not None:
        try:
            connection.sendall(line)
        except OSError:  # the reader tells
            return


def read_lines(connection: socket.socket, rest: bytes) -> Iterator[bytes]:
    """Yield whole lines until the connection ends. Raises `WireError` for one that no host would send."""
    pieces = [rest]
    num_bytes = len(rest)
    while True:
        if b"\n" in pieces[-1]:
            *lines, last = b"".join(pieces).split(b"\n")
            yield from lines
            pieces, num_bytes = [last], len(last)
        if num_bytes > MAX_HOST_LINE_BYTES:
            raise WireError("a line without an end")
        data = connection.recv(_CHUNK_BYTES)
        if not data:
            return
        pieces.append(data)
        num_bytes += len(data)

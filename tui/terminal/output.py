"""`OutputThread`: writes to the terminal on a thread of its own, so that no caller waits for a slow connection.

A flush waits only once a deadline is set, at exit: a stalled or closed terminal must block neither the keys nor the end
of the program.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import IO

EXIT_TIMEOUT_SECONDS = 3.0
"""How long a stalled terminal may delay the exit. One second was too short on a busy machine."""
_CHUNK_BYTES = 256
"""Size of one write: a terminal that is ready accepts as much without blocking."""
_POLL_SECONDS = 0.1


class OutputThread:
    """Writes text to a file, and counts the bytes that the terminal has accepted. For any thread."""

    def __init__(self, file: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        """Write to the descriptor of `file`, in its encoding, unencodable characters replaced."""
        self.fileno = file.fileno
        self.num_sent_bytes = 0
        """Accepted by the terminal, or dropped."""
        self.num_dropped_bytes = 0
        self.deadline: float | None = None
        """When to drop what the terminal has not accepted; None: wait for it forever, and don't wait in `flush`."""
        self._encoding = getattr(file, "encoding", None) or "utf-8"
        self._clock = clock
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def set_deadline(self, seconds: float) -> None:
        """Drop output that the terminal has not accepted by then; until then, `flush` waits."""
        self.deadline = self._clock() + seconds

    def write(self, text: str) -> int:
        """Queue `text`, and return its bytes; the first call starts the thread."""
        data = text.encode(self._encoding, "replace")
        with self._changed:
            self._waiting.append(data)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="terminal", daemon=True)
                self._thread.start()
        return len(data)

    def flush(self) -> None:
        """Wait until the queue is empty or the deadline has passed; return at once if there is no deadline."""
        with self._changed:
            while self._waiting and self.deadline is not None:
                self._changed.wait(_POLL_SECONDS)

    def _send_all(self) -> None:
        """Send queued data in a loop. The body of the thread."""
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                data = self._waiting[0]
            self._send(data)
            with self._changed:
                self._waiting.popleft()
                self._changed.notify_all()

    def _send(self, data: bytes) -> None:
        """Send `data` as the terminal accepts it; drop the rest if the terminal is gone or the deadline has passed."""
        num_sent = 0
        try:
            while num_sent < len(data):
                is_late = self.deadline is not None and self._clock() >= self.deadline
                if select.select([], [self.fileno()], [], 0.0 if is_late else _POLL_SECONDS)[1]:
                    count = os.write(self.fileno(), data[num_sent : num_sent + _CHUNK_BYTES])
                    num_sent += count
                    self.num_sent_bytes += count
                elif is_late:
                    break
        except (OSError, ValueError):  # the terminal is gone, or the file was closed
            pass
        self.num_dropped_bytes += len(data) - num_sent
        self.num_sent_bytes += len(data) - num_sent


def print_at_end(*lines: str, end: str = "\n") -> None:
    """Print lines on stderr at the end of the program, as far as the terminal accepts them in time."""
    file = OutputThread(sys.__stderr__ or sys.stderr)  # Textual replaces sys.stderr while it runs
    file.set_deadline(EXIT_TIMEOUT_SECONDS)
    file.write("".join(line + end for line in lines))
    file.flush()

"""`PatientFile`: what a terminal is written to through; whoever writes never waits for the terminal.

What was written goes out on a thread of its own, as fast as the terminal takes it. A flush waits for it only at the end
of the program, and not for long: a line that stands still, or has gone, must hold up neither the keys nor the end.
"""

from __future__ import annotations

import math
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import IO

LEAVING_SECONDS = 3.0
"""How long a terminal that takes nothing may hold up the program's end. On a busy machine one second was too short."""
_CHUNK_BYTES = 256
"""What a terminal that can be written to takes at once, so that a write does not wait."""
_LOOK_SECONDS = 0.1


class PatientFile:
    """A text file that counts the bytes that were taken. For any thread."""

    def __init__(self, file: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        """Write to the descriptor of `file`, in its encoding."""
        self._file = file
        self._encoding = getattr(file, "encoding", None) or "utf-8"
        self._clock = clock
        self._waiting: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._patience_ends = math.inf
        self._sender: threading.Thread | None = None
        self.num_bytes = 0
        """Taken by the terminal, or given up."""

    def encode(self, text: str) -> bytes:
        """Return text as it is written."""
        return text.encode(self._encoding, "replace")

    def be_patient(self) -> None:
        """Wait for the terminal without an end."""
        self._patience_ends = math.inf

    def give_up_after(self, seconds: float) -> None:
        """From so many seconds on, throw away what the terminal does not take at once; until then, let a flush wait."""
        self._patience_ends = self._clock() + seconds

    def write(self, text: str) -> int:
        """Hand text over, to be sent when its turn has come."""
        with self._changed:
            self._waiting.append(self.encode(text))
            self._changed.notify_all()
            if self._sender is None:
                self._sender = threading.Thread(target=self._send_all, name="terminal", daemon=True)
                self._sender.start()
        return len(text)

    def flush(self) -> None:
        """At the end, wait until all that was written is taken, or patience has ended; else do nothing."""
        with self._changed:
            while self._waiting and not math.isinf(self._patience_ends):
                self._changed.wait(_LOOK_SECONDS)

    def fileno(self) -> int:
        """Return the file's number."""
        return self._file.fileno()

    def _send_all(self) -> None:
        """Send what is handed over, for ever. The body of the thread."""
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
        """Send data as the terminal takes it; where it has gone, or patience ends, throw the rest away."""
        taken = 0
        try:
            while taken < len(data):
                is_patient = self._clock() < self._patience_ends
                if select.select([], [self.fileno()], [], _LOOK_SECONDS if is_patient else 0.0)[1]:
                    num_taken = os.write(self.fileno(), data[taken : taken + _CHUNK_BYTES])
                    taken += num_taken
                    self.num_bytes += num_taken
                elif not is_patient:
                    break
        except (OSError, ValueError):  # it has gone, or the file was closed
            pass
        self.num_bytes += len(data) - taken


def write_at_end(text: str) -> None:
    """Write to stderr, as far as a terminal takes it; the program is about to end."""
    file = PatientFile(sys.__stderr__ or sys.stderr)  # while it runs, Textual has another in its place
    file.give_up_after(LEAVING_SECONDS)
    file.write(text)
    file.flush()


def say(lines: Iterable[str]) -> None:
    """Print lines on stderr, where a terminal takes them; the program is about to end."""
    write_at_end("".join(line + "\n" for line in lines))

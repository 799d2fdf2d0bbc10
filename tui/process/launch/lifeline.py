"""The pipe from the launcher to its ranks, as their standard input: signals for the leader, the launcher's end for all.

A signal is a byte in the pipe, so that one that comes before the leader has started, or while it is started again, is
not lost. The pipe is closed when the launcher ends, however it ends.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable

_STDIN = 0


class Lifeline:
    """The rank's end of the pipe."""

    def __init__(self, *, is_leader: bool) -> None:
        """Only the leader receives the signals."""
        self.on_launcher_ended: Callable[[], None] = _leave
        """Called, on a thread, once the launcher has ended."""
        self._is_leader = is_leader
        self._pipe = _STDIN

    def start(self) -> None:
        """Watch the pipe on a thread from here on; standard input can be closed."""
        self._pipe = os.dup(_STDIN)
        threading.Thread(target=self._watch, name="launcher", daemon=True).start()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN if self._is_leader else 0)
        while True:
            [(_, state)] = poll.poll()
            signals = os.read(self._pipe, 64) if state & select.POLLIN else b""
            if not signals:
                self.on_launcher_ended()
                return
            for number in signals:
                os.kill(os.getpid(), number)


def _leave() -> None:
    """Exit without saving: nothing has started yet."""
    os._exit(128 + signal.SIGTERM)


class LauncherPipe:
    """The launcher's end of the pipe. The ranks inherit the other end, which takes the place of standard input."""

    def __init__(self) -> None:
        """Replace the standard input of this process."""
        out, self._pipe = os.pipe()
        os.dup2(out, _STDIN)
        os.close(out)

    def send(self, number: int) -> None:
        """Send a signal to the leader. May be called by a signal's handler."""
        os.write(self._pipe, bytes([number]))

    def close(self) -> None:
        """Close the pipe, as the end of the process does."""
        os.close(self._pipe)

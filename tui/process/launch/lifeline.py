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

    def __init__(self) -> None:
        """Watch nothing yet."""
        self.on_launcher_ended: Callable[[], None] = _leave
        """Called, on a thread, once the launcher has ended."""
        self._pipe = _STDIN

    def start(self) -> None:
        """Watch for the launcher's end from here on, on a thread; standard input can be closed."""
        self._pipe = os.dup(_STDIN)
        threading.Thread(target=self._wait_for_end, name="launcher", daemon=True).start()

    def _wait_for_end(self) -> None:
        poll = select.poll()
        poll.register(self._pipe, 0)  # only its end, which unread signals don't hide
        poll.poll()
        self.on_launcher_ended()

    def forward_signals(self) -> None:
        """Send this process the launcher's signals from here on, those before included. For the leader."""
        threading.Thread(target=self._forward, name="signals", daemon=True).start()

    def _forward(self) -> None:
        while numbers := os.read(self._pipe, 64):
            for number in numbers:
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

"""`ScreenWatch`: ends the program at a signal or ctrl+c where the screen does not react.

A screen leaves on its event loop. If that is blocked, or the screen that would wait for the end of the run is gone, a
signal would be without effect, and ctrl+c, which arrives as a key, too. So a thread waits for the answer as well, and
calls a function in place of the screen if there is none in time. That function may fail or hang by what blocks the
screen; the process ends all the same.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from engine.errors import InternalError
from engine.storage.folders import home
from engine.storage.log import log_traceback
from tui.process.signals import log_threads

PATIENCE_SECONDS = 2.5
"""How long a screen may take to close after a signal, or to react to ctrl+c."""
ENDING_SECONDS = 1.5
"""How long its run may take to save and end after that."""
TAKEOVER_SECONDS = 2.4
"""How long all that is done in place of a screen may take: a signal ends the program within 5 seconds."""
_POLL_SECONDS = 0.1
"""Time is counted in polls: the clock goes on while the process is suspended, the screen does not."""


class ScreenWatch:
    """Waits for the answers of a screen. `expect` is for any thread and signal handler."""

    def __init__(self) -> None:
        self._expected: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # whose `put` may interrupt another
        self._has_reacted = False
        self._is_decided = threading.Lock()
        """Acquired once, by what ends the program: the screen or the watch."""
        self.has_no_limit = threading.Event()
        """Set once the process continues its run without the screen, however long that takes."""

    def start(self, take_over: Callable[[int | None], object]) -> None:
        """Call `take_over`, on a thread of its own, with the exit code of a signal or None for ctrl+c; then exit."""
        threading.Thread(target=self._watch, args=(take_over,), name="screen watch", daemon=True).start()

    def expect(self, exit_code: int | None = None) -> None:
        """Expect `close`, after a signal with this exit code; after ctrl+c, without a code, `react` will do as well."""
        if exit_code is None:
            self._has_reacted = False
        self._expected.put(exit_code)

    def react(self) -> None:
        """Note that the screen has received ctrl+c: whatever it does then, such as a question, is its answer."""
        self._has_reacted = True

    def close(self) -> None:
        """Note that the screen has closed. Never returns if the watch ends the program."""
        if not self._is_decided.acquire(blocking=False):
            threading.Event().wait()

    def _watch(self, take_over: Callable[[int | None], object]) -> None:
        """Wait for each answer in turn. The thread's body."""
        while True:
            exit_code = self._expected.get()
            for _ in range(round(PATIENCE_SECONDS / _POLL_SECONDS)):
                if self._is_decided.locked() or (exit_code is None and self._has_reacted):
                    break
                time.sleep(_POLL_SECONDS)
            else:
                if self._is_decided.acquire(blocking=False):
                    self._end(take_over, exit_code)
                return

    def _end(self, take_over: Callable[[int | None], object], exit_code: int | None) -> NoReturn:
        """Call `take_over`; exit if it raises or takes too long."""
        code = InternalError.exit_code if exit_code is None else exit_code

        def limit() -> None:
            if not self.has_no_limit.wait(TAKEOVER_SECONDS):
                os._exit(code)

        threading.Thread(target=limit, name="takeover limit", daemon=True).start()
        try:
            log_threads("The screen does not answer.")
            take_over(exit_code)
        except Exception as error:  # noqa: BLE001 - whatever it is, the program must end
            log_traceback(error, "Ending in place of the screen failed.", home() / "tweetgen.log", "tui")
        finally:
            os._exit(code)

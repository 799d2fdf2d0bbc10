"""Signals that end the program, told to the app on its own thread.

The descriptors of a terminal that has hung up are pointed at the null device first: nothing is written to it again, and
the app can end in order. This can't wait for the event loop. The kernel sends SIGCONT right after SIGHUP, at which
Textual (8.2) writes to the terminal from a handler of its own; if that fails, its writer thread ends and the app hangs.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import signal
import stat
import threading
from collections.abc import Callable
from types import FrameType

HANGUP_CODE = 129
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # SIGHUP is unknown to Windows


def handle_ending_signals(on_signal: Callable[[int], None]) -> Callable[[], None]:
    """Call `on_signal` with 128 + the number of each such signal, on the running event loop; return what undoes it.

    Off the main thread, where Python takes no handlers, the signals do what they always do.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()  # a handler runs outside the app's own, in which timers must be made

    def receive(number: int, _frame: FrameType | None) -> None:
        if 128 + number == HANGUP_CODE:
            let_go_of_terminal()
        loop.call_soon_threadsafe(on_signal, 128 + number, context=context)

    before = {number: signal.signal(number, receive) for number in _existing_signals()}

    def undo() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return undo


def _existing_signals() -> list[signal.Signals]:
    """Return those of the signals that this system has."""
    return [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]


def let_go_of_terminal() -> None:
    """Point standard input, output and error at the null device where they are a terminal: writing to it would fail."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(null, descriptor)
    os.close(null)

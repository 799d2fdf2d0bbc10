"""Signals that end the program, told to the app on its own thread.

The descriptors of a terminal that has hung up are pointed at the null device first: nothing is written to it again, and
the app can end in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Callable

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # SIGHUP is unknown to Windows


def handle_ending_signals(on_signal: Callable[[int], None]) -> Callable[[], None]:
    """Call `on_signal` with 128 + the number of each such signal, on the running event loop; return what undoes it."""
    loop = asyncio.get_running_loop()
    handled: list[signal.Signals] = []
    # off the main thread and on Windows there are no handlers: then the signals do what they always do
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            loop.add_signal_handler(number, _receive, number, on_signal)
            handled.append(number)

    def undo() -> None:
        for number in handled:
            loop.remove_signal_handler(number)

    return undo


def _receive(number: signal.Signals, on_signal: Callable[[int], None]) -> None:
    if number.name == "SIGHUP":
        _let_go_of_terminal()
    on_signal(128 + number)


def _let_go_of_terminal() -> None:
    """Point standard input, output and error at the null device where they are a terminal."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(null, descriptor)
    os.close(null)

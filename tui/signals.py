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

HANGUP_CODE, INTERRUPTED_CODE = 129, 130
REASONS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up"}
"""Why a run ended, by the signal that ended it."""

_ANSWERED_BY_DRAWING = ("SIGTSTP", "SIGCONT", "SIGWINCH")


def reason_of(return_code: int) -> str | None:
    """Return why a run ends that is left with this code; None where no signal asked for that."""
    return next((why for name, why in REASONS.items() if 128 + signal.Signals[name] == return_code), None)


def handle_ending_signals(on_signal: Callable[[int], None]) -> Callable[[], None]:
    """Call `on_signal` with 128 + the number of each such signal, on the running event loop; return what undoes it.

    Off the main thread, where Python takes no handlers, the signals do what they always do.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    has_hung_up = False
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()  # a handler runs outside the app's own, in which timers must be made

    def receive(number: int, _frame: FrameType | None) -> None:
        nonlocal has_hung_up
        if 128 + number == HANGUP_CODE:
            has_hung_up = True
            let_go_of_terminal()
            signal.signal(number, signal.SIG_IGN)  # shell and kernel tell of it one after the other
        loop.call_soon_threadsafe(on_signal, 128 + number, context=context)

    before = {number: signal.signal(number, receive) for number in map(signal.Signals.__getitem__, REASONS)}

    def undo() -> None:
        answer_no_more_by_drawing()
        for number, handler in before.items():
            if not (has_hung_up and 128 + number == HANGUP_CODE):
                signal.signal(number, handler)

    return undo


def answer_no_more_by_drawing() -> None:
    """Take back what Textual (8.2) does at signals of a terminal: it raises once its loop has ended."""
    for name in _ANSWERED_BY_DRAWING:
        signal.signal(getattr(signal, name), signal.SIG_DFL)


def let_go_of_terminal(*, and_pipes: bool = False) -> None:
    """Point standard input, output and error at the null device where they are a terminal: writing to it would fail.

    With `and_pipes` wherever they lead: whoever reads them would wait for the end of a run that goes on by itself.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if and_pipes or stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(null, descriptor)
    os.close(null)

"""Signals that end the program: which they are, what a run that they end calls its reason, and how each is received.

The descriptors of a terminal that has hung up are pointed at the null device first: nothing is written to it again, and
the program can end in order. This can't wait for an event loop. The kernel sends SIGCONT right after SIGHUP, at which
Textual (8.2) writes to the terminal from a handler of its own; if that fails, its writer thread ends and the app hangs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
from collections.abc import Callable
from types import FrameType

from tui.run.exit_codes import ENDING_SIGNALS, reason_of

HANGUP_CODE, INTERRUPTED_CODE = 128 + signal.SIGHUP, 128 + signal.SIGINT

_ANSWERED_BY_DRAWING = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
_SHOW_CURSOR = b"\x1b[?25h"


def handle_ending_signals(on_signal: Callable[[int], None]) -> None:
    """Call `on_signal` with 128 + the number of an ending signal, from its handler; a hangup lets go of the terminal.

    A signal that was ignored before stays ignored, as `nohup` and background jobs of a script ask.
    """

    def receive(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            signal.signal(number, signal.SIG_IGN)  # shell and kernel send one each
            let_go_of_terminal()
        on_signal(128 + number)

    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, receive)


def stop_at_signals(stop: Callable[[str], None]) -> Callable[[int], None]:
    """Return a callback for `handle_ending_signals`: it calls `stop` with the reason; the same signal again exits."""

    def on_signal(exit_code: int) -> None:
        if exit_code != HANGUP_CODE:
            signal.signal(exit_code - 128, leave_at_once)
        stop(reason_of(exit_code) or "")

    return on_signal


def leave_at_once(number: int, _frame: FrameType | None) -> None:
    """End the process in a signal's handler, with nothing saved; a progress bar may have hidden the cursor.

    Raising `KeyboardInterrupt` instead would abort with a dump in the middle of the import of torch (2.13).
    """
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        if os.isatty(sys.stderr.fileno()):
            os.write(sys.stderr.fileno(), _SHOW_CURSOR)
    os._exit(128 + number)


def handle_signals_after_screen(on_signal: Callable[[int], None], *, is_run_to_go_on: bool) -> None:
    """Handle signals where the screen has closed: ctrl+c ends the process at once, as its run has saved and ended.

    A run that is to go on is asked to end, by `on_signal`. SIGINT stays ignored where it was. The signals of a terminal
    get their defaults back: Textual (8.2) draws at them, and raises once its loop has ended.
    """
    for number in _ANSWERED_BY_DRAWING:
        signal.signal(number, signal.SIG_DFL)
    handle_ending_signals(on_signal)
    if not is_run_to_go_on and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave_at_once)


def let_go_of_terminal(*, and_pipes: bool = False) -> None:
    """Point standard input, output and error at the null device where they are a terminal: writing to it would fail.

    With `and_pipes` wherever they lead: whoever reads them would wait for the end of a run that goes on by itself.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if and_pipes or stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(null, descriptor)
    os.close(null)

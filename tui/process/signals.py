"""The signals that end the program: the reasons of runs, the exit codes and the handlers; tracebacks of crashes.

SIGHUP comes from the kernel or the shell, through `job_control`, or from `terminal.driver` when reading keys fails.
With a screen, the app decides: the run detaches, or ends with `--on-hangup stop`. Without one, `cli.headless` lets the
run continue unless the same option is given. An attached screen always detaches, and a run without its screen ignores
SIGHUP. `screen_watch` acts in place of a screen that does not answer.

The handler first points the descriptors of the terminal at the null device: nothing is written to it again, and the
program can end in order. This can't wait for an event loop. The kernel sends SIGCONT right after SIGHUP, at which
Textual (8.2) writes to the terminal from a handler of its own; if that fails, its writer thread ends and the app hangs.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import stat
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, TextIO

from engine.errors import ConfigError
from engine.storage.folders import folder_of_run, home

ENDING_SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
"""Each with the reason of a run that it has ended."""
EXIT_CODES = {reason: 128 + number for number, reason in ENDING_SIGNALS.items()}
"""Exit codes of the program, by the reason of the run's end."""
HANGUP_CODE, INTERRUPTED_CODE = 128 + signal.SIGHUP, 128 + signal.SIGINT

_ANSWERED_BY_DRAWING = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
_SHOW_CURSOR = b"\x1b[?25h"
_CRASH_LOG: list[TextIO] = []
"""The file that `faulthandler` writes to, kept open."""


def reason_of(exit_code: int) -> str:
    """Return the reason of a run that a signal with this exit code ends; empty for any other code."""
    return next((reason for reason, code in EXIT_CODES.items() if code == exit_code), "")


def handle_ending_signals(on_signal: Callable[[int], None]) -> None:
    """Call `on_signal` with 128 + the number of an ending signal, from its handler; a hangup closes the terminal.

    A signal that was ignored before stays ignored, as `nohup` and background jobs of a script require.
    """

    def receive(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            signal.signal(number, signal.SIG_IGN)  # the shell and the kernel send one each
            close_terminal()
        on_signal(128 + number)

    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, receive)


def stop_at_signals(
    stop: Callable[[str], None], leave: Callable[[int, FrameType | None], None] | None = None
) -> Callable[[int], None]:
    """Return a callback for `handle_ending_signals`: it calls `stop` with the reason; the same signal again exits.

    `leave` is the handler of that one, by default `leave_at_once`.
    """

    def on_signal(exit_code: int) -> None:
        if exit_code != HANGUP_CODE:
            signal.signal(exit_code - 128, leave or leave_at_once)
        stop(reason_of(exit_code))

    return on_signal


def leave_at_once(number: int, _frame: FrameType | None) -> NoReturn:
    """Exit from a signal's handler without saving; show the cursor, which a progress bar may have hidden.

    Raising `KeyboardInterrupt` instead would abort with a dump in the middle of the import of torch (2.13).
    """
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        if os.isatty(sys.stderr.fileno()):
            os.write(sys.stderr.fileno(), _SHOW_CURSOR)
    os._exit(128 + number)


def handle_signals_after_screen(on_signal: Callable[[int], None], *, continues_in_background: bool) -> None:
    """Handle signals once the screen is closed: ctrl+c exits at once, as the run has saved and ended.

    With `continues_in_background`, `on_signal` ends the run instead. SIGINT stays ignored where it was. The signals of
    a terminal get their defaults back: Textual (8.2) draws at them, and raises once its loop has ended.
    """
    for number in _ANSWERED_BY_DRAWING:
        signal.signal(number, signal.SIG_DFL)
    handle_ending_signals(on_signal)
    if not continues_in_background and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave_at_once)


def close_terminal(*, and_pipes: bool = False) -> None:
    """Point standard input, output and error at the null device where they are a terminal.

    With `and_pipes` in any case: a reader of a pipe would wait for the end of a run that continues in the background.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        if and_pipes or stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(null, descriptor)
    os.close(null)


def log_crashes_of(run: str) -> None:
    """Write the traceback of a native crash to the log of a run from now on: not over the screen.

    Does nothing where `faulthandler` is enabled already, as by `python -X faulthandler`.
    """
    if faulthandler.is_enabled() and not _CRASH_LOG:
        return
    with contextlib.suppress(OSError, ConfigError):  # no log, no traceback
        file = folder_of_run(run).log_path.open("a", encoding="utf-8")
        faulthandler.enable(file)
        while _CRASH_LOG:
            _CRASH_LOG.pop().close()
        _CRASH_LOG.append(file)


def log_threads(why: str) -> None:
    """Write a line and the traceback of every thread to the log of the program."""
    with contextlib.suppress(OSError), (home() / "tweetgen.log").open("a", encoding="utf-8") as file:
        file.write(f"{why}\n")
        file.flush()
        faulthandler.dump_traceback(file)

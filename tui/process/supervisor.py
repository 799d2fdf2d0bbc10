"""The parent's side of job control: waits for the child, forwards signals, stops with it, restores the terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from types import FrameType
from typing import NoReturn

from tui.formatting.shell import quoted
from tui.process.signals import HANGUP_CODE
from tui.process.terminal_state import TerminalState, pass_foreground
from tui.terminal.output_thread import write_at_end

RELEASE, RUN, ATTACHED_RUN = b"release ", b"run ", b"attached "
DRAWING, NOT_DRAWING = b"drawing", b"not drawing"
"""What the child writes to the pipe, one message a line."""
_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTSTP")


class Supervisor:
    """The parent's side of job control."""

    def __init__(self, child: int, pipe: int, terminal: TerminalState) -> None:
        """Supervise the process `child`, whose messages are read from the descriptor `pipe`."""
        self._child = child
        self._pipe = pipe
        self._terminal = terminal
        self._run = ""
        self._is_remote = False
        self._is_drawing = False
        self._unread = b""

    def supervise(self) -> int:
        """Wait until the child ends or is released; return the exit code."""
        with contextlib.suppress(OSError):
            os.setpgid(self._child, self._child)  # the child does the same: whichever comes first
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or to pass on the foreground would stop this process
        pass_foreground(os.getpgrp(), self._child)
        for name in _FORWARDED:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._forward)
        reader = threading.Thread(target=self._read_messages, name="messages of the child", daemon=True)
        reader.start()
        while True:
            _, status = os.waitpid(self._child, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                reader.join()  # so that no message is missed
                return self._after(status)
            self._stop_too()

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        """Forward a signal. A stopped child receives it once it is resumed."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, number)

    def _read_messages(self) -> None:
        """Handle the child's messages; exit at once when it is released. Ends with the child."""
        while data := os.read(self._pipe, 4096):
            *lines, self._unread = (self._unread + data).split(b"\n")
            for line in lines:
                if line.startswith((RUN, ATTACHED_RUN)):
                    self._is_remote = line.startswith(ATTACHED_RUN)
                    self._run = line.removeprefix(ATTACHED_RUN if self._is_remote else RUN).decode()
                elif line in {DRAWING, NOT_DRAWING}:
                    self._is_drawing = line == DRAWING
                elif line.startswith(RELEASE):
                    exit_code, _, notice = line.removeprefix(RELEASE).decode().partition(" ")
                    self._exit_before_child(int(exit_code), notice)

    def _exit_before_child(self, exit_code: int, notice: str) -> NoReturn:
        """Exit while the child runs on. After a hangup the child can't write to a terminal that is still there."""
        self._bring_to_foreground()
        self._terminal.restore(always=self._is_drawing)
        if exit_code == HANGUP_CODE and notice:
            write_at_end(notice + "\n")
        os._exit(exit_code)

    def _stop_too(self) -> None:
        """Stop as the child has, so that the shell continues; once resumed, resume the child.

        With the whole group, as the terminal's own ctrl+z does: a script that waits here must stop as well. The kernel
        does not stop a group that no shell could resume.
        """
        self._bring_to_foreground()
        was_unchanged = self._terminal.is_unchanged
        before = signal.getsignal(signal.SIGTSTP)
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        if was_unchanged:
            self._terminal.save()  # the user may have changed the settings meanwhile
        pass_foreground(os.getpgrp(), self._child)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGCONT)

    def _bring_to_foreground(self) -> None:
        """Make the group that the shell has started the foreground group again."""
        pass_foreground(self._child, os.getpgrp())

    def _after(self, status: int) -> int:
        """Return the child's exit code; restore the terminal, and print how to continue where the child was killed."""
        self._bring_to_foreground()
        self._terminal.restore(always=self._is_drawing or os.WIFSIGNALED(status))
        if not os.WIFSIGNALED(status):
            return os.WEXITSTATUS(status)
        number = os.WTERMSIG(status)
        write_at_end(self._notice_of_kill(number))
        return 128 + number

    def _notice_of_kill(self, number: int) -> str:
        """Return the two lines printed after the child was killed."""
        what = f"tweetgen-tui: The program was ended by {signal.Signals(number).name}.\n"
        if not self._run:
            return what + "No run had started.\n"
        if self._is_remote:
            return what + f"The run continues in its own process:  tweetgen-tui attach {quoted(self._run)}\n"
        return what + f"Its checkpoints are intact:  tweetgen-tui --resume {quoted(self._run)}\n"

"""Job control: a small parent process between the shell and the program, so that the program can release the shell.

A shell waits for the process that it has started. So that one stays behind as a supervisor, from before anything heavy
is imported, and the program is its child, in a process group of its own as a shell would create it: the terminal's own
signals (ctrl+c, ctrl+z, a resize) go to the child alone, and signals sent to the supervisor are forwarded, each once.

* `JobControl.release`: the shell prompts again and the child runs on, without a terminal.
* When the child stops (ctrl+z), the supervisor stops too, or the shell would wait; `fg` resumes both. Where no shell
  could resume them (`ssh -t`, a container), neither stays stopped.
* When the child ends or is released while it draws or with the terminal's settings changed, the supervisor restores
  them and resets the terminal's modes.
* When the supervisor is killed, the child restores the terminal and ends: to the user they are one program.

Called before any thread is started, and before torch is imported: neither survives a fork. On macOS the child executes
Python anew, with the same arguments, so nothing may be read from standard input before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

from engine.text import quoted, sanitize_line
from tui.process.signals import HANGUP_CODE, log_crashes_of
from tui.terminal.output import print_at_end

_STDIN, _STDERR = 0, 2
_LOCAL_FLAGS = 3
"""Their place among the settings of a terminal (termios)."""
_RESET = (
    "\x18"  # ends a sequence that was cut off
    "\x1b[?1049l\x1b[?25h\x1b[?7h"  # main screen, cursor visible, line wrapping
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l"  # no mouse, no focus
    "\x1b[?2004l\x1b[?2026l\x1b[?2048l\x1b[<u\x1b[0m\r"  # no bracketed paste, frames, sizes, kitty's keys, colours
)
"""Resets every mode that the program may have set."""
_RELEASE, _ADVICE, _DRAWING, _NOT_DRAWING = "release ", "advice ", "drawing", "not drawing"
"""What the child writes to the pipe, one message a line."""
_EXECUTES_PYTHON = sys.platform == "darwin"
"""Whether the child executes Python after the fork. Metal, and with it PyTorch on a GPU of Apple's, ends a process that
was only forked with XPC_ERROR_CONNECTION_INVALID (vectorize-io/hindsight#1519)."""
_INHERITED = "_TWEETGEN_TUI_JOB"
"""The variable that names the child's two descriptors then."""
_FORWARDED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTSTP")


class TerminalState:
    """The terminal's settings as they were before the program changed them; None without a terminal."""

    def __init__(self) -> None:
        self.saved = self.now()

    @staticmethod
    def now(descriptor: int = _STDIN) -> list[Any] | None:
        """Return the current settings, without PENDIN: macOS sets that flag by itself after a program read raw keys."""
        with contextlib.suppress(termios.error):
            settings = termios.tcgetattr(descriptor)
            settings[_LOCAL_FLAGS] &= ~termios.PENDIN
            return settings
        return None

    def restore(self, *, always: bool = False) -> None:
        """Restore the settings and reset all modes, where the settings have changed, or `always`.

        Never blocks on a terminal that accepts nothing; works from a background process group too.
        """
        if self.saved is None or not os.isatty(_STDERR) or (self.now() == self.saved and not always):
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with contextlib.suppress(OSError, termios.error):  # the terminal is gone
            if os.tcgetpgrp(_STDIN) == os.getpgrp():  # else the shell is in the foreground, with settings of its own
                termios.tcsetattr(_STDIN, termios.TCSANOW, self.saved)
            print_at_end(_RESET, end="")
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pass_foreground(owner: int, group: int) -> None:
    """Make `group` the terminal's foreground process group where it was `owner`. SIGTTOU must be ignored meanwhile."""
    with contextlib.suppress(OSError):  # no terminal, or it is gone
        if os.tcgetpgrp(_STDIN) == owner:
            os.tcsetpgrp(_STDIN, group)


class Supervisor:
    """The parent's side: supervises the process `child`, whose messages are read from the descriptor `pipe`."""

    def __init__(self, child: int, pipe: int, terminal: TerminalState) -> None:
        self._child = child
        self._pipe = pipe
        self._terminal = terminal
        self._advice = "No run had started."
        """Printed where the child was killed."""
        self._is_drawing = False

    def supervise(self) -> int:
        """Wait until the child ends or is released; return the exit code."""
        with contextlib.suppress(OSError):
            os.setpgid(self._child, self._child)  # the child does the same: whichever comes first
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else passing on the foreground would stop this process
        _pass_foreground(os.getpgrp(), self._child)
        for number in (getattr(signal, name) for name in _FORWARDED):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._forward)
        reader = threading.Thread(target=self._read_messages, name="messages of the child", daemon=True)
        reader.start()
        while True:
            _, status = os.waitpid(self._child, os.WUNTRACED)
            _pass_foreground(self._child, os.getpgrp())
            if not os.WIFSTOPPED(status):
                break
            self._stop_too()
        reader.join()  # so that no message is missed
        self._terminal.restore(always=self._is_drawing or os.WIFSIGNALED(status))
        if not os.WIFSIGNALED(status):
            return os.WEXITSTATUS(status)
        number = os.WTERMSIG(status)
        print_at_end(f"tweetgen-tui: The program was ended by {signal.Signals(number).name}.", self._advice)
        return 128 + number

    def _forward(self, number: int, _frame: FrameType | None) -> None:
        """Forward a signal. A stopped child receives it once it is resumed."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, number)

    def _read_messages(self) -> None:
        """Handle the child's messages; exit at once when it is released. Ends with the child."""
        with open(self._pipe, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                message = line.removesuffix("\n")
                if message in {_DRAWING, _NOT_DRAWING}:
                    self._is_drawing = message == _DRAWING
                elif message.startswith(_ADVICE):
                    self._advice = message.removeprefix(_ADVICE)
                elif message.startswith(_RELEASE):
                    code, _, notice = message.removeprefix(_RELEASE).partition(" ")
                    _pass_foreground(self._child, os.getpgrp())
                    self._terminal.restore(always=self._is_drawing)
                    if int(code) == HANGUP_CODE and notice:  # the child can't write to a terminal that is still there
                        print_at_end(notice)
                    os._exit(int(code))

    def _stop_too(self) -> None:
        """Stop as the child has, so that the shell continues; once resumed, resume the child.

        With the whole group, as the terminal's own ctrl+z does: a script that waits here must stop as well. The kernel
        does not stop a group that no shell could resume.
        """
        was_unchanged = self._terminal.now() == self._terminal.saved
        before = signal.getsignal(signal.SIGTSTP)
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        if was_unchanged:
            self._terminal.saved = self._terminal.now()  # the user may have changed the settings meanwhile
        _pass_foreground(os.getpgrp(), self._child)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGCONT)


class JobControl:
    """The child's side. For any thread."""

    def __init__(self, pipe: int, parent: int, terminal: TerminalState) -> None:
        """Write messages to the descriptor `pipe`; end with the parent, whose end closes the pipe `parent`."""
        self._pipe: int | None = pipe
        self._terminal = terminal
        self._is_released = False
        threading.Thread(target=self._end_with, args=(parent,), name="job control", daemon=True).start()

    def set_active_run(self, name: str, *, is_remote: bool = False) -> None:
        """Set the run whose log gets the traceback of a crash, and that the supervisor names if the child is killed.

        A run that `is_remote` does not end with the child.
        """
        log_crashes_of(name)
        lost = "Its checkpoints are intact:  tweetgen-tui --resume"
        remote = "The run continues in its own process:  tweetgen-tui attach"
        self._send(f"{_ADVICE}{remote if is_remote else lost} {quoted(sanitize_line(name))}")

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Have the supervisor reset the terminal if the block does not end, or loses the terminal.

        The settings do not show that: Textual (8.2) enters the alternate screen before it changes them, and leaves it
        after it has restored them.
        """
        self._send(_DRAWING)
        yield
        if os.isatty(_STDERR):
            self._send(_NOT_DRAWING)

    def stop_drawing(self) -> None:
        """Restore the terminal in place of the block of `drawing`, which does not end."""
        self._terminal.restore(always=True)
        if os.isatty(_STDERR):
            self._send(_NOT_DRAWING)

    def release(self, exit_code: int, notice: str = "") -> None:
        """Make the supervisor exit with this code; the caller has closed its terminal. Called once.

        After a hangup the supervisor prints `notice`, a line about the run that continues.
        """
        self._is_released = True
        # a session of its own, which no terminal's end reaches
        with contextlib.suppress(OSError):  # it leads a session already, or the supervisor is gone
            os.setpgid(0, os.getpgid(os.getppid()))  # the leader of a group can't create a session
            os.setsid()
        self._send(f"{_RELEASE}{exit_code} {notice}")

    def _send(self, message: str) -> None:
        if self._pipe is not None:
            try:
                os.write(self._pipe, f"{message}\n".encode())
            except OSError:  # the supervisor has exited
                self._pipe = None

    def _end_with(self, parent: int) -> None:
        """Wait for the end of the supervisor, which writes nothing to this pipe; end with it unless released."""
        with contextlib.suppress(OSError):
            os.read(parent, 1)
        if not self._is_released:
            self._terminal.restore(always=True)  # a shell restores the settings of a killed job, but no modes
            os.kill(os.getpid(), signal.SIGKILL)


def start_job_control() -> JobControl:
    """Continue in a child. The calling process supervises it, and never returns from here."""
    if inherited := os.environ.pop(_INHERITED, ""):
        pipe_in, life_out = map(int, inherited.split())
        for descriptor in (pipe_in, life_out):
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - it has no name
        return JobControl(pipe_in, life_out, TerminalState())
    pipe_out, pipe_in = os.pipe()
    life_out, life_in = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, `waitpid` returns no status
    terminal = TerminalState()
    child = os.fork()
    if child:
        # readers of descriptors that only the parent still has open would wait for ever
        os.closerange(3, min(pipe_out, life_in))
        os.close(pipe_in)
        os.close(life_out)
        os._exit(Supervisor(child, pipe_out, terminal).supervise())
    os.close(pipe_out)
    os.close(life_in)
    os.setpgid(0, 0)
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    _pass_foreground(os.getpgid(os.getppid()), os.getpgid(0))
    signal.signal(signal.SIGTTOU, before)
    if _EXECUTES_PYTHON:
        for descriptor in (pipe_in, life_out):
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - the same
        os.environ[_INHERITED] = f"{pipe_in} {life_out}"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - this program again
    return JobControl(pipe_in, life_out, terminal)

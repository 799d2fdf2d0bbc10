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

Called before any thread is started, and before torch is imported: neither survives a fork.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

from engine.text import sanitize_line
from tui.process.crash_log import log_crashes_of
from tui.process.supervisor import ATTACHED_RUN, DRAWING, NOT_DRAWING, RELEASE, RUN, Supervisor
from tui.process.terminal_state import TerminalState, pass_foreground

_STDERR = 2


class JobControl:
    """The child's side of job control. For any thread."""

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
        self._send((ATTACHED_RUN if is_remote else RUN) + sanitize_line(name).encode())

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Have the supervisor reset the terminal if the block does not end, or loses the terminal.

        The settings do not show that: Textual (8.2) enters the alternate screen before it changes them, and leaves it
        after it has restored them.
        """
        self._send(DRAWING)
        yield
        if os.isatty(_STDERR):
            self._send(NOT_DRAWING)

    def stop_drawing(self) -> None:
        """Restore the terminal in place of the block of `drawing`, which does not end."""
        self._terminal.restore(always=True)
        if os.isatty(_STDERR):
            self._send(NOT_DRAWING)

    def release(self, exit_code: int, notice: str = "") -> None:
        """Let the supervisor exit with this code; the caller has closed its terminal. Called once.

        After a hangup the supervisor prints `notice`, a line about the run that continues.
        """
        self._is_released = True
        # a session of its own, which no terminal's end reaches
        with contextlib.suppress(OSError):  # it has one already, or the supervisor is gone
            os.setpgid(0, os.getpgid(os.getppid()))  # the leader of a group can't create a session
            os.setsid()
        self._send(RELEASE + f"{exit_code} {notice}".encode())

    def _send(self, message: bytes) -> None:
        if self._pipe is not None:
            try:
                os.write(self._pipe, message + b"\n")
            except OSError:  # it was released
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
    pass_foreground(os.getpgid(os.getppid()), os.getpgid(0))
    signal.signal(signal.SIGTTOU, before)
    return JobControl(pipe_in, life_out, terminal)

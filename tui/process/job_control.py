"""The guardian: a small process between the shell and the program, so that the program can let go of the shell.

A shell waits for the process that it has started. So that one stays behind, from before anything heavy is loaded, and
the program is its child, in a process group of its own as a shell would give it: the terminal's own signals (ctrl+c,
ctrl+z, a size) go to the child alone, and whatever is sent to the guardian is handed on, each once. What it is for:

* `JobControl.release`: the shell gets its prompt back and the child lives on, with no terminal.
* When the child stops (ctrl+z), the guardian stops too, or the shell would wait; `fg` wakes both. Where no shell could
  wake them (`ssh -t`, a container), neither stays stopped.
* When the child ends or lets go, for whatever reason, while it draws or with the terminal's settings changed, the
  guardian restores them and resets the terminal's modes.
* When the guardian is killed, the child does that and ends: to the user they are one program.

Called before any thread is started, and before torch is loaded: neither outlives a fork.
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
from typing import Any, NoReturn

from engine.text import harmless
from tui.process.crash_log import log_crashes_of
from tui.process.signals import HANGUP_CODE
from tui.terminal.output_thread import write_at_end

_STDIN, _STDERR = 0, 2
_HANDED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTSTP")
_RELEASE, _RUN, _WATCHED = b"release ", b"run ", b"watched "
_DRAWS, _HAS_DRAWN = b"draws", b"has drawn"
_RESET = (
    "\x18"  # no half of a sequence
    "\x1b[?1049l\x1b[?25h\x1b[?7h"  # the main screen, a cursor, wrapped lines
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l\x1b[?1004l"  # no mouse, no focus
    "\x1b[?2004l\x1b[?2026l\x1b[?2048l\x1b[<u\x1b[0m\r"  # no bracketed paste, frames, sizes, kitty's keys, colours
)
"""Takes back all that the program may have asked of a terminal."""


class _Terminal:
    """The terminal's settings, as they were before the program changed them."""

    def __init__(self) -> None:
        """Save the settings as they are now."""
        self.save()

    def save(self) -> None:
        """Take the settings as they are now for those to restore."""
        self._saved = _settings()

    @property
    def is_at_rest(self) -> bool:
        """Whether the settings are those that were saved."""
        return _settings() == self._saved

    def restore(self, *, always: bool = False) -> None:
        """Restore the settings and reset all modes, where the settings differ from those saved, or `always`.

        Without a wait for a terminal that takes nothing, and also from a group that the terminal does not listen to.
        """
        if self._saved is None or not os.isatty(_STDERR) or (self.is_at_rest and not always):
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        with contextlib.suppress(OSError, termios.error):  # it has gone
            if os.tcgetpgrp(_STDIN) == os.getpgrp():  # else the shell has taken it back, with settings of its own
                termios.tcsetattr(_STDIN, termios.TCSANOW, self._saved)
            write_at_end(_RESET)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _settings() -> list[Any] | None:
    """Return the terminal's settings; None where there is no terminal, or it has gone."""
    try:
        return termios.tcgetattr(_STDIN)
    except termios.error:
        return None


class JobControl:
    """The child's door to its guardian. For any thread."""

    def __init__(self, door: int, parent: int, terminal: _Terminal) -> None:
        """Write through the descriptor `door`; end with the process `parent`, whose end closes `parent`'s pipe."""
        self._door: int | None = door
        self._terminal = terminal
        self._is_released = False
        threading.Thread(target=self._end_with, args=(parent,), name="guardian", daemon=True).start()

    def note_run(self, name: str, *, is_elsewhere: bool = False) -> None:
        """Say which run is on, for what there is to tell, and to log, if the child crashes.

        One that `is_elsewhere` does not end with the child.
        """
        log_crashes_of(name)
        self._tell((_WATCHED if is_elsewhere else _RUN) + harmless(name).encode() + b"\n")

    @contextlib.contextmanager
    def drawing(self) -> Iterator[None]:
        """Have the guardian reset the terminal, should the block not come to its end, or lose the terminal before it.

        The settings do not show that: Textual (8.2) enters the alternate screen before it changes them, and leaves it
        after it has put them back.
        """
        self._tell(_DRAWS + b"\n")
        yield
        if os.isatty(_STDERR):
            self._tell(_HAS_DRAWN + b"\n")

    def release(self, exit_code: int, word: str = "") -> None:
        """Give the shell its prompt back, with this code; the caller has let go of the terminal. Once.

        After a hangup the guardian prints `word`, a line about the run that goes on.
        """
        self._is_released = True
        # a session of its own, which no terminal's end reaches
        with contextlib.suppress(OSError):  # done already, or the guardian is no more
            os.setpgid(0, os.getpgid(os.getppid()))  # the leader of a group can't lead a session
            os.setsid()
        self._tell(_RELEASE + f"{exit_code} {word}\n".encode())

    def _tell(self, line: bytes) -> None:
        if self._door is not None:
            try:
                os.write(self._door, line)
            except OSError:  # it has been released
                self._door = None

    def _end_with(self, parent: int) -> None:
        """Wait for the end of the guardian, which nobody else writes to; end with it unless released."""
        with contextlib.suppress(OSError):
            os.read(parent, 1)
        if not self._is_released:
            self._terminal.restore(always=True)  # a shell resets the settings of a killed job, and no modes
            os.kill(os.getpid(), signal.SIGKILL)


def start_job_control() -> JobControl:
    """Go on in a child, supervised by this process, which never returns from here but ends as the child does."""
    door_out, door_in = os.pipe()
    life_out, life_in = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is ignored, nobody hears how a child has ended
    terminal = _Terminal()
    child = os.fork()
    if child:
        # what the parent keeps open, others would wait for in vain
        os.closerange(3, min(door_out, life_in))
        os.close(door_in)
        os.close(life_out)
        with open(door_out, "rb", buffering=0) as door:
            os._exit(_Supervisor(child, door.fileno(), terminal).watch())
    os.close(door_out)
    os.close(life_in)
    os.setpgid(0, 0)
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    _give_terminal(os.getpgid(os.getppid()), os.getpgid(0))
    signal.signal(signal.SIGTTOU, before)
    return JobControl(door_in, life_out, terminal)


def _give_terminal(owner: int, group: int) -> None:
    """Make `group` the one that the terminal listens to, where it was `owner`. SIGTTOU must be ignored meanwhile."""
    with contextlib.suppress(OSError):  # no terminal, or one that has gone
        if os.tcgetpgrp(_STDIN) == owner:
            os.tcsetpgrp(_STDIN, group)


class _Supervisor:
    """The parent's side."""

    def __init__(self, child: int, door: int, terminal: _Terminal) -> None:
        """Watch over the process `child`, which speaks through `door`."""
        self._child = child
        self._door = door
        self._terminal = terminal
        self._run = ""
        self._is_elsewhere = False
        self._is_drawing = False
        self._unread = b""

    def watch(self) -> int:
        """Wait until the child ends or is released; return what to exit with."""
        with contextlib.suppress(OSError):
            os.setpgid(self._child, self._child)  # whichever of the two comes first
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # or to give the terminal away would stop this process
        _give_terminal(os.getpgrp(), self._child)
        for name in _HANDED_ON:
            number = getattr(signal, name)
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._hand_on)
        reader = threading.Thread(target=self._listen, name="door", daemon=True)
        reader.start()
        while True:
            _, status = os.waitpid(self._child, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                reader.join()  # the last word, and the end of what it is read from
                return self._after(status)
            self._stop_too()

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal on. A stopped child hears it once it goes on, as this process does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, number)

    def _listen(self) -> None:
        """Take in what the child says; end at once when it asks for that. Ends when the child has."""
        while data := os.read(self._door, 4096):
            *lines, self._unread = (self._unread + data).split(b"\n")
            for line in lines:
                if line.startswith((_RUN, _WATCHED)):
                    self._is_elsewhere = line.startswith(_WATCHED)
                    self._run = line.removeprefix(_WATCHED if self._is_elsewhere else _RUN).decode()
                elif line in {_DRAWS, _HAS_DRAWN}:
                    self._is_drawing = line == _DRAWS
                elif line.startswith(_RELEASE):
                    exit_code, _, word = line.removeprefix(_RELEASE).decode().partition(" ")
                    self._let_go(int(exit_code), word)

    def _let_go(self, exit_code: int, word: str) -> NoReturn:
        """Exit while the child lives on. After a hangup the child can't write to a terminal that is still there."""
        self._take_terminal_back()
        self._terminal.restore(always=self._is_drawing)
        if exit_code == HANGUP_CODE and word:
            write_at_end(word + "\n")
        os._exit(exit_code)

    @property
    def _quoted_run(self) -> str:
        """The run's name as a shell takes it."""
        return f'"{self._run}"' if " " in self._run else self._run

    def _stop_too(self) -> None:
        """Stop as the child has, so that the shell takes over; once woken, wake the child.

        With the whole group, as the terminal's own ctrl+z does: a script that waits here must stop as well. The kernel
        does not stop a group that no shell could wake.
        """
        self._take_terminal_back()
        was_at_rest = self._terminal.is_at_rest
        before = signal.getsignal(signal.SIGTSTP)
        if before is not signal.SIG_IGN:
            signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        if was_at_rest:
            self._terminal.save()  # the user may have changed them meanwhile
        _give_terminal(os.getpgrp(), self._child)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGCONT)

    def _take_terminal_back(self) -> None:
        """Let the terminal listen to the group that the shell has started."""
        _give_terminal(self._child, os.getpgrp())

    def _after(self, status: int) -> int:
        """Return the child's exit code; restore the terminal, and print how to go on where the child was killed."""
        self._take_terminal_back()
        self._terminal.restore(always=self._is_drawing or os.WIFSIGNALED(status))
        if not os.WIFSIGNALED(status):
            return os.WEXITSTATUS(status)
        number = os.WTERMSIG(status)
        write_at_end(self._word_on(number))
        return 128 + number

    def _word_on(self, number: int) -> str:
        """Return the two lines about a child that was killed."""
        what = f"tweetgen-tui: The program was ended by {signal.Signals(number).name}.\n"
        if not self._run:
            return what + "Nothing had been learned yet.\n"
        if self._is_elsewhere:
            return what + f"The run goes on where it is trained:  tweetgen-tui attach {self._quoted_run}\n"
        return what + f"What the run had saved is whole:  tweetgen-tui --resume {self._quoted_run}\n"

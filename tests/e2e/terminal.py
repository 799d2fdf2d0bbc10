"""A terminal emulator: the program in a pty, its screen as text, and keys sent to it; and the journals of its runs.

Every wait has a condition and a deadline; a failure prints the last screen.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pexpect
import psutil
import pyte
import pytest

from engine.protocol import events as e
from engine.storage.files import is_locked
from engine.storage.journal import read_journal
from tests.cli.program import processes_in
from tests.engine.session.stream_rules import assert_valid_stream
from tests.waiting import DEADLINE_SECONDS, wait_until
from tui.process.job_control import TerminalState

T = TypeVar("T")

PROGRAM = ("-m", "tui")
KEYS = {"enter": "\r", "escape": "\x1b", "space": " ", "ctrl+c": "\x03", "ctrl+p": "\x10"}
_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_PARTIAL_SEQUENCE = re.compile(rb"(?:\x1b(?:\[[<=>?0-9;]{0,30})?)?\Z")
"""An incomplete escape sequence at the end of a read."""
_INITIAL_MODES = {7: True, 25: True}
"""The private modes that are on before a program runs: autowrap and the visible cursor. All others are off."""
UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=?][0-9;]*[umcq]|\x1b\[\?[0-9;]*\$p|\x1b_[^\x1b]*\x1b\\|\x1bP[^\x1b]*\x1b\\")
"""Sequences that pyte (0.8) would print."""
_SYNCHRONIZED_OUTPUT = 2026
"""The mode in which a terminal delays painting until the mode is reset."""
_SYNCHRONIZED_OUTPUT_QUERY = b"\x1b[?2026$p"


def environment(home: Path) -> dict[str, str]:
    """Return the environment of the program: a modern terminal, without variables of the caller that affect output."""
    others = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES", "TMUX"}}
    return others | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TWEETGEN_HOME": str(home)}


class Terminal:
    """The program in a pty, with the screen that its output draws."""

    def __init__(
        self,
        home: Path,
        *arguments: str | Path,
        columns: int = 120,
        rows: int = 40,
        program: Sequence[str] = (sys.executable, *PROGRAM),
        **variables: str,
    ) -> None:
        self.home = home
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._modes: dict[int, bool] = {}
        self._partial = b""
        self.raw = bytearray()
        """All output of the program."""
        self._child = pexpect.spawn(
            program[0],
            [*program[1:], *map(str, arguments)],
            dimensions=(rows, columns),
            env=environment(home) | variables,
            timeout=DEADLINE_SECONDS,
            echo=False,
        )
        self._child.delaybeforesend = None
        self._settings = TerminalState.now(self._child.child_fd)

    @property
    def text(self) -> str:
        """The text on the screen."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def press(self, *keys: str | bytes, shows: str = "", lacks: str = "") -> None:
        """Send keys, by name, text or bytes; then wait until the screen contains a pattern, or does not."""
        for key in keys:
            self._child.send(KEYS.get(key, key) if isinstance(key, str) else key)
        if shows:
            self.wait_for(shows)
        if lacks:
            self.wait_until_gone(lacks)

    def fill_unread(self) -> None:
        """Have the program paint more than the buffer of the pty holds, and read none of it: its next write blocks."""
        self.press("?" * 40)  # opens and closes the help

    def resize(self, columns: int, rows: int) -> None:
        """Resize the terminal, which sends SIGWINCH."""
        self.screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)

    def send_signal(self, number: signal.Signals) -> None:
        self._child.kill(number)

    def hang_up(self) -> None:
        """Close the terminal's side of the pty, like a dropped connection."""
        self._child.ptyproc.fileobj.close()
        self._child.closed = self._child.ptyproc.closed = True  # pexpect (4.9) would close it again

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the match once the screen contains the pattern."""
        return self.wait_until(lambda: re.search(pattern, self.text), f"never saw {pattern!r}")

    def wait_until_gone(self, pattern: str) -> None:
        """Wait until the screen does not contain the pattern."""
        self.wait_until(lambda: not re.search(pattern, self.text), f"{pattern!r} never disappeared")

    def wait_until(self, condition: Callable[[], T | None], failure: str) -> T:
        """Poll a condition between frames; return its value once that is true."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.is_painting or not (value := condition()):
            if not self.pump():
                if value := condition():
                    break
                pytest.fail(f"{failure}; the program ended; on the screen:\n{self.text}")
            if time.monotonic() > deadline:
                pytest.fail(f"{failure}; on the screen at the deadline:\n{self.text}")
        return value

    @property
    def is_painting(self) -> bool:
        """Whether the program is inside a frame, which a terminal does not show yet."""
        return self._modes.get(_SYNCHRONIZED_OUTPUT, False)

    def wait_for_exit(self) -> int:
        """Return the exit status (negative after a signal that killed it)."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.pump():
            if time.monotonic() > deadline:
                pytest.fail(f"never ended; on the screen at the deadline:\n{self.text}")
        self._child.wait()
        status: int | None = self._child.exitstatus
        return -self._child.signalstatus if status is None else status

    def assert_ends(self, code: int) -> None:
        """Check that the program ends with this code, and leaves the terminal's settings and modes as they were."""
        ended = self.wait_for_exit()
        assert ended == code, f"exit code {ended}; on the screen:\n{self.text}"
        assert self.is_restored, f"modes left set: {self.modes_left_set}"

    def wait_for_exit_unread(self) -> int:
        """Return the exit status without reading output: the terminal is closed or blocked."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            pid, status = os.waitpid(self._child.pid, os.WNOHANG)
            if pid:
                self._child.terminated = self._child.ptyproc.terminated = True
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                pytest.fail("never ended while its output was not read")
            time.sleep(0.01)  # the polling interval, not a wait for an event

    @property
    def modes_left_set(self) -> list[int]:
        """Private modes that differ from those before the program."""
        return sorted(mode for mode, is_on in self._modes.items() if is_on != _INITIAL_MODES.get(mode, False))

    @property
    def is_restored(self) -> bool:
        """Whether the terminal's settings and modes equal those before the program."""
        return TerminalState.now(self._child.child_fd) == self._settings and self.modes_left_set == []

    @property
    def has_opened_screen(self) -> bool:
        """Whether the program has switched to the alternate screen at any time."""
        return b"\x1b[?1049h" in self.raw

    def close(self) -> None:
        """Kill the program and close the pty."""
        if not self._child.terminated:
            self._child.kill(signal.SIGKILL)
        if not self._child.closed:
            self._child.close(force=True)

    def pump(self) -> bool:
        """Read and draw output for up to 0.05 s; return False once the program has closed its side and all is read.

        pexpect (4.9) is not used to read: it loses output that arrives between its timeout and its check for the exit.
        """
        if not select.select([self._child.child_fd], [], [], 0.05)[0]:
            return True
        try:
            data = os.read(self._child.child_fd, 65536)
        except OSError:  # EIO: end of file on Linux
            data = b""
        if not data:
            return False
        self.raw += data
        data = self._partial + data
        self._partial = _PARTIAL_SEQUENCE.search(data)[0]  # type: ignore[index] # it also matches the empty string
        data = data[: len(data) - len(self._partial)]
        if _SYNCHRONIZED_OUTPUT_QUERY in data:  # supported, as modern terminals answer
            self._child.send("\x1b[?2026;2$y")
        for numbers, state in _MODE.findall(data):
            for number in numbers.split(b";"):
                self._modes[int(number)] = state == b"h"
        # pyte (0.8) has no alternate screen: clear the screen in its place, so that only the shell's text is left
        self._stream.feed(UNKNOWN_TO_PYTE.sub(b"", data.replace(b"\x1b[?1049l", b"\x1b[2J\x1b[H")))
        return True


# The journals of its runs ---------------------------------------------------------------------------------------------


def journal_of(home: Path, run: str = "watched") -> Path:
    """Return the path of a run's journal."""
    return home / "runs" / run / "events.jsonl"


def events_of(home: Path, run: str = "watched") -> list[e.Event]:
    """Return the events in a run's journal so far; none before it exists."""
    return list(read_journal(journal_of(home, run))) if journal_of(home, run).exists() else []


def last_step(home: Path, run: str = "watched") -> int:
    """Return the highest step in a run's journal; 0 before the first event."""
    return max((event.step for event in events_of(home, run)), default=0)


def wait_for_steps(home: Path, num_steps: int) -> None:
    """Wait until the run `watched` has taken `num_steps` further steps."""
    before = last_step(home)
    wait_until(lambda: last_step(home) >= before + num_steps, f"{num_steps} steps after {before}")


def wait_for_end(home: Path) -> e.RunFinished:
    """Wait until the journal of the run `watched` is released, check the order of its events, and return the last."""
    wait_until(lambda: not is_locked(journal_of(home)), "the end of the run")
    *events, ended = events_of(home)
    assert_valid_stream([*events, ended])
    assert isinstance(ended, e.RunFinished)
    return ended


def trainer_of(home: Path) -> psutil.Process:
    """Return the process that trains: the youngest with this data folder, a child of the one that was started."""
    return max(processes_in(home), key=psutil.Process.create_time)

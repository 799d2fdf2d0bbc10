"""A terminal without a person: the program in a pty, its screen as text, and keys typed into it.

Waiting is always for something, with a deadline; what was on the screen last is part of the failure.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pexpect
import pyte
import pytest

T = TypeVar("T")

PROGRAM = ("-m", "tui")
DEADLINE_SECONDS = 60.0
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "ctrl+c": "\x03",
    "ctrl+p": "\x10",
}
_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_BEGUN = re.compile(rb"(?:\x1b(?:\[[<=>?0-9;]{0,30})?)?\Z")
"""The beginning of a sequence, at the end of what was read."""
_AT_REST = {7: True, 25: True}
"""Private modes that are on in a terminal at rest: wrapping lines, and the cursor. All others are off."""
_UNKNOWN_TO_PYTE = re.compile(rb"\x1b\[[<>=?][0-9;]*[umcq]|\x1b\[\?[0-9;]*\$p|\x1b_[^\x1b]*\x1b\\|\x1bP[^\x1b]*\x1b\\")
_SYNC = 2026
"""The mode in which a terminal holds back what is written until it is switched off."""
_ASKS_FOR_SYNC = b"\x1b[?2026$p"


def environment(home: Path) -> dict[str, str]:
    """Return what the program finds set: a terminal of today, and nothing from whoever runs the tests."""
    others = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES", "TMUX"}}
    return others | {"TERM": "xterm-256color", "COLORTERM": "truecolor", "TWEETGEN_HOME": str(home)}


class Terminal:
    """The program in a terminal of its own."""

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
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._modes: dict[int, bool] = {}
        self._held = b""
        self.raw = bytearray()
        """All that the program wrote."""
        self._child = pexpect.spawn(
            program[0],
            [*program[1:], *map(str, arguments)],
            dimensions=(rows, columns),
            env=environment(home) | variables,
            timeout=DEADLINE_SECONDS,
            echo=False,
        )
        self._child.delaybeforesend = None
        self._settings = termios.tcgetattr(self._child.child_fd)

    @property
    def text(self) -> str:
        """The screen as it is now."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def press(self, *keys: str) -> None:
        """Type keys by name, or text."""
        for key in keys:
            self._child.send(KEYS.get(key, key))

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the terminal, as dragging its window does."""
        self._screen.resize(rows, columns)
        self._child.setwinsize(rows, columns)

    def send_signal(self, number: signal.Signals) -> None:
        self._child.kill(number)

    def send_signal_until_it_ends(self, number: signal.Signals) -> None:
        """Send a signal again and again, as an impatient person would."""
        while self._pump():
            self._child.kill(number)

    def hang_up(self) -> None:
        """Take the terminal away, as a dropped connection does."""
        self._child.ptyproc.fileobj.close()
        self._child.closed = self._child.ptyproc.closed = True  # pexpect (4.9) would close it once more

    def wait_for(self, pattern: str, deadline_seconds: float = DEADLINE_SECONDS) -> re.Match[str]:
        """Return the match once the screen holds the pattern."""
        return self.wait_until(lambda: re.search(pattern, self.text), f"never saw {pattern!r}", deadline_seconds)

    def wait_until_gone(self, pattern: str) -> None:
        """Wait until the screen does not hold the pattern."""
        self.wait_until(lambda: not re.search(pattern, self.text), f"{pattern!r} never went")

    def wait_until(
        self, condition: Callable[[], T | None], complaint: str, deadline_seconds: float = DEADLINE_SECONDS
    ) -> T:
        """Return what the condition returns once that is true of a screen that is painted in full."""
        deadline = time.monotonic() + deadline_seconds
        while self._is_painting or not (value := condition()):
            if not self._pump():
                if value := condition():
                    break
                pytest.fail(f"{complaint}; the program ended with this on the screen:\n{self.text}")
            if time.monotonic() > deadline:
                pytest.fail(f"{complaint}; on the screen at the deadline:\n{self.text}")
        return value

    @property
    def _is_painting(self) -> bool:
        """Whether the program is in the middle of a frame, which a terminal does not show yet."""
        return self._modes.get(_SYNC, False)

    def wait_for_exit(self) -> tuple[int, float]:
        """Return the exit status (negative after a signal that killed it) and the seconds it took."""
        start = time.monotonic()
        deadline = start + DEADLINE_SECONDS
        while self._pump():
            if time.monotonic() > deadline:
                pytest.fail(f"never ended; on the screen at the deadline:\n{self.text}")
        self._child.wait()
        seconds = time.monotonic() - start
        status = self._child.exitstatus
        return (-self._child.signalstatus if status is None else status), seconds

    def wait_for_exit_unread(self) -> int:
        """Return the exit status without a look at the terminal, which has gone or takes nothing any more."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            pid, status = os.waitpid(self._child.pid, os.WNOHANG)
            if pid:
                self._child.terminated = self._child.ptyproc.terminated = True
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadline:
                pytest.fail("never ended without a reader")
            time.sleep(0.01)  # the pause between two looks, not a wait for something to have happened

    @property
    def modes_left_set(self) -> list[int]:
        """Private modes that are not as they are in a terminal at rest."""
        return sorted(mode for mode, is_on in self._modes.items() if is_on != _AT_REST.get(mode, False))

    @property
    def is_at_rest(self) -> bool:
        """Whether the terminal's settings and modes are as they were before the program."""
        return termios.tcgetattr(self._child.child_fd) == self._settings and self.modes_left_set == []

    @property
    def has_opened_screen(self) -> bool:
        """Whether the alternate screen was ever shown."""
        return b"\x1b[?1049h" in self.raw

    def close(self) -> None:
        """End the program, whatever state it is in."""
        if not self._child.terminated:
            self._child.kill(signal.SIGKILL)
        if not self._child.closed:
            self._child.close(force=True)

    def _pump(self) -> bool:
        """Take in what was written meanwhile; False once the program has closed its side, and all of it was read.

        Not by pexpect (4.9): what a program writes after a wait of its has passed, and before its look whether the
        program still lives, it does not read.
        """
        if not select.select([self._child.child_fd], [], [], 0.05)[0]:
            return True
        try:
            data = os.read(self._child.child_fd, 65536)
        except OSError:  # Linux's way to say that there is no more
            data = b""
        if not data:
            return False
        self.raw += data
        data = self._held + data
        self._held = _BEGUN.search(data)[0]  # type: ignore[index] # it matches, if only nothing
        data = data[: len(data) - len(self._held)]
        if _ASKS_FOR_SYNC in data:  # yes, as terminals of today answer
            self._child.send("\x1b[?2026;2$y")
        for numbers, state in _MODE.findall(data):
            for number in numbers.split(b";"):
                self._modes[int(number)] = state == b"h"
        # pyte (0.8) has no alternate screen: leaving it clears ours, so that what the shell shows is read alone
        self._stream.feed(_UNKNOWN_TO_PYTE.sub(b"", data.replace(b"\x1b[?1049l", b"\x1b[2J\x1b[H")))
        return True

"""`MeteredDriver`: Textual's driver, which counts what goes out, sends it in fewer bytes, and knows what still waits.

What waits are characters that were handed over and that the terminal's line has not taken yet: on a slow one, drawing
less often is all that helps. The writing itself is on Textual's own thread, so that a line that stands still holds up
neither the session nor, while little waits, the keys.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, cast

from textual._ansi_sequences import SYNC_END, SYNC_START
from textual.drivers.linux_driver import LinuxDriver

from tui.slimmer import slim

if TYPE_CHECKING:
    from textual.app import App

_BARE_MOVE = re.compile(r"\x1b\[[0-9;]*H")


class MeteredDriver(LinuxDriver):
    """As `LinuxDriver`, for Linux and macOS."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        """Take the terminal."""
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.num_bytes = 0
        """Handed over so far."""
        self._frame: list[str] | None = None
        self._last_frame = ""
        self._metered_file = _MeteredFile(cast("IO[str]", self._file))
        self._file = cast("IO[str]", self._metered_file)  # type: ignore[assignment] # what Textual's writer thread needs of a file

    @property
    def num_waiting(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return self.num_bytes - self._metered_file.num_bytes

    def write(self, data: str) -> None:
        """Hand over what looks like `data`; a frame as one, or not at all where it leaves all as it is."""
        if data == SYNC_START:
            self._frame = []
        elif data == SYNC_END and self._frame is not None:
            frame, self._frame = "".join(self._frame), None
            if frame != self._last_frame or not _BARE_MOVE.fullmatch(frame):
                self._hand_over(SYNC_START + slim(frame) + SYNC_END)
            self._last_frame = frame[frame.rfind("\x1b") :]
        elif self._frame is not None:
            self._frame.append(data)
        else:
            self._hand_over(slim(data))

    def take_mouse(self, *, is_taken: bool) -> None:
        """Have the terminal tell of the mouse, or leave it to the terminal, to select text with."""
        self._mouse = True  # while it is False, the next line does nothing
        (self._enable_mouse_support if is_taken else self._disable_mouse_support)()
        self._mouse = is_taken  # holds also when the program comes back from a ctrl+z

    def _hand_over(self, text: str) -> None:
        """Give a text to the writer's thread."""
        self.num_bytes += len(text.encode("utf-8", "replace"))
        super().write(text)


class _MeteredFile:
    """A text file that counts the bytes that were written and flushed. Used by the writer's thread."""

    def __init__(self, file: IO[str]) -> None:
        """Write to `file`."""
        self._file = file
        self._num_unflushed = 0
        self.num_bytes = 0

    def write(self, text: str) -> int:
        """Write."""
        self._num_unflushed += len(text.encode("utf-8", "replace"))
        return self._file.write(text)

    def flush(self) -> None:
        """Wait until all that was written is out."""
        self._file.flush()
        self.num_bytes += self._num_unflushed
        self._num_unflushed = 0

    def fileno(self) -> int:
        """Return the file's number."""
        return self._file.fileno()

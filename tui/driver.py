"""`MeteredDriver`: Textual's driver, which counts what goes out, sends it in fewer bytes, and knows what still waits.

What waits are characters that were handed over and that the terminal's line has not taken yet: on a slow one, drawing
less often is all that helps. The writing itself is on Textual's own thread, so that a line that stands still holds up
neither the session nor, while little waits, the keys.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

from textual.drivers.linux_driver import LinuxDriver

from tui.slimmer import Frames

if TYPE_CHECKING:
    from textual.app import App


class MeteredDriver(LinuxDriver):
    """As `LinuxDriver`, for Linux and macOS."""

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        """Take the terminal."""
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.num_bytes = 0
        """Handed over so far."""
        self._frames = Frames()
        self._metered_file = _MeteredFile(cast("IO[str]", self._file))
        self._file = cast("IO[str]", self._metered_file)  # type: ignore[assignment] # what Textual's writer thread needs of a file

    @property
    def num_waiting(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return self.num_bytes - self._metered_file.num_bytes

    def write(self, data: str) -> None:
        """Hand over what looks like `data`, once a frame is whole."""
        text = self._frames.take(data)
        if text:
            self.num_bytes += len(text.encode("utf-8", "replace"))
            super().write(text)

    def take_mouse(self, *, is_taken: bool) -> None:
        """Have the terminal tell of the mouse, or leave it to the terminal, to select text with."""
        self._mouse = True  # while it is False, the next line does nothing
        (self._enable_mouse_support if is_taken else self._disable_mouse_support)()
        self._mouse = is_taken  # holds also when the program comes back from a ctrl+z


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

"""`MeteredDriver`: Textual's driver, which counts what goes out, sends it in fewer bytes, and knows what still waits.

What waits are characters that were handed over and that the terminal's line has not taken yet: on a slow one, drawing
less often is all that helps. The writing itself is on Textual's own thread, so that a line that stands still holds up
neither the session nor, while little waits, the keys; nor, `LEAVING_SECONDS` after the end was asked for, the end.

A terminal that is gone is told to the program as a hangup. However often its size changes, the screen hears of it ten
times a second at most.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import IO, TYPE_CHECKING, cast

from textual import events
from textual.message import Message

from engine.compute.clocks import PROCESS_STOPS
from tui.terminal.output_thread import LEAVING_SECONDS, PatientFile
from tui.terminal.sgr_compaction import Frames
from tui.terminal.textual_private import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App

RESIZE_SECONDS = 0.1
"""Between two changes of size that the screen hears of."""


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
        self._unsent: deque[str] = deque()
        self._sending = threading.Lock()
        self._patient_file = PatientFile(cast("IO[str]", self._file))
        self._file = cast("IO[str]", self._patient_file)  # type: ignore[assignment] # what Textual's writer thread needs of a file
        self._resizes: SpacedCalls | None = None
        signal.signal(signal.SIGTSTP, self._stop_soon)

    @property
    def num_waiting(self) -> int:
        """Bytes that the terminal has not taken yet."""
        return self.num_bytes - self._patient_file.num_bytes

    def write(self, data: str) -> None:
        """Hand over what looks like `data`, once a frame is whole. For any thread, and for handlers of signals.

        A call during another one leaves its data to that one: a lock to wait for would stop a handler for ever.
        """
        self._unsent.append(data)
        while self._unsent and self._sending.acquire(blocking=False):
            try:
                while self._unsent:
                    self._send(self._frames.take(self._unsent.popleft()))
            finally:
                self._sending.release()

    def _send(self, text: str) -> None:
        if text:
            self.num_bytes += len(self._patient_file.encode(text))
            super().write(text)

    def start_application_mode(self) -> None:
        """Take the terminal over, and hear of its sizes at a measured pace."""
        self._patient_file.be_patient()
        super().start_application_mode()  # type: ignore[no-untyped-call] # as Textual has it
        self._resizes = resizes = SpacedCalls(asyncio.get_running_loop(), RESIZE_SECONDS)
        tell_size = signal.getsignal(signal.SIGWINCH)

        def on_resize(number: int, frame: FrameType | None) -> None:
            if callable(tell_size):
                resizes.call(lambda: tell_size(number, frame))

        signal.signal(signal.SIGWINCH, on_resize)

    def stop_application_mode(self) -> None:
        """Give the terminal back, also one that takes nothing any more."""
        self._patient_file.give_up_after(LEAVING_SECONDS)
        super().stop_application_mode()

    def process_message(self, message: Message) -> None:
        """Hand on what the terminal says; of its sizes, the latest."""
        if isinstance(message, events.Resize) and self._resizes is not None:
            self._resizes.call(lambda: super(MeteredDriver, self).process_message(message))
        else:
            super().process_message(message)

    def run_input_thread(self) -> None:
        """Read keys; a terminal that is no more has hung up, whether or not the kernel says so by a signal."""
        try:
            super().run_input_thread()
        except OSError:
            os.kill(os.getpid(), signal.SIGHUP)

    def take_mouse(self, *, is_taken: bool) -> None:
        """Have the terminal tell of the mouse, or leave it to the terminal, to select text with."""
        self._mouse = True  # while it is False, the next line does nothing
        (self._enable_mouse_support if is_taken else self._disable_mouse_support)()
        self._mouse = is_taken  # holds also when the program comes back from a ctrl+z

    def _stop_soon(self, number: int, frame: FrameType | None) -> None:
        """Stop on the loop's next turn: the signal may have interrupted a write, which is to be whole before."""
        try:
            self._loop.call_soon_threadsafe(self._stop, number, frame)
        except RuntimeError:  # the loop is closed, and nothing is written any more
            self._stop(number, frame)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Stop as ctrl+z asks, and let no clock of the training count the time until it goes on."""
        PROCESS_STOPS.begin()
        try:
            self._sigtstp_application(number, frame)  # goes on here
        finally:
            PROCESS_STOPS.end()


class SpacedCalls:
    """Calls on an event loop, at least so many seconds apart; of those in between, only the last is made."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Call on `loop`."""
        self._loop = loop
        self._seconds = seconds
        self._clock = clock
        self._last = -seconds
        self._next: Callable[[], None] | None = None

    def call(self, function: Callable[[], None]) -> None:
        """Call `function` as soon as it is its turn. For any thread, and for handlers of signals."""
        self._loop.call_soon_threadsafe(self._take, function)

    def _take(self, function: Callable[[], None]) -> None:
        is_due_already = self._next is not None
        self._next = function
        if not is_due_already:
            self._loop.call_later(max(0.0, self._last + self._seconds - self._clock()), self._make)

    def _make(self) -> None:
        function, self._next = self._next, None
        self._last = self._clock()
        if function is not None:
            function()

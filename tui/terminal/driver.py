"""`MeteredDriver` and `BrowserDriver`: Textual's drivers for a terminal and for a tab of a browser, with our output.

A terminal or a tab that is gone raises SIGHUP; any other failure of the thread that reads keys ends the app as its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import IO, TYPE_CHECKING, NoReturn, cast

from textual import events
from textual.drivers.linux_driver import LinuxDriver
from textual.drivers.web_driver import WebDriver
from textual.geometry import Size
from textual.message import Message

from engine.compute.clocks import PROCESS_STOPS
from tui.terminal.compaction import FrameBuffer
from tui.terminal.output import EXIT_TIMEOUT_SECONDS, OutputThread

if TYPE_CHECKING:
    from textual.app import App

_ABANDONING_SECONDS = 0.5
"""How long `abandon` waits for the terminal to accept what was drawn."""


class MeteredDriver(LinuxDriver):
    """`LinuxDriver` (Linux and macOS) with output that is compacted and counted.

    Callers use the count to draw less often on a slow connection. Writing happens on a thread, so that a stalled
    connection blocks neither the session nor the keys, nor the exit for more than `EXIT_TIMEOUT_SECONDS`.
    """

    def __init__(
        self, app: App[object], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.num_bytes = 0
        """Bytes queued so far."""
        self.on_interrupt: Callable[[], object] = lambda: None
        """Called on the thread that reads keys for each ctrl+c, before the app receives it."""
        self._is_abandoned = False
        self._frames = FrameBuffer()
        self._unsent: deque[str] = deque()
        self._sending = threading.Lock()
        self._output = OutputThread(cast("IO[str]", self._file))
        signal.signal(signal.SIGTSTP, self._suspend_soon)

    @property
    def has_lost_output(self) -> bool:
        """Whether output was dropped: at the end of the screen, the terminal accepted it too late."""
        return self._output.num_dropped_bytes > 0

    @property
    def num_waiting_bytes(self) -> int:
        """Bytes that the terminal has not accepted yet."""
        return self.num_bytes - self._output.num_sent_bytes

    def present_size(self, reported: Size) -> Size:
        """Return the terminal's size, which is `reported` if the terminal itself reports its sizes (mode 2048).

        Textual (8.2) reads the size in a signal handler, which the next SIGWINCH interrupts: of two sizes in a moment,
        the older one is posted last.
        """
        return reported if self._in_band_window_resize else Size(*self._get_terminal_size())

    def write(self, data: str) -> None:
        """Queue `data`, compacted, as soon as its frame is complete. For any thread and for signal handlers.

        A nested call only appends: the outer call sends its data. A blocking lock would deadlock in a signal handler.
        """
        if self._is_abandoned:
            return
        self._unsent.append(data)
        while self._unsent and self._sending.acquire(blocking=False):
            try:
                while self._unsent:
                    if text := self._frames.add(self._unsent.popleft()):
                        self.num_bytes += self._output.write(text)
            finally:
                self._sending.release()

    def start_application_mode(self) -> None:
        """Enter application mode, where output waits for the terminal."""
        self._output.deadline = None
        super().start_application_mode()  # type: ignore[no-untyped-call] # untyped in Textual

    def stop_application_mode(self) -> None:
        """Restore the terminal; unsent output is dropped after `EXIT_TIMEOUT_SECONDS`."""
        self._output.set_deadline(EXIT_TIMEOUT_SECONDS)
        super().stop_application_mode()

    def close(self) -> None:
        """Wait until the terminal has accepted the output, or the deadline has passed."""
        super().close()
        self._output.flush()

    def abandon(self) -> bool:
        """Stop reading and drawing, where the app can't; return whether the terminal accepts output. For any thread."""
        self._is_abandoned = True
        self.exit_event.set()
        self._output.set_deadline(_ABANDONING_SECONDS)
        self._output.flush()
        return not self.has_lost_output

    def process_message(self, message: Message) -> None:
        """Forward a message from the terminal; report ctrl+c first."""
        if isinstance(message, events.Key) and message.key == "ctrl+c":
            self.on_interrupt()
        super().process_message(message)

    def run_input_thread(self) -> None:
        """Read keys; raise SIGHUP when the terminal is gone, as the kernel does not always send it.

        Textual (8.2) would report any other exception to nothing but its own console.
        """
        try:
            super().run_input_thread()
        except OSError:
            os.kill(os.getpid(), signal.SIGHUP)
        except Exception as error:  # noqa: BLE001 - whatever it is, the app must end with it
            self._app.call_later(_fail, error)

    def set_mouse_reporting(self, *, is_on: bool) -> None:
        """Turn mouse reporting on, or off so that the terminal itself selects text."""
        self._mouse = True  # the next line does nothing while it is False
        (self._enable_mouse_support if is_on else self._disable_mouse_support)()
        self._mouse = is_on  # also restores the state when the process resumes after ctrl+z

    def _suspend_soon(self, number: int, frame: FrameType | None) -> None:
        """Suspend on the loop's next iteration: the signal may have interrupted a write, which must complete first."""
        try:
            self._loop.call_soon_threadsafe(self._suspend, number, frame)
        except RuntimeError:  # the loop is closed: no write is in progress
            self._suspend(number, frame)

    def _suspend(self, number: int, frame: FrameType | None) -> None:
        """Suspend the process for ctrl+z; the training clocks exclude the time until SIGCONT."""
        PROCESS_STOPS.begin()
        try:
            self._sigtstp_application(number, frame)  # returns after SIGCONT
        finally:
            PROCESS_STOPS.end()


def _fail(error: Exception) -> NoReturn:
    """Raise the error of another thread: called by the app, it ends it as one of its own."""
    raise error


class BrowserDriver(WebDriver):
    """`WebDriver`, but signals and the end of its input leave the screen as in a terminal.

    A server (`tui.process.browser`) sends keys through standard input and shows the packets on standard output.
    """

    def write(self, data: str) -> None:
        """Send output; drop it once the server is gone, whose end is noticed by reading."""
        with contextlib.suppress(OSError):
            super().write(data)

    def write_meta(self, data: dict[str, object]) -> None:
        """Send a message to the server; drop it once the server is gone."""
        with contextlib.suppress(OSError):
            super().write_meta(data)

    def start_application_mode(self) -> None:
        """Start, and restore the handlers of signals: Textual's (8.2) close the app without its `Outcome`."""
        loop = asyncio.get_running_loop()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        super().start_application_mode()
        for number, handler in handlers.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

    def process_message(self, message: Message) -> None:
        """Forward a message; if that fails, end the app with the error. Textual (8.2) would end the input."""
        try:
            super().process_message(message)
        except Exception as error:
            self.exit_event.set()  # not a closed tab
            self._app.call_later(_fail, error)
            raise

    def run_input_thread(self) -> None:
        """Read keys; raise SIGHUP at the end of the input, which means that the tab or the server is closed."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            os.kill(os.getpid(), signal.SIGHUP)

    def set_mouse_reporting(self, *, is_on: bool) -> None:
        """Turn mouse reporting on, or off so that the browser itself selects text."""
        (self._enable_mouse_support if is_on else self._disable_mouse_support)()

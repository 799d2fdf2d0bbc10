"""`BrowserDriver`: Textual's driver for a tab of a browser. A closed tab hangs up, as a closed terminal does.

The process runs behind a server (`tui.process.browser`), which sends keys through standard input and shows the packets
written to standard output.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from textual.drivers.web_driver import WebDriver
from textual.message import Message

from tui.terminal.driver import fail_app


class BrowserDriver(WebDriver):
    """`WebDriver`, but signals and the end of its input leave the screen as in a terminal."""

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
            fail_app(self._app, error)
            raise

    def run_input_thread(self) -> None:
        """Read keys; raise SIGHUP at the end of the input, which means that the tab or the server is closed."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            os.kill(os.getpid(), signal.SIGHUP)

    def set_mouse_reporting(self, *, is_on: bool) -> None:
        """Turn mouse reporting on, or off so that the browser itself selects text."""
        (self._enable_mouse_support if is_on else self._disable_mouse_support)()

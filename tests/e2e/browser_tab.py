"""A tab of a real Chromium with the screen of a run: what its terminal has received, as text, and its keyboard.

xterm.js draws into a canvas, so the text is read where it comes in: the frames of the tab's WebSocket.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pyte
import pytest
from playwright.sync_api import Page, WebSocket, sync_playwright

from tests.browser import browser_path
from tests.e2e.terminal import UNKNOWN_TO_PYTE

DEADLINE_SECONDS = 60.0
SIZE = {"width": 1200, "height": 800}


class Tab:
    """A page with a terminal."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.hosts: set[str] = set()
        """The hosts of all requests."""
        self.errors: list[str] = []
        """The errors of the page's scripts, and what its security policy has blocked."""
        self.received = bytearray()
        """All output of the screen."""
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self.errors.append(line.text) if line.type == "error" else None)
        page.on("websocket", self._follow)

    def _follow(self, socket: WebSocket) -> None:
        columns, rows = map(int, re.findall(r"(?:width|height)=(\d+)", socket.url))
        self._screen.resize(rows, columns)
        self._screen.reset()
        socket.on("framereceived", self._draw)

    def _draw(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self.received += frame
            # pyte (0.8) has no alternate screen
            self._stream.feed(UNKNOWN_TO_PYTE.sub(b"", frame.replace(b"\x1b[?1049l", b"")))

    @property
    def text(self) -> str:
        """The text of the terminal."""
        return "\n".join(line.rstrip() for line in self._screen.display)

    def wait_for(self, pattern: str) -> None:
        """Wait until the terminal contains a pattern."""
        self._wait_until(lambda: re.search(pattern, self.text), f"never saw {pattern!r}")

    def wait_until_gone(self, pattern: str) -> None:
        """Wait until the terminal does not contain a pattern."""
        self._wait_until(lambda: not re.search(pattern, self.text), f"{pattern!r} never disappeared")

    def _wait_until(self, condition: Callable[[], object], failure: str) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"{failure}; on the screen at the deadline:\n{self.text}")
            self.page.wait_for_timeout(20)  # handles what the browser has received

    def press(self, *keys: str) -> None:
        """Press keys by Playwright's names."""
        for key in keys:
            self.page.keyboard.press(key)

    def wait_until_painted(self) -> None:
        """Wait until the page shows more than a background: an empty one compresses to a few kilobytes."""
        self._wait_until(lambda: len(self.page.screenshot()) > 30_000, "nothing was painted")


@contextmanager
def browser_tab(url: str) -> Iterator[Tab]:
    """Open a page in a headless Chromium; close it at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox"])
        tab = Tab(browser.new_page(viewport=SIZE))  # type: ignore[arg-type] # a mapping of that form
        tab.page.goto(url)
        yield tab
        browser.close()

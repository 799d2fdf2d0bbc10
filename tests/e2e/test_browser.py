"""`serve`: what a real Chromium shows of a real run, what its keys may do, and how a server ends."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pyte
import pytest
from aiohttp import ClientSession
from playwright.sync_api import Page, WebSocket

from engine.protocol import events as e
from tests.cli.conftest import Launch
from tests.cli.program import Process, processes_in
from tests.e2e.conftest import QUIET
from tests.e2e.journals import events_of, wait_for_end, wait_for_steps
from tests.e2e.terminal import DEADLINE_SECONDS, UNKNOWN_TO_PYTE
from tests.installed import chromium
from tests.tui.remote.host_and_client import hosted
from tests.waiting import wait_until

PAINTED_BYTES = 30_000
"""A screenshot of an empty page compresses to fewer."""


class Tab:
    """A page with a terminal. xterm.js draws into a canvas, so the text is read where it comes in, at the WebSocket."""

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

    def shows(self, pattern: str) -> bool:
        """Return whether the terminal contains a pattern."""
        return re.search(pattern, "\n".join(line.rstrip() for line in self._screen.display)) is not None

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition; fail with the screen at the deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail("\n".join([f"timed out: {what}; on the screen:", *self._screen.display]))
            self.page.wait_for_timeout(20)  # handles what the browser has received

    def press(self, key: str, pattern: str) -> None:
        """Press a key by Playwright's name; wait until the terminal contains a pattern."""
        self.page.keyboard.press(key)
        self.wait_until(lambda: self.shows(pattern), f"{pattern!r} after {key}")


@contextmanager
def tab_of(url: str, pattern: str) -> Iterator[Tab]:
    """Open a page, and wait until its terminal contains a pattern."""
    with chromium() as browser:
        tab = Tab(browser.new_page(viewport={"width": 1200, "height": 800}))
        tab.page.goto(url)
        tab.wait_until(lambda: tab.shows(pattern), pattern)
        yield tab


def screens_in(home: Path) -> list[psutil.Process]:
    """Return the processes behind tabs."""
    return [process for process in processes_in(home) if "attach" in process.cmdline()]


def start(launch: Launch, *options: str) -> tuple[Process, str]:
    """Start a server on a free port; return it and its address."""
    server = launch("serve", "--port", "0", *options)
    return server, next(server.lines()).strip()


def files_in(home: Path) -> set[Path]:
    """Return the files of the data folder, but those that the training process writes."""
    return {path for path in home.rglob("*") if path.is_file() and not {"checkpoints", "cache"} & {*path.parts}}


@pytest.fixture
def run(launch: Launch, home: Path, tweets: Path) -> None:
    """The run `watched`, which trains without a screen."""
    launch("train", "--data", tweets, *QUIET, "--steps-per-second", "50", "--run-name", "watched")
    wait_for_steps(home, 1)


@pytest.mark.ci
@pytest.mark.usefixtures("run")
def test_a_browser_shows_the_run_and_without_control_changes_neither_the_run_nor_a_file(
    launch: Launch, home: Path
) -> None:
    files = files_in(home)
    server, url = start(launch)
    with tab_of(url, r"▶ training +read-only(.|\n)*step +[1-9]") as tab:
        tab.wait_until(lambda: len(tab.page.screenshot()) > PAINTED_BYTES, "a painted page")
        tab.press("?", "How much the next character surprises the model")
        tab.press("Escape", "▶ training")
        tab.press("m", "Mouse released")
        assert b"\x1b[?1003l" in tab.received
        tab.press("b", "nats per character")  # a setting that every other screen saves
        tab.press(",", "Changes are not saved")
        tab.page.keyboard.press("Escape")
        tab.wait_until(lambda: not tab.shows("Changes are not saved"), "the end of the settings")
        tab.press("Control+p", "Search for")
        with tab.page.expect_popup() as popup:  # a download, while every other screen writes a file
            tab.page.keyboard.type("screenshot")
            tab.wait_until(lambda: not tab.shows("Pause or resume") and tab.shows("Save an SVG"), "one command")
            tab.page.keyboard.press("Enter")
        assert "<svg" in popup.value.content()
        for key in ("Space", "e", "o"):
            tab.press(key, r"Read-only: this needs tweetgen-tui serve --control\.")
        connections = [connection for each in processes_in(home) for connection in each.net_connections()]
        assert {str(connection.laddr.ip) for connection in connections} == {"127.0.0.1"}
        assert tab.hosts == {"127.0.0.1"}
        assert tab.errors == []
    wait_until(lambda: not screens_in(home), "the end of the closed tab's process")
    assert files_in(home) == files
    assert not any(isinstance(event, e.Paused) for event in events_of(home))
    server.send(signal.SIGINT)
    assert server.wait().code == 130
    wait_for_steps(home, 1)


@pytest.mark.ci
@pytest.mark.usefixtures("run")
def test_with_control_a_browser_pauses_and_ends_the_run_and_then_says_how_it_ended(launch: Launch, home: Path) -> None:
    server, url = start(launch, "watched", "--control")
    with tab_of(url, "▶ training +attached") as tab:
        tab.press("Space", "‖ paused")
        wait_until(lambda: isinstance(events_of(home)[-1], e.Paused), "the pause in the journal")
        tab.press("q", "y stop the run")
        tab.press("y", "tweetgen-tui --resume watched")
        assert wait_for_end(home).reason == "stopped by the user"
        tab.page.get_by_text("Open it again").click()
        tab.page.wait_for_selector("body.-first-byte")
        tab.wait_until(lambda: tab.shows("tweetgen-tui --resume watched"), "the same sentence")
        tab.page.wait_for_selector("text=This screen is closed")
        server.send(signal.SIGTERM)
        assert server.wait().code == 143


@pytest.mark.parametrize("number", [signal.SIGHUP, pytest.param(signal.SIGKILL, marks=pytest.mark.ci)])
def test_the_end_of_the_server_ends_the_screens_of_its_tabs_and_the_run_continues(
    launch: Launch, home: Path, number: signal.Signals
) -> None:
    with hosted() as run:
        run.folder.config_path.write_text("{}", encoding="utf-8")
        server, url = start(launch)

        async def open_tab_and_end_server() -> None:
            socket_url, origin = url.replace("?token=", "ws/"), url.partition("/?")[0]
            async with ClientSession() as client, client.ws_connect(socket_url, headers={"Origin": origin}) as socket:
                while "read-only" not in (await socket.receive_bytes()).decode(errors="replace"):
                    pass
                server.send(number)
                async for _ in socket:
                    pass

        asyncio.run(open_tab_and_end_server())
        assert server.wait().code == (-number if number == signal.SIGKILL else 128 + number)
        wait_until(lambda: not screens_in(home), "the end of the screen")
        assert run.is_reachable()
        assert run.sent == []

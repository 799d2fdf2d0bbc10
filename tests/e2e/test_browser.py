"""`serve`: whom the server answers, what a real Chromium shows of a real run, and how tabs and server end."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pyte
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSCloseCode, WSMsgType, WSServerHandshakeError, web
from playwright.sync_api import Page, WebSocket

from engine.protocol import events as e
from tests.cli.conftest import Launch
from tests.cli.program import Process, read_processes
from tests.e2e.conftest import QUIET
from tests.e2e.terminal import DEADLINE_SECONDS, UNKNOWN_TO_PYTE, events_of, wait_for_end, wait_for_steps
from tests.installed import chromium
from tests.tui.conftest import wait_until
from tests.tui.process.host_and_client import hosted
from tests.waiting import wait_until as wait_here
from tui.process.browser import BrowserServer, headers_for, refusal
from tui.terminal.capabilities import BROWSER_DRIVER, LARGEST_SIZE, glyphs_for, is_in_browser

# Who is refused -------------------------------------------------------------------------------------------------------

TOKEN = "J2rzvYvVVkbJgbYhvNqXGw"  # noqa: S105 - of no server
HOST, ORIGIN = "127.0.0.1:8000", "http://127.0.0.1:8000"
OTHER_HOSTS = (
    *("", "evil.example", "evil.example:8000", "127.0.0.1.evil.example:8000", "localhost.evil.example"),
    *("127.0.0.1:8000.evil.example", "evil.example#127.0.0.1", "127.0.0.1@evil.example", "127.0.0.1:8000 x"),
    *("127.0.0.2", "0.0.0.0:8000", "[::1]:8000", "127.0.0.1:", "127.0.0.1:٨٠٠٠", "127.0.0.1\n"),
)
OTHER_ORIGINS = (
    *(None, "null", "", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1:8001"),
    *("http://localhost:8000", "https://127.0.0.1:8000", "http://127.0.0.1:8000.evil.example"),
)


def test_page_socket_and_files_are_served_at_the_port_that_ssh_has_chosen_and_to_no_domain_that_resolves_here() -> None:
    for host in ("127.0.0.1:8000", "127.0.0.1", "localhost:9000", "localhost"):
        assert refusal(TOKEN, host, TOKEN) == ""
        assert refusal(TOKEN, host, TOKEN, f"http://{host}", is_websocket=True) == ""
        assert refusal(TOKEN, host, None) == ""
    for host in OTHER_HOSTS:
        for reason in (
            refusal(TOKEN, host, TOKEN),
            refusal(TOKEN, host, TOKEN, ORIGIN, is_websocket=True),
            refusal(TOKEN, host, None),
        ):
            assert "127.0.0.1 and localhost only" in reason, host
        assert "connect-src 'none'" in headers_for(host)["Content-Security-Policy"]


def test_another_origin_opens_no_terminal_even_with_the_token_and_another_user_of_the_machine_gets_nothing() -> None:
    for origin in OTHER_ORIGINS:
        assert "Only the page of this server" in refusal(TOKEN, HOST, TOKEN, origin, is_websocket=True)
    for token in ("", TOKEN[:-1], TOKEN + "x", TOKEN.swapcase(), "ü", "\udcff"):
        for reason in (refusal(TOKEN, HOST, token), refusal(TOKEN, HOST, token, ORIGIN, is_websocket=True)):
            assert "The token is missing or wrong" in reason


# Over HTTP ------------------------------------------------------------------------------------------------------------

Socket = ClientWebSocketResponse[bool]
SCREEN = """
import json, os, sys
def send(kind, payload):
    sys.stdout.buffer.write(kind + len(payload).to_bytes(4, "big") + payload)
    sys.stdout.buffer.flush()
print("__GANGLION__", flush=True)
send(b"D", json.dumps({"pid": os.getpid(), **os.environ}).encode())
while packet := sys.stdin.buffer.read1():
    if b"flood" in packet:
        send(b"D", b"x" * 10_000_000)
    if b"quit" in packet:
        send(b"M", b'{"type": "exit"}')
        break
    send(b"D", packet)
print("The run small has ended.\\nContinue it.", file=sys.stderr)
"""
"""A screen that sends its environment, then the packets that it receives."""
DEAF = SCREEN.replace("while packet := sys.stdin.buffer.read1():", "while True:\n    import time; time.sleep(60)")
FAILING = 'raise SystemExit("tweetgen-tui: The run small is not active.")'
MALFORMED = {
    b"\x16\x03\x01\x02\x00\x01\xfc\r\n\r\n": 400,  # the start of TLS
    b"GET\r\n\r\n": 400,
    b"GET / HTTP/9.9\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n": 400,
    b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n": 400,
    b"GET /ws/TOKEN HTTP/1.0\r\nHost: localhost\r\nOrigin: http://localhost\r\nUpgrade: \xff\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello": 405,
}
"""Requests, and the status of the reply; TOKEN is the server's."""


class Served:
    """A server of a program on a free port, and requests to it."""

    def __init__(self, client: ClientSession, base: str, token: str) -> None:
        self.client = client
        self.origin = base
        self.page = f"/?token={token}"
        self.socket = f"/ws/{token}?width=100&height=30"

    async def status(self, path: str, **headers: str) -> int:
        async with self.client.get(path, headers=headers) as response:
            return response.status

    async def connect(self, path: str = "", **headers: str) -> Socket:
        return await self.client.ws_connect(path or self.socket, headers={"Origin": self.origin} | headers)


@asynccontextmanager
async def serve(program: str = SCREEN) -> AsyncIterator[Served]:
    server = BrowserServer("<small>", (sys.executable, "-c", program))
    runner = server.runner()
    await runner.setup()
    await web.TCPSite(runner, server.host, 0).start()
    base = f"http://{server.host}:{runner.addresses[0][1]}"
    async with ClientSession(base) as client:
        yield Served(client, base, server.token)
        await runner.cleanup()


async def environment_of(socket: Socket) -> dict[str, Any]:
    """Return what the process of `SCREEN` sends first."""
    environment: dict[str, Any] = json.loads(await socket.receive_bytes())
    return environment


async def has_ended(pid: int) -> None:
    await wait_until(lambda: not psutil.pid_exists(pid), f"the end of process {pid}")


async def test_a_wrong_host_a_foreign_origin_and_a_wrong_token_get_403_and_start_no_process() -> None:
    before = psutil.Process().children()  # multiprocessing's, where another test has used it
    async with serve() as served:
        assert await served.status(served.page) == 200
        assert await served.status(served.page, Cookie="ü=a\tb\u00a0\u200b") == 200
        assert await served.status(served.page, Host="evil.example") == 403
        assert await served.status("/static/js/textual.js", Host="evil.example") == 403
        assert [await served.status(path) for path in ("/", "/?token=", "/?token=wrong")] == [403] * 3
        for path in ("/static/", "/static/js/", "/page/", "/download/key", "/etc"):
            assert await served.status(path) in {403, 404}, path
        for refused in (
            served.connect(Origin="https://evil.example"),
            served.connect(Host="evil.example", Origin="http://evil.example"),
            served.connect("/ws/wrong"),
        ):
            with pytest.raises(WSServerHandshakeError) as error:
                await refused
            assert error.value.status == 403
        assert psutil.Process().children() == before


async def test_a_malformed_request_is_answered_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with serve() as served:
        token = served.page.partition("=")[2].encode()
        for request, status in MALFORMED.items():
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(served.origin).port)
            writer.write(request.replace(b"TOKEN", token))
            assert f" {status} ".encode() in (await reader.read()).partition(b"\r\n")[0], request
            writer.close()
            await writer.wait_closed()
    assert caplog.records == []


@pytest.mark.ci
async def test_the_page_connects_to_the_port_that_the_browser_knows_and_may_load_from_there_only() -> None:
    async with serve() as served:
        async with served.client.get(served.page, headers={"Host": "localhost:9000"}) as response:
            text, headers = await response.text(), response.headers
        assert f'"ws://localhost:9000{served.socket.partition("?")[0]}"' in text
        assert "<title>&lt;small&gt; " in text
        assert "https:" not in text
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "connect-src ws://localhost:9000;" in policy
        expected = {"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cache-Control": "no-store"}
        assert headers.items() >= expected.items()
        await environment_of(await served.connect(Host="localhost:9000", Origin="http://localhost:9000"))


async def test_each_tab_is_a_process_with_the_terminal_of_the_browser_and_ends_with_it_also_while_output_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    columns, rows = LARGEST_SIZE
    for name, value in {"TERM": "linux", "LC_ALL": "C", "NO_COLOR": "1", "TMUX": "x", "SSH_TTY": "x"}.items():
        monkeypatch.setenv(name, value)
    async with serve() as served:
        huge = served.socket.replace("=100", f"={10**9}").replace("=30", f"={10**30}")
        first, second = await served.connect(huge), await served.connect()
        environment, other = await environment_of(first), await environment_of(second)
        assert is_in_browser(environment)
        shown = [environment[name] for name in ("COLUMNS", "ROWS", "TEXTUAL_DRIVER", "TEXTUAL_COLOR_SYSTEM")]
        assert shown == [str(columns), str(rows), BROWSER_DRIVER, "truecolor"]
        assert (other["COLUMNS"], other["ROWS"]) == ("100", "30")
        assert glyphs_for(environment, "utf-8") == "braille"
        assert not environment.keys() & {"NO_COLOR", "TMUX", "SSH_TTY"}
        assert environment["pid"] != other["pid"]

        await first.send_json(["resize", {"width": 10**9, "height": -1}])
        resized = await first.receive_bytes()
        assert json.loads(resized[5:]) == {"type": "resize", "width": columns, "height": 1}
        await first.send_json(["stdin", "flood"])
        await first.close()
        await has_ended(environment["pid"])
        await second.send_json(["stdin", "ü"])
        assert await second.receive_bytes() == b"D\x00\x00\x00\x02\xc3\xbc"
    assert not psutil.pid_exists(other["pid"])  # the server has ended, and with it every tab
    assert (await second.receive()).data == WSCloseCode.GOING_AWAY


@pytest.mark.ci
async def test_a_process_that_does_not_end_with_its_tab_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.process.browser._END_SECONDS", 0.1)
    async with serve(DEAF) as served:
        socket = await served.connect()
        pid = (await environment_of(socket))["pid"]
        await socket.close()
        await has_ended(pid)


@pytest.mark.ci
async def test_a_tab_shows_what_its_process_prints_at_its_end_or_why_it_opened_no_screen_and_is_closed_then() -> None:
    async with serve() as served:
        socket = await served.connect()
        await environment_of(socket)
        await socket.send_json(["stdin", "quit"])
        assert (await socket.receive_bytes()).endswith(b"The run small has ended.\r\nContinue it.")
        assert (await socket.receive()).type == WSMsgType.CLOSE
    async with serve(FAILING) as served:
        socket = await served.connect()
        assert (await socket.receive_bytes()).endswith(b"tweetgen-tui: The run small is not active.")
        assert (await socket.receive()).type == WSMsgType.CLOSE


@pytest.mark.ci
async def test_a_message_that_no_page_sends_closes_the_tab_alone() -> None:
    async with serve() as served:
        other = await served.connect()
        await environment_of(other)
        sizes = ["null", *(f'{{"width": {width}, "height": 3}}' for width in ("null", "NaN", "80.5", '"80"'))]
        for message in ("no JSON", "{}", "[]", '["stdin", 3]', *(f'["resize", {size}]' for size in sizes)):
            socket = await served.connect()
            pid = (await environment_of(socket))["pid"]
            await socket.send_str(message)
            assert (await socket.receive()).data == WSCloseCode.INVALID_TEXT, message
            await has_ended(pid)
        await other.send_json(["stdin", "on"])
        assert await other.receive_bytes() == b"D\x00\x00\x00\x02on"


# In Chromium ----------------------------------------------------------------------------------------------------------

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
    return [process for process, line in read_processes(home, psutil.Process.cmdline) if "attach" in line]


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
        connections = [each for _, found in read_processes(home, psutil.Process.net_connections) for each in found]
        assert {str(connection.laddr.ip) for connection in connections} == {"127.0.0.1"}
        assert tab.hosts == {"127.0.0.1"}
        assert tab.errors == []
    wait_here(lambda: not screens_in(home), "the end of the closed tab's process")
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
        wait_here(lambda: isinstance(events_of(home)[-1], e.Paused), "the pause in the journal")
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
        wait_here(lambda: not screens_in(home), "the end of the screen")
        assert run.is_reachable()
        assert run.sent == []

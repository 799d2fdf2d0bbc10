"""The server over HTTP: whom it answers, and that each tab has a process which lives as long as the tab."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSCloseCode, WSMsgType, WSServerHandshakeError, web

from tests.tui.conftest import wait_until
from tui.process.browser import tab
from tui.process.browser.server import BrowserServer
from tui.terminal.capabilities import BROWSER_DRIVER, glyphs_for, is_in_browser

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


if TYPE_CHECKING:
    from aiohttp.client import _WSRequestContextManager as Connecting


class Served:
    """A server on a free port, and requests to it."""

    def __init__(self, server: BrowserServer, client: ClientSession, port: int) -> None:
        self.server = server
        self.client = client
        self.host = f"127.0.0.1:{port}"
        self.base = f"http://{self.host}"

    async def status(self, path: str, **headers: str) -> int:
        async with self.client.get(self.base + path, headers=headers) as response:
            return response.status

    def connect(self, token: str | None = None, **headers: str) -> Connecting:
        token = self.server.token if token is None else token
        url = f"{self.base}/ws/{token}?width=100&height=30"
        return self.client.ws_connect(url, headers={"Origin": self.base} | headers)


@asynccontextmanager
async def serve(program: str = SCREEN) -> AsyncIterator[Served]:
    """Serve a program."""
    server = BrowserServer("<small>", (sys.executable, "-c", program))
    runner = web.AppRunner(server.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, server.host, 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as client:
        yield Served(server, client, port)
        await runner.cleanup()


async def environment_of(socket: ClientWebSocketResponse[bool]) -> dict[str, Any]:
    """Return what the process of `SCREEN` sends first."""
    environment: dict[str, Any] = json.loads(await socket.receive_bytes())
    return environment


async def test_a_wrong_host_a_foreign_origin_and_a_wrong_token_get_403_and_start_no_process() -> None:
    async with serve() as served:
        page = f"/?token={served.server.token}"
        assert await served.status(page) == 200
        assert await served.status(page, Host="evil.example") == 403
        assert await served.status("/static/js/textual.js", Host="evil.example") == 403
        assert [await served.status(path) for path in ("/", "/?token=", "/?token=wrong")] == [403] * 3
        for refused in (
            served.connect(Origin="https://evil.example"),
            served.connect(Host="evil.example", Origin="http://evil.example"),
            served.connect("wrong"),
        ):
            with pytest.raises(WSServerHandshakeError) as error:
                async with refused:
                    pass
            assert error.value.status == 403
        assert not psutil.Process().children()


async def test_the_page_connects_to_the_port_that_the_browser_knows_and_may_load_from_there_only() -> None:
    async with serve() as served:
        url = f"{served.base}/?token={served.server.token}"
        async with served.client.get(url, headers={"Host": "localhost:9000"}) as response:
            text, headers = await response.text(), response.headers
        assert f'"ws://localhost:9000/ws/{served.server.token}"' in text
        assert "<title>&lt;small&gt; " in text
        assert "https:" not in text
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "connect-src ws://localhost:9000;" in policy
        expected = {"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cache-Control": "no-store"}
        assert headers.items() >= expected.items()
        async with served.connect(Host="localhost:9000", Origin="http://localhost:9000") as socket:
            await environment_of(socket)


@pytest.mark.parametrize("path", ["/static/", "/static/js/", "/page/", "/download/key", "/etc"])
async def test_no_folder_is_listed_and_no_other_file_served(path: str) -> None:
    async with serve() as served:
        assert await served.status(path) in {403, 404}


async def test_a_tab_is_a_process_with_the_terminal_of_the_browser_whatever_that_of_the_server_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {"TERM": "linux", "LC_ALL": "C", "NO_COLOR": "1", "TMUX": "x", "SSH_TTY": "x"}.items():
        monkeypatch.setenv(name, value)
    async with serve() as served, served.connect() as socket:
        environment = await environment_of(socket)
    assert is_in_browser(environment)
    assert (environment["COLUMNS"], environment["ROWS"], environment["TEXTUAL_DRIVER"]) == ("100", "30", BROWSER_DRIVER)
    assert environment["TEXTUAL_COLOR_SYSTEM"] == "truecolor"
    assert glyphs_for(environment, "utf-8") == "braille"
    assert not environment.keys() & {"NO_COLOR", "TMUX", "SSH_TTY"}


async def test_two_tabs_are_two_processes_and_each_ends_with_its_tab_also_while_output_waits() -> None:
    async with serve() as served:
        async with served.connect() as first, served.connect() as second:
            pids = [(await environment_of(each))["pid"] for each in (first, second)]
            assert len(set(pids)) == 2
            await first.send_json(["stdin", "flood"])
            await first.close()
            await wait_until(lambda: not psutil.pid_exists(pids[0]), "the end of the first process")
            await second.send_json(["stdin", "ü"])
            assert await second.receive_bytes() == b"D\x00\x00\x00\x02\xc3\xbc"
        await wait_until(lambda: not psutil.pid_exists(pids[1]), "the end of the second process")


async def test_the_end_of_the_server_ends_every_tab_and_its_process() -> None:
    async with serve() as served:
        socket = await served.connect()
        pid = (await environment_of(socket))["pid"]
    assert not psutil.pid_exists(pid)
    assert (await socket.receive()).data == WSCloseCode.GOING_AWAY


async def test_a_process_that_does_not_end_with_its_tab_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab, "_END_SECONDS", 0.1)
    async with serve(DEAF) as served:
        async with served.connect() as socket:
            pid = (await environment_of(socket))["pid"]
        await wait_until(lambda: not psutil.pid_exists(pid), "the end of the process")


async def test_a_tab_shows_what_its_process_prints_at_its_end_and_is_closed_then() -> None:
    async with serve() as served, served.connect() as socket:
        await environment_of(socket)
        await socket.send_json(["stdin", "quit"])
        assert (await socket.receive_bytes()).endswith(b"The run small has ended.\r\nContinue it.")
        assert (await socket.receive()).type == WSMsgType.CLOSE


@pytest.mark.parametrize("message", ["no JSON", "{}", "[]", '["resize", null]', '["stdin", 3]'])
async def test_a_message_that_no_page_sends_closes_the_tab_alone(message: str) -> None:
    async with serve() as served, served.connect() as other:
        await environment_of(other)
        async with served.connect() as socket:
            pid = (await environment_of(socket))["pid"]
            await socket.send_str(message)
            assert (await socket.receive()).data == WSCloseCode.INVALID_TEXT
            await wait_until(lambda: not psutil.pid_exists(pid), "the end of its process")
        await other.send_json(["stdin", "on"])
        assert await other.receive_bytes() == b"D\x00\x00\x00\x02on"


async def test_a_tab_shows_why_its_process_did_not_open_a_screen() -> None:
    async with serve(FAILING) as served, served.connect() as socket:
        assert (await socket.receive_bytes()).endswith(b"tweetgen-tui: The run small is not active.")
        assert (await socket.receive()).type == WSMsgType.CLOSE

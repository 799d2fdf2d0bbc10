"""`BrowserServer`: a page with a terminal for the browsers of this machine; `Tab`: the process behind one tab.

A server on 127.0.0.1 is reachable for every web page in the user's browser and for every user of the machine:

* `Host` must name this machine: a foreign domain that resolves to 127.0.0.1 (DNS rebinding) is refused. Any port is
  accepted, since `ssh -L` chooses its own.
* A WebSocket's `Origin` must be the page of this server: browsers let any page open a WebSocket to any server.
* Page and WebSocket need the secret token of the address. It is in no cookie: servers on other ports of 127.0.0.1,
  which may be those of other users, would receive it.

The process of a tab writes packets of a type, a length and a payload to standard output (`textual.drivers.web_driver`).
What it prints on stderr at its end, such as how the run has ended, is shown in the tab.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import html
import importlib.resources
import logging
import re
import secrets
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path
from string import Template

from aiohttp import WSCloseCode, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager
from textual_serve.server import Server, to_int

from tui.terminal.capabilities import drawn_size, environment_of_tab

ADDRESS = "127.0.0.1"
_HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?")
_PAGE = Path(str(importlib.resources.files("assets") / "browser"))
_HEARTBEAT_SECONDS = 15.0
"""A tab that answers no ping within half of this is closed: its machine may be asleep or off the network."""
_END_SECONDS = 30.0
"""How long a process may take to end after its tab is closed: it may first detach a run that it trains itself."""
_SAME_FOR_ALL = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; "
    "connect-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads nothing from another server, and is in no frame of another page; xterm.js creates style elements."""
_START_OF_PACKETS = b"__GANGLION__\n"
_MAIN_SCREEN = "\x1b[?1049l\x1b[2J\x1b[H\x1b[?25l"
_LOG = logging.getLogger(__name__)


def refusal(
    own_token: str, host: str, token: str | None, origin: str | None = None, *, is_websocket: bool = False
) -> str:
    """Return why a request is refused; empty if it is answered.

    `token` is the one that the request gives; None for the files of the page, which are no secret.
    """
    if _HOST.fullmatch(host) is None:
        return "This server is for 127.0.0.1 and localhost only."
    if is_websocket and origin != f"http://{host}":
        return "Only the page of this server may open its terminal."
    if token is not None and not hmac.compare_digest(token.encode(errors="replace"), own_token.encode()):
        return "The token is missing or wrong: open the whole address that tweetgen-tui serve has printed."
    return ""


def headers_for(host: str) -> dict[str, str]:
    """Return the headers of a reply."""
    policy = _POLICY.format(f"ws://{host}" if _HOST.fullmatch(host) else "'none'")
    return _SAME_FOR_ALL | {"Content-Security-Policy": policy}


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(headers_for(request.host))


def _is_own_failure(record: logging.LogRecord) -> bool:
    """Return whether to log a failure: not a malformed request, which any user of the machine may send."""
    malformed = HttpProcessingError, web.RequestPayloadError
    return not (record.exc_info and isinstance(record.exc_info[1], malformed))


class BrowserServer(Server):
    """Serves the screen of a run: for each tab, the process that `arguments` start."""

    def __init__(self, title: str, arguments: Sequence[str]) -> None:
        super().__init__("", host=ADDRESS, title=title)
        self.token = secrets.token_urlsafe(16)
        """The secret in the address: 128 random bits."""
        self._arguments = arguments
        self._sockets: set[web.WebSocketResponse] = set()

    def runner(self) -> web.AppRunner:
        """Return what serves the page once it is set up."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/", self.handle_index, name="page"),
                web.get("/ws/{token}", self.handle_websocket, name="websocket"),  # the page appends "?width=..."
                web.get("/download/{key}", self.handle_download),  # a screenshot; its key is a secret of its own
                web.static("/static", self.statics_path),
                web.static("/page", _PAGE),
            ]
        )
        app.on_response_prepare.append(_add_headers)
        app.on_shutdown.append(self.on_shutdown)
        _LOG.addFilter(_is_own_failure)
        return web.AppRunner(app, logger=_LOG, access_log=None)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer with 403 what is not from the page of this server, with 400 what no browser sends."""
        try:
            "".join(request.headers.values()).encode()
        except UnicodeEncodeError as error:  # surrogates for invalid bytes, on which aiohttp (3.14) fails
            raise web.HTTPBadRequest(text="A header is not in UTF-8.") from error
        route = request.match_info.route.name or ""
        tokens = {"page": request.query.get("token", ""), "websocket": request.match_info.get("token", "")}
        given, origin = tokens.get(route), request.headers.get("Origin")
        if reason := refusal(self.token, request.host, given, origin, is_websocket=route == "websocket"):
            raise web.HTTPForbidden(text=reason)
        return await handler(request)

    async def handle_index(self, request: web.Request) -> web.Response:
        """Return the page, whose WebSocket has the host that the browser knows: with `ssh -L`, the port is another."""
        page = Template((_PAGE / "page.html").read_text(encoding="utf-8"))
        socket = f"ws://{request.host}/ws/{self.token}"
        text = page.substitute(title=html.escape(self.title), socket=html.escape(socket))
        return web.Response(text=text, content_type="text/html")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a process for a tab, until one of them ends, or the page sends what textual-serve can't parse."""
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS)
        await socket.prepare(request)
        tab = Tab(self._arguments, socket, self.download_manager)
        self._sockets.add(socket)
        try:
            await tab.start(to_int(request.query.get("width", ""), 80), to_int(request.query.get("height", ""), 24))
            try:
                await self._process_messages(socket, tab)
            except (AssertionError, AttributeError, LookupError, TypeError, ValueError):
                await socket.close(code=WSCloseCode.INVALID_TEXT)
        finally:
            self._sockets.discard(socket)
            await tab.stop()
        return socket

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002 - as aiohttp calls it
        """Close all tabs, whose processes then end."""
        for socket in tuple(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)


class Tab(AppService):
    """Runs a process for a WebSocket, in a session of its own, from `start` to `stop`."""

    def __init__(self, arguments: Sequence[str], socket: web.WebSocketResponse, downloads: DownloadManager) -> None:
        super().__init__(
            "",
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=self._ignore_closed_screen,
            download_manager=downloads,
        )
        self._arguments = arguments
        self._socket = socket

    async def _ignore_closed_screen(self) -> None:
        """Do nothing: the socket stays open, as the process prints its last lines after the screen is closed."""

    async def set_terminal_size(self, width: int, height: int) -> None:
        """Pass on the size of the terminal, within the limits. Raises `TypeError` if it is not of whole numbers."""
        if {type(width), type(height)} != {int}:  # they come from JSON, where `NaN` is read as a float
            raise TypeError
        await super().set_terminal_size(*drawn_size(width, height))

    async def start(self, width: int, height: int) -> None:
        """Start the process without a shell, where ctrl+c in the terminal of the server does not reach it."""
        self._process = process = await asyncio.create_subprocess_exec(
            *self._arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment_of_tab(self._build_environment(*drawn_size(width, height))),
            start_new_session=True,
        )
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - they are pipes
        self._stdin = process.stdin
        self._task = asyncio.create_task(self._show(process.stdout, process.stderr))

    async def _show(self, out: asyncio.StreamReader, errors: asyncio.StreamReader) -> None:
        """Show the output of the process until its end, then what it has printed on stderr; close the socket."""
        printed = asyncio.create_task(errors.read())
        forward = {b"D": self.on_data, b"M": self.on_meta, b"P": self.on_packed}
        with contextlib.suppress(asyncio.IncompleteReadError):  # the end of the process
            await out.readuntil(_START_OF_PACKETS)
            while True:
                kind = await out.readexactly(1)
                payload = await out.readexactly(int.from_bytes(await out.readexactly(4), "big"))
                with contextlib.suppress(ConnectionError):  # the tab is closed: reading lets the process end
                    if kind in forward:
                        await forward[kind](payload)
        lines = (await printed).decode(errors="replace").splitlines()
        with contextlib.suppress(ConnectionError):
            if lines:
                await self.on_data((_MAIN_SCREEN + "\r\n".join(lines)).encode())
            await self._socket.close()

    async def stop(self) -> None:
        """Close the input of the process, which it treats as a hang-up, and wait for its end; kill it at a deadline."""
        if self._task is None or self._process is None:
            return
        await self._download_manager.cancel_app_downloads(self.app_service_id)
        self.stdin.close()
        await asyncio.wait({self._task}, timeout=_END_SECONDS)
        if not self._task.done():
            self._process.kill()
        await self._task
        await self._process.wait()

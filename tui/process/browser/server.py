"""`BrowserServer`: serves the page with a terminal, and connects each of its WebSockets to a process of its own."""

from __future__ import annotations

import html
import importlib.resources
import logging
import secrets
from collections.abc import Sequence
from pathlib import Path
from string import Template

from aiohttp import WSCloseCode, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from textual_serve.server import Server, to_int

from tui.process.browser.guard import Request, headers_for, refusal
from tui.process.browser.tab import Tab

ADDRESS = "127.0.0.1"
_HEARTBEAT_SECONDS = 15.0
"""A tab that answers no ping within half of this is closed: its machine may be asleep or off the network."""
_PAGE = Path(str(importlib.resources.files("assets") / "browser"))
_LOG = logging.getLogger(__name__)
_MALFORMED = (HttpProcessingError, web.RequestPayloadError)


def _is_own_failure(record: logging.LogRecord) -> bool:
    """Return whether to log a failure: not a malformed request, which any user of the machine may send."""
    return not (record.exc_info and isinstance(record.exc_info[1], _MALFORMED))


class BrowserServer(Server):
    """Serves the screen of a run: for each tab, the process that `arguments` start."""

    def __init__(self, title: str, arguments: Sequence[str]) -> None:
        super().__init__("", host=ADDRESS, title=title)
        self.token = secrets.token_urlsafe(16)
        """The secret in the address: 128 random bits."""
        self._arguments = arguments
        self._sockets: set[web.WebSocketResponse] = set()

    def runner(self) -> web.AppRunner:
        """Return what serves the web application once it is set up."""
        _LOG.addFilter(_is_own_failure)
        return web.AppRunner(self._app(), logger=_LOG, access_log=None)

    def _app(self) -> web.Application:
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
        return app

    async def handle_index(self, request: web.Request) -> web.Response:
        """Return the page, whose WebSocket has the host that the browser knows: with `ssh -L`, the port is another."""
        page = Template((_PAGE / "page.html").read_text(encoding="utf-8"))
        socket = f"ws://{request.host}/ws/{self.token}"
        text = page.substitute(title=html.escape(self.title), socket=html.escape(socket))
        return web.Response(text=text, content_type="text/html")

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run a process for a tab, until one of them ends."""
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS)
        await socket.prepare(request)
        tab = Tab(self._arguments, socket, self.download_manager)
        self._sockets.add(socket)
        try:
            await tab.start(to_int(request.query.get("width", ""), 80), to_int(request.query.get("height", ""), 24))
            await self._read_messages(socket, tab)
        finally:
            self._sockets.discard(socket)
            await tab.stop()
        return socket

    async def _read_messages(self, socket: web.WebSocketResponse, tab: Tab) -> None:
        """Pass the messages of the page on; close the socket at one that textual-serve can't parse."""
        try:
            await self._process_messages(socket, tab)
        except (AssertionError, AttributeError, LookupError, TypeError, ValueError):
            await socket.close(code=WSCloseCode.INVALID_TEXT)

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002 - as aiohttp calls it
        """Close all tabs, whose processes then end."""
        for socket in tuple(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer with 403 what is not from the page of this server, with 400 what no browser sends."""
        try:
            "".join(request.headers.values()).encode()
        except UnicodeEncodeError as error:  # surrogates for invalid bytes, on which aiohttp (3.14) fails
            raise web.HTTPBadRequest(text="A header is not in UTF-8.") from error
        route = request.match_info.route.name
        token = {"page": request.query.get("token", ""), "websocket": request.match_info.get("token", "")}
        reason = refusal(
            Request(
                host=request.host,
                origin=request.headers.get("Origin"),
                token=token.get(route or ""),
                is_websocket=route == "websocket",
            ),
            self.token,
        )
        if reason:
            raise web.HTTPForbidden(text=reason)
        return await handler(request)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(headers_for(request.host))

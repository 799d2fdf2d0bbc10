"""A local web server that serves one file, or a scripted response per request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

RELEASE_SECONDS = 60.0


class Handler(BaseHTTPRequestHandler):
    """Records each request and plays the next act; the last act is repeated."""

    server: FileServer

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers["Range"])
        acts = self.server.acts
        act = acts.pop(0) if len(acts) > 1 else acts[0]
        act(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Stay silent."""

    @property
    def first_byte(self) -> int:
        """The first byte of the requested range."""
        return int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))

    def head(self, status: int, **headers: object) -> None:
        """Send a status and headers; `Content_Length` is `Content-Length`."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


Act = Callable[[Handler], None]


class FileServer(ThreadingHTTPServer):
    """The server as a test sees it."""

    daemon_threads = True

    def __init__(self, acts: list[Act]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.acts = acts
        self.url = f"http://127.0.0.1:{self.server_address[1]}/file.zip"
        self.ranges: list[str] = []
        """The `Range` of each request."""
        self.is_over = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect early."""


@contextmanager
def serving(*acts: Act) -> Iterator[FileServer]:
    """Run a server that plays these acts."""
    with FileServer(list(acts)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.is_over.set()
        server.shutdown()
        thread.join()


def use_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect directly, whatever proxy the environment sets."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def serve(content: bytes) -> Act:
    """Serve the requested range."""
    return announce(content, len(content))


def announce(content: bytes, total: int) -> Act:
    """Announce `total` bytes, and break the connection after this content."""

    def act(handler: Handler) -> None:
        first = handler.first_byte
        handler.head(206, Content_Length=total - first, Content_Range=f"bytes {first}-{total - 1}/{total}")
        handler.wfile.write(content[first:])

    return act


def stall_after(content: bytes, total: int) -> Act:
    """Announce `total` bytes, and stall after this content until the test is over."""

    def act(handler: Handler) -> None:
        announce(content, total)(handler)
        handler.wfile.flush()
        handler.server.is_over.wait(RELEASE_SECONDS)

    return act


def serve_all(content: bytes) -> Act:
    """Serve the whole file, ignoring the range."""
    return answer(200, content)


def answer(status: int, body: bytes = b"", **headers: object) -> Act:
    """Respond with this status, body and headers."""

    def act(handler: Handler) -> None:
        handler.head(status, Content_Length=len(body), **headers)
        handler.wfile.write(body)

    return act

"""A local web server that serves one file, or a scripted response per request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

RELEASE_SECONDS = 60.0


class Handler(BaseHTTPRequestHandler):
    """Records each request and plays the next act; the last act is repeated."""

    server: _Server

    def do_GET(self) -> None:
        file_server = self.server.file_server
        file_server.ranges.append(self.headers["Range"])
        act = file_server.acts.pop(0) if len(file_server.acts) > 1 else file_server.acts[0]
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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    file_server: FileServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect early."""


@dataclass
class FileServer:
    """The server as a test sees it."""

    acts: list[Act]
    url: str
    ranges: list[str] = field(default_factory=list)
    """The `Range` of each request."""
    is_over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serving(*acts: Act) -> Iterator[FileServer]:
    """Run a server that plays these acts."""
    with _Server(("127.0.0.1", 0), Handler) as server:
        file_server = server.file_server = FileServer(
            list(acts), f"http://127.0.0.1:{server.server_address[1]}/file.zip"
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield file_server
        file_server.is_over.set()
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
        handler.server.file_server.is_over.wait(RELEASE_SECONDS)

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

"""A web server on this machine that does what it is told: serve, or drop, stall, trickle, truncate, redirect and lie.

Each request takes the next act of a script; the last act is played again for all that follow.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

TAG = '"version-1"'
RELEASE_SECONDS = 60.0
_RESET = struct.pack("ii", 1, 0)


class Handler(BaseHTTPRequestHandler):
    """Notes each request and plays the next act."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        lying = self.server.lying
        lying.requests.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
        act = lying.acts.pop(0) if len(lying.acts) > 1 else lying.acts[0]
        act(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Stay silent."""

    def head(self, status: int, **headers: str) -> None:
        """Send a status and headers; `Content_Type` is `Content-Type`."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def hang_up(self) -> None:
        """Reset the connection."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.shutdown(socket.SHUT_WR)
        self.close_connection = True

    def wait_for_the_end(self) -> None:
        """Send nothing more, until the test is over."""
        self.wfile.flush()
        self.server.lying.is_over.wait(RELEASE_SECONDS)
        self.close_connection = True

    def first_byte_wanted(self) -> int | None:
        """Return where the range that is asked for begins; None where all is."""
        wanted = self.headers.get("Range")
        return None if wanted is None else int(wanted.removeprefix("bytes=").removesuffix("-"))


Act = Callable[[Handler], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, lying: LyingServer) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lying = lying

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that leave early are what this is for."""


@dataclass
class LyingServer:
    """The server as a test sees it."""

    acts: list[Act]
    requests: list[Mapping[str, str]] = field(default_factory=list)
    """The headers of each request, names in lower case, and its `path`."""
    is_over: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file.zip"

    @property
    def ranges(self) -> list[str | None]:
        """The `Range` of each request."""
        return [request.get("range") for request in self.requests]


@contextmanager
def running(*acts: Act) -> Iterator[LyingServer]:
    """Run a server that plays these acts."""
    lying = LyingServer(list(acts))
    with _Server(lying) as server:
        lying.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield lying
        lying.is_over.set()
        server.shutdown()
        thread.join()


def reach_only_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go through no proxy, whatever is set, and know no host but this one."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    resolve = socket.getaddrinfo

    def known(host: Any, *others: Any, **named: Any) -> Any:
        if host == "127.0.0.1" or ".." in host or len(host) > 63:  # the last two are no names, and never asked for
            return resolve(host, *others, **named)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", known)


# Acts -----------------------------------------------------------------------------------------------------------------


def serve(content: bytes, tag: str = TAG, **headers: str) -> Act:
    """Serve as a good server does: all, or the range of the version that is asked for."""

    def act(handler: Handler) -> None:
        first = handler.first_byte_wanted()
        version = handler.headers.get("If-Range", tag)
        if first is None or version != tag:
            handler.head(200, Content_Length=str(len(content)), ETag=tag, **headers)
            handler.wfile.write(content)
        elif first >= len(content):
            handler.head(416, Content_Length="0", Content_Range=f"bytes */{len(content)}")
        else:
            length, span = len(content) - first, f"bytes {first}-{len(content) - 1}/{len(content)}"
            handler.head(206, Content_Length=str(length), Content_Range=span, ETag=tag)
            handler.wfile.write(content[first:])

    return act


def begin(content: bytes, num_sent: int, num_announced: int | None = None) -> Act:
    """Announce all of what is missing, and send so many bytes of it."""

    def act(handler: Handler) -> None:
        first = handler.first_byte_wanted() or 0
        total = num_announced or len(content)
        extra = {"Content_Range": f"bytes {first}-{total - 1}/{total}"} if first else {}
        handler.head(206 if first else 200, Content_Length=str(total - first), ETag=TAG, **extra)
        handler.wfile.write(content[first : first + num_sent])

    return act


def then(act: Act, end: Act) -> Act:
    """Play one act, then its end."""

    def both(handler: Handler) -> None:
        act(handler)
        end(handler)

    return both


def drop_after(content: bytes, num_sent: int) -> Act:
    """Send so many bytes and reset the connection."""
    return then(begin(content, num_sent), Handler.hang_up)


def close_after(content: bytes, num_sent: int) -> Act:
    """Send so many bytes and end the connection as if all were well."""

    def end(handler: Handler) -> None:
        handler.close_connection = True

    return then(begin(content, num_sent), end)


def stall_after(content: bytes, num_sent: int, num_announced: int | None = None) -> Act:
    """Send so many bytes and then no more, without an end."""
    return then(begin(content, num_sent, num_announced), Handler.wait_for_the_end)


def trickle(content: bytes) -> Act:
    """Announce all, and send a byte now and then for as long as anyone listens."""

    def end(handler: Handler) -> None:
        while not handler.server.lying.is_over.wait(0.05):
            handler.wfile.write(b"x")

    return then(begin(content, 0), end)


def ignore_range(content: bytes) -> Act:
    """Serve all, whatever is asked for."""

    def act(handler: Handler) -> None:
        handler.head(200, Content_Length=str(len(content)))
        handler.wfile.write(content)

    return act


def endless(piece: bytes, **headers: str) -> Act:
    """Announce no length, and send a piece again and again for as long as anyone listens."""

    def act(handler: Handler) -> None:
        handler.head(200, Connection="close", **headers)
        while not handler.server.lying.is_over.is_set():
            handler.wfile.write(piece)

    return act


def until_closed(content: bytes) -> Act:
    """Announce no length, and close the connection after this content."""

    def act(handler: Handler) -> None:
        handler.head(200, Connection="close")
        handler.wfile.write(content)
        handler.close_connection = True

    return act


def answer(status: int, body: bytes = b"", **headers: str) -> Act:
    """Answer with any status, headers and body; the length that is announced may be a lie among the headers."""

    def act(handler: Handler) -> None:
        handler.head(status, **{"Content_Length": str(len(body)), **headers})
        handler.wfile.write(body)
        handler.close_connection = True

    return act


def raw(bytes_sent: bytes) -> Act:
    """Answer with these bytes and nothing else."""

    def act(handler: Handler) -> None:
        handler.wfile.write(bytes_sent)
        handler.close_connection = True

    return act


def redirect(location: str, status: int = 302) -> Act:
    """Send to another address."""
    return answer(status, Location=location)

"""Which requests a server of terminals answers, and the headers of its replies. Pure.

A server on 127.0.0.1 is reachable for every web page in the user's browser and for every user of the machine:

* `Host` must name this machine: a foreign domain that resolves to 127.0.0.1 (DNS rebinding) is refused. Any port is
  accepted, since `ssh -L` chooses its own.
* A WebSocket's `Origin` must be the page of this server: browsers let any page open a WebSocket to any server.
* Page and WebSocket need the secret token of the address. It is in no cookie: servers on other ports of 127.0.0.1,
  which may be those of other users, would receive it.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

_HOST = re.compile(r"(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?")
_SAME_FOR_ALL = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What decides whether a request is answered."""

    host: str
    origin: str | None = None
    token: str | None = None
    """The token that the request gives; None for the files of the page, which are no secret."""
    is_websocket: bool = False


def refusal(request: Request, token: str) -> str:
    """Return why a request to the server with this token is refused; empty if it is answered."""
    if not is_own_host(request.host):
        return "This server is for 127.0.0.1 and localhost only."
    if request.is_websocket and request.origin != f"http://{request.host}":
        return "Only the page of this server may open its terminal."
    if request.token is not None and not hmac.compare_digest(request.token.encode(errors="replace"), token.encode()):
        return "The token is missing or wrong: open the whole address that tweetgen-tui serve has printed."
    return ""


def is_own_host(host: str) -> bool:
    """Return whether a `Host` header names this machine."""
    return _HOST.fullmatch(host) is not None


def headers_for(host: str) -> dict[str, str]:
    """Return the headers of a reply: the page loads nothing from another server, and is in no frame of another page."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",  # xterm.js creates style elements
        "font-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": f"ws://{host}" if is_own_host(host) else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return _SAME_FOR_ALL | {"Content-Security-Policy": "; ".join(map(" ".join, policy.items()))}

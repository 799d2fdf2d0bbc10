"""What can go wrong between this machine and a server, in two lines each: httpx's exceptions and HTTP's codes."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Iterable, Iterator
from typing import Protocol

import httpx

from engine.errors import DownloadError

_AGAIN = "The same command goes on from there; --url takes a mirror."
_ONLINE = "Check that this machine is online (proxy? firewall?); --url takes a mirror."
_LIBRARY_NOISE = re.compile(r"^\[.*?\]|\(_ssl\.c:\d+\)")
_RETRIED = frozenset({408, 425, 429})


class _Waits(Protocol):
    """How long was waited."""

    @property
    def connect_seconds(self) -> float:
        """For a connection."""

    @property
    def stall_seconds(self) -> float:
        """For the next bytes."""


class Dropped(Exception):  # noqa: N818 - an attempt that ended, not an error that anyone is told
    """An attempt ended early and another may get further; `error` is what to tell where there is no other."""

    def __init__(self, error: DownloadError, *, was_connected: bool = True) -> None:
        """Without a connection, another attempt makes sense only if there has been one before."""
        super().__init__(error.message)
        self.error = error
        self.was_connected = was_connected


@contextlib.contextmanager
def asking_errors(host: str, waits: _Waits) -> Iterator[None]:
    """Turn what httpx raises inside into `Dropped` or `DownloadError`."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        message = f"{_asked(error, host)} does not answer: no connection within {waits.connect_seconds:g} s."
        raise Dropped(DownloadError(message, _ONLINE), was_connected=False) from error
    except httpx.TimeoutException as error:
        message = f"{_asked(error, host)} has stalled: nothing came for {waits.stall_seconds:g} s."
        raise Dropped(DownloadError(message, _AGAIN)) from error
    except (httpx.ConnectError, httpx.ProxyError, UnicodeError) as error:  # UnicodeError: a name no resolver can take
        raise _connect_error(_asked(error, host), error) from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        message = (
            f"The connection to {_asked(error, host)} broke: {_without_noise(str(error)) or type(error).__name__}."
        )
        raise Dropped(DownloadError(message, _AGAIN)) from error


def _asked(error: Exception, host: str) -> str:
    """Return the host that was asked when this went wrong: after a redirect it is not the first one, `host`."""
    try:
        return error.request.url.host if isinstance(error, httpx.RequestError) else host
    except RuntimeError:  # httpx's way to say that the error knows no request
        return host


def status_error(response: httpx.Response, address: str) -> DownloadError | Dropped:
    """Return what an answer that holds no file means."""
    code = response.status_code
    reason = f"HTTP {code} {httpx.codes.get_reason_phrase(code)}".strip()
    match code:
        case 404 | 410:
            hint = "It may have moved: give the new address, or a mirror, with --url."
            return DownloadError(f"There is no file at {address} ({reason}).", hint)
        case 401 | 403 | 407 | 451:
            hint = "A proxy or firewall may be in between; --url takes a mirror."
            return DownloadError(f"Access to {address} is refused ({reason}).", hint)
    error = DownloadError(f"{address} answers {reason} instead of the file.", "Try again later; --url takes a mirror.")
    return Dropped(error) if code >= 500 or code in _RETRIED else error


def _connect_error(host: str, error: Exception) -> DownloadError | Dropped:
    """Return why there is no connection."""
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return DownloadError(
            f"No secure connection to {host}: {_plain(causes, ssl.SSLError)}.",
            "Check this machine's clock and certificates (SSL_CERT_FILE), or give a mirror with --url.",
        )
    if any(isinstance(cause, (socket.gaierror, UnicodeError)) for cause in causes):
        message = f"The address of {host} can't be found."
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        message = f"{host} refuses the connection."
    else:
        message = f"There is no way to {host}: {_plain(causes, OSError) or error}."
    return Dropped(DownloadError(message, _ONLINE), was_connected=False)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those it came from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _plain(causes: Iterable[BaseException], kind: type[OSError]) -> str:
    """Return what the first cause of this kind says, without the number and source line that libraries add."""
    first = next((cause for cause in causes if isinstance(cause, kind)), None)
    text = "" if first is None else first.strerror or str(first)
    return _without_noise(text)


def _without_noise(text: str) -> str:
    """Return the words of a library's error alone."""
    return _LIBRARY_NOISE.sub("", text).strip(" .")

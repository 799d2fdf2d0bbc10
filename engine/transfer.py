"""One attempt to fetch a file over HTTP: ask for what is missing, check what the answer claims, append what comes.

The server is not trusted: nothing is read but the bytes that are missing, one buffer at a time and never decompressed;
its redirects are counted, and the bodies of those and of errors are never read. Every failure is an error of two lines,
or `Dropped` around one where another attempt may help.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from engine.download_part import Part
from engine.errors import ConfigError, DownloadError
from engine.transfer_errors import Dropped, asking_errors, status_error

_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)")
_SLOWEST_BYTES_PER_SECOND = 100
_MIRROR = "Try again later, or give a mirror with --url."


@dataclass(frozen=True)
class Wanted:
    """A file that is wanted."""

    url: str
    path: Path
    """The name it will have here."""
    num_bytes: int
    md5: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long to wait, and how often to try."""

    connect_seconds: float = 15.0
    stall_seconds: float = 30.0
    """A server that sends next to nothing for so long has stalled."""
    max_redirects: int = 5
    attempts: int = 5
    """Attempts in a row that get nowhere."""
    pause_seconds: float = 1.0
    """The pause after the first of them; it doubles with each further one."""


def checked_url(text: str) -> httpx.URL:
    """Return an address as a URL of the web. Raises `ConfigError`."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):  # ValueError: lone surrogates, from arguments that are not UTF-8
        url = httpx.URL("")
    if not _is_of_the_web(url):
        raise ConfigError(f"{text[:200]!r} is no address of the web.", "Give one that begins with https:// or http://.")
    return url


def _is_of_the_web(url: httpx.URL) -> bool:
    """Return whether there can be a server at this address: httpx (0.28) takes ports and names that are none."""
    has_host = url.host != "" and "%" not in url.host
    return url.scheme in ("http", "https") and has_host and (url.port is None or 0 < url.port < 1 << 16)


def shown(url: httpx.URL) -> str:
    """Return an address as it may be shown and kept: without a user's name and password."""
    return str(url.copy_with(username="", password="") if url.userinfo else url)


def open_client(limits: Limits) -> httpx.Client:
    """Return a client that trusts the settings of this machine. Raises `DownloadError` where those are unusable."""
    try:
        return httpx.Client(
            headers={"Accept-Encoding": "identity", "User-Agent": "tweetgen-tui"},
            timeout=httpx.Timeout(limits.stall_seconds, connect=limits.connect_seconds),
            follow_redirects=False,
        )
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        raise DownloadError(
            f"The network settings of this machine can't be used: {error}.",
            "Look at HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
        ) from error


def transfer(
    client: httpx.Client, wanted: Wanted, part: Part, limits: Limits, on_progress: Callable[[int], None]
) -> None:
    """Append to `part` what it lacks; `on_progress` is told its size whenever it grows.

    Returns when it is as long as the file that is wanted. Raises `Dropped`, `DownloadError` or `StorageError`.
    """
    url = checked_url(wanted.url)
    with asking_errors(url.host, limits), _answer(client, url, _range_headers(url, part), limits) as response:
        _prepare(part, response, wanted, url)
        on_progress(part.size)
        for chunk in _until_stalled(response, url.host, limits):
            if part.size + len(chunk) > wanted.num_bytes:
                part.restart()
                raise DownloadError(
                    f"{url.host} sends more than the file has: it is not the one that is wanted.", _MIRROR
                )
            part.append(chunk)
            on_progress(part.size)
    if part.size < wanted.num_bytes:
        raise Dropped(DownloadError(f"{url.host} ended its answer too early.", _MIRROR))


def _range_headers(url: httpx.URL, part: Part) -> dict[str, str]:
    """Return what asks for the rest of a part, as long as it is the same version of the file."""
    if not part.size:
        return {}
    headers = {"Range": f"bytes={part.size}-"}
    validator = part.validator_for(shown(url))
    return headers | {"If-Range": validator} if validator else headers


@contextlib.contextmanager
def _answer(client: httpx.Client, url: httpx.URL, headers: dict[str, str], limits: Limits) -> Iterator[httpx.Response]:
    """Ask, follow redirects, and hand over the answer with its body still to come."""
    request = client.build_request("GET", url, headers=headers)
    for _ in range(limits.max_redirects + 1):
        if not _is_of_the_web(request.url):
            raise DownloadError(f"{url.host} sends to an address that is not of the web.", "Give a mirror with --url.")
        response = client.send(request, stream=True)
        with contextlib.closing(response):
            if response.next_request is None:
                yield response
                return
            request = response.next_request
    raise DownloadError(f"{url.host} sends from one address to the next and never to the file.", _MIRROR)


def _prepare(part: Part, response: httpx.Response, wanted: Wanted, url: httpx.URL) -> None:
    """Check what the answer claims to be, and leave `part` so that its body can be appended."""
    is_rest = response.status_code == httpx.codes.PARTIAL_CONTENT
    if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and part.size:
        raise _started_over(part, url.host)
    if not is_rest and response.status_code != httpx.codes.OK:
        raise status_error(response, shown(url))
    if is_rest and _first_byte(response) != part.size:
        raise _started_over(part, url.host)
    _check_claims(response, wanted, url.host, part.size if is_rest else 0)
    if is_rest:
        part.is_patchwork = part.size > 0
        return
    part.restart()
    part.remember_origin(shown(url), _validator(response))


def _started_over(part: Part, host: str) -> Dropped:
    """Forget the part, which the server can't go on from."""
    part.restart()
    return Dropped(DownloadError(f"{host} can't go on where an earlier attempt stopped.", _MIRROR))


def _first_byte(response: httpx.Response) -> int | None:
    """Return the place in the file that a partial answer begins at; None where it does not say."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _check_claims(response: httpx.Response, wanted: Wanted, host: str, offset: int) -> None:
    """Raise `DownloadError` where the answer says of itself that it is something else."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise DownloadError(f"{host} sends the file in another form ({encoding}), though asked not to.", _MIRROR)
    length = response.headers.get("Content-Length", "").strip()
    has_right_length = length == str(wanted.num_bytes - offset)
    if response.headers.get("Content-Type", "").lower().startswith("text/html") and not has_right_length:
        raise DownloadError(
            f"{host} answers with a web page instead of the file.",
            "A login page of your network may be in between: look at the address in a browser, or use --url.",
        )
    if length and not has_right_length:
        raise DownloadError(
            f"{host} has another file there: {length[:20]} bytes to come instead of {wanted.num_bytes - offset}.",
            _MIRROR,
        )


def _validator(response: httpx.Response) -> str:
    """Return what names this version of the file: a strong ETag, or else the date of its last change."""
    tag: str = response.headers.get("ETag", "")
    modified: str = response.headers.get("Last-Modified", "")
    return tag if tag.startswith('"') else modified


def _until_stalled(response: httpx.Response, host: str, limits: Limits) -> Iterator[bytes]:
    """Yield the body as it comes. Raises `Dropped` where it only trickles; the client's timeout sees full stops."""
    began_at, num_bytes = time.monotonic(), 0
    for chunk in response.iter_raw():
        yield chunk
        num_bytes += len(chunk)
        seconds = time.monotonic() - began_at
        if seconds >= limits.stall_seconds:
            if num_bytes < seconds * _SLOWEST_BYTES_PER_SECOND:
                raise Dropped(
                    DownloadError(f"{host} sends next to nothing: {num_bytes} bytes in {seconds:.0f} s.", _MIRROR)
                )
            began_at, num_bytes = time.monotonic(), 0

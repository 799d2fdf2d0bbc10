"""Downloads a data set over HTTP. Never leaves a file that is incomplete or has the wrong checksum.

The bytes go to NAME.part, which a later attempt resumes; it is renamed to NAME after its checksum was verified.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import httpx

from engine.corpus.download.catalog import Dataset
from engine.errors import ConfigError, DownloadError
from engine.progress import OnProgress
from engine.storage.files import storage_errors, try_lock

TIMEOUT = httpx.Timeout(30.0, connect=15.0)
_MIRROR = "Try again later, or set a mirror with --url."
_AGAIN = "The partial download is kept: run the same command to resume it, or set a mirror with --url."
_PAUSE_SECONDS = 2.0
_LIBRARY_NOISE = re.compile(r"\[[^]]*\] *| *\(_ssl\.c:\d+\)")


class _RetryableError(DownloadError):
    """A failure that is worth a retry."""


def checked_url(text: str) -> httpx.URL:
    """Parse a web address. Raises `ConfigError`."""
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):  # ValueError: lone surrogates, from arguments that are not UTF-8
        url = httpx.URL("")
    is_port = url.port is None or 0 < url.port < 1 << 16  # httpx 0.28 accepts any number
    if url.scheme not in ("http", "https") or not url.host or not is_port:
        raise ConfigError(f"{text[:200]!r} is not a web address.", "Give one that begins with https:// or http://.")
    return url


def is_whole(path: Path, num_bytes: int, md5: str) -> bool:
    """Return whether the file exists with this size and checksum. Raises `StorageError` if it is unreadable."""
    with storage_errors(path):
        return path.is_file() and path.stat().st_size == num_bytes and _md5_of(path) == md5


def part_path(dataset: Dataset) -> Path:
    """Return the path of the partial download."""
    return dataset.path.with_name(f"{dataset.path.name}.part")


def fetch(
    dataset: Dataset, url: httpx.URL, on_progress: OnProgress, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Download a data set, with one retry after a broken connection; a failed attempt leaves its partial file.

    Raises `DownloadError` or `StorageError`.
    """
    part = part_path(dataset)
    with storage_errors(part):
        part.parent.mkdir(parents=True, exist_ok=True)
        file = part.open("ab", buffering=0)
    with file:
        if not try_lock(file.fileno()):
            raise DownloadError(f"Another program is downloading {dataset.path.name}.", "Wait until it has finished.")
        try:
            try:
                _attempt(dataset, url, file, on_progress)
            except _RetryableError as error:
                on_progress(None, f"{error.message.rstrip('.')}; trying again")
                sleep(_PAUSE_SECONDS)
                _attempt(dataset, url, file, on_progress)
        finally:
            if file.tell() == 0:
                with contextlib.suppress(OSError):  # an empty partial file does no harm
                    part.unlink()
        with storage_errors(part):
            os.fsync(file.fileno())
            os.replace(part, dataset.path)


def _attempt(dataset: Dataset, url: httpx.URL, file: BinaryIO, on_progress: OnProgress) -> None:
    """Download the missing part of the file, and verify its checksum."""
    if file.tell() > dataset.num_bytes:
        _clear(file)
    first_byte = file.tell()
    if first_byte < dataset.num_bytes:
        try:
            with httpx.Client(timeout=TIMEOUT, follow_redirects=True, max_redirects=5) as client:
                _receive(client, dataset, url, file, on_progress)
        except (httpx.ConnectError, httpx.ConnectTimeout, UnicodeError) as error:  # UnicodeError: an invalid host name
            cause = _LIBRARY_NOISE.sub("", str(error))
            raise DownloadError(
                f"{url.host} can't be reached: {cause}.",
                _hint(file, "Check your connection, or set a mirror with --url."),
            ) from error
        except httpx.HTTPError as error:
            raise _RetryableError(f"The connection to {url.host} broke: {error}.", _hint(file)) from error
        except (ValueError, ImportError) as error:
            raise DownloadError(
                f"The network settings are invalid: {error}.", "Check HTTPS_PROXY and SSL_CERT_FILE."
            ) from error
    if file.tell() < dataset.num_bytes:
        raise _RetryableError(f"{url.host} closed the connection too early.", _hint(file))
    digest = _md5_of(part_path(dataset))
    if digest != dataset.md5:
        _clear(file)
        kind = _RetryableError if first_byte else DownloadError  # the part of an earlier attempt may be of another file
        raise kind(
            f"{url.host} sent a different file: its MD5 is {digest}, not {dataset.md5}.", f"It was deleted. {_MIRROR}"
        )


def _receive(client: httpx.Client, dataset: Dataset, url: httpx.URL, file: BinaryIO, on_progress: OnProgress) -> None:
    """Append the response to the partial file."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "tweetgen-tui", "Range": f"bytes={file.tell()}-"}
    with client.stream("GET", url, headers=headers) as response:
        _refuse_other_than_file(response, dataset, url.host, file)
        started, first_byte = time.monotonic(), file.tell()
        for chunk in response.iter_raw():
            rest = memoryview(chunk)
            while rest:
                with storage_errors(part_path(dataset)):
                    rest = rest[file.write(rest) :]
            size = file.tell()
            if size > dataset.num_bytes:
                _clear(file)
                raise DownloadError(f"{url.host} sent more bytes than the file has.", _MIRROR)
            speed = (size - first_byte) / max(time.monotonic() - started, 1e-3)
            amount = f"{size / 1e6:.1f} of {dataset.num_bytes / 1e6:.1f} MB"
            on_progress(size / dataset.num_bytes, f"{amount}, {speed / 1e6:.1f} MB/s")


def _refuse_other_than_file(response: httpx.Response, dataset: Dataset, host: str, file: BinaryIO) -> None:
    """Raise `DownloadError` unless the response is the file or its rest; clear the partial file if it is the whole."""
    code = response.status_code
    if code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise _RetryableError(f"{host} answered with HTTP {code} {response.reason_phrase}.", _hint(file))
    if code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
        raise DownloadError(f"{host} answered with HTTP {code} {response.reason_phrase}.", _MIRROR)
    first_byte = file.tell() if code == httpx.codes.PARTIAL_CONTENT else 0
    expected = str(dataset.num_bytes - first_byte)
    if response.headers.get("Content-Length", expected) != expected:
        raise DownloadError(
            f"{host} has a different file: {response.headers['Content-Length']} bytes instead of {expected}.",
            "A login page of your network may have answered: open it in a browser, or set a mirror with --url.",
        )
    if not first_byte:
        _clear(file)


def _hint(file: BinaryIO, otherwise: str = _MIRROR) -> str:
    """Return the hint after a failed attempt."""
    return _AGAIN if file.tell() else otherwise


def _clear(file: BinaryIO) -> None:
    """Truncate the partial file."""
    file.truncate(0)
    file.seek(0)


def _md5_of(path: Path) -> str:
    """Return the MD5 of a file. Raises `StorageError`."""
    with storage_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

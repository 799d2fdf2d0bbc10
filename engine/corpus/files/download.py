"""The data sets that can be fetched by name, and their download over HTTP, which can be resumed.

None is part of the program, and none is ever fetched without a request, or parsed here. The bytes go to NAME.part,
which a later attempt resumes; it is renamed to NAME after its checksum was verified. So NAME is never incomplete.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from engine.errors import ConfigError, DownloadError
from engine.protocol.progress import OnProgress
from engine.storage.files import storage_errors, sync, try_lock
from engine.storage.folders import home

if TYPE_CHECKING:  # imported in the functions: the command line knows the names of the data sets before
    import httpx

_MIRROR = "Try again later, or set a mirror with --url."
_AGAIN = "The partial download is kept: run the same command to resume it, or set a mirror with --url."
_TIMEOUT_SECONDS, _CONNECT_SECONDS, _PAUSE_SECONDS = 30.0, 15.0, 2.0
_LIBRARY_NOISE = re.compile(r"\[[^]]*\] *| *\(_ssl\.c:\d+\)")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A third-party data set."""

    name: str
    """Its name on the command line."""
    file_name: str
    """Its file name in the data folder."""
    url: str
    """The authors' download address."""
    num_bytes: int
    """Size of the file."""
    md5: str
    """Checksum of the file, 32 hexadecimal digits."""
    notice: tuple[str, ...]
    """Content, authors and terms, in lines of at most 80 characters."""

    @property
    def path(self) -> Path:
        """Its path in the data folder; it need not exist."""
        return home() / "data" / self.file_name

    @property
    def part_path(self) -> Path:
        """The path of the partial download."""
        return self.path.with_name(f"{self.file_name}.part")

    def is_fetched(self) -> bool:
        """Return whether its file exists with its size and checksum. Raises `StorageError` if it is unreadable."""
        with storage_errors(self.path):
            return self.path.is_file() and self.path.stat().st_size == self.num_bytes and _md5_of(self.path) == self.md5


SENTIMENT140 = Dataset(
    name="sentiment140",
    file_name="sentiment140.zip",
    url="http://cs.stanford.edu/people/alecmgo/trainingandtestdata.zip",
    num_bytes=81_363_704,
    md5="1647eb110dd2492512e27b9a70d5d1bc",
    notice=(
        "Sentiment140: 1.6 million tweets of 2009, labelled happy or sad by their",
        "emoticons, which were then taken out. Made by Alec Go, Richa Bhayani and Lei",
        "Huang (Stanford, 2009) for research: http://help.sentiment140.com/for-students",
        "",
        "Its page names no licence; the authors ask you to cite Sentiment140 as your",
        "source. The tweets are real people's words, with @names and profanity in them,",
        "and the terms of Twitter/X apply: learn from them, but do not publish them.",
    ),
)
DATASETS = {SENTIMENT140.name: SENTIMENT140}


def find_dataset(name: str) -> Dataset:
    """Return the data set called `name`. Raises `ConfigError` if there is no such data set."""
    if name not in DATASETS:
        raise ConfigError(f"There is no data set called {name}.", f"Known: {', '.join(DATASETS)}.")
    return DATASETS[name]


def checked_url(text: str) -> httpx.URL:
    """Parse a web address. Raises `ConfigError`."""
    import httpx

    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):  # ValueError: lone surrogates, from arguments that are not UTF-8
        url = httpx.URL("")
    is_port = url.port is None or 0 < url.port < 1 << 16  # httpx 0.28 accepts any number
    if url.scheme not in ("http", "https") or not url.host or not is_port:
        raise ConfigError(f"{text[:200]!r} is not a web address.", "Give one that begins with https:// or http://.")
    return url


class _RetryableError(DownloadError):
    """A failure that is worth a retry."""


def fetch(
    dataset: Dataset, url: httpx.URL, on_progress: OnProgress, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Download a data set, with one retry after a broken connection; a failed attempt leaves its partial file.

    Raises `DownloadError` or `StorageError`.
    """
    part = dataset.part_path
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
            sync(file.fileno())
            os.replace(part, dataset.path)


def _attempt(dataset: Dataset, url: httpx.URL, file: BinaryIO, on_progress: OnProgress) -> None:
    """Download the missing part of the file, and verify its checksum."""
    import httpx

    if file.tell() > dataset.num_bytes:
        _clear(file)
    first_byte = file.tell()
    if first_byte < dataset.num_bytes:
        timeout = httpx.Timeout(_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS)
        try:
            with httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=5) as client:
                _receive(client, dataset, url, file, on_progress)
        except (httpx.ConnectError, httpx.ConnectTimeout, UnicodeError) as error:  # UnicodeError: an invalid host name
            what = f"{url.host} can't be reached: {_LIBRARY_NOISE.sub('', str(error))}."
            raise DownloadError(what, _hint(file, "Check your connection, or set a mirror with --url.")) from error
        except httpx.HTTPError as error:
            raise _RetryableError(f"The connection to {url.host} broke: {error}.", _hint(file)) from error
        except (ValueError, ImportError) as error:
            what = f"The network settings are invalid: {error}."
            raise DownloadError(what, "Check HTTPS_PROXY and SSL_CERT_FILE.") from error
    if file.tell() < dataset.num_bytes:
        raise _RetryableError(f"{url.host} closed the connection too early.", _hint(file))
    digest = _md5_of(dataset.part_path)
    if digest != dataset.md5:
        _clear(file)
        kind = _RetryableError if first_byte else DownloadError  # the part of an earlier attempt may be of another file
        what = f"{url.host} sent a different file: its MD5 is {digest}, not {dataset.md5}."
        raise kind(what, f"It was deleted. {_MIRROR}")


def _receive(client: httpx.Client, dataset: Dataset, url: httpx.URL, file: BinaryIO, on_progress: OnProgress) -> None:
    """Append the response to the partial file; clear it first if the response is the whole file."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "tweetgen-tui", "Range": f"bytes={file.tell()}-"}
    with client.stream("GET", url, headers=headers) as response:
        code = response.status_code
        if code not in (200, 206):
            kind, hint = (_RetryableError, _hint(file)) if code >= 500 else (DownloadError, _MIRROR)
            raise kind(f"{url.host} answered with HTTP {code} {response.reason_phrase}.", hint)
        first_byte = file.tell() if code == 206 else 0
        expected = str(dataset.num_bytes - first_byte)
        if response.headers.get("Content-Length", expected) != expected:
            raise DownloadError(
                f"{url.host} has a different file: {response.headers['Content-Length']} bytes instead of {expected}.",
                "A login page of your network may have answered: open it in a browser, or set a mirror with --url.",
            )
        if not first_byte:
            _clear(file)
        started = time.monotonic()
        for chunk in response.iter_raw():
            rest = memoryview(chunk)
            while rest:
                with storage_errors(dataset.part_path):
                    rest = rest[file.write(rest) :]
            size = file.tell()
            if size > dataset.num_bytes:
                _clear(file)
                raise DownloadError(f"{url.host} sent more bytes than the file has.", _MIRROR)
            speed = (size - first_byte) / max(time.monotonic() - started, 1e-3)
            amount = f"{size / 1e6:.1f} of {dataset.num_bytes / 1e6:.1f} MB"
            on_progress(size / dataset.num_bytes, f"{amount}, {speed / 1e6:.1f} MB/s")


def _hint(file: BinaryIO, otherwise: str = _MIRROR) -> str:
    """Return the hint after a failed attempt."""
    return _AGAIN if file.tell() else otherwise


def _clear(file: BinaryIO) -> None:
    file.truncate(0)
    file.seek(0)


def _md5_of(path: Path) -> str:
    """Return the MD5 of a file. Raises `StorageError`."""
    with storage_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

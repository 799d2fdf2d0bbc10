"""Fetch a file so that it is whole or not there: go on where an attempt stopped, check, and only then give it its name.

    NAME               only ever the whole file, its checksum right
    NAME.part[.json]   what has come so far; the next attempt goes on from it
    .NAME.lock         keeps other programs out meanwhile; its lock ends with its process

Prints nothing: what happens is told to a `Listener`.
"""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import httpx

from engine.download_part import Part, md5_of
from engine.errors import DownloadError, StorageError
from engine.folders import storage_errors
from engine.transfer import Limits, Wanted, checked_url, open_client, transfer
from engine.transfer_errors import Dropped

_MAX_PAUSE_SECONDS = 30.0
_SOME_WAY_BYTES = 1 << 20
"""An attempt that got so much further than all before it got somewhere."""


class Listener(Protocol):
    """Is told what happens."""

    def progress(self, num_bytes: int) -> None:
        """So many bytes of the file are here now; fewer than before where it starts over."""

    def note(self, text: str) -> None:
        """Something happened that a person may want to know."""


def is_whole(path: Path, num_bytes: int, md5: str) -> bool:
    """Return whether this file is there, as long as it should be, and right. Raises `StorageError` if unreadable."""
    with storage_errors(path):
        return path.is_file() and path.stat().st_size == num_bytes and md5_of(path) == md5


def fetch(wanted: Wanted, listener: Listener, limits: Limits | None = None) -> None:
    """Fetch a file unless it is there and whole; whatever ends this early leaves its part for the next time.

    Raises `ConfigError` on an impossible address, `DownloadError`, or `StorageError`.
    """
    checked_url(wanted.url)
    limits = limits or Limits()
    with storage_errors(wanted.path):
        wanted.path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(wanted.path), Part(wanted.path) as part:
        if is_whole(wanted.path, wanted.num_bytes, wanted.md5):
            part.restart()
            return
        with open_client(limits) as client:
            _receive(client, wanted, part, listener, limits)
            if part.is_patchwork and part.digest() != wanted.md5:
                listener.note("what an earlier attempt left does not belong to this file: starting over")
                part.restart()
                _receive(client, wanted, part, listener, limits)
        _check_and_finish(part, wanted)


def kept_bytes(path: Path) -> int:
    """Return how much of the file that will be called `path` an earlier attempt has left."""
    try:
        return Part(path).path.stat().st_size
    except OSError:
        return 0


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other programs from fetching the same file. Raises `DownloadError` where one is at it."""
    lock_path = path.with_name(f".{path.name}.lock")
    with storage_errors(lock_path), lock_path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DownloadError(
                f"Another program is fetching {path.name} at this moment.",
                "Let it end, then give the same command again.",
            ) from None
        yield


def _receive(client: httpx.Client, wanted: Wanted, part: Part, listener: Listener, limits: Limits) -> None:
    """Let `part` grow to the length of the file, in as many attempts as it takes and the limits allow."""
    at_first = furthest = part.size
    failures = 0
    _check_space(part, wanted)
    while part.size < wanted.num_bytes:
        try:
            transfer(client, wanted, part, limits, listener.progress)
        except Dropped as dropped:
            if part.size >= furthest + _SOME_WAY_BYTES:
                furthest, failures = part.size, 0
            failures += 1
            is_hopeless = not dropped.was_connected and part.size <= at_first
            if is_hopeless or failures >= limits.attempts:
                raise dropped.error from dropped
            pause = min(limits.pause_seconds * 2 ** (failures - 1), _MAX_PAUSE_SECONDS)
            listener.note(f"{dropped.error.message.rstrip('.')}; trying again in {pause:g} s")
            time.sleep(pause)


def _check_space(part: Part, wanted: Wanted) -> None:
    """Raise `StorageError` where the disk has no room for the rest."""
    with storage_errors(part.path):
        free = shutil.disk_usage(part.path.parent).free
    missing = wanted.num_bytes - part.size
    if free < missing:
        raise StorageError(
            f"{missing / 1e6:.1f} MB are still to come, and only {free / 1e6:.1f} MB are free in {part.path.parent}.",
            "Free some space or set TWEETGEN_HOME to a folder on another disk.",
        )


def _check_and_finish(part: Part, wanted: Wanted) -> None:
    """Give the part its final name if it is the file that is wanted, or else take it away."""
    digest = part.digest()
    if digest != wanted.md5:
        part.restart()
        raise DownloadError(
            f"{checked_url(wanted.url).host} sent another file: its MD5 is {digest}, not {wanted.md5}.",
            "Nothing was kept. Try again later, or give a mirror with --url.",
        )
    part.finish()

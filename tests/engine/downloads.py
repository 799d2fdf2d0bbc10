"""What the tests of downloads share: a small file, how to fetch it, and what must be left afterwards."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from engine.download import fetch, kept_bytes
from engine.download_part import Part
from engine.errors import DownloadError
from engine.transfer import Limits, Wanted
from tests import lying_server as server
from tests.lying_server import LyingServer

CONTENT = bytes(range(256)) * 1200
SIZE = len(CONTENT)
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()
OTHER = b"y" * SIZE
LIMITS = Limits(connect_seconds=2.0, stall_seconds=0.3, attempts=3, pause_seconds=0.0)


class Told:
    """What a listener was told."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.notes: list[str] = []

    def progress(self, num_bytes: int) -> None:
        self.sizes.append(num_bytes)

    def note(self, text: str) -> None:
        self.notes.append(text)


def wanted(url: str, path: Path) -> Wanted:
    return Wanted(url, path, SIZE, MD5)


def get(lying: LyingServer, path: Path) -> Told:
    """Fetch the file and check that it is whole, and alone in its folder but for the lock."""
    told = Told()
    fetch(wanted(lying.url, path), told, LIMITS)
    assert path.read_bytes() == CONTENT
    assert names_in(path.parent) == {".file.zip.lock", "file.zip"}
    return told


def fail(lying: LyingServer, path: Path, words: str, kept: int = 0) -> DownloadError:
    """Return the error that fetching ends with; check that only a part of that size is left."""
    with pytest.raises(DownloadError, match=words) as caught:
        fetch(wanted(lying.url, path), Told(), LIMITS)
    assert caught.value.hint
    assert not path.exists()
    assert kept_bytes(path) == kept
    if not kept:
        assert names_in(path.parent) == {".file.zip.lock"}
    return caught.value


def names_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def part_of(path: Path) -> Path:
    return path.with_name("file.zip.part")


def leave_part(path: Path, content: bytes, url: str = "", validator: str = server.TAG) -> None:
    """Leave what an attempt that was cut short leaves; with `url`, also where it came from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Part(path) as part:
        part.append(content)
        if url:
            part.remember_origin(url, validator)

"""Reads the journal of a run: invalid lines are skipped and counted. Never writes, never imports torch.

A kill or a power loss tears at most one line per session, which is not worth a warning. More invalid lines are: the
journal was edited, or the disk is damaged.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import TweetgenError
from engine.protocol import codec, events
from engine.protocol.events import Event, RunStarted, TweetSampled
from engine.storage.safe_open import open_regular

_TAIL_BYTES = 256 * 1024
"""Longer than any event is."""


@dataclass
class SkippedLines:
    """Counts of the lines of a journal that could not be read so far."""

    num_sessions: int = 0
    num_torn: int = 0
    """Lines that are not events."""

    @property
    def warning(self) -> str:
        """The warning for the user; empty if no more than one torn line per session is missing."""
        if self.num_torn > max(self.num_sessions, 1):
            return f"{self.num_torn:,} lines of the journal can't be read; they are skipped."
        return ""


def read_events(lines: Iterable[bytes], skipped: SkippedLines) -> Iterator[Event]:
    """Yield the events of the lines of a journal in order; count the other lines in `skipped`."""
    for line in lines:
        try:
            event = events.from_json(line)
        except (codec.DecodeError, TweetgenError):
            skipped.num_torn += bool(line.strip())
            continue
        skipped.num_sessions += isinstance(event, RunStarted)
        yield event


def read_journal(path: Path, skipped: SkippedLines | None = None) -> Iterator[Event]:
    """Yield the events of a journal in order, none if the file is missing; count the other lines in `skipped`.

    Raises `OSError` if the file can't be read.
    """
    return read_events(read_lines(path), SkippedLines() if skipped is None else skipped)


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a journal, none if the file is missing. Raises `OSError` if it can't be read."""
    try:
        with open_regular(path) as file:
            yield from file
    except FileNotFoundError:
        return


def last_event(path: Path) -> Event | None:
    """Return the last readable event in the tail of a journal, or None."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).split(b"\n")
    except OSError:
        return None
    for line in reversed(lines):
        with contextlib.suppress(codec.DecodeError, TweetgenError):
            return events.from_json(line)
    return None


def tweet_in(line: bytes) -> TweetSampled | None:
    """Return the tweet that a line of a journal records; None if it is another event or torn."""
    try:
        event = events.from_json(line)
    except codec.DecodeError:
        return None
    return event if isinstance(event, TweetSampled) else None

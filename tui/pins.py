"""Pins: the tweets of a run that the user keeps, a file of events in the run's folder. Knows no framework.

They outlive what the feed forgets: tweets that were thinned, and those of a stretch that a loaded checkpoint took back.
"""

from __future__ import annotations

import threading
from pathlib import Path

from engine import events, wire
from engine.errors import StorageError
from engine.events import TweetSampled
from engine.folders import storage_errors, write_atomically

Pins = tuple[TweetSampled, ...]
"""In the order of their steps."""
TweetKey = tuple[int, float, str]


def key_of(tweet: TweetSampled) -> TweetKey:
    """Return what tells a tweet from others, also from file to event."""
    return tweet.step, tweet.elapsed_seconds, tweet.text


def toggled(pins: Pins, tweet: TweetSampled) -> Pins:
    """Return the pins with this tweet among them, or without it where it was."""
    rest = tuple(pin for pin in pins if key_of(pin) != key_of(tweet))
    return rest if len(rest) < len(pins) else merged(pins, (tweet,))


def merged(pins: Pins, others: Pins) -> Pins:
    """Return both, each tweet once, in the order of their steps."""
    found = {key_of(pin): pin for pin in (*pins, *others)}
    return tuple(sorted(found.values(), key=lambda pin: (pin.step, pin.elapsed_seconds)))


class PinsFile:
    """The file that the pins of a run are kept in. Any thread may call it; reading and writing take their time."""

    def __init__(self, path: Path) -> None:
        """Keep them there; nothing is read or made yet."""
        self._path = path
        self._lock = threading.Lock()
        self._last_saved = 0

    def read(self) -> Pins:
        """Return the pins; what is none is left out, and a missing file holds none. Raises `StorageError`."""
        try:
            with storage_errors(self._path):
                lines = self._path.read_bytes().splitlines()
        except StorageError:
            if self._path.exists():
                raise
            return ()
        return merged((), tuple(pin for pin in map(_pin_in, lines) if pin is not None))

    def save(self, pins: Pins, number: int) -> None:
        """Save these in place of those before, unless ones with a higher number were. Raises `StorageError`."""
        with self._lock:
            if number > self._last_saved:
                write_atomically(self._path, "".join(f"{events.to_json(pin)}\n" for pin in pins).encode())
                self._last_saved = number


def _pin_in(line: bytes) -> TweetSampled | None:
    """Return the tweet that a line holds, if it holds one."""
    try:
        event = events.from_json(line)
    except wire.WireError:
        return None
    return event if isinstance(event, TweetSampled) else None

"""Pins: the tweets of a run that the user keeps, a file of events in the run's folder. Knows no framework.

They outlive what the feed forgets: tweets that were thinned, and those of a stretch that a loaded checkpoint took back.
"""

from __future__ import annotations

import threading
from pathlib import Path

from engine.errors import StorageError
from engine.protocol import events
from engine.protocol.events import TweetSampled
from engine.storage.atomic_write import write_atomically
from engine.storage.journal_reader import tweet_in
from engine.storage.safe_open import read_regular

Pins = tuple[TweetSampled, ...]
"""In the order of their steps."""
_MAX_BYTES = 16 * 1024 * 1024
TweetKey = tuple[int, float, str]


def tweet_key(tweet: TweetSampled) -> TweetKey:
    """Return what tells a tweet from others, also from file to event."""
    return tweet.step, tweet.elapsed_seconds, tweet.text


def toggled(pins: Pins, tweet: TweetSampled) -> Pins:
    """Return the pins with this tweet among them, or without it where it was."""
    rest = tuple(pin for pin in pins if tweet_key(pin) != tweet_key(tweet))
    return rest if len(rest) < len(pins) else merged(pins, (tweet,))


def merged(pins: Pins, others: Pins) -> Pins:
    """Return both, each tweet once, in the order of their steps."""
    found = {tweet_key(pin): pin for pin in (*pins, *others)}
    return tuple(sorted(found.values(), key=lambda pin: (pin.step, pin.elapsed_seconds)))


class PinsFile:
    """The file that the pins of a run are kept in. Any thread may call it; reading and writing take their time."""

    def __init__(self, path: Path) -> None:
        """Keep them there; nothing is read or made yet."""
        self._path = path
        self._lock = threading.Lock()
        self._last_saved = 0
        self._is_read = False
        self._unreadable_lines: list[bytes] = []
        """Lines that are no pins, or those of a newer version."""

    def read(self) -> Pins:
        """Return the pins; what is none is left out, but stays in the file; a missing one holds none.

        Raises `StorageError`.
        """
        try:
            lines = read_regular(self._path, _MAX_BYTES).split(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            lines = []
        except OSError as error:
            cause = error.strerror or str(error)
            raise StorageError(
                f"{self._path} can't be read: {cause}.", "Pins are kept once it can, or is gone."
            ) from error
        self._is_read = True
        found = [(line, tweet_in(line)) for line in lines]
        self._unreadable_lines = [line for line, pin in found if pin is None and line.strip()]
        return merged((), tuple(pin for _, pin in found if pin is not None))

    def save(self, pins: Pins, number: int) -> None:
        """Save these in place of those before, unless ones with a higher number were. Raises `StorageError`.

        Those in a file that was not read yet stay: nobody can have meant to remove them.
        """
        with self._lock:
            if number > self._last_saved:
                if not self._is_read:
                    pins = merged(self.read(), pins)
                lines = [*(events.to_json(pin).encode() for pin in pins), *self._unreadable_lines]
                write_atomically(self._path, b"".join(line + b"\n" for line in lines))
                self._last_saved = number

"""Pinned tweets of a run, stored as JSON events in the run's folder. Never imports Textual.

Pins outlive the feed, which drops tweets when it is thinned and when an earlier checkpoint is loaded.
"""

from __future__ import annotations

import threading
from pathlib import Path

from engine.errors import StorageError
from engine.protocol import codec
from engine.protocol.events import TweetSampled
from engine.storage.files import read_regular, write_atomically
from engine.storage.journal import event_in

Pins = tuple[TweetSampled, ...]
"""Sorted by step."""
_MAX_BYTES = 16 * 1024 * 1024
TweetKey = tuple[int, float, str]


def tweet_key(tweet: TweetSampled) -> TweetKey:
    """Return a key that identifies a tweet, equal for the event and its copy in a file."""
    return tweet.step, tweet.elapsed_seconds, tweet.text


def toggled(pins: Pins, tweet: TweetSampled) -> Pins:
    """Return the pins with `tweet` added, or removed if it was pinned."""
    rest = tuple(pin for pin in pins if tweet_key(pin) != tweet_key(tweet))
    return rest if len(rest) < len(pins) else merged(pins, (tweet,))


def merged(pins: Pins, others: Pins) -> Pins:
    """Return the union, sorted by step."""
    found = {tweet_key(pin): pin for pin in (*pins, *others)}
    return tuple(sorted(found.values(), key=lambda pin: (pin.step, pin.elapsed_seconds)))


class PinsFile:
    """The pins file of a run. For any thread; blocks on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._last_saved = 0
        self._known: Pins = ()
        """The pins read or saved last: what was added to or removed from the file since, another screen has done."""

    def read(self) -> Pins:
        """Return the pins, skipping unreadable lines; empty if the file is missing.

        Raises `StorageError`.
        """
        with self._lock:
            self._known, _ = self._read()
            return self._known

    def save(self, pins: Pins, number: int) -> None:
        """Replace the saved pins, unless a save with a higher number came first. Raises `StorageError`.

        Only what changed since the last reading or saving is changed in the file, which other screens of the run, a
        detached one and those attached, save to as well. Unreadable lines are rewritten unchanged.
        """
        with self._lock:
            if number > self._last_saved:
                saved, unreadable_lines = self._read()
                now, known = set(map(tweet_key, pins)), set(map(tweet_key, self._known))
                kept = tuple(pin for pin in saved if tweet_key(pin) in now or tweet_key(pin) not in known)
                added = tuple(pin for pin in pins if tweet_key(pin) not in known)
                lines = [*(codec.encode(pin).encode() for pin in merged(kept, added)), *unreadable_lines]
                write_atomically(self.path, b"".join(line + b"\n" for line in lines))
                self._last_saved, self._known = number, pins

    def _read(self) -> tuple[Pins, list[bytes]]:
        """Return the pins, and the lines that are not tweets. Raises `StorageError`."""
        try:
            lines = read_regular(self.path, _MAX_BYTES).split(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            lines = []
        except OSError as error:
            cause = error.strerror or str(error)
            raise StorageError(
                f"{self.path} can't be read: {cause}.", "Pins are saved once it can be read or is deleted."
            ) from error
        found = [(line, event_in(line)) for line in lines]
        unreadable_lines = [line for line, pin in found if not isinstance(pin, TweetSampled) and line.strip()]
        return merged((), tuple(pin for _, pin in found if isinstance(pin, TweetSampled))), unreadable_lines

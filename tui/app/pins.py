"""`PinnedTweets` of the run on the screen, and `PinsFile`, which keeps them in the folder of the run.

Pins outlive the feed, which drops tweets when it is thinned and when an earlier checkpoint is loaded.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.worker import Worker

from engine.errors import ConfigError, StorageError, TweetgenError
from engine.protocol import codec
from engine.protocol.events import TweetSampled
from engine.storage.files import read_regular, write_atomically
from engine.storage.folders import folder_of_run
from engine.storage.journal import event_in
from tui.dialogs.ask import show_error
from tui.process.threads import on_own_thread
from tui.widgets.feed.model import Pins, tweet_key

if TYPE_CHECKING:
    from tui.app.main_screen import MainScreen

_MAX_BYTES = 16 * 1024 * 1024


class PinnedTweets:
    """Pins and unpins the tweets of one run; what can't be read or written is shown over its screen."""

    def __init__(self, screen: MainScreen) -> None:
        """Show the pins in the feed of `screen`."""
        self.tweets: Pins = ()
        """The pinned tweets, in the order of their steps."""
        self._screen = screen
        self._num_changes = 0
        self._file: PinsFile | None = None

    def __contains__(self, tweet: TweetSampled) -> bool:
        return tweet_key(tweet) in map(tweet_key, self.tweets)

    def toggle(self, tweet: TweetSampled) -> bool:
        """Pin or unpin a tweet, where this screen may; return whether it is pinned now."""
        if not self._screen.refuses("steering"):
            rest = tuple(pin for pin in self.tweets if tweet_key(pin) != tweet_key(tweet))
            self._show(rest if tweet in self else merged((*rest, tweet)))
            self._save()
        return tweet in self

    def open(self, run: str) -> None:
        """Read the pins of a run, once its name is known."""
        try:
            path = folder_of_run(run).pins_path
        except ConfigError as error:  # a journal from elsewhere can claim any name
            show_error(self._screen.app, error)
            return
        if self._file is None or self._file.path != path:
            self._file = PinsFile(path)
            self._work(partial(self._read, self._file))

    async def _read(self, file: PinsFile) -> None:
        """Show the pins in the file, together with those made since the start."""
        saved = await on_own_thread(file.read, doing="Reading the pins")
        has_own = bool(self.tweets)
        self._show(merged((*saved, *self.tweets)))
        if has_own:
            self._save()

    def _show(self, tweets: Pins) -> None:
        if tweets != self.tweets:
            self.tweets = tweets
            self._screen.feed.show_pins(tweets)

    def _save(self) -> None:
        """Save the pins on a thread, once the file is known; a replay saves none."""
        self._num_changes += 1
        if self._file is None or self._screen.run.view.is_replay:
            return
        save = partial(self._file.save, self.tweets, self._num_changes)
        self._work(partial(on_own_thread, save, writes=True, doing="Saving the pins"))

    def _work(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run a worker of the screen; show the error that it raises."""

        async def work() -> None:
            try:
                await function()
            except TweetgenError as error:
                show_error(self._screen.app, error)

        _: Worker[None] = self._screen.run_worker(work)


def merged(pins: Iterable[TweetSampled]) -> Pins:
    """Return each tweet once, in the order of their steps."""
    found = {tweet_key(pin): pin for pin in pins}
    return tuple(sorted(found.values(), key=lambda pin: (pin.step, pin.elapsed_seconds)))


class PinsFile:
    """The pins of a run as JSON events, one a line. For any thread; blocks on the disk; raises `StorageError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._last_saved = 0
        self._known: Pins = ()
        """The pins read or saved last: what was added to or removed from the file since, another screen has done."""

    def read(self) -> Pins:
        """Return the pins, skipping unreadable lines; empty if the file is missing."""
        with self._lock:
            self._known, _ = self._read()
            return self._known

    def save(self, pins: Pins, number: int) -> None:
        """Replace the saved pins, unless a save with a higher number came first.

        Only what changed since the last reading or saving is changed in the file, which other screens of the run, a
        detached one and those attached, save to as well. Unreadable lines are rewritten unchanged.
        """
        with self._lock:
            if number <= self._last_saved:
                return
            saved, unreadable_lines = self._read()
            now, known = set(map(tweet_key, pins)), set(map(tweet_key, self._known))
            kept = (pin for pin in saved if tweet_key(pin) in now or tweet_key(pin) not in known)
            added = (pin for pin in pins if tweet_key(pin) not in known)
            lines = [*(codec.encode(pin).encode() for pin in merged((*kept, *added))), *unreadable_lines]
            write_atomically(self.path, b"".join(line + b"\n" for line in lines))
            self._last_saved, self._known = number, pins

    def _read(self) -> tuple[Pins, list[bytes]]:
        """Return the pins, and the lines that are not tweets."""
        try:
            lines = read_regular(self.path, _MAX_BYTES).split(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            lines = []
        except OSError as error:
            cause = error.strerror or str(error)
            hint = "Pins are saved once it can be read or is deleted."
            raise StorageError(f"{self.path} can't be read: {cause}.", hint) from error
        found = [(line, event_in(line)) for line in lines]
        unreadable_lines = [line for line, pin in found if not isinstance(pin, TweetSampled) and line.strip()]
        return merged(pin for _, pin in found if isinstance(pin, TweetSampled)), unreadable_lines

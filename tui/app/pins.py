"""`PinnedTweets`: the pinned tweets of the run on the screen. They are saved in the folder of the run, on threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from engine.errors import ConfigError, StorageError
from engine.protocol.events import TweetSampled
from engine.storage.folders import folder_of_run
from tui.process.threads import begin_work, on_own_thread
from tui.run.connection import to_tweetgen_error
from tui.run.pins import Pins, PinsFile, merged, toggled, tweet_key
from tui.widgets.feed.feed import TweetFeed

if TYPE_CHECKING:
    from tui.app.main_screen import MainScreen


class PinnedTweets:
    """Pins and unpins the tweets of one run."""

    def __init__(self, screen: MainScreen) -> None:
        """Show the pins in the feed of `screen`."""
        self.tweets: Pins = ()
        """In the order of their steps."""
        self._screen = screen
        self._num_changes = 0
        self._file: PinsFile | None = None

    def __contains__(self, tweet: TweetSampled) -> bool:
        """Return whether a tweet is pinned."""
        return tweet_key(tweet) in map(tweet_key, self.tweets)

    def toggle(self, tweet: TweetSampled) -> bool:
        """Pin or unpin a tweet, where this screen may; return whether it is pinned now."""
        if not self._screen.refuses("steering"):
            self.tweets = toggled(self.tweets, tweet)
            self._feed.show_pins(self.tweets)
            self._save()
        return tweet in self

    def open(self, run: str) -> None:
        """Read the pins of a run, once its name is known."""
        try:
            path = folder_of_run(run).pins_path
        except ConfigError as error:  # a journal from elsewhere can claim any name
            self._screen.show_error(error.title, error.message, error.hint)
            return
        if self._file is None or self._file.path != path:
            self._file = PinsFile(path)
            begin_work(self._screen, partial(self._read, self._file))

    @property
    def _feed(self) -> TweetFeed:
        return self._screen.query_one(TweetFeed)

    async def _read(self, file: PinsFile) -> None:
        """Show the pins in the file, together with those made since the start."""
        try:
            before = await on_own_thread(file.read)
        except StorageError as error:
            self._screen.show_error(error.title, error.message, error.hint)
            return
        has_own = bool(self.tweets)
        self.tweets = merged(before, self.tweets)
        if self.tweets:
            self._feed.show_pins(self.tweets)
        if has_own:
            self._save()

    def _save(self) -> None:
        """Save the pins on a thread, once the file is known; a replay saves none."""
        self._num_changes += 1
        if self._file is not None and not self._screen.run.view.is_replay:
            save = partial(self._file.save, self.tweets, self._num_changes)
            begin_work(self._screen, partial(self._report_failure, save))

    async def _report_failure(self, save: Callable[[], None]) -> None:
        try:
            await on_own_thread(save, writes=True)
        except Exception as error:  # noqa: BLE001 - whatever a tweet holds or a disk does, the run continues
            report = to_tweetgen_error(error, "Saving the pins")
            self._screen.show_error(report.title, report.message, report.hint)

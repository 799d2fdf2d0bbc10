"""The keys that show the feed another way, keep its tweets with the run, or take them elsewhere."""

from __future__ import annotations

from functools import partial

from engine.errors import ConfigError, StorageError
from engine.protocol.events import TweetSampled
from engine.storage.folders import folder_of_run
from tui.files.pins import Pins, PinsFile, merged, toggled
from tui.process.threads import on_own_thread
from tui.run.error_report import as_told
from tui.screens.dialogs.export import ExportDialog, Exported
from tui.screens.main.run_screen import RunScreen
from tui.widgets.feed.tweet_feed import TweetFeed

_OF_FEED, _PINS = "tweets of the feed", "pins"


class Keeping(RunScreen):
    """Pins, exports and colours of tweets."""

    pins: Pins = ()
    """The tweets that are kept, in the order of their steps."""
    _num_pinnings = 0
    _pins_file: PinsFile | None = None

    def open_pins(self, run: str) -> None:
        """Read the pins of the run that has begun."""
        try:
            self._pins_file = PinsFile(folder_of_run(run).pins_path)
        except ConfigError as error:  # a journal from elsewhere can claim any name
            self._teller.error(error.title, error.message, error.hint)
        else:
            self.run_worker(self._read_pins(self._pins_file))

    def toggle_pin(self, tweet: TweetSampled) -> None:
        """Keep a tweet with the run, or no more; the dialogs that show one call it too."""
        self.pins = toggled(self.pins, tweet)
        self._feed.show_pins(self.pins)
        self._save_pins()

    def action_pin(self) -> None:
        """Pin or unpin the selected tweet, or else the newest."""
        tweet = self._feed.chosen
        if tweet is not None and self._may_steer():
            self.toggle_pin(tweet)

    def action_pins_only(self) -> None:
        """Show pins only, or all tweets again."""
        self._feed.toggle_pins_only()

    def action_colours(self) -> None:
        """Colour each character by how surprising it was, or no more."""
        self._feed.toggle_colours()

    def action_export(self) -> None:
        """Ask for a file, and write tweets to it."""
        view = self.run_view
        choices = {_OF_FEED: view.tweets, _PINS: self.pins}
        if self._feed.is_pins_only:
            choices = {_PINS: self.pins, _OF_FEED: view.tweets}
        note = ""
        if len(view.tweets) < view.num_tweets:
            note = "Of the older tweets the feed holds only some; all are in the run's events.jsonl."
        name = view.started.run if view.started else "run"
        self.app.push_screen(ExportDialog(f"{name}-tweets.txt", choices, note), self._tell_of_export)

    def _tell_of_export(self, exported: Exported | None) -> None:
        """Say what was written where."""
        if exported is not None:
            tweets = "1 tweet" if exported.num_tweets == 1 else f"{exported.num_tweets:,} tweets"
            self._teller.toast(f"Wrote {tweets} to {exported.path.absolute()}")

    @property
    def _feed(self) -> TweetFeed:
        return self.query_one(TweetFeed)

    async def _read_pins(self, file: PinsFile) -> None:
        """Show the pins that were kept before, together with those of the moments since the start."""
        try:
            before = await on_own_thread(file.read)
        except StorageError as error:
            self._teller.error(error.title, error.message, error.hint)
            return
        has_own = bool(self.pins)
        self.pins = merged(before, self.pins)
        if self.pins:
            self._feed.show_pins(self.pins)
        if has_own:
            self._save_pins()

    def _save_pins(self) -> None:
        """Save the pins, once it is known where."""
        self._num_pinnings += 1
        if self._pins_file is not None and not self.run_view.is_replay:
            saving = partial(self._pins_file.save, self.pins, self._num_pinnings)
            self.run_worker(self._tell_of_failure(saving))

    async def _tell_of_failure(self, saving: partial[None]) -> None:
        """Save on a thread."""
        try:
            await on_own_thread(saving, writes=True)
        except Exception as error:  # noqa: BLE001 - whatever a tweet holds or a disk does, the run goes on
            told = as_told(error, "Saving the pins")
            self._teller.error(told.title, told.message, told.hint)

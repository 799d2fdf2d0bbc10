"""Pins, exports and colours of the tweets in the feed."""

from __future__ import annotations

from functools import partial

from engine.errors import ConfigError, StorageError
from engine.protocol.events import TweetSampled
from engine.storage.folders import folder_of_run
from tui.dialogs.export import ExportDialog, Exported
from tui.process.threads import begin_work, on_own_thread
from tui.run.connection import to_tweetgen_error
from tui.run.pins import Pins, PinsFile, merged, toggled, tweet_key
from tui.screens.main.run_control import Controller, RunControl
from tui.widgets.feed.feed import TweetFeed

_OF_FEED, _PINS = "tweets of the feed", "pinned tweets"


class PinsAndExportController(Controller):
    """The keys that pin tweets, show the feed in another way, and write tweets to a file."""

    def __init__(self, run: RunControl) -> None:
        """Pin and export the tweets of this run."""
        super().__init__(run)
        self.pins: Pins = ()
        """The pinned tweets, in the order of their steps."""
        self._num_pinnings = 0
        self._file: PinsFile | None = None

    def open_file(self, run: str) -> None:
        """Read the pins of a run, once its name is known."""
        try:
            path = folder_of_run(run).pins_path
        except ConfigError as error:  # a journal from elsewhere can claim any name
            self._run.messages.error(error.title, error.message, error.hint)
            return
        if self._file is None or self._file.path != path:
            self._file = PinsFile(path)
            begin_work(self._run.screen, partial(self._read, self._file))

    def is_pinned(self, tweet: TweetSampled) -> bool:
        """Return whether a tweet is pinned."""
        return tweet_key(tweet) in map(tweet_key, self.pins)

    def toggle(self, tweet: TweetSampled) -> bool:
        """Pin or unpin a tweet, where this screen may; return whether it is pinned now."""
        if self._run.can_steer():
            self.pins = toggled(self.pins, tweet)
            self._feed.show_pins(self.pins)
            self._save()
        return self.is_pinned(tweet)

    def action_pin(self) -> None:
        """Pin or unpin the selected tweet, or else the newest."""
        if self._feed.chosen is not None:
            self.toggle(self._feed.chosen)

    def action_pins_only(self) -> None:
        """Show pins only, or all tweets again."""
        self._feed.toggle_pins_only()

    def action_colours(self) -> None:
        """Colour each character by surprise, or stop colouring."""
        self._feed.toggle_colours()

    def action_export(self) -> None:
        """Ask for a file, and write tweets to it."""
        view = self._run.view
        choices = {_OF_FEED: view.tweets, _PINS: self.pins}
        if self._feed.is_pins_only:
            choices = {_PINS: self.pins, _OF_FEED: view.tweets}
        note = ""
        if len(view.tweets) < view.num_tweets:
            note = "The feed lacks tweets of the run, thinned or taken back by a load; its events.jsonl has them all."
        dialog = ExportDialog(f"{self._run.name or 'run'}-tweets.txt", choices, note)
        self._run.app.push_screen(dialog, self._report_export)

    def _report_export(self, exported: Exported | None) -> None:
        if exported is not None:
            tweets = "1 tweet" if exported.num_tweets == 1 else f"{exported.num_tweets:,} tweets"
            self._run.messages.toast(f"Wrote {tweets} to {exported.path.absolute()}")

    @property
    def _feed(self) -> TweetFeed:
        return self._run.screen.query_one(TweetFeed)

    async def _read(self, file: PinsFile) -> None:
        """Show the pins in the file, together with those made since the start."""
        try:
            before = await on_own_thread(file.read)
        except StorageError as error:
            self._run.messages.error(error.title, error.message, error.hint)
            return
        has_own = bool(self.pins)
        self.pins = merged(before, self.pins)
        if self.pins:
            self._feed.show_pins(self.pins)
        if has_own:
            self._save()

    def _save(self) -> None:
        """Save the pins on a thread, once the file is known; a replay saves none."""
        self._num_pinnings += 1
        if self._file is not None and not self._run.view.is_replay:
            saving = partial(self._file.save, self.pins, self._num_pinnings)
            begin_work(self._run.screen, partial(self._report_failure, saving))

    async def _report_failure(self, saving: partial[None]) -> None:
        try:
            await on_own_thread(saving, writes=True)
        except Exception as error:  # noqa: BLE001 - whatever a tweet holds or a disk does, the run continues
            report = to_tweetgen_error(error, "Saving the pins")
            self._run.messages.error(report.title, report.message, report.hint)

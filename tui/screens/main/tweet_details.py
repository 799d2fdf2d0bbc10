"""Tweet details: one tweet in a dialog, what the model predicts for it, and the prime of all new tweets."""

from __future__ import annotations

from functools import partial

from engine.protocol.events import TweetSampled
from tui.dialogs.tweet import TweetDialog
from tui.screens.main.pins_and_export import PinsAndExportController
from tui.screens.main.run_control import Controller, RunControl
from tui.screens.main.xray import XrayController
from tui.terminal import sequences as clipboard
from tui.widgets.feed.feed import TweetFeed


class TweetDetailsController(Controller):
    """The dialog of a tweet and its keys, and the key that clears the prime."""

    def __init__(self, run: RunControl, pins: PinsAndExportController, xray: XrayController) -> None:
        """Open the tweets of this run; the other controllers carry out some of the dialog's keys."""
        super().__init__(run)
        self._pins = pins
        self._xray = xray

    def open(self, tweet: TweetSampled) -> None:
        """Open a tweet, which the model evaluates where one is running."""
        if isinstance(self._run.app.screen, TweetDialog):  # a key pressed twice at once
            return
        pin, xray = partial(self._pins.toggle, tweet), partial(self._xray.open, tweet.text)
        dialog = TweetDialog(self._run, tweet, pin, xray, is_pinned=self._pins.is_pinned(tweet))
        self._run.app.push_screen(dialog, self._on_dialog_closed)

    def action_copy(self) -> None:
        """Copy the selected tweet, or else the newest, to the terminal's clipboard."""
        tweet = self._run.screen.query_one(TweetFeed).chosen
        if self._run.allows("a tweet") and tweet is not None:
            clipboard.copy(self._run.app, tweet.text)
            self._run.messages.toast(clipboard.COPIED)

    def action_clear_prime(self) -> None:
        """Sample tweets without a prime."""
        if self._run.can_command() and self._run.allows("a prime") and self._run.change(prime=""):
            self._run.messages.toast("Prime cleared.")

    def _on_dialog_closed(self, continued: TweetSampled | None) -> None:
        """Show the feed where the dialog has asked for a tweet with another end, which will be its last."""
        if continued is not None:
            self._run.panels.await_tweet(self._run.view)
            self._run.screen.query_one(TweetFeed).action_follow()

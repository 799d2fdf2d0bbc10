"""Tweet details: one tweet in a dialog, what the model predicts for it, and the prime of all new tweets."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from engine.config.fields import with_settings
from engine.errors import ConfigError
from engine.protocol.commands import ChangeSettings, ReadTweet
from engine.protocol.events import TweetRead, TweetSampled
from tui.dialogs.tweet import TweetActions, TweetDialog
from tui.run.model import Need
from tui.screens.main.pins_and_export import PinsAndExportController
from tui.screens.main.run_control import Controller, RunControl
from tui.screens.main.sampling import SamplingController
from tui.screens.main.xray import XrayController
from tui.terminal import sequences as clipboard
from tui.widgets.feed.feed import TweetFeed

_NO_MODEL = "No model is running to evaluate the tweet."


class TweetDetailsController(Controller):
    """The dialog of a tweet and its keys, and the key that clears the prime."""

    def __init__(
        self, run: RunControl, sampling: SamplingController, pins: PinsAndExportController, xray: XrayController
    ) -> None:
        """Evaluate tweets with the model of this run; the other controllers carry out the dialog's keys."""
        super().__init__(run)
        self._sampling = sampling
        self._pins = pins
        self._xray = xray
        self._dialog: TweetDialog | None = None

    def open(self, tweet: TweetSampled) -> None:
        """Open a tweet, and have the model evaluate it where one is running."""
        if self._dialog is not None:  # a key pressed twice at once
            return
        actions = TweetActions(
            pin=partial(self._pins.toggle, tweet),
            continue_from=self._continue_from,
            use_as_prime=self._toggle_prime,
            xray=partial(self._xray.open, tweet.text),
        )
        note = self._why_not_ask(tweet)
        self._dialog = TweetDialog(tweet, actions, is_pinned=self._pins.is_pinned(tweet), note=note)
        self._run.app.push_screen(self._dialog, self._on_dialog_closed)
        if not note:
            self._run.send(ReadTweet(text=tweet.text))

    def tick(self, unmet: Mapping[Need, str]) -> None:
        """Dim the dialog's keys that can't act. Ten times a second."""
        if self._dialog is not None:
            self._dialog.unmet = unmet

    def show(self, read: TweetRead) -> None:
        """Show the model's answer, if the dialog is still open."""
        if self._dialog is not None:
            self._dialog.show(read)

    def show_refusal(self, reason: str) -> bool:
        """Show why there is no answer; return whether a dialog is open to show it."""
        if self._dialog is not None:
            self._dialog.show_refusal(reason)
        return self._dialog is not None

    def stop_waiting(self) -> None:
        """Expect no answer any more: the run has ended."""
        self.show_refusal(_NO_MODEL)

    def action_copy(self) -> None:
        """Copy the selected tweet, or else the newest, to the terminal's clipboard."""
        tweet = self._run.screen.query_one(TweetFeed).chosen
        if self._run.allows("a tweet") and tweet is not None:
            clipboard.copy(self._run.app, tweet.text)
            self._run.messages.toast(clipboard.COPIED)

    def action_clear_prime(self) -> None:
        """Sample tweets without a prime."""
        self._set_prime("")

    def _why_not_ask(self, tweet: TweetSampled) -> str:
        """Return why the model can't be asked; empty where it can."""
        if self._run.view.is_replay:
            return "This is a replay, without a model."
        if self._run.bridge.refusal:
            return self._run.bridge.refusal
        if self._run.view.phase not in {"training", "paused"} or self._run.is_ending:
            return _NO_MODEL
        return "" if tweet.text else "The tweet is empty."

    def _continue_from(self, text: str) -> bool:
        """Sample a tweet that begins with a text, if there is room for more; return whether one will come."""
        if not self._run.can_command():
            return False
        max_length = self._run.shown_view.sampling.max_length
        if len(text) >= max_length:
            self._run.messages.toast(
                f"The text is too long to continue: a tweet has at most {max_length} characters.", "warning"
            )
            return False
        self._run.screen.query_one(TweetFeed).action_follow()  # the new tweet is its last one
        self._sampling.sample(text)
        return True

    def _toggle_prime(self, prime: str) -> None:
        """Begin all new tweets with `prime`, or with no prime where they begin with it already."""
        self._set_prime("" if prime == self._run.shown_view.sampling.prime else prime)

    def _set_prime(self, prime: str) -> None:
        """Begin all new tweets with `prime`."""
        if not self._run.can_command():
            return
        if not prime and not self._run.allows("a prime"):
            return
        try:
            with_settings(self._run.shown_view.sampling, {"prime": prime})
        except ConfigError as error:
            self._run.messages.toast(error.message, "warning")
            return
        self._run.send(ChangeSettings(settings={"prime": prime}))
        self._run.messages.toast(f"All new tweets begin with “{prime}”; P clears it." if prime else "Prime cleared.")

    def _on_dialog_closed(self, _answer: None) -> None:
        self._dialog = None

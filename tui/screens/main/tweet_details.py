"""The keys that look closely at one tweet, and what can be done with it from there."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from engine.errors import ConfigError
from engine.protocol.commands import ReadTweet, SampleNow, SetSampling
from engine.protocol.events import TweetSampled
from tui.files.pins import tweet_key
from tui.screens.dialogs.tweet import TweetActions, TweetDialog
from tui.screens.main.pins_and_export import Keeping
from tui.widgets.feed.tweet_feed import TweetFeed

_NO_MODEL = "No model is running that could be asked."


class Looking(Keeping):
    """A tweet in a dialog, and the prime of all that follow."""

    _tweet_dialog: TweetDialog | None = None

    def tick(self) -> None:
        """Take in what happened; a tweet that is open waits for no answer of a run that has ended."""
        was_over = self.run_view.ended is not None
        super().tick()
        if self._tweet_dialog is not None and self.run_view.ended is not None and not was_over:
            self._tweet_dialog.show_refusal(_NO_MODEL)

    def on_tweet_feed_opened(self, message: TweetFeed.Opened) -> None:
        """Open the tweet, and ask the model about it where there is one."""
        if self._tweet_dialog is not None:  # a key pressed twice at once
            return
        tweet = message.tweet
        actions = TweetActions(
            pin=partial(self._turn_pin, tweet), go_on=self._go_on_from, use_as_prime=self._begin_tweets_with
        )
        note = self._why_not_ask(tweet)
        self._tweet_dialog = TweetDialog(tweet, actions, is_pinned=self._is_pinned(tweet), note=note)
        self.app.push_screen(self._tweet_dialog, self._forget_tweet)
        if not note:
            self._send(ReadTweet(text=tweet.text))

    def action_clear_prime(self) -> None:
        """Let tweets begin as the model likes."""
        self._begin_tweets_with("")

    def _why_not_ask(self, tweet: TweetSampled) -> str:
        """Return why the model can't be asked; empty where it can."""
        if self.run_view.is_replay:
            return "This is a replay: there is no model to ask."
        if self._bridge.refusal:
            return self._bridge.refusal
        if self.run_view.phase not in {"training", "paused"} or self._ending is not None:
            return _NO_MODEL
        return "" if tweet.text else "It holds no character."

    def _is_pinned(self, tweet: TweetSampled) -> bool:
        return tweet_key(tweet) in map(tweet_key, self.pins)

    def _turn_pin(self, tweet: TweetSampled) -> bool:
        """Keep a tweet, or no more; say which."""
        if self._may_steer():
            self.toggle_pin(tweet)
        return self._is_pinned(tweet)

    def _go_on_from(self, text: str) -> None:
        """Have a tweet written that begins so."""
        if not self._can_command():
            return
        longest = self._shown_view.sampling.max_length
        if len(text) >= longest:
            self._teller.toast(f"There is no room to go on: a tweet has at most {longest} characters.", "warning")
            return
        self._panels.await_tweet(self.run_view)
        self._send(SampleNow(prime=text))

    def _begin_tweets_with(self, prime: str) -> None:
        """Let all coming tweets begin so."""
        if not self._can_command():
            return
        try:
            sampling = replace(self._shown_view.sampling, prime=prime)
        except ConfigError as error:
            self._teller.toast(error.message, "warning")
            return
        self._send(SetSampling(sampling=sampling))
        begin = f"begin with “{prime}” from now on; P ends that" if prime else "begin as the model likes"
        self._teller.toast(f"Tweets {begin}.")

    def _forget_tweet(self, _answer: None) -> None:
        self._tweet_dialog = None

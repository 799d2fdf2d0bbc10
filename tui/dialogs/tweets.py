"""The dialogs of tweets: `TweetDialog`, one in detail, and `LadderDialog`, one at each of several temperatures."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import ClassVar

from textual import getters, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from engine.config.fields import with_settings
from engine.config.sampling import LADDER_TEMPERATURES
from engine.errors import ConfigError
from engine.protocol.commands import ReadTweet, SampleLadder, SampleNow
from engine.protocol.events import CharChance, Event, LadderSampled, RunFailed, RunFinished, TweetRead, TweetSampled
from engine.text import ELLIPSIS, sanitize_line
from tui.dialogs.base import RunDialog
from tui.run.marks import failure_of, refusals_of
from tui.run.model import RunModel
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.terminal import sequences
from tui.text.cells import safe_chars, shown_char
from tui.text.numbers import format_bits, unit_label
from tui.text.tweets import EMPTY_TWEET, NOVELTY_GLYPHS, shown_text
from tui.widgets.chance_bars import ChanceBars
from tui.widgets.feed.columns import FAILING_MARK
from tui.widgets.feed.tweet_text import TweetText
from tui.widgets.key_bar import KeyBar

_NUM_BARS = 8
_MAX_PREFIX_CHARS = 40
_NO_MODEL = "No model is running to evaluate the tweet."


class TweetDialog(RunDialog[TweetSampled]):
    """Show the surprise of each character, and what else was likely.

    The bits stored with the tweet are shown at once; the predictions of the current model and the nearest training
    tweet, once they arrive. Without a running model they never do. Answers with the tweet once it has asked for one
    with another end.
    """

    AUTO_FOCUS = "TweetText"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("tweet"))
    ASKS = "ReadTweet"
    HELP = "In an open tweet"
    KEYS_LINE = ""
    _text = getters.query_one(TweetText)

    def __init__(
        self, run: RunModel, tweet: TweetSampled, pin: Callable[[], bool], xray: Callable[[], None], *, is_pinned: bool
    ) -> None:
        """Show `tweet`; `pin` pins or unpins it and returns which, and `xray` opens the X-ray of it."""
        super().__init__(f"Tweet of step {tweet.step:,}", run)
        self.tweet = tweet
        self._pin, self._xray = pin, xray
        self._is_pinned = is_pinned
        self._note = ""
        """Why there are no predictions; empty once they are shown."""
        self._read: TweetRead | None = None
        has_own = len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos
        self._bits_then = tweet.char_bits if has_own else ()

    def compose_body(self) -> ComposeResult:
        text, prime = self.tweet.text, self.tweet.prime
        num_prompt_chars = len(prime) if text.startswith(prime) else 0
        with VerticalScroll(can_focus=False):
            yield TweetText(text, has_ended=self.tweet.reached_eos, num_prompt_chars=num_prompt_chars)
            yield Static("", markup=False, id="char")
            yield ChanceBars(_NUM_BARS)
            yield Static("", markup=False, classes="facts", id="prefix")
            yield Static("", markup=False, classes="facts", id="whole")
            yield Static("", markup=False, classes="facts", id="nearest")
        yield KeyBar(keys_of("tweet")).data_bind(unmet=RunDialog.unmet)

    def on_mount(self) -> None:
        """Draw with the cursor on the first character, and have the model evaluate the tweet where one can."""
        self._text.show_bits(self._bits_then)
        reasons = {
            "This is a replay, without a model.": self.run.view.is_replay,
            self.run.connection.refusal: self.run.connection.refusal,
            _NO_MODEL: not self.run.has_model,
            "The tweet is empty.": not self.tweet.text,
        }
        self._note = next((reason for reason, holds in reasons.items() if holds), "")
        if not self._note and self.run.send(ReadTweet(text=self.tweet.text)):
            self._note = "evaluating…"
        self._draw()

    def receive(self, event: Event) -> None:
        """Show the model's predictions for this tweet, or that none will come."""
        if isinstance(event, RunFinished | RunFailed):
            self.show_refusal(_NO_MODEL)
        elif isinstance(event, TweetRead) and event.text == self.tweet.text and len(event.chars) == len(event.text) + 1:
            self._read, self._note = event, ""
            if not self._bits_then:
                self._text.show_bits([char.bits for char in event.chars])
            self._draw()

    def show_refusal(self, reason: str) -> None:
        """Show why no predictions will come, unless they have."""
        if self._read is None:
            self._note = reason
            self._draw()

    def action_copy(self) -> None:
        sequences.copy(self.app, self.tweet.text)
        self.notify(sequences.COPIED, markup=False)

    def action_pin(self) -> None:
        self._is_pinned = self._pin()
        self._draw()

    def action_colours(self) -> None:
        self._text.is_coloured = not self._text.is_coloured

    def action_xray(self) -> None:
        self._xray()

    def action_continue(self) -> None:
        """Sample a tweet with a new end from the cursor on, and close; stay open where there is no room for one."""
        max_length = self.run.shown.sampling.max_length
        if len(self._before_cursor) >= max_length:
            reason = f"The text is too long to continue: a tweet has at most {max_length} characters."
            self.run.toast(reason, "warning")
        elif self.run.send(SampleNow(prime=self._before_cursor)):
            self.dismiss(self.tweet)

    def action_use_as_prime(self) -> None:
        """Set the prime to the text before the cursor, or clear it if that is the prime already."""
        now = self.run.shown.sampling
        prime = "" if self._before_cursor == now.prime else self._before_cursor
        try:
            with_settings(now, {"prime": prime})
        except ConfigError as error:
            self.run.toast(error.message, "warning")
            return
        if prime == now.prime:
            self.run.toast("No prime is set.", "information")
        elif self.run.change(prime=prime):
            done = f"All new tweets begin with “{prime}”; P clears it." if prime else "Prime cleared."
            self.run.toast(done, "information")

    @property
    def _before_cursor(self) -> str:
        return self.tweet.text[: self._text.cursor]

    @on(TweetText.Moved)
    def _draw(self) -> None:
        """Draw the facts: about the character at the cursor, what `n` and `P` use, the whole tweet, the nearest one."""
        tweet, place, unit = self.tweet, self._text.cursor, self.app.loss_unit
        has_come = place < len(tweet.text) or tweet.reached_eos
        if place < len(tweet.text):
            facts = [f"{shown_char(tweet.text[place])}  {place + 1} of {len(tweet.text)}"]
        elif tweet.reached_eos:
            facts = ["the end" if tweet.text else EMPTY_TWEET]
        else:
            facts = ["cut at the maximum length"]
        likeliest: tuple[CharChance, ...] = ()
        bits = then = next(iter(self._bits_then[place : place + 1]), None)
        if then is not None:
            facts.append(f"{format_bits(abs(then), unit)} {unit} when sampled")
        if self._read is not None:
            read = self._read.chars[place]
            likeliest, bits = read.likeliest, read.bits if has_come else None
            if has_come:
                facts.append(f"{format_bits(read.bits, unit)} {unit} at step {self._read.step:,}")
        if place < len(tweet.prime):
            facts.append("given")
        came = None if bits is None else CharChance(char=tweet.text[place : place + 1], probability=2.0**-bits)
        self.query_one(ChanceBars).show(likeliest, came)

        before = safe_chars(self._before_cursor)
        cut = ELLIPSIS + before[-_MAX_PREFIX_CHARS:] if len(before) > _MAX_PREFIX_CHARS else before
        prefix = f"n and P use “{cut}”" if before else "n and P use the text before the cursor; → moves it"
        nearest = self._note
        if self._read is not None:
            share, text = self._read.nearest_share, self._read.nearest
            nearest = (
                f"Nearest training tweet ({share:.0%} similar): {text}" if text else "No training tweet is similar."
            )
        lines = {"char": " · ".join(facts), "prefix": prefix, "whole": self._whole(), "nearest": sanitize_line(nearest)}
        for name, line in lines.items():
            self.query_one(f"#{name}", Static).update(line)

    def _whole(self) -> str:
        """Return the facts about the whole tweet: a line of them, and what the filter did."""
        tweet, unit = self.tweet, self.app.loss_unit
        copied = f", {tweet.copied_share:.0%} copied" if tweet.novelty != "copy" and tweet.copied_share else ""
        facts = f"{NOVELTY_GLYPHS[tweet.novelty]} {tweet.novelty}{copied} · temperature {tweet.temperature:.2f}"
        facts += f" · {format_bits(tweet.bits_per_char, unit)} {unit_label(unit)}"
        failure = failure_of(tweet)
        lines = (
            facts + (" · pinned" if self._is_pinned else ""),
            "" if tweet.novelty == "new" else "The comparison ignores names, links, case and punctuation.",
            refusals_of(tweet),
            failure and f"{FAILING_MARK} {failure}",
        )
        return "\n".join(filter(None, lines))


class LadderDialog(RunDialog[None]):
    """Show one tweet at each of several temperatures, all from the same seed and prime; `t` samples others."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("ladder"))
    ASKS = "SampleLadder"
    HELP = "In the other dialogs"
    KEYS_LINE = "t roll again · esc close"

    def __init__(self, run: RunModel) -> None:
        super().__init__("Temperature ladder", run)

    def compose_body(self) -> ComposeResult:
        with VerticalScroll():
            for temperature in LADDER_TEMPERATURES:
                with Horizontal(classes="rung"):
                    yield Static(f"{temperature:.1f}", markup=False, classes="temperature")
                    yield Static(" ", markup=False, classes="mark")
                    yield Static(ELLIPSIS, markup=False, classes="text")
        yield Static(markup=False, id="hint")

    def on_mount(self) -> None:
        self.action_roll()

    def action_roll(self) -> None:
        if self.run.send(SampleLadder(seed=secrets.randbelow(1_000_000), prime=self.run.shown.sampling.prime)):
            self._show_hint("sampling…")

    def receive(self, event: Event) -> None:
        if not isinstance(event, LadderSampled):
            return
        for tweet, rung in zip(event.rungs, self.query(".rung"), strict=False):
            temperature, mark, text = rung.query(Static)
            temperature.update(f"{tweet.temperature:.1f}")
            mark.update(NOVELTY_GLYPHS[tweet.novelty])
            mark.set_classes(f"mark {tweet.novelty}")
            text.update(shown_text(tweet))
        prime = f" · prime {event.prime!r}" if event.prime else ""
        self._show_hint(f"step {event.step:,} · seed {event.seed}{prime}")

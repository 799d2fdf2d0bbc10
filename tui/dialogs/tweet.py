"""One tweet in detail: the surprise of each character, and what else was likely.

The bits stored with the tweet are shown at once; the predictions of the current model and the nearest training tweet,
once they arrive. Without a running model they never do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from engine.config.fields import with_settings
from engine.errors import ConfigError
from engine.protocol.commands import ReadTweet, SampleNow
from engine.protocol.events import CharChance, Event, RunFailed, RunFinished, TweetRead, TweetSampled
from engine.text import ELLIPSIS, sanitize_line
from tui.dialogs.base import RunDialog
from tui.run.marks import failure_of, refusals_of
from tui.run.model import RunModel
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.settings.theme import NOVELTY_GLYPHS
from tui.terminal import sequences as clipboard
from tui.text.cells import safe_chars, shown_char
from tui.text.numbers import format_bits, unit_label
from tui.text.tweets import EMPTY_TWEET
from tui.widgets.chance_bars import ChanceBars
from tui.widgets.feed.columns import FAILING_MARK
from tui.widgets.feed.tweet_text import TweetText
from tui.widgets.key_bar import KeyBar
from tui.widgets.terminal_info import loss_unit_of

_NUM_BARS = 8
_MAX_PREFIX_CHARS = 40
_NO_MODEL = "No model is running to evaluate the tweet."


class TweetDialog(RunDialog[TweetSampled]):
    """Show a tweet, character by character. Answers with the tweet once it has asked for one with another end."""

    AUTO_FOCUS = "TweetText"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("tweet"))
    ASKS = frozenset({"ReadTweet"})
    HELP = "In an open tweet"
    KEYS_LINE = ""

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
        """Lay out the text, the character under the cursor, and the facts about the whole tweet."""
        text, prime = self.tweet.text, self.tweet.prime
        num_prompt_chars = len(prime) if text.startswith(prime) else 0
        with VerticalScroll(can_focus=False):
            yield TweetText(text, has_ended=self.tweet.reached_eos, num_prompt_chars=num_prompt_chars)
            yield Static("", markup=False, id="char")
            yield ChanceBars(_NUM_BARS)
            yield Static("", markup=False, classes="facts", id="prefix")
            yield Static(self._facts(), markup=False, classes="facts", id="whole")
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

    def on_tweet_text_moved(self) -> None:
        """Draw the character under the cursor."""
        self._draw()

    def action_copy(self) -> None:
        """Copy the tweet to the terminal's clipboard."""
        clipboard.copy(self.app, self.tweet.text)
        self.notify(clipboard.COPIED, markup=False)

    def action_pin(self) -> None:
        """Pin or unpin the tweet."""
        self._is_pinned = self._pin()
        self._draw()

    def action_colours(self) -> None:
        """Switch the surprise colours off or on."""
        self._text.is_coloured = not self._text.is_coloured

    def action_continue(self) -> None:
        """Sample a tweet with a new end from the cursor on, and close; stay open where there is no room for one."""
        max_length = self.run.shown.sampling.max_length
        if len(self._before_cursor) >= max_length:
            reason = f"The text is too long to continue: a tweet has at most {max_length} characters."
            self.run.toast(reason, "warning")
        elif self.run.send(SampleNow(prime=self._before_cursor)):
            self.dismiss(self.tweet)

    def action_use_as_prime(self) -> None:
        """Begin all new tweets with the text before the cursor, or with no prime where they begin with it already."""
        now = self.run.shown.sampling
        prime = "" if self._before_cursor == now.prime else self._before_cursor
        try:
            with_settings(now, {"prime": prime})
        except ConfigError as error:
            self.run.toast(error.message, "warning")
            return
        if prime == now.prime:
            self.run.toast("No prime is set.")
        elif self.run.change(prime=prime):
            self.run.toast(f"All new tweets begin with “{prime}”; P clears it." if prime else "Prime cleared.")

    def action_xray(self) -> None:
        """Open the X-ray of the tweet over the dialog."""
        self._xray()

    @property
    def _text(self) -> TweetText:
        return self.query_one(TweetText)

    @property
    def _before_cursor(self) -> str:
        return self.tweet.text[: self._text.cursor]

    def _draw(self) -> None:
        place = self._text.cursor
        self.query_one("#char", Static).update(self._char_facts(place))
        self.query_one("#prefix", Static).update(self._prefix_line())
        self.query_one("#whole", Static).update(self._facts())
        self.query_one("#nearest", Static).update(sanitize_line(self._nearest()))
        self.query_one(ChanceBars).show(*self._chances(place))

    def _has_come(self, place: int) -> bool:
        """Return whether the character at a place, or the end behind the last one, was sampled."""
        return place < len(self.tweet.text) or self.tweet.reached_eos

    def _chances(self, place: int) -> tuple[tuple[CharChance, ...], CharChance | None]:
        """Return the likeliest characters at a place and the one there; without predictions only that one."""
        char = self.tweet.text[place : place + 1]
        if self._read is not None:
            read = self._read.chars[place]
            return read.likeliest, CharChance(char=char, probability=2.0**-read.bits) if self._has_come(place) else None
        came_then = self._bits_then[place : place + 1]
        return (), CharChance(char=char, probability=2.0 ** -came_then[0]) if came_then else None

    def _char_facts(self, place: int) -> str:
        text, unit = self.tweet.text, loss_unit_of(self)
        if place < len(text):
            what = f"{shown_char(text[place])}  {place + 1} of {len(text)}"
        elif self.tweet.reached_eos:
            what = "the end" if text else EMPTY_TWEET
        else:
            what = "cut at the maximum length"
        facts = [what]
        if self._bits_then[place : place + 1]:
            facts.append(f"{format_bits(abs(self._bits_then[place]), unit)} {unit} when sampled")
        if self._read is not None and self._has_come(place):
            facts.append(f"{format_bits(self._read.chars[place].bits, unit)} {unit} at step {self._read.step:,}")
        if place < len(self.tweet.prime):
            facts.append("given")
        return " · ".join(facts)

    def _prefix_line(self) -> str:
        """Return the text that `n` and `P` use."""
        before = safe_chars(self._before_cursor)
        if not before:
            return "n and P use the text before the cursor; → moves it"
        is_long = len(before) > _MAX_PREFIX_CHARS
        return f"n and P use “{ELLIPSIS + before[-_MAX_PREFIX_CHARS:] if is_long else before}”"

    def _facts(self) -> str:
        """Return the facts about the whole tweet: a line of them, and what the filter did."""
        tweet, unit = self.tweet, loss_unit_of(self)
        copied = f", {tweet.copied_share:.0%} copied" if tweet.novelty != "copy" and tweet.copied_share else ""
        facts = f"{NOVELTY_GLYPHS[tweet.novelty]} {tweet.novelty}{copied} · temperature {tweet.temperature:.2f}"
        facts += f" · {format_bits(tweet.bits_per_char, unit)} {unit_label(unit)}"
        lines = [facts + (" · pinned" if self._is_pinned else "")]
        if tweet.novelty != "new":
            lines.append("The comparison ignores names, links, case and punctuation.")
        if refusals := refusals_of(tweet):
            lines.append(refusals)
        if failure := failure_of(tweet):
            lines.append(f"{FAILING_MARK} {failure}")
        return "\n".join(lines)

    def _nearest(self) -> str:
        """Return the nearest training tweet, or why it is unknown."""
        if self._read is None:
            return self._note
        if not self._read.nearest:
            return "No training tweet is similar."
        return f"Nearest training tweet ({self._read.nearest_share:.0%} similar): {self._read.nearest}"

"""One tweet, looked at closely: what the model thought at each character, and what else it would have written.

What was kept with the tweet is shown at once; what the model thinks now, and which training tweet is nearest, once it
has answered. A run that is over has nobody to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from engine.protocol.events import CharChance, TweetRead, TweetSampled
from engine.text import ELLIPSIS, harmless
from tui.screens.dialogs.base import Dialog
from tui.settings.keys.key import bindings_of
from tui.settings.keys.tweets import TWEET_KEYS
from tui.settings.theme import NOVELTY_GLYPHS
from tui.terminal import clipboard
from tui.widgets.feed.layout import EMPTY_TWEET
from tui.widgets.feed.tweet_text import TweetText, safe_chars
from tui.widgets.input.chance_bars import ChanceBars, shown_char

_NUM_BARS = 8
_ASKING = "asking the model…"
_MAX_PREFIX_CHARS = 40


@dataclass(frozen=True, kw_only=True)
class TweetActions:
    """What the keys of the dialog do beyond it."""

    pin: Callable[[], bool]
    """Keeps the tweet, or no more; says which."""
    go_on: Callable[[str], None]
    """Has a tweet written that begins with a text."""
    use_as_prime: Callable[[str], None]
    """Lets all coming tweets begin with a text."""


class TweetDialog(Dialog[None]):
    """Show a tweet, character by character."""

    AUTO_FOCUS = "TweetText"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(TWEET_KEYS)
    KEYS_LINE: ClassVar[str] = " · ".join(f"{key.shown} {key.label}" for key in TWEET_KEYS)
    DEFAULT_CSS = """
    TweetDialog TweetText { margin-bottom: 1; }
    TweetDialog #char { height: auto; min-height: 1; color: $text-primary; }
    TweetDialog ChanceBars { margin-bottom: 1; }
    TweetDialog .facts { height: auto; color: $text-muted; }
    """

    def __init__(self, tweet: TweetSampled, actions: TweetActions, *, is_pinned: bool, note: str = "") -> None:
        """Look at `tweet`. `note` says why the model is not asked; without one, its answer is on the way."""
        super().__init__(f"Tweet of step {tweet.step:,}")
        self.tweet = tweet
        self._actions = actions
        self._is_pinned = is_pinned
        self._note = note or _ASKING
        self._read: TweetRead | None = None
        has_own = len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos
        self._bits_then = tweet.char_bits if has_own else ()
        num_prompt_chars = len(tweet.prime) if tweet.text.startswith(tweet.prime) else 0
        self._tweet_text = TweetText(tweet.text, has_ended=tweet.reached_eos, num_prompt_chars=num_prompt_chars)
        self._tweet_text.show_bits(self._bits_then)
        self._bars = ChanceBars(_NUM_BARS)

    def compose_body(self) -> ComposeResult:
        """Lay out the text, what is under the cursor, and what there is to say of the whole."""
        with VerticalScroll(can_focus=False):
            yield self._tweet_text
            yield Static("", markup=False, id="char")
            yield self._bars
            yield Static("", markup=False, classes="facts", id="going-on")
            yield Static(self._facts(), markup=False, classes="facts", id="whole")
            yield Static(self._note, markup=False, classes="facts", id="nearest")

    def on_mount(self) -> None:
        """Show the first character."""
        self._draw()

    def show(self, read: TweetRead) -> None:
        """Show what the model thinks of the tweet; an answer about another text is none."""
        if read.text == self.tweet.text and len(read.chars) == len(self.tweet.text) + 1:
            self._read = read
            self._note = ""
            if not self._bits_then:
                self._tweet_text.show_bits([char.bits for char in read.chars])
            self._draw()

    def show_refusal(self, reason: str) -> None:
        """Show why there is no answer, where none has come."""
        if self._read is None:
            self._note = reason
            self._draw()

    def on_tweet_text_moved(self) -> None:
        """Show the character under the cursor."""
        self._draw()

    def action_copy(self) -> None:
        """Copy the tweet."""
        clipboard.copy(self.app, self.tweet.text)
        self.notify("Copied, if your terminal lets programs do that (OSC 52).", markup=False)

    def action_pin(self) -> None:
        """Keep the tweet, or no more."""
        self._is_pinned = self._actions.pin()
        self._draw()

    def action_continue(self) -> None:
        """Have it written anew from the cursor on, and look at the feed."""
        self._actions.go_on(self._before_cursor)
        self.dismiss(None)

    def action_use_as_prime(self) -> None:
        """Let all coming tweets begin with what is before the cursor."""
        self._actions.use_as_prime(self._before_cursor)

    @property
    def _before_cursor(self) -> str:
        return self.tweet.text[: self._tweet_text.cursor]

    def _draw(self) -> None:
        """Show what is known now."""
        if not self.is_mounted:
            return
        place = self._tweet_text.cursor
        self.query_one("#char", Static).update(self._char_facts(place))
        self.query_one("#going-on", Static).update(self._going_on())
        self.query_one("#whole", Static).update(self._facts())
        self.query_one("#nearest", Static).update(harmless(self._nearest()))
        self._bars.show(*self._chances(place))

    def _chances(self, place: int) -> tuple[tuple[CharChance, ...], CharChance | None]:
        """Return what the model expects at a place now, and what came there; before its answer, by what was kept."""
        text, came_then = self.tweet.text, self._bits_then[place : place + 1]
        has_come = place < len(text) or self.tweet.reached_eos
        char = text[place : place + 1]
        if self._read is None:
            return (), CharChance(char=char, probability=2.0 ** -came_then[0]) if came_then else None
        read = self._read.chars[place]
        return read.likeliest, CharChance(char=char, probability=2.0**-read.bits) if has_come else None

    def _char_facts(self, place: int) -> str:
        """Return what there is to say of the character at a place."""
        text = self.tweet.text
        if place < len(text):
            what = f"{shown_char(text[place])}  {place + 1} of {len(text)}"
        else:
            end = "the end" if text else EMPTY_TWEET
            what = end if self.tweet.reached_eos else "cut here; it would go on"
        facts = [what]
        if self._bits_then[place : place + 1]:
            facts.append(f"{abs(self._bits_then[place]):.2f} bits when written")
        if self._read is not None and (place < len(text) or self.tweet.reached_eos):
            facts.append(f"{self._read.chars[place].bits:.2f} bits at step {self._read.step:,}")
        if place < len(self.tweet.prime):
            facts.append("given")
        return " · ".join(facts)

    def _going_on(self) -> str:
        """Return what the keys would go on from."""
        before = safe_chars(self._before_cursor)
        if not before:
            return "c and u take what is before the cursor: → moves it"
        is_long = len(before) > _MAX_PREFIX_CHARS
        return f"c and u take “{ELLIPSIS + before[-_MAX_PREFIX_CHARS:] if is_long else before}”"

    def _facts(self) -> str:
        """Return what there is to say of the whole tweet."""
        tweet = self.tweet
        novelty = f"{NOVELTY_GLYPHS[tweet.novelty]} {tweet.novelty}"
        if tweet.novelty != "copy" and tweet.copied_share:
            novelty += f", {tweet.copied_share:.0%} copied"
        facts = [novelty, f"temperature {tweet.temperature:.2f}", f"{tweet.bits_per_char:.2f} bits/char"]
        return " · ".join([*facts, *(["pinned"] if self._is_pinned else [])])

    def _nearest(self) -> str:
        """Return which training tweet is nearest, or why that is not known."""
        if self._note or self._read is None:
            return self._note
        if not self._read.nearest:
            return "No training tweet has anything in common with it."
        return f"Nearest training tweet, {self._read.nearest_share:.0%} alike: {self._read.nearest}"

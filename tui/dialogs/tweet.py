"""One tweet in detail: the surprise of each character, and what else was likely.

The bits stored with the tweet are shown at once; the predictions of the current model and the nearest training tweet,
once they arrive. Without a running model they never do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.reactive import reactive
from textual.widgets import Static

from engine.protocol.events import CharChance, TweetRead, TweetSampled
from engine.text import ELLIPSIS, sanitize_line
from tui.dialogs.base import Dialog
from tui.run.marks import failure_of, refusals_of
from tui.run.model import Need
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.terminal import sequences as clipboard
from tui.terminal.app import loss_unit_of
from tui.text.cells import safe_chars, shown_char
from tui.text.numbers import format_bits, unit_label
from tui.text.tweets import EMPTY_TWEET, NOVELTY_GLYPHS
from tui.widgets.chance_bars import ChanceBars
from tui.widgets.feed.columns import FAILING_MARK
from tui.widgets.feed.tweet_text import TweetText
from tui.widgets.key_bar import KeyBar

_NUM_BARS = 8
_EVALUATING = "evaluating…"
_MAX_PREFIX_CHARS = 40
_COPY_RULE = "The comparison ignores names, links, case and punctuation."


@dataclass(frozen=True, kw_only=True)
class TweetActions:
    """The actions of the dialog's keys on the run."""

    pin: Callable[[], bool]
    """Pins or unpins the tweet; returns whether it is pinned."""
    continue_from: Callable[[str], bool]
    """Samples a tweet that begins with a text; returns whether one will come."""
    use_as_prime: Callable[[str], None]
    """Begins all new tweets with a text."""
    xray: Callable[[], None]
    """Opens the X-ray of the tweet."""


class TweetDialog(Dialog[None]):
    """Show a tweet, character by character."""

    AUTO_FOCUS = "TweetText"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("tweet"))
    HELP = "In an open tweet"
    KEYS_LINE = ""
    DEFAULT_CSS = """
    TweetDialog TweetText { margin-bottom: 1; }
    TweetDialog #char { height: auto; min-height: 1; color: $text-primary; }
    TweetDialog ChanceBars { margin-bottom: 1; }
    TweetDialog .facts { height: auto; color: $text-muted; }
    TweetDialog KeyBar { dock: bottom; background: $surface; }
    """

    unmet: reactive[Mapping[Need, str]] = reactive({})
    """Needs of keys that are not met."""

    def __init__(self, tweet: TweetSampled, actions: TweetActions, *, is_pinned: bool, note: str = "") -> None:
        """Show `tweet`. `note` is why the model does not evaluate it; without a note, `show` follows."""
        super().__init__(f"Tweet of step {tweet.step:,}")
        self.tweet = tweet
        self._actions = actions
        self._is_pinned = is_pinned
        self._note = note or _EVALUATING
        self._read: TweetRead | None = None
        has_own = len(tweet.char_bits) == len(tweet.text) + tweet.reached_eos
        self._bits_then = tweet.char_bits if has_own else ()
        num_prompt_chars = len(tweet.prime) if tweet.text.startswith(tweet.prime) else 0
        self._tweet_text = TweetText(tweet.text, has_ended=tweet.reached_eos, num_prompt_chars=num_prompt_chars)
        self._tweet_text.show_bits(self._bits_then)
        self._bars = ChanceBars(_NUM_BARS)

    def compose_body(self) -> ComposeResult:
        """Lay out the text, the character under the cursor, and the facts about the whole tweet."""
        with VerticalScroll(can_focus=False):
            yield self._tweet_text
            yield Static("", markup=False, id="char")
            yield self._bars
            yield Static("", markup=False, classes="facts", id="prefix")
            yield Static(self._facts(), markup=False, classes="facts", id="whole")
            yield Static(self._note, markup=False, classes="facts", id="nearest")
        yield KeyBar(keys_of("tweet")).data_bind(unmet=TweetDialog.unmet)

    def on_mount(self) -> None:
        """Draw with the cursor on the first character."""
        self._draw()

    def show(self, read: TweetRead) -> None:
        """Show the model's predictions; ignore those for another text."""
        if read.text == self.tweet.text and len(read.chars) == len(self.tweet.text) + 1:
            self._read = read
            self._note = ""
            if not self._bits_then:
                self._tweet_text.show_bits([char.bits for char in read.chars])
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
        self._is_pinned = self._actions.pin()
        self._draw()

    def action_colours(self) -> None:
        """Switch the surprise colours off or on."""
        self._tweet_text.is_coloured = not self._tweet_text.is_coloured

    def action_continue(self) -> None:
        """Sample a new end from the cursor on, and close, to show the feed; stay open if that is refused."""
        if self._actions.continue_from(self._before_cursor):
            self.dismiss(None)

    def action_use_as_prime(self) -> None:
        """Begin all new tweets with the text before the cursor."""
        self._actions.use_as_prime(self._before_cursor)

    def action_xray(self) -> None:
        """Open the X-ray of the tweet over the dialog."""
        self._actions.xray()

    @property
    def _before_cursor(self) -> str:
        return self.tweet.text[: self._tweet_text.cursor]

    def _draw(self) -> None:
        """Update all lines."""
        if not self.is_mounted:
            return
        place = self._tweet_text.cursor
        self.query_one("#char", Static).update(self._char_facts(place))
        self.query_one("#prefix", Static).update(self._prefix_line())
        self.query_one("#whole", Static).update(self._facts())
        self.query_one("#nearest", Static).update(sanitize_line(self._nearest()))
        self._bars.show(*self._chances(place))

    def _chances(self, place: int) -> tuple[tuple[CharChance, ...], CharChance | None]:
        """Return the likeliest characters at a place and the one there; before `show`, only that, from its bits."""
        text, came_then = self.tweet.text, self._bits_then[place : place + 1]
        has_come = place < len(text) or self.tweet.reached_eos
        char = text[place : place + 1]
        if self._read is None:
            return (), CharChance(char=char, probability=2.0 ** -came_then[0]) if came_then else None
        read = self._read.chars[place]
        return read.likeliest, CharChance(char=char, probability=2.0**-read.bits) if has_come else None

    def _char_facts(self, place: int) -> str:
        """Return the facts about the character at a place."""
        text = self.tweet.text
        if place < len(text):
            what = f"{shown_char(text[place])}  {place + 1} of {len(text)}"
        else:
            end = "the end" if text else EMPTY_TWEET
            what = end if self.tweet.reached_eos else "cut at the maximum length"
        facts, unit = [what], loss_unit_of(self)
        if self._bits_then[place : place + 1]:
            facts.append(f"{format_bits(abs(self._bits_then[place]), unit)} {unit} when sampled")
        if self._read is not None and (place < len(text) or self.tweet.reached_eos):
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
        """Return the facts about the whole tweet."""
        tweet = self.tweet
        novelty = f"{NOVELTY_GLYPHS[tweet.novelty]} {tweet.novelty}"
        if tweet.novelty != "copy" and tweet.copied_share:
            novelty += f", {tweet.copied_share:.0%} copied"
        unit = loss_unit_of(self)
        loss = f"{format_bits(tweet.bits_per_char, unit)} {unit_label(unit)}"
        facts = [novelty, f"temperature {tweet.temperature:.2f}", loss]
        first = " · ".join([*facts, *(["pinned"] if self._is_pinned else [])])
        rule = [] if tweet.novelty == "new" else [_COPY_RULE]
        return "\n".join([first, *rule, *self._draft_lines()])

    def _draft_lines(self) -> Iterator[str]:
        """Yield why the filter refused other drafts of the tweet, and why it refuses this one."""
        if refusals := refusals_of(self.tweet):
            yield refusals
        if failure := failure_of(self.tweet):
            yield f"{FAILING_MARK} {failure}"

    def _nearest(self) -> str:
        """Return the nearest training tweet, or why it is unknown."""
        if self._note or self._read is None:
            return self._note
        if not self._read.nearest:
            return "No training tweet is similar."
        return f"Nearest training tweet ({self._read.nearest_share:.0%} similar): {self._read.nearest}"

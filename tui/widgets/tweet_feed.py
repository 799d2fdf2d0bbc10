"""The feed: every tweet that the model wrote, newest at the end, with step, temperature and novelty.

A line-API view: only the lines on screen are made, so thousands of tweets cost what a screenful costs. It follows new
tweets only while the last line is in view; who reads further up is left in peace and told how many wait below.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.events import TweetSampled
from engine.text import ELLIPSIS, harmless
from tui.run_view import RunView
from tui.theme import NOVELTY_GLYPHS
from tui.widgets.wrapping import WrappedTexts

_FULL_WIDTH = 92
"""From this many cells, novelty is also a word."""
_COLUMNS_WIDTH = 50
"""From this many cells, step and temperature are shown."""
_MIN_WRAP_WIDTH = 10
"""So that nothing is wrapped to slivers while the feed has no size yet."""
_MIN_STEP_WIDTH = 5
_MAX_CHARS = 2000
_EMPTY_LINE = "The model's tweets appear here as it writes them."
Parts = list[tuple[str, str]]
"""Pieces of a line: text, and the component class that colours it."""


class TweetFeed(ScrollView, can_focus=True):
    """Scroll through the tweets of a `RunView`."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("end", "follow", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tweet-feed--facts",
        "tweet-feed--text",
        "tweet-feed--new",
        "tweet-feed--near-copy",
        "tweet-feed--copy",
    }
    DEFAULT_CSS = """
    TweetFeed {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        .tweet-feed--facts { color: $text-muted; }
        .tweet-feed--text { color: $foreground; }
        .tweet-feed--new { color: $text-success; }
        .tweet-feed--near-copy { color: $text-warning; }
        .tweet-feed--copy { color: $text-error; }
    }
    """

    def __init__(self) -> None:
        """Begin without tweets, at the end."""
        super().__init__()
        self.num_unseen = 0
        """Tweets that came since the last line was in view."""
        self._tweets: tuple[TweetSampled, ...] = ()
        self._num_tweets = 0
        self._step_width = _MIN_STEP_WIDTH
        self._wrapped = WrappedTexts(1)
        self._wrap_width = 1
        self._is_following = True

    @property
    def is_following(self) -> bool:
        """Whether the last line is in view, so that new tweets scroll it on."""
        return self._is_following

    def on_mount(self) -> None:
        """Name the panel."""
        self.border_title = "tweets"

    def show(self, view: RunView) -> None:
        """Show the tweets of `view`; paints nothing where they are those already shown."""
        if view.tweets is self._tweets:
            return
        num_new = view.num_tweets - self._num_tweets
        num_kept = len(view.tweets) - num_new
        is_grown = 0 < num_kept <= len(self._tweets) and view.tweets[num_kept - 1] is self._tweets[-1]
        num_gone = len(self._tweets) - num_kept if is_grown else 0
        self._tweets, self._num_tweets = view.tweets, view.num_tweets
        num_dropped_lines, first_new_line = 0, 0
        if is_grown:
            num_dropped_lines = self._wrapped.drop(num_gone)
            first_new_line = self._wrapped.num_lines
            self._wrapped.extend(map(_shown_text, view.tweets[num_kept:]))
        else:
            self._wrapped = WrappedTexts(self._wrap_width)
            self._wrapped.extend(map(_shown_text, view.tweets))
        if self._needs_wider_steps():
            num_dropped_lines, first_new_line = 0, 0
            self._rewrap()
        self._settle(num_new, num_dropped_lines, first_new_line)

    def _settle(self, num_new: int, num_dropped_lines: int, first_new_line: int) -> None:
        """Bring size, scroll position and subtitle in line with what is held now, and repaint what changed."""
        num_lines = self._wrapped.num_lines
        top = self.scroll_offset.y
        self._take_size()
        if self._is_following:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        else:
            self.num_unseen = min(self.num_unseen + num_new, len(self._tweets))
            if num_dropped_lines:
                self.scroll_to(y=max(0, top - num_dropped_lines), animate=False, force=True)
        if num_dropped_lines or first_new_line == 0:
            self.refresh()
        elif first_new_line < self.scroll_offset.y + self.size.height:
            self.refresh_lines(first_new_line, num_lines - first_new_line)
        self._update_subtitle()

    def _needs_wider_steps(self) -> bool:
        """Widen the column of steps if the last tweet's has outgrown it; say whether it did."""
        needed = len(f"{self._tweets[-1].step:,}") if self._tweets else 0
        is_wider = needed > self._step_width
        self._step_width = max(self._step_width, needed)
        return is_wider

    def _rewrap(self) -> None:
        """Wrap all tweets to the width there is."""
        width = self.scrollable_content_region.width
        self._wrap_width = max(_MIN_WRAP_WIDTH, width - self._indent(width))
        self._wrapped = self._wrapped.rewrapped(self._wrap_width)

    def on_resize(self, _event: events.Resize) -> None:
        """Wrap to the new width; the tweet at the top stays at the top, or the last one at the end."""
        top = min(self.scroll_offset.y, self._wrapped.num_lines - 1)
        top_tweet = self._wrapped.locate(top)[0] if top >= 0 else 0
        self._rewrap()
        self._take_size()
        if self._is_following:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)
        elif self._tweets:
            self.scroll_to(y=self._wrapped.first_line(top_tweet), animate=False, force=True)
        self.refresh()

    def _take_size(self) -> None:
        """Be as high as the lines held. Just setting `virtual_size` would lay out the screen and repaint the feed."""
        self.set_reactive(TweetFeed.virtual_size, Size(self.scrollable_content_region.width, self._wrapped.num_lines))
        self.vertical_scrollbar.window_virtual_size = self._wrapped.num_lines

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Notice when the last line comes into view or leaves it."""
        super().watch_scroll_y(old_value, new_value)
        self._is_following = round(new_value) >= self.max_scroll_y
        if self._is_following:
            self.num_unseen = 0
        self._update_subtitle()

    def action_follow(self) -> None:
        """Go to the last tweet and follow from there."""
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def _update_subtitle(self) -> None:
        """Say how many tweets wait below."""
        if self._is_following:
            subtitle = ""
        else:
            subtitle = f"{self.num_unseen:,} new below · end" if self.num_unseen else "end follows"
        if self.border_subtitle != subtitle:
            self.border_subtitle = subtitle

    def render_line(self, y: int) -> Strip:
        """Return the line `y` of those in view."""
        width = self.size.width
        line = y + self.scroll_offset.y
        if not self._tweets and line == 0:
            parts: Parts = [(f" {_EMPTY_LINE}", "facts")]
        elif line < self._wrapped.num_lines:
            parts = self._parts(*self._wrapped.locate(line))
        else:
            parts = [("", "text")]
        # filled up inside the last segment: over ssh, a change of style costs more than the blanks
        num_blanks = width - sum(cell_len(text) for text, _ in parts)
        parts = [*parts[:-1], (parts[-1][0] + " " * num_blanks, parts[-1][1])]
        styles = {name: self.get_component_rich_style(f"tweet-feed--{name}") for _, name in parts}
        return Strip([Segment(text, styles[name]) for text, name in parts]).adjust_cell_length(width)

    def _indent(self, width: int) -> int:
        """Return how many cells stand before a tweet's text in a feed of this width."""
        columns = self._step_width + 8 if width >= _COLUMNS_WIDTH else 0
        return columns + (12 if width >= _FULL_WIDTH else 2)

    def _parts(self, index: int, line: int) -> Parts:
        """Return the pieces of one line of a tweet."""
        tweet, text = self._tweets[index], self._wrapped.line_text(index, line)
        width = self.scrollable_content_region.width
        if line > 0:
            return [(" " * self._indent(width) + text, "text")]
        word = f"{tweet.novelty:<10}" if width >= _FULL_WIDTH else ""
        facts = f" {tweet.step:>{self._step_width},}  {tweet.temperature:.2f} " if width >= _COLUMNS_WIDTH else ""
        return [(facts, "facts"), (NOVELTY_GLYPHS[tweet.novelty] + " ", tweet.novelty), (word, "facts"), (text, "text")]


def _shown_text(tweet: TweetSampled) -> str:
    """Return what is shown of a tweet: its text, with an ellipsis where it was cut at its longest."""
    text = harmless(tweet.text, _MAX_CHARS)
    return text if tweet.reached_eos else text + ELLIPSIS

"""The lines of the feed: which are in view, and how each is painted.

A line-API view: only the lines on screen are made, so thousands of tweets cost what a screenful costs. What is followed
or selected is not decided here.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.protocol.events import TweetSampled
from tui.widgets.feed.feed_model import FeedTweets
from tui.widgets.feed.layout import PIN_GLYPH, SELECTED_GLYPH, Columns, Parts, has_bits_of_chars
from tui.widgets.feed.surprise import NUM_STEPS, runs_by_surprise

_EMPTY_LINE = "The model's tweets appear here as it writes them."
_NO_PINS_LINE = "Nothing is pinned yet: k pins a tweet, K shows all."


class FeedLines(ScrollView):
    """Paint the tweets that are in view, some of them marked."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tweet-feed--facts",
        "tweet-feed--text",
        "tweet-feed--sign",
        "tweet-feed--marked",
        "tweet-feed--new",
        "tweet-feed--near-copy",
        "tweet-feed--copy",
        *(f"tweet-feed--surprise-{step}" for step in range(NUM_STEPS)),
    }
    DEFAULT_CSS = """
    FeedLines {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 1;
        .tweet-feed--facts { color: $text-muted; }
        .tweet-feed--text { color: $foreground; }
        .tweet-feed--sign { color: $text-accent; text-style: bold; }
        .tweet-feed--marked { background: $primary 25%; }
        .tweet-feed--new { color: $text-success; }
        .tweet-feed--near-copy { color: $text-warning; }
        .tweet-feed--copy { color: $text-error; }
        .tweet-feed--surprise-0 { color: $foreground 45%; }
        .tweet-feed--surprise-1 { color: $foreground 70%; }
        .tweet-feed--surprise-2 { color: $foreground; }
        .tweet-feed--surprise-3 { color: $warning; }
        .tweet-feed--surprise-4 { color: $error; }
        .tweet-feed--surprise-5 { color: $error; text-style: bold underline; }
    }
    """

    def __init__(self) -> None:
        """Begin without tweets."""
        super().__init__()
        self.is_coloured = False
        """Whether each character is coloured by how surprising it was."""
        self._tweets = FeedTweets()
        self._columns = Columns(0)
        self._marked_places = range(0)

    @property
    def num_rows(self) -> int:
        """How many lines can be in view."""
        return self.scrollable_content_region.height

    def tweets_in_view(self) -> list[TweetSampled]:
        """Return the tweets of which at least a line is in view."""
        lines = self._tweets.lines
        top = min(self.scroll_offset.y, lines.num_lines - 1)
        if top < 0:
            return []
        last = min(top + self.num_rows, lines.num_lines) - 1
        return self._tweets.shown[lines.locate(top)[0] : lines.locate(max(top, last))[0] + 1]

    def num_below(self) -> int:
        """Return how many tweets begin below the last line in view."""
        lines, bottom = self._tweets.lines, self.scroll_offset.y + self.num_rows
        return len(self._tweets.shown) - lines.locate(bottom - 1)[0] - 1 if 0 < bottom < lines.num_lines else 0

    def _scroll(self, y: int) -> None:
        """Have line `y` first in view, or as near to it as there are lines."""
        self.scroll_to(y=y, animate=False, force=True)

    def _take_size(self) -> None:
        """Be as high as the lines held. Just setting `virtual_size` would lay out the screen and repaint the feed."""
        num_lines = self._tweets.lines.num_lines
        self.set_reactive(FeedLines.virtual_size, Size(self.scrollable_content_region.width, num_lines))
        self.vertical_scrollbar.window_virtual_size = num_lines

    def _mark_places(self, places: range) -> None:
        """Mark these tweets and no others."""
        before, self._marked_places = self._marked_places, places
        for place in {*before} ^ {*places}:
            if place < len(self._tweets.shown):
                lines = self._tweets.lines.lines_of(place)
                self.refresh_lines(lines.start, len(lines))

    def render_line(self, y: int) -> Strip:
        """Return the line `y` of those in view."""
        width = self.size.width
        line = y + self.scroll_offset.y
        is_marked = False
        parts: Parts = [("", "text")]
        if not self._tweets.shown and line == 0:
            parts = [(f" {_NO_PINS_LINE if self._tweets.is_pins_only else _EMPTY_LINE}", "facts")]
        elif line < self._tweets.lines.num_lines:
            place, line_of_text = self._tweets.lines.locate(line)
            is_marked = place in self._marked_places
            parts = self._parts(place, line_of_text)
        # filled up inside the last segment: over ssh, a change of style costs more than the blanks
        num_blanks = width - sum(cell_len(text) for text, _ in parts)
        parts = [*parts[:-1], (parts[-1][0] + " " * num_blanks, parts[-1][1])]
        segments = [Segment(text, self._style(name, is_marked=is_marked)) for text, name in parts if text]
        return Strip(segments).adjust_cell_length(width)

    def _style(self, name: str, *, is_marked: bool) -> Style:
        """Return the style of a component."""
        style = self.get_component_rich_style(f"tweet-feed--{name}")
        if is_marked:
            style += Style(bgcolor=self.get_component_rich_style("tweet-feed--marked").bgcolor, bold=True)
        return style

    def _parts(self, place: int, line: int) -> Parts:
        """Return the pieces of one line of a tweet."""
        if line > 0:
            return [(" " * self._columns.indent, "text"), *self._text_parts(place, line)]
        tweet = self._tweets.shown[place]
        sign = SELECTED_GLYPH if place in self._marked_places else ""
        sign = PIN_GLYPH if self._tweets.is_pinned(tweet) else sign
        return [*self._columns.before_text(tweet, sign), *self._text_parts(place, line)]

    def _text_parts(self, place: int, line: int) -> Parts:
        """Return the pieces of the text itself."""
        tweet, text = self._tweets.shown[place], self._tweets.lines.texts[place]
        start, end = self._tweets.lines.span(place, line)
        if not tweet.text:
            return [(text[start:end], "facts")]
        if not self.is_coloured or start == end or not has_bits_of_chars(tweet, text):
            return [(text[start:end], "text")]
        runs = runs_by_surprise(text[start:end], tweet.char_bits[start:end])
        return [(run, f"surprise-{step}") for run, step in runs]

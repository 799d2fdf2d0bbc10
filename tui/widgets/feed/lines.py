"""`FeedLines`: renders the lines of the feed that are in view. Never selects or follows.

A line-API view: thousands of tweets cost as much as one screen.
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
from tui.widgets.feed.feed_model import FeedModel
from tui.widgets.feed.layout import PIN_GLYPH, SELECTED_GLYPH, FeedColumns, Parts, has_char_bits
from tui.widgets.feed.surprise import NUM_STEPS, runs_by_surprise

_EMPTY_LINE = "Generated tweets appear here."
_NO_PINS_LINE = "No pinned tweets yet: k pins a tweet, K shows all."


class FeedLines(ScrollView):
    """Renders the tweets in view, some of them highlighted."""

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
        scrollbar-size-vertical: 0;
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
        super().__init__()
        self.is_coloured = False
        """Whether each character is coloured by its surprise."""
        self._model = FeedModel()
        self._columns = FeedColumns(0)
        self._marked = range(0)

    @property
    def num_rows(self) -> int:
        """Height of the view."""
        return self.scrollable_content_region.height

    def tweets_in_view(self) -> list[TweetSampled]:
        """Return the tweets of which at least a line is in view."""
        lines = self._model.lines
        top = min(self.scroll_offset.y, lines.num_lines - 1)
        if top < 0:
            return []
        last = min(top + self.num_rows, lines.num_lines) - 1
        return self._model.shown[lines.locate(top)[0] : lines.locate(max(top, last))[0] + 1]

    def num_below(self) -> int:
        """Return how many tweets start below the view."""
        lines, bottom = self._model.lines, self.scroll_offset.y + self.num_rows
        return len(self._model.shown) - lines.locate(bottom - 1)[0] - 1 if 0 < bottom < lines.num_lines else 0

    def _scroll(self, y: int) -> None:
        """Scroll so that line `y` is the first in view, or as near as possible."""
        self.scroll_to(y=y, animate=False, force=True)

    def _update_virtual_size(self) -> None:
        """Set the virtual height to the number of lines, without a layout pass."""
        num_lines = self._model.lines.num_lines
        self.set_reactive(FeedLines.virtual_size, Size(self.scrollable_content_region.width, num_lines))
        self.vertical_scrollbar.window_virtual_size = num_lines

    def _mark(self, indices: range) -> None:
        """Highlight these tweets and no others."""
        before, self._marked = self._marked, indices
        for index in {*before} ^ {*indices}:
            if index < len(self._model.shown):
                lines = self._model.lines.lines_of(index)
                self.refresh_lines(lines.start, len(lines))

    def render_line(self, y: int) -> Strip:
        """Return line `y` of the view."""
        width = self.size.width
        line = y + self.scroll_offset.y
        is_marked = False
        parts: Parts = [("", "text")]
        if not self._model.shown and line == 0:
            parts = [(f" {_NO_PINS_LINE if self._model.is_pins_only else _EMPTY_LINE}", "facts")]
        elif line < self._model.lines.num_lines:
            index, line_of_text = self._model.lines.locate(line)
            is_marked = index in self._marked
            parts = self._parts(index, line_of_text)
        # padded inside the last segment: over ssh, a change of style costs more than spaces
        num_blanks = width - sum(cell_len(text) for text, _ in parts)
        parts = [*parts[:-1], (parts[-1][0] + " " * num_blanks, parts[-1][1])]
        segments = [Segment(text, self._style(name, is_marked=is_marked)) for text, name in parts if text]
        return Strip(segments).adjust_cell_length(width)

    def _style(self, name: str, *, is_marked: bool) -> Style:
        """Return the style of a component class."""
        style = self.get_component_rich_style(f"tweet-feed--{name}")
        if is_marked:
            style += Style(bgcolor=self.get_component_rich_style("tweet-feed--marked").bgcolor, bold=True)
        return style

    def _parts(self, index: int, line: int) -> Parts:
        """Return the segments of one line of a tweet."""
        if line > 0:
            return [(" " * self._columns.indent, "text"), *self._text_parts(index, line)]
        tweet = self._model.shown[index]
        sign = SELECTED_GLYPH if index in self._marked else ""
        sign = PIN_GLYPH if self._model.is_pinned(tweet) else sign
        return [*self._columns.before_text(tweet, sign), *self._text_parts(index, line)]

    def _text_parts(self, index: int, line: int) -> Parts:
        """Return the segments of the text."""
        tweet, text = self._model.shown[index], self._model.lines.texts[index]
        start, end = self._model.lines.span(index, line)
        if not tweet.text:
            return [(text[start:end], "facts")]
        if not self.is_coloured or start == end or not has_char_bits(tweet, text):
            return [(text[start:end], "text")]
        runs = runs_by_surprise(text[start:end], tweet.char_bits[start:end])
        return [(run, f"surprise-{step}") for run, step in runs]

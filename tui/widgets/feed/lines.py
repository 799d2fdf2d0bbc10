"""`FeedLines`: renders the lines of the feed that are in view. Never selects or follows.

A line-API view: thousands of tweets cost as much as one screen.
"""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.protocol.events import TweetSampled
from tui.widgets.feed.feed_model import FeedModel
from tui.widgets.feed.layout import NUM_AGES, SELECTED_GLYPH, FeedColumns, Parts, age_of, has_char_bits
from tui.widgets.feed.surprise import NUM_STEPS, runs_by_surprise

_EMPTY_LINE = "Generated tweets appear here; g samples one."
_UNDERLINED = f"surprise-{NUM_STEPS - 1}"
_NO_PINS_LINE = "No pinned tweets yet: k pins a tweet, K shows all."


class FeedLines(ScrollView):
    """Renders the tweets in view, some of them highlighted."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tweet-feed--facts",
        "tweet-feed--selected",
        "tweet-feed--pin",
        "tweet-feed--marked",
        "tweet-feed--new",
        "tweet-feed--near-copy",
        "tweet-feed--copy",
        "tweet-feed--failing",
        *(f"tweet-feed--age-{age}" for age in range(NUM_AGES)),
        *(f"tweet-feed--surprise-{step}" for step in range(NUM_STEPS)),
    }
    DEFAULT_CSS = """
    FeedLines {
        overflow-x: hidden;
        overflow-y: scroll;
        scrollbar-size-vertical: 0;
        .tweet-feed--facts { color: $text-muted; }
        .tweet-feed--age-0 { color: $foreground; text-style: bold; }
        .tweet-feed--age-1 { color: $foreground; }
        .tweet-feed--age-2 { color: $foreground 85%; }
        .tweet-feed--age-3 { color: $text-muted; }
        .tweet-feed--selected { color: $text-primary; text-style: bold; }
        .tweet-feed--pin { color: $text-accent; text-style: bold; }
        .tweet-feed--marked { background: $primary 15%; }
        .tweet-feed--new { color: $text-success; }
        .tweet-feed--near-copy { color: $text-warning; }
        .tweet-feed--copy { color: $text-error; }
        .tweet-feed--failing { color: $text-warning; text-style: bold; }
        .tweet-feed--surprise-0 { color: $text-muted; }
        .tweet-feed--surprise-1 { color: $foreground 85%; }
        .tweet-feed--surprise-2 { color: $foreground; }
        .tweet-feed--surprise-3 { color: $text-warning; }
        .tweet-feed--surprise-4 { color: $text-error; }
        .tweet-feed--surprise-5 { color: $text-error; text-style: bold underline; }
    }
    """

    free_rows: reactive[int] = reactive(0, init=False)
    """Rows at the bottom that stay empty, as something else is shown there."""

    def __init__(self) -> None:
        super().__init__()
        self.is_coloured = False
        """Whether each character is coloured by its surprise."""
        self._model = FeedModel()
        self._columns = FeedColumns(0)
        self._marked = range(0)

    @property
    def num_rows(self) -> int:
        """Height of the view, without the free rows."""
        return self.scrollable_content_region.height - self.free_rows

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
        """Set the virtual height to the number of lines and free rows, without a layout pass."""
        num_lines = self._model.lines.num_lines
        size = Size(self.scrollable_content_region.width, num_lines + self.free_rows)
        self.set_reactive(FeedLines.virtual_size, size)
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
        is_marked, after = False, ""
        parts: Parts = []
        if not self._model.shown and line == 0:
            parts = [(f" {_NO_PINS_LINE if self._model.is_pins_only else _EMPTY_LINE}", "facts")]
        elif y < self.num_rows and line < self._model.lines.num_lines:
            index, line_of_text = self._model.lines.locate(line)
            is_marked = index in self._marked
            parts = self._parts(index, line_of_text)
            after = self._columns.after_text(self._model.shown[index]) if line_of_text == 0 else ""
        num_blanks = width - sum(cell_len(text) for text, _ in parts) - cell_len(after)
        # blanks join a neighbour: over ssh, a change of style costs more than spaces
        joined = _with_fewer_styles([*parts, (" " * num_blanks + after, "facts")])
        return Strip([Segment(text, self._style(name, is_marked=is_marked)) for text, name in joined])

    def _style(self, name: str, *, is_marked: bool) -> Style:
        """Return the style of a component class."""
        style = self.get_component_rich_style(f"tweet-feed--{'age-1' if is_marked and name == 'facts' else name}")
        if is_marked:
            style += Style(bgcolor=self.get_component_rich_style("tweet-feed--marked").bgcolor, bold=True)
        return style

    def _parts(self, index: int, line: int) -> Parts:
        """Return the segments of one line of a tweet, up to the end of its text."""
        is_selected, tweet = index in self._marked, self._model.shown[index]
        if line == 0:
            before = self._columns.before_text(tweet, is_selected=is_selected, is_pinned=self._model.is_pinned(tweet))
        else:
            before = [(SELECTED_GLYPH if is_selected else " ", "selected"), (" " * (self._columns.indent - 1), "facts")]
        return [*before, *self._text_parts(index, line)]

    def _text_parts(self, index: int, line: int) -> Parts:
        """Return the segments of the text."""
        tweet, text = self._model.shown[index], self._model.lines.texts[index]
        start, end = self._model.lines.span(index, line)
        if not tweet.text:
            return [(text[start:end], "facts")]
        if not self.is_coloured or start == end or not has_char_bits(tweet, text):
            return [(text[start:end], f"age-{self._age(index)}")]
        runs = runs_by_surprise(text[start:end], tweet.char_bits[start:end])
        return [(run, f"surprise-{step}") for run, step in runs]

    def _age(self, index: int) -> int:
        """Return the brightness of a tweet: the newer the brighter; pins that are shown alone are all alike."""
        if self._model.is_pins_only or index in self._marked:
            return 1
        return age_of(len(self._model.shown) - 1 - index)


def _with_fewer_styles(parts: Parts) -> Parts:
    """Return the segments with blanks joined to the next one, or to the last, unless that would underline them."""
    joined: Parts = []
    blanks = ""
    for text, name in parts:
        if text.isspace():
            blanks += text
            continue
        if blanks and name == _UNDERLINED:
            joined.append((blanks, "facts"))
            blanks = ""
        if text:
            joined.append((blanks + text, name))
            blanks = ""
    if blanks and joined and joined[-1][1] != _UNDERLINED:
        joined[-1] = (joined[-1][0] + blanks, joined[-1][1])
    elif blanks:
        joined.append((blanks, "facts"))
    return joined

"""`TweetFeed`: every generated tweet, newest last, with step, temperature, novelty and surprise; the rule above it.

The feed follows the newest tweet while the last line is in view and nothing is highlighted: the selected tweet, or
those at the step of the plot's cursor. Else the view does not move, and the rule counts the new tweets below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import ClassVar

from rich.style import Style
from textual import events, on
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive, var
from textual.scroll_view import ScrollView

from engine.protocol.events import TweetSampled
from tui.run.marks import DraftCounts, delay_text
from tui.run.view import RunView
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.text.cells import Line, Span, cell_len, num_cells
from tui.text.tweets import NOVELTY_GLYPHS
from tui.widgets.feed.columns import (
    LOSS_WIDTH,
    NUM_AGES,
    NUM_STEPS,
    SELECTED_GLYPH,
    FeedColumns,
    age_of,
    counts_of,
    has_char_bits,
    joined,
    runs_by_surprise,
    with_fewer_styles,
)
from tui.widgets.feed.model import FeedModel, Pins
from tui.widgets.line_view import LineView

_EMPTY_LINE = "Generated tweets appear here; g samples one."
_NO_PINS_LINE = "No pinned tweets yet: k pins a tweet, K shows all."
_PINS_TITLE = "pinned tweets only · K shows all"
_CELLS_BESIDE_TITLES = 8
"""Line and blanks before, between and after heading and facts."""
_DOUBLE_CLICK = 2
_FACT_STYLES = ("facts", *NOVELTY_GLYPHS, "failing", *(f"surprise-{step}" for step in range(NUM_STEPS)))
_LINE_STYLES = ("selected", "pin", "marked", *(f"age-{age}" for age in range(NUM_AGES)))


class TweetFeed(LineView, ScrollView, can_focus=True):
    """Shows the tweets of a `RunView`, and selects one of them."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("feed"))
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{style}" for style in (*_FACT_STYLES, *_LINE_STYLES)}

    titles: var[tuple[str, Line]] = var[tuple[str, Line]](("tweets", ()), init=False)
    """Heading and facts of the rule above the feed."""
    free_rows: reactive[int] = reactive(0, init=False)
    """Rows at the bottom that stay empty, as something else is shown there."""

    @dataclass
    class Opened(Message):
        """A tweet was opened."""

        tweet: TweetSampled

    def __init__(self) -> None:
        super().__init__()
        self.is_coloured = False
        """Whether each character is coloured by its surprise."""
        self._model = FeedModel()
        self._columns = FeedColumns(0)
        self._highlighted: TweetSampled | int | None = None
        """The selected tweet, or the step of the plot's cursor."""
        self._is_following = True
        self._num_unseen = 0
        """Tweets added since the feed last followed."""
        self._drafts, self._delay = DraftCounts(), ""

    def show(self, view: RunView) -> None:
        """Show the tweets of `view`; repaint nothing if they are unchanged."""
        self._drafts, self._delay = view.drafts, delay_text(view)
        if view.tweets is self._model.view_tweets:
            self._update_titles()
            return
        num_new = view.num_tweets - self._model.num_generated
        if not self._is_following:
            self._num_unseen = min(self._num_unseen + num_new, len(view.tweets))
        anchor = self._top_anchor()
        self._set_columns(self._columns.with_room_for(view.tweets[-num_new:] if num_new else ()))
        self._model.update(view.tweets, view.num_tweets, self._retained())
        self._restore(anchor)

    def show_pins(self, pins: Pins) -> None:
        anchor = self._top_anchor()
        self._set_columns(self._columns.with_room_for(pins))
        self._model.set_pins(pins, self._retained())
        self._restore(anchor)

    def action_pins_only(self) -> None:
        """Show pins only, or all tweets; the selection is kept if it is among them."""
        selected = self._highlighted if isinstance(self._highlighted, TweetSampled) else None
        self._model.is_pins_only = not self._model.is_pins_only
        self._model.rebuild([selected] if selected else [])
        self._drop_lost_selection()
        self._is_following = self._highlighted is None
        self._restore((selected, 0) if selected and not self._is_following else None)

    def action_colours(self) -> None:
        self.is_coloured = not self.is_coloured
        self.redraw()

    def show_step(self, step: int | None) -> None:
        """Scroll to the tweets sampled at `step`, or last before it, and highlight them; follow again if it is None."""
        if step is not None:
            self._highlighted, self._is_following = step, False
            first = self._model.lines_of(marked[0]).start if (marked := self._marked) else 0
            self._scroll(max(0, first - self.num_rows // 2))
        elif isinstance(self._highlighted, int):
            self.action_follow()

    @property
    def is_pins_only(self) -> bool:
        return self._model.is_pins_only

    @property
    def num_rows(self) -> int:
        """Height of the view, without the free rows."""
        return self.scrollable_content_region.height - self.free_rows

    @property
    def chosen(self) -> TweetSampled | None:
        """The tweet that keys act on: the highlighted one, or else the newest."""
        tweets = self._model.tweets
        return tweets[marked[-1]] if (marked := self._marked) else tweets[-1] if tweets else None

    @property
    def is_highlighting(self) -> bool:
        return bool(self._marked)

    @property
    def _marked(self) -> range:
        """The indices of the highlighted tweets."""
        if self._highlighted is None:
            return range(0)
        if isinstance(self._highlighted, int):
            return self._model.sampled_until(self._highlighted)
        index = self._model.index_of(self._highlighted)
        return range(0) if index is None else range(index, index + 1)

    def _in_view(self) -> range:
        """Return the indices of the tweets of which at least a line is in view."""
        top, end = self.scroll_offset.y, self._model.num_lines
        if not end:
            return range(0)
        first, last = min(top, end - 1), min(top + self.num_rows, end) - 1
        return range(self._model.locate(first)[0], self._model.locate(max(first, last))[0] + 1)

    def _retained(self) -> list[TweetSampled]:
        """Return the tweets that must survive thinning: those in view, unless the feed follows, or highlighted."""
        in_view = range(0) if self._is_following else self._in_view()
        return [self._model.tweets[index] for index in (*in_view, *self._marked)]

    def action_move(self, direction: int) -> None:
        """Select the previous (-1) or next (1) tweet; after the newest, follow again."""
        num_tweets = len(self._model.tweets)
        if not num_tweets:
            return
        if marked := self._marked:
            index = max(0, marked[-1] + direction)
        elif self._is_following:
            index = num_tweets - (direction < 0)
        else:
            index = self._in_view()[-1 if direction < 0 else 0]
        if index < num_tweets:
            self._select(index)
        else:
            self.action_follow()

    def action_page(self, direction: int) -> None:
        """Scroll by a page, or select the tweet a page away if one is selected."""
        if marked := self._marked:
            line = self._model.lines_of(marked[-1]).start + direction * self.num_rows
            self._select(self._model.locate(min(max(line, 0), self._model.num_lines - 1))[0])
        else:
            self._scroll(self.scroll_offset.y + direction * self.num_rows)

    def action_oldest(self) -> None:
        if self._marked:
            self._select(0)
        else:
            self._scroll(0)

    def action_follow(self) -> None:
        """Clear the selection and follow the newest tweet."""
        self._highlighted, self._is_following, self._num_unseen = None, True, 0
        self._scroll(self.max_scroll_y)

    def action_read(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    @on(events.Click)
    def _select_at_pointer(self, event: events.Click) -> None:
        """Select the tweet under the pointer; a double click opens it."""
        offset = event.get_content_offset(self)
        line = -1 if offset is None else offset.y + self.scroll_offset.y
        if 0 <= line < self._model.num_lines:
            self._select(self._model.locate(line)[0])
            if event.chain == _DOUBLE_CLICK:
                self.action_read()

    def _select(self, index: int) -> None:
        self._highlighted, self._is_following = self._model.tweets[index], False
        self._reveal(index)

    def _reveal(self, index: int) -> None:
        """Scroll as little as necessary to show a tweet."""
        lines, top, num_rows = self._model.lines_of(index), self.scroll_offset.y, self.num_rows
        is_above = lines.start < top or len(lines) > num_rows
        self._scroll(lines.start if is_above else max(lines.stop - num_rows, top))

    def on_resize(self) -> None:
        """Wrap to the new width; the first tweet in view stays first, or the feed follows."""
        anchor = self._top_anchor()
        self._set_columns(replace(self._columns, width=self.scrollable_content_region.width))
        self._restore(None if anchor is None else (anchor[0], 0))

    def watch_free_rows(self) -> None:
        """Keep the highlighted tweet in view, or follow."""
        self._restore(self._top_anchor())
        if marked := self._marked:
            self._reveal(marked[-1])

    def watch_scroll_y(self, _old_value: float, new_value: float) -> None:
        """Start following when the last line comes into view, stop when it leaves.

        `ScrollView` would repaint all lines.
        """
        self._is_following = self._highlighted is None and round(new_value) >= self.max_scroll_y
        if self._is_following:
            self._num_unseen = 0
        self.redraw()

    def _set_columns(self, columns: FeedColumns) -> None:
        """Wrap all tweets again if the width of their text changes."""
        self._columns = columns
        if columns.width:
            self._model.rewrap(columns.text_width)

    def _scroll(self, y: int) -> None:
        """Scroll so that line `y` is the first in view, or as near as possible, and repaint what has changed."""
        self.scroll_to(y=y, animate=False, force=True)
        self.redraw()

    def _top_anchor(self) -> tuple[TweetSampled, int] | None:
        """Return the tweet of the first line in view, and the line's number in it; None while following."""
        top = min(self.scroll_offset.y, self._model.num_lines - 1)
        if self._is_following or top < 0:
            return None
        index, line = self._model.locate(top)
        return self._model.tweets[index], line

    def _drop_lost_selection(self) -> None:
        if isinstance(self._highlighted, TweetSampled) and not self._marked:
            self._highlighted = None

    def _restore(self, anchor: tuple[TweetSampled, int] | None) -> None:
        """Scroll the anchor to the first line in view, or to the end without one, after tweets or lines have changed.

        The virtual height is set without a layout pass: the feed grows often.
        """
        num_lines = self._model.num_lines
        size = Size(self.scrollable_content_region.width, num_lines + self.free_rows)
        self.set_reactive(TweetFeed.virtual_size, size)
        self._drop_lost_selection()
        y = self.max_scroll_y
        if anchor is not None and num_lines:
            lines = self._model.lines_of(self._model.index_near(anchor[0]))
            y = min(lines.start + anchor[1], lines.stop - 1)
        self._scroll(y)

    def redraw(self) -> None:
        super().redraw()
        self._update_titles()

    def lines_for(self, width: int) -> list[Line]:
        marked = self._marked
        return [self._line(y, width, marked) for y in range(self.size.height)]

    def style_of(self, name: str) -> Style:
        """Return the style of a component class; "marked NAME" is that of a highlighted line."""
        if not name.startswith("marked "):
            return super().style_of(name)
        name = name.removeprefix("marked ")
        is_bold = None if name.startswith("surprise") else True  # there, it is a step of the scale
        return super().style_of(name) + Style(bgcolor=super().style_of("marked").bgcolor, bold=is_bold)

    def _line(self, y: int, width: int, marked: range) -> Line:
        """Return a line in view, filled to `width` cells."""
        model, line = self._model, y + self.scroll_offset.y
        spans, after, facts, is_marked = list[Span](), "", "facts", False
        if not model.tweets and line == 0:
            spans = [Span(f" {_NO_PINS_LINE if self.is_pins_only else _EMPTY_LINE}", facts)]
        elif y < self.num_rows and line < model.num_lines:
            index, line_of_text = model.locate(line)
            tweet, (text, lines) = model.tweets[index], model.texts[index]
            start, end = lines[line_of_text]
            is_marked = index in marked
            facts = "age-1" if is_marked else facts
            if line_of_text == 0:
                is_pinned = model.is_pinned(tweet)
                spans += self._columns.before_text(tweet, facts, is_selected=is_marked, is_pinned=is_pinned)
                after = self._columns.after_text(tweet, self.app.loss_unit)
            else:
                blanks = " " * (self._columns.indent - 1)
                spans += Span(SELECTED_GLYPH if is_marked else " ", "selected"), Span(blanks, facts)
            if self.is_coloured and start < end and has_char_bits(tweet, text):
                runs = runs_by_surprise(text[start:end], tweet.char_bits[start:end])
                spans += (Span(run, f"surprise-{step}") for run, step in runs)
            else:
                age = 1 if self.is_pins_only or is_marked else age_of(len(model.tweets) - 1 - index)
                spans.append(Span(text[start:end], f"age-{age}" if tweet.text else facts))
        num_blanks = width - num_cells(spans) - cell_len(after)
        whole = with_fewer_styles([*spans, Span(" " * num_blanks + after, facts)])
        return tuple(Span(span.text, f"marked {span.style}") for span in whole) if is_marked else whole

    @property
    def note(self) -> str:
        """What is selected, and how to follow the newest tweet again; empty while the feed follows."""
        if self._is_following:
            return ""
        marked = self._marked
        has_name = marked and self.size.width >= LOSS_WIDTH
        selected = [f"step {self._model.tweets[marked[-1]].step:,} selected"] if has_name else []
        bottom, num_new = self.scroll_offset.y + self.num_rows, 0
        if 0 < bottom < self._model.num_lines and not self.is_pins_only:
            num_below = len(self._model.tweets) - self._model.locate(bottom - 1)[0] - 1
            num_new = min(self._num_unseen, num_below)
        return " · ".join([*selected, f"{num_new:,} new below · end" if num_new else "end follows"])

    def _update_titles(self) -> None:
        """Write what is shown, and as much of the facts as has room, into the rule above the feed."""
        heading = _PINS_TITLE if self.is_pins_only else " · ".join(filter(None, ("tweets", self._delay)))
        drafts = DraftCounts() if self.is_pins_only else self._drafts
        steps = (Span("a", f"surprise-{step}") for step in range(NUM_STEPS))
        legend = (Span("likely ", "facts"), *steps, Span(" surprising", "facts")) if self.is_coloured else ()
        texts = self.note, self._columns.heading(self.app.loss_unit)
        note, columns = ((Span(text, "facts"),) if text else () for text in texts)
        tails = (legend, note, columns if self._model.tweets else ()), (note,)
        counts = counts_of(drafts, self._model.num_by_novelty)
        candidates = (joined(count, *tail) for tail in tails for count in counts)
        room = self.size.width - len(heading) - _CELLS_BESIDE_TITLES
        self.titles = heading, next((facts for facts in candidates if num_cells(facts) <= room), ())


class PanelRule(LineView):
    """The rule above the feed, with its heading at the left and facts at the right; heavy while the feed is focused."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"line--{style}" for style in ("quiet", "title", "focused", "focused-title", *_FACT_STYLES)
    }

    def __init__(self, feed: TweetFeed) -> None:
        super().__init__()
        self._feed = feed

    def on_mount(self) -> None:
        for name in ("titles", "has_focus"):
            self.watch(self._feed, name, self.redraw)

    def lines_for(self, width: int) -> list[Line]:
        """Return the line: ` ─ tweets ──────── 12 new below ─`."""
        heading, facts = self._feed.titles
        rule, style, title = ("━", "focused", "focused-title") if self._feed.has_focus else ("─", "quiet", "title")
        start, blank = (Span(rule, style), Span(f" {heading} ", title)), Span(" ", "facts")
        end: Line = (blank, *facts, blank, Span(rule, style)) if facts else ()
        between = Span(rule * max(width - num_cells((*start, *end)), 0), style)
        runs = groupby((*start, between, *end), attrgetter("style"))
        return [tuple(Span("".join(span.text for span in spans), style) for style, spans in runs)]

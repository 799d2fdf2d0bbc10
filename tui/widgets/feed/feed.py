"""`FeedLines`: renders the lines of the feed that are in view. Never selects or follows.

A line-API view: thousands of tweets cost as much as one screen.

`FeedSelection`: selects a tweet by key and follows the newest one. Never renders.

The feed follows while the last line is in view and nothing is highlighted. Highlighted is the selected tweet, or those
at the step of the plot's cursor; never both.

`TweetFeed`: every generated tweet, newest last, with step, temperature, novelty and surprise.

Updates from a `RunView` and repaints only what changed. While the user reads further up, the view does not move, and
the frame counts the new tweets below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.protocol.events import TweetSampled
from tui.run.marks import DraftCounts, delay_text
from tui.run.pins import Pins
from tui.run.view import RunView
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.terminal.app import TerminalApp
from tui.text.numbers import LossUnit
from tui.widgets.feed.columns import (
    LOSS_WIDTH,
    NUM_AGES,
    NUM_STEPS,
    SELECTED_GLYPH,
    FeedColumns,
    Parts,
    age_of,
    changed_ranks,
    counts_of,
    has_char_bits,
    joined,
    mark_of,
    runs_by_surprise,
    step_width,
)
from tui.widgets.feed.model import FeedModel

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


Anchor = tuple[TweetSampled, int]
"""Scroll anchor: a tweet, and the number of one of its lines."""


class FeedSelection(FeedLines, can_focus=True):
    """Scrolls through the tweets and selects one."""

    def __init__(self) -> None:
        super().__init__()
        self.num_unseen = 0
        """Tweets added since the feed last followed."""
        self._is_following = True
        """Whether new tweets scroll the feed."""
        self._selected: TweetSampled | None = None
        self._step_shown: int | None = None

    @property
    def chosen(self) -> TweetSampled | None:
        """The tweet that keys act on: the highlighted one, or else the newest."""
        shown = self._model.shown
        if not shown:
            return None
        return shown[self._marked[-1]] if self._marked else shown[-1]

    @property
    def is_highlighting(self) -> bool:
        """Whether a tweet is highlighted."""
        return bool(self._marked)

    def show_step(self, step: int | None) -> None:
        """Scroll to the tweets sampled at `step`, or last before it, and highlight them; follow again if it is None."""
        if step is None:
            if self._step_shown is not None:
                self.action_follow()
            return
        self._selected, self._step_shown = None, step
        self._is_following = False
        indices = self._model.sampled_until(step)
        self._mark(indices)
        first = self._model.lines.first_line(indices[0]) if indices else 0
        self._scroll(max(0, first - self.num_rows // 2))
        self._update_titles()

    def action_move(self, direction: int) -> None:
        """Select the previous (-1) or next (1) tweet; after the newest, follow again."""
        if not self._model.shown:
            return
        if self._marked:
            index = max(0, self._marked[-1] + direction)
        elif self._is_following:
            index = len(self._model.shown) - (1 if direction < 0 else 0)
        else:
            index = self._model.index_near(self.tweets_in_view()[-1 if direction < 0 else 0])
        if index < len(self._model.shown):
            self._select(index)
        else:
            self.action_follow()

    def action_page(self, direction: int) -> None:
        """Scroll by a page, or select the tweet a page away if one is selected."""
        if not self._marked:
            self._scroll(self.scroll_offset.y + direction * self.num_rows)
            return
        line = self._model.lines.first_line(self._marked[-1]) + direction * self.num_rows
        self._select(self._model.lines.locate(min(max(line, 0), self._model.lines.num_lines - 1))[0])

    def action_oldest(self) -> None:
        """Scroll to the first tweet; select it if one is selected."""
        if self._marked:
            self._select(0)
        else:
            self._scroll(0)

    def action_follow(self) -> None:
        """Clear the selection and follow the newest tweet."""
        self._selected = self._step_shown = None
        self._mark(range(0))
        self._is_following, self.num_unseen = True, 0
        self._scroll(self.max_scroll_y)
        self._update_titles()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Start following when the last line comes into view, stop when it leaves."""
        super().watch_scroll_y(old_value, new_value)
        is_free = self._selected is None and self._step_shown is None
        self._is_following = is_free and round(new_value) >= self.max_scroll_y
        if self._is_following:
            self.num_unseen = 0
        self._update_titles()

    def _select(self, index: int) -> None:
        """Select a tweet and scroll it into view."""
        self._selected, self._step_shown = self._model.shown[index], None
        self._is_following = False
        self._mark(range(index, index + 1))
        self._reveal(index)
        self._update_titles()

    def _reveal(self, index: int) -> None:
        """Scroll as little as necessary to show a tweet."""
        lines, top, num_rows = self._model.lines.lines_of(index), self.scroll_offset.y, self.num_rows
        if lines.start < top or len(lines) > num_rows:
            self._scroll(lines.start)
        elif lines.stop > top + num_rows:
            self._scroll(lines.stop - num_rows)

    def _update_marks(self) -> None:
        """Highlight the selection at its current index, or clear it if the tweet is gone."""
        indices = range(0)
        if self._step_shown is not None:
            indices = self._model.sampled_until(self._step_shown)
        elif self._selected is not None and (index := self._model.index_of(self._selected)) is not None:
            indices = range(index, index + 1)
        else:
            self._selected = None
        if indices != self._marked:
            self._mark(indices)

    def _retained(self) -> list[TweetSampled]:
        """Return the tweets that must survive thinning: those in view or highlighted."""
        in_view = [] if self._is_following else self.tweets_in_view()
        return [*in_view, *(self._model.shown[index] for index in self._marked)]

    def _top_anchor(self) -> Anchor | None:
        """Return the anchor of the first line in view; None while following."""
        top = min(self.scroll_offset.y, self._model.lines.num_lines - 1)
        if self._is_following or top < 0:
            return None
        index, line = self._model.lines.locate(top)
        return self._model.shown[index], line

    def _update_titles(self) -> None:
        """Update the titles in the frame. Overridden where there is one."""


_TITLE = "tweets"
_PINS_TITLE = "pinned tweets only · K shows all"
_CELLS_BESIDE_TITLES = 8
"""Line and blanks before, between and after heading and facts."""
_DOUBLE_CLICK = 2


class TweetFeed(FeedSelection):
    """Shows the tweets of a `RunView`."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("feed"))

    class Opened(Message):
        """A tweet was opened."""

        def __init__(self, tweet: TweetSampled) -> None:
            super().__init__()
            self.tweet = tweet

    class Retitled(Message):
        """The titles have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.titles = Content(), Content()
        """Heading and facts of the rule above the feed."""
        self._shown_titles = "", ""
        self._drafts, self._delay = DraftCounts(), ""

    @property
    def is_pins_only(self) -> bool:
        """Whether only pins are shown."""
        return self._model.is_pins_only

    def on_mount(self) -> None:
        """Set the title, and watch the app's unit of losses."""
        self._update_titles()
        if isinstance(self.app, TerminalApp):
            self.watch(self.app, "loss_unit", self._show_unit)

    def _show_unit(self, unit: LossUnit) -> None:
        """Show the losses of the tweets in `unit`; the columns keep their widths."""
        self._columns = replace(self._columns, unit=unit)
        self.refresh()
        self._update_titles()

    def notify_style_update(self) -> None:
        """Use the colours of another theme in the titles, too. Called by Textual."""
        super().notify_style_update()
        if self.is_mounted:
            self._update_titles()

    def show(self, view: RunView) -> None:
        """Show the tweets of `view`; repaint nothing if they are unchanged."""
        facts = view.drafts, delay_text(view)
        has_other_facts = facts != (self._drafts, self._delay)
        self._drafts, self._delay = facts
        if view.tweets is self._model.view_tweets:
            if has_other_facts:
                self._update_titles()
            return
        if not self._is_following:
            self.num_unseen = min(self.num_unseen + view.num_tweets - self._model.num_generated, len(view.tweets))
        anchor, first_new_line = self._top_anchor(), self._model.lines.num_lines
        num_new = view.num_tweets - self._model.num_generated
        is_wider = self._widen(view.tweets[-num_new:] if num_new else ())
        num_added = self._model.update(view.tweets, view.num_tweets, self._retained())
        if num_added is None or first_new_line == 0 or is_wider:
            self._restore_scroll(anchor)
        elif num_added:
            self._append(first_new_line, num_added)
        self._update_titles()

    def show_pins(self, pins: Pins) -> None:
        """Replace the pins."""
        anchor = self._top_anchor()
        self._widen(pins)
        self._model.set_pins(pins, self._retained())
        self._restore_scroll(anchor)

    def toggle_pins_only(self) -> None:
        """Show pins only, or all tweets; the selection is kept if it is among them."""
        self._model.is_pins_only = not self._model.is_pins_only
        self._model.rebuild(() if self._selected is None else (self._selected,))
        self._update_marks()
        self._is_following = self._selected is None and self._step_shown is None
        self._restore_scroll(None if self._selected is None else (self._selected, 0))

    def toggle_colours(self) -> None:
        """Turn the surprise colours on or off."""
        self.is_coloured = not self.is_coloured
        self.refresh()
        self._update_titles()

    def action_read(self) -> None:
        """Open the selected tweet, or else the newest."""
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    def on_click(self, event: events.Click) -> None:
        """Select the tweet under the pointer; a double click opens it."""
        offset = event.get_content_offset(self)
        line = -1 if offset is None else offset.y + self.scroll_offset.y
        if 0 <= line < self._model.lines.num_lines:
            self._select(self._model.lines.locate(line)[0])
            if event.chain == _DOUBLE_CLICK:
                self.action_read()

    def on_resize(self, _event: events.Resize) -> None:
        """Wrap to the new width; the first tweet in view stays first, or the feed follows."""
        anchor = self._top_anchor()
        self._rewrap()
        self._restore_scroll(None if anchor is None else (anchor[0], 0))

    def watch_free_rows(self) -> None:
        """Keep the highlighted tweet in view, or follow."""
        self._restore_scroll(self._top_anchor())
        if self._marked:
            self._reveal(self._marked[-1])

    def _append(self, first_new_line: int, num_added: int) -> None:
        """Show appended lines; repaint only what they change, the tweets that are less bright now included."""
        lines, last = self._model.lines, len(self._model.shown) - 1
        for rank in changed_ranks(num_added):
            if rank <= last:
                self.refresh_lines(lines.first_line(last - rank), len(lines.lines_of(last - rank)))
        self._update_virtual_size()
        self._update_marks()
        if self._is_following:
            self._scroll(self.max_scroll_y)
        if first_new_line < self.scroll_offset.y + self.size.height:
            self.refresh_lines(first_new_line, self._model.lines.num_lines - first_new_line)

    def _restore_scroll(self, anchor: Anchor | None) -> None:
        """Scroll the anchor to the first line in view, or follow without one; repaint everything."""
        self._update_virtual_size()
        self._update_marks()
        y = self.max_scroll_y
        if anchor is not None and self._model.shown:
            tweet, line = anchor
            lines = self._model.lines.lines_of(self._model.index_near(tweet))
            y = min(lines.start + line, lines.stop - 1)
        self._scroll(y)
        self.refresh()
        self._update_titles()

    def _widen(self, tweets: Sequence[TweetSampled]) -> bool:
        """Make room for the step and the marks of more tweets; return whether all were wrapped again for it."""
        columns = self._columns
        width = step_width(max((tweet.step for tweet in tweets), default=0), columns.step_width)
        has_marks = columns.has_marks or any(map(mark_of, tweets))
        is_wider = (width, has_marks) != (columns.step_width, columns.has_marks)
        if is_wider:
            self._columns = replace(columns, step_width=width, has_marks=has_marks)
            self._rewrap()
        return is_wider

    def _rewrap(self) -> None:
        """Wrap all tweets to the current width."""
        self._columns = replace(self._columns, width=self.scrollable_content_region.width)
        self._model.rewrap(self._columns.text_width)

    @property
    def note(self) -> str:
        """What is selected, and how to follow the newest tweet again; empty while the feed follows."""
        if self._is_following:
            return ""
        chosen = self.chosen if self._marked else None
        selected = [f"step {chosen.step:,} selected"] if chosen is not None and self.size.width >= LOSS_WIDTH else []
        num_new = 0 if self.is_pins_only else min(self.num_unseen, self.num_below())
        return " · ".join([*selected, f"{num_new:,} new below · end" if num_new else "end follows"])

    def _update_titles(self) -> None:
        """Write what is shown, and as much of the facts as has room, into the rule above the feed."""
        heading = _PINS_TITLE if self.is_pins_only else f"{_TITLE} · {self._delay}" if self._delay else _TITLE
        drafts = DraftCounts() if self.is_pins_only else self._drafts
        counts = [*counts_of(drafts, self._model.num_by_novelty, self._styled)]
        columns = [self._columns.heading] if self._model.shown else []
        tails = [[self._legend(), *map(Content, [self.note, *columns])], [Content(self.note)]]
        candidates = [joined([count, *tail]) for tail in tails for count in counts]
        room = self.size.width - len(heading) - _CELLS_BESIDE_TITLES
        facts = next((each for each in candidates if each.cell_length <= room), Content())
        if (heading, facts.markup) != self._shown_titles:
            self._shown_titles = heading, facts.markup
            self.titles = Content(heading), facts
            self.post_message(self.Retitled())

    def _legend(self) -> Content:
        """Return the scale of the surprise colours, if they are on."""
        if not self.is_coloured:
            return Content()
        steps = (self._styled(f"surprise-{step}", "a") for step in range(NUM_STEPS))
        return Content("likely ") + Content("").join(steps) + Content(" surprising")

    def _styled(self, name: str, text: str) -> Content:
        """Return a text in the style of a component class."""
        return Content.styled(text, self.get_visual_style(f"tweet-feed--{name}", partial=True))

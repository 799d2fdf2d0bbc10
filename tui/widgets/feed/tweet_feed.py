"""`TweetFeed`: every generated tweet, newest last, with step, temperature, novelty and surprise.

Updates from a `RunView` and repaints only what changed. While the user reads further up, the view does not move, and
the frame counts the new tweets below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from engine.protocol.events import TweetSampled
from tui.files.pins import Pins
from tui.formatting.loss_units import LossUnit
from tui.run.draft_texts import delay_text
from tui.run.drafts import DraftCounts
from tui.run.view import RunView
from tui.settings.keys.key import bindings_of
from tui.settings.keys.tweets import FEED_KEYS
from tui.widgets.feed.layout import LOSS_WIDTH, changed_ranks, mark_of, step_width
from tui.widgets.feed.selection import Anchor, FeedSelection
from tui.widgets.feed.surprise import NUM_STEPS
from tui.widgets.feed.titles import counts_of, joined
from tui.widgets.terminal_info import TerminalInfo

_TITLE = "tweets"
_PINS_TITLE = "pinned tweets only · K shows all"
_CELLS_BESIDE_TITLES = 8
"""Line and blanks before, between and after heading and facts."""
_DOUBLE_CLICK = 2


class TweetFeed(FeedSelection):
    """Shows the tweets of a `RunView`."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(FEED_KEYS)

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
        if isinstance(self.app, TerminalInfo):
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

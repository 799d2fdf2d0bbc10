"""The feed: every tweet that the model wrote, newest at the end, with step, temperature, novelty and surprise.

Here the tweets of a view come in, and only what they change is painted. Who reads further up is left in peace, also
when old tweets are thinned, and told how many wait below.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from engine.protocol.events import TweetSampled
from tui.files.pins import Pins
from tui.run.view import RunView
from tui.settings.key_table import FEED_KEYS, bindings_of
from tui.widgets.feed.layout import Columns, step_width
from tui.widgets.feed.selection import FeedSelection, Place
from tui.widgets.feed.surprise import NUM_STEPS

_TITLE = "tweets"
_DOUBLE_CLICK = 2


class TweetFeed(FeedSelection):
    """Show the tweets of a `RunView`."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(FEED_KEYS)

    class Opened(Message):
        """A tweet is to be looked at closely."""

        def __init__(self, tweet: TweetSampled) -> None:
            """Tell which."""
            super().__init__()
            self.tweet = tweet

    def __init__(self) -> None:
        """Begin without tweets."""
        super().__init__()
        self._titles = (_TITLE, "", False)

    @property
    def is_pins_only(self) -> bool:
        """Whether only pins are shown."""
        return self._tweets.is_pins_only

    def on_mount(self) -> None:
        """Name the panel."""
        self.border_title = _TITLE

    def show(self, view: RunView) -> None:
        """Show the tweets of `view`; paints nothing where they are those already shown."""
        if view.tweets is self._tweets.of_view:
            return
        if not self._is_following:
            self.num_unseen = min(self.num_unseen + view.num_tweets - self._tweets.num_ever, len(view.tweets))
        place, first_new_line = self._place_at_top(), self._tweets.lines.num_lines
        is_wider = self._needs_wider_steps(view.tweets[-1].step if view.tweets else 0)
        if is_wider:
            self._rewrap()
        num_added = self._tweets.take(view.tweets, view.num_tweets, self._held())
        if num_added is None or first_new_line == 0 or is_wider:
            self._return_to(place)
        elif num_added:
            self._append(first_new_line)
        self._update_titles()

    def show_pins(self, pins: Pins) -> None:
        """Mark these as pinned, in place of those before."""
        place = self._place_at_top()
        self._tweets.keep(pins, self._held())
        self._return_to(place)

    def toggle_pins_only(self) -> None:
        """Show pins only, or all tweets again; what is selected stays so where it is among them."""
        self._tweets.is_pins_only = not self._tweets.is_pins_only
        self._tweets.rearrange(() if self._selected is None else (self._selected,))
        self._find_marks()
        self._is_following = self._selected is None and self._step_shown is None
        self._return_to(None if self._selected is None else (self._selected, 0))

    def toggle_colours(self) -> None:
        """Colour each character by how surprising it was, or no more."""
        self.is_coloured = not self.is_coloured
        self.refresh()
        self._update_titles()

    def action_open(self) -> None:
        """Have the selected tweet, or else the newest, looked at closely."""
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    def on_click(self, event: events.Click) -> None:
        """Select the tweet under the pointer; a double click opens it."""
        offset = event.get_content_offset(self)
        line = -1 if offset is None else offset.y + self.scroll_offset.y
        if 0 <= line < self._tweets.lines.num_lines:
            self._select(self._tweets.lines.locate(line)[0])
            if event.chain == _DOUBLE_CLICK:
                self.action_open()

    def on_resize(self, _event: events.Resize) -> None:
        """Wrap to the new width; the tweet at the top stays at the top, or the last one at the end."""
        place = self._place_at_top()
        self._rewrap()
        self._return_to(None if place is None else (place[0], 0))

    def _append(self, first_new_line: int) -> None:
        """Take in lines that were added at the end; repaints only what they change."""
        self._take_size()
        self._find_marks()
        if self._is_following:
            self._scroll(self.max_scroll_y)
        if first_new_line < self.scroll_offset.y + self.size.height:
            self.refresh_lines(first_new_line, self._tweets.lines.num_lines - first_new_line)

    def _return_to(self, place: Place | None) -> None:
        """Take in any other change: have on the first line in view what stood there, or else follow; repaint."""
        self._take_size()
        self._find_marks()
        y = self.max_scroll_y
        if place is not None and self._tweets.shown:
            tweet, line = place
            lines = self._tweets.lines.lines_of(self._tweets.place_near(tweet))
            y = min(lines.start + line, lines.stop - 1)
        self._scroll(y)
        self.refresh()
        self._update_titles()

    def _needs_wider_steps(self, last_step: int) -> bool:
        """Widen the column of steps if the last one has outgrown it; say whether it did."""
        width = self._columns.step_width
        self._columns = Columns(self._columns.width, step_width(last_step, width))
        return self._columns.step_width > width

    def _rewrap(self) -> None:
        """Wrap all tweets to the width there is."""
        self._columns = Columns(self.scrollable_content_region.width, self._columns.step_width)
        self._tweets.rewrap(self._columns.text_width)

    def _update_titles(self) -> None:
        """Name the columns, and say how many tweets wait below and what else is not as usual."""
        title = self._columns.heading[2:] if self._tweets.shown else ""
        notes = ["pins only · K all"] if self.is_pins_only else []
        if not self._is_following and not self.is_pins_only:
            num_new = min(self.num_unseen, self.num_below())
            notes.append(f"{num_new:,} new below · end" if num_new else "end follows")
        titles = (title or _TITLE, " · ".join(notes), self.is_coloured)
        if titles != self._titles:
            self._titles = titles
            self.border_title = Content(titles[0])
            self.border_subtitle = self._legend() + Content(titles[1])

    def _legend(self) -> Content:
        """Return what the colours mean, where there are any."""
        if not self.is_coloured:
            return Content()
        styles = [self.get_visual_style(f"tweet-feed--surprise-{step}", partial=True) for step in range(NUM_STEPS)]
        steps = (Content.styled("a", style) for style in styles)
        return Content("likely ") + Content("").join(steps) + Content(" surprising  ")

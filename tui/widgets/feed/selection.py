"""`FeedSelection`: selects a tweet by key and follows the newest one. Never renders.

The feed follows while the last line is in view and nothing is highlighted. Highlighted is the selected tweet, or those
at the step of the plot's cursor; never both.
"""

from __future__ import annotations

from engine.protocol.events import TweetSampled
from tui.widgets.feed.lines import FeedLines

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

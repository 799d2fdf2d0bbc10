"""Moving through the feed: which tweet is selected, and whether the newest is followed.

The newest is followed only while the last line is in view and nothing is marked. What is marked is the tweet that the
user has selected, or those of the moment that the plot's cursor stands at; never both.
"""

from __future__ import annotations

from engine.protocol.events import TweetSampled
from tui.widgets.feed.lines import FeedLines

Place = tuple[TweetSampled, int]
"""A tweet, and which of its lines."""


class FeedSelection(FeedLines, can_focus=True):
    """Scroll through tweets, and select one."""

    def __init__(self) -> None:
        """Begin at the end."""
        super().__init__()
        self.num_unseen = 0
        """Tweets that came since the newest was last followed."""
        self._is_following = True
        """Whether the last line is in view and nothing marked, so that new tweets scroll it on."""
        self._selected: TweetSampled | None = None
        self._step_shown: int | None = None

    @property
    def chosen(self) -> TweetSampled | None:
        """The tweet that a key is meant for: the one marked, or else the newest."""
        shown = self._tweets.shown
        if not shown:
            return None
        return shown[self._marked_places[-1]] if self._marked_places else shown[-1]

    def show_step(self, step: int | None) -> None:
        """Lead to the tweets written at `step`, or last before it, and mark them; None follows the newest again."""
        if step is None:
            if self._step_shown is not None:
                self.action_follow()
            return
        self._selected, self._step_shown = None, step
        self._is_following = False
        places = self._tweets.written_by(step)
        self._mark_places(places)
        first = self._tweets.lines.first_line(places[0]) if places else 0
        self._scroll(max(0, first - self.num_rows // 2))
        self._update_titles()

    def action_move(self, direction: int) -> None:
        """Select the tweet before or after; after the newest, none: follow again."""
        if not self._tweets.shown:
            return
        if self._marked_places:
            place = max(0, self._marked_places[-1] + direction)
        elif self._is_following:
            place = len(self._tweets.shown) - (1 if direction < 0 else 0)
        else:
            place = self._tweets.place_near(self.tweets_in_view()[-1 if direction < 0 else 0])
        if place < len(self._tweets.shown):
            self._select(place)
        else:
            self.action_follow()

    def action_page(self, direction: int) -> None:
        """Scroll by a page, or select a page further where a tweet is selected."""
        if not self._marked_places:
            self._scroll(self.scroll_offset.y + direction * self.num_rows)
            return
        line = self._tweets.lines.first_line(self._marked_places[-1]) + direction * self.num_rows
        self._select(self._tweets.lines.locate(min(max(line, 0), self._tweets.lines.num_lines - 1))[0])

    def action_oldest(self) -> None:
        """Go to the first tweet, and select it where one is selected."""
        if self._marked_places:
            self._select(0)
        else:
            self._scroll(0)

    def action_follow(self) -> None:
        """Select nothing, go to the last tweet and follow from there."""
        self._selected = self._step_shown = None
        self._mark_places(range(0))
        self._is_following, self.num_unseen = True, 0
        self._scroll(self.max_scroll_y)
        self._update_titles()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Notice when the last line comes into view or leaves it."""
        super().watch_scroll_y(old_value, new_value)
        is_free = self._selected is None and self._step_shown is None
        self._is_following = is_free and round(new_value) >= self.max_scroll_y
        if self._is_following:
            self.num_unseen = 0
        self._update_titles()

    def _select(self, place: int) -> None:
        """Select a tweet and bring it into view."""
        self._selected, self._step_shown = self._tweets.shown[place], None
        self._is_following = False
        self._mark_places(range(place, place + 1))
        lines, top, num_rows = self._tweets.lines.lines_of(place), self.scroll_offset.y, self.num_rows
        if lines.start < top or len(lines) > num_rows:
            self._scroll(lines.start)
        elif lines.stop > top + num_rows:
            self._scroll(lines.stop - num_rows)
        self._update_titles()

    def _find_marks(self) -> None:
        """Mark what is selected where it stands now; it may have gone."""
        places = range(0)
        if self._step_shown is not None:
            places = self._tweets.written_by(self._step_shown)
        elif self._selected is not None and (place := self._tweets.place_of(self._selected)) is not None:
            places = range(place, place + 1)
        else:
            self._selected = None
        if places != self._marked_places:
            self._mark_places(places)

    def _held(self) -> list[TweetSampled]:
        """Return what must stay though it is thinned: what is being looked at."""
        in_view = [] if self._is_following else self.tweets_in_view()
        return [*in_view, *(self._tweets.shown[place] for place in self._marked_places)]

    def _place_at_top(self) -> Place | None:
        """Return what stands on the first line in view; None where the newest is followed."""
        top = min(self.scroll_offset.y, self._tweets.lines.num_lines - 1)
        if self._is_following or top < 0:
            return None
        place, line = self._tweets.lines.locate(top)
        return self._tweets.shown[place], line

    def _update_titles(self) -> None:
        """Tell in the frame how things stand."""

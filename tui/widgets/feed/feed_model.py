"""The tweets that a feed holds, wrapped: those of the view, pins that it has thinned, and what is being looked at.

Pure: knows no widget. Tweets are added at the end for what a few cost; whatever else changes, those that stay are not
wrapped anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from operator import attrgetter

from engine.protocol.events import TweetSampled
from tui.files.pins import Pins, tweet_key
from tui.widgets.feed.layout import shown_text
from tui.widgets.feed.wrapping import WrappedTexts

_STEP = attrgetter("step")
_WIDTH_BEFORE_LAYOUT = 80
"""Any width will do, but a narrow one would make millions of lines of a long history."""


class FeedTweets:
    """Tweets in the order of their steps, each wrapped to one width."""

    def __init__(self) -> None:
        """Begin without any."""
        self.shown: list[TweetSampled] = []
        self.lines = WrappedTexts(_WIDTH_BEFORE_LAYOUT)
        self.pins: Pins = ()
        self.is_pins_only = False
        self.of_view: tuple[TweetSampled, ...] = ()
        """The tweets of the view that was taken last."""
        self.num_ever = 0
        """How many its run has written, thinned ones too."""
        self._pinned = frozenset[object]()

    def is_pinned(self, tweet: TweetSampled) -> bool:
        """Say whether a tweet is kept."""
        return bool(self._pinned) and tweet_key(tweet) in self._pinned

    def take(self, tweets: tuple[TweetSampled, ...], num_ever: int, held: Iterable[TweetSampled]) -> int | None:
        """Take the tweets of a view, `num_ever` of which were ever written.

        Returns how many were added at the end, or None where others went too. `held` stay, though they were thinned.
        """
        num_new = num_ever - self.num_ever
        before, self.of_view, self.num_ever = self.of_view, tweets, num_ever
        if self.is_pins_only:
            return 0
        num_kept = len(tweets) - num_new
        is_grown = num_kept == len(before) and (not before or tweets[num_kept - 1] is before[-1])
        if not is_grown or self._comes_a_pin(before, tweets):
            self.rearrange(held)
            return None
        self.shown.extend(tweets[num_kept:])
        self.lines.extend(map(shown_text, tweets[num_kept:]))
        return num_new

    def keep(self, pins: Pins, held: Iterable[TweetSampled]) -> None:
        """Take these pins in place of those before."""
        self.pins = pins
        self._pinned = frozenset(map(tweet_key, pins))
        self.rearrange(held)

    def rearrange(self, held: Iterable[TweetSampled]) -> None:
        """Work out anew what is shown; what of it was shown before keeps its lines."""
        wanted = list(self.pins) if self.is_pins_only else self._with_missing([*self.pins, *held])
        places = {id(tweet): place for place, tweet in enumerate(self.shown)}
        self.lines = self.lines.rearranged(
            places[id(tweet)] if id(tweet) in places else shown_text(tweet) for tweet in wanted
        )
        self.shown = wanted

    def rewrap(self, width: int) -> None:
        """Wrap all to another width."""
        self.lines = self.lines.rewrapped(width)

    def place_of(self, tweet: TweetSampled) -> int | None:
        """Return where a tweet stands, if it is still shown."""
        return _place_in(self.shown, tweet)

    def place_near(self, tweet: TweetSampled) -> int:
        """Return where a tweet stands, or the first of those after its step, or the last. There must be some."""
        place = self.place_of(tweet)
        return min(bisect_right(self.shown, tweet.step, key=_STEP), len(self.shown) - 1) if place is None else place

    def written_by(self, step: int) -> range:
        """Return the places of the tweets of the last moment up to `step` at which any were written."""
        end = bisect_right(self.shown, step, key=_STEP)
        if end == 0:
            return range(0)
        return range(bisect_left(self.shown, self.shown[end - 1].step, hi=end, key=_STEP), end)

    def _with_missing(self, extra: list[TweetSampled]) -> list[TweetSampled]:
        """Return the tweets of the view, with those of `extra` that it thinned; not those it has not come to again."""
        tweets = self.of_view
        last_step = tweets[-1].step if tweets else -1
        missing = {
            tweet_key(tweet): tweet for tweet in extra if tweet.step <= last_step and _place_in(tweets, tweet) is None
        }
        return sorted((*tweets, *missing.values()), key=_STEP) if missing else list(tweets)

    def _comes_a_pin(self, before: Sequence[TweetSampled], now: Sequence[TweetSampled]) -> bool:
        """Say whether the run has come to the step of a pin from a stretch that was taken back."""
        if not self.pins or not now:
            return False
        past = before[-1].step if before else -1
        return any(past < pin.step <= now[-1].step for pin in self.pins)


def _place_in(tweets: Sequence[TweetSampled], tweet: TweetSampled) -> int | None:
    """Return where a tweet stands in `tweets`, if it does."""
    for place in range(bisect_left(tweets, tweet.step, key=_STEP), len(tweets)):
        other = tweets[place]
        if other.step != tweet.step:
            return None
        if other is tweet or tweet_key(other) == tweet_key(tweet):
            return place
    return None

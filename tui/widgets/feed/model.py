"""`FeedModel`: the tweets in the feed and their lines: the view's tweets, and pins and selected ones it has thinned.

A tweet is wrapped once for each width, so appending costs no more than the new tweets. Never imports a widget.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

from engine.protocol.events import Novelty, TweetSampled
from tui.text.cells import wrap
from tui.text.tweets import shown_text

_BY_STEP = attrgetter("step")
_WIDTH_BEFORE_LAYOUT = 80
"""Wrapping width until the feed has a size; a narrow one would make millions of lines of a long history."""

Pins = tuple[TweetSampled, ...]
"""Pinned tweets, sorted by step."""
TweetKey = tuple[int, float, str]


def tweet_key(tweet: TweetSampled) -> TweetKey:
    """Return a key that identifies a tweet, equal for the event and its copy in a file."""
    return tweet.step, tweet.elapsed_seconds, tweet.text


class Wrapped(NamedTuple):
    """A text, and the start and end of each of its lines."""

    text: str
    lines: tuple[tuple[int, int], ...]


class FeedModel:
    """Tweets sorted by step, wrapped to one width, with an index from line numbers to tweets."""

    def __init__(self) -> None:
        self.tweets: list[TweetSampled] = []
        self.texts: list[Wrapped] = []
        self.is_pins_only = False
        self.view_tweets: tuple[TweetSampled, ...] = ()
        """The tweets of the last view."""
        self.num_generated = 0
        """Tweets that the run has generated so far, including thinned ones."""
        self.num_by_novelty = Counter[Novelty]()
        self._width = _WIDTH_BEFORE_LAYOUT
        self._line_ends: list[int] = []
        self._pins: dict[TweetKey, TweetSampled] = {}

    @property
    def num_lines(self) -> int:
        return self._line_ends[-1] if self._line_ends else 0

    def locate(self, line: int) -> tuple[int, int]:
        """Return the index of the tweet at a line, and the line's number in it. Raises `IndexError`."""
        if not 0 <= line < self.num_lines:
            raise IndexError(line)
        index = bisect_right(self._line_ends, line)
        return index, line - self.lines_of(index).start

    def lines_of(self, index: int) -> range:
        """Return the line numbers of a tweet."""
        end = self._line_ends[index]
        return range(end - len(self.texts[index].lines), end)

    def is_pinned(self, tweet: TweetSampled) -> bool:
        return bool(self._pins) and tweet_key(tweet) in self._pins

    def update(self, tweets: tuple[TweetSampled, ...], num_generated: int, retained: Iterable[TweetSampled]) -> None:
        """Update to the tweets of a view; `num_generated` is the total so far, `retained` stay even if thinned."""
        num_kept = len(tweets) - (num_generated - self.num_generated)
        before, self.view_tweets, self.num_generated = self.view_tweets, tweets, num_generated
        is_appended = num_kept == len(before) and (not before or tweets[num_kept - 1] is before[-1])
        first, last = (each[-1].step if each else -1 for each in (before, tweets))
        reaches_pin = any(first < pin.step <= last for pin in self._pins.values())  # of a step that a load took back
        if self.is_pins_only:
            return
        if is_appended and not reaches_pin:
            self._append(tweets[num_kept:], map(self._wrapped, tweets[num_kept:]))
        else:
            self.rebuild(retained)

    def set_pins(self, pins: Pins, retained: Iterable[TweetSampled]) -> None:
        self._pins = {tweet_key(pin): pin for pin in pins}
        self.rebuild(retained)

    def rebuild(self, retained: Iterable[TweetSampled]) -> None:
        """Recompute which tweets are shown; those shown before are not wrapped again."""
        wrapped = {id(tweet): text for tweet, text in zip(self.tweets, self.texts, strict=True)}
        wanted = list(self._pins.values()) if self.is_pins_only else self._with_thinned(retained)
        self._clear()
        self._append(wanted, (wrapped.get(id(tweet)) or self._wrapped(tweet) for tweet in wanted))

    def rewrap(self, width: int) -> None:
        if width != self._width:
            self._width, tweets = width, self.tweets
            self._clear()
            self._append(tweets, map(self._wrapped, tweets))

    def index_of(self, tweet: TweetSampled) -> int | None:
        """Return the index of a tweet; None if it is not shown."""
        return _index_in(self.tweets, tweet)

    def index_near(self, tweet: TweetSampled) -> int:
        """Return the index of a tweet, or else of the first one after its step, or the last. There must be one."""
        index = self.index_of(tweet)
        following = bisect_right(self.tweets, tweet.step, key=_BY_STEP)
        return min(following, len(self.tweets) - 1) if index is None else index

    def sampled_until(self, step: int) -> range:
        """Return the indices of the tweets of the last sampling at or before `step`."""
        end = bisect_right(self.tweets, step, key=_BY_STEP)
        return range(bisect_left(self.tweets, self.tweets[end - 1].step, hi=end, key=_BY_STEP) if end else 0, end)

    def _clear(self) -> None:
        self.tweets, self.texts, self._line_ends = [], [], []
        self.num_by_novelty.clear()

    def _append(self, tweets: Iterable[TweetSampled], texts: Iterable[Wrapped]) -> None:
        end = self.num_lines
        for tweet, text in zip(tweets, texts, strict=True):
            end += len(text.lines)
            self.tweets.append(tweet)
            self.texts.append(text)
            self._line_ends.append(end)
            self.num_by_novelty[tweet.novelty] += 1

    def _wrapped(self, tweet: TweetSampled) -> Wrapped:
        text = shown_text(tweet)
        return Wrapped(text, wrap(text, self._width))

    def _with_thinned(self, retained: Iterable[TweetSampled]) -> list[TweetSampled]:
        """Return the tweets of the view, and up to their last step the pins and `retained` ones that it has thinned."""
        tweets = self.view_tweets
        last = tweets[-1].step if tweets else -1
        others = {tweet_key(tweet): tweet for tweet in (*self._pins.values(), *retained) if tweet.step <= last}
        thinned = [tweet for tweet in others.values() if _index_in(tweets, tweet) is None]
        return sorted((*tweets, *thinned), key=_BY_STEP) if thinned else list(tweets)


def _index_in(tweets: Sequence[TweetSampled], tweet: TweetSampled) -> int | None:
    """Return the index of a tweet, or else of its copy from a file."""
    start, end = bisect_left(tweets, tweet.step, key=_BY_STEP), bisect_right(tweets, tweet.step, key=_BY_STEP)
    same = [index for index in range(start, end) if tweets[index] is tweet]
    same = same or [index for index in range(start, end) if tweet_key(tweets[index]) == tweet_key(tweet)]
    return same[0] if same else None

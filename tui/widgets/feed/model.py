"""An index of the lines of a long list of wrapped texts. Never imports a widget.

`FeedModel`: the tweets in the feed, wrapped: those of the view, and pins and selected tweets that it has thinned.

Appending costs no more than the new tweets; on any other change, tweets that stay are not wrapped again. Never imports
a widget.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import attrgetter

from engine.protocol.events import Novelty, TweetSampled
from tui.run.pins import Pins, tweet_key
from tui.text.cells import Range, wrap
from tui.text.tweets import shown_text


class WrappedTexts:
    """Texts wrapped to one width, with an index from line numbers to texts."""

    def __init__(self, width: int) -> None:
        self.texts: list[str] = []
        self._width = max(1, width)
        self._spans: list[tuple[Range, ...]] = []
        self._line_ends: list[int] = []

    @property
    def num_lines(self) -> int:
        """Lines of all texts."""
        return self._line_ends[-1] if self._line_ends else 0

    def extend(self, texts: Iterable[str]) -> None:
        """Append texts."""
        end = self.num_lines
        for text in texts:
            spans = wrap(text, self._width)
            end += len(spans)
            self.texts.append(text)
            self._spans.append(spans)
            self._line_ends.append(end)

    def rebuilt(self, entries: Iterable[int | str]) -> WrappedTexts:
        """Return these texts in this order: old ones by index, not wrapped again, and new ones."""
        other = WrappedTexts(self._width)
        for entry in entries:
            if isinstance(entry, int):
                other.texts.append(self.texts[entry])
                other._spans.append(self._spans[entry])
            else:
                other.texts.append(entry)
                other._spans.append(wrap(entry, self._width))
        other._line_ends = list(accumulate(map(len, other._spans)))
        return other

    def rewrapped(self, width: int) -> WrappedTexts:
        """Return the same texts wrapped to another width."""
        other = WrappedTexts(width)
        other.extend(self.texts)
        return other

    def locate(self, line: int) -> tuple[int, int]:
        """Return the index of the text at a line, and the line's number in it. Raises `IndexError`."""
        if not 0 <= line < self.num_lines:
            raise IndexError(line)
        index = bisect_right(self._line_ends, line)
        return index, line - self.first_line(index)

    def lines_of(self, index: int) -> range:
        """Return the line numbers of a text."""
        return range(self.first_line(index), self._line_ends[index])

    def first_line(self, index: int) -> int:
        """Return the first line number of a text."""
        return self._line_ends[index] - len(self._spans[index])

    def span(self, index: int, line: int) -> Range:
        """Return start and end of a line in its text."""
        return self._spans[index][line]


_BY_STEP = attrgetter("step")
_WIDTH_BEFORE_LAYOUT = 80
"""Until the feed has a size; a narrow width would make millions of lines of a long history."""


class FeedModel:
    """Tweets sorted by step, wrapped to one width."""

    def __init__(self) -> None:
        self.shown: list[TweetSampled] = []
        self.lines = WrappedTexts(_WIDTH_BEFORE_LAYOUT)
        self.pins: Pins = ()
        self.is_pins_only = False
        self.view_tweets: tuple[TweetSampled, ...] = ()
        """The tweets of the last view."""
        self.num_generated = 0
        """Tweets that the run has generated so far, including thinned ones."""
        self.num_by_novelty = Counter[Novelty]()
        """How many of the tweets shown are new, near-copies and copies."""
        self._pinned_keys = frozenset[object]()

    def is_pinned(self, tweet: TweetSampled) -> bool:
        """Return whether a tweet is pinned; cheap, as every painted line asks."""
        return bool(self._pinned_keys) and tweet_key(tweet) in self._pinned_keys

    def update(
        self, tweets: tuple[TweetSampled, ...], num_generated: int, retained: Iterable[TweetSampled]
    ) -> int | None:
        """Update to the tweets of a view; `num_generated` is the total so far, `retained` stay even if thinned.

        Returns how many were appended, or None if others have changed too.
        """
        num_new = num_generated - self.num_generated
        before, self.view_tweets, self.num_generated = self.view_tweets, tweets, num_generated
        if self.is_pins_only:
            return 0
        num_kept = len(tweets) - num_new
        is_appended = num_kept == len(before) and (not before or tweets[num_kept - 1] is before[-1])
        if not is_appended or self._reaches_pin(before, tweets):
            self.rebuild(retained)
            return None
        self.shown.extend(tweets[num_kept:])
        self.num_by_novelty.update(tweet.novelty for tweet in tweets[num_kept:])
        self.lines.extend(map(shown_text, tweets[num_kept:]))
        return num_new

    def set_pins(self, pins: Pins, retained: Iterable[TweetSampled]) -> None:
        """Replace the pins."""
        self.pins = pins
        self._pinned_keys = frozenset(map(tweet_key, pins))
        self.rebuild(retained)

    def rebuild(self, retained: Iterable[TweetSampled]) -> None:
        """Recompute which tweets are shown; those shown before keep their lines."""
        wanted = list(self.pins) if self.is_pins_only else self._with_missing([*self.pins, *retained])
        indices = {id(tweet): index for index, tweet in enumerate(self.shown)}
        self.lines = self.lines.rebuilt(
            indices[id(tweet)] if id(tweet) in indices else shown_text(tweet) for tweet in wanted
        )
        self.shown = wanted
        self.num_by_novelty = Counter(tweet.novelty for tweet in wanted)

    def rewrap(self, width: int) -> None:
        """Wrap all tweets to another width."""
        self.lines = self.lines.rewrapped(width)

    def index_of(self, tweet: TweetSampled) -> int | None:
        """Return the index of a tweet; None if it is not shown."""
        return _index_in(self.shown, tweet)

    def index_near(self, tweet: TweetSampled) -> int:
        """Return the index of a tweet, or else of the first one after its step, or the last. There must be one."""
        index = self.index_of(tweet)
        return min(bisect_right(self.shown, tweet.step, key=_BY_STEP), len(self.shown) - 1) if index is None else index

    def sampled_until(self, step: int) -> range:
        """Return the indices of the tweets of the last sampling at or before `step`."""
        end = bisect_right(self.shown, step, key=_BY_STEP)
        if end == 0:
            return range(0)
        return range(bisect_left(self.shown, self.shown[end - 1].step, hi=end, key=_BY_STEP), end)

    def _with_missing(self, extra: list[TweetSampled]) -> list[TweetSampled]:
        """Return the tweets of the view with those of `extra` that it has thinned, up to its last step."""
        tweets = self.view_tweets
        last_step = tweets[-1].step if tweets else -1
        missing = {
            tweet_key(tweet): tweet for tweet in extra if tweet.step <= last_step and _index_in(tweets, tweet) is None
        }
        return sorted((*tweets, *missing.values()), key=_BY_STEP) if missing else list(tweets)

    def _reaches_pin(self, before: Sequence[TweetSampled], now: Sequence[TweetSampled]) -> bool:
        """Return whether the run has reached a pin's step again, after an earlier checkpoint was loaded."""
        if not self.pins or not now:
            return False
        past = before[-1].step if before else -1
        return any(past < pin.step <= now[-1].step for pin in self.pins)


def _index_in(tweets: Sequence[TweetSampled], tweet: TweetSampled) -> int | None:
    """Return the index of a tweet in `tweets`, if it is there."""
    for index in range(bisect_left(tweets, tweet.step, key=_BY_STEP), len(tweets)):
        other = tweets[index]
        if other.step != tweet.step:
            return None
        if other is tweet or tweet_key(other) == tweet_key(tweet):
            return index
    return None

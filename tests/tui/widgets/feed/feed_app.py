"""An app of one feed, and what it shows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine.protocol.events import TweetSampled
from tests.fakes import tweet_sampled
from tests.tui.conftest import wait_until
from tui.run.reducer import apply
from tui.run.view import RunView
from tui.widgets.feed.tweet_feed import TweetFeed


class FeedApp(App[None]):
    """An app of one feed that records opened tweets."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[TweetSampled] = []

    def compose(self) -> ComposeResult:
        yield TweetFeed()

    def on_tweet_feed_opened(self, event: TweetFeed.Opened) -> None:
        self.opened.append(event.tweet)


@asynccontextmanager
async def feed_of(
    tweets: RunView | Iterable[TweetSampled], size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[TweetFeed, Pilot[None], RunView]]:
    """Show tweets in a feed; yield it after its layout, with its pilot and the view."""
    view = tweets if isinstance(tweets, RunView) else view_of(tweets)
    app = FeedApp()
    async with app.run_test(size=size) as pilot:
        feed = app.query_one(TweetFeed)
        feed.show(view)
        await pilot.pause()
        yield feed, pilot, view


def view_of(tweets: Iterable[TweetSampled], view: RunView | None = None) -> RunView:
    """Return the view after these tweets."""
    view = view or RunView()
    for event in tweets:
        view = apply(view, event)
    return view


def shown_lines(feed: TweetFeed) -> list[str]:
    """Return the lines of the feed in view, without the columns after the text."""
    end = feed._columns.indent + feed._columns.text_width
    return [feed.render_line(y).crop(0, end).text.rstrip() for y in range(feed.num_rows)]


def numbered(first: int, last: int) -> list[TweetSampled]:
    return [tweet_sampled(f"tweet number {number}", number) for number in range(first, last + 1)]


async def ends_with(feed: TweetFeed, number: int) -> None:
    """Wait until a tweet of `numbered` is on the last line."""
    await wait_until(lambda: shown_lines(feed)[-1].endswith(f"tweet number {number}"), f"tweet {number}")

"""Moving through the feed: selecting, following, and the plot's cursor."""

from __future__ import annotations

from collections.abc import Iterator

from engine.protocol.events import TweetSampled
from tests.fakes import tweet_sampled
from tests.tui.conftest import wait_until
from tests.tui.widgets.feed.feed_app import FeedApp, ends_with, feed_of, numbered, shown_lines, view_of
from tui.widgets.feed.layout import SELECTED_GLYPH
from tui.widgets.feed.tweet_feed import TweetFeed


def marked_lines(feed: TweetFeed) -> list[str]:
    """Return the highlighted lines in view."""
    background = feed.get_component_rich_style("tweet-feed--marked").bgcolor
    is_marked = [
        all(part.style and part.style.bgcolor == background for part in feed.render_line(y))
        for y in range(feed.num_rows)
    ]
    return [line.strip() for line, is_in in zip(shown_lines(feed), is_marked, strict=True) if is_in]


async def selects(feed: TweetFeed, number: int) -> None:
    """Wait until only the tweet of that number is highlighted, in view."""
    await wait_until(lambda: [line.split()[-1] for line in marked_lines(feed)] == [f"{number}"], f"{number} selected")


async def test_keys_select_a_tweet_in_view_and_down_from_the_newest_follows_again() -> None:
    async with feed_of(numbered(1, 60)) as (feed, pilot, _):
        await pilot.press("up")
        await selects(feed, 60)
        for _ in range(45):
            feed.action_move(-1)
        await selects(feed, 15)
        assert marked_lines(feed)[0].startswith(SELECTED_GLYPH)
        await pilot.press("down", "down")
        await selects(feed, 17)
        await pilot.press("home")
        await selects(feed, 1)
        assert feed.scroll_offset.y == 0
        await pilot.press("pagedown")
        await selects(feed, 1 + feed.num_rows)
        await pilot.press("end", "up", "up", "down", "down")
        await wait_until(lambda: not marked_lines(feed) and not feed.note, "following again")


async def test_the_feed_does_not_follow_while_a_tweet_is_selected_until_end() -> None:
    async with feed_of(numbered(1, 3)) as (feed, pilot, start):
        await pilot.press("up")
        await selects(feed, 3)
        view = view_of(numbered(4, feed.num_rows), start)
        feed.show(view)
        assert feed.note == "step 3 selected · end follows"  # new tweets in view are not counted
        before = shown_lines(feed)
        view = view_of(numbered(61, 65), view)
        feed.show(view)
        feed.scroll_end(animate=False, immediate=True)
        feed.scroll_home(animate=False, immediate=True)
        await pilot.pause()
        assert shown_lines(feed) == before
        assert feed.note == "step 3 selected · 5 new below · end"
        assert feed.chosen is view.tweets[2]
        await pilot.press("end")
        await ends_with(feed, 65)
        assert marked_lines(feed) == []


async def test_enter_opens_the_selected_tweet_or_else_the_newest_and_so_does_a_double_click() -> None:
    tweets = numbered(1, 9)
    async with feed_of([]) as (feed, pilot, _):
        app = feed.app
        assert isinstance(app, FeedApp)
        await pilot.press("enter")
        feed.show(view_of(tweets))
        await pilot.press("enter", "up", "up", "enter")
        await wait_until(lambda: app.opened == [tweets[8], tweets[7]], "two opened")
        await pilot.click(TweetFeed, offset=(30, 3))
        await selects(feed, 4)
        assert len(app.opened) == 2
        await pilot.click(TweetFeed, offset=(30, 6), times=2)
        await wait_until(lambda: app.opened[2:] == [tweets[6]], "one more opened")
        await pilot.click(TweetFeed, offset=(30, 20))
        assert feed.chosen is tweets[6]


def moments(*steps: int) -> Iterator[TweetSampled]:
    return (tweet_sampled(f"tweet {number} of step {step}", step) for number, step in enumerate(steps))


async def test_the_plots_cursor_highlights_the_tweets_of_its_step() -> None:
    steps = sorted([*range(100, 30_000, 100), 5000, 5000])
    async with feed_of(moments(*steps)) as (feed, pilot, _):
        for step, written, count in (
            (5000, 5000, 3),
            (5099, 5000, 3),
            (5100, 5100, 1),
            (100, 100, 1),
            (10**9, 29_900, 1),
        ):
            feed.show_step(step)
            lines = marked_lines(feed)
            assert [line.endswith(f"of step {written}") for line in lines] == [True] * count
        feed.show_step(99)
        assert marked_lines(feed) == []
        assert feed.scroll_offset.y == 0
        feed.show_step(5000)
        feed.show_step(None)
        await wait_until(lambda: shown_lines(feed)[-1].endswith("of step 29900"))
        feed.show_step(5000)
        await pilot.press("up")
        await wait_until(lambda: len(marked_lines(feed)) == 1, "the selection")
        feed.show_step(None)
        assert feed.chosen is not None
        assert feed.chosen.step == 5000  # a later selection stays

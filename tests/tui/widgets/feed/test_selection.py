"""Moving through the feed: selecting, following, and the plot's cursor."""

from __future__ import annotations

from syrupy.assertion import SnapshotAssertion

from tests.fakes import tweet_sampled
from tests.tui.conftest import wait_until
from tests.tui.widgets.feed.feed_app import FeedApp, feed_of, numbered, shown_lines, view_of
from tui.widgets.feed.tweet_feed import TweetFeed


def marked_lines(feed: TweetFeed) -> list[str]:
    """Return the highlighted lines in view."""
    background = feed.get_component_rich_style("tweet-feed--marked").bgcolor
    is_marked = [
        all(part.style and part.style.bgcolor == background for part in feed.render_line(y))
        for y in range(feed.num_rows)
    ]
    return [line.strip() for line, is_in in zip(shown_lines(feed), is_marked, strict=True) if is_in]


def state(feed: TweetFeed) -> str:
    """Return the lines in view, those highlighted, and the note."""
    lines = [line for line in shown_lines(feed) if line]
    return f"{lines[0].strip()} to {lines[-1].strip()}, marked {marked_lines(feed)}, note {feed.note!r}"


async def test_keys_select_a_tweet_in_view_and_down_from_the_newest_follows_again(snapshot: SnapshotAssertion) -> None:
    async with feed_of(numbered(1, 60)) as (feed, pilot, _):
        lines = []
        for keys in ("up", "up " * 45, "down down", "home", "pagedown", "end", "up up", "down down"):
            await pilot.press(*keys.split())
            await pilot.pause()
            lines.append(f"{keys.split()[0]} x{len(keys.split())}: {state(feed)}")
        assert "\n".join(lines) == snapshot


async def test_the_feed_does_not_follow_while_a_tweet_is_selected_until_end(snapshot: SnapshotAssertion) -> None:
    async with feed_of(numbered(1, 3)) as (feed, pilot, start):
        await pilot.press("up")
        lines = [state(feed)]
        view = view_of(numbered(4, feed.num_rows), start)
        feed.show(view)  # new tweets in view are not counted
        lines.append(state(feed))
        view = view_of(numbered(61, 65), view)
        feed.show(view)
        feed.scroll_end(animate=False, immediate=True)
        feed.scroll_home(animate=False, immediate=True)
        await pilot.pause()
        lines.append(state(feed))
        assert feed.chosen is view.tweets[2]
        await pilot.press("end")
        await pilot.pause()
        assert "\n".join([*lines, state(feed)]) == snapshot


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
        await wait_until(lambda: feed.chosen is tweets[3], "the one below the pointer")
        assert len(app.opened) == 2
        await pilot.click(TweetFeed, offset=(30, 6), times=2)
        await wait_until(lambda: app.opened[2:] == [tweets[6]], "one more opened")
        await pilot.click(TweetFeed, offset=(30, 20))
        assert feed.chosen is tweets[6]


async def test_the_plots_cursor_highlights_the_tweets_of_its_step(snapshot: SnapshotAssertion) -> None:
    steps = sorted([*range(100, 30_000, 100), 5000, 5000])
    tweets = (tweet_sampled(f"tweet {number} of step {step}", step) for number, step in enumerate(steps))
    async with feed_of(tweets) as (feed, pilot, _):
        lines = []
        for step in (5000, 5099, 5100, 100, 10**9, 99, 5000, None, 5000):
            feed.show_step(step)
            await pilot.pause()
            lines.append(f"step {step}: {state(feed)}")
        await pilot.press("up")
        feed.show_step(None)
        await pilot.pause()
        lines.append(f"a later selection stays: {state(feed)}")
        assert "\n".join(lines) == snapshot

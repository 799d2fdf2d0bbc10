"""Moving through the feed: selecting, following, the plot's cursor, pins and colours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.strip import Strip

from engine.events import TweetSampled
from tests.fakes import tweet
from tests.tui.conftest import until
from tests.tui.test_feed import SIZES, numbered, shown_lines, view_of
from tui.run_view import RunView
from tui.state import MAX_TWEETS
from tui.widgets.feed_columns import PIN_GLYPH, SELECTED_GLYPH
from tui.widgets.tweet_feed import TweetFeed

STRANGE = [
    "👩\u200d👩\u200d👧\u200d👦 family ❤️ day " * 3,
    "日本語テキスト and some english " * 3,
    "שלום עולם שלום מה 123 שלום " * 3,
    "e\u0301e\u0301 combining a\u0308\u0323 marks " * 3,
    "\u0301 begins with a mark",
    "🇩🇪🇫🇷 flags 👍🏽 and tones",
]


class FeedApp(App[None]):
    """An app of one feed that notes what is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[TweetSampled] = []

    def compose(self) -> ComposeResult:
        yield TweetFeed()

    @property
    def feed(self) -> TweetFeed:
        return self.query_one(TweetFeed)

    def on_tweet_feed_opened(self, event: TweetFeed.Opened) -> None:
        self.opened.append(event.tweet)


def marked_lines(feed: TweetFeed) -> list[str]:
    """Return the lines in view that are painted as marked."""
    background = feed.get_component_rich_style("tweet-feed--marked").bgcolor
    lines = (feed.render_line(y) for y in range(feed.num_rows))
    return [line.text.strip() for line in lines if all(s.style and s.style.bgcolor == background for s in line)]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_arrows_select_a_tweet_and_keep_it_in_view(size: tuple[int, int]) -> None:
    app = FeedApp()
    async with app.run_test(size=size) as pilot:
        tweets = numbered(1, 60)
        app.feed.show(view_of(tweets))
        await pilot.press("up")
        await until(lambda: app.feed.selected is tweets[-1])
        for _ in range(45):
            app.feed.action_move(-1)
        await until(lambda: app.feed.selected is tweets[14])
        assert [line.endswith("tweet number 15") for line in marked_lines(app.feed)] == [True]
        assert marked_lines(app.feed)[0].startswith(SELECTED_GLYPH)
        await pilot.press("down", "down")
        await until(lambda: app.feed.selected is tweets[16])
        await pilot.press("home")
        await until(lambda: app.feed.selected is tweets[0])
        assert app.feed.scroll_offset.y == 0
        await pilot.press("pagedown")
        await until(lambda: app.feed.selected is tweets[app.feed.num_rows])


async def test_nothing_is_followed_while_a_tweet_is_selected_and_end_lets_go() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        view = view_of(numbered(1, 60))
        app.feed.show(view)
        await pilot.press("up")
        await until(lambda: app.feed.selected is not None)
        before = shown_lines(app.feed)
        view = view_of(numbered(61, 65), view)
        app.feed.show(view)
        await pilot.pause()
        assert shown_lines(app.feed) == before
        assert app.feed.border_subtitle == "5 new below · end"
        await pilot.press("end")
        await until(lambda: app.feed.is_following)
        assert app.feed.selected is None
        assert marked_lines(app.feed) == []
        assert shown_lines(app.feed)[-1].endswith("tweet number 65")


async def test_new_tweets_that_are_in_view_are_not_told_to_wait_below() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        view = view_of(numbered(1, 3))
        app.feed.show(view)
        await pilot.press("up")
        await until(lambda: app.feed.selected is not None)
        view = view_of(numbered(4, app.feed.num_rows), view)
        app.feed.show(view)
        assert app.feed.border_subtitle == "end follows"
        app.feed.show(view_of(numbered(90, 91), view))
        assert app.feed.border_subtitle == "2 new below · end"


async def test_scrolling_to_the_end_by_mouse_does_not_let_go_of_a_selected_tweet() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)):
        view = view_of(numbered(1, 60))
        app.feed.show(view)
        app.feed.show_step(30)
        app.feed.action_move(-1)
        app.feed.scroll_end(animate=False, immediate=True)
        app.feed.show(view_of(numbered(61, 61), view))
        assert not app.feed.is_following
        assert app.feed.selected is view.tweets[28]


async def test_down_from_the_newest_follows_again() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed.show(view_of(numbered(1, 3)))
        await pilot.press("up", "up", "down", "down")
        await until(lambda: app.feed.is_following)
        assert app.feed.selected is None


async def test_a_tweet_of_many_lines_is_marked_and_shown_whole() -> None:
    app = FeedApp()
    async with app.run_test(size=(60, 12)):
        tweets = [*numbered(1, 30), tweet("many words " * 12, 31), *numbered(32, 60)]
        app.feed.show(view_of(tweets))
        app.feed.show_step(5)
        for _ in range(26):
            app.feed.action_move(1)
        await until(lambda: app.feed.selected is tweets[30])
        text = " ".join(line.split(" ● ")[-1] for line in marked_lines(app.feed))
        assert text.split() == ["many", "words"] * 12


async def test_enter_opens_the_selected_tweet_or_else_the_newest() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        tweets = numbered(1, 9)
        await pilot.press("enter")
        app.feed.show(view_of(tweets))
        await pilot.press("enter")
        await pilot.press("up", "up", "enter")
        await until(lambda: len(app.opened) == 2)
        assert app.opened == [tweets[8], tweets[7]]


async def test_a_click_selects_and_a_double_click_opens() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        tweets = numbered(1, 9)
        app.feed.show(view_of(tweets))
        await pilot.pause()
        await pilot.click(TweetFeed, offset=(30, 3))
        await until(lambda: app.feed.selected is tweets[3])
        assert app.opened == []
        await pilot.click(TweetFeed, offset=(30, 6), times=2)
        await until(lambda: app.opened)
        assert app.opened == [tweets[6]]
        await pilot.click(TweetFeed, offset=(30, 20))
        assert app.feed.selected is tweets[6]


def moments(*steps: int) -> Iterator[TweetSampled]:
    return (tweet(f"tweet {number} of step {step}", step) for number, step in enumerate(steps))


async def test_the_plots_cursor_leads_to_the_tweets_of_its_moment() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        steps = sorted([*range(100, 30_000, 100), 5000, 5000])
        app.feed.show(view_of(list(moments(*steps))))
        await pilot.pause()
        for step, written, count in (
            (5000, 5000, 3),
            (5099, 5000, 3),
            (5100, 5100, 1),
            (100, 100, 1),
            (10**9, 29_900, 1),
        ):
            app.feed.show_step(step)
            lines = marked_lines(app.feed)
            assert [line.endswith(f"of step {written}") for line in lines] == [True] * count
        app.feed.show_step(99)
        assert marked_lines(app.feed) == []
        assert app.feed.scroll_offset.y == 0
        assert not app.feed.is_following
        app.feed.show_step(None)
        await until(lambda: app.feed.is_following)
        assert shown_lines(app.feed)[-1].endswith("of step 29900")


async def test_the_end_of_the_plots_cursor_leaves_a_reader_in_peace() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed.show(view_of(numbered(1, 100)))
        app.feed.show_step(50)
        await pilot.press("up")
        await until(lambda: app.feed.selected is not None)
        app.feed.show_step(None)
        assert app.feed.selected is not None


async def test_the_plots_cursor_asks_for_nothing_where_the_moment_is_the_same() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed.show(view_of(list(moments(*range(100, 9000, 100)))))
        app.feed.show_step(5000)
        await pilot.pause()
        painted: list[int] = []
        render_line = app.feed.render_line

        def watch(y: int) -> Strip:
            painted.append(y)
            return render_line(y)

        app.feed.render_line = watch  # type: ignore[method-assign]
        for step in range(5001, 5100):
            app.feed.show_step(step)
        await pilot.pause()
        assert painted == []


async def test_pins_are_marked_and_can_be_shown_alone() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        tweets = numbered(1, 40)
        app.feed.show(view_of(tweets))
        app.feed.show_pins((tweets[3], tweets[38]))
        await pilot.pause()
        assert [line.endswith("tweet number 39") for line in shown_lines(app.feed) if PIN_GLYPH in line] == [True]
        app.feed.toggle_pins_only()
        await pilot.pause()
        assert [line.split()[-1] for line in shown_lines(app.feed) if line] == ["4", "39"]
        assert app.feed.border_subtitle == "pins only · K all"
        app.feed.show(view_of(numbered(41, 45), view_of(tweets)))
        await pilot.pause()
        assert [line.split()[-1] for line in shown_lines(app.feed) if line] == ["4", "39"]
        app.feed.toggle_pins_only()
        await pilot.pause()
        assert shown_lines(app.feed)[-1].endswith("tweet number 45")
        assert not app.feed.border_subtitle


async def test_pins_only_without_pins_says_what_to_do() -> None:
    app = FeedApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.feed.show(view_of(numbered(1, 4)))
        app.feed.toggle_pins_only()
        await pilot.pause()
        assert shown_lines(app.feed)[0].startswith(" Nothing is pinned yet")


async def test_pins_stay_when_tweets_around_them_are_thinned() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        tweets = numbered(1, MAX_TWEETS)
        pins = (tweets[101], tweets[103])
        view = RunView(tweets=tuple(tweets), num_tweets=MAX_TWEETS)
        app.feed.show(view)
        app.feed.show_pins(tuple(replace(pin) for pin in pins))  # equal, not the same: as read from a file
        app.feed.show(view_of(numbered(MAX_TWEETS + 1, MAX_TWEETS + 1), view))
        app.feed.show_step(103)
        await pilot.pause()
        shown = [int(line.split()[-1]) for line in shown_lines(app.feed)]
        assert {99, 101, 102, 103, 104, 105} <= set(shown)
        assert not {98, 100, 106} & set(shown)


async def test_a_pin_of_a_stretch_taken_back_is_in_the_feed_only_once_the_run_comes_by_again() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        tweets = numbered(1, 9)
        view = view_of(tweets)
        app.feed.show(view)
        app.feed.show_pins((tweets[6],))
        view = replace(view, tweets=view.tweets[:3])
        app.feed.show(view)
        await pilot.pause()
        assert not any("tweet number 7" in line for line in shown_lines(app.feed))
        app.feed.toggle_pins_only()
        await pilot.pause()
        assert shown_lines(app.feed)[0].endswith("tweet number 7")
        app.feed.toggle_pins_only()
        app.feed.show(view_of([tweet("written anew", 8)], view))
        await pilot.pause()
        assert [line[12:].strip("0.8 ●24") for line in shown_lines(app.feed)[3:5]] == ["tweet number 7", "written anew"]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("is_coloured", [False, True])
async def test_every_line_has_the_width_of_the_feed_whatever_it_is_written_with(
    size: tuple[int, int], is_coloured: bool
) -> None:
    app = FeedApp()
    async with app.run_test(size=size) as pilot:
        for number, text in enumerate(map(str.strip, STRANGE)):
            bits = tuple(float(place % 9) for place in range(len(text) + 1))
            app.feed.show(
                view_of(
                    [tweet("plain", 1), tweet(text, 2, char_bits=bits, novelty="copy")], RunView(num_tweets=2 * number)
                )
            )
            if is_coloured != app.feed.is_coloured:
                app.feed.toggle_colours()
            await pilot.pause()
            lines = [app.feed.render_line(y) for y in range(app.feed.num_rows)]
            for line in lines:
                assert line.cell_length == app.feed.size.width == sum(cell_len(segment.text) for segment in line)
            texts = [line.text for line in lines]
            indent = texts[0].index("plain")
            # cells and characters are the same before the text
            assert [text[indent - 1] for text in texts] == [" "] * len(texts)


async def test_colours_say_how_surprising_each_character_was() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        event = tweet("abcd", char_bits=(0.0, 0.0, 9.0, 4.0, 1.0))
        app.feed.show(view_of([event, tweet("old", 200)]))
        await pilot.pause()
        plain = [segment.text for segment in app.feed.render_line(0)]
        assert plain[-1].strip() == "abcd"
        app.feed.toggle_colours()
        await pilot.pause()
        pieces = list(app.feed.render_line(0))[-3:]
        assert [piece.text.strip() for piece in pieces] == ["ab", "c", "d"]
        assert len({piece.style for piece in pieces}) == 3
        assert pieces[1].style is not None
        assert pieces[1].style.underline
        assert list(app.feed.render_line(1))[-1].text.strip() == "old"
        assert app.feed.border_subtitle
        assert app.feed.border_subtitle.startswith("likely")
        app.feed.toggle_colours()
        assert [segment.text for segment in app.feed.render_line(0)] == plain
        assert not app.feed.border_subtitle

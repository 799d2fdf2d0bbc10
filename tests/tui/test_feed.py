"""The feed: wrapping in cells, following at the end only, text shown as it is, and cheap over thousands of tweets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from engine.events import TweetSampled
from tests.fakes import tweet
from tests.tui.conftest import until
from tui.run_view import RunView
from tui.state import MAX_TWEETS, apply
from tui.widgets.tweet_feed import TweetFeed
from tui.widgets.wrapping import WrappedTexts, wrap

SIZES = [(120, 40), (80, 24), (60, 20), (40, 12)]
TEXTS = st.text(st.sampled_from("ab c😍é日\u200d\ufe0f\u0301👩❤"), max_size=60)


class FeedApp(App[None]):
    """An app of one feed."""

    def compose(self) -> ComposeResult:
        yield TweetFeed()

    @property
    def feed(self) -> TweetFeed:
        return self.query_one(TweetFeed)


def view_of(tweets: list[TweetSampled], view: RunView | None = None) -> RunView:
    """Return the view after these tweets."""
    view = view or RunView()
    for event in tweets:
        view = apply(view, event)
    return view


def shown_lines(feed: TweetFeed) -> list[str]:
    """Return the lines of the feed that are in view."""
    return [feed.render_line(y).text.rstrip() for y in range(feed.scrollable_content_region.height)]


def numbered(first: int, last: int) -> list[TweetSampled]:
    return [tweet(f"tweet number {number}", number) for number in range(first, last + 1)]


@given(TEXTS, st.integers(1, 20))
def test_wrapping_loses_nothing_but_the_blanks_that_it_breaks_at(text: str, width: int) -> None:
    spans = wrap(text, width)
    assert spans[0][0] == 0
    assert spans[-1][1] == len(text)
    for (_, end), (start, _) in pairwise(spans):
        assert text[end:start] in {"", " "}


@given(TEXTS, st.integers(2, 20))
def test_no_wrapped_line_is_wider_than_its_column(text: str, width: int) -> None:
    for start, end in wrap(text, width):
        assert cell_len(text[start:end]) <= width or end - start == 1


@given(st.lists(TEXTS, max_size=12), st.integers(1, 30), st.data())
def test_lines_are_found_as_if_all_were_in_one_list(texts: list[str], width: int, data: st.DataObject) -> None:
    wrapped = WrappedTexts(width)
    wrapped.extend(texts[:5])
    wrapped.extend(texts[5:])
    entries = data.draw(st.lists(st.integers(0, len(texts) - 1) | TEXTS if texts else TEXTS, max_size=12))
    wrapped = wrapped.rearranged(entries)
    wrapped.extend(["one more"])
    now = [*(texts[entry] if isinstance(entry, int) else entry for entry in entries), "one more"]
    lines = [(index, line) for index, text in enumerate(now) for line in range(len(wrap(text, width)))]
    assert wrapped.texts == now
    assert [wrapped.locate(line) for line in range(wrapped.num_lines)] == lines
    assert [wrapped.span(*at) for at in lines] == [span for text in now for span in wrap(text, width)]
    assert [number for index in range(len(now)) for number in wrapped.lines_of(index)] == [*range(len(lines))]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_newest_tweet_is_in_view_and_old_ones_can_be_reached(size: tuple[int, int]) -> None:
    app = FeedApp()
    async with app.run_test(size=size) as pilot:
        app.feed.show(view_of(numbered(1, 300)))
        await until(lambda: "tweet number 300" in shown_lines(app.feed)[-1])
        await pilot.press("home")
        await until(lambda: shown_lines(app.feed)[0].endswith("tweet number 1"))
        await pilot.press("end")
        await until(lambda: "tweet number 300" in shown_lines(app.feed)[-1])


async def test_feed_follows_only_at_the_end() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        view = view_of(numbered(1, 100))
        app.feed.show(view)
        await until(lambda: "tweet number 100" in shown_lines(app.feed)[-1])
        await pilot.press("up", "up", "up")
        await until(lambda: not app.feed.is_following)
        before = shown_lines(app.feed)
        view = view_of(numbered(101, 112), view)
        app.feed.show(view)
        await pilot.pause()
        assert shown_lines(app.feed) == before
        assert app.feed.border_subtitle == "12 new below · end"
        await pilot.press("end")
        await until(lambda: "tweet number 112" in shown_lines(app.feed)[-1])
        assert not app.feed.border_subtitle
        app.feed.show(view_of(numbered(113, 113), view))
        await until(lambda: "tweet number 113" in shown_lines(app.feed)[-1])


async def test_scrolling_back_to_the_end_by_lines_follows_again() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed.show(view_of(numbered(1, 100)))
        await until(lambda: "tweet number 100" in shown_lines(app.feed)[-1])
        await pilot.press("up", "down")
        await until(lambda: app.feed.is_following)


async def test_reader_keeps_the_place_when_old_tweets_are_thinned() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        many = tuple(numbered(1, MAX_TWEETS))
        view = RunView(tweets=many, num_tweets=MAX_TWEETS)
        app.feed.show(view)
        app.feed.show_step(2000)
        await until(lambda: any(line.endswith("tweet number 2000") for line in shown_lines(app.feed)))
        before = shown_lines(app.feed)
        view = view_of(numbered(MAX_TWEETS + 1, MAX_TWEETS + 50), view)
        assert len(view.tweets) < MAX_TWEETS
        app.feed.show(view)
        await pilot.pause()
        assert shown_lines(app.feed) == before
        await pilot.press("up")
        await until(lambda: app.feed.selected == many[1998])


async def test_thinning_leaves_what_is_followed_where_it_is() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        view = RunView(tweets=tuple(numbered(1, MAX_TWEETS)), num_tweets=MAX_TWEETS)
        app.feed.show(view)
        await pilot.pause()
        before = shown_lines(app.feed)
        view = view_of(numbered(MAX_TWEETS + 1, MAX_TWEETS + 1), view)
        app.feed.show(view)
        await pilot.pause()
        after = shown_lines(app.feed)
        assert after[:-1] == before[1:]
        assert after[-1].endswith(f"tweet number {MAX_TWEETS + 1}")
        assert app.feed.virtual_size.height == len(view.tweets)


async def test_tweets_taken_back_by_a_checkpoint_leave_the_feed() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        view = view_of(numbered(1, 60))
        app.feed.show(view)
        app.feed.show(replace(view, tweets=view.tweets[:5]))
        await pilot.pause()
        shown = [line for line in shown_lines(app.feed) if line]
        assert len(shown) == 5
        assert shown[-1].endswith("tweet number 5")


HOSTILE = ["[/foo]", "[@click=app.bell]x[/]", "[red]not red[/red]", "$primary {x}", "back\\[slash", "\\"]


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_tweets_appear_literally(text: str) -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed.show(view_of([tweet(text)]))
        await pilot.pause()
        assert shown_lines(app.feed)[0].endswith(f"● 2.40  {text}")
        assert not any("@click" in segment.style.meta for segment in app.feed.render_line(0) if segment.style)


async def test_escape_sequences_never_reach_the_terminal() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed.show(view_of([tweet("a\x1b[31mb\x1b]0;title\x07c\x9b2Jd\u202ee\ud800")]))
        await pilot.pause()
        assert shown_lines(app.feed)[0].endswith("● 2.40  abc2Jde")


async def test_wide_characters_stay_inside_the_feed() -> None:
    app = FeedApp()
    async with app.run_test(size=(40, 12)) as pilot:
        app.feed.show(view_of([tweet("日本語テキスト" * 20), tweet("👩‍👩‍👧😍" * 40)]))
        await pilot.pause()
        for y in range(app.feed.size.height):
            assert app.feed.render_line(y).cell_length == app.feed.size.width


async def test_top_tweet_stays_at_the_top_over_a_resize() -> None:
    app = FeedApp()
    async with app.run_test(size=(120, 24)) as pilot:
        app.feed.show(view_of([tweet(f"{number} " + "many words " * 10, number) for number in range(200)]))
        await pilot.press("pageup", "pageup")
        await until(lambda: not app.feed.is_following)
        top = shown_lines(app.feed)[0]
        await pilot.resize_terminal(70, 24)
        await until(lambda: app.feed.size.width < 80)
        assert shown_lines(app.feed)[0].split()[:4] == [word for word in top.split() if word != "new"][:4]


async def test_a_new_tweet_paints_only_its_own_lines_while_there_is_room() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        view = view_of(numbered(1, 3))
        app.feed.show(view)
        await pilot.pause()
        painted: list[int] = []
        render_line = app.feed.render_line

        def watch(y: int) -> object:
            painted.append(y)
            return render_line(y)

        app.feed.render_line = watch  # type: ignore[method-assign, assignment]
        app.feed.show(view_of(numbered(4, 4), view))
        await pilot.pause()
        assert painted == [3]


async def test_a_long_tweet_hangs_under_its_own_text() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed.show(view_of([tweet("one two three four five six " * 6)]))
        await pilot.pause()
        first, second = shown_lines(app.feed)[:2]
        assert first.index("one") == len(second) - len(second.lstrip())


async def test_columns_stay_straight_when_steps_outgrow_theirs() -> None:
    app = FeedApp()
    async with app.run_test(size=(60, 20)) as pilot:
        long = "one two three four five six " * 6
        view = view_of([tweet(f"{long}0", 9)])
        app.feed.show(view)
        await pilot.pause()
        painted: list[int] = []
        render_line = app.feed.render_line

        def watch(y: int) -> object:
            painted.append(y)
            return render_line(y)

        app.feed.render_line = watch  # type: ignore[method-assign, assignment]
        app.feed.show(view_of([tweet(f"{long}1", 12_345_678)], view))
        await pilot.pause()
        assert 0 in painted
        lines = [line for line in shown_lines(app.feed) if line]
        starts = [
            min(line.index(word) for word in ("one", "two", "three", "four", "five", "six") if word in line)
            for line in lines
        ]
        assert len(set(starts)) == 1
        assert " ".join(line[starts[0] :] for line in lines) == f"{long}0 {long}1"
        assert {app.feed.render_line(y).cell_length for y in range(len(lines))} == {app.feed.size.width}


async def test_a_cut_tweet_ends_with_an_ellipsis() -> None:
    app = FeedApp()
    async with app.run_test(size=(80, 24)) as pilot:
        app.feed.show(view_of([tweet("never ending", reached_eos=False)]))
        await pilot.pause()
        assert shown_lines(app.feed)[0].endswith("never ending…")

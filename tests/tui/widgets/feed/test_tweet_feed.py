"""The feed: wrapping in cells, following at the end only, harmless text, and the surprise colours."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from engine.config.sampling import SamplingConfig
from engine.protocol.events import SamplingChanged, TweetDelayed, TweetSampled
from tests.fakes import run_started, tweet_sampled
from tests.tui.conftest import wait_until
from tui.formatting.cells import wrap
from tui.run.reducer import apply
from tui.run.training_events import MAX_TWEETS
from tui.run.view import RunView
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.feed.wrapping import WrappedTexts

TEXTS = st.text(st.sampled_from("ab c😍é日\u200d\ufe0f\u0301👩❤"), max_size=60)


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


@given(TEXTS, st.integers(1, 20))
def test_wrapped_lines_fit_and_lose_only_the_spaces_at_the_breaks(text: str, width: int) -> None:
    spans = wrap(text, width)
    assert (spans[0][0], spans[-1][1]) == (0, len(text))
    for (_, end), (start, _) in pairwise(spans):
        assert text[end:start] in {"", " "}
    if width > 1:
        assert all(cell_len(text[start:end]) <= width or end - start == 1 for start, end in spans)


@given(st.lists(TEXTS, max_size=12), st.integers(1, 30), st.data())
def test_lines_are_located_as_in_one_list(texts: list[str], width: int, data: st.DataObject) -> None:
    wrapped = WrappedTexts(width)
    wrapped.extend(texts[:5])
    wrapped.extend(texts[5:])
    entries = data.draw(st.lists(st.integers(0, len(texts) - 1) | TEXTS if texts else TEXTS, max_size=12))
    wrapped = wrapped.rebuilt(entries)
    wrapped.extend(["one more"])
    now = [*(texts[entry] if isinstance(entry, int) else entry for entry in entries), "one more"]
    lines = [(index, line) for index, text in enumerate(now) for line in range(len(wrap(text, width)))]
    assert wrapped.texts == now
    assert [wrapped.locate(line) for line in range(wrapped.num_lines)] == lines
    assert [wrapped.span(*at) for at in lines] == [span for text in now for span in wrap(text, width)]
    assert [number for index in range(len(now)) for number in wrapped.lines_of(index)] == [*range(len(lines))]


async def test_the_feed_follows_at_the_end_only() -> None:
    async with feed_of(numbered(1, 100)) as (feed, pilot, start):
        await ends_with(feed, 100)
        await pilot.press("home")
        await wait_until(lambda: shown_lines(feed)[0].endswith("tweet number 1"))
        before = shown_lines(feed)
        view = view_of(numbered(101, 112), start)
        feed.show(view)
        await pilot.pause()
        assert shown_lines(feed) == before
        assert feed.note == "12 new below · end"
        await pilot.press("end")
        await ends_with(feed, 112)
        assert not feed.note
        view = view_of(numbered(113, 113), view)
        feed.show(view)
        await ends_with(feed, 113)
        await pilot.press("pageup")
        await wait_until(lambda: feed.note == "end follows")
        await pilot.press("pagedown")
        await wait_until(lambda: not feed.note)
        feed.show(view_of(numbered(114, 114), view))
        await ends_with(feed, 114)


def full_view() -> RunView:
    """Return a view that is full: the next tweet thins the oldest."""
    return RunView(tweets=tuple(numbered(1, MAX_TWEETS)), num_tweets=MAX_TWEETS)


async def test_the_view_does_not_move_when_old_tweets_are_thinned() -> None:
    async with feed_of(full_view()) as (feed, pilot, start):
        feed.show_step(2000)
        await wait_until(lambda: any(line.endswith("tweet number 2000") for line in shown_lines(feed)))
        before = shown_lines(feed)
        view = view_of(numbered(MAX_TWEETS + 1, MAX_TWEETS + 50), start)
        assert len(view.tweets) < MAX_TWEETS
        feed.show(view)
        await pilot.pause()
        assert shown_lines(feed) == before
        await pilot.press("up")
        await wait_until(lambda: feed.chosen is not None and feed.chosen.step == 1999)


async def test_text_is_shown_without_control_characters_and_an_empty_one_is_marked() -> None:
    texts = {
        "[@click=app.bell]x[/] [/foo] $primary": "[@click=app.bell]x[/] [/foo] $primary",
        "a\x1b[31mb\x1b]0;title\x07c\x9b2Jd\u202ee\ud800": "abc2Jde",
        "": "(empty: <EOS> at once)",
        "(empty: <EOS> at once)": "(empty: <EOS> at once)",
    }
    async with feed_of(tweet_sampled(text, 3) for text in texts) as (feed, _, _):
        lines = [feed.render_line(y) for y in range(len(texts))]
        for line, shown in zip(lines, texts.values(), strict=True):
            assert re.fullmatch(rf" +3 ● {re.escape(shown)} +2\.40 ", line.text)
            assert not any("@click" in segment.style.meta for segment in line if segment.style)
        assert list(lines[2])[-2].style != list(lines[3])[-2].style, "a tweet that only says so looks different"


async def test_the_first_tweet_in_view_stays_first_after_a_resize() -> None:
    tweets = [tweet_sampled(f"{number} " + "many words " * 10, number) for number in range(200)]
    async with feed_of(tweets, size=(120, 24)) as (feed, pilot, _):
        await pilot.press("pageup", "pageup")
        await wait_until(lambda: feed.note, "the end left")
        top = shown_lines(feed)[0]
        await pilot.resize_terminal(70, 24)
        await wait_until(lambda: feed.size.width < 80)
        first = [word for word in top.split() if word != "new"][:4]
        await wait_until(lambda: shown_lines(feed)[0].split()[:4] == first, "the same tweet at the top")


STRANGE = [
    "👩\u200d👩\u200d👧\u200d👦 family ❤️ day " * 3,
    "日本語テキスト and some english " * 3,
    "שלום עולם שלום מה 123 שלום " * 3,
    "e\u0301e\u0301 combining a\u0308\u0323 marks " * 3,
    "\u0301 begins with a mark",
    "🇩🇪🇫🇷 flags 👍🏽 and tones",
]


@pytest.mark.parametrize("size", [(120, 40), (40, 12)], ids=str)
async def test_every_line_has_the_width_of_the_feed_in_any_script(size: tuple[int, int]) -> None:
    def coloured(text: str, step: int) -> TweetSampled:
        bits = tuple(float(place % 9) for place in range(len(text) + 1))
        return tweet_sampled(text, step, char_bits=bits, novelty="copy")

    texts = ["plain", *map(str.strip, STRANGE)]
    async with feed_of(coloured(text, step) for step, text in enumerate(texts)) as (feed, pilot, _):
        await pilot.resize_terminal(*size)
        for _ in range(2):
            feed.toggle_colours()
            await pilot.press("home")
            lines = [feed.render_line(y) for y in range(feed.num_rows)]
            for line in lines:
                assert line.cell_length == feed.size.width == sum(cell_len(segment.text) for segment in line)
            indent = lines[0].text.index("plain")
            # cells and characters are the same before the text
            assert {line.text[indent - 1] for line in lines} == {" "}


async def test_colours_show_the_surprise_of_each_character() -> None:
    event = tweet_sampled("abcd", char_bits=(0.0, 0.0, 9.0, 4.0, 1.0))
    async with feed_of([event, tweet_sampled("old", 200)]) as (feed, _, _):

        def pieces(y: int) -> list[Any]:
            return [(segment.text.strip(), segment.style) for segment in feed.render_line(y)]

        plain = pieces(0)
        assert plain[-2][0] == "abcd"
        feed.toggle_colours()
        texts, styles = zip(*pieces(0)[-4:-1], strict=True)
        assert texts == ("ab", "c", "d")
        assert len(set(styles)) == 3
        assert styles[1].underline
        assert pieces(1)[-2][0] == "old"
        assert "likely aaaaaa surprising" in feed.titles[1].plain
        feed.toggle_colours()
        assert pieces(0) == plain
        assert "likely" not in feed.titles[1].plain


async def test_underlined_surprise_ends_with_its_text() -> None:
    event = tweet_sampled("ab", char_bits=(0.0, 9.0, 9.0))
    for size in ((80, 24), (40, 12)):
        async with feed_of([event], size=size) as (feed, _, _):
            feed.toggle_colours()
            underlined = [part.text for part in feed.render_line(0) if part.style is not None and part.style.underline]
            assert underlined == ["b"]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
async def test_the_titles_say_what_is_shown_and_selected_and_fit_their_rule(width: int) -> None:
    tweets = [tweet_sampled("hi", step, novelty="copy" if step % 2 else "new") for step in range(1, 1300)]
    async with feed_of(tweets, size=(width, 24)) as (feed, pilot, _):

        def titles() -> tuple[str, str]:
            heading, facts = (title.plain for title in feed.titles)
            assert cell_len(heading) + cell_len(facts) <= width - 6
            return heading, facts

        assert titles()[0] == "tweets"
        assert "● 649" in titles()[1]
        assert ("● 649 new  ◐ 0 near-copies  ○ 650 copies  temp  bits" in titles()[1]) == (width >= 100)
        feed.show_pins((tweets[7],))
        await pilot.press("up", "up")
        assert ("step 1,298 selected · end follows" in titles()[1]) == (width >= 60)
        feed.toggle_colours()
        titles()
        feed.toggle_pins_only()
        assert titles()[0] == "pinned tweets only · K shows all"


async def test_an_added_tweet_repaints_those_tweets_only_that_are_less_bright_than_before() -> None:
    async with feed_of(numbered(1, 12)) as (feed, _, start):
        before = [feed.render_line(y) for y in range(12)]
        repainted = set[int]()
        feed.refresh_lines = lambda y, count=1: repainted.update(range(y, y + count))  # type: ignore[method-assign, assignment] # records
        feed.show(view_of(numbered(13, 13), start))
        changed = {y for y in range(12) if feed.render_line(y) != before[y]}
        assert changed == {6, 9, 11}
        assert repainted == {*changed, 12}


FILTERED = RunView(sampling=SamplingConfig(only_new=True))
DRAFTED = tweet_sampled("second", 2, num_drafts=30, refused=(("copy", 20), ("avoided word", 9)))
FAILING = tweet_sampled("third", 3, num_drafts=8, refused=(("too short", 8),), unmet=("too short",))


async def test_tweets_that_took_several_drafts_are_marked_in_a_column_of_their_own() -> None:
    start = view_of([tweet_sampled("first", 1)], FILTERED)
    async with feed_of(start) as (feed, pilot, _):
        assert shown_lines(feed)[0].endswith("1 ● first")
        feed.show(view_of([DRAFTED, FAILING], start))
        await pilot.pause()
        lines = shown_lines(feed)[:3]
        assert lines[1].endswith("2 ●+ second")
        assert lines[2].endswith("3 ●! third")
        assert lines[0].endswith("1 ●  first")
        style = next(style for text, style, _ in feed.render_line(2) if style and "!" in text)
        assert style.bold


async def test_the_rule_counts_the_drafts_of_the_current_filter_as_far_as_there_is_room() -> None:
    view = view_of([tweet_sampled("first", 1), DRAFTED, FAILING], FILTERED)
    async with feed_of(view, (140, 24)) as (feed, pilot, _):
        long = "2 of 39 drafts: 20 copies, 9 with avoided words, 8 too short  ! 1"
        assert feed.titles[1].plain == f"{long}  ● 3 new  ◐ 0 near-copies  ○ 0 copies  temp  bits"
        for width, expected in ((100, f"{long}  ● 3  temp  bits"), (60, "2 of 39 drafts  ! 1  ● 3  bits"), (40, "")):
            await pilot.resize_terminal(width, 24)
            await wait_until(lambda width=width: feed.size.width == width)  # type: ignore[misc]
            facts = feed.titles[1].plain
            assert facts == expected or (not expected and facts.startswith("2 of 39 drafts"))
        feed.toggle_pins_only()
        assert "drafts" not in feed.titles[1].plain, "pins are of any filter"
        feed.toggle_pins_only()
        another = SamplingChanged(step=3, elapsed_seconds=1.0, sampling=SamplingConfig(min_length=9))
        feed.show(apply(view, another))
        assert "drafts" not in feed.titles[1].plain, "another filter has refused nothing yet"


async def test_the_heading_shows_what_delays_the_next_tweet_until_it_has_come() -> None:
    view = view_of([DRAFTED], apply(RunView(), run_started()))
    async with feed_of(view, (80, 24)) as (feed, _, _):
        delayed = TweetDelayed(step=3, elapsed_seconds=1.0, num_drafts=16, max_drafts=32)
        feed.show(apply(view, delayed))
        assert feed.titles[0].plain == "tweets · draft 17 of 32"
        feed.show(apply(apply(view, delayed), FAILING))
        assert feed.titles[0].plain == "tweets"

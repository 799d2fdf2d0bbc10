"""The feed: wrapping in cells, following at the end only, its titles, and the colours of its lines."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot

from engine.config.sampling import SamplingConfig
from engine.protocol.events import SamplingChanged, TweetDelayed, TweetSampled
from tests.fakes import run_started, tweet_sampled
from tests.tui.conftest import wait_until
from tests.tui.widgets.feed.feed_app import FeedApp, ends_with, feed_of, numbered, shown_lines, view_of
from tui.formatting.cells import wrap
from tui.run.reducer import apply
from tui.run.training_events import MAX_TWEETS
from tui.run.view import RunView
from tui.widgets.feed.surprise import STEP_BITS
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.feed.wrapping import WrappedTexts

TEXTS = st.text(st.sampled_from("ab c😍é日\u200d\ufe0f\u0301👩❤"), max_size=60)


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


async def test_the_view_does_not_move_when_old_tweets_are_thinned() -> None:
    full = RunView(tweets=tuple(numbered(1, MAX_TWEETS)), num_tweets=MAX_TWEETS)
    async with feed_of(full) as (feed, pilot, start):
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


async def test_every_line_has_the_width_of_the_feed_in_any_script() -> None:
    def coloured(text: str, step: int) -> TweetSampled:
        bits = tuple(float(place % 9) for place in range(len(text) + 1))
        return tweet_sampled(text, step, char_bits=bits, novelty="copy")

    texts = ["plain", *map(str.strip, STRANGE)]
    async with feed_of(coloured(text, step) for step, text in enumerate(texts)) as (feed, pilot, _):
        for size in ((120, 40), (40, 12)):
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


DRAFTED = tweet_sampled("second", 2, num_drafts=30, refused=(("copy", 20), ("avoided word", 9)))
FAILING = tweet_sampled("third", 3, num_drafts=8, refused=(("too short", 8),), unmet=("too short",))
FILTERED = view_of([tweet_sampled("first", 1)], RunView(sampling=SamplingConfig(only_new=True)))


@pytest.mark.parametrize("is_coloured", [False, True], ids=["plain", "surprise"])
def test_colours_show_age_novelty_pin_selection_and_surprise(
    snap_compare: Callable[..., bool], is_coloured: bool
) -> None:
    """Tweets without bits per character stay plain; one that fails the filter and an empty one look different."""
    bits = (0.0, *STEP_BITS, 9.0, 0.0)
    known = [tweet_sampled("abcdefg", 4 + number, char_bits=bits, novelty="copy") for number in range(6)]
    others = [
        tweet_sampled("", 10),
        tweet_sampled("(empty: <EOS> at once)", 11),
        tweet_sampled("end", 12, char_bits=bits),
    ]

    async def show(pilot: Pilot[None]) -> None:
        feed = pilot.app.query_one(TweetFeed)
        feed.show(view_of([DRAFTED, FAILING, *known, *others], FILTERED))
        feed.show_pins((known[0],))
        await pilot.press(*["up"] * 5)
        if is_coloured:
            feed.toggle_colours()
        await pilot.pause()

    assert snap_compare(FeedApp(), terminal_size=(64, 12), run_before=show)


async def test_tweets_that_took_several_drafts_widen_the_column_of_their_marks() -> None:
    async with feed_of(FILTERED) as (feed, pilot, _):
        assert shown_lines(feed)[0].endswith("1 ● first")
        feed.show(view_of([DRAFTED, FAILING], FILTERED))
        await pilot.pause()
        assert [line.split(maxsplit=1)[1] for line in shown_lines(feed)[:3]] == ["●  first", "●+ second", "●! third"]


async def test_the_titles_show_counts_drafts_and_selection_as_far_as_there_is_room(snapshot: SnapshotAssertion) -> None:
    sampling = SamplingConfig(only_new=True)
    start = apply(RunView(sampling=sampling), run_started(sampling=sampling))
    filtered = view_of([tweet_sampled("first", 1), DRAFTED, FAILING], start)
    delayed = apply(filtered, TweetDelayed(step=3, elapsed_seconds=1.0, num_drafts=16, max_drafts=32))
    other_filter = SamplingChanged(step=3, elapsed_seconds=1.0, sampling=SamplingConfig(min_length=9))
    many = [tweet_sampled("hi", step, novelty="copy" if step % 2 else "new") for step in range(4, 1300)]
    lines: list[str] = []
    async with feed_of(filtered, (200, 24)) as (feed, pilot, _):

        async def note(what: str) -> None:
            for width in (200, 140, 100, 80, 60, 40):
                await pilot.resize_terminal(width, 24)
                await wait_until(lambda: feed.size.width == width)  # noqa: B023 - awaited at once
                heading, facts = (title.plain for title in feed.titles)
                assert cell_len(heading) + cell_len(facts) <= width - 6
                lines.append(f"{what:>12} {width:3}: {heading} ── {facts}".rstrip())

        await note("drafts")
        feed.show(delayed)
        await note("delayed")
        feed.toggle_pins_only()
        await note("pins")
        feed.toggle_pins_only()
        feed.show(view_of(many, apply(filtered, other_filter)))
        await note("other filter")
        await pilot.press("up", "up")
        await note("selected")
        feed.toggle_colours()
        await note("coloured")
    assert "\n".join(lines) == snapshot


async def test_an_added_tweet_repaints_those_tweets_only_that_are_less_bright_than_before() -> None:
    async with feed_of(numbered(1, 12)) as (feed, _, start):
        before = [feed.render_line(y) for y in range(12)]
        repainted = set[int]()
        feed.refresh_lines = lambda y, count=1: repainted.update(range(y, y + count))  # type: ignore[method-assign, assignment] # records
        feed.show(view_of(numbered(13, 13), start))
        changed = {y for y in range(12) if feed.render_line(y) != before[y]}
        assert changed == {6, 9, 11}
        assert repainted == {*changed, 12}

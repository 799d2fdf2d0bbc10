"""The feed: its columns and colours, what it wraps, and what it shows while tweets come and keys move through it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, split_graphemes
from syrupy.assertion import SnapshotAssertion
from textual.app import ComposeResult
from textual.pilot import Pilot

from engine.config.sampling import SamplingConfig
from engine.protocol.events import TweetDelayed, TweetSampled
from engine.text import sanitize_line
from tests.fakes import run_started, settings_changed, tweet_sampled
from tests.tui.conftest import drawn, idle, wait_until
from tests.tui.test_states import picture_text, theme_colours
from tests.tui.transcripts import Step, plays, set_up
from tui.run import fold as training_events
from tui.run.fold import fold
from tui.run.view import RunView
from tui.terminal.app import TerminalApp
from tui.terminal.private import update_screen
from tui.text.cells import num_cells, plain, wrap
from tui.text.tweets import NOVELTY_GLYPHS, shown_text
from tui.widgets.feed.columns import STEP_BITS, FeedColumns, runs_by_surprise
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.feed.model import FeedModel

TEXTS = st.text(st.sampled_from("ab c😍é日שع\u200d\ufe0f\u0301👩❤"), max_size=60)


@given(TEXTS, st.integers(1, 20))
def test_wrapped_lines_fit_and_lose_only_the_spaces_at_the_breaks(text: str, width: int) -> None:
    spans = wrap(text, width)
    assert (spans[0][0], spans[-1][1]) == (0, len(text))
    for (_, end), (start, _) in pairwise(spans):
        assert text[end:start] in {"", " "}
    if width > 1:
        assert all(cell_len(text[start:end]) <= width or end - start == 1 for start, end in spans)


@given(st.lists(TEXTS, max_size=12), st.integers(1, 30), st.integers(1, 30), st.data())
def test_lines_are_located_as_in_one_list(texts: list[str], width: int, other_width: int, data: st.DataObject) -> None:
    """After tweets are added, pinned, thinned, taken back by a load, and wrapped to another width."""
    tweets = tuple(tweet_sampled(text, step) for step, text in enumerate(texts))
    pins = tuple(tweet for tweet in tweets if data.draw(st.booleans()))
    kept = tuple(tweet for tweet in tweets if data.draw(st.booleans()))
    more = tweet_sampled("one more", len(texts))
    model = FeedModel()
    model.rewrap(width)
    model.update(tweets[:5], min(len(texts), 5), ())
    model.update(tweets, len(texts), ())
    model.set_pins(pins, ())
    model.update(kept, len(texts), ())
    model.rewrap(other_width)
    model.update((*kept, more), len(texts) + 1, ())
    shown = [tweet for tweet in (*tweets, more) if tweet in {*kept, *pins, more}]
    wrapped = [wrap(shown_text(tweet), other_width) for tweet in shown]
    lines = [(index, line) for index, spans in enumerate(wrapped) for line in range(len(spans))]
    assert model.tweets == shown
    assert [text.lines for text in model.texts] == wrapped
    assert [model.locate(line) for line in range(model.num_lines)] == lines
    assert [number for index in range(len(shown)) for number in model.lines_of(index)] == [*range(len(lines))]
    assert model.num_by_novelty.total() == len(shown)


@given(
    width=st.sampled_from([117, 77, 57, 39]),
    text=TEXTS,
    bits=st.floats(0, 1e6),
    novelty=st.sampled_from(sorted(NOVELTY_GLYPHS)),
    temperature=st.floats(0.05, 5),
    is_selected=st.booleans(),
    is_pinned=st.booleans(),
)
def test_the_text_has_the_same_cells_whatever_the_columns_contain(
    width: int, is_selected: bool, is_pinned: bool, bits: float, **drawn: Any
) -> None:
    columns = FeedColumns(width, 6)
    tweet = tweet_sampled(step=99_999, bits_per_char=bits, **drawn)
    before = columns.before_text(tweet, "facts", is_selected=is_selected, is_pinned=is_pinned)
    assert num_cells(before) == columns.indent
    assert columns.indent + columns.text_width + cell_len(columns.after_text(tweet)) == width


@given(TEXTS, st.data())
def test_runs_by_surprise_add_up_to_the_text_and_a_grapheme_is_as_surprising_as_its_worst_character(
    text: str, data: st.DataObject
) -> None:
    text = sanitize_line(text)
    bits = data.draw(st.lists(st.floats(0, 20), min_size=len(text), max_size=len(text)))
    runs = list(runs_by_surprise(text, bits))
    graphemes = [(text[start:end], max(bits[start:end])) for start, end, _ in split_graphemes(text)[0]]
    steps = [(grapheme, bisect_right(STEP_BITS, worst)) for grapheme, worst in graphemes]
    grouped = groupby(steps, key=itemgetter(1))
    assert runs == [("".join(grapheme for grapheme, _ in group), step) for step, group in grouped]


# In an app of one feed ------------------------------------------------------------------------------------------------


class FeedApp(TerminalApp[None]):
    """An app of one feed that records the texts of opened tweets."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    def compose(self) -> ComposeResult:
        yield TweetFeed()

    def on_tweet_feed_opened(self, event: TweetFeed.Opened) -> None:
        self.opened.append(event.tweet.text)


@asynccontextmanager
async def feed_of(view: RunView, size: tuple[int, int]) -> AsyncIterator[tuple[TweetFeed, Pilot[None]]]:
    """Show tweets in a feed; yield it after its layout, with its pilot."""
    app = FeedApp()
    async with app.run_test(size=size) as pilot:
        feed = app.query_one(TweetFeed)
        feed.show(view)
        await settle(feed)
        yield feed, pilot


async def settle(feed: TweetFeed) -> None:
    """Wait until keys and messages have had their effects, and the screen is laid out."""
    await idle()
    update_screen(feed.screen)
    await idle()


def view_of(tweets: Iterable[TweetSampled], view: RunView | None = None) -> RunView:
    return fold(view or RunView(), tweets)


def numbered(first: int, last: int) -> list[TweetSampled]:
    return [tweet_sampled(f"tweet number {number}", number) for number in range(first, last + 1)]


def state(feed: TweetFeed) -> str:
    """Return the first and the last line in view, those highlighted, the note, and what was opened.

    Each line has the width of the feed, and cells and characters are the same before the text.
    """
    background = feed.get_component_rich_style("line--marked").bgcolor
    lines, marked = [], []
    for line in map(feed.render_line, range(feed.num_rows)):
        assert line.cell_length == feed.size.width == sum(cell_len(segment.text) for segment in line)
        assert feed.chosen is None or line.text[feed._columns.indent - 1] == " "
        lines.append(" ".join(line.text.split()))
        if all(part.style and part.style.bgcolor == background for part in line):
            marked.append(lines[-1])
    shown = [line for line in lines if line]
    opened = getattr(feed.app, "opened", [])
    return f"{shown[0]} to {shown[-1]}, marked {marked}, note {feed.note!r}{f', opened {opened}' if opened else ''}"


MOST = 400
FULL = RunView(tweets=tuple(numbered(1, MOST)), num_tweets=MOST)
LONG = [tweet_sampled(f"{number} " + "many words " * 10, number) for number in range(60)]
STEPS = sorted([*range(100, 30_000, 100), 5000, 5000])
OF_STEPS = [tweet_sampled(f"tweet {number} of step {step}", step) for number, step in enumerate(STEPS)]
DRAFTED = tweet_sampled("second", 2, num_drafts=30, refused=(("copy", 20), ("avoided word", 9)))
FAILING = tweet_sampled("third", 3, num_drafts=8, refused=(("too short", 8),), unmet=("too short",))
FILTERED = view_of([tweet_sampled("first", 1)], RunView(sampling=SamplingConfig(only_new=True)))
STRANGE = [
    "plain",
    "👩\u200d👩\u200d👧\u200d👦 family ❤️ day " * 3,
    "日本語テキスト and some english " * 3,
    "שלום עולם שלום מה 123 שלום " * 3,
    "e\u0301e\u0301 combining a\u0308\u0323 marks " * 3,
    "\u0301 begins with a mark",
    "🇩🇪🇫🇷 flags 👍🏽 and tones",
]
COLOURED = [
    tweet_sampled(text.strip(), step, novelty="copy", char_bits=[place % 9.0 for place in range(len(text.strip()) + 1)])
    for step, text in enumerate(STRANGE)
]
PLAYS = plays("feed", globals())
SET_UP: dict[str, RunView] = {
    "keys select": view_of(numbered(1, 60)),
    "the feed follows": view_of(numbered(1, 100)),
    "the feed does not follow": view_of(numbered(1, 3)),
    "the plot's cursor": view_of(OF_STEPS),
    "the view does not move": FULL,
    "the first tweet in view": view_of(LONG),
    "tweets that took": FILTERED,
    "every line has": view_of(COLOURED),
}


async def take(step: Step, feed: TweetFeed, pilot: Pilot[None]) -> None:
    """Do what the plot, the pointer or the terminal does, add a tweet or "tweets FIRST LAST", or press keys."""
    before = RunView(tweets=feed._model.view_tweets, num_tweets=feed._model.num_generated)
    match step.split() if isinstance(step, str) else step:
        case TweetSampled() as tweet:
            feed.show(view_of([tweet], before))
        case ["tweets", first, last]:
            feed.show(view_of(numbered(int(first), int(last)), before))
        case ["resize", width, height]:
            await pilot.resize_terminal(int(width), int(height))
            await wait_until(lambda: feed.size == (int(width), int(height)))
        case ["cursor", at]:
            feed.show_step(None if at == "none" else int(at))
        case ["colours"]:
            feed.action_colours()
        case [*double, "click", row]:
            await pilot.click(TweetFeed, offset=(30, int(row)), times=2 if double else 1)
        case ["scroll", *_]:
            feed.scroll_end(animate=False, immediate=True)
            feed.scroll_home(animate=False, immediate=True)
        case [*keys]:
            for key in keys:
                feed.app.simulate_key(key)
                await idle()
    await settle(feed)


@pytest.mark.parametrize("claim", PLAYS)
async def test_what_is_in_view_after_each_step(
    claim: str, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_events, "MAX_TWEETS", MOST)
    async with feed_of(set_up(SET_UP, claim, RunView()), (80, 14)) as (feed, pilot):
        lines = [state(feed)]
        for step in PLAYS[claim]:
            await take(step, feed, pilot)
            lines.append(f"{step if isinstance(step, str) else 'one more':.40}: {state(feed)}")
    assert "\n".join(lines) == snapshot


async def test_colours_show_age_novelty_pin_selection_and_surprise(snapshot: SnapshotAssertion) -> None:
    """A tweet stays plain unless each character has its bits; one that fails the filter and an empty one differ."""
    bits = (0.0, *STEP_BITS, 9.0, 0.0)
    known = [tweet_sampled("abcdefg", 4 + number, char_bits=bits, novelty="copy") for number in range(6)]
    others = [
        tweet_sampled("", 10),
        tweet_sampled("(empty: <EOS> at once)", 11),
        tweet_sampled("end", 12, char_bits=bits),
        tweet_sampled("a\x1b[0mbcd", 13, char_bits=(*bits, 9.0)),
        tweet_sampled("abcdefg", 14, char_bits=bits[:7], reached_eos=False),
    ]
    async with feed_of(view_of([DRAFTED, FAILING, *known, *others], FILTERED), (64, 14)) as (feed, pilot):
        feed.show_pins((known[0],))
        await take("up " * 7, feed, pilot)
        for name in ("plain", "surprise"):
            picture = picture_text(drawn(feed.app), theme_colours(feed.app), feed.app.size)
            assert picture == snapshot(name=name)
            await take("colours", feed, pilot)


async def test_the_titles_show_counts_drafts_and_selection_as_far_as_there_is_room(snapshot: SnapshotAssertion) -> None:
    start = fold(RunView(), [run_started(sampling=SamplingConfig(only_new=True))])
    filtered = view_of([tweet_sampled("first", 1), DRAFTED, FAILING], start)
    delayed = fold(filtered, [TweetDelayed(step=3, elapsed_seconds=1.0, num_drafts=16, max_drafts=32)])
    other_filter = settings_changed(3, min_length=9, only_new=False)
    many = [tweet_sampled("hi", step, novelty="copy" if step % 2 else "new") for step in range(4, 1300)]
    lines: list[str] = []
    async with feed_of(filtered, (200, 24)) as (feed, pilot):

        async def note(what: str, *widths: int) -> None:
            for width in widths or (200, 100, 80, 60, 40):
                await take(f"resize {width} 24", feed, pilot)
                heading, facts = feed.titles[0], plain([feed.titles[1]])
                assert cell_len(heading) + cell_len(facts) <= width - 6
                lines.append(f"{what:>12} {width:3}: {heading} ── {facts}".rstrip())

        await note("drafts")
        feed.show(delayed)
        await note("delayed")
        feed.action_pins_only()
        await note("pins", 40)
        feed.action_pins_only()
        feed.show(fold(filtered, [other_filter, *many]))
        await note("other filter")
        await take("up up", feed, pilot)
        await note("selected", 100, 60, 40)
        feed.action_colours()
        await note("coloured")
    assert "\n".join(lines) == snapshot


async def test_an_added_tweet_repaints_those_tweets_only_that_are_less_bright_than_before() -> None:
    start = view_of(numbered(1, 12))
    async with feed_of(start, (80, 24)) as (feed, _):
        before = [feed.render_line(y) for y in range(12)]
        repainted = set[int]()
        feed.refresh = lambda *regions: repainted.update(region.y for region in regions)  # type: ignore[method-assign, assignment] # records
        feed.show(view_of(numbered(13, 13), start))
        changed = {y for y in range(12) if feed.render_line(y) != before[y]}
        assert changed == {6, 9, 11}
        assert repainted == {*changed, 12}

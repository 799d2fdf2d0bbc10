"""Single tweets: the dialog of one, and the filter of new ones, set and used by keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from syrupy.assertion import SnapshotAssertion
from textual.app import ComposeResult
from textual.events import Key

from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, change, run_started, steps_finished, tweet_read, tweet_sampled
from tests.tui.conftest import SCRIPT, Answering, Running, Stage, opened, refused
from tests.tui.transcripts import Entry, Step, Typed, plays, set_up, transcript
from tui.dialogs.settings import FilterDialog
from tui.terminal.app import TerminalApp
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.feed.tweet_text import TweetText

BITS = (1.0, 0.1, 0.2, 0.3, 4.0, 9.0, 2.0, 0.5, 0.25, 1.5)
OF_FEED = tweet_sampled("hello you", 3, char_bits=BITS, copied_share=0.25)
STEPS = steps_finished(1, [4.5, 4.2, 4.0])
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
OVER = e.RunFinished(reason="stopped", total_seconds=1.0, total_chars=9, **NOW)


def run_of(*tweets: e.TweetSampled, **sampling: Any) -> FakeSession:
    return FakeSession((STEPS, *tweets), run_started(sampling=SamplingConfig(**sampling)))


# The dialog of a tweet ------------------------------------------------------------------------------------------------

OTHERS = (
    tweet_sampled("", 3, char_bits=(0.25,)),
    structs.replace(OF_FEED, text="a word " * 30 + "end", char_bits=()),
    structs.replace(OF_FEED, novelty="copy"),
    structs.replace(OF_FEED, num_drafts=32, refused=(("copy", 32),), unmet=("copy", "too short")),
    structs.replace(OF_FEED, num_drafts=12, refused=(("copy", 8), ("avoided word", 1))),
)
NOT_READ = refused("ReadTweet", "It has gone wrong.")
ANOTHER = tweet_read("quite another text", step=101)
PLAYS = plays("tweet", globals())
SET_UP: dict[str, FakeSession] = {
    "the cursor shows": run_of(OF_FEED),
    "drafts the filter": run_of(*OTHERS),
    "a prime of the maximum": run_of(OF_FEED, max_length=9),
    "a refused reading": Answering(c.ReadTweet, NOT_READ, ANOTHER, script=(STEPS, OF_FEED)),
}


def clipboard_and_pins(at: Running) -> str:
    texts = at.app.screen.query(TweetText)
    coloured = "" if all(text.is_coloured for text in texts) else ", no colours"
    pins = [pin.text for pin in at.app.pins.tweets]
    prime = at.app.summary_view.sampling.prime
    return f"clipboard {at.app.clipboard!r}, pins {pins}, prime {prime!r}{coloured}"


@pytest.mark.parametrize("claim", PLAYS)
async def test_a_tweet_is_read_and_used_by_keys_as_recorded(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    async with stage.running(set_up(SET_UP, claim, FakeSession())) as at:
        assert await transcript(at, *PLAYS[claim], note=clipboard_and_pins) == snapshot


class TextApp(TerminalApp[None]):
    """A tweet with its cursor on the second character, in the colours of its surprise and without."""

    def compose(self) -> ComposeResult:
        for is_coloured in (True, False):
            text = TweetText("hello you", has_ended=True, num_prompt_chars=1)
            text.show_bits(BITS)
            text.cursor, text.is_coloured = 1, is_coloured
            yield text


def test_the_characters_of_a_tweet_have_the_colours_of_their_surprise(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(TextApp(), terminal_size=(20, 3))


async def test_before_the_first_tweet_y_says_why_then_enter_twice_opens_one_dialog_a_click_moves_and_n_follows(
    stage: Stage,
) -> None:
    session = FakeSession()
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Running(app, pilot, session)
        await opened(app, "MainScreen")
        assert "toast: There is no tweet yet: g samples one." in await transcript(at, "y")
        await at.emit(STEPS, OF_FEED)
        feed = app.screen.query_one(TweetFeed)
        await at.press("up")
        for _ in range(2):
            app.post_message(Key("enter", None))
        await at.press(opens="TweetDialog", shows="2.00 bits at step 3")
        assert app.screen_stack[1:] == [app.main, app.screen]
        assert feed.is_highlighting
        await pilot.click(TweetText, offset=(3, 0))
        assert app.screen.query_one(TweetText).cursor == 3
        await at.press("n", opens="MainScreen", sends=c.SampleNow(prime="hel"))
        assert feed.chosen == app.summary_view.tweets[-1]
        assert not feed.is_highlighting


# The filter of tweets -------------------------------------------------------------------------------------------------


def setting(name: str, *texts: str) -> Iterator[Step]:
    """Yield the steps that open the line of a setting and enter each text."""
    yield from (Entry(name), "enter")
    for text in texts:
        yield from (Typed(text), "enter")


TOO_MANY_WORDS = Typed("x" * 10_000)
SHORTER = e.SettingsChanged(settings={"max_length": 20, "min_length": 0, "prime": "x" * 15}, epochs=0.5, **NOW)
FILTERS = plays("filter", globals())
SAMPLINGS = {
    "del restores": SamplingConfig(avoid=("rain",), max_length=300, min_length=200),
    "enter on an unchanged": SamplingConfig(must_contain=" art", avoid=("tea",), prime="no rain "),
}


@pytest.mark.parametrize("claim", FILTERS)
async def test_the_filter_is_set_by_keys_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    sampling = set_up(SAMPLINGS, claim, SamplingConfig())
    async with stage.running(FakeSession(SCRIPT, run_started(sampling=sampling))) as at:
        assert await transcript(at, *FILTERS[claim]) == snapshot


async def test_avoided_words_come_from_a_file_and_a_refusal_is_shown_in_a_filter_that_is_drawn(
    stage: Stage, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    path = tmp_path / "words.txt"
    path.write_text("@anna\nrain\n")
    session = Answering(c.ChangeSettings, script=(STEPS, OF_FEED))
    async with stage.running(session) as at:
        at.app.main.action_filter()
        assert isinstance(at.app.screen, FilterDialog)
        assert not at.app.screen.shows(refused("ChangeSettings", "No.", settings=("avoid",))), "it is not drawn yet"
        await opened(at.app, "FilterDialog")
        await at.emit(refused("ChangeSettings", "No 寿.", settings=("avoid",)))
        await at.press(shows="No 寿.", opens="FilterDialog")
        await transcript(at, *setting("avoid", f"@{path}"))
        await at.press(shows="2: @anna, rain  *")
        await transcript(at, "enter", "end", *",tea", "enter")
        [_, changed] = session.received
        assert changed == change(avoid=("@anna", "rain", "tea"))
        session.answers.append(refused("ChangeSettings", "No 寿.", settings=("must_contain",)))
        assert await transcript(at, *setting("must_contain", "寿"), "escape", OVER, "/") == snapshot

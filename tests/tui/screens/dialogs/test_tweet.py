"""The dialog of one tweet: cursor, alternatives, keys, and its content without a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.app import App, ComposeResult
from textual.events import Key

from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started, steps_finished, tweet_read, tweet_sampled
from tests.tui.conftest import Running, Stage, opened
from tests.tui.transcripts import Size, Step, transcript
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.feed.tweet_text import TweetText

BITS = (1.0, 0.1, 0.2, 0.3, 4.0, 9.0, 2.0, 0.5, 0.25, 1.5)
OF_FEED = tweet_sampled("hello you", 3, char_bits=BITS, copied_share=0.25)
STEPS = steps_finished(1, [4.5, 4.2, 4.0])
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
OVER = e.RunFinished(reason="stopped", total_seconds=1.0, total_chars=9, **NOW)


def run_of(*tweets: e.TweetSampled, **sampling: Any) -> FakeSession:
    return FakeSession((STEPS, *tweets), run_started(sampling=SamplingConfig(**sampling)))


class Answering(FakeSession):
    """Answers `ReadTweet` with one event."""

    def __init__(self, answer: e.Event) -> None:
        super().__init__((STEPS, OF_FEED))
        self._fixed = answer

    def answer(self, command: c.Command) -> e.Event:
        return self._fixed if isinstance(command, c.ReadTweet) else super().answer(command)


def drafted(**changes: Any) -> e.TweetSampled:
    return replace(OF_FEED, **changes)


REFUSED = e.CommandRefused(command="ReadTweet", title="t", detail="It has gone wrong.", hint="", **NOW)
PASSING = drafted(num_drafts=12, refused=(("copy", 8), ("avoided word", 1)))
FAILING = drafted(num_drafts=32, refused=(("copy", 32),), unmet=("copy", "too short"))
TO_FIFTH = "right right right right right"
PLAYS: dict[str, tuple[FakeSession, tuple[Step, ...]]] = {
    "bits and alternatives at the cursor": (
        run_of(OF_FEED),
        ("enter", "right", "end", "home left", Size(40, 12), "pagedown pagedown"),
    ),
    "up and down move over lines": (
        run_of(drafted(text="a word " * 30 + "end", char_bits=())),
        ("enter", "right right right", "down", "up"),
    ),
    "which drafts the filter refused": (run_of(PASSING), (Size(120, 40), "enter")),
    "what a tweet that fails the filter lacks": (run_of(FAILING), (Size(120, 40), "enter")),
    "what the comparison of a copy ignores": (run_of(drafted(novelty="copy")), ("enter",)),
    "y copies, k pins and unpins, c colours": (run_of(OF_FEED), ("enter", "y", "k", "k", "c", "c")),
    "P sets the prime, n samples with it, and on the main screen P clears it": (
        run_of(OF_FEED),
        ("enter", TO_FIFTH, "P", "n", "P", "P"),
    ),
    "P a second time clears the prime": (run_of(OF_FEED), ("enter", TO_FIFTH, "P", "P")),
    "a prime of the maximum length sends no command": (run_of(OF_FEED, max_length=9), ("enter", "end", "P", "n")),
    "an empty tweet is labelled and sends no command": (run_of(tweet_sampled("", 3, char_bits=(0.25,))), ("enter",)),
    "after the end of the run the bits are those stored with the tweet": (run_of(OF_FEED), (OVER, "enter", "P")),
    "a refused reading": (Answering(REFUSED), ("enter",)),
    "an answer about another tweet is not shown, and the end of the run is": (
        Answering(tweet_read("quite another text", step=101)),
        ("enter", OVER),
    ),
    "on the main screen y copies the selected tweet, or else the newest": (
        run_of(tweet_sampled("the first", 3), tweet_sampled("the second", 4)),
        ("y", "up up y"),
    ),
}


def clipboard_and_pins(at: Running) -> str:
    texts = at.app.screen.query(TweetText)
    coloured = "" if all(text.is_coloured for text in texts) else ", no colours"
    main = next(screen for screen in at.app.screen_stack if isinstance(screen, MainScreen))
    pins = [pin.text for pin in main.pins_and_export.pins]
    prime = at.app.summary_view.sampling.prime
    return f"clipboard {at.app.clipboard!r}, pins {pins}, prime {prime!r}{coloured}"


@pytest.mark.parametrize("claim", PLAYS)
async def test_a_tweet_is_read_and_used_by_keys_as_recorded(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    session, steps = PLAYS[claim]
    async with stage.running(session) as at:
        assert await transcript(at, *steps, note=clipboard_and_pins) == snapshot


class TextApp(App[None]):
    """A tweet with its cursor on the second character, in the colours of its surprise and without."""

    def compose(self) -> ComposeResult:
        for is_coloured in (True, False):
            text = TweetText("hello you", has_ended=True, num_prompt_chars=1)
            text.show_bits(BITS)
            text.cursor, text.is_coloured = 1, is_coloured
            yield text


def test_the_characters_of_a_tweet_have_the_colours_of_their_surprise(snap_compare: Callable[..., bool]) -> None:
    assert snap_compare(TextApp(), terminal_size=(20, 3))


async def test_a_click_moves_the_cursor_and_after_n_the_feed_follows_whatever_was_selected(stage: Stage) -> None:
    async with stage.running(run_of(OF_FEED)) as at:
        feed = at.app.screen.query_one(TweetFeed)
        await at.press("up", "enter", opens=TweetDialog, shows="2.00 bits at step 3")
        assert feed.is_highlighting
        await at.pilot.click(TweetText, offset=(3, 0))
        assert at.app.screen.query_one(TweetText).cursor == 3
        await at.press("n", opens=MainScreen, sends=c.SampleNow(prime="hel"))
        assert not feed.is_highlighting
        assert feed.chosen == at.app.summary_view.tweets[-1]


async def test_y_before_the_first_tweet_gives_the_reason_and_enter_pressed_twice_at_once_opens_one_dialog(
    stage: Stage,
) -> None:
    session = FakeSession()
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        at = Running(app, pilot, session)
        await opened(app, MainScreen)
        assert "toast: There is no tweet yet: g samples one." in await transcript(at, "y")
        await at.emit(STEPS, OF_FEED)
        for _ in range(2):
            app.post_message(Key("enter", None))
        await at.press(opens=TweetDialog, shows="2.00 bits at step 3")
        await at.press("escape", opens=MainScreen)

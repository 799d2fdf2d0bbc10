"""The dialog of one tweet: cursor, alternatives, keys, and its content without a model."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from textual.events import Key
from textual.pilot import Pilot

from engine.config.sampling import SamplingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started, steps_finished, tweet_read, tweet_sampled
from tests.tui.conftest import Stage, opened, press, screen_text, shows, toasted, wait_until
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main.screen import MainScreen
from tui.terminal import clipboard
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.feed.tweet_text import TweetText

OF_FEED = tweet_sampled(
    "hello you", 3, char_bits=(1.0, 0.1, 0.2, 0.3, 4.0, 9.0, 2.0, 0.5, 0.25, 1.5), copied_share=0.25
)
STEPS = steps_finished(1, [4.5, 4.2, 4.0])
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}


@asynccontextmanager
async def dialog_of(
    stage: Stage,
    event: e.TweetSampled = OF_FEED,
    *more: e.Event,
    size: tuple[int, int] = (80, 24),
    session: Callable[..., FakeSession] = FakeSession,
    started: e.RunStarted | None = None,
) -> AsyncIterator[tuple[TweetgenApp, Pilot[Outcome], FakeSession]]:
    """Open the newest tweet of a run."""
    over = session((STEPS, event, *more), started)
    app = stage.app(over)
    async with app.run_test(size=size, notifications=True) as pilot:
        await wait_until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        await wait_until(lambda: app.screen.query_one(TweetFeed).chosen, "the tweet in the feed")
        app.screen.query_one(TweetFeed).focus()
        await pilot.press("enter")
        await shows(app, "Tweet of step 3")
        yield app, pilot, over


async def at(app: TweetgenApp, place: int) -> None:
    """Wait until the cursor is at this character."""
    await wait_until(lambda: app.screen.query_one(TweetText).cursor == place, f"the cursor at {place}")


async def test_the_dialog_shows_bits_and_alternatives_at_the_cursor(stage: Stage) -> None:
    async with dialog_of(stage) as (app, pilot, session):
        await shows(app, "h  1 of 9", "1.00 bits when sampled", "2.00 bits at step 3")
        await shows(app, "▸ h", "e ", "50%", "end ", "25%")
        await shows(app, "● new, 25% copied · temperature 0.80 · 2.40 bits/char")
        await shows(app, "Nearest training tweet (40% similar): a similar tweet")
        await shows(app, "y copy  k pin  c colours  n new end  P prime  x x-ray  esc close")
        assert session.received == [c.ReadTweet(text=OF_FEED.text)]
        line = app.screen.query_one(TweetText).render_line(0)
        styles = [(style.color, style.bgcolor, style.underline) for text, style, _ in line for _ in text if style][:10]
        assert [styles.index(style) for style in styles] == [0, 1, 1, 1, 4, 5, 6, 7, 1, 6], (
            "by surprise, and the cursor"
        )
        await pilot.press("right")
        await shows(app, "e  2 of 9", "▸ e", "n and P use “h”")
        assert "▸ h" not in screen_text(app)
        await pilot.press("end")
        await shows(app, "the end", "▸ end", "1.50 bits when sampled", "use “hello you”")
        await pilot.press("home", "left")
        await at(app, 0)
        await pilot.resize_terminal(40, 12)
        await wait_until(lambda: "Nearest" not in screen_text(app))
        await shows(app, "h  1 of 9", "▸ h", "esc close")
        await pilot.press("pagedown", "pagedown")
        await shows(app, "Nearest")


async def test_the_dialog_shows_which_other_drafts_the_filter_refused_and_what_this_one_lacks(stage: Stage) -> None:
    passing = replace(OF_FEED, num_drafts=12, refused=(("copy", 8), ("avoided word", 1)))
    async with dialog_of(stage, passing, size=(120, 40)) as (app, _, _session):
        await shows(app, "1 of 12 drafts: 8 copies, 1 with an avoided word, 2 with more bits per character")
    failing = replace(OF_FEED, num_drafts=32, refused=(("copy", 32),), unmet=("copy", "too short"))
    async with dialog_of(stage, failing, size=(120, 40)) as (app, _, _session):
        await shows(
            app, "none of 32 drafts: 32 copies", "! No draft passed the filter; this one comes nearest: copy, too"
        )
    async with dialog_of(stage) as (app, _, _session):
        assert "draft" not in screen_text(app)


async def test_the_dialog_of_a_copy_shows_what_the_comparison_ignores(stage: Stage) -> None:
    async with dialog_of(stage, replace(OF_FEED, novelty="copy")) as (app, _, _session):
        await shows(app, "○ copy", "The comparison ignores names, links, case and punctuation.")
    async with dialog_of(stage) as (app, _, _session):
        assert "The comparison ignores" not in screen_text(app)


async def test_a_click_and_the_arrows_move_the_cursor_over_lines(stage: Stage) -> None:
    long = replace(OF_FEED, text="a word " * 30 + "end", char_bits=())
    async with dialog_of(stage, long) as (app, pilot, _):
        await shows(app, "1 of 213")
        await pilot.click(TweetText, offset=(3, 0))
        await at(app, 3)
        await pilot.press("down")
        await wait_until(lambda: app.screen.query_one(TweetText).cursor > 60, "the second line")
        place = app.screen.query_one(TweetText).cursor
        assert long.text[place : place + 3] == long.text[3:6]
        await pilot.press("up")
        await at(app, 3)


async def test_y_copies_the_tweet_and_k_pins_and_unpins_it(stage: Stage) -> None:
    async with dialog_of(stage) as (app, pilot, _):
        main = app.screen_stack[-2]
        assert isinstance(main, MainScreen)
        await pilot.press("y")
        await wait_until(lambda: app.clipboard == OF_FEED.text, "the copy")
        await toasted(app, "Copied, if your terminal allows it (OSC 52).")
        await pilot.press("k")
        await shows(app, "· pinned")
        assert [pin.text for pin in main.pins_and_export.pins] == [OF_FEED.text]
        await pilot.press("k")
        await wait_until(lambda: "· pinned" not in screen_text(app))
        assert not main.pins_and_export.pins


async def test_c_switches_the_surprise_colours_off_and_on(stage: Stage) -> None:
    def colours() -> set[object]:
        line = app.screen.query_one(TweetText).render_line(0)
        return {style.color for text, style, _ in line if style and text.strip()}

    async with dialog_of(stage) as (app, pilot, _):
        await pilot.press("end")
        await at(app, 9)
        num_colours = len(colours())
        for is_coloured in (False, True):
            await pilot.press("c")
            await wait_until(lambda: (len(colours()) == num_colours) == is_coloured, "the colours")  # noqa: B023 - awaited at once


async def test_on_the_main_screen_y_copies_the_selected_tweet_or_else_the_newest(stage: Stage) -> None:
    app = stage.app(FakeSession([tweet_sampled("the first", 3), tweet_sampled("the second", 4)]))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, "the second")
        await pilot.press("y")
        await wait_until(lambda: app.clipboard == "the second", "the newest")
        await toasted(app, "Copied, if your terminal allows it (OSC 52).")
        await pilot.press("up", "up", "y")
        await wait_until(lambda: app.clipboard == "the first", "the selected")


async def test_y_before_the_first_tweet_gives_the_reason(stage: Stage) -> None:
    app = stage.app(FakeSession())
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, MainScreen)
        await pilot.press("y")
        await toasted(app, "There is no tweet yet: g samples one.")


async def test_shift_p_sets_the_prime_n_samples_one_tweet_with_it_and_on_the_main_screen_shift_p_clears_it(
    stage: Stage,
) -> None:
    async with dialog_of(stage) as (app, pilot, session):
        await shows(app, "2.00 bits at step 3")  # so its question is answered
        await pilot.press(*["right"] * 5)
        await at(app, 5)
        await press(pilot, session, "P")
        await toasted(app, "All new tweets begin with “hello”; P clears it.")
        await press(pilot, session, "n")
        assert session.received[-2:] == [
            c.SetSampling(sampling=SamplingConfig(prime="hello")),
            c.SampleNow(prime="hello"),
        ]
        await wait_until(lambda: isinstance(app.screen, MainScreen))
        await wait_until(lambda: app.summary_view.tweets[-1].text == "helloasked-for tweet number 1", "the tweet")
        await press(pilot, session, "P")
        assert session.received[-1:] == [c.SetSampling(sampling=SamplingConfig())]
        await wait_until(lambda: app.summary_view.sampling.prime == "")
        await pilot.press("P")
        await toasted(app, "No prime is set.")


async def test_after_n_the_feed_follows_the_newest_tweet_whatever_was_selected(stage: Stage) -> None:
    async with dialog_of(stage) as (app, pilot, session):
        await pilot.press("escape")
        await opened(app, MainScreen)
        feed = app.screen.query_one(TweetFeed)
        await pilot.press("up")
        await wait_until(lambda: feed.is_highlighting, "a selected tweet")
        await pilot.press("enter")
        await shows(app, "2.00 bits at step 3")
        await press(pilot, session, "n")
        await opened(app, MainScreen)
        await wait_until(lambda: app.summary_view.tweets[-1].text.endswith("tweet number 1"), "the tweet")
        assert not feed.is_highlighting
        await wait_until(lambda: feed.chosen == app.summary_view.tweets[-1], "the new tweet as the newest of the feed")


async def test_shift_p_a_second_time_in_the_tweet_clears_the_prime(stage: Stage) -> None:
    async with dialog_of(stage) as (app, pilot, session):
        await shows(app, "2.00 bits at step 3")
        await pilot.press(*["right"] * 5)
        await at(app, 5)
        await press(pilot, session, "P")
        await press(pilot, session, "P")
        assert session.received[-1:] == [c.SetSampling(sampling=SamplingConfig())]


async def test_a_prime_of_the_maximum_length_sends_no_command(stage: Stage) -> None:
    started = run_started(sampling=SamplingConfig(max_length=9))
    async with dialog_of(stage, started=started) as (app, pilot, session):
        await pilot.press("end")
        await at(app, 9)
        await shows(app, "2.00 bits at step 3")
        await pilot.press("P", "n")
        await toasted(app, "The text is too long to continue")
        assert isinstance(app.screen, TweetDialog)
        assert session.received == [c.ReadTweet(text=OF_FEED.text)]


async def test_an_empty_tweet_is_labelled_and_sends_no_command(stage: Stage) -> None:
    async with dialog_of(stage, tweet_sampled("", 3, char_bits=(0.25,))) as (app, _, session):
        await shows(app, "(empty: <EOS> at once) · 0.25 bits when sampled", "The tweet is empty.")
        assert session.received == []


async def test_after_the_end_of_the_run_the_dialog_shows_the_bits_stored_with_the_tweet(stage: Stage) -> None:
    over = e.RunFinished(reason="stopped", total_seconds=1.0, total_chars=9, **NOW)
    async with dialog_of(stage, OF_FEED, over) as (app, pilot, session):
        await shows(app, "1.00 bits when sampled", "▸ h", "50%", "No model is running to evaluate the tweet.")
        assert "bits at step" not in screen_text(app)
        await pilot.press("P")
        await toasted(app, "The run has ended")
        assert session.received == []


def answering(answer: e.Event) -> Callable[..., FakeSession]:
    """Return a kind of session that answers `ReadTweet` like this."""

    class Answering(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            return answer if isinstance(command, c.ReadTweet) else super().answer(command)

    return Answering


async def test_a_refused_reading_is_shown_in_the_dialog(stage: Stage) -> None:
    refused = e.CommandRefused(command="ReadTweet", title="t", detail="It has gone wrong.", hint="", **NOW)
    async with dialog_of(stage, session=answering(refused)) as (app, _, _):
        await shows(app, "It has gone wrong.", "1.00 bits when sampled")
        assert isinstance(app.screen, TweetDialog)


async def test_an_answer_about_another_tweet_is_not_shown_and_the_end_of_the_run_is(stage: Stage) -> None:
    async with dialog_of(stage, session=answering(tweet_read("quite another text", step=101))) as (app, _, session):
        await wait_until(lambda: app.summary_view.step == 101, "the answer")
        await shows(app, "evaluating…")
        session.emit(e.RunFinished(reason="enough", total_seconds=1.0, total_chars=9, **NOW))
        await shows(app, "No model is running to evaluate the tweet.")


async def test_enter_pressed_twice_at_once_opens_one_dialog(stage: Stage) -> None:
    app = stage.app(FakeSession((STEPS, OF_FEED)))
    async with app.run_test() as pilot:
        await shows(app, OF_FEED.text)
        for _ in range(2):
            app.post_message(Key("enter", None))
        await shows(app, "Tweet of step 3", "2.00 bits at step 3")
        await pilot.press("escape")
        await wait_until(lambda: isinstance(app.screen, MainScreen), "the main screen")


def test_osc_52_is_base64_and_wrapped_for_multiplexers() -> None:
    assert clipboard.osc52("héllo 雪") == f"\x1b]52;c;{base64.b64encode('héllo 雪'.encode()).decode()}\x07"
    sequence = clipboard.osc52("x" * 500)
    assert clipboard.wrapped_for(sequence, "tmux") == f"\x1bPtmux;\x1b{sequence}\x1b\\"
    pieces = clipboard.wrapped_for(sequence, "screen").split("\x1b\\")[:-1]
    assert all(piece.startswith("\x1bP") and len(piece) < 256 for piece in pieces)  # longer ones are dropped
    assert "".join(piece.removeprefix("\x1bP") for piece in pieces) == sequence
    assert clipboard.wrapped_for(sequence, "no") == ""

"""One tweet, looked at closely: the cursor, the alternatives, what the keys do, and what is left without a model."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from textual.events import Key
from textual.pilot import Pilot

from engine import commands as c
from engine import events as e
from engine.answers import CharChance
from engine.config import SamplingConfig
from tests.fakes import FakeSession, read, run_started, steps_finished, tweet
from tests.tui.conftest import SIZES, Stage, press, screen_text, shows, toasted, toasts, until
from tui import clipboard
from tui.app import TweetgenApp
from tui.screens.main import MainScreen
from tui.screens.tweet_dialog import TweetDialog
from tui.widgets.chance_bars import ChanceBars, shown_char
from tui.widgets.tweet_feed import TweetFeed
from tui.widgets.tweet_text import TweetText

OF_FEED = tweet("hello you", 3, char_bits=(1.0, 0.1, 0.2, 0.3, 4.0, 9.0, 2.0, 0.5, 0.25, 1.5), copied_share=0.25)
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), OF_FEED)
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a data folder of its own, outside a multiplexer."""
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path))
    for name in ("TMUX", "STY", "ZELLIJ"):
        monkeypatch.delenv(name, raising=False)


async def dialog_of_newest(app: TweetgenApp, pilot: Pilot[None]) -> TweetDialog:
    """Wait for the script's end and open its tweet."""
    await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
    await shows(app, OF_FEED.text)
    app.screen.query_one(TweetFeed).focus()
    await pilot.press("enter")
    await shows(app, "Tweet of step 3")
    dialog = app.screen
    assert isinstance(dialog, TweetDialog)
    return dialog


async def at(app: TweetgenApp, place: int) -> None:
    """Wait until the cursor is at this character."""
    await until(lambda: app.screen.query_one(TweetText).place == place, f"the cursor at {place}")


@sizes
async def test_it_shows_what_the_model_thought_at_the_character_under_the_cursor(
    stage: Stage, size: tuple[int, int]
) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await dialog_of_newest(app, pilot)
        await shows(app, "h  1 of 9", "1.00 bits when written", "2.00 bits at step 3")
        await shows(app, "▸ h", "e ", "50%", "end ", "25%")
        await shows(app, "● new, 25% copied · temperature 0.80 · 2.40 bits/char")
        await shows(app, "Nearest training tweet, 40% alike: a tweet much like it")
        assert session.received == [c.ReadTweet(text=OF_FEED.text)]
        await pilot.press("right")
        await shows(app, "e  2 of 9", "▸ e", "c and u take “h”")
        assert "▸ h" not in screen_text(app)
        await pilot.press("end")
        await shows(app, "the end", "▸ end", "1.50 bits when written", "take “hello you”")
        await pilot.press("home", "left")
        await at(app, 0)
        subtitle = "y copy · k pin · c continue · u use as prime · esc close"
        await shows(app, subtitle)


async def test_in_a_very_small_terminal_the_rest_is_a_page_further_down(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(40, 12)) as pilot:
        await dialog_of_newest(app, pilot)
        await shows(app, "h  1 of 9", "▸ h")
        assert "Nearest" not in screen_text(app)
        await pilot.press("pagedown", "pagedown")
        await shows(app, "Nearest")


async def test_it_is_coloured_by_surprise_and_the_cursor_is_marked(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(120, 40)) as pilot:
        await dialog_of_newest(app, pilot)
        text = app.screen.query_one(TweetText)
        kinds = [text._kind(place, place + 1) for place in range(10)]
        assert kinds == ["cursor", *(f"surprise-{step}" for step in (0, 0, 0, 3, 5, 2, 1, 0, 2))]


async def test_a_click_puts_the_cursor_under_the_pointer_and_lines_are_gone_through_with_the_arrows(
    stage: Stage,
) -> None:
    long = replace(OF_FEED, text="a word " * 30 + "end", char_bits=())
    app = stage.app(FakeSession((*SCRIPT[:1], long)))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        app.screen.query_one(TweetFeed).focus()
        await pilot.press("enter")
        await shows(app, "Tweet of step 3", "1 of 213")
        await pilot.click(TweetText, offset=(3, 0))
        await at(app, 3)
        await pilot.press("down")
        await until(lambda: app.screen.query_one(TweetText).place > 60, "the second line")
        place = app.screen.query_one(TweetText).place
        assert long.text[place : place + 3] == long.text[3:6]
        await pilot.press("up")
        await at(app, 3)


async def test_y_copies_the_tweet_by_osc_52(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        await dialog_of_newest(app, pilot)
        await pilot.press("y")
        await until(lambda: app.clipboard == OF_FEED.text, "the copy")
        await until(lambda: any("OSC 52" in text for text in toasts(app)), "a word about it")


async def test_k_pins_the_tweet_and_takes_that_back(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: isinstance(app.screen, MainScreen))
        main = app.screen
        assert isinstance(main, MainScreen)
        await dialog_of_newest(app, pilot)
        await pilot.press("k")
        await shows(app, "· pinned")
        assert [pin.text for pin in main.pins] == [OF_FEED.text]
        await pilot.press("k")
        await until(lambda: "· pinned" not in screen_text(app))
        assert not main.pins


async def test_c_has_a_tweet_written_from_the_cursor_on_and_leads_back_to_the_feed(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await dialog_of_newest(app, pilot)
        await pilot.press(*["right"] * 6)
        await at(app, 6)
        await press(pilot, session, "c")
        assert session.received[-1] == c.SampleNow(prime="hello ")
        await until(lambda: isinstance(app.screen, MainScreen))
        await shows(app, "hello asked-for tweet number 1")


async def test_u_lets_all_tweets_begin_so_and_shift_p_ends_it(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await dialog_of_newest(app, pilot)
        await pilot.press(*["right"] * 5)
        await at(app, 5)
        await press(pilot, session, "u")
        assert session.received[-1] == c.SetSampling(sampling=SamplingConfig(prime="hello"))
        await until(lambda: app.summary_view.sampling.prime == "hello")
        await toasted(app, "Tweets begin with “hello” from now on; P ends that.")
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, MainScreen))
        await press(pilot, session, "P")
        assert session.received[-1] == c.SetSampling(sampling=SamplingConfig())
        await until(lambda: app.summary_view.sampling.prime == "")


async def test_where_a_tweet_has_no_room_to_go_on_nothing_is_sent(stage: Stage) -> None:
    session = FakeSession(SCRIPT, run_started(sampling=SamplingConfig(max_length=9)))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await dialog_of_newest(app, pilot)
        await pilot.press("end")
        await at(app, 9)
        await pilot.press("u", "c")
        await until(lambda: any("There is no room to go on" in text for text in toasts(app)))
        assert session.received == [c.ReadTweet(text=OF_FEED.text)]


async def test_when_the_run_is_over_it_shows_what_was_kept_with_the_tweet(stage: Stage) -> None:
    over = e.RunFinished(step=9, elapsed_seconds=1.0, reason="stopped", total_seconds=1.0, total_chars=9)
    session = FakeSession((*SCRIPT, over))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.summary_view.phase == "finished")
        await dialog_of_newest(app, pilot)
        await shows(app, "1.00 bits when written", "▸ h", "50%", "No model is running that could be asked.")
        assert "bits at step" not in screen_text(app)
        await pilot.press("u")
        await until(lambda: any("The run is over" in text for text in toasts(app)))
        assert session.received == []


async def test_a_refused_reading_is_told_in_the_dialog(stage: Stage) -> None:
    class Refusing(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            if isinstance(command, c.ReadTweet):
                name, detail = "ReadTweet", "It has gone wrong."
                return e.CommandRefused(step=3, elapsed_seconds=1.0, command=name, title="t", detail=detail, hint="")
            return super().answer(command)

    app = stage.app(Refusing(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        dialog = await dialog_of_newest(app, pilot)
        await shows(app, "It has gone wrong.", "1.00 bits when written")
        assert app.screen is dialog


async def test_an_answer_about_another_tweet_is_not_shown(stage: Stage) -> None:
    class Mistaken(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            return read("quite another text", step=101) if isinstance(command, c.ReadTweet) else super().answer(command)

    session = Mistaken(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await dialog_of_newest(app, pilot)
        await until(lambda: app.summary_view.step == 101, "the answer")
        await shows(app, "asking the model…")


@sizes
async def test_a_hostile_and_wide_tweet_keeps_its_columns(stage: Stage, size: tuple[int, int]) -> None:
    text = "👩\u200d🚀 雪 e\u0301 [bold]x[/] [@click=app.bell]y[/]"
    hostile = replace(OF_FEED, text=text, char_bits=tuple([3.5] * len(text) + [1.0]), prime="👩\u200d🚀 ")
    app = stage.app(FakeSession((*SCRIPT[:1], hostile)))
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        app.screen.query_one(TweetFeed).focus()
        await pilot.press("enter")
        await shows(app, "[bold]x[/] [@click=app.bell]y[/]■", "👩  1 of", "· given")
        await pilot.press("right")
        await shows(app, "U+200D  2 of")
        for row in app.screen._compositor.render_strips():
            assert sum(segment.cell_length for segment in row) == size[0]


def test_a_character_that_came_and_is_not_among_the_likeliest_has_the_last_row() -> None:
    bars = ChanceBars(3)
    chances = [CharChance(char=char, probability=p) for char, p in zip("abcd", (0.5, 0.2, 0.1, 0.05), strict=True)]
    bars.show(chances, CharChance(char="z", probability=0.01))
    assert [chance.char for chance in bars._chances] == ["a", "b", "z"]
    bars.show(chances, chances[1])
    assert [chance.char for chance in bars._chances] == ["a", "b", "c"]


def test_osc_52_holds_the_text_as_base64() -> None:
    assert clipboard.osc52("héllo 雪") == f"\x1b]52;c;{base64.b64encode('héllo 雪'.encode()).decode()}\x07"


def test_tmux_is_told_to_hand_it_on_with_every_escape_doubled() -> None:
    wrapped = clipboard.through_multiplexer(clipboard.osc52("x"), "tmux")
    assert wrapped == "\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\"


def test_screen_is_handed_pieces_that_it_does_not_drop() -> None:
    sequence = clipboard.osc52("x" * 500)
    wrapped = clipboard.through_multiplexer(sequence, "screen")
    pieces = wrapped.split("\x1b\\")[:-1]
    assert len(pieces) == 3
    assert all(piece.startswith("\x1bP") and len(piece) < 256 for piece in pieces)
    assert "".join(piece.removeprefix("\x1bP") for piece in pieces) == sequence


@pytest.mark.parametrize("name", ["no", "zellij"])
def test_without_tmux_and_screen_nothing_is_wrapped(name: str) -> None:
    assert clipboard.through_multiplexer(clipboard.osc52("x"), name) == ""


async def test_what_could_move_the_cursor_of_a_terminal_is_not_shown(stage: Stage) -> None:
    text = "ab\x1b]0;title\x07cd\nef\u202e \ue000[/foo]"
    hostile = replace(OF_FEED, text=text, char_bits=(), prime="ab\x1b")
    app = stage.app(FakeSession((*SCRIPT[:1], hostile)))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        await shows(app, "abcd")
        await pilot.press("enter")
        await shows(app, "Tweet of step 3", "2.00 bits at step 3")
        for place in range(len(text) + 1):
            app.screen.query_one(TweetText).place = place
            await shows(app, f"{place + 1} of {len(text)}" if place < len(text) else "the end")
            assert not set(screen_text(app)) & {"\x1b", "\x07", "\u202e", "\ue000"}
        await shows(app, "ab\ufffd]0;title\ufffdcd\ufffdef\ufffd \ufffd[/foo]")


@pytest.mark.parametrize(
    ("char", "shown"), [("\x1b", "U+001B"), ("\ue000", "U+E000"), ("\ud800", "U+D800"), ("é", "é")]
)
def test_a_character_that_is_not_safe_is_a_number(char: str, shown: str) -> None:
    assert shown_char(char) == shown


async def test_enter_pressed_twice_at_once_opens_one_dialog(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test() as pilot:
        await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        await shows(app, OF_FEED.text)
        for _ in range(2):
            app.post_message(Key("enter", None))
        await shows(app, "Tweet of step 3", "2.00 bits at step 3")
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, MainScreen), "the main screen")
        assert session.received == [c.ReadTweet(text=OF_FEED.text)]


async def test_a_run_that_ends_without_an_answer_is_told(stage: Stage) -> None:
    session = SilentSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test() as pilot:
        await dialog_of_newest(app, pilot)
        await shows(app, "asking the model…")
        session.play(e.RunFinished(step=3, elapsed_seconds=1.0, reason="enough", total_seconds=1.0, total_chars=9))
        await shows(app, "No model is running that could be asked.")


class SilentSession(FakeSession):
    """Answers no question about a tweet."""

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.ReadTweet):
            return e.Resumed(step=3, elapsed_seconds=0.1)
        return super().answer(command)

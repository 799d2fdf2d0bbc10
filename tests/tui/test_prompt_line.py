"""The line to type: what is asked when, the ghost that is taken, and keys that mean letters while it is open."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from textual.widgets import Input

from engine import commands as c
from engine import events as e
from engine.answers import CharChance, TextCompleted
from engine.config import SamplingConfig
from tests.fakes import FakeClock, FakeSession, completed, run_started, steps_finished, tweet
from tests.tui.conftest import Stage, press, screen_text, shows, toasts, until
from tui.app import TweetgenApp
from tui.completions import AGAIN_SECONDS, Completions, first_word
from tui.screens.main import MainScreen
from tui.widgets.chance_bars import bar, shown_char, shown_percent
from tui.widgets.key_bar import KeyBar
from tui.widgets.tweet_feed import TweetFeed

SIZE = (80, 24)
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet("hello there", 3))
PLAIN = SamplingConfig()


def answer_to(question: c.CompleteText | None, completion: str = " and on") -> TextCompleted:
    assert question is not None
    return TextCompleted(
        step=5,
        elapsed_seconds=1.0,
        request=question.request,
        completion=tuple(completion),
        reached_eos=False,
        next_chars=(CharChance(char=" ", probability=0.5),),
        unknown_chars=(),
    )


# What is asked when ---------------------------------------------------------------------------------------------------


def test_one_question_is_asked_at_a_time_and_then_the_one_about_what_was_typed_meanwhile() -> None:
    completions = Completions(FakeClock())

    first = completions.question("t", PLAIN, 1)
    assert first == c.CompleteText(text="t", request=1)
    assert completions.question("th", PLAIN, 1) is None
    completions.take(answer_to(first))
    second = completions.question("the", PLAIN, 1)
    assert second == c.CompleteText(text="the", request=2)
    completions.take(answer_to(first, "late"))
    assert completions.is_waiting
    completions.refuse("The model has gone wrong.")
    assert completions.problem == "The model has gone wrong."
    assert completions.question("then", PLAIN, 1) == c.CompleteText(text="then", request=3)


def test_the_same_line_is_asked_about_again_after_a_second_of_learning_and_at_another_temperature_at_once() -> None:
    clock = FakeClock()
    completions = Completions(clock)
    completions.take(answer_to(completions.question("t", PLAIN, 1)))

    assert completions.question("t", PLAIN, 50) is None
    clock.advance(AGAIN_SECONDS)
    assert completions.question("t", PLAIN, 1) is None
    second = completions.question("t", PLAIN, 50)
    assert second == c.CompleteText(text="t", request=2)
    completions.take(answer_to(second))
    assert completions.question("t", SamplingConfig(temperature=1.5), 50) == c.CompleteText(text="t", request=3)


def test_the_ghost_stays_while_the_line_goes_along_with_it() -> None:
    completions = Completions(FakeClock())
    completions.take(answer_to(completions.question("the", PLAIN, 1), " cat"))

    assert [completions.ghost(text) for text in ("the", "the c", "the b", "th")] == [" cat", "at", "", ""]
    assert completions.about("the") is not None
    assert completions.about("the c") is None


@pytest.mark.parametrize(
    ("ghost", "word"),
    [("llo there", "llo"), (" there you", " there"), ("end", "end"), ("", ""), ("  ", "  "), ("é 😀", "é")],
)
def test_a_word_of_the_ghost_is_taken_with_the_blanks_before_it(ghost: str, word: str) -> None:
    assert first_word(ghost) == word


def test_a_chance_is_a_label_that_can_be_seen_a_bar_to_an_eighth_of_a_cell_and_a_percentage_in_five() -> None:
    labels = {char: shown_char(char) for char in (" ", "", "a", "雪", "\u200d", "\u0301")}
    assert labels == {" ": "␣", "": "end", "a": "a", "雪": "雪", "\u200d": "U+200D", "\u0301": "U+0301"}
    assert [bar(share, 4) for share in (0.0, 1 / 32, 0.5, 7.0)] == ["    ", "▏   ", "██  ", "████"]
    assert [shown_percent(p) for p in (1.0, 0.104, 0.0321, 0.0004, 0.0)] == [
        " 100%",
        "  10%",
        " 3.2%",
        "<0.1%",
        " 0.0%",
    ]


# On the screen --------------------------------------------------------------------------------------------------------


async def opened(app: TweetgenApp, press_key: Callable[[str], object]) -> MainScreen:
    """Wait for the script's end and open the line."""
    await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
    screen = app.screen
    assert isinstance(screen, MainScreen)
    await press_key("p")  # type: ignore[misc] # the pilot's
    await shows(app, "temp 0.80")
    await until(lambda: isinstance(app.focused, Input), "the focus")
    return screen


def line(app: TweetgenApp) -> str:
    return app.screen.query_one("PromptInput", Input).value


async def test_the_model_goes_on_with_what_is_typed_also_while_paused_and_arrows_turn_the_temperature(
    stage: Stage,
) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, session, "space")
        await until(lambda: app.summary_view.phase == "paused")
        await opened(app, pilot.press)
        await pilot.press(*"the cat")
        await until(lambda: getattr(session.received[-1], "text", "") == "the cat")
        await shows(app, "› the cat and on", "␣ ", "50%", "end ", "25%", "temp 0.80")
        assert screen_text(app).splitlines()[-1].split() == (
            ["tab", "word", "→", "character", "enter", "write", "it", "↑↓", "temp", "esc", "close"]
        )
        await pilot.press("tab")
        await until(lambda: line(app) == "the cat and")
        await pilot.press("right")
        await until(lambda: line(app) == "the cat and ")
        assert {type(command) for command in session.received[1:]} == {c.CompleteText}
        await pilot.press("up")
        await shows(app, "temp 0.85")
        [changed] = [command for command in session.received if isinstance(command, c.SetSampling)]
        assert changed.sampling.temperature == 0.85
        await until(lambda: isinstance(session.received[-1], c.CompleteText), "the question at the new temperature")
        await pilot.press("down")
        await shows(app, "temp 0.80")


async def test_keys_are_letters_while_the_line_is_open_and_enter_sends_it_to_the_feed(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot.press)
        await pilot.press("q", "space", "g", "+", "-", "?", "K", "p", "c")
        await until(lambda: line(app) == "q g+-?Kpc")
        assert app.screen is screen
        for number in (1, 2):
            await pilot.press("enter")
            await shows(app, f"q g+-?Kpcasked-for tweet number {number}")
        sent = [command for command in session.received if not isinstance(command, c.CompleteText)]
        assert sent == [c.SampleNow(prime="q g+-?Kpc")] * 2
        await pilot.press("escape")
        await until(lambda: not screen.prompt.is_open)
        assert screen.query_one(KeyBar).display
        assert isinstance(screen.focused, TweetFeed)
        await press(pilot, session, "g")
        assert session.received[-1] == c.SampleNow()
        await pilot.press("p")
        await until(lambda: screen.prompt.is_open)
        assert line(app) == "q g+-?Kpc"


async def test_what_cannot_be_sent_is_named_in_the_line(stage: Stage) -> None:
    session = FakeSession(SCRIPT, run_started(sampling=SamplingConfig(max_length=10)))
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, pilot.press)
        await pilot.press("a", "ß", "雪")
        await shows(app, "The model has never seen ß, 雪")
        await pilot.press("enter", "backspace", "backspace")
        await shows(app, "50%")
        assert not any(isinstance(command, c.SampleNow) for command in session.received)
        await pilot.press("backspace", *"0123456789")
        await shows(app, "A tweet has at most 10 characters")
        assert line(app) == "012345678"
        await pilot.press("backspace")
        await until(lambda: "at most" not in screen_text(app))


async def test_it_works_in_a_very_small_terminal_that_is_resized_and_shows_the_end_of_a_long_line(
    stage: Stage,
) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(40, 12)) as pilot:
        await opened(app, pilot.press)
        await pilot.press(*"hey")
        await shows(app, "› hey and on", "50%")
        await pilot.resize_terminal(44, 13)
        await pilot.press(*" you")
        await shows(app, "› hey you and on")
        app.screen.query_one("PromptInput", Input).value = "x" * 90
        await pilot.press("end", *"the end")
        await shows(app, "the end and on")


class SlowSession(FakeSession):
    """Answers questions about a text only when it is told to."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.asked: list[c.CompleteText] = []

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.CompleteText):
            self.asked.append(command)
            return steps_finished(self._step + 1, [4.0])
        return super().answer(command)


async def test_only_the_answer_to_its_own_question_is_shown_and_a_refusal_in_the_line(stage: Stage) -> None:
    session = SlowSession()
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot.press)
        await until(lambda: session.asked)
        await pilot.press(*"abc")
        await until(lambda: line(app) == "abc")
        [first] = session.asked
        session.play(completed("", request=first.request + 7, step=9))
        await until(lambda: app.summary_view.step == 9, "the answer")
        assert "and on" not in screen_text(app)
        session.play(completed("", request=first.request, step=10))
        await until(lambda: len(session.asked) == 2)
        assert session.asked[1] == c.CompleteText(text="abc", request=first.request + 1)
        session.play(
            e.CommandRefused(
                step=11, elapsed_seconds=1.0, command="CompleteText", title="t", detail="It has gone wrong.", hint=""
            )
        )
        await shows(app, "It has gone wrong.")
        assert app.screen is screen


async def test_the_line_closes_with_the_run(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        screen = await opened(app, pilot.press)
        session.play(e.RunFinished(step=9, elapsed_seconds=1.0, reason="stopped", total_seconds=1.0, total_chars=9))
        await until(lambda: not screen.prompt.is_open)
        await pilot.press("p")
        await until(lambda: any(text.startswith("The run is over") for text in toasts(app)), "a word about it")
        assert not screen.prompt.is_open

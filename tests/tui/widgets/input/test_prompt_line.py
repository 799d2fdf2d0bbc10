"""The prompt line: requests, ghost text, and keys that type letters while it is open."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import ANY

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.pilot import Pilot
from textual.widgets import Input

from engine.config.sampling import SamplingConfig
from engine.protocol import commands, events
from tests.fakes import FakeSession, run_started, steps_finished, text_completed
from tests.tui.conftest import SCRIPT, Stage, screen_text, shows, text_of, toasted, toasts, wait_until
from tui.app.app import TweetgenApp
from tui.formatting.chances import shown_char
from tui.process.outcome import Outcome
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.input.completions import Completions
from tui.widgets.input.prompt_line import PromptLine
from tui.widgets.key_bar import KeyBar


def test_the_same_line_is_requested_again_at_other_settings_or_on_demand_only() -> None:
    cold, hot = SamplingConfig(temperature=0.5), SamplingConfig(temperature=1.5)
    completions = Completions()
    for request, sampling in ((1, cold), (2, hot)):
        assert completions.due_request("t", sampling) == commands.CompleteText(text="t", request=request)
        assert completions.due_request("t", cold) is None, "one request at a time"
        completions.accept(text_completed("t", request=request, step=5))
        assert completions.due_request("t", sampling) is None

    completions.refresh()
    assert completions.due_request("t", hot) == commands.CompleteText(text="t", request=3)
    completions.refresh()
    assert completions.ghost("t") == " and on", "the last answer, until there is another"
    completions.accept(text_completed("t", request=3, step=9))
    assert completions.due_request("t", hot) == commands.CompleteText(text="t", request=4)


def test_another_continuation_has_another_draw_and_is_shown_in_place_of_the_last() -> None:
    completions, sampling = Completions(), SamplingConfig()
    completions.due_request("t", sampling)
    completions.redraw()
    completions.accept(text_completed("t", request=1))
    assert completions.ghost("t") == "", "what enter samples is not the answer to the first request"
    assert completions.due_request("t", sampling) == commands.CompleteText(text="t", request=2, draw=1)
    completions.accept(text_completed("t", request=2))
    assert completions.ghost("t") == " and on"


@pytest.mark.parametrize(
    ("char", "label"),
    [(" ", "␣"), ("", "end"), ("雪", "雪"), ("\u0301", "U+0301"), ("\x1b", "U+001B"), ("\ud800", "U+D800")],
)
def test_the_label_of_a_character_is_visible_and_safe(char: str, label: str) -> None:
    assert shown_char(char) == label


@asynccontextmanager
async def prompting(
    stage: Stage, over: FakeSession | None = None, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[TweetgenApp, Pilot[Outcome], FakeSession, PromptLine]]:
    """Run an app up to its first tweet, and open the line."""
    async with stage.running(over, size) as (app, pilot, session):
        await pilot.press("p")
        await shows(app, "temp 0.80")
        await wait_until(lambda: isinstance(app.focused, Input), "the focus")
        yield app, pilot, session, app.screen.query_one(PromptLine)


def line(app: TweetgenApp) -> str:
    return app.screen.query_one("PromptInput", Input).value


async def test_the_model_completes_the_line_even_while_paused_and_arrows_change_the_temperature(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with prompting(stage) as (app, pilot, session, _):
        session.emit(events.Paused(step=3, elapsed_seconds=1.0))
        await wait_until(lambda: app.summary_view.phase == "paused")
        await pilot.press(*"the cat")
        await wait_until(lambda: getattr(session.received[-1], "text", "") == "the cat")
        await shows(app, "› the cat and on", "50%")
        assert text_of(app, "PromptLine") == snapshot
        await pilot.press("tab")
        await wait_until(lambda: line(app) == "the cat and")
        await pilot.press("right")
        await wait_until(lambda: line(app) == "the cat and ")
        assert {type(command) for command in session.received} == {commands.CompleteText}
        await pilot.press("up")
        await shows(app, "temp 0.85")
        await wait_until(  # shown before it is received
            lambda: any(isinstance(each, commands.SetSampling) for each in session.received), "the command"
        )
        [changed] = [command for command in session.received if isinstance(command, commands.SetSampling)]
        assert changed.sampling.temperature == 0.85
        await wait_until(
            lambda: isinstance(session.received[-1], commands.CompleteText), "the question at the new temperature"
        )
        await pilot.press("down")
        await shows(app, "temp 0.80")


async def test_the_completion_stays_while_the_model_learns_until_it_is_asked_for_again(stage: Stage) -> None:
    async with prompting(stage, size=(100, 24)) as (app, pilot, session, _):
        await pilot.press(*"the cat")
        await shows(app, "› the cat and on", "temp 0.80", "step 3")
        asked = len(session.received)
        session.emit(steps_finished(4, [3.0] * 50))
        await wait_until(lambda: app.summary_view.step == 53, "the steps")
        await pilot.press("left", "right")
        assert len(session.received) == asked
        await pilot.press("ctrl+r")
        await shows(app, "› the cat and on", "step 53")
        assert session.received[asked:] == [commands.CompleteText(text="the cat", request=ANY, draw=1)]


async def test_keys_type_letters_while_the_line_is_open_and_enter_submits_it(stage: Stage) -> None:
    async with prompting(stage) as (app, pilot, session, prompt):
        screen = app.screen
        await pilot.press("q", "space", "g", "+", "-", "?", "K", "p", "c")
        await wait_until(lambda: line(app) == "q g+-?Kpc")
        assert app.screen is screen
        for number in (1, 2):
            await pilot.press("enter")
            await shows(app, f"q g+-?Kpcasked-for tweet number {number}")
        sent = [command for command in session.received if not isinstance(command, commands.CompleteText)]
        prompted = [commands.SampleNow(prime="q g+-?Kpc", draw=draw) for draw in (0, 1)]
        assert sent == prompted, "each as its completion, and another completion after it"
        await pilot.press("escape")
        await wait_until(lambda: not prompt.is_open and isinstance(screen.focused, TweetFeed), "the feed")
        assert screen.query_one(KeyBar).display
        await pilot.press("g")
        await wait_until(lambda: session.received[-1] == commands.SampleNow(), "the command")
        await pilot.press("p")
        await wait_until(lambda: prompt.is_open)
        assert line(app) == "q g+-?Kpc"


async def test_a_line_that_cannot_be_submitted_says_why(stage: Stage) -> None:
    short = FakeSession(SCRIPT, run_started(sampling=SamplingConfig(max_length=10)))
    async with prompting(stage, short) as (app, pilot, session, _):
        await pilot.press("a", "ß", "雪")
        await shows(app, "Not in the vocabulary: ß, 雪")
        await pilot.press("enter", "backspace", "backspace")
        await shows(app, "50%")
        assert not any(isinstance(command, commands.SampleNow) for command in session.received)
        await pilot.press("backspace", *"0123456789")
        await shows(app, "At most 9 characters")
        assert line(app) == "012345678"
        await pilot.press("backspace")
        await wait_until(lambda: "At most" not in screen_text(app))


class SlowSession(FakeSession):
    """Answers requests only when the test allows it."""

    def __init__(self) -> None:
        super().__init__(SCRIPT)
        self.asked: list[commands.CompleteText] = []

    def answer(self, command: commands.Command) -> events.Event:
        if isinstance(command, commands.CompleteText):
            self.asked.append(command)
            return steps_finished(self._step + 1, [4.0])
        return super().answer(command)


async def test_only_the_answer_to_its_own_request_is_shown_and_a_refusal_in_the_line(stage: Stage) -> None:
    session = SlowSession()
    async with prompting(stage, session) as (app, pilot, _, _):
        screen = app.screen
        await wait_until(lambda: session.asked and app.summary_view.step == 4, "the question")
        await pilot.press(*"abc")
        await wait_until(lambda: line(app) == "abc")
        [first] = session.asked
        session.emit(text_completed("", request=first.request + 7, step=9))
        await wait_until(lambda: app.summary_view.step == 9, "the answer")
        assert "and on" not in screen_text(app)
        session.emit(text_completed("", request=first.request, step=10))
        await wait_until(lambda: len(session.asked) == 2)
        assert session.asked[1] == commands.CompleteText(text="abc", request=first.request + 1)
        refusal = {"command": "CompleteText", "title": "t", "detail": "It has gone wrong.", "hint": ""}
        session.emit(events.CommandRefused(step=11, elapsed_seconds=1.0, **refusal))
        await shows(app, "It has gone wrong.")
        assert app.screen is screen


async def test_the_line_stays_open_after_the_end_of_the_run_and_what_is_typed_acts_on_nothing(stage: Stage) -> None:
    ended = events.RunFinished(step=9, elapsed_seconds=1.0, reason="stopped", total_seconds=1.0, total_chars=9)
    async with prompting(stage) as (app, pilot, session, prompt):
        session.emit(ended)
        await shows(app, "No model is running to complete the prompt.", "■ stopped: 9 steps in 0:01")
        await pilot.press(*"quick ", "enter")
        await toasted(app, "The run has ended; tweetgen-tui --resume")
        assert line(app) == "quick "
        await pilot.press("escape")
        await wait_until(lambda: not prompt.is_open and isinstance(app.screen.focused, TweetFeed), "the feed")
        await pilot.press("p")
        await wait_until(lambda: toasts(app)[-1].startswith("The run has ended"))
        assert not prompt.is_open
        assert app.is_running

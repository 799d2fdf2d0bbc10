"""The X-ray over the main screen: how it opens and closes, what it sends, and the run behind it."""

from __future__ import annotations

import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import create_run_folder
from tests.fakes import FakeSession, steps_finished, tweet_sampled
from tests.tui.conftest import (
    DEADLINE_SECONDS,
    Stage,
    opened,
    press,
    screen_text,
    shows,
    toasts,
    trained_by,
    wait_until,
)
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.run.checkpoint_bridge import CheckpointBridge
from tui.screens.dialogs.tweet import TweetDialog
from tui.screens.main import xray
from tui.screens.main.screen import MainScreen
from tui.screens.xray.screen import XrayScreen
from tui.widgets.feed.tweet_feed import TweetFeed

STEPS = steps_finished(1, [4.5, 4.2, 4.0])
SCRIPT: tuple[e.Event, ...] = (STEPS, tweet_sampled("an older one", 2), tweet_sampled("hello there", 3))


@asynccontextmanager
async def run_of(
    stage: Stage, script: tuple[e.Event, ...] = SCRIPT, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[TweetgenApp, Pilot[Outcome], FakeSession]]:
    """Show a run after its script."""
    session = FakeSession(script)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        tweets = [event.text for event in script if isinstance(event, e.TweetSampled)]
        await wait_until(
            lambda: (app.summary_view.step, app.summary_view.num_tweets) == (3, len(tweets)), "the script's end"
        )
        await shows(app, "q quit", *tweets)  # the feed draws once a second
        yield app, pilot, session


def texts(session: FakeSession) -> list[str]:
    """Return the texts that were traced, in order, repetitions left out."""
    return list(dict.fromkeys(each.text for each in session.received if isinstance(each, c.TraceText)))


async def test_x_opens_the_newest_or_the_selected_tweet_and_esc_closes_it(stage: Stage) -> None:
    async with run_of(stage) as (app, pilot, session):
        await pilot.press("x")
        await opened(app, XrayScreen)
        await shows(app, "[1 step]", "hello there", "At the start the model gave ‘h’", "weights of step 3")
        await pilot.press("escape", "escape")
        await opened(app, MainScreen)
        app.screen.query_one(TweetFeed).focus()
        await pilot.press("up", "up", "x")
        await shows(app, "an older one", "At the start the model gave ‘a’")
        await pilot.press("q")
        await opened(app, MainScreen)
        assert app.is_running
        assert texts(session) == ["hello there", "an older one"]


async def test_x_in_an_open_tweet_and_ctrl_x_in_the_prompt_open_their_text(stage: Stage) -> None:
    async with run_of(stage) as (app, pilot, session):
        await pilot.press("enter")
        await opened(app, TweetDialog)
        await pilot.press("x")
        await shows(app, "[1 step]", "hello there", "At the start the model gave ‘h’")
        await pilot.press("escape")
        await opened(app, TweetDialog)
        await pilot.press("escape")
        await opened(app, MainScreen)
        await pilot.press("p", *"good mx", "ctrl+x")
        await opened(app, XrayScreen)
        await shows(app, "good mx", "At the start the model gave ‘g’")
        await pilot.press("escape")
        await shows(app, "› good mx", "^x x-ray")
        assert texts(session) == ["hello there", "good mx"]


@pytest.mark.parametrize("script", [(STEPS,), (tweet_sampled("xq~z", 0), STEPS)], ids=["none", "of step 0"])
async def test_without_a_tweet_of_a_trained_model_x_opens_a_training_tweet_and_b_the_next_one(
    stage: Stage, script: tuple[e.Event, ...]
) -> None:
    async with run_of(stage, script) as (app, pilot, session):
        await pilot.press("x")
        await shows(app, "▸good morning■", "At the start the model gave ‘g’")
        await pilot.press("B")
        await shows(app, "▸hi■", "At the start the model gave ‘h’")
        await pilot.press("B")
        await shows(app, "▸good morning■")
        assert texts(session) == ["good morning", "hi"]


async def test_a_selected_tweet_of_step_0_is_opened_itself(stage: Stage) -> None:
    async with run_of(stage, (tweet_sampled("xq~z", 0), STEPS)) as (app, pilot, _):
        app.screen.query_one(TweetFeed).focus()
        await pilot.press("up", "x")
        await shows(app, "▸xq~z■")


async def test_an_x_ray_opened_before_the_start_shows_a_training_tweet_once_the_run_has_started(stage: Stage) -> None:
    class Slow(FakeSession):
        def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[c.Command]) -> None:
            assert begin.wait(DEADLINE_SECONDS)
            super().run(emit, commands)

    begin = threading.Event()
    session = Slow(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, MainScreen)
        await pilot.press("x")
        await shows(app, "The run is still starting: it has no weights yet.")
        await pilot.press("question_mark")
        await shows(app, "In training it is then fed the true next character")
        begin.set()
        await pilot.press("question_mark")
        await shows(app, "▸good morning■", "At the start the model gave ‘g’")
        assert texts(session) == ["good morning"]


async def test_any_text_can_be_typed(stage: Stage) -> None:
    async with run_of(stage) as (app, pilot, session):
        await pilot.press("x", *"pt q.", "enter")
        await shows(app, "▸t q.■", "At the start the model gave ‘t’")
        await pilot.press("p", "end", "backspace", "enter")
        await shows(app, "▸t q■")
        await pilot.press("p", *"unwanted")
        await shows(app, "unwanted")
        await pilot.press("escape")
        await wait_until(lambda: "unwanted" not in screen_text(app), "the closed line")
        assert isinstance(app.screen, XrayScreen)
        await wait_until(lambda: texts(session)[-2:] == ["t q.", "t q"], "the question about the second")


async def test_space_pauses_and_a_dot_takes_one_step_which_the_x_ray_shows(stage: Stage) -> None:
    async with run_of(stage) as (app, pilot, session):
        await pilot.press("x")
        await shows(app, "weights of step 3", "space pause")
        await press(pilot, session, "space")
        await shows(app, "space resume")
        await press(pilot, session, "full_stop")
        await shows(app, "step 4: ")
        assert [each for each in session.received if not isinstance(each, c.TraceText)] == [c.Pause(), c.TakeStep()]


async def test_a_dot_while_training_pauses_and_its_line_says_how_to_take_a_step(stage: Stage) -> None:
    async with run_of(stage) as (app, pilot, session):
        await pilot.press("x")
        await shows(app, "weights of step 3", "space pause")
        await press(pilot, session, "full_stop")
        await shows(app, "paused: . takes one step, space resumes")
        assert toasts(app) == []


async def test_esc_closes_the_explanation_first(stage: Stage) -> None:
    async with run_of(stage) as (app, pilot, _):
        await pilot.press("x")
        await shows(app, "weights of step 3")
        await pilot.press("question_mark")
        await shows(app, "In training it is then fed the true next character")
        await pilot.press("escape")
        await shows(app, "At the start the model gave")
        assert isinstance(app.screen, XrayScreen)
        await pilot.press("escape")
        await opened(app, MainScreen)


async def test_a_refused_question_and_why_no_model_is_left_are_shown_in_the_panel(stage: Stage) -> None:
    class Refusing(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            if isinstance(command, c.TraceText):
                return self._refuse("TraceText", "The text is too long to be traced.")
            return super().answer(command)

    app = stage.app(Refusing(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.summary_view.num_tweets == 2, "the script's end")
        await pilot.press("x")
        await shows(app, "The text is too long to be traced.")
        assert isinstance(app.screen, XrayScreen)
        ended = e.RunFinished(step=9, elapsed_seconds=1.0, reason="budget", total_seconds=1.0, total_chars=9)
        trained_by(app)._emit(ended)
        await shows(app, "No model is running, and the run has no checkpoint on this machine.")
        await pilot.press("escape")
        await opened(app, MainScreen)


async def test_once_the_run_has_ended_its_best_checkpoint_answers(
    stage: Stage, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CheckpointAnswers:
        """Answers as a session at step 7."""

        def answer(self, command: c.Insight) -> e.Event:
            answer = FakeSession().answer(command)
            assert isinstance(answer, e.InsightEvent)
            return replace(answer, step=7, weights_step=7)

    opened_paths: list[Path] = []

    def open_answers(path: Path) -> CheckpointAnswers:
        opened_paths.append(path)
        return CheckpointAnswers()

    monkeypatch.setattr(xray, "CheckpointBridge", partial(CheckpointBridge, open_answers=open_answers))
    folder = create_run_folder("2026-11-25-101112")
    folder.checkpoint_path("latest").parent.mkdir(exist_ok=True)
    for name in ("latest", "best"):
        folder.checkpoint_path(name).touch()
    async with run_of(stage) as (app, pilot, session):
        await pilot.press("x")
        await shows(app, "weights of step 3 · follows the training (w)")
        trained_by(app)._emit(e.RunFinished(step=9, elapsed_seconds=1.0, reason="", total_seconds=1.0, total_chars=9))
        await shows(app, "weights of step 7 · checkpoint best")
        num_commands = len(session.received)
        await pilot.press("5")
        await shows(app, "[5 map]", "variance")
        assert opened_paths == [home / "runs" / "2026-11-25-101112" / "checkpoints" / "best.safetensors"]
        assert len(session.received) == num_commands
        await pilot.press("escape")
        await opened(app, MainScreen)


async def test_questions_whose_answers_may_be_lost_are_asked_again(stage: Stage) -> None:
    async with run_of(stage) as (app, pilot, session):
        main = app.screen
        assert isinstance(main, MainScreen)
        await pilot.press("x")
        await shows(app, "weights of step 3")
        assert [type(each) for each in session.received] == [c.TraceText]
        main.run.num_gaps += 1
        await wait_until(lambda: [type(each) for each in session.received] == [c.TraceText] * 2, "the question")


async def test_a_question_asked_again_before_it_was_sent_is_sent_once(stage: Stage) -> None:
    async with run_of(stage) as (app, pilot, session):
        await pilot.press("x")
        await shows(app, "weights of step 3")
        assert isinstance(app.screen, XrayScreen)
        num_before = len(session.received)
        app.screen.panel.ask_again()
        app.screen.panel.ask_again()
        await wait_until(lambda: len(session.received) > num_before, "the question")
        await press(pilot, session, "space")
        assert [type(each) for each in session.received[num_before:]] == [c.TraceText, c.Pause]


async def test_the_thread_of_a_checkpoint_ends_with_the_screen_that_another_run_replaces(
    stage: Stage, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridges: list[CheckpointBridge] = []

    class Recorded(CheckpointBridge):
        def __init__(self, path: Path) -> None:
            super().__init__(path, lambda _: FakeSession())
            bridges.append(self)

    monkeypatch.setattr(xray, "CheckpointBridge", Recorded)
    folder = create_run_folder("2026-11-25-101112")
    folder.checkpoint_path("best").parent.mkdir(exist_ok=True)
    folder.checkpoint_path("best").touch()
    app = stage.app(FakeSession(SCRIPT), further=[FakeSession(SCRIPT)])
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.summary_view.num_tweets == 2, "the script's end")
        trained_by(app)._emit(e.RunFinished(step=9, elapsed_seconds=1.0, reason="", total_seconds=1.0, total_chars=9))
        await wait_until(lambda: app.summary_view.ended is not None, "the end of the run")
        await pilot.press("x")
        await shows(app, "checkpoint best", "At the start the model gave")
        app.start_run(RunConfig())
        await wait_until(lambda: not bridges[0]._thread.is_alive(), "the end of the thread")
        await shows(app, "waiting for the run before to end")


async def test_the_panels_below_are_drawn_again_once_the_x_ray_is_closed(stage: Stage) -> None:
    async with run_of(stage) as (app, pilot, session):
        main = app.screen
        await pilot.press("x")
        await shows(app, "weights of step 3")
        session.emit(tweet_sampled("sampled meanwhile", 4))
        await wait_until(lambda: app.summary_view.num_tweets == 3, "the tweet")
        await shows(app, "[1 step]")
        chosen = main.query_one(TweetFeed).chosen
        assert chosen is not None
        assert chosen.text == "hello there"
        await pilot.press("escape")
        await shows(app, "sampled meanwhile")

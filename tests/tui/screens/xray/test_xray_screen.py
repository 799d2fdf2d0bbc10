"""The X-ray over the main screen: how it opens and closes, what it sends, and the run behind it."""

from __future__ import annotations

import queue
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
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
from tui.widgets.xray.questions import AGAIN_SECONDS

STEPS = steps_finished(1, [4.5, 4.2, 4.0])
SCRIPT: tuple[e.Event, ...] = (STEPS, tweet_sampled("an older one", 2), tweet_sampled("hello there", 3))
ENDED = e.RunFinished(step=9, elapsed_seconds=1.0, reason="", total_seconds=1.0, total_chars=9)


@asynccontextmanager
async def run_of(
    stage: Stage, session: FakeSession, further: tuple[FakeSession, ...] = ()
) -> AsyncIterator[tuple[TweetgenApp, Pilot[Outcome]]]:
    """Show a run after its script."""
    app = stage.app(session, further=further)
    async with app.run_test(size=(80, 24)) as pilot:
        tweets = [event.text for event in session._script if isinstance(event, e.TweetSampled)]
        await wait_until(
            lambda: (app.summary_view.step, app.summary_view.num_tweets) == (3, len(tweets)), "the script's end"
        )
        await shows(app, "q quit", *tweets)  # the feed draws once a second
        yield app, pilot


def texts(session: FakeSession) -> list[str]:
    """Return the texts that were traced, in order, repetitions left out."""
    return list(dict.fromkeys(each.text for each in session.received if isinstance(each, c.TraceText)))


def kinds(session: FakeSession) -> list[type[c.Command]]:
    return [type(each) for each in session.received]


async def test_x_opens_the_newest_or_the_selected_tweet_the_open_one_or_the_typed_prompt(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    async with run_of(stage, session) as (app, pilot):
        await pilot.press("x")
        await opened(app, XrayScreen)
        await shows(app, "[1 step]", "hello there", "At the start the model gave ‘h’", "weights of step 3")
        await pilot.press("escape", "escape")
        await opened(app, MainScreen)
        await pilot.press("p", *"good mx", "ctrl+x")
        await opened(app, XrayScreen)
        await shows(app, "good mx", "At the start the model gave ‘g’")
        await pilot.press("escape")
        await shows(app, "› good mx", "^x x-ray")
        await pilot.press("escape")
        app.screen.query_one(TweetFeed).focus()
        await pilot.press("up", "up", "enter")
        await opened(app, TweetDialog)
        await pilot.press("x")
        await shows(app, "an older one", "At the start the model gave ‘a’")
        await pilot.press("q")
        await opened(app, TweetDialog)
        await pilot.press("escape")
        await opened(app, MainScreen)
        assert app.is_running
        assert texts(session) == ["hello there", "good mx", "an older one"]


@pytest.mark.parametrize("script", [(STEPS,), (tweet_sampled("xq~z", 0), STEPS)], ids=["none", "of step 0"])
async def test_without_a_tweet_of_a_trained_model_x_opens_a_training_tweet_and_b_the_next_one(
    stage: Stage, script: tuple[e.Event, ...]
) -> None:
    session = FakeSession(script)
    async with run_of(stage, session) as (app, pilot):
        await pilot.press("x")
        await shows(app, "▸good morning■", "At the start the model gave ‘g’")
        await pilot.press("B")
        await shows(app, "▸hi■", "At the start the model gave ‘h’")
        await pilot.press("B")
        await shows(app, "▸good morning■")
        assert texts(session) == ["good morning", "hi"]
        if len(script) > 1:
            await pilot.press("escape")
            await opened(app, MainScreen)
            app.screen.query_one(TweetFeed).focus()
            await pilot.press("up", "x")
            await shows(app, "▸xq~z■")  # one that was selected is opened itself


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
        await pilot.press("escape")  # closes the explanation first
        await shows(app, "▸good morning■", "At the start the model gave ‘g’")
        assert texts(session) == ["good morning"]


async def test_any_text_can_be_typed_and_the_run_paused_and_stepped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setitem(AGAIN_SECONDS, c.TraceText, 0.0)  # no second between a step and the next question
    session = FakeSession(SCRIPT)
    async with run_of(stage, session) as (app, pilot):
        await pilot.press("x", *"pt q.", "enter")
        await shows(app, "▸t q.■", "At the start the model gave ‘t’")
        await pilot.press("p", "end", "backspace", "enter")
        await shows(app, "▸t q■", "weights of step 3")
        await pilot.press("p", *"unwanted")
        await shows(app, "unwanted")
        await pilot.press("escape")
        await wait_until(lambda: "unwanted" not in screen_text(app), "the closed line")
        assert isinstance(app.screen, XrayScreen)
        await press(pilot, session, "full_stop")
        await shows(app, "paused: . takes one step, space resumes")
        assert toasts(app) == []
        await press(pilot, session, "space")
        await shows(app, "space pause")
        await press(pilot, session, "space")
        await shows(app, "space resume")
        await press(pilot, session, "full_stop")
        await shows(app, "step 4: ", "weights of step 4")
        assert "\n".join(map(str.rstrip, screen_text(app).split("\n"))) == snapshot
        others = [each for each in session.received if not isinstance(each, c.TraceText)]
        assert others == [c.Pause(), c.Resume(), c.Pause(), c.TakeStep()]
        assert texts(session) == ["hello there", "t q.", "t q"]


async def test_a_refused_question_and_why_no_model_is_left_are_shown_in_the_panel(stage: Stage) -> None:
    class Refusing(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            if isinstance(command, c.TraceText):
                return self._refuse("TraceText", "The text is too long to be traced.")
            return super().answer(command)

    async with run_of(stage, Refusing(SCRIPT)) as (app, pilot):
        await pilot.press("x")
        await shows(app, "The text is too long to be traced.")
        trained_by(app)._emit(ENDED)
        await shows(app, "No model is running, and the run has no checkpoint on this machine.")
        await pilot.press("escape")
        await opened(app, MainScreen)


async def test_once_the_run_has_ended_its_best_checkpoint_answers_until_another_run_replaces_it(
    stage: Stage, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bridges: list[CheckpointBridge] = []
    opened_paths: list[Path] = []

    def open_answers(path: Path) -> FakeSession:
        opened_paths.append(path)
        answers = FakeSession()
        answers._step = 7
        return answers

    class Recorded(CheckpointBridge):
        def __init__(self, path: Path) -> None:
            super().__init__(path, open_answers)
            bridges.append(self)

    monkeypatch.setattr(xray, "CheckpointBridge", Recorded)
    folder = create_run_folder("2026-11-25-101112")
    folder.checkpoint_path("latest").parent.mkdir(exist_ok=True)
    for name in ("latest", "best"):
        folder.checkpoint_path(name).touch()
    session = FakeSession(SCRIPT)
    async with run_of(stage, session, further=(FakeSession(SCRIPT),)) as (app, pilot):
        await pilot.press("x")
        await shows(app, "weights of step 3 · follows the training (w)")
        trained_by(app)._emit(ENDED)
        await shows(app, "weights of step 7 · checkpoint best")
        num_commands = len(session.received)
        await pilot.press("5")
        await shows(app, "[5 map]", "variance")
        assert opened_paths == [home / "runs" / "2026-11-25-101112" / "checkpoints" / "best.safetensors"]
        assert len(session.received) == num_commands
        app.start_run(RunConfig())
        await wait_until(lambda: not bridges[0]._thread.is_alive(), "the end of the thread")
        await shows(app, "waiting for the run before to end")


async def test_questions_whose_answers_may_be_lost_are_asked_again_once_and_the_panels_below_are_drawn_again(
    stage: Stage,
) -> None:
    session = FakeSession(SCRIPT)
    async with run_of(stage, session) as (app, pilot):
        main = app.screen
        assert isinstance(main, MainScreen)
        await pilot.press("x")
        await shows(app, "weights of step 3")
        main.run.num_gaps += 1
        await wait_until(lambda: kinds(session) == [c.TraceText] * 2, "the question")
        assert isinstance(app.screen, XrayScreen)
        app.screen.panel.ask_again()
        app.screen.panel.ask_again()  # before the first was sent
        await wait_until(lambda: len(session.received) > 2, "the question")
        await press(pilot, session, "space")
        assert kinds(session) == [c.TraceText] * 3 + [c.Pause]
        session.emit(tweet_sampled("sampled meanwhile", 4))
        await wait_until(lambda: app.summary_view.num_tweets == 3, "the tweet")
        chosen = main.query_one(TweetFeed).chosen
        assert chosen is not None
        assert chosen.text == "hello there"
        await pilot.press("escape")
        await shows(app, "sampled meanwhile")

"""The X-ray over the main screen: how it opens and closes, what it sends, and the run behind it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import create_run_folder
from tests.fakes import FakeSession, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, Stage, opened, screen_text, shows, toasts, wait_until
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


def texts(session: FakeSession) -> list[str]:
    """Return the texts that were traced, in order, repetitions left out."""
    return list(dict.fromkeys(each.text for each in session.received if isinstance(each, c.TraceText)))


async def test_x_opens_the_newest_or_the_selected_tweet_the_open_one_or_the_typed_prompt(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT)) as at:
        at_the_start = ("[1 step]", "hello there", "At the start the model gave ‘h’", "weights of step 3")
        await at.press("x", opens=XrayScreen, shows=at_the_start)
        await at.press("escape", "escape", opens=MainScreen)
        await at.press("p", *"good mx", "ctrl+x", shows=("good mx", "At the start the model gave ‘g’"))
        await at.press("escape", shows=("› good mx", "^x x-ray"))
        await at.press("escape")
        at.app.screen.query_one(TweetFeed).focus()
        await at.press("up", "up", "enter", opens=TweetDialog)
        await at.press("x", shows=("an older one", "At the start the model gave ‘a’"))
        await at.press("q", opens=TweetDialog)
        await at.press("escape", opens=MainScreen)
        assert at.app.is_running
        assert texts(at.session) == ["hello there", "good mx", "an older one"]


async def test_without_a_tweet_of_a_trained_model_x_opens_a_training_tweet_and_b_the_next_one(stage: Stage) -> None:
    async with stage.running(FakeSession((tweet_sampled("xq~z", 0), STEPS))) as at:
        await at.press("x", shows=("▸good morning■", "At the start the model gave ‘g’"))
        await at.press("B", shows=("▸hi■", "At the start the model gave ‘h’"))
        await at.press("B", shows="▸good morning■")
        assert texts(at.session) == ["good morning", "hi"]
        await at.press("escape", opens=MainScreen)
        at.app.screen.query_one(TweetFeed).focus()
        await at.press("up", "x", shows="▸xq~z■")  # one that was selected is opened itself


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
    async with stage.running(FakeSession(SCRIPT)) as at:
        await at.press("x", "right", "g", shows="hello there")
        await at.press(*"pt q.", "enter", shows=("▸t q.■", "At the start the model gave ‘t’"))
        own_draws = [each.own_from for each in at.session.received if isinstance(each, c.TraceText)]
        assert own_draws[-2:] == [1, None], "another text begins without draws"
        await at.press("p", "end", "backspace", "enter", shows=("▸t q■", "weights of step 3"))
        await at.press("p", *"unwanted", shows="unwanted")
        await at.press("escape", opens=XrayScreen, lacks="unwanted")
        await at.press(".", shows="paused: . takes one step, space resumes")
        assert toasts(at.app) == []
        await at.press("space", shows="space pause")
        await at.press("space", shows="space resume")
        await at.press(".", shows=("step 4: ", "weights of step 4"))
        assert "\n".join(map(str.rstrip, screen_text(at.app).split("\n"))) == snapshot
        others = [each for each in at.session.received if not isinstance(each, c.TraceText)]
        assert others == [c.Pause(), c.Resume(), c.Pause(), c.TakeStep()]
        assert texts(at.session) == ["hello there", "t q.", "t q"]


class Refusing(FakeSession):
    """A session that traces no text."""

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.TraceText):
            return self._refuse("TraceText", "The text is too long to be traced.")
        return super().answer(command)


async def test_a_refused_question_and_why_no_model_is_left_are_shown_in_the_panel(stage: Stage) -> None:
    async with stage.running(Refusing(SCRIPT)) as at:
        await at.press("x", shows="The text is too long to be traced.")
        at.session.emit(ENDED)
        await at.press(shows="No model is running, and the run has no checkpoint on this machine.")
        await at.press("escape", opens=MainScreen)


async def test_once_the_run_has_ended_its_best_checkpoint_answers_until_another_run_replaces_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
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
    async with stage.running(FakeSession(SCRIPT), further=(FakeSession(SCRIPT),)) as at:
        await at.press("x", shows="weights of step 3 · follows the training (w)")
        at.session.emit(ENDED)
        await shows(at.app, "weights of step 7 · checkpoint best")
        num_commands = len(at.session.received)
        await at.press("5", shows=("[5 map]", "variance"))
        assert opened_paths == [folder.checkpoint_path("best")]
        assert len(at.session.received) == num_commands
        at.app.start_run(RunConfig())
        await wait_until(lambda: not bridges[0]._thread.is_alive(), "the end of the thread")
        await shows(at.app, "waiting for the run before to end")


async def test_questions_whose_answers_may_be_lost_are_asked_again_once_and_panels_drawn_again(stage: Stage) -> None:
    async with stage.running(FakeSession(SCRIPT)) as at:
        main, kinds = at.app.screen, [c.TraceText]
        assert isinstance(main, MainScreen)
        await at.press("x", opens=XrayScreen, shows="weights of step 3")
        main.run.num_gaps += 1
        await at.settle()
        assert isinstance(at.app.screen, XrayScreen)
        at.app.screen.panel.ask_again()
        at.app.screen.panel.ask_again()  # before the first was sent
        await wait_until(lambda: [*map(type, at.session.received)] == kinds * 3, "the questions")
        await at.press("space", sends=c.Pause())
        assert [*map(type, at.session.received)] == [*kinds * 3, c.Pause]
        await at.emit(tweet_sampled("sampled meanwhile", 4))
        chosen = main.query_one(TweetFeed).chosen
        assert chosen is not None
        assert chosen.text == "hello there"
        await at.press("escape", shows="sampled meanwhile")

"""The main screen: ctrl+c, runs that finish or fail, a loaded checkpoint, a screenshot."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from engine.errors import CorpusError
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import (
    FakeClock,
    FakeSession,
    RaisingSession,
    eval_finished,
    run_started,
    steps_finished,
    tweet_sampled,
)
from tests.tui.conftest import Stage, opened, screen_text, shows, toasted, toasts, wait_until
from tui.app.app import TweetgenApp
from tui.screens.dialogs.base import FailureDialog, MessageDialog, ResultDialog
from tui.screens.dialogs.help import HelpScreen
from tui.screens.main.screen import MainScreen

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), eval_finished(3, 5.7), tweet_sampled("hello there", 3))
FINISHED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps reached", total_seconds=1.0, total_chars=99)


async def started(app: TweetgenApp) -> None:
    await wait_until(lambda: app.summary_view.num_tweets == 1, "the script's end")


async def test_what_a_run_on_one_tweet_has_learned_is_shown_after_an_open_dialog_until_it_is_closed(
    stage: Stage,
) -> None:
    learned = "Loss 0.032 bits/char: the model knows this tweet by heart; it knows nothing else."
    outcome = e.Warned(step=168, elapsed_seconds=9.0, message=learned, kind="outcome")
    end = e.RunFinished(step=168, elapsed_seconds=9.0, reason="finished", total_seconds=9.0, total_chars=9)
    session = FakeSession((steps_finished(1, [0.02] * 168), tweet_sampled("hello there", 168)))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await pilot.press("question_mark")
        await opened(app, HelpScreen)
        session.emit(outcome)
        session.emit(end)
        await wait_until(lambda: app.summary_view.ended, "the end")
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await opened(app, ResultDialog)
        await shows(app, "The run on one tweet", "the model knows this tweet by heart")
        await pilot.press("escape")
        await opened(app, MainScreen)


async def test_a_failure_is_shown_over_a_dialog_before_a_result_that_waits_for_it(stage: Stage) -> None:
    outcome = e.Warned(step=3, elapsed_seconds=9.0, message="Loss 0.032 bits/char.", kind="outcome")
    failed = e.RunFailed(step=3, elapsed_seconds=9.0, title="The disk is full", detail="No space.", hint="")
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await pilot.press("question_mark")
        await opened(app, HelpScreen)
        session.emit(outcome)
        session.emit(failed)
        await opened(app, FailureDialog)
        await pilot.press("escape")
        await opened(app, HelpScreen)


@pytest.mark.parametrize("key", ["t", "ctrl+p"])
async def test_ctrl_c_in_a_dialog_or_the_palette_stops_the_session_and_exits_with_130(stage: Stage, key: str) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test() as pilot:
        await started(app)
        main_screen = app.screen
        await pilot.press(key)
        await wait_until(lambda: app.screen is not main_screen)
        await pilot.press("ctrl+c")
        await wait_until(lambda: not app.is_running)
    assert app.return_code == 130
    assert isinstance(session.received[-1], c.Stop)
    assert app.summary_view.phase == "finished"


async def test_a_finished_run_stays_readable_and_steering_keys_report_that_it_is_over(stage: Stage) -> None:
    app = stage.app(FakeSession((*SCRIPT, FINISHED)))
    app._main_screen.run.messages._clock = FakeClock()  # however slowly the keys are pressed
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.summary_view.phase == "finished")
        await shows(app, "hello there")
        how = "tweetgen-tui --resume 2026-11-25-101112 continues the run"
        refusal = f"The run has ended; {how}, o opens other tweets, q quits."
        await pilot.press("g", "space", "f", "+")
        await wait_until(lambda: refusal in toasts(app))
        assert toasts(app).count(refusal) == 1
        await pilot.press("q")
        await wait_until(lambda: not app.is_running)
    assert app.return_code == 0


@pytest.mark.parametrize(
    ("error", "return_code"),
    [(ZeroDivisionError("oh no"), 3), (CorpusError("tweets.csv is empty.", "Give tweets."), 1)],
)
async def test_a_failed_session_is_reported_in_a_dialog_and_by_the_return_code(
    stage: Stage, error: Exception, return_code: int
) -> None:
    app = stage.app(RaisingSession(error, [run_started(), *SCRIPT]))
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, MessageDialog)
        await shows(app, str(error))
        await pilot.press("q")
        await wait_until(lambda: not isinstance(app.screen, MessageDialog))
        await shows(app, "hello there")
        await pilot.press("q")
        await wait_until(lambda: not app.is_running)
    assert app.return_code == return_code


async def test_a_failure_is_shown_once_nothing_is_typed_that_its_keys_would_be_meant_for(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await pilot.press("p")
        await wait_until(lambda: isinstance(app.focused, Input), "the prompt line")
        session.emit(e.RunFailed(step=3, elapsed_seconds=1.0, title="It broke", detail="So it is.", hint=""))
        await shows(app, "✗ failed: 3 steps")
        await pilot.press(*"oaq")
        assert isinstance(app.screen, MainScreen)
        await pilot.press("escape")
        await opened(app, MessageDialog)
        await shows(app, "So it is.")


async def test_loading_an_earlier_checkpoint_removes_later_tweets_from_the_feed(stage: Stage) -> None:
    session = FakeSession((*SCRIPT, steps_finished(4, [3.9] * 10), tweet_sampled("from the future", 13)))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)):
        await shows(app, "from the future")
        session.emit(
            e.CheckpointLoaded(
                step=3, elapsed_seconds=1.0, name="happy", path="/tmp/happy.safetensors", bits_per_char=5.7, epochs=0.0
            )
        )
        await wait_until(lambda: "from the future" not in screen_text(app))
        await shows(app, "hello there")


async def test_a_screenshot_is_saved_without_a_downloads_folder(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DOWNLOAD_DIR", str(tmp_path / "missing"))
    monkeypatch.chdir(tmp_path)
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test():
        await started(app)
        app.deliver_screenshot()
        await toasted(app, "Saved screenshot to")
    assert [path.suffix for path in tmp_path.iterdir()] == [".svg"]

"""The main screen: ctrl+c, runs that finish or fail, a loaded checkpoint, a screenshot."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from engine.errors import CorpusError
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeClock, FakeSession, RaisingSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import SCRIPT, Stage, opened, shows, toasted, toasts, wait_until
from tui.screens.dialogs.base import FailureDialog, MessageDialog, ResultDialog
from tui.screens.dialogs.help import HelpScreen
from tui.screens.main.screen import MainScreen

FINISHED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps reached", total_seconds=1.0, total_chars=99)
FAILED = e.RunFailed(step=3, elapsed_seconds=9.0, title="The disk is full", detail="No space.", hint="")
LEARNED = "Loss 0.032 bits/char: the model knows this tweet by heart; it knows nothing else."
OUTCOME = e.Warned(step=3, elapsed_seconds=9.0, message=LEARNED, kind="outcome")


async def test_what_a_run_on_one_tweet_has_learned_is_shown_after_an_open_dialog_until_it_is_closed(
    stage: Stage,
) -> None:
    async with stage.running() as at:
        await at.press("question_mark", opens=HelpScreen)
        at.session.emit(OUTCOME)
        at.session.emit(FINISHED)
        await wait_until(lambda: at.app.summary_view.ended, "the end")
        assert isinstance(at.app.screen, HelpScreen)
        await at.press(
            "escape", opens=ResultDialog, shows=("The run on one tweet", "the model knows this tweet by heart")
        )
        await at.press("escape", opens=MainScreen)


async def test_a_failure_is_shown_over_a_dialog_before_a_result_that_waits_for_it(stage: Stage) -> None:
    async with stage.running() as at:
        await at.press("question_mark", opens=HelpScreen)
        at.session.emit(OUTCOME)
        at.session.emit(FAILED)
        await opened(at.app, FailureDialog)
        await at.press("escape", opens=HelpScreen)


async def test_a_failure_is_shown_once_nothing_is_typed_that_its_keys_would_be_meant_for(stage: Stage) -> None:
    async with stage.running() as at:
        await at.press("p")
        await wait_until(lambda: isinstance(at.app.focused, Input), "the prompt line")
        at.session.emit(FAILED)
        await shows(at.app, "✗ failed: 3 steps")
        await at.press(*"oaq")
        assert isinstance(at.app.screen, MainScreen)
        await at.press("escape", opens=MessageDialog, shows="No space.")


@pytest.mark.parametrize("key", ["t", "ctrl+p"])
async def test_ctrl_c_in_a_dialog_or_the_palette_stops_the_session_and_exits_with_130(stage: Stage, key: str) -> None:
    async with stage.running() as at:
        main_screen = at.app.screen
        await at.press(key)
        await wait_until(lambda: at.app.screen is not main_screen)
        await at.press("ctrl+c")
        await wait_until(lambda: not at.app.is_running)
    assert at.app.return_code == 130
    assert isinstance(at.session.received[-1], c.Stop)
    assert at.app.summary_view.phase == "finished"


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
        await opened(app, MainScreen)
        await shows(app, "hello there")
        await pilot.press("q")
        await wait_until(lambda: not app.is_running)
    assert app.return_code == return_code


async def test_loading_an_earlier_checkpoint_removes_later_tweets_and_a_screenshot_needs_no_downloads_folder(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DOWNLOAD_DIR", str(tmp_path / "missing"))
    monkeypatch.chdir(tmp_path)
    loaded = e.CheckpointLoaded(
        step=3, elapsed_seconds=1.0, name="happy", path="/tmp/happy.safetensors", bits_per_char=5.7, epochs=0.0
    )
    trained_on = (*SCRIPT, steps_finished(4, [3.9] * 10), tweet_sampled("from the future", 13))
    async with stage.running(FakeSession(trained_on)) as at:
        await shows(at.app, "from the future")
        at.session.emit(loaded)
        await at.press(shows="hello there", lacks="from the future")
        at.app.deliver_screenshot()
        await toasted(at.app, "Saved screenshot to")
    assert [path.suffix for path in tmp_path.iterdir()] == [".svg"]

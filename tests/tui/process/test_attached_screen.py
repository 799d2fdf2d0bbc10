"""A screen attached to a run of another process: its permissions, its labels, and how it quits."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, cast

import pytest

from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.storage.folders import named_checkpoint_path
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import FakeClock, FakeSession, run_finished, run_started, steps_finished, tweet_sampled
from tests.recorded_runs import write_run
from tests.tui import conftest, test_states
from tests.tui.conftest import SCRIPT, Running, Stage, opened, shows, toasted, wait_until
from tests.tui.process.host_and_client import RUN, hosted
from tests.tui.test_states import Scene
from tests.tui.transcripts import AtOnce
from tui.app.app import TweetgenApp
from tui.app.main_screen import MainScreen
from tui.app.pins import PinsFile
from tui.cli.commands import screen
from tui.dialogs.ask import Question
from tui.dialogs.tweets import TweetDialog
from tui.process.attached import AttachedRun
from tui.process.exit import Outcome
from tui.process.job_control import JobControl
from tui.run.connection import RunConnection
from tui.run.fold import fold
from tui.run.marks import NUM_BASELINES
from tui.run.new_run import curve_before
from tui.run.view import RunView
from tui.settings.key_table import MAIN_ACTIONS
from tui.text.cells import plain
from tui.widgets.bars import EndBar
from tui.widgets.feed.columns import PIN_GLYPH
from tui.widgets.plot.plot import LossPlot

REFUSAL = "This screen is read-only."
READ_ONLY: dict[str, Any] = {"badge": "read-only", "refusal": REFUSAL}


def attached(
    stage: Stage, size: tuple[int, int] = (80, 24), session: FakeSession | None = None, **changes: Any
) -> AbstractAsyncContextManager[Running]:
    """Open a screen that seems attached to a run."""
    scene = Scene(session or FakeSession(SCRIPT), size, **{"badge": "attached, 2 screens", **changes})
    return test_states.opened(stage, scene)


async def end_of(at: Running, exit_code: int = 0) -> None:
    await wait_until(lambda: at.app.return_code is not None, "the end")
    assert at.app.return_code == exit_code


async def test_a_read_only_screen_refuses_every_key_that_steers_and_shows_batch_levels_and_end(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    session.measures_baselines = True
    async with attached(stage, (120, 40), session, **READ_ONLY) as at:
        await wait_until(lambda: len(at.app.summary_view.baselines) == NUM_BASELINES, "the levels")
        assert [type(each) for each in session.received] == [insight.MeasureBaselines]
        session.received.clear()
        await at.press("space")
        await toasted(at.app, REFUSAL)
        for action in MAIN_ACTIONS:
            if {"commands", "steering", "switching"} & {*action.needs}:
                await at.app.screen.run_action(action.action)
                assert isinstance(at.app.screen, MainScreen), action.title
        await at.press("enter", opens=TweetDialog, shows=REFUSAL)
        await at.press("escape", opens=MainScreen)
        assert at.session.received == []
        await at.press("B", shows=("Batch of step 100", "good morning"))
        await at.press(".")
        await toasted(at.app, REFUSAL)
        await at.press("escape", opens=MainScreen)
        now: dict[str, Any] = {"step": 100, "elapsed_seconds": 9.0}
        await at.emit(e.SettingsChanged(settings={"max_steps": 100}, epochs=0.1, **now), e.Paused(**now))
        await shows(at.app, "■ finished: 100 steps in 0:09")
        assert "space" not in plain(at.app.screen.query_one(EndBar).lines)
        for key_of_the_end in ("space", "f"):
            await at.press(key_of_the_end)
            await toasted(at.app, REFUSAL)
        assert at.session.received == [insight.ShowBatch()]
        await at.press("q")
        await end_of(at)


@pytest.mark.parametrize(("asks", "key"), [("q", "y"), ("q", "d"), ("ctrl+c", "ctrl+c")])
async def test_q_and_ctrl_c_on_an_attached_screen_ask_whether_to_end_the_run(stage: Stage, asks: str, key: str) -> None:
    ends, code = key == "y", 130 if key == "ctrl+c" else 0
    async with attached(stage) as at:
        await at.press(asks, opens=Question, shows="y stop the run · d detach")
        await at.press("escape", opens=MainScreen)
        assert at.app.return_code is None
        await at.press(asks, opens=Question)
        await at.press(key)
        await end_of(at, code)
    assert [type(command) for command in at.session.received] == [c.Stop] * ends
    assert at.app.return_value == Outcome(exit_code=code, is_detached=not ends, is_ending=ends)


async def test_d_quits_although_the_run_ended_during_the_question_of_q(stage: Stage) -> None:
    async with attached(stage) as at:
        await at.press("q", opens=Question)
        await at.emit(run_finished(2))
        assert at.app.summary_view.ended is not None
        await at.press("d")
        await end_of(at)
    assert at.app.return_value == Outcome()


@pytest.mark.parametrize(("key", "line"), [("y", "ends in the background."), ("d", "tweetgen-tui attach watched")])
async def test_the_shell_shows_whether_the_run_ends_or_continues(
    key: str, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    with hosted() as made:
        bridge = AttachedRun(made.folder)
        app = TweetgenApp(bridge, bridge.connect())
        app.leaving._clock = clock
        async with app.run_test(size=(80, 24)):
            await wait_until(lambda: app.summary_view.started is not None)
            AtOnce("q").post_to(app)
            await opened(app, Question)
            AtOnce(key).post_to(app)
            await wait_until(lambda: made.sent or app.return_value, "the answer")
            clock.advance(6.0)
            await wait_until(lambda: app.return_code == 0, "the end")
        assert app.return_value is not None
        assert screen._run_after_screen(app.return_value, app, cast("JobControl", None)) == 0
        bridge.leave()
        assert bridge.wait(conftest.DEADLINE_SECONDS)
    assert capfd.readouterr().err.strip().endswith(line)


async def test_an_attached_screen_shows_the_pins_of_the_run_and_saves_new_ones(stage: Stage) -> None:
    early, late = (tweet_sampled(f"tweet number {step}", step) for step in (2, 4))
    with hosted(run_started(run=RUN), steps_finished(1, [4.0, 3.0]), early, late) as host:
        PinsFile(host.folder.pins_path).save((early,), 1)
        bridge = AttachedRun(host.folder)
        app = TweetgenApp(bridge, bridge.connect())
        stage.apps.append(app)
        async with app.run_test(size=(80, 24)) as pilot:
            await shows(app, early.text, late.text)
            await wait_until(lambda: conftest.screen_text(app).count(PIN_GLYPH) == 1, "the pin from before")
            await pilot.press("k")
            saved = PinsFile(host.folder.pins_path)
            await wait_until(lambda: saved.read() == (early, late), "the new pin in the file")


async def test_the_header_shows_how_a_screen_is_attached_and_h_the_machine_after_the_end_of_the_training_process(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunConnection, "host_pid", 2**22)  # above all numbers of processes
    async with attached(stage, (120, 24)) as at:
        for width, badge in ((120, "attached, 2 screens"), (40, "attached"), (80, "attached, 2 screens")):
            await at.resize(width, 24)
            assert f" {badge} " in at.text.splitlines()[0]
        await at.press("h", shows="CPU cores  –, system")
        assert at.app.failure is None


BRANCH = (
    run_started(run="branch", step=20, resumed_from="calm"),
    steps_finished(21, [2.0, 1.9]),
    run_started(run="branch", step=22, resumed_from="branch/latest"),
)
"""A run from a checkpoint of another one, resumed once."""


async def test_a_screen_that_opens_on_the_history_of_a_branch_shows_the_curve_of_the_run_before(
    stage: Stage, home: Path
) -> None:
    assert curve_before("calm") is None
    write_run(home, (run_started(run="parent"), steps_finished(1, [3.0] * 30)), "parent")
    write_checkpoint(named_checkpoint_path("calm"), run="parent", step=20)
    app = stage.app(FakeSession(()), history=fold(RunView(), BRANCH))
    async with app.run_test(size=(120, 40)):
        await wait_until(lambda: app.screen.query(LossPlot) and app.screen.query_one(LossPlot).overlay, "the curve")
        await shows(app, "parent")
        plot = app.screen.query_one(LossPlot)
        assert plot.overlay is not None
        assert (plot.overlay.run, len(plot.overlay.train_losses)) == ("parent", 30)
        assert plot.picture.pane_of(1) is not None  # before the first step of the branch

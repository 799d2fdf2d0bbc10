"""Learning rate, undo, batch size, intervals and alerts on the screen."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.config.run import RunConfig, RuntimeConfig, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, press, screen_text, shows, toasted, toasts, wait_until
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.screens.dialogs.base import FailureDialog, MessageDialog
from tui.screens.dialogs.number import NumberDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.alert_bar import AlertBar
from tui.widgets.step_bar import StepBar

SIZE = (80, 24)
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))
RUN = "2026-11-25-101112"
FULL_DISK = e.Warned(step=3, elapsed_seconds=1.0, message="No space left on device.", kind="disk")


async def started(app: TweetgenApp) -> MainScreen:
    await wait_until(lambda: app.summary_view.num_tweets >= 1, "the script's end")
    await shows(app, "hello there")
    assert isinstance(app.screen, MainScreen)
    return app.screen


# The learning rate ----------------------------------------------------------------------------------------------------


async def test_brackets_change_the_peak_learning_rate_which_is_shown_beside_the_current_one(stage: Stage) -> None:
    session = FakeSession((steps_finished(1, [4.5, 4.2, 4.0], learning_rate=0.001), tweet_sampled("hello there", 3)))
    app = stage.app(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await started(app)
        await shows(app, "0.001 of 0.004")
        for key in "]][":
            await press(pilot, session, key)
        rates = [command.learning_rate for command in session.received if isinstance(command, c.SetLearningRate)]
        assert rates == [0.0050357, 0.00633957, 0.0050357]
        await shows(app, "0.00126 of 0.00504")
        await pilot.resize_terminal(80, 24)
        await shows(app, "learning rate 0.00126/0.00504")
        assert not toasts(app)


# Undo -----------------------------------------------------------------------------------------------------------------


async def test_u_undoes_one_change_after_the_other(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await pilot.press("+", "+", "]")
        await press(pilot, session, "u", num_commands=0)
        await pilot.press("u", "u")
        await wait_until(lambda: len(session.received) == 6, "three keys and three undone")
        assert isinstance(session.received[3], c.SetLearningRate)
        assert session.received[3].learning_rate == 0.004
        temperatures = [
            command.sampling.temperature for command in session.received if isinstance(command, c.SetSampling)
        ]
        assert temperatures == [0.85, 0.9, 0.85, 0.8]
        await toasted(
            app,
            "Undone: learning rate back to 0.004.",
            "Undone: temperature back to 0.85.",
            "Undone: temperature back to 0.80.",
        )
        await pilot.press("u")
        await toasted(app, "Nothing to undo.")
        await wait_until(lambda: app.summary_view.sampling.temperature == 0.8)
        assert len(session.received) == 6


# Numbers --------------------------------------------------------------------------------------------------------------


async def ask(app: TweetgenApp, pilot: Pilot[Outcome], title: str) -> Input:
    """Open the dialog of that title from the palette."""
    await pilot.press("ctrl+p")
    await pilot.press(*title)
    await wait_until(lambda: screen_text(app).count(title) == 2, f"{title}, typed and found")
    await pilot.press("enter")
    await opened(app, NumberDialog)
    return app.screen.query_one(Input)


async def answer(app: TweetgenApp, pilot: Pilot[Outcome], line: Input, text: str) -> None:
    line.value = text
    await pilot.press("enter")


async def test_batch_size_and_intervals_are_asked_for_validated_and_sent(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        screen = await started(app)
        screen.steering.action_batch_size()
        await opened(app, NumberDialog)
        line = app.screen.query_one(Input)
        assert line.value == "32"
        await shows(app, "32 now; a whole number from 1 to 65,536.")
        for nonsense in ("abc", "0", "65537", ""):
            await answer(app, pilot, line, nonsense)
            await shows(app, f"{nonsense or 'Nothing'} is not a whole number from 1")
        assert isinstance(app.screen, NumberDialog)
        await answer(app, pilot, line, " 1,024 ")
        await wait_until(lambda: session.received == [c.SetBatchSize(batch_size=1024)], "the command")
        await wait_until(lambda: app.screen is screen, "the way back")
        await shows(app, "1,024, was 32")
        await pilot.press("u")
        await wait_until(lambda: session.received[-1] == c.SetBatchSize(batch_size=32), "undone")
        await wait_until(lambda: "was 32" not in screen_text(app), "the status as before")
        await answer(app, pilot, await ask(app, pilot, "Steps between evaluations"), "50")
        await wait_until(lambda: len(session.received) == 3)
        screen.steering.action_interval("sample_every")
        await opened(app, NumberDialog)
        await answer(app, pilot, app.screen.query_one(Input), "0")
        await wait_until(lambda: len(session.received) == 4)
        assert session.received[2:] == [
            c.SetIntervals(eval_every=50, sample_every=100),
            c.SetIntervals(eval_every=50, sample_every=0),
        ]
        await toasted(app, "Evaluations: every 50 steps.", "Tweets: never.")
        screen.steering.action_interval("eval_every")
        await opened(app, NumberDialog)
        await pilot.press("escape")
        await wait_until(lambda: app.screen is screen)
        screen.checkpoints.action_save_latest()
        await wait_until(lambda: session.received[4:] == [c.SaveLatest()], "a save, and no change without an answer")
        await toasted(app, "Saved as “latest”.")


# Single steps and speed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "line"),
    [
        (
            (120, 40),
            "step 4: batch loss 3.607 → 3.462 bits/char, gradient norm 0.80, learning rate 0.004, 32 tweets, 2,4",
        ),
        ((80, 24), "step 4: batch loss 3.607 → 3.462, gradient norm 0.80, learning rate 0.004"),
        ((40, 12), "step 4: loss 3.607 → 3.462"),
    ],
)
async def test_a_dot_pauses_then_takes_a_step_and_its_line_stays_until_training_goes_on(
    stage: Stage, size: tuple[int, int], line: str
) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await started(app)
        await press(pilot, session, ".")
        await wait_until(lambda: app.summary_view.phase == "paused")
        await shows(app, "paused: . takes one step")
        assert toasts(app) == []
        assert session.received == [c.Pause()]
        await press(pilot, session, ".")
        assert session.received[1:] == [c.TakeStep()]
        await shows(app, line)
        app.clear_notifications()
        await press(pilot, session, "space")
        session.emit(steps_finished(5, [3.9, 3.8]))
        await wait_until(lambda: not app.screen.query_one(StepBar).display, "the end of the line")


async def test_a_dot_takes_no_step_of_a_run_whose_budget_is_used_up(stage: Stage) -> None:
    at_end = (*SCRIPT, e.Paused(step=3, elapsed_seconds=1.0))
    session = FakeSession(at_end, started=run_started(training=TrainingConfig(max_steps=3)))
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await wait_until(lambda: app.summary_view.phase == "paused")
        await pilot.press(".")
        await toasted(app, "No step is left to take: space continues the run.")
        assert session.received == []


async def test_a_dot_held_down_has_one_step_under_way_at_most(stage: Stage) -> None:
    session = FakeSession((*SCRIPT, e.Paused(step=3, elapsed_seconds=1.0)))
    app = stage.app(session)
    async with app.run_test(size=SIZE):
        screen = await started(app)
        for step in (4, 5):
            for _ in range(5):
                screen.steering.action_step()
            await wait_until(lambda: app.summary_view.step == step, "the step")  # noqa: B023 - awaited at once
        assert session.received == [c.TakeStep(), c.TakeStep()]


async def test_a_speed_limit_is_asked_for_shown_and_undone(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        line = await ask(app, pilot, "Speed limit")
        await shows(app, "0 now; a whole number from 0 to 1,000.")
        await answer(app, pilot, line, "5")
        await shows(app, "≤ 5 steps/s")
        await toasted(app, "Speed limit: 5 steps/s; u undoes it.")
        await pilot.press("u")
        await toasted(app, "Undone: speed limit lifted.")
        await wait_until(lambda: "≤" not in screen_text(app), "no limit")
        limits = [c.SetSpeedLimit(steps_per_second=limit) for limit in (5, 0)]
        await wait_until(lambda: session.received == limits, "the commands")  # shown before they are received


# Alerts ---------------------------------------------------------------------------------------------------------------


async def test_a_full_disk_is_an_alert_and_a_or_a_click_retries_saving(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(40, 12)) as pilot:
        screen = await started(app)
        assert not screen.query_one(AlertBar).display
        session.emit(FULL_DISK)
        await shows(app, "a try saving again", "esc no")
        lines = screen_text(app).splitlines()
        assert "a try saving again" in lines[-2]
        assert "No space l" in lines[-2]
        assert lines[-1].split()[0] == "space"
        await press(pilot, session, "a")
        assert session.received == [c.SaveLatest()]
        await wait_until(lambda: not screen.query_one(AlertBar).display, "the end of the alert")
        session.emit(FULL_DISK)
        await shows(app, "a try saving again")
        await pilot.click(AlertBar, offset=(screen_text(app).splitlines()[-2].index("try saving"), 0))
        await wait_until(lambda: session.received == [c.SaveLatest()] * 2, "the command")
        await wait_until(lambda: not screen.query_one(AlertBar).display, "the end of the alert")
        session.emit(FULL_DISK)
        await shows(app, "esc no")
        await pilot.click(AlertBar, offset=(screen_text(app).splitlines()[-2].index("esc no"), 0))
        await wait_until(lambda: not screen.query_one(AlertBar).display, "the end of the alert")
        assert session.received == [c.SaveLatest()] * 2


async def test_escape_dismisses_an_alert_and_a_without_an_alert_is_a_toast(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        screen = await started(app)
        await pilot.press("escape", "a")
        await toasted(app, "No alert to answer.")
        session.emit(FULL_DISK)
        await shows(app, "a try saving again")
        await pilot.press("escape")
        await wait_until(lambda: not screen.query_one(AlertBar).display, "the end of the alert")
        session.emit(FULL_DISK)
        await wait_until(lambda: len(app.summary_view.warnings) == 2)
        assert not screen.query_one(AlertBar).display
        assert not session.received


async def test_a_reloads_best_at_half_the_rate_after_a_divergence_and_u_restores_the_rate(stage: Stage) -> None:
    session = FakeSession((steps_finished(1, [1.7] * 600), eval_finished(600, 2.4), tweet_sampled("hello there", 600)))
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        screen = await started(app)
        for first_step in (601, 751, 901, 1051):
            session.emit(steps_finished(first_step, [4.2] * 150))
            await wait_until(lambda: app.summary_view.step == first_step + 149)  # noqa: B023 - awaited at once
        await shows(app, "Loss 6.1, was 2.5", "a reload best, halve the learning rate", "esc dismiss")
        await press(pilot, session, "a")
        assert session.received == [c.LoadCheckpoint(name=f"{RUN}/best", halves_rate=True)]
        session.emit(
            e.CheckpointLoaded(step=600, elapsed_seconds=70.0, name="x", path="/x", bits_per_char=2.4, epochs=0.0)
        )
        await wait_until(lambda: app.summary_view.step == 600 and not screen.query_one(AlertBar).display, "the reload")
        await press(pilot, session, "u")
        assert session.received[-1] == c.SetLearningRate(learning_rate=0.004)


async def test_a_refused_answer_is_shown_the_alert_returns_and_u_has_nothing_to_undo(
    stage: Stage,
) -> None:
    class Refusing(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            if isinstance(command, c.LoadCheckpoint):
                return self._refuse("LoadCheckpoint", "It is gone.")
            return super().answer(command)

    session = Refusing(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        for step in (4, 5, 6):
            session.emit(e.Warned(step=step, elapsed_seconds=1.0, message="not finite", kind="not-finite"))
        await shows(app, "a reload latest, halve the learning rate")
        await press(pilot, session, "a")
        assert session.received == [c.LoadCheckpoint(name=f"{RUN}/latest", halves_rate=True)]
        await opened(app, MessageDialog)
        await shows(app, "It is gone.")
        await pilot.press("escape")
        await opened(app, MainScreen)
        await shows(app, "a reload latest, halve the learning rate")
        await pilot.press("u")
        await toasted(app, "Nothing to undo.")
        assert len(session.received) == 1


OUT_OF_MEMORY = e.RunFailed(
    step=3,
    elapsed_seconds=1.0,
    title="The device is out of memory",
    detail="Tried to allocate 2 GiB.",
    hint="Try a smaller --batch-size or --hidden-size.",
)


@pytest.mark.parametrize("is_closed_first", [False, True], ids=["in the dialog", "after it"])
async def test_a_run_that_is_out_of_memory_is_retried_from_its_latest_checkpoint(
    stage: Stage, is_closed_first: bool
) -> None:
    resumed = run_started(step=2, resumed_from=f"{RUN}/latest", elapsed_seconds=1.0)
    after = FakeSession([steps_finished(3, [3.9]), tweet_sampled("and on it goes", 3)], resumed)
    runtime = RuntimeConfig(device="cpu")
    config = RunConfig(settings={"hidden_size": 7}, runtime=runtime, run_name="mine")
    app = stage.app(FakeSession((*SCRIPT, OUT_OF_MEMORY)), further=[after], config=config)
    async with app.run_test(size=SIZE) as pilot:
        await opened(app, FailureDialog)
        await shows(app, "Tried to allocate 2 GiB.", "a try again from latest")
        if is_closed_first:
            await pilot.press("escape")
            await wait_until(lambda: isinstance(app.screen, MainScreen))
            await shows(app, "a try again from latest")
        await pilot.press("a")
        await shows(app, "and on it goes")
        assert app.bridge.config == RunConfig(resume=RUN, runtime=runtime)
        view = app.summary_view
        assert (view.phase, view.train_losses.first_step, view.train_losses.last_step) == ("training", 1, 3)
        assert app.earlier_views == [], "it is the same run"


async def test_a_toast_leaves_the_line_of_a_single_step_visible(stage: Stage) -> None:
    app = stage.app(FakeSession((steps_finished(1, [4.5, 4.2]),)))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await shows(app, "space pause")
        await pilot.press("full_stop")
        await shows(app, ". takes one step, space resumes")
        app.screen.notify("Saved as aaa.")
        await shows(app, "Saved as aaa.", ". takes one step, space resumes")

"""Learning rate, undo, batch size, intervals and alerts on the screen."""

from __future__ import annotations

import pytest
from textual.widgets import Input

from engine.config.run import RunConfig, RuntimeConfig, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import SCRIPT, Running, Stage, opened, shows, toasted, toasts, wait_until
from tui.screens.dialogs.base import FailureDialog, MessageDialog
from tui.screens.dialogs.number import NumberDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.alert_bar import AlertBar
from tui.widgets.step_bar import StepBar

RUN = "2026-11-25-101112"
FULL_DISK = e.Warned(step=3, elapsed_seconds=1.0, message="No space left on device.", kind="disk")
PAUSED = e.Paused(step=3, elapsed_seconds=1.0)


def main(at: Running) -> MainScreen:
    assert isinstance(at.app.screen, MainScreen)
    return at.app.screen


async def ask(at: Running, title: str) -> None:
    """Open the dialog of that title from the palette."""
    await at.press("ctrl+p")
    await at.type_into(title)
    await wait_until(lambda: at.text.count(title) == 2, f"{title}, typed and found")
    await at.press("enter", opens=NumberDialog)


# The learning rate ----------------------------------------------------------------------------------------------------


async def test_brackets_change_the_peak_learning_rate_which_is_shown_beside_the_current_one(stage: Stage) -> None:
    warming = (steps_finished(1, [4.5, 4.2, 4.0], learning_rate=0.001), tweet_sampled("hello there", 3))
    async with stage.running(FakeSession(warming), (120, 40)) as at:
        await at.press(shows="0.001 of 0.004")
        await at.press("]", "]", "[", shows="0.00126 of 0.00504")
        rates = [command.learning_rate for command in at.session.received if isinstance(command, c.SetLearningRate)]
        assert rates == [0.0050357, 0.00633957, 0.0050357]
        await at.resize(80, 24)
        await at.press(shows="learning rate 0.00126/0.00504")
        assert not toasts(at.app)


# Undo -----------------------------------------------------------------------------------------------------------------


async def test_u_undoes_one_change_after_the_other(stage: Stage) -> None:
    async with stage.running() as at:
        await at.press("+", "+", "]", "u", "u", "u")
        received = at.session.received
        assert received[3:4] == [c.SetLearningRate(learning_rate=0.004)]
        temperatures = [command.sampling.temperature for command in received if isinstance(command, c.SetSampling)]
        assert temperatures == [0.85, 0.9, 0.85, 0.8]
        await toasted(
            at.app,
            "Undone: learning rate back to 0.004.",
            "Undone: temperature back to 0.85.",
            "Undone: temperature back to 0.80.",
        )
        await at.press("u")
        await toasted(at.app, "Nothing to undo.")
        assert at.app.summary_view.sampling.temperature == 0.8
        assert len(received) == 6


# Numbers --------------------------------------------------------------------------------------------------------------


async def test_batch_size_and_intervals_are_asked_for_validated_and_sent(stage: Stage) -> None:
    async with stage.running() as at:
        screen = main(at)
        screen.steering.action_batch_size()
        await at.press(opens=NumberDialog, shows="32 now; a whole number from 1 to 65,536.")
        assert at.app.screen.query_one(Input).value == "32"
        for nonsense in ("abc", "0", "65537", ""):
            await at.type_into(nonsense, "enter", shows=f"{nonsense or 'Nothing'} is not a whole number from 1")
        assert isinstance(at.app.screen, NumberDialog)
        await at.type_into(" 1,024 ", "enter", sends=c.SetBatchSize(batch_size=1024), shows="1,024, was 32")
        assert at.app.screen is screen
        await at.press("u", sends=c.SetBatchSize(batch_size=32), lacks="was 32")
        assert len(at.session.received) == 2
        await ask(at, "Steps between evaluations")
        await at.type_into("50", "enter", sends=c.SetIntervals(eval_every=50, sample_every=100))
        screen.steering.action_interval("sample_every")
        await at.press(opens=NumberDialog)
        await at.type_into("0", "enter", sends=c.SetIntervals(eval_every=50, sample_every=0))
        await toasted(at.app, "Evaluations: every 50 steps.", "Tweets: never.")
        screen.steering.action_interval("eval_every")
        await at.press(opens=NumberDialog)
        await at.press("escape", opens=MainScreen)
        screen.checkpoints.action_save_latest()
        await at.press(sends=c.SaveLatest())
        assert len(at.session.received) == 5, "no change without an answer"
        await toasted(at.app, "Saved as “latest”.")


# Single steps and speed -----------------------------------------------------------------------------------------------


async def test_a_dot_pauses_then_takes_a_step_and_its_line_stays_until_training_goes_on(stage: Stage) -> None:
    async with stage.running(size=(120, 40), draws_toasts=True) as at:
        await at.press(".", sends=c.Pause(), shows="paused: . takes one step")
        assert at.app.summary_view.phase == "paused"
        assert toasts(at.app) == []
        await at.press(".", sends=c.TakeStep())
        losses, rest = "batch loss 3.607 → 3.462", "gradient norm 0.80, learning rate 0.004"
        for size, line in (
            ((120, 40), f"step 4: {losses} bits/char, {rest}, 32 tweets, 2,4"),
            ((80, 24), f"step 4: {losses}, {rest}"),
            ((40, 12), "step 4: loss 3.607 → 3.462"),
        ):
            await at.resize(*size)
            await at.press(shows=line)
        await at.resize(80, 24)
        at.app.screen.notify("Saved as aaa.")
        await at.press(shows=("Saved as aaa.", "step 4: batch loss 3.607 → 3.462"))
        await at.press("space", sends=c.Resume())
        await at.emit(steps_finished(5, [3.9, 3.8]))
        await wait_until(lambda: not at.app.screen.query_one(StepBar).display, "the end of the line")
        assert len(at.session.received) == 3


async def test_a_dot_takes_no_step_of_a_run_whose_budget_is_used_up(stage: Stage) -> None:
    at_end = FakeSession((*SCRIPT, PAUSED), started=run_started(training=TrainingConfig(max_steps=3)))
    async with stage.running(at_end) as at:
        await at.press(".")
        await toasted(at.app, "No step is left to take: space continues the run.")
        assert at.session.received == []


async def test_a_dot_held_down_has_one_step_under_way_at_most(stage: Stage) -> None:
    async with stage.running(FakeSession((*SCRIPT, PAUSED))) as at:
        await at.settle()
        for step in (4, 5):
            for _ in range(5):
                main(at).steering.action_step()
            await wait_until(lambda: at.app.summary_view.step == step, "the step")  # noqa: B023 - awaited at once
        assert at.session.received == [c.TakeStep(), c.TakeStep()]


async def test_a_speed_limit_is_asked_for_shown_and_undone(stage: Stage) -> None:
    async with stage.running() as at:
        await ask(at, "Speed limit")
        await at.press(shows="0 now; a whole number from 0 to 1,000.")
        await at.type_into("5", "enter", shows="≤ 5 steps/s", sends=c.SetSpeedLimit(steps_per_second=5))
        await toasted(at.app, "Speed limit: 5 steps/s; u undoes it.")
        await at.press("u", lacks="≤", sends=c.SetSpeedLimit(steps_per_second=0))
        await toasted(at.app, "Undone: speed limit lifted.")


# Alerts ---------------------------------------------------------------------------------------------------------------


async def gone(at: Running) -> None:
    await wait_until(lambda: not at.app.screen.query_one(AlertBar).display, "the end of the alert")


async def test_a_full_disk_is_an_alert_and_a_or_a_click_retries_saving(stage: Stage) -> None:
    async with stage.running(size=(40, 12)) as at:
        assert not at.app.screen.query_one(AlertBar).display
        await at.emit(FULL_DISK)
        await at.press(shows=("a try saving again", "esc no"))
        *_, alert, keys = at.text.splitlines()[:12]
        assert "a try saving again" in alert
        assert "No space l" in alert
        assert keys.split()[0] == "space"
        await at.press("a", sends=c.SaveLatest())
        await gone(at)
        for words, num_saves in (("try saving", 2), ("esc no", 2)):
            await at.emit(FULL_DISK)
            await at.press(shows=words)
            await at.pilot.click(AlertBar, offset=(at.text.splitlines()[10].index(words), 0))
            await gone(at)
            await at.settle()
            assert at.session.received == [c.SaveLatest()] * num_saves


async def test_escape_dismisses_an_alert_and_a_without_an_alert_is_a_toast(stage: Stage) -> None:
    async with stage.running() as at:
        await at.press("escape", "a")
        await toasted(at.app, "No alert to answer.")
        await at.emit(FULL_DISK)
        await at.press(shows="a try saving again")
        await at.press("escape")
        await gone(at)
        await at.emit(FULL_DISK)
        assert len(at.app.summary_view.warnings) == 2
        assert not at.app.screen.query_one(AlertBar).display
        assert not at.session.received


async def test_a_reloads_best_at_half_the_rate_after_a_divergence_and_u_restores_the_rate(stage: Stage) -> None:
    good = (steps_finished(1, [1.7] * 600), eval_finished(600, 2.4), tweet_sampled("hello there", 600))
    async with stage.running(FakeSession(good)) as at:
        for first_step in (601, 751, 901, 1051):
            await at.emit(steps_finished(first_step, [4.2] * 150))
        words = ("Loss 6.1, was 2.5", "a reload best, halve the learning rate", "esc dismiss")
        await at.press(shows=words)
        await at.press("a", sends=c.LoadCheckpoint(name=f"{RUN}/best", halves_rate=True))
        await at.emit(
            e.CheckpointLoaded(step=600, elapsed_seconds=70.0, name="x", path="/x", bits_per_char=2.4, epochs=0.0)
        )
        assert at.app.summary_view.step == 600
        await gone(at)
        await at.press("u", sends=c.SetLearningRate(learning_rate=0.004))


async def test_a_refused_answer_is_shown_the_alert_returns_and_u_has_nothing_to_undo(stage: Stage) -> None:
    class Refusing(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            if isinstance(command, c.LoadCheckpoint):
                return self._refuse("LoadCheckpoint", "It is gone.")
            return super().answer(command)

    offer = "a reload latest, halve the learning rate"
    async with stage.running(Refusing(SCRIPT)) as at:
        for step in (4, 5, 6):
            await at.emit(e.Warned(step=step, elapsed_seconds=1.0, message="not finite", kind="not-finite"))
        await at.press(shows=offer)
        await at.press("a", sends=c.LoadCheckpoint(name=f"{RUN}/latest", halves_rate=True))
        await at.press(opens=MessageDialog, shows="It is gone.")
        await at.press("escape", opens=MainScreen, shows=offer)
        await at.press("u")
        await toasted(at.app, "Nothing to undo.")
        assert len(at.session.received) == 1


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
    async with app.run_test(size=(80, 24)) as pilot:
        at = Running(app, pilot, after)
        await opened(app, FailureDialog)
        await shows(app, "Tried to allocate 2 GiB.", "a try again from latest")
        if is_closed_first:
            await pilot.press("escape")
            await opened(app, MainScreen)
            await shows(app, "a try again from latest")
        await at.press("a", shows="and on it goes")
        assert app.bridge.config == RunConfig(resume=RUN, runtime=runtime)
        view = app.summary_view
        assert (view.phase, view.train_losses.first_step, view.train_losses.last_step) == ("training", 1, 3)
        assert app.earlier_views == [], "it is the same run"

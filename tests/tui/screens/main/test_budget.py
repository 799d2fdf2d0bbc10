"""The end of a run on the screen: it is shown lastingly, and a key continues the run, finishes it or starts another."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.config.run import RunConfig, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.storage.folders import folder_of_run
from engine.storage.journal import to_line
from tests.engine.helpers import run_session, tiny_config, write_corpus
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, toasted, toasts, wait_until
from tui.run.view import RunView
from tui.screens.dialogs.base import MessageDialog
from tui.screens.dialogs.continue_run import AmountDialog, ContinueDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.end_bar import EndBar

RUN = "2026-11-25-101112"
LATEST = e.CheckpointSaved(
    step=3, elapsed_seconds=62.0, name="latest", path="/latest", bits_per_char=2.03, weights_step=3
)
AT_END = (
    steps_finished(1, [4.5, 4.2, 4.0], elapsed_seconds=62.0),
    eval_finished(3, 2.03),
    tweet_sampled("hello there", 3, elapsed_seconds=62.0),
    LATEST,
    e.Paused(step=3, elapsed_seconds=62.0),
    e.Warned(step=3, elapsed_seconds=62.0, message="The run is finished: --max-steps is reached.", kind="finished"),
)


@asynccontextmanager
async def at_end(stage: Stage, size: tuple[int, int] = (80, 24), **options: Any) -> AsyncIterator[Running]:
    """Run an app until the screen shows that the run is over; `options` are those of its budget and of the app."""
    budget = {name: options.pop(name) for name in ("max_seconds", "epochs", "schedule") if name in options}
    training = TrainingConfig(max_steps=3, **budget)
    async with stage.running(FakeSession(AT_END, run_started(training=training)), size, **options) as at:
        await at.press(shows=("■ finished: 3 steps" if size[0] > 60 else "■ ", "hello there"))
        yield at


CHOICES = ": more steps or time, without limit, finish, new run"


async def test_a_run_whose_budget_is_used_up_says_so_lastingly_in_the_unit_of_the_screen_and_without_a_toast(
    stage: Stage,
) -> None:
    async with at_end(stage) as at:
        bar = at.app.screen.query_one(EndBar)
        for size, choices in (((80, 24), ""), ((120, 40), CHOICES), ((200, 60), CHOICES)):
            await at.resize(*size)
            await at.press(shows=("saved: best, latest", f"space continue{choices}  g tweet  o open  q quit"))
            assert "paused" not in at.text
            assert not toasts(at.app)
            assert bar.region.height == 2
            assert [row.cell_length for row in bar.render().split("\n")] == [size[0]] * 2, "both rows fill the line"
        await at.press(shows="best 2.03 bits/char at step 3")
        await at.press("b", shows="best 1.407 nats/char at step 3")


async def test_in_the_least_terminal_the_end_takes_two_lines_that_fit_and_a_toast_leaves_them_visible(
    stage: Stage,
) -> None:
    keys = "space continue  g tweet  o open  q quit"
    async with at_end(stage, (40, 12), draws_toasts=True) as at:
        await at.press(shows=("■ 3 steps in 1:02   best 2.03", keys))
        await at.press(".", shows=("No step is left to take", "■ 3 steps in 1:02", keys))


async def at_its_end_again(at: Running) -> None:
    """Start the run anew, and forget its commands."""
    await at.emit(run_started(training=TrainingConfig(max_steps=3)), *AT_END)
    await at.press(shows="■ finished: 3 steps")
    at.session.received.clear()


async def test_space_offers_how_to_continue_by_one_key_each_or_by_a_number_with_a_unit_and_escape_leaves_the_run(
    stage: Stage,
) -> None:
    continued: dict[str, tuple[Command, ...]] = {
        "1": (c.SetBudget(max_steps=1003), c.Resume()),
        "2": (c.SetBudget(max_seconds=122.0), c.Resume()),
        "3": (c.SetBudget(max_steps=6), c.Resume()),
        "5": (c.SetBudget(), c.Resume()),
        "6": (c.SetBudget(max_steps=23), c.Finish(), c.Resume()),
    }
    async with at_end(stage) as at:
        assert isinstance(at.app.screen, MainScreen)
        assert "space" in at.app.screen.opening_keys, "keys typed after it go to the dialog"
        await at.press("space", opens=ContinueDialog)
        await at.press("escape", opens=MainScreen)
        await at.press("g", sends=c.SampleNow(), shows="■ finished: 3 steps")
        assert len(at.session.received) == 1
        for key, commands in continued.items():
            await at_its_end_again(at)
            await at.press("space", opens=ContinueDialog)
            await at.press(key, opens=MainScreen, shows="space pause")
            assert at.session.received == list(commands)
            assert at.app.summary_view.phase == "training"
            assert not at.app.screen.query_one(EndBar).display
        await at_its_end_again(at)
        await at.press("space", "4", opens=AmountDialog)
        await at.press(*"lots", "enter", shows="lots is no number of steps, time or number of epochs.")
        await at.type_into("10 min", shows="Until 11:02 of training.")
        await at.press("enter", opens=MainScreen)
        assert at.session.received == [c.SetBudget(max_seconds=662.0), c.Resume()]


async def test_f_asks_before_it_finishes_a_run_that_is_over(stage: Stage) -> None:
    async with at_end(stage) as at:
        await at.press("f", opens=ContinueDialog, shows="until step 23, annealing the rate to zero")
        assert at.session.received == []
        await at.press("enter", opens=MainScreen)
        assert at.session.received == [c.SetBudget(max_steps=23), c.Finish(), c.Resume()]
        await toasted(at.app, "Finishing: the learning rate falls to zero until step 23")


async def test_arrows_and_enter_choose_too_and_the_whole_effect_of_the_chosen_row_is_shown(stage: Stage) -> None:
    async with at_end(stage, max_seconds=60.0) as at:
        choices = ("+1,000 steps", "until step 1,003", "+1 minute", "until 2:02 of training")
        await at.press("space", opens=ContinueDialog, shows=(*choices, "The limit of 1:00 is lifted."))
        await at.press("down", shows="The limit of 3 steps is lifted.")
        await at.press("enter", opens=MainScreen)
        assert at.session.received == [c.SetBudget(max_seconds=122.0), c.Resume()]
        await toasted(at.app, "The run trains until 2:02 of training.")
    async with at_end(stage, max_seconds=62.0, epochs=9.0, schedule="cosine") as at:
        await at.press("space", "down", opens=ContinueDialog)
        for size in ((80, 24), (60, 24)):
            await at.resize(*size)
            await at.press(shows=("of 3 steps and of 9 epochs is lifted", "cosine schedule."))


async def change_budget(at: Running) -> None:
    """Open the dialog from the palette."""
    await at.press("ctrl+p")
    await at.type_into("change the budget", shows="Let the run train longer")
    await at.press("enter", opens=ContinueDialog)


async def test_a_finish_chosen_in_a_dialog_that_was_opened_before_the_end_finishes_the_run(stage: Stage) -> None:
    session = FakeSession(AT_END[:3], run_started(training=TrainingConfig(max_steps=3)))
    async with stage.running(session) as at:
        await change_budget(at)
        await at.emit(*AT_END[3:])
        await at.press(shows="■ finished: 3 steps")
        await at.press("6", opens=MainScreen)
        assert at.session.received == [c.SetBudget(max_steps=23), c.Finish(), c.Resume()]


async def test_a_replay_shows_its_end_and_says_how_the_run_itself_continues(stage: Stage) -> None:
    end = e.RunFinished(step=3, elapsed_seconds=62.0, reason="max_steps", total_seconds=62.0, total_chars=99)
    session = FakeSession((*AT_END, end), run_started(training=TrainingConfig(max_steps=3)))
    async with stage.running(session, history=RunView(is_replay=True)) as at:
        await at.press(shows=("■ replay, finished: 3 steps in 1:02", "best 2.03 bits/char at step 3"))
        assert "saved: best" not in at.text
        assert f"o open  q quit  tweetgen-tui --resume {RUN} continues the run" in at.text
        await at.press("space")
        await toasted(at.app, f"The replay is over; tweetgen-tui --resume {RUN} continues the run")
        await at.app.screen.run_action("dispatch('budget.change')")
        assert isinstance(at.app.screen, MainScreen)


async def test_the_budget_changes_while_training_and_a_paused_run_stays_paused(stage: Stage) -> None:
    session = FakeSession(AT_END[:3], run_started(training=TrainingConfig(max_steps=100)))
    async with stage.running(session) as at:
        for limit, phase in ((1100, "training"), (2100, "paused")):
            await change_budget(at)
            await at.press("1", opens=MainScreen)
            assert at.session.received[-1:] == [c.SetBudget(max_steps=limit)]
            assert at.app.summary_view.limits_in_steps == [limit]
            assert at.app.summary_view.phase == phase
            await at.emit(e.Paused(step=3, elapsed_seconds=62.0))
        assert len(at.session.received) == 2


async def started_second(at: Running) -> RunConfig:
    """Wait for the new run, and return its config."""
    await wait_until(lambda: getattr(at.app.summary_view.started, "run", "") == "second", "the new run")
    return at.app.bridges[-1].config


def second() -> list[FakeSession]:
    return [FakeSession((), run_started(run="second"))]


async def test_a_new_run_on_the_same_tweets_follows_with_the_settings_of_this_one(stage: Stage, home: Path) -> None:
    config = tiny_config(write_corpus(home), run_name=RUN, max_steps=3)
    run_session(config)
    async with at_end(stage, further=second(), config=RunConfig(settings={"max_steps": 3})) as at:
        await at.press("space", "7")
        started_with = await started_second(at)
    assert isinstance(at.session.received[-1], c.Stop)
    assert started_with == RunConfig(settings={"max_steps": 3}, corpus=config.corpus)


async def test_a_new_run_after_a_resumed_one_or_a_branch_begins_as_that_run_did(stage: Stage, home: Path) -> None:
    run_session(tiny_config(write_corpus(home), run_name=RUN, max_steps=3))
    first = run_started(run=RUN, training=TrainingConfig(max_steps=2, learning_rate=0.123))
    again = run_started(run=RUN, training=TrainingConfig(max_steps=3, learning_rate=0.2))
    folder_of_run(RUN).journal_path.write_bytes(to_line(first) + to_line(again))
    for config in (RunConfig(resume=RUN), RunConfig(checkpoint="other", run_name=RUN)):
        async with at_end(stage, further=second(), config=config) as at:
            await at.press("space", shows="from the start, until step 2")
            await at.press("7")
            started_with = await started_second(at)
        assert (started_with.resume, started_with.checkpoint, started_with.run_name) == (None, None, None)
        assert (started_with.settings["max_steps"], started_with.settings["learning_rate"]) == (2, 0.123)
        assert not started_with.is_repeatable


async def test_a_new_run_is_refused_where_the_tweets_of_this_one_are_not_known(stage: Stage, home: Path) -> None:
    async with at_end(stage) as at:
        await at.press("space", "7", opens=MessageDialog)
        assert at.session.received == []

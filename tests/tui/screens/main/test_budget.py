"""The end of a run on the screen: it is shown lastingly, and a key continues the run, finishes it or starts another."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.config.run import RunConfig, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.storage.folders import folder_of_run
from engine.storage.journal import to_line
from tests.engine.helpers import run_session, tiny_config, write_corpus
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, screen_text, shows, toasted, toasts, wait_until
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
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
OUTCOME = "■ finished: 3 steps in 1:02   best 2.03 at step 3   saved: best, latest"


def session_at_end(**budget: float) -> FakeSession:
    training = TrainingConfig(**{"max_steps": 3} | budget)  # type: ignore[arg-type]
    return FakeSession(AT_END, run_started(training=training))


async def over(app: TweetgenApp) -> MainScreen:
    """Wait until the screen shows that the run is over."""
    await shows(app, "■ finished: 3 steps", "hello there")
    assert isinstance(app.screen, MainScreen)
    return app.screen


async def received(session: FakeSession, *commands: Command) -> None:
    await wait_until(lambda: session.received == list(commands), f"{commands}")


CHOICES = ": more steps or time, without limit, finish, new run"


@pytest.mark.parametrize(("size", "choices"), [((80, 24), ""), ((120, 40), CHOICES), ((200, 60), CHOICES)])
async def test_a_run_whose_budget_is_used_up_says_so_lastingly_and_without_a_toast(
    stage: Stage, size: tuple[int, int], choices: str
) -> None:
    app = stage.app(session_at_end())
    async with app.run_test(size=size):
        await over(app)
        text = screen_text(app)
        assert "saved: best, latest" in text
        assert f"space continue{choices}  g tweet  o open  q quit" in text
        assert "paused" not in text
        assert not toasts(app)
        bar = app.screen.query_one(EndBar)
        assert bar.region.height == 2
        assert [row.cell_length for row in bar.render().split("\n")] == [size[0]] * 2, "both rows fill the line"


async def test_in_the_least_terminal_the_end_takes_two_lines_that_fit(stage: Stage) -> None:
    app = stage.app(session_at_end())
    async with app.run_test(size=(40, 12)):
        await over_in_least(app)


async def test_a_toast_leaves_the_end_and_its_keys_visible(stage: Stage) -> None:
    app = stage.app(session_at_end())
    async with app.run_test(size=(40, 12), notifications=True) as pilot:
        await over_in_least(app)
        await pilot.press("full_stop")
        await shows(app, "No step is left to take", "■ 3 steps in 1:02", "space continue  g tweet  o open  q quit")


async def over_in_least(app: TweetgenApp) -> None:
    await shows(app, "■ 3 steps in 1:02   best 2.03", "space continue  g tweet  o open  q quit")


async def test_the_unit_key_switches_the_best_figure_too(stage: Stage) -> None:
    app = stage.app(session_at_end())
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(app, "best 2.03 bits/char at step 3")
        await pilot.press("b")
        await shows(app, "best 1.407 nats/char at step 3")


@pytest.mark.parametrize(
    ("keys", "commands"),
    [
        ("1", (c.SetBudget(max_steps=1003), c.Resume())),
        ("2", (c.SetBudget(max_seconds=122.0), c.Resume())),
        ("3", (c.SetBudget(max_steps=6), c.Resume())),
        ("5", (c.SetBudget(), c.Resume())),
        ("6", (c.SetBudget(max_steps=23), c.Finish(), c.Resume())),
    ],
)
async def test_space_offers_how_to_continue_by_one_key_each(
    stage: Stage, keys: str, commands: tuple[Command, ...]
) -> None:
    session = session_at_end()
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await over(app)
        await pilot.press("space")
        await opened(app, ContinueDialog)
        await pilot.press(*keys)
        await received(session, *commands)
        await wait_until(lambda: app.summary_view.phase == "training")
        await wait_until(lambda: not app.screen.query_one(EndBar).display)
        await shows(app, "space pause")


async def test_arrows_and_enter_choose_too_and_the_effect_of_the_chosen_row_is_shown(stage: Stage) -> None:
    session = session_at_end(max_seconds=60.0)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await over(app)
        await pilot.press("space")
        await opened(app, ContinueDialog)
        await shows(app, "+1,000 steps", "until step 1,003", "+1 minute", "until 2:02 of training")
        await shows(app, "The limit of 1:00 is lifted.")
        await pilot.press("down")
        await shows(app, "The limit of 3 steps is lifted.")
        await pilot.press("enter")
        await received(session, c.SetBudget(max_seconds=122.0), c.Resume())
        await toasted(app, "The run trains until 2:02 of training.")


async def test_another_number_is_typed_with_a_unit_or_as_steps(stage: Stage) -> None:
    session = session_at_end()
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await over(app)
        await pilot.press("space", "4")
        await opened(app, AmountDialog)
        await pilot.press(*"lots", "enter")
        await shows(app, "lots is no number of steps, time or number of epochs.")
        app.screen.query_one(Input).value = "10 min"
        await shows(app, "Until 11:02 of training.")
        await pilot.press("enter")
        await received(session, c.SetBudget(max_seconds=662.0), c.Resume())


async def test_escape_leaves_the_run_as_it_is_and_keys_typed_after_space_go_to_the_dialog(stage: Stage) -> None:
    session = session_at_end()
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await over(app)
        assert "space" in screen.opening_keys
        await pilot.press("space")
        await opened(app, ContinueDialog)
        await pilot.press("escape")
        await opened(app, MainScreen)
        await pilot.press("g")
        await received(session, c.SampleNow())
        assert "■ finished: 3 steps" in screen_text(app)


async def test_f_asks_before_it_finishes_a_run_that_is_over(stage: Stage) -> None:
    session = session_at_end(max_steps=3)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await over(app)
        await pilot.press("f")
        await opened(app, ContinueDialog)
        await shows(app, "until step 23, annealing the rate to zero")
        assert session.received == []
        await pilot.press("enter")
        await received(session, c.SetBudget(max_steps=23), c.Finish(), c.Resume())
        await toasted(app, "Finishing: the learning rate falls to zero until step 23")


async def test_a_finish_chosen_in_a_dialog_that_was_opened_before_the_end_finishes_the_run(stage: Stage) -> None:
    session = FakeSession(AT_END[:3], run_started(training=TrainingConfig(max_steps=3)))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, "hello there")
        await change_budget(pilot, app)
        for event in AT_END[3:]:
            session.emit(event)
        await shows(app, "■ finished: 3 steps")
        await pilot.press("6")
        await received(session, c.SetBudget(max_steps=23), c.Finish(), c.Resume())


async def test_a_replay_shows_its_end_and_says_how_the_run_itself_continues(stage: Stage) -> None:
    end = e.RunFinished(step=3, elapsed_seconds=62.0, reason="max_steps", total_seconds=62.0, total_chars=99)
    session = FakeSession((*AT_END, end), run_started(training=TrainingConfig(max_steps=3)))
    app = stage.app(session, history=RunView(is_replay=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, "■ replay, finished: 3 steps in 1:02", "best 2.03 bits/char at step 3")
        assert "saved: best" not in screen_text(app)
        assert f"o open  q quit  tweetgen-tui --resume {RUN} continues the run" in screen_text(app)
        await pilot.press("space")
        await toasted(app, f"The replay is over; tweetgen-tui --resume {RUN} continues the run")
        await app.screen.run_action("dispatch('budget.change')")
        assert isinstance(app.screen, MainScreen)


async def change_budget(pilot: Pilot[Outcome], app: TweetgenApp) -> None:
    """Open the dialog from the palette."""
    await pilot.press("ctrl+p", *"change the budget")
    await shows(app, "Let the run train longer")
    await pilot.press("enter")
    await opened(app, ContinueDialog)


@pytest.mark.parametrize("is_paused", [False, True])
async def test_the_budget_changes_while_training_and_a_paused_run_stays_paused(stage: Stage, is_paused: bool) -> None:
    script: list[e.Event] = [*AT_END[:3], *([e.Paused(step=3, elapsed_seconds=62.0)] if is_paused else [])]
    session = FakeSession(script, run_started(training=TrainingConfig(max_steps=100)))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, "hello there")
        await change_budget(pilot, app)
        await pilot.press("1")
        await received(session, c.SetBudget(max_steps=1100))
        await wait_until(lambda: app.summary_view.limits_in_steps == [1100])


async def test_a_new_run_on_the_same_tweets_follows_with_the_settings_of_this_one(stage: Stage, home: Path) -> None:
    corpus = write_corpus(home)
    config = tiny_config(corpus, run_name=RUN, max_steps=3)
    run_session(config)
    session, other = session_at_end(), FakeSession((), run_started(run="second"))
    app = stage.app(session, further=[other], config=RunConfig(settings={"max_steps": 3}))
    async with app.run_test(size=(80, 24)) as pilot:
        await over(app)
        await pilot.press("space", "7")
        await wait_until(lambda: app.summary_view.started and app.summary_view.started.run == "second", "the new run")
    assert isinstance(session.received[-1], c.Stop)
    started_with = app.bridges[-1].config
    assert started_with == RunConfig(settings={"max_steps": 3}, corpus=config.corpus)


@pytest.mark.parametrize("config", [RunConfig(resume=RUN), RunConfig(checkpoint="other", run_name=RUN)])
async def test_a_new_run_after_a_resumed_one_or_a_branch_begins_as_that_run_did(
    stage: Stage, home: Path, config: RunConfig
) -> None:
    run_session(tiny_config(write_corpus(home), run_name=RUN, max_steps=3))
    folder = folder_of_run(RUN)
    first = run_started(run=RUN, training=TrainingConfig(max_steps=2, learning_rate=0.123))
    again = run_started(run=RUN, training=TrainingConfig(max_steps=3, learning_rate=0.2))
    folder.journal_path.write_bytes(to_line(first) + to_line(again))
    app = stage.app(session_at_end(), further=[FakeSession((), run_started(run="second"))], config=config)
    async with app.run_test(size=(80, 24)) as pilot:
        await over(app)
        await pilot.press("space")
        await shows(app, "from the start, until step 2")
        await pilot.press("7")
        await wait_until(lambda: app.summary_view.started and app.summary_view.started.run == "second", "the new run")
    started_with = app.bridges[-1].config
    assert (started_with.resume, started_with.checkpoint, started_with.run_name) == (None, None, None)
    assert started_with.settings["max_steps"] == 2
    assert started_with.settings["learning_rate"] == 0.123
    assert not started_with.is_repeatable


async def test_a_new_run_is_refused_where_the_tweets_of_this_one_are_not_known(stage: Stage, home: Path) -> None:
    session = session_at_end()
    app = stage.app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await over(app)
        await pilot.press("space", "7")
        await opened(app, MessageDialog)
        assert session.received == []


@pytest.mark.parametrize("size", [(60, 24), (80, 24)])
async def test_the_whole_effect_of_a_choice_is_readable(stage: Stage, size: tuple[int, int]) -> None:
    training = TrainingConfig(max_steps=3, max_seconds=62.0, epochs=9.0, schedule="cosine")
    app = stage.app(FakeSession(AT_END, run_started(training=training)))
    async with app.run_test(size=size) as pilot:
        await over(app)
        await pilot.press("space")
        await opened(app, ContinueDialog)
        await pilot.press("down")
        await shows(app, "of 3 steps and of 9 epochs is lifted", "cosine schedule.")

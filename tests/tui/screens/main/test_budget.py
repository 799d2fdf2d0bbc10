"""The end of a run on the screen: it is shown lastingly, and a key continues the run, finishes it or starts another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import folder_of_run
from engine.storage.journal import to_line
from tests.engine.helpers import run_session, tiny_config, write_corpus
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, toasts, wait_until
from tests.tui.transcripts import Size, Step, Typed, transcript
from tui.run.view import RunView
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


def over(*more: e.Event, **budget: Any) -> FakeSession:
    """Return a run whose budget of 3 steps, and of what else is given, is used up."""
    return FakeSession((*AT_END, *more), run_started(training=TrainingConfig(max_steps=3, **budget)))


CHOICES = ": more steps or time, without limit, finish, new run"


async def test_a_run_whose_budget_is_used_up_says_so_lastingly_in_the_unit_of_the_screen_and_without_a_toast(
    stage: Stage,
) -> None:
    async with stage.running(over()) as at:
        bar = at.app.screen.query_one(EndBar)
        for size, choices in (((80, 24), ""), ((120, 40), CHOICES), ((200, 60), CHOICES)):
            await at.resize(*size)
            await at.press(shows=("saved: best, latest", f"space continue{choices}  g tweet  o open  q quit"))
            assert "paused" not in at.text
            assert not toasts(at.app)
            assert bar.region.height == 2
            assert [row.cell_length for row in bar.render().split("\n")] == [size[0]] * 2, "both rows fill the line"
        assert "space" in at.app._main_screen.opening_keys, "keys typed after it go to the dialog"
        await at.press(shows="best 2.03 bits/char at step 3")
        await at.press("b", shows="best 1.407 nats/char at step 3")


async def change_the_budget_from_the_palette(at: Running) -> None:
    await at.press("ctrl+p")
    await at.type_into("change the budget", shows="Let the run train longer")
    await at.press("enter", opens="ContinueDialog")


async def the_run_is_at_its_end(at: Running) -> None:
    await at.press(shows=("■ ", "hello there"))


async def the_run_is_at_its_end_again(at: Running) -> None:
    await at.emit(run_started(training=TrainingConfig(max_steps=3)), *AT_END)


def in_training(max_steps: int) -> FakeSession:
    return FakeSession(AT_END[:3], run_started(training=TrainingConfig(max_steps=max_steps)))


async def the_key_for_the_budget(at: Running) -> None:
    await at.app.screen.run_action("dispatch('budget.change')")


ENDED = e.RunFinished(step=3, elapsed_seconds=62.0, reason="max_steps", total_seconds=62.0, total_chars=99)
END, AGAIN = the_run_is_at_its_end, the_run_is_at_its_end_again
PLAYS: dict[str, tuple[FakeSession, dict[str, Any], tuple[Step, ...]]] = {
    "in the least terminal the end takes two lines that fit, and a toast leaves them visible": (
        over(),
        {"size": (40, 12), "draws_toasts": True},
        (END, "."),
    ),
    "space offers how to continue by one key each, or by a number with a unit; escape leaves the run as it is": (
        over(),
        {},
        (
            *(END, "space", "escape", "g", "space", "1", AGAIN, "space 2", AGAIN, "space 3", AGAIN, "space 5"),
            *(AGAIN, "space 6", AGAIN, "space 4", Typed("lots"), "enter", Typed("10 min"), "enter"),
        ),
    ),
    "f asks before it finishes a run that is over": (over(), {}, (END, "f", "enter")),
    "arrows and enter choose too, and the effect of the chosen row is shown": (
        over(max_seconds=60.0),
        {},
        (END, "space", "down", "enter"),
    ),
    "the whole effect of a choice is readable": (
        over(max_seconds=62.0, epochs=9.0, schedule="cosine"),
        {},
        (END, "space down", Size(60, 24)),
    ),
    "a finish chosen in a dialog that was opened before the end finishes the run": (
        in_training(3),
        {},
        (change_the_budget_from_the_palette, AT_END[3], AT_END[4], AT_END[5], "6"),
    ),
    "the budget changes while training, and a paused run stays paused": (
        in_training(100),
        {},
        (change_the_budget_from_the_palette, "1", AT_END[4], change_the_budget_from_the_palette, "1"),
    ),
    "a replay shows its end and says how the run itself continues": (
        over(ENDED),
        {"history": RunView(is_replay=True)},
        (END, "space", the_key_for_the_budget),
    ),
}


@pytest.mark.parametrize("claim", PLAYS)
async def test_a_run_at_its_end_is_continued_by_keys_as_recorded(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    session, options, steps = PLAYS[claim]
    async with stage.running(session, **options) as at:
        assert await transcript(at, *steps) == snapshot


async def started_second(at: Running) -> RunConfig:
    """Wait for the new run, and return its config."""
    await wait_until(lambda: getattr(at.app.summary_view.started, "run", "") == "second", "the new run")
    return at.app.bridges[-1].config


def second() -> list[FakeSession]:
    return [FakeSession((), run_started(run="second"))]


async def test_a_new_run_on_the_same_tweets_follows_with_the_settings_of_this_one(stage: Stage, home: Path) -> None:
    config = tiny_config(write_corpus(home), run_name=RUN, max_steps=3)
    run_session(config)
    async with stage.running(over(), further=second(), config=RunConfig(settings={"max_steps": 3})) as at:
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
        async with stage.running(over(), further=second(), config=config) as at:
            await at.press("space", shows="from the start, until step 2")
            await at.press("7")
            started_with = await started_second(at)
        assert (started_with.resume, started_with.checkpoint, started_with.run_name) == (None, None, None)
        assert (started_with.settings["max_steps"], started_with.settings["learning_rate"]) == (2, 0.123)
        assert not started_with.is_repeatable


async def test_a_new_run_is_refused_where_the_tweets_of_this_one_are_not_known(stage: Stage, home: Path) -> None:
    async with stage.running(over()) as at:
        await at.press("space", "7", opens="MessageDialog")
        assert at.session.received == []

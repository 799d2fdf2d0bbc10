"""The batch of the last step in its dialog: scrolled, explained, and followed from step to step."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.events import MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, batch_shown, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, press, screen_text, shows, wait_until
from tui.app.app import TweetgenApp
from tui.process.outcome import Outcome
from tui.screens.dialogs.base import FailureDialog
from tui.screens.dialogs.batch import BatchDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.batch_grid import BatchGrid

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))
TEXTS = tuple(f"tweet number {number} " + "x" * number for number in range(1, 65))
REFUSED = e.CommandRefused(
    step=3, elapsed_seconds=1.0, command="ShowBatch", title="no", detail="No batch \x1b[1m.", hint=""
)


class BatchSession(FakeSession):
    """Answers with a batch of 64 of 200 tweets, of the step at which it is asked for one."""

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.ShowBatch):
            return batch_shown(TEXTS, step=self._step, batch_step=self._step, num_tweets=200)
        return super().answer(command)


@asynccontextmanager
async def run_of(
    stage: Stage, session: FakeSession, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[TweetgenApp, Pilot[Outcome]]]:
    """Show a run after its script."""
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await shows(app, "hello there")
        yield app, pilot


async def test_a_dot_in_the_dialog_takes_a_step_and_the_grid_follows(stage: Stage, snapshot: SnapshotAssertion) -> None:
    session = BatchSession(SCRIPT)
    async with run_of(stage, session) as (app, pilot):
        await press(pilot, session, "B")
        await shows(app, "Batch of step 3, the first 64 of 200 tweets", "(B 200, T 81)", "tweet number 1 x")
        await press(pilot, session, ".")
        await wait_until(lambda: app.summary_view.phase == "paused")
        for step in (4, 5):
            await press(pilot, session, ".", num_commands=2)
            await shows(app, f"Batch of step {step}", f"step {step}: batch loss 3.607 → 3.462")
        assert session.received == (
            [c.ShowBatch(), c.Pause(), c.TakeStep(), c.ShowBatch(), c.TakeStep(), c.ShowBatch()]
        )
        assert screen_text(app) == snapshot
        await pilot.press("escape")
        await opened(app, MainScreen)
        await press(pilot, session, ".")
        assert session.received[-1] == c.TakeStep()


@pytest.mark.parametrize("size", [(120, 40), (40, 12)], ids=repr)
async def test_the_last_tweet_and_column_are_reached_and_a_question_mark_explains_the_grid(
    stage: Stage, size: tuple[int, int]
) -> None:
    async with run_of(stage, BatchSession(SCRIPT), size) as (app, pilot):
        await pilot.press("B")
        await shows(app, "Batch of step 3", "esc close", "▸ 1 ")
        grid = app.screen.query_one(BatchGrid)
        await pilot.press("pagedown")
        assert grid.selected > 1
        grid.action_row(64)
        await shows(app, "▸64 ")
        await pilot.press("end")
        await wait_until(
            lambda: any("▸64 " in line and line.rstrip("│ ").endswith("x■") for line in screen_text(app).splitlines()),
            "the last column",
        )
        assert all(len(line) == size[0] for line in screen_text(app).splitlines())
        await pilot.press(*["right"] * 3, "home", "up", "left")
        await shows(app, "▸63 ▸tweet number")
        for key in ("?", "escape"):
            await pilot.press("?")
            await shows(app, "A row is a tweet of the batch")
            assert "▸tweet number" not in screen_text(app)
            await pilot.press(key)
            await shows(app, "▸63 ▸tweet number")
        await pilot.press("down")
        await shows(app, "▸64 ▸tweet number")


async def test_the_wheel_scrolls_and_a_click_selects_the_tweet_whose_ids_are_shown(stage: Stage) -> None:
    session = BatchSession(SCRIPT)
    async with run_of(stage, session) as (app, pilot):
        await pilot.press("B")
        await shows(app, "▸ 1 ▸tweet number 1 x")
        grid = app.screen.query_one(BatchGrid)
        row = next(y for y, line in enumerate(screen_text(app).splitlines()) if "tweet number 5 x" in line)
        await pilot.click(offset=(20, row))
        await shows(app, "tweet 5 ")
        await pilot.click(offset=(20, 1))
        assert grid.selected == 4
        await pilot._post_mouse_events([MouseScrollDown, MouseScrollDown, MouseScrollUp], BatchGrid)
        await wait_until(lambda: grid.selected == 7, "two down and one up")


async def test_a_lost_answer_is_asked_for_again_and_a_refusal_is_shown_while_the_dialog_is_open(stage: Stage) -> None:
    class Silent(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            return steps_finished(4, [4.0]) if isinstance(command, c.ShowBatch) else super().answer(command)

    session = Silent(SCRIPT)
    async with run_of(stage, session) as (app, pilot):
        main = app.screen
        assert isinstance(main, MainScreen)
        session.emit(REFUSED)  # to a client of before
        session.emit(tweet_sampled("after the refusal", 4))
        await shows(app, "after the refusal")
        assert isinstance(app.screen, MainScreen)
        await press(pilot, session, "B")
        main.run.num_gaps += 1
        await wait_until(lambda: session.received == [c.ShowBatch(), c.ShowBatch()], "another question")
        session.emit(REFUSED)
        await shows(app, "No batch .")
        assert isinstance(app.screen, BatchDialog)


async def test_no_batch_is_waited_for_once_the_run_has_failed(stage: Stage) -> None:
    class Failing(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            if isinstance(command, c.ShowBatch):
                return e.RunFailed(step=3, elapsed_seconds=1.0, title="no", detail="", hint="")
            return super().answer(command)

    async with run_of(stage, Failing(SCRIPT)) as (app, pilot):
        await pilot.press("B")
        await opened(app, FailureDialog)
        await pilot.press("escape")
        await opened(app, BatchDialog)
        await shows(app, "No model is running to show its batch.")

"""The batch of the last step in its dialog: scrolled, explained, and followed from step to step."""

from __future__ import annotations

import pytest
from textual.events import MouseScrollDown, MouseScrollUp

from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, batch_shown, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, press, screen_text, shows, wait_until
from tui.app.app import TweetgenApp
from tui.screens.dialogs.base import FailureDialog
from tui.screens.dialogs.batch import BatchDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.batch_grid import BatchGrid
from tui.xray.glyphs import ASCII

SIZE = (80, 24)
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))
TEXTS = tuple(f"tweet number {number} " + "x" * number for number in range(1, 65))


class BatchSession(FakeSession):
    """Answers with a batch of 64 of 200 tweets, of the step at which it is asked for one."""

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.ShowBatch):
            return batch_shown(TEXTS, step=self._step, batch_step=self._step, num_tweets=200)
        return super().answer(command)


async def ready(app: TweetgenApp) -> None:
    await wait_until(lambda: app.summary_view.num_tweets >= 1, "the script's end")
    await shows(app, "hello there")


def selected_row(app: TweetgenApp) -> str:
    (row,) = (line for line in screen_text(app).splitlines() if "▸64 " in line)
    return row.rstrip("│ ")


async def test_a_dot_in_the_dialog_takes_a_step_and_the_grid_follows(stage: Stage) -> None:
    session = BatchSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
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
        await pilot.press("escape")
        await wait_until(lambda: not isinstance(app.screen, BatchDialog), "the way back")
        await press(pilot, session, ".")
        assert session.received[-1] == c.TakeStep()


@pytest.mark.parametrize("size", [(120, 40), SIZE, (40, 12)], ids=repr)
async def test_the_grid_fits_and_reaches_the_last_tweet_and_the_last_column(
    stage: Stage, size: tuple[int, int]
) -> None:
    app = stage.app(BatchSession(SCRIPT))
    async with app.run_test(size=size) as pilot:
        await ready(app)
        await pilot.press("B")
        await shows(app, "Batch of step 3", "esc close")
        grid = app.screen.query_one(BatchGrid)
        await wait_until(lambda: "▸ 1 " in screen_text(app), "the grid")
        while grid.selected < 63:
            await pilot.press("pagedown")
        await shows(app, "▸64 ")
        await pilot.press("end")
        await wait_until(lambda: selected_row(app).endswith("x■"), "the last column")
        assert all(len(line) == size[0] for line in screen_text(app).splitlines())
        await pilot.press(*["right"] * 3, "home", "up", "left")
        await shows(app, "▸63 ▸tweet number")


async def test_the_wheel_scrolls_and_a_click_selects_the_tweet_whose_ids_are_shown(stage: Stage) -> None:
    app = stage.app(BatchSession(SCRIPT))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
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


async def test_a_batch_whose_answer_was_lost_is_asked_for_again(stage: Stage) -> None:
    session = BatchSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        screen = app.screen
        assert isinstance(screen, MainScreen)
        await press(pilot, session, "B")
        screen.run.num_gaps += 1
        await wait_until(lambda: session.received == [c.ShowBatch(), c.ShowBatch()], "another question")


@pytest.mark.parametrize("key", ["?", "escape"])
async def test_a_question_mark_explains_the_grid_and_it_or_esc_shows_it_again(stage: Stage, key: str) -> None:
    app = stage.app(BatchSession(SCRIPT))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await pilot.press("B")
        await shows(app, "▸ 1 ▸tweet number 1 x")
        await pilot.press("?")
        await shows(app, "A row is a tweet of the batch")
        assert "▸tweet number 1 x" not in screen_text(app)
        await pilot.press(key)
        await shows(app, "▸ 1 ▸tweet number 1 x")
        await pilot.press("down")
        await shows(app, "▸ 2 ▸tweet number 2 x")


async def test_a_refusal_is_shown_in_the_dialog(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await pilot.press("B")
        await opened(app, BatchDialog)
        session.emit(
            e.CommandRefused(
                step=3, elapsed_seconds=1.0, command="ShowBatch", title="no", detail="No batch \x1b[1m.", hint=""
            )
        )
        await shows(app, "No batch .")
        assert isinstance(app.screen, BatchDialog)


async def test_no_batch_is_waited_for_once_the_run_has_failed(stage: Stage) -> None:
    class Failing(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            if isinstance(command, c.ShowBatch):
                return e.RunFailed(step=3, elapsed_seconds=1.0, title="no", detail="", hint="")
            return super().answer(command)

    app = stage.app(Failing(SCRIPT))
    async with app.run_test(size=SIZE) as pilot:
        await ready(app)
        await pilot.press("B")
        await opened(app, FailureDialog)
        await pilot.press("escape")
        await opened(app, BatchDialog)
        await shows(app, "No model is running to show its batch.")


async def test_a_refusal_after_the_dialog_was_closed_or_for_another_screen_is_not_shown(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE):
        await ready(app)
        refused = e.CommandRefused(
            step=3, elapsed_seconds=1.0, command="ShowBatch", title="no", detail="No batch.", hint=""
        )
        session.emit(refused)
        session.emit(tweet_sampled("after the refusal", 4))
        await shows(app, "after the refusal")
        assert isinstance(app.screen, MainScreen)


async def test_in_ascii_ends_and_padding_have_glyphs_of_their_own(stage: Stage) -> None:
    app = stage.app(BatchSession(SCRIPT))
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app)
        app.glyphs = "ascii"
        await pilot.press("B")
        await shows(app, f"> 1 >tweet number 1 x#{ASCII.padding * 20}")

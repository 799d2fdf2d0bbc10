"""Learning rate, undo, batch size, intervals and alerts on the screen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig, RuntimeConfig, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import SCRIPT, Running, Stage, opened, shows, wait_until
from tests.tui.transcripts import Size, Step, Typed, transcript
from tui.screens.dialogs.base import FailureDialog
from tui.screens.dialogs.number import NumberDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.alert_bar import AlertBar

RUN = "2026-11-25-101112"
NOW: dict[str, Any] = {"step": 3, "elapsed_seconds": 1.0}
FULL_DISK = e.Warned(message="No space left on device.", kind="disk", **NOW)
PAUSED = e.Paused(**NOW)
WARMING = (steps_finished(1, [4.5, 4.2, 4.0], learning_rate=0.001), tweet_sampled("hello there", 3))
GOOD = (steps_finished(1, [1.7] * 600), eval_finished(600, 2.4), tweet_sampled("hello there", 600))
DIVERGED = tuple(steps_finished(first_step, [4.2] * 150) for first_step in (601, 751, 901, 1051))
AT_600 = e.CheckpointLoaded(step=600, elapsed_seconds=70.0, name="x", path="/x", bits_per_char=2.4, epochs=0.0)
NOT_FINITE = tuple(
    e.Warned(step=step, elapsed_seconds=1.0, message="not finite", kind="not-finite") for step in (4, 5, 6)
)


class RefusingLoads(FakeSession):
    """Loads no checkpoint."""

    def answer(self, command: c.Command) -> e.Event:
        if isinstance(command, c.LoadCheckpoint):
            return self._refuse("LoadCheckpoint", "It is gone.")
        return super().answer(command)


def asks(title: str) -> Callable[[Running], Awaitable[None]]:
    """Return the step that opens the dialog of that title from the palette."""

    async def ask(at: Running) -> None:
        await at.press("ctrl+p")
        await at.type_into(title)
        await wait_until(lambda: at.text.count(title) == 2, f"{title}, typed and found")
        await at.press("enter", opens=NumberDialog)

    ask.__name__ = f"from the palette: {title}"
    return ask


def clicks(words: str) -> Callable[[Running], Awaitable[None]]:
    """Return the step that clicks on words of an alert at 40x12."""

    async def click(at: Running) -> None:
        await at.pilot.click(AlertBar, offset=(at.text.splitlines()[10].index(words), 0))

    click.__name__ = f"a click on {words}"
    return click


def a_dot_held_down(at: Running) -> None:
    assert isinstance(at.app.screen, MainScreen)
    for _ in range(5):
        at.app.screen.steering.action_step()


async def the_run_is_paused(at: Running) -> None:
    await wait_until(lambda: at.app.summary_view.phase == "paused", "the pause")


def a_toast_comes(at: Running) -> None:
    at.app.screen.notify("Saved as aaa.")


PLAYS: dict[str, tuple[FakeSession, dict[str, Any], tuple[Step, ...]]] = {
    "brackets change the peak learning rate, which is shown beside the current one": (
        FakeSession(WARMING),
        {"size": (120, 40)},
        ("", "]", "]", "[", Size(80, 24)),
    ),
    "u undoes one change after the other": (FakeSession(SCRIPT), {}, ("+", "+", "]", "u", "u", "u", "u")),
    "batch size and intervals are asked for, validated and sent": (
        FakeSession(SCRIPT),
        {},
        (
            *(asks("Batch size"), Typed("abc"), "enter", Typed("0"), "enter", Typed("65537"), "enter"),
            *(Typed(""), "enter", Typed(" 1,024 "), "enter", "u"),
            *(asks("Steps between evaluations"), Typed("50"), "enter"),
            *(asks("Steps between tweets"), Typed("0"), "enter"),
            *(asks("Steps between evaluations"), "escape"),
        ),
    ),
    "a dot pauses, then takes a step, one at most while it is held down; its line stays until training goes on": (
        FakeSession(SCRIPT),
        {"size": (120, 40), "draws_toasts": True},
        (
            *(".", ".", a_dot_held_down, Size(80, 24), Size(40, 12), Size(80, 24)),
            *(a_toast_comes, "space", steps_finished(6, [3.9, 3.8])),
        ),
    ),
    "a dot takes no step of a run whose budget is used up": (
        FakeSession((*SCRIPT, PAUSED), started=run_started(training=TrainingConfig(max_steps=3))),
        {},
        (the_run_is_paused, "."),
    ),
    "a speed limit is asked for, shown and undone": (
        FakeSession(SCRIPT),
        {},
        (asks("Speed limit"), Typed("5"), "enter", "u"),
    ),
    "a full disk is an alert, and a or a click retries saving": (
        FakeSession(SCRIPT),
        {"size": (40, 12)},
        ("", FULL_DISK, "a", FULL_DISK, clicks("try saving"), FULL_DISK, clicks("esc no")),
    ),
    "escape dismisses an alert for good, and a without an alert is a toast": (
        FakeSession(SCRIPT),
        {},
        ("escape", "a", FULL_DISK, "escape", FULL_DISK),
    ),
    "a reloads best at half the rate after a divergence, and u restores the rate": (
        FakeSession(GOOD),
        {},
        (*DIVERGED, "a", AT_600, "u"),
    ),
    "a refused answer is shown, the alert returns, and u has nothing to undo": (
        RefusingLoads(SCRIPT),
        {},
        (*NOT_FINITE, "a", "escape", "u"),
    ),
}


@pytest.mark.parametrize("claim", PLAYS)
async def test_a_run_is_steered_by_keys_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    session, options, steps = PLAYS[claim]
    async with stage.running(session, **options) as at:
        assert await transcript(at, *steps) == snapshot


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

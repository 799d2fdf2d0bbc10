"""The pictures of README and docs: the real app on the embedded corpus, over a minute or so of real training."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from engine.config.run import RunConfig
from tests.animation import animate
from tui.app.app import TweetgenApp
from tui.app.lesson_app import LessonApp
from tui.lesson.progress import Progress, progress_path, write_progress
from tui.lesson.runs import main_config, open_lesson_session
from tui.lesson.stops import STOPS
from tui.run.bridge import Bridge
from tui.run.engine_bridge import EngineBridge
from tui.run.view import RunView
from tui.screens.xray.screen import XrayScreen
from tui.widgets.xray.panel import XrayPanel
from tui.xray.view_names import VIEW_NAMES, ViewName

STILL_SIZES = ((120, 40), (80, 24))
ANIMATION_SIZE = (100, 30)
XRAY_SIZE = (100, 30)
LESSON_SIZE = (120, 34)
TITLE = "tweetgen-tui"
NUM_STEPS, STEPS_PER_FRAME = 1200, 40
DEADLINE_SECONDS = 600.0
TEXT = "@anna_lee happy birthday!! see you at the party #sunshine"
CURSORS: dict[ViewName, int] = {"step": 18, "gates": 18, "reach": 6, "units": 6, "map": 18}
"""How much of the text the model has read."""
LESSON_STOP, LESSON_CURSOR = 3, 12


async def take_pictures(folder: Path, num_steps: int = NUM_STEPS) -> None:
    """Train, and write the animation, the stills, the views of the X-ray and a stop of the lesson into `folder`."""
    app = TweetgenApp(RunConfig(run_name="happy"))
    frames = []
    async with app.run_test(size=ANIMATION_SIZE) as pilot:
        for step in range(STEPS_PER_FRAME, num_steps + 1, STEPS_PER_FRAME):
            await _until(lambda: app.summary_view.step >= step, f"step {step}")  # noqa: B023 - awaited at once
            frames.append(app.export_screenshot(title=TITLE))
        (folder / "training.svg").write_text(animate(frames), encoding="utf-8")
        for columns, rows in STILL_SIZES:
            await pilot.resize_terminal(columns, rows)
            drawn_at = app.summary_view.step + STEPS_PER_FRAME  # at this size
            await _until(lambda: app.summary_view.step >= drawn_at, "the size")  # noqa: B023 - awaited at once
            _write(app, folder / f"screen-{columns}x{rows}.svg")
        await pilot.resize_terminal(*XRAY_SIZE)
        await _take_views(app, pilot, folder)
        _end(app.bridge)
    await take_lesson(folder)


async def take_lesson(folder: Path) -> None:
    """Write a picture of a stop of the lesson, once its model is trained as far as the stop wants it."""
    write_progress(progress_path(), Progress(LESSON_STOP))
    app = LessonApp(EngineBridge(main_config(is_new=True), open_lesson_session), RunView(), progress_path())
    async with app.run_test(size=LESSON_SIZE) as pilot:
        run = app.lesson_screen.lesson.run
        await _until(lambda: run.view.step >= STOPS[LESSON_STOP - 1].train_to, "the lesson's model")
        panel = app.lesson_screen.current.query_one(XrayPanel)
        await _until(lambda: bool(panel.text), "the lesson's tweet")
        panel.cursor = LESSON_CURSOR
        await _until(lambda: _is_answered(panel), "the lesson's view")
        await pilot.pause()
        _write(app, folder / "lesson.svg")
        for bridge in app.bridges:
            _end(bridge)


async def _take_views(app: TweetgenApp, pilot: Pilot[Any], folder: Path) -> None:
    """Write a picture of each view of the X-ray, of the paused run: its weights stay those of one step."""
    await pilot.press("space")
    await _until(lambda: app.summary_view.phase == "paused", "the pause")
    await pilot.press("x")
    await _until(lambda: isinstance(app.screen, XrayScreen), "the X-ray")
    assert isinstance(app.screen, XrayScreen)
    panel = app.screen.panel
    panel.open(TEXT)
    for view in VIEW_NAMES:
        panel.cursor = CURSORS[view]  # first, so that the view asks for it
        panel.action_view(view)
        await _until(lambda: _is_answered(panel), view)
        await pilot.pause()
        _write(app, folder / f"xray-{view}.svg")


def _is_answered(panel: XrayPanel) -> bool:
    """Return whether no question of the view is open."""
    questions = panel._questions
    return not any(questions.is_open(type(command)) for command in panel._state.commands(questions.request))


def _write(app: App[Any], path: Path) -> None:
    path.write_text(app.export_screenshot(title=TITLE), encoding="utf-8")


def _end(bridge: Bridge) -> None:
    bridge.stop("picture taken")
    bridge.join(DEADLINE_SECONDS)


async def _until(condition: Callable[[], bool], what: str) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        await asyncio.sleep(0.05)

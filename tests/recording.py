"""Recordings and pictures of the real program: those of README and docs, over a few minutes of real training.

A recording is made in a pseudo-terminal: its screens are those of the emulator of the end-to-end tests, so what is
written contains no query to a terminal, no half-painted frame and only cells that have changed. The stills are those
that Textual exports of the same app, on the embedded corpus.
"""

from __future__ import annotations

import math
import re
import time
from functools import partial
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from engine.config.run import RunConfig
from engine.protocol.commands import SaveCheckpoint
from tests.cli.program import kill_processes_in
from tests.e2e.terminal import Terminal
from tests.tui.conftest import screen_text, wait_until
from tui.app.app import TweetgenApp
from tui.app.main_screen import TICK_SECONDS
from tui.app.recorder import Output, to_cast
from tui.dialogs.checkpoints import CheckpointBrowser
from tui.dialogs.help import HelpDialog
from tui.lesson.run import main_config, open_lesson_session
from tui.lesson.stops import STOPS, Progress, progress_path, write_progress
from tui.process.local import LocalRun
from tui.run.connection import RunConnection
from tui.run.view import RunView
from tui.screens.lesson.app import LessonApp
from tui.screens.xray import XrayScreen
from tui.widgets.xray.panel import XrayPanel
from tui.xray.state import ViewName
from tui.xray.views import VIEWS

DEADLINE_SECONDS = 900.0
_until = partial(wait_until, seconds=DEADLINE_SECONDS)
STILL_SIZE, SMALL_SIZE, DIALOG_SIZE, LESSON_SIZE = (120, 40), (80, 24), (100, 30), (120, 38)
"""The recording has the size of the dialogs."""
TITLE = "tweetgen-tui"
NUM_FRAMES, SLOT_SECONDS = 60, 0.3
"""Of the recording: screens, and how long each is shown."""
SAVE_EVERY, SAVED_AT, SHOWN_AT, LAST_STEP = 250, 400, 1100, 1200
"""Steps between automatic checkpoints, and the steps of a named one, the main screen, the end of run and recording."""
_DRAWN_TICKS = 20
"""A panel draws at most this much later than its size or its data has changed."""
TEXT = "@anna_lee happy birthday!! see you at the party #sunshine"
CURSORS: dict[ViewName, int] = {"step": 18, "gates": 18, "reach": 6, "units": 6, "map": 18}
"""How much of the text the model has read."""
LESSON_STOP, LESSON_CURSOR = 3, 12


def take_recording(folder: Path, home: Path) -> None:
    """Record the first steps of a run as a cast of `NUM_FRAMES` screens.

    Raises `TimeoutError` at the deadline. The program is killed if it does not end.
    """
    columns, rows = DIALOG_SIZE
    terminal = Terminal(home, "--run-name", "happy", columns=columns, rows=rows)
    outputs: list[Output] = []
    try:
        start, num_recorded = time.monotonic(), 0
        while terminal.pump():
            seconds = time.monotonic() - start
            if seconds > DEADLINE_SECONDS:
                raise TimeoutError(f"on the screen at the deadline:\n{terminal.text}")
            if terminal.is_painting or not terminal.text.strip():
                continue
            outputs.append((seconds, terminal.raw[num_recorded:].decode()))
            num_recorded = len(terminal.raw)
            if _step_in(terminal.text) >= LAST_STEP:
                terminal.press("q")
                terminal.wait_for_exit()
                break
    finally:
        terminal.close()
        kill_processes_in(home)
    first, last = outputs[0][0], outputs[-1][0]
    frames = [""] * NUM_FRAMES
    for seconds, text in outputs:
        frames[math.ceil((seconds - first) / (last - first) * (NUM_FRAMES - 1)) if last > first else 0] += text
    slots = [(number * SLOT_SECONDS, frame) for number, frame in enumerate(frames)]
    (folder / "training.cast").write_text(to_cast(slots, DIALOG_SIZE, TITLE), encoding="utf-8")


def _step_in(text: str) -> int:
    """Return the step that a screen shows; 0 without one."""
    found = re.search(r"step +([\d,]+)", text)
    return int(found[1].replace(",", "")) if found else 0


async def take_pictures(folder: Path) -> None:
    """Train up to a budget; write the stills of the screen, its dialogs and its end, and the views of the X-ray."""
    config = RunConfig(run_name="happy", settings={"max_steps": LAST_STEP, "save_every": SAVE_EVERY})
    app = TweetgenApp(LocalRun(config))
    async with app.run_test(size=STILL_SIZE) as pilot:
        await _until_step(app, SAVED_AT)
        app.connection.send(SaveCheckpoint(name="first words"))
        await _until_step(app, SHOWN_AT)
        _write(app, folder / "screen-120x40.svg")
        await _resize(app, pilot, SMALL_SIZE)
        _write(app, folder / "screen-80x24.svg")
        await pilot.press("space")
        await _until(lambda: app.summary_view.phase == "paused", "the pause")
        await _resize(app, pilot, DIALOG_SIZE)
        await pilot.press("question_mark")
        await _until(lambda: isinstance(app.screen, HelpDialog), "the help")
        await pilot.pause()
        _write(app, folder / "help.svg")
        await pilot.press("escape", "l")
        await _until(lambda: isinstance(app.screen, CheckpointBrowser), "the checkpoints")
        await _until(lambda: "first words" in screen_text(app), "the named checkpoint")
        _write(app, folder / "checkpoints.svg")
        await pilot.press("escape")
        await _take_views(app, pilot, folder)
        await _resize(app, pilot, STILL_SIZE)
        await pilot.press("space")
        await _until_step(app, LAST_STEP)
        await _until(lambda: app.summary_view.phase != "training", "the end")
        await _drawn(pilot)
        _write(app, folder / "end.svg")
        app.connection.stop("pictures taken")
        app.connection.wait(DEADLINE_SECONDS)
    await take_lesson(folder)


async def _until_step(app: TweetgenApp, step: int) -> None:
    await _until(lambda: app.summary_view.step >= step, f"step {step}")


async def _resize(app: TweetgenApp, pilot: Pilot[Any], size: tuple[int, int]) -> None:
    """Resize the terminal, and wait until all is laid out and drawn at that size."""
    await pilot.resize_terminal(*size)
    await _until(lambda: app.screen.size == size, "the size")
    await _drawn(pilot)


async def _drawn(pilot: Pilot[Any]) -> None:
    """Wait until every panel has drawn what there is."""
    for _ in range(_DRAWN_TICKS):
        await pilot.pause(TICK_SECONDS)


async def take_lesson(folder: Path) -> None:
    """Write a picture of a stop of the lesson, once its model is trained as far as the stop wants it."""
    write_progress(progress_path(), Progress(LESSON_STOP))

    def open_run(config: RunConfig, before: RunConnection | None) -> LocalRun:
        return LocalRun(config, open_lesson_session, before)

    app = LessonApp(open_run(main_config(is_new=True), None), open_run, RunView(), progress_path())
    async with app.run_test(size=LESSON_SIZE) as pilot:
        run = app.lesson_screen.run
        await _until(lambda: run.view.step >= STOPS[LESSON_STOP - 1].train_to, "the lesson's model")
        panel = app.lesson_screen.current.query_one(XrayPanel)
        await _until(lambda: bool(panel.text), "the lesson's tweet")
        panel.cursor = LESSON_CURSOR
        await _until(lambda: _is_answered(panel), "the lesson's view")
        await pilot.pause()
        _write(app, folder / "lesson.svg")
        app.connection.stop("picture taken")
        app.connection.wait(DEADLINE_SECONDS)


async def _take_views(app: TweetgenApp, pilot: Pilot[Any], folder: Path) -> None:
    """Write a picture of each view of the X-ray, of the paused run: its weights stay those of one step."""
    await pilot.press("x")
    await _until(lambda: isinstance(app.screen, XrayScreen), "the X-ray")
    assert isinstance(app.screen, XrayScreen)
    panel = app.screen.panel
    panel.open(TEXT)
    for view in VIEWS:
        panel.cursor = CURSORS[view]  # first, so that the view asks for it
        panel.action_view(view)
        await _until(lambda: _is_answered(panel), view)
        await pilot.pause()
        _write(app, folder / f"xray-{view}.svg")
    await pilot.press("escape")
    await _until(lambda: not isinstance(app.screen, XrayScreen), "the main screen")


def _is_answered(panel: XrayPanel) -> bool:
    """Return whether no question is open."""
    return not any(asked.is_open for asked in panel._questions._asked.values())


def _write(app: App[Any], path: Path) -> None:
    path.write_text(app.export_screenshot(title=TITLE), encoding="utf-8")

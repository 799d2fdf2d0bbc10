"""Recordings and pictures of the real program: those of README and docs, over a few minutes of real training.

A recording is made in a pseudo-terminal: its screens are those of the emulator of the end-to-end tests, so what is
written contains no query to a terminal, no half-painted frame and only cells that have changed. The stills are those
that Textual exports of the same app, on the embedded corpus.
"""

from __future__ import annotations

import html
import math
import re
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rich.cells import cell_len
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
RIGHT = "\x1b[C"
CELL_WIDTH = 1.002
"""Of svg-term."""
SLOT_SECONDS, KEY_SECONDS = 0.4, 0.1
"""Of the recording: how long each screen is shown; the time between two keys, as if one were held."""


class Scene(NamedTuple):
    """Keys, and what follows them: some seconds, or up to a step."""

    keys: Sequence[str]
    seconds: float
    to_step: int = 0
    is_cut: bool = False


SCENES = (
    Scene("", 1.2),
    Scene("", DEADLINE_SECONDS, to_step=1, is_cut=True),
    Scene("", 10.0),
    Scene("+" * 14, 0.2),
    Scene("g", 2.0),
    Scene("g", 2.0),
    Scene("-" * 20, 0.2),
    Scene("g", 2.0),
    Scene("g", 2.0),
    Scene("x", 2.2),
    *[Scene([RIGHT], 0.5)] * 5,
    Scene(["escape"], 2.0),
)
SAVE_EVERY, SAVED_AT, SHOWN_AT, LAST_STEP = 250, 400, 1100, 1400
"""Steps between automatic checkpoints, and the steps of a named one, the main screen, the end of the run."""
_DRAWN_TICKS = 20
"""A panel draws at most this much later than its size or its data has changed."""
TEXT = "@anna_lee happy birthday!! see you at the party #sunshine"
CURSORS: dict[ViewName, int] = {"step": 18, "gates": 18, "reach": 6, "units": 6, "map": 18}
"""How much of the text the model has read."""
LESSON_STOP, LESSON_CURSOR = 3, 12


def take_recording(folder: Path, home: Path) -> None:
    """Record a run from its start on as a cast: `SCENES`, at the speed at which they happen, with cuts between them.

    It is a second start: the first one also compiles for this processor. Raises `TimeoutError` at the deadline. The
    program is killed if it does not end.
    """
    columns, rows = DIALOG_SIZE
    Terminal(home, "train", "--max-seconds", "1").wait_for_exit()
    terminal = Terminal(home, "--run-name", "happy", columns=columns, rows=rows)
    film = Film(terminal)
    try:
        for scene in SCENES:
            for key in scene.keys:
                terminal.press(key)
                film.roll(KEY_SECONDS)
            film.roll(scene.seconds, scene.to_step, is_cut=scene.is_cut)
        terminal.press("q")
        terminal.wait_for_exit()
    finally:
        terminal.close()
        kill_processes_in(home)
    cast, svg = folder / "training.cast", folder / "training.svg"
    cast.write_text(to_cast(film.frames(), DIALOG_SIZE, TITLE), encoding="utf-8")
    options = ("--window", "--no-cursor", "--no-optimize")  # its optimization drops the blanks between columns
    subprocess.run(["npx", "--yes", "svg-term-cli@2.1.1", "--in", cast, "--out", svg, *options], check=True)
    svg.write_text(tidied(svg.read_text(encoding="utf-8")), encoding="utf-8")


class Film:
    """What a terminal shows, with the seconds at which each screen was complete, less those that are cut."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._start = time.monotonic()
        self._num_recorded = 0
        self._outputs: list[Output] = []

    def roll(self, seconds: float, to_step: int = 0, *, is_cut: bool = False) -> None:
        """Record for some seconds, or until the screen shows a step; with `is_cut`, the last of it only."""
        began = time.monotonic()
        while time.monotonic() < began + seconds and not 0 < to_step <= _step_in(self._terminal.text):
            assert self._terminal.pump(), f"the program ended; on the screen:\n{self._terminal.text}"
            if not self._terminal.is_painting and self._terminal.text.strip():
                if is_cut:
                    self._start += time.monotonic() - began
                    began, seconds = time.monotonic(), seconds - (time.monotonic() - began)
                text = self._terminal.raw[self._num_recorded :].decode()
                self._num_recorded = len(self._terminal.raw)
                self._outputs.append((time.monotonic() - self._start, text))
        if to_step > _step_in(self._terminal.text):
            raise TimeoutError(f"on the screen at the deadline:\n{self._terminal.text}")

    def frames(self) -> list[Output]:
        """Return a screen per slot, from the first one on."""
        first, last = self._outputs[0][0], self._outputs[-1][0]
        frames = [""] * (1 + math.ceil((last - first) / SLOT_SECONDS))
        for seconds, text in self._outputs:
            frames[math.ceil((seconds - first) / SLOT_SECONDS)] += text
        return [(number * SLOT_SECONDS, frame) for number, frame in enumerate(frames)]


def tidied(svg: str) -> str:
    """Return what svg-term wrote, at half its size, and with columns that line up in every font.

    The window gets the colour of most cells, which are not painted then. Each text gets its length in cells, which
    characters from another font, such as braille, would change.
    """
    [[most, _]] = Counter(re.findall(r'<rect [^>]*class="(\w+)"', svg)).most_common(1)
    [colour] = re.findall(rf"\.{most}{{fill:([^}}]*)}}", svg)
    svg = re.sub(r"\.a{fill:[^}]*}", f".a{{fill:{colour}}}", svg)
    svg = re.sub(rf'<rect [^>]*class="{most}"></rect>', "", svg)
    svg = re.sub(r"<text ([^>]*)>([^<]*)</text>", _with_length, svg)
    svg = re.sub(r'<svg x="(\d+)">', r'<svg x="\1" width="100">', svg)  # clips the screens, which stand in a row
    return re.sub(r'(="\d+\.\d{3})\d+"', r'\1"', svg)


def _with_length(text: re.Match[str]) -> str:
    """Return a text of svg-term without blanks at its end; nothing where it has nothing else."""
    shown = html.unescape(text[2]).rstrip()
    length = (
        "" if shown.isascii() else f' textLength="{cell_len(shown) * CELL_WIDTH:.3f}" lengthAdjust="spacingAndGlyphs"'
    )
    return f"<text {text[1]}{length}>{html.escape(shown, quote=False)}</text>" if shown else ""


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

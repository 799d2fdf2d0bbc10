"""The loss plot as a widget: what it repaints, its keys and the mouse."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.app import App, ComposeResult
from textual.events import MouseMove, MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot
from textual.widgets import Input

from engine.protocol.events import Event
from tests.fakes import FakeSession, baselines_measured, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, idle, text_of, toasts, wait_until
from tests.tui.widgets.test_picture import falling_losses, is_braille, view_of
from tui.run.folding import fold
from tui.run.view import RunView
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.plot.loss_plot import LossPlot


@cache
def after(num_steps: int) -> RunView:
    return view_of(falling_losses(num_steps), *([2.8, 2.6, 2.7] if num_steps > 1000 else []))


class PlotApp(App[None]):
    """A plot, and another widget to focus."""

    AUTO_FOCUS = "Input"
    CSS = "Input { dock: bottom; height: 1; border: none; }"

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int | None] = []

    def compose(self) -> ComposeResult:
        yield LossPlot()
        yield Input()

    def on_loss_plot_cursor_moved(self, message: LossPlot.CursorMoved) -> None:
        self.steps.append(message.step)

    @property
    def picture(self) -> list[str]:
        return text_of(self, "LossPlot").splitlines()


@asynccontextmanager
async def plot_of(view: RunView, size: tuple[int, int]) -> AsyncIterator[tuple[PlotApp, Pilot[None], LossPlot]]:
    """Show a view in a focused plot, and wait for its curve."""
    app = PlotApp()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        plot = app.query_one(LossPlot)
        plot.show(view)
        await wait_until(lambda: any(is_braille(char) for line in app.picture[1:-2] for char in line), "a curve")
        await pilot.press("shift+tab")
        await wait_until(lambda: plot.has_focus, "the focus")
        yield app, pilot, plot


def state(app: PlotApp, plot: LossPlot) -> str:
    """Return the steps in view, the column of the cursor, the heading, where the cursor has been, and notices."""
    parts = []
    for kind, pane in plot.picture.panes.items():
        column = None if plot.view.cursor is None else pane.column_of(plot.view.cursor)
        parts.append(f"{kind} {pane.steps.low:g} to {pane.steps.high:g}{'' if column is None else f' at {column}'}")
    parts += [line.strip() for line in app.picture if "waiting" in line]
    parts += [app.picture[0].strip("━ "), f"moved to {app.steps}" if app.steps else "", *toasts(app)]
    app.steps.clear()
    app.clear_notifications()
    return "; ".join(filter(None, parts))


PLAYS: dict[str, tuple[int, tuple[int, int], tuple[str, ...]]] = {
    "each key moves the cursor or the window": (
        5000,
        (80, 13),
        (
            *("left", "left", "shift+left", "right", "home", "escape"),  # the cursor
            *("up", "up", "down", "0"),  # zoom at the right edge
            *("home", "shift+right", "up", "up", "up", "0", "escape"),  # zoom at the cursor
            *("v", "pageup", "pageup", "pagedown", "left", "end"),  # the recent part, back and forth, and following
            *("left", *["shift+left"] * 6, "end", "v"),  # a single pane follows the cursor
        ),
    ),
    "the wheel zooms at the pointer, dragging pans, and clicks put the cursor there or follow": (
        5000,
        (80, 13),
        ("4 x wheel up", "8 x wheel down", "v", "drag 10 40", "double click 10", "click 30", "click -4"),
    ),
    "a wide plot has two panes, of which keys and a drag in the other move the recent one": (
        5000,
        (120, 16),
        (
            *("v", "v", "v", "v", "size 80 16", "v", "size 120 16", "v"),
            *("left", "9000 steps", "escape"),  # fixed while there is a cursor
            *("pageup", "left", "5000 steps", "escape", "end"),  # fixed after it was moved
            *("home", "right", "up", "0"),  # by columns of the whole run, and zoomed there
            *("drag 32 22", "0", "20000 steps"),
        ),
    ),
    "a curve appears, grows and goes back with its cursor": (
        60,
        (80, 13),
        ("5000 steps", "left", "2000 steps", "0 steps", "left", "home", "up", "pageup", "0", "end"),
    ),
    "a run that is recent as a whole has one pane and no recent part": (
        220,
        (120, 16),
        ("v", "size 80 16", "v", "900 steps", "v"),
    ),
}


async def take(step: str, pilot: Pilot[None], plot: LossPlot) -> None:
    """Press a key, or do what the run, the terminal or the mouse does."""
    left = next((pane.left for pane in plot.picture.panes.values()), 0)
    match step.split():
        case ["v"]:
            plot.switch_panes()
        case [num_steps, "steps"]:
            plot.show(after(int(num_steps)))
        case ["size", width, height]:
            await pilot.resize_terminal(int(width), int(height))
            await wait_until(lambda: plot.size.width == int(width))
        case [count, "x", "wheel", direction]:
            before = plot.picture.panes["whole"].step_at(20)
            for _ in range(int(count)):
                kind = MouseScrollUp if direction == "up" else MouseScrollDown
                await pilot._post_mouse_events([kind], LossPlot, offset=(left + 20, 5))
            assert direction == "down" or plot.picture.panes["whole"].step_at(20) == pytest.approx(before, abs=20)
        case ["drag", start, end]:
            first, last = left + int(start), left + int(end)
            await pilot.mouse_down(LossPlot, offset=(first, 5))
            for x in ((first + last) // 2, last):
                await pilot._post_mouse_events([MouseMove], LossPlot, offset=(x, 5), button=1)
            await pilot.mouse_up(LossPlot, offset=(last, 5))
        case [*double, "click", column]:
            await pilot.click(LossPlot, offset=(left + int(column), 5), times=2 if double else 1)
        case _:
            plot.app.simulate_key(step)
            await idle()
    await pilot.pause()


@pytest.mark.parametrize("claim", PLAYS)
async def test_steps_in_view_and_cursor_after_each_key_or_move_of_the_mouse(
    claim: str, snapshot: SnapshotAssertion
) -> None:
    num_steps, size, steps = PLAYS[claim]
    async with plot_of(after(num_steps), size) as (app, pilot, plot):
        lines = [state(app, plot)]
        assert plot.check_action("hide_cursor", ()) is False  # without a cursor, escape is the screen's
        for step in steps:
            await take(step, pilot, plot)
            lines.append(f"{step:>11} {state(app, plot)}")
    assert "\n".join(lines) == snapshot


async def test_only_a_changed_curve_or_mark_is_redrawn_and_few_cells_repainted(monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(falling_losses(4900), 2.8, 2.6)
    async with plot_of(view, (100, 20)) as (_, _, plot):
        painted: list[int] = []
        monkeypatch.setattr(plot, "refresh", lambda *regions: painted.extend(region.area for region in regions))
        plot.show(replace(view, chars_per_second=1.0))
        assert painted == []
        for event in (steps_finished(4901, [1.7] * 20), eval_finished(4900, 2.5)):
            plot.show(fold(view, [event]))
            assert 0 < sum(painted) < 150
            painted.clear()


async def test_without_colours_the_plot_is_drawn_from_its_first_frame_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with plot_of(after(5000), (80, 13)) as (app, _, plot):
        assert len(app.picture) == plot.size.height
        assert "bits per character" in app.picture[0]


# On the main screen ---------------------------------------------------------------------------------------------------

MEASURED = (
    baselines_measured(),
    steps_finished(1, falling_losses(300)),
    tweet_sampled("a tweet", 300),
    eval_finished(300, 3.0),
)
TWEETS = [tweet_sampled(f"what it wrote after {step}", step) for step in range(100, 3001, 100)]
BY_HEART = (steps_finished(1, [3.4 * 0.93**step + 0.001 for step in range(300)]), tweet_sampled("by heart", 300))
ONE_TWEET = run_started(num_train_tweets=1, num_val_tweets=1)
ON_SCREEN: dict[str, tuple[FakeSession, tuple[int, int], tuple[str | Event, ...]]] = {
    "a run on one tweet starts with a log axis, and shift+l makes it linear": (
        FakeSession(BY_HEART, ONE_TWEET),
        (80, 24),
        ("", "L", steps_finished(301, [0.001])),
    ),
    "the feed follows the cursor, and shift+l and v work from anywhere": (
        FakeSession([steps_finished(1, falling_losses(3000)), *TWEETS]),
        (80, 24),
        ("L", "shift+tab", "shift+left " * 4, "escape", "v"),
    ),
    "i shows the legend, which i or escape closes before the cursor, and r hides the levels": (
        FakeSession(MEASURED),
        (120, 40),
        ("", "r", "r", "i", "i", "i", "escape", "shift+tab", "left", "i", "escape"),
    ),
    "a tiny terminal shows the plot for the legend page by page, and from its start if it was out of view": (
        FakeSession(MEASURED),
        (40, 12),
        ("", "i", "tab", "i", "i", "i"),
    ),
}


def noted(at: Running) -> str:
    """Return heading and labels of the plot, its cursor, the page of its legend, and the tweet that keys act on."""
    plot, feed = at.app.screen.query_one(LossPlot), at.app.screen.query_one(TweetFeed)
    assert feed.chosen is not None
    tweet = f"tweet: {feed.chosen.text}, {'' if feed.chosen.text in at.text else 'not '}in view"
    if not plot.region.area:
        return f"no plot; {tweet}"
    rows = text_of(at.app, "LossPlot").splitlines()
    ticks = ", ".join(re.findall(r"^ *([\d.]+) ", "\n".join(rows[1:-2]), re.MULTILINE))
    shown = [word for word in ("bigram", "train losses of single steps") if any(word in row for row in rows)]
    where = f"cursor {plot.view.cursor}, legend {plot.legend_page}"
    return f"{rows[0].strip('━─ ')}; ticks {ticks}; with {shown}; {where}, {tweet}"


@pytest.mark.parametrize("claim", ON_SCREEN)
async def test_what_keys_of_the_main_screen_show_in_the_plot(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    session, size, steps = ON_SCREEN[claim]
    lines = []
    async with stage.running(session, size) as at:
        await at.settle()
        for step in steps:
            await (at.press(*step.split()) if isinstance(step, str) else at.emit(step))
            lines.append(f"{step if isinstance(step, str) else f'step {step.step}'}: {noted(at)}")
    assert "\n".join(lines) == snapshot

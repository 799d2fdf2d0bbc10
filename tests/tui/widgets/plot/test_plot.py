"""The loss plot as a widget: what it repaints, its keys and the mouse."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.app import ComposeResult
from textual.events import MouseMove, MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot

from tests.fakes import FakeSession, baselines_measured, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Running, Stage, idle, text_of, toasts, wait_until
from tests.tui.transcripts import plays, set_up
from tests.tui.widgets.plot.test_picture import falling_losses, is_braille, view_of
from tui.run.fold import fold
from tui.run.view import RunView
from tui.terminal.app import TerminalApp
from tui.terminal.private import update_screen
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.plot.plot import LossPlot


@cache
def after(num_steps: int) -> RunView:
    return view_of(falling_losses(num_steps), *([2.8, 2.6, 2.7] if num_steps > 1000 else []))


class PlotApp(TerminalApp[None]):
    """A plot, focused, above an empty line."""

    CSS = "LossPlot { margin-bottom: 1; }"

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int | None] = []

    def compose(self) -> ComposeResult:
        yield LossPlot()

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
        plot = app.query_one(LossPlot)
        plot.show(view)
        await wait_until(lambda: any(is_braille(char) for line in app.picture[1:-2] for char in line), "a curve")
        await wait_until(lambda: plot.has_focus, "the focus")
        yield app, pilot, plot


def state(app: PlotApp, plot: LossPlot) -> str:
    """Return the steps in view, the column of the cursor, the heading, where the cursor has been, and notices."""
    parts = []
    for kind, pane in plot.picture.panes.items():
        column = None if plot.viewport.cursor is None else pane.column_of(plot.viewport.cursor)
        parts.append(f"{kind} {pane.steps.low:g} to {pane.steps.high:g}{'' if column is None else f' at {column}'}")
    parts += [line.strip() for line in app.picture if "waiting" in line]
    parts += [app.picture[0].strip("━ "), f"moved to {app.steps}" if app.steps else "", *toasts(app)]
    app.steps.clear()
    app.clear_notifications()
    return "; ".join(filter(None, parts))


PLAYS = plays("keys", globals())
SET_UP = {"a wide plot": (5000, (120, 16)), "a curve appears": (60, (80, 13)), "a run that is recent": (220, (120, 16))}
"""Number of steps and size at the begin."""


async def take(step: str, pilot: Pilot[None], plot: LossPlot) -> None:
    """Press a key, or do what the run, the terminal or the mouse does."""
    left = next((pane.left for pane in plot.picture.panes.values()), 0)
    match step.split():
        case ["v"]:
            plot.action_panes()
        case [num_steps, "steps"]:
            plot.show(after(int(num_steps)))
        case ["resize", width, height]:
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
    await idle()
    update_screen(plot.app.screen)
    await idle()


@pytest.mark.parametrize("claim", PLAYS)
async def test_steps_in_view_and_cursor_after_each_key_or_move_of_the_mouse(
    claim: str, snapshot: SnapshotAssertion
) -> None:
    num_steps, size = set_up(SET_UP, claim, (5000, (80, 13)))
    async with plot_of(after(num_steps), size) as (app, pilot, plot):
        lines = [state(app, plot)]
        assert plot.check_action("hide_cursor", ()) is False  # without a cursor, escape is the screen's
        for step in PLAYS[claim]:
            assert isinstance(step, str)
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
AT_301 = steps_finished(301, [0.001])
ON_SCREEN = plays("main_screen", globals())
SESSIONS: dict[str, tuple[FakeSession, tuple[int, int]]] = {
    "a run on one tweet": (FakeSession(BY_HEART, ONE_TWEET), (80, 24)),
    "the feed follows": (FakeSession([steps_finished(1, falling_losses(3000)), *TWEETS]), (80, 24)),
    "i shows": (FakeSession(MEASURED), (120, 40)),
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
    where = f"cursor {plot.viewport.cursor}, legend {plot.legend_page}"
    return f"{rows[0].strip('━─ ')}; ticks {ticks}; with {shown}; {where}, {tweet}"


@pytest.mark.parametrize("claim", ON_SCREEN)
async def test_what_keys_of_the_main_screen_show_in_the_plot(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    session, size = set_up(SESSIONS, claim, (FakeSession(MEASURED), (40, 12)))
    lines = []
    async with stage.running(session, size) as at:
        await at.settle()
        for step in ON_SCREEN[claim]:
            await (at.press(*step.split()) if isinstance(step, str) else at.emit(AT_301))
            lines.append(f"{step if isinstance(step, str) else f'step {AT_301.step}'}: {noted(at)}")
    assert "\n".join(lines) == snapshot

"""The loss plot as a widget: what it repaints, its keys and the mouse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from syrupy.assertion import SnapshotAssertion
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.events import MouseMove, MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot
from textual.widgets import Input

from engine.protocol.events import BaselinesMeasured
from tests.fakes import FakeSession, eval_finished, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, screen_text, shows, text_of, wait_until
from tests.tui.widgets.plot.curves import falling_losses, is_braille, view_of
from tui.run.reducer import apply
from tui.run.series.series import Series
from tui.run.view import RunView
from tui.settings.keys.plot import PLOT_KEYS
from tui.widgets.plot.loss_plot import LossPlot

MEASURED = (
    BaselinesMeasured(
        step=0,
        elapsed_seconds=0.0,
        request=0,
        names=("uniform", "unigram", "2-gram", "6-gram"),
        bits_per_char=(6.6, 4.4, 3.4, 2.3),
    ),
    steps_finished(1, falling_losses(300)),
    tweet_sampled("a tweet", 300),
    eval_finished(300, 3.0, is_best=True),
)
VIEW = view_of(falling_losses(5000), 2.8, 2.6, 2.7)


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
async def plot_of(
    view: RunView = VIEW, size: tuple[int, int] = (80, 13)
) -> AsyncIterator[tuple[PlotApp, Pilot[None], LossPlot]]:
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


def steps_shown(plot: LossPlot) -> list[tuple[float, float]]:
    return [(pane.steps.low, pane.steps.high) for pane in plot.picture.panes.values()]


async def test_a_curve_appears_grows_and_goes_back_with_its_cursor() -> None:
    async with plot_of(view_of(falling_losses(60))) as (app, pilot, plot):
        assert steps_shown(plot) == [(0, 100)]
        plot.show(VIEW)
        await wait_until(lambda: "4k" in app.picture[-1])
        await pilot.press("left")
        await wait_until(lambda: app.steps == [5000], "the cursor")
        plot.show(replace(VIEW, train_losses=VIEW.train_losses.truncated(2000)))
        await wait_until(lambda: app.steps == [5000, 2000])
        plot.show(replace(VIEW, train_losses=Series.empty()))
        await wait_until(lambda: "waiting for the first step" in "".join(app.picture) and app.steps[2:] == [0])
        await pilot.press("left", "home", "up", "pageup", "0", "end")
        assert app.steps[3:] == []


async def test_only_a_changed_curve_or_mark_is_redrawn_and_few_cells_repainted(monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(falling_losses(4900), 2.8, 2.6)
    async with plot_of(view, size=(100, 20)) as (_, _, plot):
        painted: list[int] = []
        monkeypatch.setattr(plot, "refresh", lambda *regions: painted.extend(region.area for region in regions))
        plot.show(replace(view, chars_per_second=1.0))
        assert painted == []
        for changed in (apply(view, steps_finished(4901, [1.7] * 20)), apply(view, eval_finished(4900, 2.5))):
            plot.show(changed)
            assert 0 < sum(painted) < 150
            painted.clear()


KEYS = (
    *("left", "left", "shift+left", "right", "home", "escape"),  # the cursor
    *("up", "up", "down", "0"),  # zoom at the right edge
    *("home", "shift+right", "up", "up", "up", "0", "escape"),  # zoom at the cursor
    *("v", "pageup", "pageup", "pagedown", "left", "end"),  # the recent part, back and forth, and following again
)


def state(app: PlotApp, plot: LossPlot) -> str:
    """Return the cursor, the steps in view and the heading."""
    (pane,) = plot.picture.panes.values()
    column = None if plot.view.cursor is None else pane.column_of(plot.view.cursor)
    return f"cursor at {plot.view.cursor}, column {column}; {pane.steps}; {app.picture[0]}"


async def test_each_key_moves_the_cursor_or_the_window_as_recorded(snapshot: SnapshotAssertion) -> None:
    async with plot_of() as (app, pilot, plot):
        assert plot.check_action("hide_cursor", ()) is False  # without a cursor, escape is the screen's
        lines = []
        for key in KEYS:
            plot.switch_panes() if key == "v" else await pilot.press(key)
            await pilot.pause()
            lines.append(f"{key:>11} {state(app, plot)}")
        assert "\n".join(lines) == snapshot


async def drag(pilot: Pilot[None], start: int, end: int) -> None:
    """Move the pointer with its button pressed."""
    await pilot.mouse_down(LossPlot, offset=(start, 5))
    await pilot._post_mouse_events([MouseMove], LossPlot, offset=((start + end) // 2, 5), button=1)
    await pilot._post_mouse_events([MouseMove], LossPlot, offset=(end, 5), button=1)
    await pilot.mouse_up(LossPlot, offset=(end, 5))


async def test_the_wheel_zooms_at_the_pointer_dragging_pans_and_clicks_put_the_cursor_there_or_follow(
    snapshot: SnapshotAssertion,
) -> None:
    async with plot_of() as (app, pilot, plot):
        left, lines = plot.picture.panes["whole"].left, []

        async def note(what: str) -> None:
            await pilot.pause()
            lines.append(f"{what}: {state(app, plot)}; moved to {app.steps}")

        at = plot.picture.panes["whole"].step_at(20)
        for wheel, count in ((MouseScrollUp, 4), (MouseScrollDown, 8)):
            for _ in range(count):
                await pilot._post_mouse_events([wheel], LossPlot, offset=(left + 20, 5))
            if wheel is MouseScrollUp:
                assert plot.picture.panes["whole"].step_at(20) == pytest.approx(at, abs=20)
            await note(f"{count} x {wheel.__name__}")
        plot.switch_panes()
        await note("the recent part")
        await drag(pilot, left + 10, left + 40)
        await note("dragged by 30 columns")
        await pilot.double_click(LossPlot, offset=(left + 10, 5))
        await note("double click")
        await pilot.click(LossPlot, offset=(left + 30, 5))
        await note("click")
        await pilot.click(LossPlot, offset=(2, 5))
        await note("click beside the plot")
        assert "\n".join(lines) == snapshot


async def test_a_wide_plot_has_two_panes_unless_the_run_is_recent_as_a_whole_and_a_drag_in_one_moves_the_other() -> (
    None
):
    async with plot_of(size=(120, 20)) as (app, pilot, plot):
        whole = plot.picture.panes["whole"]
        newest = whole.left + (whole.column_of(4900) or 0)
        await drag(pilot, newest, newest - 10)
        dragged_to = pytest.approx(4500 - 10 * whole.num_steps / whole.width, abs=1)
        await wait_until(lambda: steps_shown(plot)[1][0] == dragged_to, "10 columns back")
        assert steps_shown(plot)[0] == (0, whole.steps.high)
        plot.show(view_of(falling_losses(220)))
        await wait_until(lambda: len(steps_shown(plot)) == 1)
        await pilot.resize_terminal(80, 20)
        await wait_until(lambda: plot.size.width == 80)
        plot.switch_panes()
        assert plot.view.panes == ("whole",)
        await wait_until(lambda: any("whole run so far" in notice.message for notice in app._notifications), "a notice")
        plot.show(view_of(falling_losses(900)))
        plot.switch_panes()
        assert plot.view.panes == ("recent",)


def test_every_key_of_the_plot_is_in_the_key_table() -> None:
    listed = {name for key in PLOT_KEYS for name in key.keys.split(",")}
    assert listed == {str(binding.key) for binding in LossPlot.BINDINGS if isinstance(binding, Binding)}


async def test_a_run_on_one_tweet_starts_with_a_log_axis_and_shift_l_makes_it_linear(stage: Stage) -> None:
    losses = [3.4 * 0.93**step + 0.001 for step in range(300)]
    started = run_started(num_train_tweets=1, num_val_tweets=1)
    one_tweet = FakeSession([steps_finished(1, losses), tweet_sampled("by heart", 300)], started)
    async with stage.running(one_tweet) as (app, pilot, session):
        await shows(app, "by heart", "bits per character, log", "    1 ", " 0.01 ")
        await pilot.press("L")
        await wait_until(lambda: "log" not in screen_text(app), "a linear axis")
        session.emit(steps_finished(301, [0.001]))
        await wait_until(lambda: app.screen.query_one(LossPlot).shown.step == 301, "more steps")
        assert not app.screen.query_one(LossPlot).is_log


async def test_the_feed_follows_the_cursor_and_shift_l_and_v_work_from_anywhere(stage: Stage) -> None:
    tweets = [tweet_sampled(f"what it wrote after {step}", step) for step in range(100, 3001, 100)]
    async with stage.running(FakeSession([steps_finished(1, falling_losses(3000)), *tweets])) as (app, pilot, _):
        await shows(app, "what it wrote after 3000", "bits per character")
        await pilot.press("L")
        await shows(app, "bits per character, log")
        plot = app.screen.query_one(LossPlot)
        await pilot.press("shift+tab")
        await wait_until(lambda: plot.has_focus, "the focus")
        await pilot.press(*["shift+left"] * 4)
        await wait_until(lambda: (plot.view.cursor or 9999) < 2500, "four moves")
        await shows(app, f"what it wrote after {(plot.view.cursor or 9999) // 100 * 100}")
        await pilot.press("escape", "v")
        await shows(app, "what it wrote after 3000", "latest 500 steps")


async def test_i_shows_the_legend_which_i_or_escape_closes_before_the_cursor_and_r_hides_the_levels(
    stage: Stage,
) -> None:
    async with stage.running(FakeSession(MEASURED), (120, 40)) as (app, pilot, _):
        await shows(app, "a tweet", "bits per character", "bigram")
        plot = app.screen.query_one(LossPlot)
        await pilot.press("r")
        await wait_until(lambda: "bigram" not in screen_text(app), "no levels")
        await pilot.press("r")
        await shows(app, "bigram")
        for closing in ("i", "escape"):
            await pilot.press("i")
            await shows(app, "train losses of single steps")
            await pilot.press(closing)
            await wait_until(lambda: "train losses of single steps" not in screen_text(app), "no legend")
        plot.focus()
        await pilot.press("left", "i")
        await wait_until(lambda: plot.legend_page == 0 and plot.view.cursor == 300, "the legend over the cursor")
        await pilot.press("escape")
        await wait_until(lambda: plot.legend_page is None, "the first escape closes the legend")
        assert plot.view.cursor == 300


async def test_a_tiny_terminal_shows_the_plot_for_the_legend_page_by_page_and_from_its_start_if_it_was_out_of_view(
    stage: Stage,
) -> None:
    async with stage.running(FakeSession(MEASURED), (40, 12)) as (app, pilot, _):
        await shows(app, "a tweet")
        plot = app.screen.query_one(LossPlot)
        await pilot.press("i")
        await shows(app, "train loss, smoothed")
        await pilot.press("tab")
        await shows(app, "a tweet")
        await pilot.press("i")
        await shows(app, "train loss, smoothed")
        for page in (1, None):
            await pilot.press("i")
            await wait_until(lambda: plot.legend_page == page, f"page {page}")  # noqa: B023 - awaited at once


async def test_without_colours_the_plot_is_drawn_from_its_first_frame_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with plot_of() as (app, _, plot):
        assert len(app.picture) == plot.size.height
        assert "bits per character" in app.picture[0]

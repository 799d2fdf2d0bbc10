"""The loss plot as a widget: what it redraws, and what its keys and the mouse do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.events import MouseMove, MouseScrollDown, MouseScrollUp
from textual.pilot import Pilot
from textual.widgets import Input

from tests.fakes import FakeSession, evaluated, steps_finished, tweet
from tests.tui.conftest import Stage, shows, until
from tests.tui.curves import falling_losses, is_braille, view_of
from tui.keys import PLOT_KEYS
from tui.run_view import RunView
from tui.series import Series
from tui.state import apply
from tui.widgets.loss_plot import LossPlot
from tui.widgets.tweet_feed import TweetFeed

VIEW = view_of(falling_losses(5000), 2.8, 2.6, 2.7)
SIZES = [(120, 20), (80, 11), (60, 6)]


class PlotApp(App[None]):
    """A plot, and something else to focus."""

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
    def plot(self) -> LossPlot:
        return self.query_one(LossPlot)

    @property
    def picture(self) -> list[str]:
        lines = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in lines][:-1]


async def showing(app: PlotApp, pilot: Pilot[None], view: RunView = VIEW) -> LossPlot:
    """Show a view and wait for its curve."""
    await pilot.pause()
    app.plot.show(view)
    await until(lambda: any(is_braille(char) for line in app.picture[1:-2] for char in line), "a curve")
    return app.plot


async def focused(app: PlotApp, pilot: Pilot[None], view: RunView = VIEW) -> LossPlot:
    """Show a view and give the plot the keys."""
    plot = await showing(app, pilot, view)
    await pilot.press("shift+tab")
    await until(lambda: plot.has_focus, "the focus")
    return plot


def steps_shown(plot: LossPlot) -> list[tuple[float, float]]:
    return [(pane.steps.low, pane.steps.high) for pane in plot.picture.panes.values()]


@pytest.mark.parametrize("size", SIZES)
async def test_a_curve_comes_with_the_first_steps_and_grows(size: tuple[int, int]) -> None:
    app = PlotApp()
    async with app.run_test(size=(size[0], size[1] + 1)) as pilot:
        await until(lambda: "waiting for the first step" in "".join(app.picture))
        plot = await showing(app, pilot, view_of(falling_losses(60)))
        assert steps_shown(plot) == [(0, 100)]
        plot.show(view_of(falling_losses(300)))
        await until(lambda: "300" in app.picture[-1])


async def test_it_is_drawn_again_only_when_a_curve_or_a_mark_has_changed() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 12)) as pilot:
        plot = await showing(app, pilot)
        plot.show(replace(VIEW, chars_per_second=1.0))
        assert plot.drawn is VIEW
        for changed in (apply(VIEW, steps_finished(5001, [1.7])), apply(VIEW, evaluated(5000, 2.5))):
            plot.show(changed)
            assert plot.drawn is changed


async def test_a_few_more_steps_repaint_a_few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PlotApp()
    async with app.run_test(size=(100, 20)) as pilot:
        view = view_of(falling_losses(4900), 2.8, 2.6)
        plot = await showing(app, pilot, view)
        painted: list[int] = []
        monkeypatch.setattr(plot, "refresh", lambda *regions: painted.extend(region.area for region in regions))
        plot.show(apply(view, steps_finished(4901, [1.7] * 20)))
        assert 0 < sum(painted) < 100


@pytest.mark.parametrize("size", [(120, 30), (60, 9)])
async def test_a_resized_terminal_gets_a_whole_new_picture(size: tuple[int, int]) -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await showing(app, pilot)
        await pilot.resize_terminal(*size)
        await until(lambda: len(app.picture) == size[1] - 1 and app.picture[0].endswith("╮"))
        assert {len(line) for line in app.picture} == {size[0]}
        assert app.picture[-2].endswith("╯")


async def test_a_run_taken_back_takes_curve_and_cursor_back() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 12)) as pilot:
        plot = await focused(app, pilot)
        await pilot.press("left")
        assert plot.view.cursor == 5000
        plot.show(replace(VIEW, train_losses=VIEW.train_losses.truncated(2000)))
        await until(lambda: app.steps == [5000, 2000])
        plot.show(replace(VIEW, train_losses=Series.empty()))
        await until(lambda: "waiting for the first step" in "".join(app.picture))


async def test_it_takes_no_focus_by_itself_and_shows_when_it_has_it() -> None:
    app = PlotApp()
    async with app.run_test(size=(100, 20)) as pilot:
        plot = await showing(app, pilot)
        assert not plot.has_focus
        assert "arrows read and zoom" not in app.picture[0]
        before = frame_colour(app)
        await pilot.press("shift+tab")
        await until(lambda: "arrows read and zoom" in app.picture[0])
        await until(lambda: frame_colour(app) != before)
        await pilot.press("tab")
        await until(lambda: frame_colour(app) == before)
        assert not plot.has_focus


def frame_colour(app: PlotApp) -> object:
    """Return the colour that the lower edge of the frame has on the screen."""
    strip = app.screen._compositor.render_strips()[-3]
    return next(segment.style.color for segment in strip if segment.style is not None and "╰" in segment.text)


async def test_arrows_move_a_cursor_whose_steps_are_told() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        plot = await focused(app, pilot)
        await pilot.press("left", "left", "shift+left", "right")
        pane = plot.picture.panes["whole"]
        columns = [pane.column_of(step) for step in app.steps if step is not None]
        newest = pane.column_of(5000) or 0
        assert columns == [newest, newest - 1, newest - 11, newest - 10]
        await until(lambda: f"step {app.steps[-1]:,}" in app.picture[0])
        await pilot.press("home", "escape")
        assert app.steps[-2:] == [1, None]
        await until(lambda: "train" in app.picture[0] and "step 1 " not in app.picture[0])


async def test_up_and_down_zoom_at_the_right_edge_and_0_resets() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        plot = await focused(app, pilot)
        whole = steps_shown(plot)
        await pilot.press("up", "up")
        ((low, high),) = steps_shown(plot)
        assert low > 3000
        assert high >= 5000
        await until(lambda: "latest" in app.picture[0])
        await pilot.press("down")
        assert steps_shown(plot)[0][0] < low
        await pilot.press("0")
        assert steps_shown(plot) == whole


async def test_zooming_goes_to_the_cursor() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        plot = await focused(app, pilot)
        await pilot.press("home", "shift+right", "up", "up", "up")
        ((low, high),) = steps_shown(plot)
        assert plot.view.cursor is not None
        assert 0 <= low <= plot.view.cursor <= high
        assert high - low == pytest.approx(5700 / 8, rel=0.1)


async def test_page_keys_pan_and_end_follows() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        plot = await focused(app, pilot)
        plot.switch_panes()
        assert steps_shown(plot) == [(4500, 5000)]
        await pilot.press("pageup")
        assert steps_shown(plot) == [(4250, 4750)]
        await until(lambda: "steps 4,250 to 4,750" in app.picture[0])
        await pilot.press("pageup", "pagedown")
        assert steps_shown(plot) == [(4250, 4750)]
        await pilot.press("left", "end")
        assert steps_shown(plot) == [(4500, 5000)]
        assert plot.view.cursor is None


async def test_a_wide_plot_shows_both_and_the_cursor_in_both() -> None:
    app = PlotApp()
    async with app.run_test(size=(120, 20)) as pilot:
        plot = await focused(app, pilot)
        assert len(steps_shown(plot)) == 2
        await pilot.press("left", "left")
        await until(lambda: app.picture[3].count("╭") + app.picture[3].count("│") >= 4)
        assert all(pane.column_of(plot.view.cursor or 0) is not None for pane in plot.picture.panes.values())
        short = view_of(falling_losses(300))
        plot.show(short)
        await until(lambda: len(steps_shown(plot)) == 1)


async def test_the_wheel_zooms_at_the_pointer() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        plot = await showing(app, pilot)
        pane = plot.picture.panes["whole"]
        column = 20
        at = pane.step_at(column)
        for _ in range(4):
            await pilot._post_mouse_events([MouseScrollUp], LossPlot, offset=(pane.left + column, 5))
        zoomed = plot.picture.panes["whole"]
        assert zoomed.num_steps < pane.num_steps / 2
        assert zoomed.step_at(column) == pytest.approx(at, abs=20)
        for _ in range(20):
            await pilot._post_mouse_events([MouseScrollDown], LossPlot, offset=(pane.left + column, 5))
        assert plot.picture.panes["whole"].num_steps == pane.num_steps


async def drag(pilot: Pilot[None], start: int, end: int) -> None:
    """Move the pointer with its button held."""
    await pilot.mouse_down(LossPlot, offset=(start, 5))
    await pilot._post_mouse_events([MouseMove], LossPlot, offset=((start + end) // 2, 5), button=1)
    await pilot._post_mouse_events([MouseMove], LossPlot, offset=(end, 5), button=1)
    await pilot.mouse_up(LossPlot, offset=(end, 5))


async def test_dragging_pans_and_a_double_click_resets() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        plot = await showing(app, pilot)
        plot.switch_panes()
        pane = plot.picture.panes["recent"]
        await drag(pilot, pane.left + 10, pane.left + 40)
        ((low, high),) = steps_shown(plot)
        assert low == pytest.approx(4500 - 30 * 501 / pane.width, abs=1)
        assert high - low == 500
        assert plot.view.cursor is None
        await pilot.double_click(LossPlot, offset=(pane.left + 10, 5))
        assert steps_shown(plot) == [(4500, 5000)]
        assert plot.view.cursor is None


async def test_dragging_in_the_whole_run_carries_the_recent_part_along() -> None:
    app = PlotApp()
    async with app.run_test(size=(120, 20)) as pilot:
        plot = await showing(app, pilot)
        whole = plot.picture.panes["whole"]
        newest = whole.left + (whole.column_of(4900) or 0)
        await drag(pilot, newest, newest - 10)
        assert steps_shown(plot)[0] == (0, whole.steps.high)
        assert steps_shown(plot)[1][0] == pytest.approx(4500 - 10 * whole.num_steps / whole.width, abs=1)


async def test_a_click_puts_the_cursor_there() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        plot = await showing(app, pilot)
        pane = plot.picture.panes["whole"]
        await pilot.click(LossPlot, offset=(pane.left + 30, 5))
        assert app.steps == [round(pane.step_at(30))]
        await pilot.click(LossPlot, offset=(2, 5))
        assert len(app.steps) == 1


async def test_before_the_first_step_its_keys_do_nothing() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        await pilot.press("shift+tab", "left", "home", "up", "pageup", "0", "end")
        assert app.plot.has_focus
        assert app.steps == []
        assert "waiting for the first step" in "".join(app.picture)


async def test_escape_is_the_screens_while_there_is_no_cursor() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        plot = await focused(app, pilot)
        assert plot.check_action("hide_cursor", ()) is False
        await pilot.press("left")
        assert plot.check_action("hide_cursor", ()) is True


async def test_another_run_can_be_laid_under_and_taken_away() -> None:
    app = PlotApp()
    async with app.run_test(size=(100, 13)) as pilot:
        plot = await showing(app, pilot)
        plot.overlay = ("run of before", Series.empty().extended(1, [2.0] * 3000))
        await until(lambda: "run of before" in app.picture[0])
        plot.overlay = None
        await until(lambda: "run of before" not in app.picture[0])


async def test_it_draws_with_the_glyphs_that_it_is_told() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 13)) as pilot:
        plot = await showing(app, pilot)
        plot.glyphs = "ascii"
        await until(lambda: "".join(app.picture).isascii())


def test_every_key_of_the_plot_is_in_the_key_table() -> None:
    told = {name for key in PLOT_KEYS for name in key.keys.split(",")}
    assert told == {str(binding.key) for binding in LossPlot.BINDINGS if isinstance(binding, Binding)}


async def test_the_whole_program_can_be_told_which_glyphs_to_draw_with(stage: Stage) -> None:
    app = stage.app(FakeSession([steps_finished(1, falling_losses(300))]))
    async with app.run_test(size=(80, 24)):
        await shows(app, "⠒⠒ train")
        app.glyphs = "ascii"
        await shows(app, "== train")


TWEETS = [tweet(f"what it wrote after {step}", step) for step in range(100, 3001, 100)]


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_holding_an_arrow_leads_the_feed_through_the_run(stage: Stage, size: tuple[int, int]) -> None:
    losses = falling_losses(3000)
    app = stage.app(FakeSession([steps_finished(1, losses), *TWEETS]))
    async with app.run_test(size=size) as pilot:
        await shows(app, "what it wrote after 3000")
        plot = app.screen.query_one(LossPlot)
        await until(lambda: plot.picture.panes)
        assert isinstance(app.focused, TweetFeed)
        await pilot.press("shift+tab")
        await until(lambda: plot.has_focus, "the focus")
        await pilot.press(*["shift+left"] * 4)
        await until(lambda: plot.view.cursor is not None and plot.view.cursor < 2500)
        await shows(app, f"what it wrote after {(plot.view.cursor or 0) // 100 * 100}")
        await pilot.press("escape")
        await shows(app, "what it wrote after 3000")


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_y_and_v_work_from_anywhere(stage: Stage, size: tuple[int, int]) -> None:
    app = stage.app(FakeSession([steps_finished(1, falling_losses(3000)), *TWEETS]))
    async with app.run_test(size=size) as pilot:
        await shows(app, "what it wrote after 3000", "nats/char")
        await pilot.press("y")
        await shows(app, "nats/char, log")
        await pilot.press("v")
        await shows(app, "latest 500 steps")

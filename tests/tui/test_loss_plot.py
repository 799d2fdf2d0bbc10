"""The loss plot: its scales as numbers, then the picture as text."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual_hires_canvas import Canvas

from tests.fakes import evaluated, run_started, steps_finished
from tui.run_view import RunView
from tui.series import Series
from tui.state import apply
from tui.widgets.loss_plot import LossPlot
from tui.widgets.plot_scales import Limits, loss_limits, nice_interval, nice_ticks, step_limits, tick_decimals, zigzag
from tui.widgets.still_canvas import StillCanvas, changed_cells

SIZES = [(120, 20), (78, 8), (60, 6)]


@given(st.integers(1, 10_000_000), st.integers(0, 5_000_000))
def test_the_step_axis_holds_the_whole_run_and_moves_seldom(first_step: int, num_steps: int) -> None:
    last_step = first_step + num_steps
    limits = step_limits(first_step, last_step)
    assert limits.low < first_step
    assert limits.high >= last_step
    assert num_steps < 100 or (last_step - limits.low) / limits.span > 0.7
    nearly = step_limits(first_step, int(limits.high) - 1 if limits.span > 100 else last_step)
    assert nearly.low == limits.low


def test_the_step_axis_moves_less_than_60_times_in_five_million_steps() -> None:
    limits = {step_limits(1, round(1.02**k)).high for k in range(780)}
    assert len(limits) < 60


LOSSES = st.lists(st.floats(0.01, 100), min_size=1, max_size=200)


@given(LOSSES, st.lists(st.floats(0.01, 100), max_size=3))
def test_the_loss_axis_holds_all_but_a_few_columns_and_every_evaluation(
    highs: list[float], others: list[float]
) -> None:
    high = np.array(highs)
    limits = loss_limits(high * 0.9, high, np.array(others), None)
    assert limits.low <= min([*(high * 0.9), *others])
    assert limits.high >= max([0.0, *others])
    assert (high > limits.high).sum() <= 0.03 * len(high) + 1
    if len(high) < 60:
        assert limits.high >= high.max()


def test_a_spike_leaves_through_the_top_instead_of_squashing_the_rest() -> None:
    high = np.full(200, 2.0)
    high[100] = 40.0
    assert loss_limits(high - 0.5, high, np.array([]), None).high < 2.5


def test_the_loss_axis_keeps_still_until_it_must_move_or_has_much_room() -> None:
    before = Limits(1.0, 5.0)
    still = loss_limits(np.array([1.3]), np.array([4.4]), np.array([]), before)
    assert still is before
    assert loss_limits(np.array([0.9]), np.array([4.4]), np.array([]), before).low < 0.9
    assert loss_limits(np.array([1.3]), np.array([2.0]), np.array([]), before).high < 3


@given(st.floats(0.001, 1e7), st.integers(1, 12))
def test_intervals_are_round_and_as_many_as_asked(span: float, count: int) -> None:
    interval = nice_interval(span, count)
    assert span / interval <= count * (1 + 1e-6)
    mantissa = interval / 10 ** math.floor(math.log10(interval) + 1e-9)
    assert min(abs(mantissa - nice) for nice in (1, 2, 2.5, 5, 10)) < 1e-6


def test_ticks_are_inside_and_tell_each_other_apart() -> None:
    assert nice_ticks(Limits(0, 5600), 6, min_interval=1) == [0, 1000, 2000, 3000, 4000, 5000]
    assert nice_ticks(Limits(0, 3), 10, min_interval=1) == [0, 1, 2, 3]
    ticks = nice_ticks(Limits(1.3, 2.9), 7)
    assert ticks == [1.5, 1.75, 2.0, 2.25, 2.5, 2.75]
    assert (tick_decimals(ticks), tick_decimals([1.0, 2.0]), tick_decimals([0.00001])) == (2, 0, 4)


def test_the_band_touches_every_low_and_high() -> None:
    columns = Series.empty().extended(1, [3.0, 1.0, 2.0, 5.0]).columns(1, 4, 2)
    steps, values = zigzag(columns)
    assert values.tolist() == [1.0, 3.0, 5.0, 2.0]
    assert steps.tolist() == [1.5, 1.5, 3.5, 3.5]


def test_changed_cells_are_found_to_the_cell() -> None:
    red, plain = Style(color="red"), Style()
    old = Strip([Segment("abcd", plain), Segment("ef", red)])
    assert changed_cells(old, Strip([Segment("ab", plain), Segment("cd", plain), Segment("ef", red)])) is None
    assert changed_cells(old, Strip([Segment("abXd", plain), Segment("ef", red)])) == (2, 3)
    assert changed_cells(old, Strip([Segment("abcde", plain), Segment("f", red)])) == (4, 5)
    assert changed_cells(old, Strip([Segment("abc", plain)])) == (0, 3)
    assert changed_cells(old, Strip([Segment("ab日d", plain), Segment("e", red)])) == (0, 6)


def falling_losses(num_steps: int, spike_at: int | None = None) -> list[float]:
    steps = np.arange(num_steps)
    noise = np.random.default_rng(0).standard_normal(num_steps)
    losses = (1.7 + 2.9 * np.exp(-steps / 100)) * (1 + 0.04 * noise)
    if spike_at is not None:
        losses[spike_at] = 9.87
    return list(losses.tolist())


def view_of(losses: list[float], *val_bits: float) -> RunView:
    view = apply(RunView(), run_started())
    for index in range(0, len(losses), 50):
        view = apply(view, steps_finished(index + 1, losses[index : index + 50]))
    best = math.inf
    for index, bits in enumerate(val_bits, 1):
        view = apply(view, evaluated(index * len(losses) // len(val_bits), bits, is_best=bits < best))
        best = min(best, bits)
    return view


class PlotApp(App[None]):
    """Only a plot."""

    def compose(self) -> ComposeResult:
        yield LossPlot()

    @property
    def plot(self) -> LossPlot:
        return self.query_one(LossPlot)

    @property
    def picture(self) -> list[str]:
        lines = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip) for strip in lines]


async def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def has_braille(lines: list[str]) -> bool:
    return any(0x2801 <= ord(char) <= 0x28FF for line in lines for char in line)


@pytest.mark.parametrize("size", SIZES)
async def test_before_the_first_step_there_is_one_calm_line(size: tuple[int, int]) -> None:
    app = PlotApp()
    async with app.run_test(size=size) as pilot:
        app.plot.show(apply(RunView(), run_started()))
        await pilot.pause()
        assert [line.strip() for line in app.picture if line.strip()] == ["waiting for the first step"]


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_steps_bring_curve_axes_and_legend(size: tuple[int, int]) -> None:
    app = PlotApp()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        app.plot.show(view_of(falling_losses(70)))
        await until(lambda: has_braille(app.picture[1:-2]))
        assert "nats" in app.picture[0]
        assert "train" in app.picture[0]
        steps = [int(label) for label in app.picture[-1].split()]
        assert (steps[0], steps[-1]) in {(0, 100), (0, 80)}
        labels = [line[:6].strip() for line in app.picture[:-1] if line[:6].strip()]
        assert len(labels) >= 2
        assert [float(label) for label in labels] == sorted((float(label) for label in labels), reverse=True)


async def test_the_whole_run_is_in_the_picture_with_its_evaluations_and_its_spike() -> None:
    app = PlotApp()
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        app.plot.show(view_of(falling_losses(5000, spike_at=3000), 2.8, 2.6, 2.7))
        await until(lambda: "◆" in app.picture[0])
        text = "\n".join(app.picture)
        assert "◆ best 1.802" in app.picture[0]
        assert "▲ up to 9.87" in app.picture[0]
        assert text.count("●") == 1 + 2
        assert text.count("◆") == 1 + 1
        spike_column = app.picture[1][40:].index("▲") + 40
        assert 7 + 93 * 3000 / 5700 - 2 < spike_column < 7 + 93 * 3000 / 5300 + 2
        assert "5k" in app.picture[-1]


async def test_many_evaluations_become_a_line() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        app.plot.show(view_of(falling_losses(2000), *(3 - 0.01 * number for number in range(60))))
        await until(lambda: "◆" in app.picture[0])
        assert "●" not in "\n".join(app.picture[1:])


async def test_a_key_turns_nats_into_bits() -> None:
    app = PlotApp()
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        app.plot.show(view_of(falling_losses(500), 2.6))
        await until(lambda: "best 1.802" in app.picture[0])
        app.plot.toggle_unit()
        await until(lambda: "best 2.60" in app.picture[0])
        assert "bits" in app.picture[0]
        app.plot.toggle_unit()
        await until(lambda: "best 1.802" in app.picture[0])


async def test_it_is_drawn_again_only_when_a_curve_has_changed() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        view = view_of(falling_losses(500))
        app.plot.show(view)
        await until(lambda: app.plot.drawn is view and not app.plot.is_stale)
        app.plot.show(replace(view, chars_per_second=1.0))
        app.plot._redraw_if_changed()
        assert app.plot.drawn is view
        longer = apply(view, steps_finished(501, [1.7]))
        app.plot.show(longer)
        await until(lambda: app.plot.drawn is longer)


async def test_a_few_more_steps_repaint_a_few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    app = PlotApp()
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        losses = falling_losses(3030)
        view = view_of(losses[:3000])
        app.plot.show(view)
        await until(lambda: has_braille(app.picture[1:-2]))
        await pilot.pause()
        painted: list[int] = []
        monkeypatch.setattr(
            "textual.widget.Widget.refresh",
            lambda self, *regions, **_: painted.append(sum(region.area for region in regions or [self.size.region])),
        )
        app.plot.show(apply(view, steps_finished(3001, losses[3000:])))
        app.plot.redraw()
        app.plot.render()
        for canvas in app.query(StillCanvas):
            canvas.repaint_changes()
        assert 0 < sum(painted) < 100


@pytest.mark.parametrize("size", [(120, 30), (60, 8)])
async def test_a_resized_terminal_gets_a_whole_new_picture(size: tuple[int, int]) -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        app.plot.show(view_of(falling_losses(500), 2.6))
        await until(lambda: "nats" in app.picture[0])
        await pilot.resize_terminal(*size)
        width, height = size
        await until(lambda: len(app.picture) == height and app.picture[height - 2].endswith(("┛", "┻")))
        await until(lambda: app.picture[0].endswith(("┓", "┳")) and len(app.picture[0]) == width)
        assert any(0x2801 <= ord(char) <= 0x28FF for line in app.picture[1:-2] for char in line[3 * width // 4 :])
        assert app.picture[-1].split()[0] == "0"


async def test_a_run_taken_back_to_its_start_waits_again() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        view = view_of(falling_losses(200))
        app.plot.show(view)
        await until(lambda: has_braille(app.picture))
        app.plot.show(replace(view, train_losses=Series.empty()))
        await until(lambda: "waiting for the first step" in "\n".join(app.picture))


async def test_neither_key_nor_mouse_moves_the_plot() -> None:
    app = PlotApp()
    async with app.run_test(size=(80, 12)) as pilot:
        await pilot.pause()
        app.plot.show(view_of(falling_losses(500), 2.6))
        await until(lambda: "best" in app.picture[0])
        before = app.picture
        await pilot.press("tab", "plus", "minus", "left", "up", "r")
        await pilot.click(LossPlot, offset=(40, 0))
        await pilot.hover(LossPlot, offset=(40, 5))
        await pilot.mouse_down(LossPlot, offset=(40, 5))
        await pilot.hover(LossPlot, offset=(50, 8))
        await pilot.mouse_up(LossPlot, offset=(50, 8))
        assert app.focused is None
        assert app.picture == before


async def test_the_plot_finds_the_canvases_that_textual_plot_draws_on() -> None:
    """`compose` puts ours in the place of textual-plot's (0.10): the same ones, under the same names."""
    app = PlotApp()
    async with app.run_test():
        names = {canvas.id for canvas in app.query(Canvas)}
        assert names == {"margin-top", "margin-left", "plot", "margin-bottom"}
        assert all(isinstance(canvas, StillCanvas) for canvas in app.query(Canvas))

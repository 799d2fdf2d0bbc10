"""`LossPlot`: the whole run's loss in one picture, drawn by textual-plot in braille.

Each column of dots spans the lowest and highest train loss of its steps, a smoothed line lies on top, evaluations are
points. The x axis always shows the run from its first step. The y axis shows every value but for a few columns that
would squash the rest: those are marked where they leave through the top, and the legend says how high they go. Drawn at
most twice a second, and only what changed goes to the terminal. The plot takes no focus, key or mouse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult, RenderResult
from textual.containers import Grid
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.widgets import Static
from textual_hires_canvas import Canvas
from textual_plot import HiResMode, PlotWidget
from textual_plot.axis_formatter import NumericAxisFormatter
from textual_plot.plot_widget import Legend

from tui.formatting import format_bits, format_loss, format_steps_tick
from tui.run_view import RunView
from tui.series import Columns, Floats, columns_of
from tui.widgets.plot_scales import Limits, loss_limits, nice_ticks, step_limits, tick_decimals, zigzag
from tui.widgets.still_canvas import StillCanvas

Unit = Literal["nats", "bits"]

REDRAW_SECONDS = 0.5
_NATS_PER_UNIT: dict[Unit, float] = {"nats": 1.0, "bits": math.log(2)}
_CELLS_PER_STEP_TICK = 12
_ROWS_PER_LOSS_TICK = 2
_MIN_LOSS_TICKS = 4
_WIDE_LEGEND_CELLS = 90
_MARKER_CELLS = 3
"""Evaluations closer together than this many cells are drawn as a line instead of markers."""


class _StepLabels(NumericAxisFormatter):
    """Labels of the x axis: "0 500 1k"."""

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """Return a label for each step."""
        return [format_steps_tick(tick) for tick in ticks]


class _LossLabels(NumericAxisFormatter):
    """Labels of the y axis, with as many decimals as tell them apart."""

    def get_labels_for_ticks(self, ticks: Sequence[float]) -> list[str]:
        """Return a label for each loss."""
        decimals = tick_decimals(list(ticks))
        return [f"{tick:.{decimals}f}" for tick in ticks]


class LossPlot(PlotWidget, can_focus=False, inherit_bindings=False):
    """The loss curve of a run. `show` it a view as often as you like."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "loss-plot--band",
        "loss-plot--line",
        "loss-plot--validation",
        "loss-plot--best",
        "loss-plot--peak",
    }
    DEFAULT_CSS = """
    LossPlot {
        & > .plot--axis { color: $foreground 30%; }
        & > .plot--tick { color: $text-muted; text-style: none; }
        & > .loss-plot--band { color: $primary 60%; }
        & > .loss-plot--line { color: $foreground; text-style: bold; }
        & > .loss-plot--validation { color: $warning; }
        & > .loss-plot--best { color: $success; text-style: bold; }
        & > .loss-plot--peak { color: $error; }
        #waiting { layer: plot; width: 1fr; height: 1fr; content-align: center middle; color: $text-muted; }
        #waiting { display: none; }
        &.-waiting #waiting { display: block; }
        &.-waiting Grid { display: none; }
    }
    """

    unit: reactive[Unit] = reactive[Unit]("nats", init=False)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's own name
        """Begin without a run."""
        super().__init__(id=id, classes=classes, allow_pan_and_zoom=False)
        self.shown = RunView()
        self.drawn = self.shown
        self.is_stale = False
        self.y_limits: Limits | None = None
        self.peak: float | None = None
        self.set_x_formatter(_StepLabels())
        self.set_y_formatter(_LossLabels())

    def compose(self) -> ComposeResult:
        """Compose what `PlotWidget` looks for, with canvases that keep still, and the line before the first step."""
        with Grid():
            yield StillCanvas(1, 1, id="margin-top")
            yield StillCanvas(1, 1, id="margin-left")
            yield StillCanvas(1, 1, id="plot")
            yield StillCanvas(1, 1, id="margin-bottom")
        yield Legend(id="legend")
        yield Static("waiting for the first step", id="waiting", markup=False)

    def on_mount(self) -> None:
        """Begin to redraw on a timer."""
        self.margin_top, self.margin_bottom, self.margin_left = 0, 1, 6
        self.add_class("-waiting")
        self.set_interval(REDRAW_SECONDS, self._redraw_if_changed)

    def show(self, view: RunView) -> None:
        """Draw this view from now on; the first steps at once, later ones at the next redraw."""
        self.shown = view
        if self.is_mounted and self.has_class("-waiting") and len(view.train_losses):
            self.remove_class("-waiting")
            self.redraw()

    def toggle_unit(self) -> None:
        """Show bits in place of nats per character, or the other way round."""
        self.unit = "bits" if self.unit == "nats" else "nats"

    def watch_unit(self) -> None:
        """Draw in the other unit at once."""
        self.y_limits = None
        self.redraw()

    def on_canvas_resize(self, event: Canvas.Resize) -> None:
        """Draw for the new size."""
        event.stop()
        if event.canvas.id == "plot":
            self.refresh(layout=True)
            self.redraw()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Have the plot drawn, but leave it to the canvases to repaint what changed on them."""
        if not (regions or layout or recompose):
            regions = (Region(0, 0, 1, 1),)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def notify_style_update(self) -> None:
        """Draw in the new colours at the next redraw."""
        super().notify_style_update()
        self.is_stale = True

    def _redraw_if_changed(self) -> None:
        """Redraw where the curves or the colours are no longer those last drawn."""
        drawn, shown = self.drawn, self.shown
        if self.is_stale or drawn.train_losses is not shown.train_losses or drawn.val_points is not shown.val_points:
            self.redraw()

    def redraw(self) -> None:
        """Draw the curves of the view that was shown last."""
        self.drawn, self.is_stale = self.shown, False
        losses = self.drawn.train_losses
        self.set_class(not len(losses), "-waiting")
        canvas = self.query_one("#plot", Canvas)
        width, height = canvas.size.width - 2, canvas.size.height - 2
        if not len(losses) or width < 1 or height < 1:
            return
        limits = step_limits(losses.first_step, losses.last_step)
        first, last = int(limits.low), int(limits.high)
        train = losses.columns(first, last, 2 * width)
        points = self.drawn.val_points
        steps, val_losses = [point.step for point in points], [point.val_loss for point in points]
        validation = columns_of(steps, val_losses, first, last, 2 * width)
        self.clear()
        self._draw_axes(limits, train, validation, Size(width, height))
        self._draw_train_losses(train)
        self._draw_val_losses(validation, has_room=len(points) * _MARKER_CELLS <= width)
        self._draw_peaks(train)

    def _draw_axes(self, step_limits: Limits, train: Columns, validation: Columns, size: Size) -> None:
        """Set limits and ticks; half a step of room on either side puts each column on its own dots."""
        is_filled = train.count > 0
        low, high = self._scaled(train.low[is_filled]), self._scaled(train.high[is_filled])
        val_losses = np.concatenate([self._scaled(validation.low), self._scaled(validation.high)])
        self.y_limits = loss_limits(low, high, val_losses[np.isfinite(val_losses)], self.y_limits)
        self.peak = float(high.max()) if high.max() > self.y_limits.high else None
        self.set_xlimits(step_limits.low - 0.5, step_limits.high + 0.5)
        self.set_ylimits(self.y_limits.low, self.y_limits.high)
        self.set_xticks(nice_ticks(step_limits, size.width // _CELLS_PER_STEP_TICK + 1, min_interval=1))
        self.set_yticks(nice_ticks(self.y_limits, max(size.height // _ROWS_PER_LOSS_TICK + 1, _MIN_LOSS_TICKS)))

    def _draw_train_losses(self, train: Columns) -> None:
        """Draw the band of all steps, and the smoothed line over it."""
        steps, losses = zigzag(train)
        self.plot(steps, self._scaled(losses), self._style("loss-plot--band"), HiResMode.BRAILLE)
        self.plot(train.step_mid, self._scaled(train.smoothed()), self._style("loss-plot--line"), HiResMode.BRAILLE)

    def _draw_val_losses(self, validation: Columns, *, has_room: bool) -> None:
        """Draw every evaluation, as a marker or where they are too many as a line, and the best one over all others."""
        steps, losses = zigzag(validation)
        style = self._style("loss-plot--validation")
        if has_room:
            self.scatter(steps, self._scaled(losses), "●", style)
        else:
            self.plot(steps, self._scaled(losses), style, HiResMode.BRAILLE)
        if (best := self.drawn.best) is not None:
            val_loss = best.val_loss / _NATS_PER_UNIT[self.unit]
            self.scatter([best.step], [val_loss], "◆", self._style("loss-plot--best"))

    def _draw_peaks(self, train: Columns) -> None:
        """Mark the columns that leave through the top."""
        if self.peak is not None and self.y_limits is not None:
            steps = train.step_mid[self._scaled(train.high) > self.y_limits.high]
            just_below = self.y_limits.high - 1e-6 * self.y_limits.span
            self.scatter(steps, np.full(len(steps), just_below), "▲", self._style("loss-plot--peak"))

    def render(self) -> RenderResult:
        """Draw the plot, then write the legend into the upper edge of its frame."""
        rendered = super().render()
        canvas = self.query_one("#plot", Canvas)
        if canvas.size.height > 2:
            axis = self._style("plot--axis")
            canvas.draw_line(1, 0, canvas.size.width - 2, 0, char="━", style=axis)
            canvas.write_text(2, 0, f"[{axis}]━[/]".join(self._legend_pieces(canvas.size.width - 4)))
        return rendered

    def _legend_pieces(self, width: int) -> Iterator[str]:
        """Yield the entries of the legend that fit whole, the most important first, as console markup."""
        best, last = self.drawn.best, self.drawn.last_val
        entries = [("", "", f"{self.unit} per character" if width >= _WIDE_LEGEND_CELLS else f"{self.unit}/char")]
        entries.append(("loss-plot--line", "⠒⠒", "train"))
        if self.peak is not None:
            entries.append(("loss-plot--peak", "▲", f"up to {self.peak:.2f}"))
        if last is not None:
            entries.append(("loss-plot--validation", "●", "validation"))
        if best is not None:
            figure = format_loss(best.val_loss) if self.unit == "nats" else format_bits(best.bits_per_char)
            entries.append(("loss-plot--best", "◆", f"best {figure}"))
        entries.append(("loss-plot--band", "⣿", "every step"))
        tick = self._style("plot--tick")
        for component, symbol, label in entries:
            piece = f" [{self._style(component)}]{symbol}[/] [{tick}]{label}[/] " if symbol else f" [{tick}]{label}[/] "
            width -= cell_len(Text.from_markup(piece).plain) + 1
            if width < -1:
                return
            yield piece

    def _style(self, component: str) -> str:
        """Return a component's style as the canvas takes it."""
        return str(self.get_component_rich_style(component))

    def _scaled(self, nats: Floats) -> Floats:
        """Return losses in the unit shown."""
        return nats / _NATS_PER_UNIT[self.unit]

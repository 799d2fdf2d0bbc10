"""`BatchGrid`: the batch of a training step as a grid, with a selected tweet; scrolls with keys, wheel and clicks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.binding import BindingType

from engine.protocol.insight import BatchShown
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.text.cells import Line
from tui.widgets.xray.picture_view import PictureView
from tui.xray.batch import batch_picture, grid_lines, last_first_column

_COLUMNS_PER_KEY = 8
_MOVES_BY_WHEEL: dict[type[events.MouseEvent], tuple[int, int]] = {
    events.MouseScrollDown: (3, 0),
    events.MouseScrollUp: (-3, 0),
    events.MouseScrollRight: (0, _COLUMNS_PER_KEY),
    events.MouseScrollLeft: (0, -_COLUMNS_PER_KEY),
}
"""The rows and columns that a turn of the wheel moves by."""


class BatchGrid(PictureView, can_focus=True):
    """Shows a batch once there is one; keeps the selected row and the first column from one batch to the next."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("grid"))

    def __init__(self) -> None:
        super().__init__()
        self.shown_batch: BatchShown | None = None
        self.selected = 0
        """The row whose token ids are shown, from 0."""
        self.first_row = 0
        self.first_column = 0

    def show(self, batch: BatchShown) -> None:
        self.shown_batch = batch
        self._go_to(self.selected, self.first_column)

    def on_resize(self) -> None:
        self._go_to(self.selected, self.first_column)

    def action_row(self, num_rows: int) -> None:
        """Select the tweet some rows below (1) or above (-1)."""
        self._go_to(self.selected + num_rows, self.first_column)

    def action_page(self, direction: int) -> None:
        """Select the tweet a page below (1) or above (-1)."""
        self.action_row(direction * max(len(self._grid_lines) - 1, 1))

    def action_columns(self, direction: int) -> None:
        """Scroll right (1) or left (-1) by some time steps."""
        self._go_to(self.selected, self.first_column + direction * _COLUMNS_PER_KEY)

    def action_first_column(self) -> None:
        self._go_to(self.selected, 0)

    def action_last_column(self) -> None:
        self._go_to(self.selected, self.shown_batch.num_columns if self.shown_batch is not None else 0)

    @on(events.MouseScrollDown)
    @on(events.MouseScrollUp)
    @on(events.MouseScrollRight)
    @on(events.MouseScrollLeft)
    def _scroll(self, event: events.MouseEvent) -> None:
        event.stop()
        rows, columns = _MOVES_BY_WHEEL[type(event)]
        self._go_to(self.selected + rows, self.first_column + columns)

    async def on_click(self, event: events.Click) -> None:
        if event.y in self._grid_lines:
            self._go_to(self.first_row + event.y - self._grid_lines.start, self.first_column)

    @property
    def _grid_lines(self) -> range:
        """The lines of the widget in which rows of the grid are drawn."""
        if self.shown_batch is None:
            return range(0)
        return grid_lines(self.shown_batch, self.size.width, self.size.height)

    def _go_to(self, row: int, column: int) -> None:
        """Select a row, scroll as far as needed to show it, and draw from a column on; both are clamped."""
        batch = self.shown_batch
        if batch is None or not self.size:
            return
        num_lines = len(self._grid_lines)
        self.selected = min(max(row, 0), max(len(batch.rows) - 1, 0))
        first_row = min(max(self.first_row, self.selected - num_lines + 1), self.selected)
        self.first_row = max(min(first_row, len(batch.rows) - num_lines), 0)
        self.first_column = max(min(column, last_first_column(batch, self.size.width)), 0)
        self.redraw()

    def lines_for(self, width: int) -> Sequence[Line]:
        if self.shown_batch is None:
            return ()
        return batch_picture(
            self.shown_batch,
            width=width,
            height=self.size.height,
            glyphs=self.glyphs,
            first_row=self.first_row,
            first_column=self.first_column,
            selected=self.selected,
        )

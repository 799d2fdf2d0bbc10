"""`CheckpointTable`: groups of checkpoints under headings; renders only the lines in view. Never reads a file.

Textual's `DataTable` takes 150 ms to rebuild 500 rows.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from engine.checkpoints.catalog import CheckpointEntry
from engine.text import sanitize_line
from tui.formatting.checkpoint_rows import ORDERS, CheckpointGroup, Order, cells_of, evaluated_at
from tui.formatting.loss_units import LossUnit, unit_label
from tui.formatting.numbers import shortened
from tui.widgets.feed.layout import PIN_GLYPH

_ARROWS: dict[Order, str] = {"name": "▲", "step": "▼", "loss": "▲", "size": "▼", "age": "▲"}
"""At the sorted column: whether its values rise or fall from top to bottom."""
_MIN_NAME_WIDTH = 16
_MARKS_WIDTH = 2
_GAP = " "
_DOUBLE_CLICK = 2
PINNED, COMPARED = PIN_GLYPH, "="


class CheckpointTable(ScrollView, can_focus=True):
    """Shows checkpoints below a fixed heading, one of them under the cursor, which skips the headings of groups."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move_page(-1)", show=False),
        Binding("pagedown", "move_page(1)", show=False),
        Binding("home", "move_to_end(-1)", show=False),
        Binding("end", "move_to_end(1)", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"checkpoint-table--{name}" for name in ("heading", "group", "row", "unusable", "cursor", "cursor-unusable")
    }
    DEFAULT_CSS = """
    CheckpointTable {
        height: 1fr;
        min-height: 3;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        background: $surface;
        .checkpoint-table--heading { color: $text-muted; text-style: bold; }
        .checkpoint-table--group { color: $text-primary; text-style: bold; }
        .checkpoint-table--row { color: $foreground; }
        .checkpoint-table--unusable { color: $text-muted; }
        .checkpoint-table--cursor { background: $primary 30%; color: $foreground; text-style: bold; }
        .checkpoint-table--cursor-unusable { background: $primary 30%; color: $text-muted; text-style: bold; }
    }
    """

    @dataclass
    class Moved(Message):
        """The cursor is on another checkpoint, or its checkpoint has changed; None if there is none."""

        entry: CheckpointEntry | None

    @dataclass
    class Chosen(Message):
        """A checkpoint was double-clicked."""

        entry: CheckpointEntry

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[CheckpointEntry] = []
        self._lines: list[tuple[CheckpointGroup, CheckpointEntry | None]] = []
        """The headings of the groups, and the entries below each."""
        self._line_of: list[int] = []
        """The line of each entry."""
        self._order: Order = "age"
        self._unit: LossUnit = "bits"
        self._widths = [0] * (len(ORDERS) - 1)
        """Widths of all columns but the name: those of their longest cells."""
        self._at_width = 0
        """Width of the longest step of an earlier evaluation."""
        self._cursor_row = 0
        self._compared: str | None = None
        self._unusable: frozenset[str] = frozenset()
        self._now = time.time()

    @property
    def current(self) -> CheckpointEntry | None:
        """The checkpoint under the cursor."""
        return self._entries[self._cursor_row] if self._entries else None

    @property
    def entries(self) -> Sequence[CheckpointEntry]:
        """The entries of all groups."""
        return self._entries

    def show(
        self,
        groups: Sequence[CheckpointGroup],
        order: Order,
        unit: LossUnit,
        *,
        compared: str | None,
        unusable: frozenset[str],
        cursor_on: str | None = None,
    ) -> None:
        """Show groups sorted by `order`: `compared` is the first one of a comparison, `unusable` can't be loaded.

        The cursor moves to `cursor_on`, or else stays on its checkpoint, or else on its row.
        """
        before = self.current
        name = cursor_on or (before.name if before else "")
        self._lines = [(group, entry) for group in groups for entry in (None, *group.entries)]
        rows = [(line, entry) for line, (_, entry) in enumerate(self._lines) if entry is not None]
        self._line_of, self._entries = [line for line, _ in rows], [entry for _, entry in rows]
        self._order, self._unit, self._compared, self._unusable = order, unit, compared, unusable
        self._now = time.time()
        self._at_width = max((cell_len(evaluated_at(entry)) for entry in self._entries), default=0)
        cells = (cells_of(entry, self._now, unit, at_width=self._at_width) for entry in self._entries)
        self._widths = [max(map(cell_len, column)) for column in zip(self._headings, *cells, strict=True)][1:]
        row = next((row for row, entry in enumerate(self._entries) if entry.name == name), self._cursor_row)
        self._cursor_row = max(0, min(row, len(self._entries) - 1))
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines) + 1)
        self.call_after_refresh(self._scroll_to_cursor)
        self.refresh()
        if self.current != before:
            self.post_message(self.Moved(self.current))

    @property
    def _headings(self) -> list[str]:
        """The titles of the columns, that of the sorted one with its arrow; the widths do not depend on the order."""
        arrows = (_ARROWS[column] if column == self._order else " " for column in ORDERS)
        titles = (unit_label(self._unit) if column == "loss" else column for column in ORDERS)
        name, *others = zip(titles, arrows, strict=True)
        return [" ".join(name), *(f"{arrow} {title}" for title, arrow in others)]

    def action_move(self, num_rows: int) -> None:
        """Move the cursor by rows."""
        self.move_to(self._cursor_row + num_rows)

    def action_move_page(self, direction: int) -> None:
        """Move the cursor by a page."""
        self.move_to(self._cursor_row + direction * max(self.size.height - 2, 1))

    def action_move_to_end(self, direction: int) -> None:
        """Move the cursor to the first (-1) or last (1) row."""
        self.move_to(0 if direction < 0 else len(self._entries) - 1)

    def move_to(self, row: int) -> None:
        """Move the cursor to a row, clamped to the table."""
        row = max(0, min(row, len(self._entries) - 1))
        if row == self._cursor_row:
            return
        before, self._cursor_row = self._cursor_row, row
        top = self.scroll_offset.y
        self._scroll_to_cursor()
        if self.scroll_offset.y == top:
            lines = (self._line_of[each] + 1 - top for each in (before, row))
            self.refresh(*(Region(0, line, self.size.width, 1) for line in lines))
        self.post_message(self.Moved(self.current))

    def _scroll_to_cursor(self) -> None:
        """Scroll as little as necessary to show the cursor, and the heading above the first entry of a group."""
        if not self._entries:
            return
        num_visible = max(self.size.height - 1, 1)
        top, line = self.scroll_offset.y, self._line_of[self._cursor_row]
        first = line - 1 if self._lines[line - 1][1] is None and num_visible > 1 else line
        if not (top <= first and line < top + num_visible):
            wanted = first if first < top else line - num_visible + 1
            self.scroll_to(y=wanted, animate=False, force=True, immediate=True)

    def on_resize(self, _event: events.Resize) -> None:
        """Keep the cursor in view."""
        self._scroll_to_cursor()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked entry; a double click posts `Chosen`."""
        line = event.y - 1 + self.scroll_offset.y
        if event.y == 0 or line not in self._line_of:
            return
        self.move_to(self._line_of.index(line))
        if event.chain == _DOUBLE_CLICK:
            self.post_message(self.Chosen(self._entries[self._cursor_row]))

    def render_line(self, y: int) -> Strip:
        """Return line `y` of the view: the heading, then groups."""
        width, line = self.scrollable_content_region.width, y - 1 + self.scroll_offset.y
        if y == 0:
            text, style = self._line("", self._headings), "heading"
        elif line < len(self._lines):
            text, style = self._text_of(*self._lines[line], width)
        else:
            text, style = "", "row"
        filled = text + " " * (width - cell_len(text))
        return Strip([Segment(filled, self.get_component_rich_style(f"checkpoint-table--{style}"))])

    def _text_of(self, group: CheckpointGroup, entry: CheckpointEntry | None, width: int) -> tuple[str, str]:
        """Return the text and component class of an entry, or of the heading of its group."""
        if entry is None:
            count = f" · {len(group.entries):,}"
            return shortened(sanitize_line(group.heading), width - len(count)) + count, "group"
        marks = (PINNED if entry.is_pinned else "") + (COMPARED if entry.name == self._compared else "")
        style = "unusable" if entry.name in self._unusable else "row"
        if entry is self.current:
            style = "cursor" if style == "row" else "cursor-unusable"
        cells = cells_of(entry, self._now, self._unit, run=group.run, at_width=self._at_width)
        return self._line(marks, cells), style

    def _line(self, marks: str, cells: Sequence[str]) -> str:
        """Return a row in the width of the table, without the columns that don't fit."""
        width = self.scrollable_content_region.width - _MARKS_WIDTH
        num_columns = len(self._widths)
        while num_columns > 1 and width - sum(each + 1 for each in self._widths[:num_columns]) < _MIN_NAME_WIDTH:
            num_columns -= 1
        name_width = width - sum(each + 1 for each in self._widths[:num_columns])
        name = _shortened_name(cells[0], name_width)
        name += " " * (name_width - cell_len(name))
        others = [f"{cell:>{size}}" for cell, size in zip(cells[1:], self._widths[:num_columns], strict=False)]
        return f"{marks:<{_MARKS_WIDTH}}" + _GAP.join((name, *others))


def _shortened_name(name: str, max_cells: int) -> str:
    """Return a name truncated to `max_cells`: of run and own name, the run's start is cut first."""
    run, slash, own = name.rpartition("/")
    if not slash or cell_len(name) <= max_cells:
        return shortened(name, max_cells)
    num_cells = max_cells - cell_len(own) - 1
    return shortened(own, max_cells) if num_cells < 1 else shortened(run[::-1], num_cells)[::-1] + slash + own

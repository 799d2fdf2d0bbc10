"""`CheckpointDetail`: error, sample and metadata of the checkpoint under the cursor. Never reads a file.

`CheckpointTable`: groups of checkpoints under headings; renders only the lines in view. Never reads a file.

Textual's `DataTable` takes 150 ms to rebuild 500 rows.

The list of checkpoints: a table that fills as the files are read, sorted and filtered, and one of them in detail.

Files are read on other threads. The actions on a checkpoint are in `checkpoint_browser`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, ScrollableContainer
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Static

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.management import sample_of
from engine.protocol.commands import LoadCheckpoint
from engine.protocol.events import TweetSampled
from engine.text import ELLIPSIS, sanitize_line
from tui.dialogs.base import Dialog
from tui.process.threads import on_own_thread
from tui.run.connection import to_tweetgen_error
from tui.run.new_run import Branch
from tui.run.view import RunView
from tui.settings.key_table import keys_of
from tui.terminal.app import loss_unit_of
from tui.text.cells import shortened
from tui.text.checkpoints import (
    ORDERS,
    UNTRAINED,
    CheckpointGroup,
    Order,
    cells_of,
    detail_lines,
    evaluated_at,
    grouped,
    is_untrained,
)
from tui.text.numbers import LossUnit, unit_label
from tui.widgets.feed.columns import PIN_GLYPH
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_input import LineInput


class CheckpointDetail(ScrollableContainer):
    """Error first, so that it is visible on the smallest terminal."""

    DEFAULT_CSS = """
    CheckpointDetail {
        height: 9;
        overflow: hidden auto;
        border-top: solid $border-blurred;
        background: $surface;
        scrollbar-size-vertical: 1;
        #problem { color: $text-error; }
        #sample { color: $foreground; }
        #facts { color: $text-muted; }
        Static { height: auto; }
    }
    """

    def compose(self) -> ComposeResult:
        """Lay out the parts, empty."""
        for name in ("problem", "sample", "facts"):
            yield Static(markup=False, id=name)

    def show(self, problem: str, facts: list[str]) -> None:
        """Show error and metadata; the sample follows when it has been generated."""
        self._set_text("problem", sanitize_line(problem))
        self._set_text("facts", "\n".join(sanitize_line(line) for line in facts))
        self.scroll_home(animate=False)

    def show_sample(self, tweet: TweetSampled | None) -> None:
        """Show a tweet of the model, if there is one."""
        end = ELLIPSIS if tweet is not None and not tweet.reached_eos else ""
        self._set_text("sample", "" if tweet is None else f"“{sanitize_line(tweet.text)}{end}” (step {tweet.step:,})")

    def _set_text(self, name: str, text: str) -> None:
        """Set the text of a part; an empty one takes no line."""
        line = self.query_one(f"#{name}", Static)
        line.update(Content(text))
        line.display = bool(text)


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


ListCheckpoints = Callable[[], Iterable[CheckpointEntry]]
"""Lists checkpoints; may read each file only when the iterator reaches it. Called on a thread."""
_BATCH_SECONDS = 0.15
"""How often the table is updated while files are read."""


class CheckpointList(Dialog[LoadCheckpoint | Branch]):
    """Show the saved checkpoints, over a run."""

    HELP = "In the list of checkpoints"
    KEYS_LINE = ""
    AUTO_FOCUS = "CheckpointTable"
    DEFAULT_CSS = """
    CheckpointList {
        #filter { display: none; }
        #filter.-open { display: block; }
        #parts { height: 1fr; }
        #notice { height: auto; max-height: 3; color: $text-accent; display: none; }
        KeyBar { background: $surface; }
        &.-wide #parts { layout: horizontal; }
        &.-wide CheckpointTable { width: 1fr; }
        &.-wide CheckpointDetail { width: 40%; max-width: 46; height: 1fr; padding-left: 1; }
        &.-wide CheckpointDetail { border-top: none; border-left: solid $border-blurred; }
        &.-low CheckpointDetail { height: 6; }
        &.-tiny CheckpointDetail { height: 5; }
    }
    """

    def __init__(self, list_checkpoints: ListCheckpoints, view_now: Callable[[], RunView]) -> None:
        """List what `list_checkpoints` yields, over the run that `view_now` returns."""
        super().__init__("Checkpoints")
        self._list_checkpoints = list_checkpoints
        self._view_now = view_now
        self._entries: dict[str, CheckpointEntry] = {}
        self._is_reading = True
        self._order: Order = "age"
        self._typed = ""
        self._compared: str | None = None

    def compose_body(self) -> ComposeResult:
        """Lay out filter, table, detail, a line for notices, and the key bar."""
        yield LineInput(placeholder="filter by name, run or corpus", id="filter")
        with Container(id="parts"):
            yield CheckpointTable()
            yield CheckpointDetail()
        yield Static(markup=False, id="notice")
        yield KeyBar(keys_of("checkpoints"))

    def on_mount(self) -> None:
        """Read the list."""
        self._arrange()
        self.read_list()

    @work(exclusive=True, group="list")
    async def read_list(self) -> None:
        """Read the checkpoints on a thread, a batch at a time."""
        try:
            entries = iter(await on_own_thread(self._list_checkpoints))
            while batch := await on_own_thread(partial(_next_batch, entries)):
                self._entries |= {entry.name: entry for entry in batch}
                self._arrange()
        except Exception as error:  # noqa: BLE001 - whatever a file does, the run continues
            self._notice(to_tweetgen_error(error, "Listing the checkpoints").message)
        else:
            if all(map(is_untrained, self._entries.values())):
                self._notice("No checkpoints yet: s saves one under a name.")
        self._is_reading = False
        self._arrange()

    @property
    def _table(self) -> CheckpointTable:
        return self.query_one(CheckpointTable)

    def _arrange(self, cursor_on: str | None = None) -> None:
        """Show the entries that pass the filter, sorted; move the cursor to `cursor_on`, if given."""
        groups = grouped(self._entries.values(), self._run_name, self._order, self._typed)
        entries = [entry for group in groups for entry in group.entries]
        unusable = frozenset(entry.name for entry in entries if self._why_not_loaded(entry))
        self._table.show(
            groups,
            self._order,
            loss_unit_of(self),
            compared=self._compared,
            unusable=unusable,
            cursor_on=cursor_on,
        )
        box = self.query_one("#box")
        count = f"{len(entries):,} of {len(self._entries):,}" if self._typed else f"{len(entries):,}"
        reading = ", reading…" if self._is_reading else ""
        box.border_title = Content(f"Checkpoints · {count} by {self._order}{reading}")
        num_hidden = 0 if self._typed.split() else sum(map(is_untrained, self._entries.values()))
        box.border_subtitle = Content(f"/{UNTRAINED} shows {num_hidden:,} of step 0" if num_hidden else "")

    @on(CheckpointTable.Moved)
    def _show_detail(self, event: CheckpointTable.Moved) -> None:
        """Show the checkpoint under the cursor in detail."""
        self._notice("No checkpoint matches." if event.entry is None and self._typed else "")
        detail = self.query_one(CheckpointDetail)
        self.workers.cancel_group(self, "sample")
        if event.entry is None:
            detail.show("", [])
            detail.show_sample(None)
        else:
            detail.show(self._why_not_loaded(event.entry), detail_lines(event.entry, loss_unit_of(self)))
            self._find_sample(event.entry)

    @work(exclusive=True, group="sample")
    async def _find_sample(self, entry: CheckpointEntry) -> None:
        """Show a tweet sampled from the checkpoint's model."""
        tweet = await on_own_thread(partial(sample_of, entry))
        self.query_one(CheckpointDetail).show_sample(tweet)

    def _notice(self, text: str) -> None:
        """Show a notice; hide its line if `text` is empty."""
        line = self.query_one("#notice", Static)
        line.update(Content(sanitize_line(text)))
        line.display = bool(text)

    def _why_not_loaded(self, entry: CheckpointEntry) -> str:
        """Return why a checkpoint can't be loaded into this run; empty where no reason is known."""
        if entry.problem:
            return entry.problem
        own = self._entries.get(f"{self._run_name}/latest")
        if entry.info is None or own is None or own.info is None or entry.info.vocab == own.info.vocab:
            return ""
        return (
            f"Its vocabulary differs from this run's ({len(entry.info.vocab)} characters, not {len(own.info.vocab)})."
        )

    @property
    def _run_name(self) -> str | None:
        started = self._view_now().started
        return started.run if started else None

    def action_checkpoint_sort(self, step: int) -> None:
        """Sort by the next (1) or previous (-1) column."""
        self._order = ORDERS[(ORDERS.index(self._order) + step) % len(ORDERS)]
        self._arrange()

    def action_checkpoint_filter(self) -> None:
        """Open the filter."""
        line = self.query_one("#filter", Input)
        line.add_class("-open")
        self.set_focus(line)  # at once: `focus` would let the next keys act on the table

    @on(Input.Changed, "#filter")
    def _filter(self, event: Input.Changed) -> None:
        self._typed = event.value
        self._arrange()

    @on(Input.Submitted, "#filter")
    def _leave_filter(self) -> None:
        self._table.focus()

    def action_close(self) -> None:
        """Close the filter, or else the dialog without an answer."""
        line = self.query_one("#filter", Input)
        if line.has_class("-open"):
            line.remove_class("-open")
            line.value = ""
            self._table.focus()
        else:
            self.dismiss(None)


def _next_batch(entries: Iterator[CheckpointEntry]) -> list[CheckpointEntry]:
    """Return the entries read in `_BATCH_SECONDS`, at least one; none at the end."""
    batch = []
    end = time.monotonic() + _BATCH_SECONDS
    for entry in entries:
        batch.append(entry)
        if time.monotonic() >= end:
            break
    return batch

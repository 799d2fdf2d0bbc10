"""`CheckpointList`: saved checkpoints in groups, filtered and sorted, and the one under the cursor in detail.

Files are read on other threads, a batch at a time. What can be done with a checkpoint is in `checkpoints`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual import getters, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.css.styles import RulesMap
from textual.geometry import Region
from textual.reactive import reactive
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import Worker

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.management import sample_of
from engine.errors import TweetgenError
from engine.protocol.events import TweetSampled
from engine.text import ELLIPSIS, sanitize_line
from tui.process.threads import on_own_thread
from tui.run.model import RunModel
from tui.terminal.app import TerminalApp
from tui.text.cells import shortened
from tui.text.checkpoints import (
    ORDERS,
    UNTRAINED,
    Order,
    detail_lines,
    grouped,
    is_untrained,
    rows_of,
)
from tui.text.numbers import unit_label
from tui.widgets.feed.columns import PIN_GLYPH

ListCheckpoints = Callable[[], Iterable[CheckpointEntry]]
"""Lists checkpoints; may read each file only when the iterator reaches it. Called on a thread."""
_BATCH_SECONDS = 0.15
"""How often the list is updated while files are read."""
_ARROWS: dict[Order, str] = {"name": "▲", "step": "▼", "loss": "▲", "size": "▼", "age": "▲"}
"""At the sorted column: whether its values rise or fall from top to bottom."""
_MIN_NAME_WIDTH = 16
_MARKS_WIDTH = 2
PINNED, COMPARED = PIN_GLYPH, "="


class FittedLine(Visual):
    """A line whose text is made for the width that there is, when it comes into view."""

    def __init__(self, text_of: Callable[[int], str], style: str = "") -> None:
        self._text_of, self._style = text_of, style

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        """Return the line in one strip."""
        return Content.styled(self._text_of(width), self._style).render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return all of the width."""
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return one line."""
        return 1


class CheckpointTable(OptionList, inherit_bindings=False):
    """Options of one line each; those without an id are headings, which the cursor skips. A click selects."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move_page(-1)", show=False),
        Binding("pagedown", "move_page(1)", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
    ]

    def show(self, options: Sequence[Option], cursor_on: str) -> None:
        """Replace the options; move the cursor to the id `cursor_on`, or else leave it on its id or its row."""
        top, row, before = self.scroll_offset.y, self._row, self.highlighted_option
        self.set_options(options)
        self.scroll_to(y=top, animate=False, force=True, immediate=True)
        name = cursor_on or (before.id if before is not None else "")
        ids = [self.options[index].id for index in self._rows]
        self.move_to(ids.index(name) if name in ids else row)

    @property
    def _rows(self) -> list[int]:
        return [index for index, option in enumerate(self.options) if option.id is not None]

    @property
    def _row(self) -> int:
        return 0 if self.highlighted is None else self._rows.index(self.highlighted)

    def move_to(self, row: int) -> None:
        """Move the cursor to a row, clamped to the list; headings are no rows."""
        rows = self._rows
        self.highlighted = rows[max(0, min(row, len(rows) - 1))] if rows else None

    def action_move(self, num_rows: int) -> None:
        """Move the cursor by rows; unlike Textual's actions, not from one end to the other."""
        self.move_to(self._row + num_rows)

    def action_move_page(self, direction: int) -> None:
        """Move the cursor by a page."""
        self.action_move(direction * max(self.size.height - 1, 1))

    def scroll_to_highlight(self, top: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - Textual's signature
        """Scroll as little as necessary to show the cursor, and the heading above the first row of a group."""
        if self.highlighted is not None:
            above = int(self.options[self.highlighted - 1].id is None and self.size.height > 1)
            region = Region(0, self.highlighted - above, self.size.width, 1 + above)
            self.scroll_to_region(region, animate=False, force=True, immediate=True)

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self.scroll_to_highlight()


class CheckpointList(Vertical):
    """Show the saved checkpoints over a run; the keys are those of the dialog around it."""

    app = getters.app(TerminalApp)
    titles: reactive[tuple[str, str]] = reactive(("", ""))
    """What the frame around the list shows above and below it."""

    def __init__(self, list_checkpoints: ListCheckpoints, run: RunModel) -> None:
        super().__init__()
        self.entries: dict[str, CheckpointEntry] = {}
        self.order: Order = "age"
        self.typed = ""
        """The words of the filter."""
        self.compared = ""
        """The name of the first checkpoint of a comparison."""
        self._list_checkpoints = list_checkpoints
        self._run = run
        self._is_reading = True
        self._detailed: CheckpointEntry | None = None

    def compose(self) -> ComposeResult:
        """Lay out the list, the detail, and a line for notices."""
        with Container(id="parts"):
            with Vertical(id="table"):
                yield Static(id="columns")
                yield CheckpointTable()
            with VerticalScroll(id="detail"):
                yield Static()
        yield Static(markup=False, id="notice")

    def on_mount(self) -> None:
        """Read the list."""
        self.watch(self._table, "show_vertical_scrollbar", self._draw_columns)
        self.show_entries()
        self._work("list", self._read)

    def _draw_columns(self) -> None:
        self.query_one("#columns").refresh()

    def _work(self, group: str, function: Callable[[], Coroutine[None, None, None]]) -> None:
        """Begin work of the dialog: Textual (8.2) would cancel that of this widget after removing what is in it."""
        _: Worker[None] = self.screen.run_worker(function, group=group, exclusive=True)

    async def _read(self) -> None:
        """Read the checkpoints on a thread, a batch at a time."""
        doing = "Listing the checkpoints"
        try:
            entries = iter(await on_own_thread(self._list_checkpoints, doing=doing))
            while batch := await on_own_thread(partial(_next_batch, entries), doing=doing):
                self.entries |= {entry.name: entry for entry in batch}
                self.show_entries()
        except TweetgenError as error:
            self.show_notice(error.message)
        else:
            if all(map(is_untrained, self.entries.values())):
                self.show_notice("No checkpoints yet: s saves one under a name.")
        self._is_reading = False
        self.show_entries()

    @property
    def _table(self) -> CheckpointTable:
        return self.query_one(CheckpointTable)

    @property
    def current(self) -> CheckpointEntry | None:
        """The checkpoint under the cursor."""
        option = self._table.highlighted_option
        return None if option is None else self.entries.get(option.id or "")

    def replace(self, entry: CheckpointEntry, changed: CheckpointEntry | None) -> None:
        """Show `changed` in place of an entry, under the cursor; None where its file is deleted."""
        del self.entries[entry.name]
        name = "" if changed is None else changed.name
        if changed is not None:
            self.entries[name] = changed
        if self.compared == entry.name:
            self.compared = name
        self.show_entries(name)

    def why_not_loaded(self, entry: CheckpointEntry) -> str:
        """Return why a checkpoint can't be loaded into this run; empty where no reason is known."""
        own = self.entries.get(f"{self._run.name}/latest")
        if entry.problem or entry.info is None or own is None or own.info is None or entry.info.vocab == own.info.vocab:
            return entry.problem
        sizes = f"{len(entry.info.vocab)} characters, not {len(own.info.vocab)}"
        return f"Its vocabulary differs from this run's ({sizes})."

    def show_notice(self, text: str) -> None:
        """Show a line below the list; none if `text` is empty."""
        line = self.query_one("#notice", Static)
        line.update(Content(sanitize_line(text)))
        line.display = bool(text)

    def show_entries(self, cursor_on: str = "") -> None:
        """Show the entries that pass the filter, sorted; move the cursor to `cursor_on`, if given."""
        unit, now = self.app.loss_unit, time.time()
        groups = grouped(self.entries.values(), self._run.name, self.order, self.typed)
        entries = [entry for group in groups.values() for entry in group]
        rows = rows_of(entries, self._run.name, now, unit)
        headings = []
        for column in ORDERS:
            arrow = _ARROWS[column] if column == self.order else " "
            title = unit_label(unit) if column == "loss" else column
            headings.append(f"{title} {arrow}" if column == "name" else f"{arrow} {title}")
        widths = [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)][1:]
        options: list[Option] = []
        coming = iter(rows)
        for heading, group in groups.items():
            line = FittedLine(partial(_heading, heading, len(group)), "bold $text-primary")
            options.append(Option(line, disabled=True))
            for entry, cells in zip(group, coming, strict=False):
                marks = (PINNED if entry.is_pinned else "") + (COMPARED if entry.name == self.compared else "")
                style = "$text-muted" if self.why_not_loaded(entry) else ""
                options.append(Option(FittedLine(partial(_row, marks, cells, widths), style), id=entry.name))
        self._table.show(options, cursor_on)
        columns = FittedLine(lambda _: _row("", headings, widths, self._table.scrollable_content_region.width), "bold")
        self.query_one("#columns", Static).update(columns)
        count = f"{len(entries):,} of {len(self.entries):,}" if self.typed else f"{len(entries):,}"
        num_hidden = 0 if self.typed.split() else sum(map(is_untrained, self.entries.values()))
        self.titles = (
            f"Checkpoints · {count} by {self.order}{', reading…' if self._is_reading else ''}",
            f"/{UNTRAINED} shows {num_hidden:,} of step 0" if num_hidden else "",
        )
        self._show_current()

    @on(OptionList.OptionHighlighted)
    def _show_current(self) -> None:
        """Show the checkpoint under the cursor in detail, if it is another one or has changed."""
        entry = self.current
        if entry == self._detailed:
            return
        self._detailed = entry
        self.show_notice("No checkpoint matches." if entry is None and self.typed else "")
        self.workers.cancel_group(self.screen, "sample")
        self._show_detail()
        self.query_one("#detail").scroll_home(animate=False)
        if entry is not None:
            self._work("sample", partial(self._find_sample, entry))

    async def _find_sample(self, entry: CheckpointEntry) -> None:
        """Show a tweet sampled from the checkpoint's model."""
        self._show_detail(await on_own_thread(partial(sample_of, entry)))

    def _show_detail(self, sample: TweetSampled | None = None) -> None:
        """Show what is wrong first, so that it is visible on the smallest terminal; then a tweet, then metadata."""
        parts, entry = [], self._detailed
        if entry is not None and (problem := self.why_not_loaded(entry)):
            parts.append(Content.styled(sanitize_line(problem), "$text-error"))
        if sample is not None:
            end = "" if sample.reached_eos else ELLIPSIS
            parts.append(Content(f"“{sanitize_line(sample.text)}{end}” (step {sample.step:,})"))
        if entry is not None:
            lines = map(sanitize_line, detail_lines(entry, self.app.loss_unit))
            parts.append(Content.styled("\n".join(lines), "$text-muted"))
        self.query_one("#detail Static", Static).update(Content("\n").join(parts))


def _heading(heading: str, num_entries: int, width: int) -> str:
    """Return the heading of a group and its number of entries."""
    count = f" · {num_entries:,}"
    return shortened(sanitize_line(heading), width - len(count)) + count


def _row(marks: str, cells: Sequence[str], widths: Sequence[int], width: int) -> str:
    """Return cells in columns of these widths, the name in what they leave, without the columns that don't fit."""
    spare, shown = width - _MARKS_WIDTH - widths[0] - 1, list(zip(cells[1:2], widths, strict=False))
    for cell, size in zip(cells[2:], widths[1:], strict=True):
        if spare - size - 1 < _MIN_NAME_WIDTH:
            break
        spare -= size + 1
        shown.append((cell, size))
    name = _shortened_name(cells[0], spare)
    columns = "".join(f" {cell:>{size}}" for cell, size in shown)
    return f"{marks:<{_MARKS_WIDTH}}{name}{' ' * (spare - cell_len(name))}{columns}"


def _shortened_name(name: str, max_cells: int) -> str:
    """Return a name truncated to `max_cells`: of run and own name, the run's start is cut first."""
    run, slash, own = name.rpartition("/")
    if not slash or cell_len(name) <= max_cells:
        return shortened(name, max_cells)
    num_cells = max_cells - cell_len(own) - 1
    return shortened(own, max_cells) if num_cells < 1 else shortened(run[::-1], num_cells)[::-1] + slash + own


def _next_batch(entries: Iterator[CheckpointEntry]) -> list[CheckpointEntry]:
    """Return the entries read in `_BATCH_SECONDS`, at least one; none at the end."""
    batch, end = [], time.monotonic() + _BATCH_SECONDS
    for entry in entries:
        batch.append(entry)
        if time.monotonic() >= end:
            break
    return batch

"""How saved checkpoints are shown: many as `CheckpointTable`, in columns that fit the width; two as `CompareDialog`.

What can be done with a checkpoint is in `checkpoints`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from textual import getters, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.css.styles import RulesMap
from textual.geometry import Region
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.management import sample_of
from engine.text import ELLIPSIS, sanitize_line
from tui.dialogs.base import Dialog
from tui.process.threads import on_own_thread
from tui.terminal.app import TerminalApp
from tui.text.cells import cell_len, shortened
from tui.text.checkpoints import ORDERS, ComparedField, Order, comparison, rows_of
from tui.text.numbers import unit_label
from tui.widgets.feed.columns import PIN_GLYPH

_ARROWS: dict[Order, str] = {"name": "▲", "step": "▼", "loss": "▲", "size": "▼", "age": "▲"}
"""Sign at the sorted column: whether its values rise or fall from top to bottom."""
_MIN_NAME_WIDTH = 16
_MARKS_WIDTH = 2


class FittedLine(Visual):
    """A line whose text is made for the width that there is, when it comes into view."""

    def __init__(self, text_of: Callable[[int], str], style: str = "") -> None:
        self._text_of, self._style = text_of, style

    def render_strips(self, width: int, height: int | None, style: Style, options: RenderOptions) -> list[Strip]:
        line = Content.styled(self._text_of(width), self._style)
        return line.render_strips(width, height, style, options)

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:  # noqa: ARG002 - Textual's signature
        return container_width

    def get_height(self, rules: RulesMap, width: int) -> int:  # noqa: ARG002 - Textual's signature
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
    app = getters.app(TerminalApp)
    titles: FittedLine
    """The titles of the columns that were last shown, as wide as this list without its scroll bar."""

    def show(
        self,
        groups: Mapping[str, Sequence[CheckpointEntry]],
        run: str,
        order: Order,
        cursor_on: str,
        compared: str,
        is_refused: Callable[[CheckpointEntry], object],
    ) -> None:
        """Show groups by heading, seen from `run`; an equals sign at `compared`, and in italics where `is_refused`.

        `order` is that of the entries. The cursor moves to the id `cursor_on`, or else it stays on its id or its row.
        """
        unit = self.app.loss_unit
        rows = rows_of([entry for group in groups.values() for entry in group], run, time.time(), unit)
        titles = []
        for column in ORDERS:
            arrow = _ARROWS[column] if column == order else " "
            title = unit_label(unit) if column == "loss" else column
            titles.append(f"{title} {arrow}" if column == "name" else f"{arrow} {title}")
        widths = [max(map(cell_len, column)) for column in zip(titles, *rows, strict=True)][1:]
        options: list[Option] = []
        coming = iter(rows)
        for heading, group in groups.items():
            line = FittedLine(partial(_heading, heading, len(group)), "bold $text-primary")
            options.append(Option(line, disabled=True))
            for entry in group:
                marks = (PIN_GLYPH if entry.is_pinned else "") + ("=" if entry.name == compared else "")
                style = "italic" if is_refused(entry) else ""
                line = FittedLine(partial(_row, marks, next(coming), widths), style)
                options.append(Option(line, id=entry.name))
        self._replace(options, cursor_on)
        self.titles = FittedLine(lambda _: _row("", titles, widths, self.scrollable_content_region.width), "bold")

    def _replace(self, options: Sequence[Option], cursor_on: str) -> None:
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

    def on_resize(self) -> None:
        self.scroll_to_highlight()

    def scroll_to_highlight(self, top: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - Textual's signature
        """Scroll as little as necessary to show the cursor, and the heading above the first row of a group."""
        if self.highlighted is not None:
            above = int(self.options[self.highlighted - 1].id is None and self.size.height > 1)
            region = Region(0, self.highlighted - above, self.size.width, 1 + above)
            self.scroll_to_region(region, animate=False, force=True, immediate=True)


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


class CompareDialog(Dialog[None]):
    """Show the metadata of two checkpoints, which both have, and a tweet of each; differences are highlighted."""

    def __init__(self, left: CheckpointEntry, right: CheckpointEntry) -> None:
        super().__init__("Compare checkpoints")
        self._entries = (left, right)

    def compose_body(self) -> ComposeResult:
        left, right = self._entries
        pairs = comparison(left.info, right.info, self.app.loss_unit) if left.info and right.info else []
        with VerticalScroll():
            yield _field(ComparedField("", left.name, right.name), "heading")
            for pair in pairs:
                yield _field(pair, "differs" if pair.differs else "")
            yield _field(ComparedField("a tweet", ELLIPSIS, ELLIPSIS), "samples")

    def on_mount(self) -> None:
        """Find a tweet of each; name the keys that scroll while there is something to scroll."""
        self._find_samples()
        self.watch(self.query_one(VerticalScroll), "show_vertical_scrollbar", self._show_keys)

    def _show_keys(self, can_scroll: bool) -> None:  # noqa: FBT001 - a watcher's signature
        self.query_one("#box").border_subtitle = f"{'↑ ↓ scroll · ' if can_scroll else ''}{self.KEYS_LINE}"

    @work
    async def _find_samples(self) -> None:
        row, texts = self.query_one(".samples"), []
        for entry, value in zip(self._entries, row.query(".value").results(Static), strict=True):
            tweet = await on_own_thread(partial(sample_of, entry))
            texts.append(sanitize_line(tweet.text) if tweet else "–")
            value.update(texts[-1])
        row.set_class(len(set(texts)) > 1, "differs")


def _field(pair: ComparedField, classes: str) -> Horizontal:
    return Horizontal(
        Static(pair.name, markup=False, classes="name"),
        *(Static(sanitize_line(value), markup=False, classes="value") for value in (pair.left, pair.right)),
        classes=f"row {classes}",
    )

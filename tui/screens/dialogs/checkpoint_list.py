"""The list of checkpoints: a table that fills as the files are read, sorted and filtered, and one of them in detail.

Files are read on other threads. The actions on a checkpoint are in `checkpoint_browser`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.widgets import Input, Static

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.management import sample_of
from engine.protocol.commands import LoadCheckpoint
from engine.text import sanitize_line
from tui.formatting.checkpoint_facts import detail_lines
from tui.formatting.checkpoint_rows import ORDERS, UNTRAINED, Order, grouped, is_untrained
from tui.process.threads import on_own_thread
from tui.run.branching import Branch
from tui.run.error_report import to_tweetgen_error
from tui.run.view import RunView
from tui.screens.dialogs.base import Dialog
from tui.settings.keys.checkpoints import BROWSER_KEYS
from tui.widgets.checkpoints.detail import CheckpointDetail
from tui.widgets.checkpoints.table import CheckpointTable
from tui.widgets.input.line_input import LineInput
from tui.widgets.key_bar import KeyBar
from tui.widgets.terminal_info import loss_unit_of

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
        yield KeyBar(BROWSER_KEYS)

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

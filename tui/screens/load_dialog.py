"""List the saved checkpoints and choose the one to go on from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.widgets import DataTable, Static

from engine.checkpoint_list import CheckpointEntry
from engine.checkpoint_list import list_checkpoints as list_checkpoints_on_disk
from engine.commands import LoadCheckpoint
from engine.errors import TweetgenError
from engine.text import harmless
from tui.screens.dialog import Dialog

ListCheckpoints = Callable[[], list[CheckpointEntry]]
_HEADINGS = ("name", "step", "bits/char", "saved", "size")


class LoadDialog(Dialog[LoadCheckpoint]):
    """Answer with the command that loads the checkpoint chosen. The files are read on another thread."""

    KEYS_LINE = "enter load · esc close"

    def __init__(self, list_checkpoints: ListCheckpoints = list_checkpoints_on_disk) -> None:
        """List what `list_checkpoints` returns."""
        super().__init__("Checkpoints")
        self._list_checkpoints = list_checkpoints
        self._entries: list[CheckpointEntry] = []

    def compose_body(self) -> ComposeResult:
        """Show a table, and a line for what it can't hold."""
        table: DataTable[Text] = DataTable(cursor_type="row", zebra_stripes=False)
        table.add_columns(*_HEADINGS)
        yield table
        yield Static("reading the checkpoints…", markup=False, id="advice")

    def on_mount(self) -> None:
        """Read the list."""
        self.read_list()

    @work
    async def read_list(self) -> None:
        """Read the list on a thread and show it."""
        try:
            self._entries = await asyncio.to_thread(self._list_checkpoints)
        except (TweetgenError, OSError) as error:
            self._advise(harmless(str(error)))
            return
        table = self.query_one(DataTable)
        for entry in self._entries:
            table.add_row(*_cells(entry))
        if self._entries:
            self._advise(harmless(self._entries[0].problem))
        else:
            self._advise("Nothing is saved yet: s saves a checkpoint under a name.")

    @on(DataTable.RowHighlighted)
    def _tell_problem(self, event: DataTable.RowHighlighted) -> None:
        """Say what is wrong with the file under the cursor."""
        self._advise(harmless(self._entries[event.cursor_row].problem))

    @on(DataTable.RowSelected)
    def _answer(self, event: DataTable.RowSelected) -> None:
        """Answer, unless the file is damaged."""
        entry = self._entries[event.cursor_row]
        if entry.problem:
            self._advise(harmless(f"It can't be loaded: {entry.problem}"))
        else:
            self.dismiss(LoadCheckpoint(name=entry.name))

    def _advise(self, advice: str) -> None:
        """Show a sentence under the table."""
        self.query_one("#advice", Static).update(advice)


def _cells(entry: CheckpointEntry) -> list[Text]:
    """Return a row of the table, as plain text."""
    saved_at = datetime.fromtimestamp(entry.saved_at).astimezone().strftime("%d %b %H:%M")
    step = "damaged" if entry.problem else "–" if entry.step is None else f"{entry.step:,}"
    bits = "–" if entry.bits_per_char is None else f"{entry.bits_per_char:.2f}"
    return [Text(cell) for cell in (harmless(entry.name, 32), step, bits, saved_at, _shown_size(entry.num_bytes))]


def _shown_size(num_bytes: int) -> str:
    """Return a size as people read it."""
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e5 else f"{num_bytes / 1e3:.1f} kB"

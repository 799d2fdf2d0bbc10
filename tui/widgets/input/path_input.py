"""`PathInput`: an input line for a path, typed or dropped. Never checks what is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Paste
from textual.message import Message

from tui.files.dropped_path import dropped_path
from tui.formatting.numbers import pasted_line
from tui.widgets.input.line_input import LineInput


class PathInput(LineInput):
    """A path dropped into the terminal replaces the typed text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.move('cursor_up')", "up", show=False),
        Binding("down", "screen.move('cursor_down')", "down", show=False),
        Binding("pageup", "screen.move('page_up')", "page up", show=False),
        Binding("pagedown", "screen.move('page_down')", "page down", show=False),
        Binding("tab", "screen.complete", "complete", show=False),
    ]

    @dataclass
    class Dropped(Message):
        """A path was dropped."""

        path: Path

    def on_paste(self, event: Paste) -> None:
        """Post `Dropped` for an absolute path; insert any other text."""
        path = dropped_path(event.text)
        if path is not None and path.is_absolute():
            event.stop()
            event.prevent_default()
            self.post_message(self.Dropped(path))
        else:
            event.text = pasted_line(event.text)

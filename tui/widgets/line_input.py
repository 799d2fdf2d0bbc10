"""The input lines of dialogs: `LineInput`, whose keys act in the order typed, and `PathInput`, for a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key, Paste
from textual.message import Message
from textual.widgets import Input

from engine.text import sanitize
from tui.text.typed import dropped_path

_MAX_PASTED_CHARS = 4096
"""The longest path; longer pastes are cut."""


class LineInput(Input):
    """An `Input` in which an editing key acts before the characters typed after it."""

    async def on_key(self, event: Key) -> None:
        """Run the key's binding immediately, here or in a parent.

        Textual (8.2) inserts characters at once but sends other keys up to the app and back: `a`, backspace, `b` typed
        quickly would leave nothing.
        """
        bound = None if event.is_printable else self.screen.active_bindings.get(event.key)
        if bound is not None and await self.app.run_action(bound.binding.action, bound.node):
            event.stop()
            event.prevent_default()

    def on_paste(self, event: Paste) -> None:
        """Insert the first line without control characters, which Textual (8.2) would show."""
        event.text = sanitize((event.text[:_MAX_PASTED_CHARS].splitlines() or [""])[0])


class PathInput(LineInput):
    """A `LineInput` for a path, which one dropped into the terminal replaces. Never checks what is there."""

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
        """Post `Dropped` for an absolute path; any other text is inserted."""
        path = dropped_path(event.text)
        if path is not None and path.is_absolute():
            event.stop()
            event.prevent_default()
            self.post_message(self.Dropped(path))

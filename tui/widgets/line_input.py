"""Lines to type in: `LineInput`, whose keys act as typed; `PathInput`, for a path; `PromptInput`, which completes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.events import Key, Paste
from textual.geometry import Offset, Region
from textual.message import Message
from textual.suggester import SuggestionReady
from textual.widgets import Input

from engine.text import sanitize
from tui.text.typed import dropped_path

_COMPLETION_CELLS = 24
"""Reserved for the completion of a prompt if the line is longer than the screen is wide."""
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


class PromptInput(LineInput):
    """A line that the model completes: the completion stands behind it as a suggestion, accepted in parts."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+x", "xray", show=False)]  # in place of Textual's "cut"

    class TooLong(Message):
        """The typed or pasted text exceeds the maximum length."""

    @dataclass
    class XrayRequested(Message):
        """The X-ray of the line is to be opened."""

        text: str

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.completion = ""

    @property
    def content_width(self) -> int:
        """Width of the line and the start of its completion."""
        return super().content_width + (_COMPLETION_CELLS if self.value else 0)

    def scroll_to_region(self, region: Region, **options: Any) -> Offset:  # noqa: ANN401 - passed on unchanged
        """Keep some of the completion in view too, wherever the cursor is."""
        return super().scroll_to_region(region.grow((0, min(_COMPLETION_CELLS, self.size.width // 3), 0, 0)), **options)

    def show_completion(self, completion: str) -> None:
        self.completion = self.placeholder = completion
        self.post_message(SuggestionReady(self.value, self.value + completion))

    def action_accept_word(self) -> None:
        """Append the first word of the completion to the line, with the blanks before it."""
        num_blanks = len(self.completion) - len(self.completion.lstrip())
        word, _, _ = self.completion[num_blanks:].partition(" ")
        self.insert(self.completion[: num_blanks + len(word)], len(self.value))

    def action_accept_char(self) -> None:
        self.insert(self.completion[:1], len(self.value))

    def action_cursor_right(self, select: bool = False) -> None:  # noqa: FBT001, FBT002 - Textual's signature
        """Move right, or accept a character of the completion at the end of the line."""
        if self.cursor_at_end and self.completion and not select:
            self.action_accept_char()
        else:
            super().action_cursor_right(select)

    def action_xray(self) -> None:
        self.post_message(self.XrayRequested(self.value))

    def restricted(self) -> None:
        """Post `TooLong`. Called by Textual when input is restricted."""
        self.post_message(self.TooLong())

"""`TweetText`: a tweet in surprise colours, with a cursor over its characters and its end.

The cursor is an index of code points, as in the model's input; highlighted is the whole grapheme (an emoji sequence, a
letter with its marks) that contains the code point.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import var

from engine.text import ELLIPSIS
from tui.text.cells import Line, Span, cell_len, safe_chars, split_graphemes, wrap
from tui.widgets.feed.columns import NUM_STEPS, STEP_BITS
from tui.widgets.line_view import LineView

_END_GLYPH = "■"
_WITHOUT_BITS = 2
"""The step of surprise in whose colour characters are that have no bits."""
_MOVES = {"left": -1, "right": 1, "home": -100_000, "end": 100_000}


class TweetText(LineView, can_focus=True):
    """Shows a text with a cursor; posts `Moved`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"move({num_chars})", show=False) for key, num_chars in _MOVES.items()),
        Binding("up", "move_line(-1)", show=False),
        Binding("down", "move_line(1)", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"line--{name}" for name in ("cursor", "prompt", *(f"surprise-{step}" for step in range(NUM_STEPS)))
    }

    cursor: var[int] = var(0)
    """Index of the character at the cursor; the length of the text is its end."""
    is_coloured: var[bool] = var(default=True)
    """Whether the characters are in the colours of their surprise."""

    class Moved(Message):
        """The cursor moved to another character."""

    def __init__(self, text: str, *, has_ended: bool, num_prompt_chars: int = 0) -> None:
        """Show `text`; `has_ended`: the model generated the end; its first characters were the prompt."""
        super().__init__()
        self._text = text
        self._shown = safe_chars(text) + (_END_GLYPH if has_ended else ELLIPSIS)
        self._num_given = num_prompt_chars
        self._bits: tuple[float, ...] = ()

    def show_bits(self, bits: Sequence[float]) -> None:
        """Colour each character, and the end, by its bits."""
        self._bits = tuple(bits)
        self.redraw()

    def validate_cursor(self, cursor: int) -> int:
        return min(max(cursor, 0), len(self._text))

    def watch_cursor(self) -> None:
        self.redraw()
        self.post_message(self.Moved())

    watch_is_coloured = LineView.redraw

    def action_move(self, num_chars: int) -> None:
        self.cursor += num_chars

    def action_move_line(self, direction: int) -> None:
        """Move the cursor to the line below (1) or above (-1)."""
        lines = wrap(self._shown, max(1, self.size.width))
        line = sum(start <= self.cursor for start, _ in lines) - 1
        if 0 <= line + direction < len(lines):
            start, end = lines[line + direction]
            self.cursor = min(start + self.cursor - lines[line][0], end)

    @on(events.Click)
    def _move_to_pointer(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        lines = wrap(self._shown, max(1, self.size.width))
        if offset is not None and 0 <= offset.y < len(lines):
            start, end = lines[offset.y]
            covering = (place for place in range(start, end) if cell_len(self._shown[start : place + 1]) > offset.x)
            self.cursor = next(covering, end)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        return len(wrap(self._shown, max(1, width)))

    def lines_for(self, width: int) -> list[Line]:
        return [tuple(self._graphemes(start, end)) for start, end in wrap(self._shown, max(1, width))]

    def _graphemes(self, start: int, end: int) -> Iterator[Span]:
        for first, last, _ in split_graphemes(self._shown[start:end])[0]:
            begin, stop = start + first, start + last
            if begin <= self.cursor < stop:
                name = "cursor"
            elif begin < self._num_given:
                name = "prompt"
            else:
                bits = self._bits[begin:stop] if self.is_coloured else ()
                name = f"surprise-{bisect_right(STEP_BITS, max(bits)) if bits else _WITHOUT_BITS}"
            yield Span(self._shown[begin:stop], name)

"""`TweetText`: a tweet in surprise colours, with a cursor over its characters and its end.

The cursor is an index of code points, as in the model's input; highlighted is the whole grapheme (an emoji sequence, a
letter with its marks) that contains the code point.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, split_graphemes
from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from engine.text import ELLIPSIS
from tui.text.cells import Range, safe_chars, wrap
from tui.widgets.feed.columns import NUM_STEPS, STEP_BITS

_END_GLYPH = "■"


class TweetText(Widget, can_focus=True):
    """Shows a text with a cursor; posts `Moved`."""

    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", show=False),
        Binding("right", "move(1)", show=False),
        Binding("up", "move_line(-1)", show=False),
        Binding("down", "move_line(1)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "tweet-text--cursor",
        "tweet-text--prompt",
        *(f"tweet-text--surprise-{step}" for step in range(NUM_STEPS)),
    }
    DEFAULT_CSS = """
    TweetText {
        height: auto;
        .tweet-text--cursor { background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }
        .tweet-text--prompt { color: $foreground; text-style: italic; }
        .tweet-text--surprise-0 { color: $text-muted; }
        .tweet-text--surprise-1 { color: $foreground 85%; }
        .tweet-text--surprise-2 { color: $foreground; }
        .tweet-text--surprise-3 { color: $text-warning; }
        .tweet-text--surprise-4 { color: $text-error; }
        .tweet-text--surprise-5 { color: $text-error; text-style: bold underline; }
    }
    """

    cursor: reactive[int] = reactive(0)
    """Index of the character at the cursor; the length of the text is its end."""
    is_coloured: reactive[bool] = reactive(default=True)
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
        if tuple(bits) != self._bits:
            self._bits = tuple(bits)
            self.refresh()

    def validate_cursor(self, cursor: int) -> int:
        """Clamp the cursor to the text."""
        return min(max(cursor, 0), len(self._text))

    def watch_cursor(self) -> None:
        """Post `Moved`."""
        self.post_message(self.Moved())

    def action_move(self, step: int) -> None:
        """Move the cursor by characters."""
        self.cursor += step

    def action_move_line(self, step: int) -> None:
        """Move the cursor to the line below (1) or above (-1)."""
        spans = self._spans(self.size.width)
        line = next(number for number, (start, _) in reversed(list(enumerate(spans))) if start <= self.cursor)
        if 0 <= line + step < len(spans):
            start, end = spans[line + step]
            self.cursor = min(start + self.cursor - spans[line][0], end)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the character under the pointer."""
        offset = event.get_content_offset(self)
        spans = self._spans(self.size.width)
        if offset is not None and 0 <= offset.y < len(spans):
            start, end = spans[offset.y]
            while start < end and cell_len(self._shown[spans[offset.y][0] : start + 1]) <= offset.x:
                start += 1
            self.cursor = start

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return how many lines the text takes."""
        return len(self._spans(width))

    def _spans(self, width: int) -> tuple[Range, ...]:
        return wrap(self._shown, max(1, width))

    def render(self) -> Content:
        """Return the wrapped lines."""
        return Content("\n").join(self._line(start, end) for start, end in self._spans(self.size.width))

    def _line(self, start: int, end: int) -> Content:
        """Return a line with its colours."""
        line = Content("")
        for begin, stop, _ in split_graphemes(self._shown[start:end])[0]:
            kind = self._kind(start + begin, start + stop)
            line += Content.styled(
                self._shown[start + begin : start + stop], self.get_visual_style(f"tweet-text--{kind}")
            )
        return line

    def _kind(self, begin: int, end: int) -> str:
        """Return the component class of a grapheme."""
        if begin <= self.cursor < end:
            return "cursor"
        if begin < self._num_given:
            return "prompt"
        bits = self._bits[begin:end] if self.is_coloured else ()
        return f"surprise-{bisect_right(STEP_BITS, max(bits)) if bits else 2}"

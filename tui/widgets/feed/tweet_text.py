"""`TweetText`: a tweet coloured by surprise, with a cursor that goes over its characters and its end.

The cursor is a place in the text by code points, as the model reads it; what is marked is the whole sign on the screen
(an emoji family, a letter with its marks) that the code point belongs to.
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

from engine.text import ELLIPSIS, LOST, harmless_char, is_harmless
from tui.widgets.feed.surprise import NUM_STEPS, STEP_BITS
from tui.widgets.feed.wrapping import Span, wrap

_END_GLYPH = "■"


def harmless_chars(text: str) -> str:
    """Return `text` with a sign in place of each character that is not safe to show: one for one, so places stay."""
    if is_harmless(text):
        return text
    safe = "".join(map(harmless_char, text))
    return safe if is_harmless(safe) else "".join(char if char.isascii() else LOST for char in safe)  # a flood


class TweetText(Widget, can_focus=True):
    """Show a text; tell of each move of the cursor."""

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
        "tweet-text--given",
        *(f"tweet-text--surprise-{step}" for step in range(NUM_STEPS)),
    }
    DEFAULT_CSS = """
    TweetText {
        height: auto;
        .tweet-text--cursor { background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }
        .tweet-text--given { color: $foreground; text-style: italic; }
        .tweet-text--surprise-0 { color: $foreground 45%; }
        .tweet-text--surprise-1 { color: $foreground 70%; }
        .tweet-text--surprise-2 { color: $foreground; }
        .tweet-text--surprise-3 { color: $warning; }
        .tweet-text--surprise-4 { color: $error; }
        .tweet-text--surprise-5 { color: $error; text-style: bold underline; }
    }
    """

    place: reactive[int] = reactive(0)
    """Where the cursor is; the number of characters is the end."""

    class Moved(Message):
        """The cursor is at another character."""

    def __init__(self, text: str, *, has_ended: bool, num_given: int = 0) -> None:
        """Show `text`, which the model ended itself, or not; its first characters were given to it."""
        super().__init__()
        self._text = text
        self._shown = harmless_chars(text) + (_END_GLYPH if has_ended else ELLIPSIS)
        self._num_given = num_given
        self._bits: tuple[float, ...] = ()

    def show_bits(self, bits: Sequence[float]) -> None:
        """Colour each character, and the end, by these bits."""
        if tuple(bits) != self._bits:
            self._bits = tuple(bits)
            self.refresh()

    def validate_place(self, place: int) -> int:
        """Keep the cursor in the text."""
        return min(max(place, 0), len(self._text))

    def watch_place(self) -> None:
        """Tell of the move."""
        self.post_message(self.Moved())

    def action_move(self, step: int) -> None:
        """Move the cursor by characters."""
        self.place += step

    def action_move_line(self, step: int) -> None:
        """Move the cursor to the line below (1) or above (-1)."""
        spans = self._spans(self.size.width)
        line = next(number for number, (start, _) in reversed(list(enumerate(spans))) if start <= self.place)
        if 0 <= line + step < len(spans):
            start, end = spans[line + step]
            self.place = min(start + self.place - spans[line][0], end)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the character under the pointer."""
        offset = event.get_content_offset(self)
        spans = self._spans(self.size.width)
        if offset is not None and 0 <= offset.y < len(spans):
            start, end = spans[offset.y]
            while start < end and cell_len(self._shown[spans[offset.y][0] : start + 1]) <= offset.x:
                start += 1
            self.place = start

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return how many lines the text takes."""
        return len(self._spans(width))

    def _spans(self, width: int) -> tuple[Span, ...]:
        return wrap(self._shown, max(1, width))

    def render(self) -> Content:
        """Return the lines."""
        return Content("\n").join(self._line(start, end) for start, end in self._spans(self.size.width))

    def _line(self, start: int, end: int) -> Content:
        """Return a piece of the text with its colours."""
        line = Content("")
        for begin, stop, _ in split_graphemes(self._shown[start:end])[0]:
            kind = self._kind(start + begin, start + stop)
            line += Content.styled(
                self._shown[start + begin : start + stop], self.get_visual_style(f"tweet-text--{kind}")
            )
        return line

    def _kind(self, begin: int, end: int) -> str:
        """Return what a sign on the screen is painted as."""
        if begin <= self.place < end:
            return "cursor"
        if begin < self._num_given:
            return "given"
        bits = self._bits[begin:end]
        return f"surprise-{bisect_right(STEP_BITS, max(bits)) if bits else 2}"

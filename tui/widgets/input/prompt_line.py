"""`PromptLine`: a line to type at the bottom, which the model goes on with as ghost text while feed and plot live on.

It asks by `Asked` messages and is told the answers; it knows no session. What to ask when is
`tui.widgets.input.completions`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Offset, Region
from textual.message import Message
from textual.suggester import SuggestionReady
from textual.widgets import Input, Static

from engine.config.run import SamplingConfig
from engine.protocol.commands import CompleteText
from engine.protocol.events import TextCompleted
from engine.text import defused, harmless
from tui.run.view import RunView
from tui.settings.keys.key import bindings_of
from tui.settings.keys.tweets import PROMPT_KEYS
from tui.widgets.input.chance_bars import ChanceLine, shown_char
from tui.widgets.input.completions import Completions, first_word
from tui.widgets.input.line_input import LineInput
from tui.widgets.key_bar import KeyBar

_GHOST_CELLS = 24
"""Kept free for the ghost text where the line is longer than the screen is wide."""


class PromptInput(LineInput):
    """An `Input` whose suggestion is the model's, taken a word or a character at a time."""

    class TooLong(Message):
        """What was typed or pasted would make the line too long."""

    def __init__(self) -> None:
        """Begin with an empty line."""
        super().__init__(compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.ghost = ""
        """How the line goes on."""

    @property
    def content_width(self) -> int:
        """The cells of the line, and of the beginning of its ghost."""
        return super().content_width + (_GHOST_CELLS if self.value else 0)

    def scroll_to_region(self, region: Region, **options: Any) -> Offset:  # noqa: ANN401 - handed on as they come
        """Keep some of the ghost in view too, wherever the cursor is scrolled to."""
        return super().scroll_to_region(region.grow((0, min(_GHOST_CELLS, self.size.width // 3), 0, 0)), **options)

    def show_ghost(self, ghost: str) -> None:
        """Show how the line goes on."""
        self.ghost = ghost
        self.placeholder = ghost
        self.post_message(SuggestionReady(self.value, self.value + ghost))

    def restricted(self) -> None:
        """Tell that the line would be too long."""
        self.post_message(self.TooLong())

    def action_cursor_right(self, select: bool = False) -> None:  # noqa: FBT001, FBT002 - Textual's signature
        """Go right, or take a character of the ghost where there is nothing more."""
        if self.cursor_at_end and self.ghost and not select:
            self.accept_ghost(self.ghost[0])
        else:
            super().action_cursor_right(select)

    def accept_ghost(self, piece: str) -> None:
        """Write a piece of the ghost at the end of the line."""
        self.insert(piece, len(self.value))


class PromptLine(Vertical):
    """The line, over it the likeliest next characters, under it what the keys do; hidden until it is opened."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(PROMPT_KEYS)
    DEFAULT_CSS = """
    PromptLine {
        display: none;
        height: 3;
        background: $surface;
        &.-open { display: block; }
        #prompt-row { height: 1; }
        #prompt-sign { width: 2; color: $text-accent; text-style: bold; }
        PromptInput, PromptInput:focus { width: 1fr; background: $surface; background-tint: $surface 0%; }
    }
    .-tiny PromptLine { height: 2; }
    .-tiny PromptLine KeyBar { display: none; }
    """

    @dataclass
    class CompletionRequested(Message):
        """The model is to complete the line."""

        command: CompleteText

    @dataclass
    class Submitted(Message):
        """The model is to write a tweet that begins with the line."""

        text: str

    class Closed(Message):
        """The line was closed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin closed and empty."""
        super().__init__()
        self._completions = Completions(clock, secrets.randbits(31))  # others may ask the same session
        self._sampling = SamplingConfig()
        self._step = 0
        self._is_too_long = False
        self._input = PromptInput()
        self._chances = ChanceLine()

    def compose(self) -> ComposeResult:
        """Lay out the three lines."""
        yield self._chances
        with Horizontal(id="prompt-row"):
            yield Static("› ", markup=False, id="prompt-sign")
            yield self._input
        yield KeyBar(PROMPT_KEYS, target=self)

    @property
    def is_open(self) -> bool:
        """Whether the line can be typed in."""
        return self.has_class("-open")

    def open(self, view: RunView) -> None:
        """Open the line with what was typed last, and ask about it."""
        self.add_class("-open")
        self.screen.set_focus(self._input)  # at once: `focus` would let the next keys act on the screen
        self.tick(view)

    def close(self) -> None:
        """Close the line; what was typed is kept."""
        if self.is_open:
            self.remove_class("-open")
            self.post_message(self.Closed())

    def tick(self, view: RunView) -> None:
        """Ask where it is time to; `view` tells how the model draws. Ten times a second."""
        if self.is_open:
            self._sampling, self._step = view.sampling, view.step
            self._input.max_length = view.sampling.max_length - 1
            self._request_completion()
            self._draw()

    def show(self, answer: TextCompleted) -> None:
        """Show how the line goes on, unless something else was asked meanwhile."""
        self._completions.accept(answer)
        self._request_completion()
        self._draw()

    def show_refusal(self, reason: str) -> None:
        """Show why there is no answer."""
        self._completions.reject(reason)
        self._draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Ask about what is typed now."""
        event.stop()
        self._is_too_long = False
        self._request_completion()
        self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Have the model write on, unless it is known that it can't."""
        event.stop()
        answer = self._completions.answer_to(event.value)
        if answer is None or not answer.unknown_chars:
            self.post_message(self.Submitted(event.value))

    def on_prompt_input_too_long(self) -> None:
        """Tell that the line can't get longer."""
        self._is_too_long = True
        self._draw()

    def action_take_word(self) -> None:
        """Take a word of the ghost."""
        self._input.accept_ghost(first_word(self._input.ghost))

    def action_take_char(self) -> None:
        """Take a character of the ghost."""
        self._input.accept_ghost(self._input.ghost[:1])

    async def action_send(self) -> None:
        """Have the model write on."""
        await self._input.action_submit()

    def action_close_line(self) -> None:
        """Close the line."""
        self.close()

    def _request_completion(self) -> None:
        """Ask how the line goes on, where that is due."""
        command = self._completions.due_request(self._input.value, self._sampling, self._step) if self.is_open else None
        if command is not None:
            self.post_message(self.CompletionRequested(command))

    def _draw(self) -> None:
        """Show ghost, chances and facts as they are now."""
        text = self._input.value
        self._input.show_ghost(defused(self._completions.ghost(text)))
        answer = self._completions.answer_to(text)
        bits = answer.bits_per_char if answer is not None else None
        facts = f"temp {self._sampling.temperature:.2f}" + (f" · {bits:.2f} bits/char" if bits is not None else "")
        self._chances.show(self._completions.likeliest, facts, self._problem(answer))

    def _problem(self, answer: TextCompleted | None) -> str:
        """Return what is wrong with the line; empty where nothing is."""
        if self._is_too_long:
            return f"At most {self._sampling.max_length - 1} characters: the model adds at least one."
        if answer is not None and answer.unknown_chars:
            return harmless(f"Not in the vocabulary: {', '.join(map(shown_char, answer.unknown_chars))}")
        return harmless(self._completions.problem)

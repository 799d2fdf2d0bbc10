"""`PromptLine`: an input line for a prompt, completed by the model as ghost text while feed and plot stay live.

Posts `CompletionRequested` and shows the answers; never knows a session. `completions` decides when to request.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.geometry import Offset, Region
from textual.message import Message
from textual.suggester import SuggestionReady
from textual.widgets import Input, Static

from engine.config.sampling import SamplingConfig
from engine.protocol.commands import CompleteText
from engine.protocol.events import TextCompleted
from engine.text import sanitize, sanitize_line
from tui.formatting.chances import shown_char
from tui.formatting.loss_units import format_bits
from tui.run.view import RunView
from tui.settings.keys.key import bindings_of
from tui.settings.keys.tweets import PROMPT_KEYS
from tui.widgets.input.chance_bars import ChanceLine
from tui.widgets.input.completions import Completions, first_word
from tui.widgets.input.line_input import LineInput
from tui.widgets.key_bar import KeyBar
from tui.widgets.terminal_info import loss_unit_of

_GHOST_CELLS = 24
"""Reserved for the ghost text if the line is longer than the screen is wide."""


class PromptInput(LineInput):
    """An `Input` whose suggestion is the model's completion, accepted by word or character."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+x", "xray", show=False)]  # in place of Textual's "cut"

    class TooLong(Message):
        """The typed or pasted text exceeds the maximum length."""

    class XrayKeyPressed(Message):
        """The key for the X-ray was pressed."""

    def __init__(self) -> None:
        super().__init__(compact=True, select_on_focus=False)
        self.cursor_blink = False
        self.ghost = ""
        """Completion of the line."""

    @property
    def content_width(self) -> int:
        """Width of the line and the start of its ghost text."""
        return super().content_width + (_GHOST_CELLS if self.value else 0)

    def scroll_to_region(self, region: Region, **options: Any) -> Offset:  # noqa: ANN401 - passed on unchanged
        """Keep some of the ghost text in view too, wherever the cursor is."""
        return super().scroll_to_region(region.grow((0, min(_GHOST_CELLS, self.size.width // 3), 0, 0)), **options)

    def show_ghost(self, ghost: str) -> None:
        """Show `ghost` as the completion of the line."""
        self.ghost = ghost
        self.placeholder = ghost
        self.post_message(SuggestionReady(self.value, self.value + ghost))

    def restricted(self) -> None:
        """Post `TooLong`. Called by Textual when input is restricted."""
        self.post_message(self.TooLong())

    def action_cursor_right(self, select: bool = False) -> None:  # noqa: FBT001, FBT002 - Textual's signature
        """Move right, or accept a character of the ghost text at the end of the line."""
        if self.cursor_at_end and self.ghost and not select:
            self.accept_ghost(self.ghost[0])
        else:
            super().action_cursor_right(select)

    def action_xray(self) -> None:
        """Post `XrayKeyPressed`."""
        self.post_message(self.XrayKeyPressed())

    def accept_ghost(self, text: str) -> None:
        """Append a part of the ghost text to the line."""
        self.insert(text, len(self.value))


class PromptLine(Vertical):
    """The input line, the likeliest next characters above it, the keys below; hidden until opened."""

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
        """The line needs a completion."""

        command: CompleteText

    @dataclass
    class Submitted(Message):
        """A tweet that starts with the line is to be sampled."""

        text: str
        draw: int
        """That of the completion shown."""

    @dataclass
    class XrayRequested(Message):
        """The X-ray of the line is to be opened."""

        text: str

    class Closed(Message):
        """The line was closed."""

    def __init__(self) -> None:
        super().__init__()
        self._completions = Completions(secrets.randbits(31))  # other clients have their own
        self._sampling = SamplingConfig()
        self._is_too_long = False
        self._input = PromptInput()
        self._chances = ChanceLine()

    def compose(self) -> ComposeResult:
        """Lay out probabilities, input and keys."""
        yield self._chances
        with Horizontal(id="prompt-row"):
            yield Static("› ", markup=False, id="prompt-sign")
            yield self._input
        yield KeyBar(PROMPT_KEYS, target=self)

    @property
    def is_open(self) -> bool:
        """Whether the line accepts input."""
        return self.has_class("-open")

    def open(self, view: RunView) -> None:
        """Open the line with the text typed last, and request its completion."""
        self.add_class("-open")
        self.screen.set_focus(self._input)  # immediately: `focus` would let the next keys act on the screen
        self._completions.refresh()
        self.tick(view)

    def close(self) -> None:
        """Close the line; the text is kept."""
        if self.is_open:
            self.remove_class("-open")
            self.post_message(self.Closed())

    def tick(self, view: RunView) -> None:
        """Request a completion if one is due, with the sampling settings of `view`. Called ten times a second."""
        if self.is_open:
            self._sampling = view.sampling
            self._input.max_length = view.sampling.max_length - 1
            self._request_completion()
            self._draw()

    def show(self, answer: TextCompleted) -> None:
        """Show a completion, if the line still matches it."""
        self._completions.accept(answer)
        self._request_completion()
        self._draw()

    def show_refusal(self, reason: str) -> None:
        """Show why there is no completion."""
        self._completions.reject(reason)
        self._draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Request a completion of the new text."""
        event.stop()
        self._is_too_long = False
        self._request_completion()
        self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Submit the line, unless the model lacks one of its characters; then complete it in another way."""
        event.stop()
        answer = self._completions.answer_to(event.value)
        if answer is None or not answer.unknown_chars:
            self.post_message(self.Submitted(event.value, self._completions.draw))
            self._completions.redraw()
            self._request_completion()

    def on_prompt_input_too_long(self) -> None:
        """Show that the line is full."""
        self._is_too_long = True
        self._draw()

    def action_accept_word(self) -> None:
        """Accept a word of the ghost text."""
        self._input.accept_ghost(first_word(self._input.ghost))

    def action_accept_char(self) -> None:
        """Accept a character of the ghost text."""
        self._input.accept_ghost(self._input.ghost[:1])

    async def action_send(self) -> None:
        """Submit the line."""
        await self._input.action_submit()

    def action_refresh(self) -> None:
        """Complete the line in another way, with the model as it is now."""
        self._completions.redraw()
        self._request_completion()

    def action_xray(self) -> None:
        """Open the X-ray of the line."""
        self.post_message(self.XrayRequested(self._input.value))

    def on_prompt_input_xray_key_pressed(self) -> None:
        """Open the X-ray of the line."""
        self.action_xray()

    def action_close_line(self) -> None:
        """Close the line, keeping its text."""
        self.close()

    def _request_completion(self) -> None:
        """Post the request that is due, if any."""
        command = self._completions.due_request(self._input.value, self._sampling) if self.is_open else None
        if command is not None:
            self.post_message(self.CompletionRequested(command))

    def _draw(self) -> None:
        """Show ghost text, probabilities and facts."""
        text = self._input.value
        self._input.show_ghost(sanitize(self._completions.ghost(text)))
        answer = self._completions.answer_to(text)
        bits, unit = answer.bits_per_char if answer is not None else None, loss_unit_of(self)
        facts = [f"temp {self._sampling.temperature:.2f}"]
        facts += [] if bits is None else [f"{format_bits(bits, unit)} {unit}"]
        facts += [] if answer is None else [f"step {answer.step:,}"]
        self._chances.show(self._completions.likeliest, tuple(facts), self._problem(answer))

    def _problem(self, answer: TextCompleted | None) -> str:
        """Return what is wrong with the line; empty if nothing."""
        if self._is_too_long:
            return f"At most {self._sampling.max_length - 1} characters: the model adds at least one."
        if answer is not None and answer.unknown_chars:
            return sanitize_line(f"Not in the vocabulary: {', '.join(map(shown_char, answer.unknown_chars))}")
        return sanitize_line(self._completions.problem)

"""`Completions`: when to request a completion of the prompt, and which answer still applies. Pure.

At most one request is unanswered, so that a slow model is not flooded; text typed meanwhile is requested after the
answer. While the model learns, an answer stays as it is until the text or the sampling changes, or `refresh` is called:
a ghost text that changed under the user's eyes could not be accepted.

`PromptLine`: an input line for a prompt, completed by the model as ghost text while feed and plot stay live.

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
from engine.protocol.events import CharChance, TextCompleted
from engine.text import sanitize, sanitize_line
from tui.run.view import RunView
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.terminal.app import loss_unit_of
from tui.text.cells import shown_char
from tui.text.numbers import format_bits
from tui.widgets.chance_bars import ChanceLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_input import LineInput


class Completions:
    """The requests for one line of input, and the latest answer."""

    def __init__(self, first_request: int = 1) -> None:
        """Number requests from `first_request` on."""
        self.is_waiting = False
        self.problem = ""
        """Why the latest request was refused."""
        self.draw = 0
        """The number of the random continuation; another one continues the text in another way."""
        self._request = first_request - 1
        self._requested: tuple[str, SamplingConfig] | None = None
        self._requested_text, self._requested_draw = "", 0
        self._text, self._draw_shown = "", 0
        self._answer: TextCompleted | None = None

    def refresh(self) -> None:
        """Request the same text again, of the model as it is now."""
        self._requested = None

    def redraw(self) -> None:
        """Request another random continuation."""
        self.draw += 1
        self.refresh()

    def due_request(self, text: str, sampling: SamplingConfig) -> CompleteText | None:
        """Return the request that is due for this text, if any."""
        if self.is_waiting or (text, sampling) == self._requested:
            return None
        self.is_waiting = True
        self._request += 1
        self._requested, self._requested_text, self._requested_draw = (text, sampling), text, self.draw
        return CompleteText(text=text, request=self._request, draw=self.draw)

    def accept(self, answer: TextCompleted) -> None:
        """Store the answer to the latest request; ignore any other."""
        if self.is_waiting and answer.request == self._request:
            self.is_waiting = False
            self.problem = ""
            self._text, self._draw_shown, self._answer = self._requested_text, self._requested_draw, answer

    def reject(self, reason: str) -> None:
        """Store the refusal of the latest request."""
        self.is_waiting = False
        self.problem = reason
        self._answer = None

    def ghost(self, text: str) -> str:
        """Return the completion of `text`, also if `text` follows the completion of an earlier prefix.

        Empty until the answer with the current draw arrives.
        """
        if self._answer is None or self._draw_shown != self.draw:
            return ""
        whole = self._text + "".join(self._answer.completion)
        return whole[len(text) :] if len(text) >= len(self._text) and whole.startswith(text) else ""

    def answer_to(self, text: str) -> TextCompleted | None:
        """Return the answer for exactly this text, if there is one."""
        return self._answer if text == self._text else None

    @property
    def likeliest(self) -> tuple[CharChance, ...]:
        """The likeliest next characters of the latest answer."""
        return self._answer.next_chars if self._answer is not None else ()


def first_word(ghost: str) -> str:
    """Return `ghost` up to the end of its first word, including leading spaces."""
    word_start = len(ghost) - len(ghost.lstrip())
    blank = ghost.find(" ", word_start)
    return ghost if blank < 0 else ghost[:blank]


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

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("prompt"))
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
        yield KeyBar(keys_of("prompt"), target=self)

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

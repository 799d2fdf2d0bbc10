"""`PromptLine`: a line for a prompt that the model completes while it is typed; feed and plot stay live.

It posts `CompletionRequested` and shows the answers; it never knows a session. `Completions` decides when to request.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from engine.config.sampling import SamplingConfig
from engine.protocol.commands import CompleteText
from engine.protocol.events import TextCompleted
from engine.text import sanitize, sanitize_line
from tui.run.view import RunView
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.terminal.app import TerminalApp
from tui.text.cells import shown_char
from tui.text.numbers import format_bits
from tui.widgets.chance_bars import ChanceLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_input import PromptInput


class Completions:
    """The requests for one line of input, and the latest answer.

    At most one request is unanswered, so that a slow model is not flooded; text typed meanwhile is requested after the
    answer. While the model learns, an answer stays until the text or the sampling changes, or `refresh` is called: a
    completion that changed under the user's eyes could not be accepted.
    """

    def __init__(self, number: int) -> None:
        """Number requests from `number` + 1 on: other clients of the run have their own."""
        self.problem = ""
        """Why the latest request was refused."""
        self.answer: TextCompleted | None = None
        self.draw = 0
        """The number of the random continuation; another one continues the text in another way."""
        self._latest = self._answered = CompleteText(text="", request=number)
        """The latest request, and that of the answer."""
        self._is_waiting = False
        self._requested: tuple[str, SamplingConfig] | None = None

    def refresh(self) -> None:
        """Request the same text again, of the model as it is now."""
        self._requested = None

    def due_request(self, text: str, sampling: SamplingConfig) -> CompleteText | None:
        """Return the request that is due for this text, if any."""
        if self._is_waiting or (text, sampling) == self._requested:
            return None
        self._requested, self._is_waiting = (text, sampling), True
        self._latest = CompleteText(text=text, request=self._latest.request + 1, draw=self.draw)
        return self._latest

    def accept(self, answer: TextCompleted) -> None:
        """Store the answer to the latest request; ignore any other."""
        if self._is_waiting and answer.request == self._latest.request:
            self.problem, self.answer, self._answered = "", answer, self._latest
            self._is_waiting = False

    def reject(self, reason: str) -> None:
        """Store the refusal of the latest request."""
        self.problem, self.answer, self._is_waiting = reason, None, False

    def completion_of(self, text: str) -> str:
        """Return how `text` goes on, also if it follows the completion of an earlier prefix.

        Empty until the answer with the current draw arrives.
        """
        if self.answer is None or self._answered.draw != self.draw:
            return ""
        prefix = self._answered.text
        whole = prefix + "".join(self.answer.completion)
        return whole[len(text) :] if len(text) >= len(prefix) and whole.startswith(text) else ""

    def answer_to(self, text: str) -> TextCompleted | None:
        """Return the answer for exactly this text, if there is one."""
        return self.answer if text == self._answered.text else None


class PromptLine(Vertical):
    """The input line, the likeliest next characters above it, the keys below; hidden until opened."""

    app = getters.app(TerminalApp)
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("prompt"))

    @dataclass
    class CompletionRequested(Message):
        """The line needs a completion."""

        command: CompleteText

    @dataclass
    class Submitted(Message):
        """A tweet that starts with the line is to be sampled."""

        text: str
        draw: int
        """The number of the random continuation that is shown."""

    def __init__(self, key_bar: KeyBar) -> None:
        """Open in place of `key_bar`."""
        super().__init__()
        self._key_bar = key_bar
        self._focused_before: Widget | None = None
        self._completions = Completions(secrets.randbits(31))
        self._sampling = SamplingConfig()
        self._is_too_long = False
        self._input, self._chances = PromptInput(), ChanceLine()

    def compose(self) -> ComposeResult:
        yield self._chances
        with Horizontal(id="prompt-row"):
            yield Static("› ", markup=False, id="prompt-sign")
            yield self._input
        yield KeyBar(keys_of("prompt"), target=self)

    @property
    def is_open(self) -> bool:
        return self.has_class("-open")

    def open(self, view: RunView) -> None:
        """Open the line with the text typed last, and request its completion."""
        if not self.is_open:
            self._focused_before = self.screen.focused
            self.add_class("-open")
            self._key_bar.display = False
        self.screen.set_focus(self._input)  # immediately: `focus` would let the next keys act on the screen
        self._completions.refresh()
        self.tick(view)

    def action_close_line(self) -> None:
        """Close the line, and focus what was before; the text is kept."""
        if self.is_open:
            self.remove_class("-open")
            self._key_bar.display = True
            self.screen.set_focus(self._focused_before)

    def tick(self, view: RunView) -> None:
        """Request a completion if one is due, with the sampling settings of `view`. Called ten times a second."""
        if self.is_open:
            self._sampling = view.sampling
            self._input.max_length = view.sampling.max_length - 1
            self._update()

    def show(self, answer: TextCompleted) -> None:
        """Show a completion, if the line still matches it."""
        self._completions.accept(answer)
        self._update()

    def show_refusal(self, reason: str) -> None:
        self._completions.reject(reason)
        self._draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._is_too_long = False
        self._update()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Submit the line, unless the model lacks one of its characters; then complete it in another way."""
        event.stop()
        answer = self._completions.answer_to(event.value)
        if answer is None or not answer.unknown_chars:
            self.post_message(self.Submitted(event.value, self._completions.draw))
            self.action_refresh()

    def on_prompt_input_too_long(self) -> None:
        self._is_too_long = True
        self._draw()

    # also for a click, when another widget may have the focus

    def action_accept_word(self) -> None:
        self._input.action_accept_word()

    def action_accept_char(self) -> None:
        self._input.action_accept_char()

    async def action_send(self) -> None:
        await self._input.action_submit()

    def action_xray(self) -> None:
        self._input.action_xray()

    def action_refresh(self) -> None:
        """Complete the line in another way, with the model as it is now."""
        self._completions.draw += 1
        self._completions.refresh()
        self._request_completion()

    def _request_completion(self) -> None:
        """Post the request that is due, if any."""
        command = self._completions.due_request(self._input.value, self._sampling) if self.is_open else None
        if command is not None:
            self.post_message(self.CompletionRequested(command))

    def _update(self) -> None:
        self._request_completion()
        self._draw()

    def _draw(self) -> None:
        """Show completion, probabilities and facts; or what is wrong with the line."""
        text, latest, sampling = self._input.value, self._completions.answer, self._sampling
        self._input.show_completion(sanitize(self._completions.completion_of(text)))
        answer, problem, unit = self._completions.answer_to(text), self._completions.problem, self.app.loss_unit
        facts = [f"temp {sampling.temperature:.2f}"]
        if answer is not None:
            bits = answer.bits_per_char
            facts += [*([] if bits is None else [f"{format_bits(bits, unit)} {unit}"]), f"step {answer.step:,}"]
            if answer.unknown_chars:
                problem = f"Not in the vocabulary: {', '.join(map(shown_char, answer.unknown_chars))}"
        if self._is_too_long:
            problem = f"At most {sampling.max_length - 1} characters: the model adds at least one."
        self._chances.show(latest.next_chars if latest is not None else (), tuple(facts), sanitize_line(problem))

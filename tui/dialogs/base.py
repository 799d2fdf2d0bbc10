"""`Dialog`, a titled box over a screen; and `RunDialog`, one that sends commands to a run and shows the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import getters, on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.protocol.events import CommandRefused, Event
from engine.text import sanitize_line
from tui.run.model import Need, RunModel
from tui.settings.key_table import keys_of
from tui.settings.keys import bindings_of
from tui.terminal.app import TerminalApp

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], Generic[Answer]):
    """A box with a title, a body and a line of keys; escape closes it without an answer."""

    app = getters.app(TerminalApp)
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("dialog"))
    KEYS_LINE: ClassVar[str] = "esc close"
    HELP: ClassVar[str] = ""
    """The heading of the dialog's keys in the help; empty where they are all in sight."""

    def __init__(self, title: str, keys_line: str | None = None, classes: str = "") -> None:
        super().__init__(classes=classes)
        self._keys_line = self.KEYS_LINE if keys_line is None else keys_line
        self.heading = sanitize_line(title)
        self._late_answers: list[Answer | None] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = Content(self.heading)
            box.border_subtitle = self._keys_line
            yield from self.compose_body()

    def compose_body(self) -> ComposeResult:
        """Yield the widgets in the box."""
        yield from ()

    def _show_hint(self, text: str, *, is_error: bool = False) -> None:
        """Replace the text of `#hint`, a `Static` of the body."""
        line = self.query_one("#hint", Static)
        line.set_class(is_error, "-error")
        line.update(sanitize_line(text))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """Disable `help` in a dialog without keys in the help, so that its key bubbles up."""
        return action != "help" or bool(self.HELP)

    async def action_help(self) -> None:
        await self.app.run_action(f"help({self.HELP!r})", self.app)

    def action_close(self) -> None:
        self.dismiss(None)

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, once; under another dialog, as soon as that is closed.

        Textual's own (8.2) closes whatever is on top: a key pressed twice would close the screen below too.
        """
        if self.app.screen is self:  # `is_current` counts those behind it too
            return super().dismiss(result)
        self._late_answers.append(result)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        """Close now, if `dismiss` was called under another dialog."""
        if self._late_answers:
            self.dismiss(self._late_answers[0])


@dataclass
class RunUpdated(Message, bubble=False):
    """Posted to every open screen ten times a second, after the run's events were folded into its view.

    A screen that is not laid out yet receives it after its `on_mount`: an early answer is not lost.
    """

    events: tuple[Event, ...]
    """The events since the last update; empty most of the time."""
    unmet: Mapping[Need, str]
    """The needs that are not met now, each with its reason."""


class RunDialog(Dialog[Answer]):
    """A dialog that sends commands to the run of the main screen."""

    ASKS: ClassVar[str] = ""
    """Name of the command whose refusals only the dialog shows."""

    unmet: reactive[Mapping[Need, str]] = reactive[Mapping[Need, str]]({})
    """The needs that are not met now, each with its reason."""

    def __init__(self, title: str, run: RunModel) -> None:
        super().__init__(title)
        self.run = run

    def shows(self, refusal: CommandRefused) -> bool:
        """Return whether the dialog shows a refusal itself."""
        return refusal.command == self.ASKS

    @on(RunUpdated)
    def _follow(self, message: RunUpdated) -> None:
        self.unmet = message.unmet
        for event in message.events:
            if isinstance(event, CommandRefused) and self.shows(event):
                self.show_refusal(event.detail)
            self.receive(event)
        self.tick()

    def receive(self, event: Event) -> None:
        """Show an event of the run, if it is of interest. Textual's own method has the name `on_event`."""

    def show_refusal(self, reason: str) -> None:
        """Show why a command was refused."""
        self._show_hint(reason, is_error=True)

    def tick(self) -> None:
        """Draw what follows the state of the run: called ten times a second, after the events."""

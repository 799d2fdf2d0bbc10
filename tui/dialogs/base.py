"""`Dialog`, a titled box over a screen; and `RunDialog`, one that sends commands to a run and shows the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.protocol.events import CommandRefused, Event
from engine.text import sanitize_line
from tui.settings.key_table import Key, Need, keys_of
from tui.settings.keys import bindings_of
from tui.widgets.key_bar import KeyBar

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], Generic[Answer]):
    """A box with a title, a body and a line of keys; escape closes it without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("dialog"))
    KEYS_LINE: ClassVar[str] = "esc close"
    HELP: ClassVar[str] = ""
    """The heading of the dialog's keys in the help; empty where they are all in sight."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._heading = sanitize_line(title)
        self._late_answers: list[Answer | None] = []

    def compose(self) -> ComposeResult:
        """Lay out the box around the body."""
        with Vertical(id="box") as box:
            box.border_title = Content(self._heading)
            box.border_subtitle = self.KEYS_LINE
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
        """Leave the key of the help to others in a dialog that has no keys there."""
        return action != "help" or bool(self.HELP)

    async def action_help(self) -> None:
        """Show the help, the keys of this dialog first."""
        await self.app.run_action(f"help({self.HELP!r})", self.app)

    def action_close(self) -> None:
        """Close without an answer."""
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
    """Those since the last one; empty most of the time."""
    unmet: Mapping[Need, str]
    """What keys lack now, each need with its reason."""


class RunDialog(Dialog[Answer]):
    """A dialog that sends commands to the run of the main screen."""

    ASKS: ClassVar[frozenset[str]] = frozenset()
    """Names of the commands whose refusals are shown here and nowhere else."""

    unmet: reactive[Mapping[Need, str]] = reactive[Mapping[Need, str]]({})
    """What keys lack now."""

    def __init__(self, title: str, run: Any) -> None:  # noqa: ANN401 - the model of the run, until its type is here
        super().__init__(title)
        self.run = run

    def shows(self, refusal: CommandRefused) -> bool:
        """Return whether a refusal is shown here, so that no one else has to."""
        return refusal.command in self.ASKS

    @on(RunUpdated)
    def _follow(self, message: RunUpdated) -> None:
        self.unmet = message.unmet
        for event in message.events:
            self.receive(event)
        self.tick()

    def receive(self, event: Event) -> None:
        """Show an event of the run, if it is of interest. Textual's own method has the name `on_event`."""

    def tick(self) -> None:
        """Draw what follows the state of the run: called ten times a second, after the events."""


class MessageDialog(Dialog[Literal["open", "remedy"]]):
    """Show an error: title, detail and remedy."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "close", "close", show=False)]
    KEYS_LINE = "enter or esc close"

    def __init__(self, title: str, detail: str, hint: str) -> None:
        """Show detail and hint at full length, up to 2,000 characters each."""
        super().__init__(title)
        self._detail = sanitize_line(detail, max_chars=2000)
        self._hint = sanitize_line(hint, max_chars=2000)

    def compose_body(self) -> ComposeResult:
        """Show detail and hint as plain text."""
        with VerticalScroll():
            yield Static(self._detail, markup=False, id="detail")
            if self._hint:
                yield Static(self._hint, markup=False, id="hint")


class ResultDialog(MessageDialog):
    """Show the result of a run."""


class FailureDialog(MessageDialog):
    """Show why a run has failed; other tweets can be opened, and a remedy applied, from here."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("failure"))
    KEYS_LINE = "o open other tweets · enter or esc close"

    def __init__(self, title: str, detail: str, hint: str, remedy: str = "") -> None:
        """Show a failure; `remedy` names what can be done at once, if anything."""
        super().__init__(title, detail, hint)
        self._remedy = remedy

    def on_mount(self) -> None:
        """Put the remedy first in the line of keys."""
        if self._remedy:
            self.query_one("#box").border_subtitle = f"a {self._remedy} · {self.KEYS_LINE}"

    def action_remedy(self) -> None:
        """Answer with the remedy, where there is one."""
        if self._remedy:
            self.dismiss("remedy")

    def action_open(self) -> None:
        """Answer that the user wants to open other tweets."""
        self.dismiss("open")


class YesDialog(Dialog[Literal["yes"]]):
    """Ask for a yes. Only `y` answers, so that no key pressed once too often does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "answer", "yes", show=False)]
    KEYS_LINE = ""

    def __init__(self, title: str, question: str, verb: str) -> None:
        """Ask `question`; `verb` is what yes does."""
        super().__init__(title)
        self._question = sanitize_line(question)
        self._verb = verb

    def compose_body(self) -> ComposeResult:
        """Show the question, and the answers to press or click."""
        yield Static(self._question, markup=False, id="question")
        yield Static("", markup=False)
        yield KeyBar((Key("dialog", "y", "answer", label=self._verb), Key("dialog", "escape", "close", label="close")))

    def action_answer(self) -> None:
        """Answer yes."""
        self.dismiss("yes")


class LeaveDialog(Dialog[Literal["stop", "detach"]]):
    """Ask whether to stop a run that can continue without this screen."""

    BINDINGS: ClassVar[list[BindingType]] = bindings_of(keys_of("leave"))
    KEYS_LINE = "y stop the run · d detach · esc close"

    def __init__(self, run: str, num_screens: int) -> None:
        """Ask about a run with `num_screens` screens attached."""
        super().__init__("Stop the run?")
        others = "" if num_screens < 2 else f" {num_screens} screens are attached."
        self._question = f"The run {sanitize_line(run)} is in another process.{others} d closes this screen only."

    def compose_body(self) -> ComposeResult:
        """Show the question."""
        yield Static(self._question, markup=False, id="question")

    def action_answer(self, answer: Literal["stop", "detach"]) -> None:
        """Close with an answer."""
        self.dismiss(answer)

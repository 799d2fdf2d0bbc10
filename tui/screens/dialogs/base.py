"""The dialog that the others are made of: a titled box over the main screen, which stays readable behind it."""

from __future__ import annotations

from typing import ClassVar, Generic, Literal, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from engine.text import harmless

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer | None], Generic[Answer]):
    """A box with a title, a body and a line of keys; escape closes it without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "close", "close", show=False)]
    KEYS_LINE: ClassVar[str] = "esc close"

    def __init__(self, title: str) -> None:
        """Make a dialog with this title."""
        super().__init__()
        self._heading = harmless(title)
        self._late_answers: list[Answer | None] = []

    def compose(self) -> ComposeResult:
        """Lay out the box around the body."""
        with Vertical(id="box") as box:
            box.border_title = Content(self._heading)
            box.border_subtitle = self.KEYS_LINE
            yield from self.compose_body()

    def compose_body(self) -> ComposeResult:
        """Yield what the dialog holds."""
        yield from ()

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
        """Close now, where that was wished for under another dialog."""
        if self._late_answers:
            self.dismiss(self._late_answers[0])


class MessageDialog(Dialog[Literal["open", "remedy"]]):
    """Tell of an error: what it is, its detail, and what to do about it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "close", "close", show=False)]
    KEYS_LINE = "enter or esc close"

    def __init__(self, title: str, detail: str, hint: str) -> None:
        """Tell this."""
        super().__init__(title)
        self._detail = harmless(detail, max_chars=2000)
        self._hint = harmless(hint, max_chars=2000)

    def compose_body(self) -> ComposeResult:
        """Show detail and hint as plain text."""
        with VerticalScroll():
            yield Static(self._detail, markup=False, id="detail")
            if self._hint:
                yield Static(self._hint, markup=False, id="hint")


class FailureDialog(MessageDialog):
    """Tell that a run has failed; the keys that open other tweets, or put it right, work here too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "open", "open", show=False),
        Binding("a", "answer", "answer", show=False),
    ]
    KEYS_LINE = "o open other tweets · enter or esc close"

    def __init__(self, title: str, detail: str, hint: str, remedy: str = "") -> None:
        """Tell this; `remedy` is what can be done at once, if anything."""
        super().__init__(title, detail, hint)
        self._remedy = remedy

    def on_mount(self) -> None:
        """Name the key of the remedy first."""
        if self._remedy:
            self.query_one("#box").border_subtitle = f"a {self._remedy} · {self.KEYS_LINE}"

    def action_answer(self) -> None:
        """Answer that the remedy is wanted, where there is one."""
        if self._remedy:
            self.dismiss("remedy")

    def action_open(self) -> None:
        """Answer that other tweets are wanted."""
        self.dismiss("open")

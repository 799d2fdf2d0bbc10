"""What the list of checkpoints asks before it acts: a yes, or another name."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Static

from engine.errors import ConfigError
from engine.storage.folders import checked_name
from engine.text import harmless
from tui.screens.dialogs.base import Dialog
from tui.settings.keys.key import Key
from tui.widgets.input.line_input import LineInput
from tui.widgets.key_bar import KeyBar


class YesDialog(Dialog[Literal["yes"]]):
    """Ask; y answers, and nothing else does, so that no key pressed once too often says yes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "answer", "yes", show=False)]
    KEYS_LINE = ""

    def __init__(self, title: str, question: str, verb: str) -> None:
        """Ask `question`; `verb` is what yes does."""
        super().__init__(title)
        self._question = harmless(question)
        self._verb = verb

    def compose_body(self) -> ComposeResult:
        """Show the question, and the answers to press or click."""
        yield Static(self._question, markup=False, id="question")
        yield Static("", markup=False)
        yield KeyBar(
            (
                Key("y", "answer", "", "", label=self._verb),
                Key("escape", "close", "", "", label="close"),
            )
        )

    def action_answer(self) -> None:
        """Answer yes."""
        self.dismiss("yes")


class RenameDialog(Dialog[str]):
    """Answer with another name that can be one and is free."""

    KEYS_LINE = "enter rename · esc close"

    def __init__(self, name: str, is_taken: Callable[[str], bool]) -> None:
        """Begin with the name as it is."""
        super().__init__(f"Rename {name}")
        self._before = harmless(name)
        self._is_taken = is_taken

    def compose_body(self) -> ComposeResult:
        """Show the line to type in, and what is wrong with what was typed."""
        yield LineInput(self._before, placeholder="a name", max_length=100, select_on_focus=True)
        yield Static("Letters, digits, blanks and . _ + -", markup=False, id="advice")

    @on(Input.Submitted)
    def _answer(self, event: Input.Submitted) -> None:
        """Answer, or say why not."""
        name = event.value.strip()
        try:
            checked_name(name, "checkpoint")
        except ConfigError as error:
            self._advise(error.hint)
            return
        if name == self._before:
            self.dismiss(None)
        elif self._is_taken(name):
            self._advise(f"There is already a checkpoint called {name}. Take another name.")
        else:
            self.dismiss(name)

    def _advise(self, advice: str) -> None:
        """Show a sentence under the name."""
        self.query_one("#advice", Static).update(advice)

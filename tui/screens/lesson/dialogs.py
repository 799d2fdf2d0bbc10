"""The dialogs of the lesson: the code of a stop, and the help."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ScrollableContainer
from textual.content import Content
from textual.widgets import Static

from tui.dialogs.base import Dialog
from tui.dialogs.help import HelpDialog, HelpEntry, key_entries
from tui.lesson.snippets import snippet
from tui.lesson.stops import STOPS
from tui.settings.key_table import keys_of
from tui.terminal.sequences import copy


class CodeDialog(Dialog[None]):
    """Show the lines of PyTorch that do what a stop shows; `y` copies them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("C", "close", "close", show=False),
        Binding("y", "copy", "copy", show=False),
    ]
    KEYS_LINE = "y copy · ← → ↑ ↓ scroll · esc close"

    def __init__(self, stop: int) -> None:
        """Show the code of a stop, from 1."""
        super().__init__(f"{STOPS[stop - 1].title}, in plain PyTorch")
        self._code = snippet(stop)

    def compose_body(self) -> ComposeResult:
        """Lay out the code."""
        with ScrollableContainer():
            yield Static(Content(self._code.strip("\n")), markup=False, id="code")

    def action_copy(self) -> None:
        """Copy the code to the clipboard."""
        copy(self.app, self._code)
        self.notify("The code was sent to the clipboard.", markup=False)


_WORDS = (
    HelpEntry("B T", "Tweets of a batch, and characters of a tweet, <BOS> included."),
    HelpEntry("V E H", "Characters of the vocabulary, size of an embedding, size of the hidden state."),
    HelpEntry("loss", "-log2 of the probability of the true next character, in bits; with ln, as in PyTorch, in nats."),
    HelpEntry("▸ ■ · ◇", "<BOS>, <EOS>, padding, a wide character. In bars, ▸ marks the true next character."),
    HelpEntry("the model", "A small GRU on the embedded tweets, trained as you go; it is kept for the next time."),
)


class LessonHelp(HelpDialog):
    """Show the words and the keys of the lesson."""

    def __init__(self) -> None:
        super().__init__({"Words": _WORDS}, {"The lesson": key_entries(keys_of("lesson"))})

"""Choose the author of a chat: only the messages of one are learnt."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.widgets import OptionList, Static

from engine.corpus.types import ChatAuthor
from tui.screens.dialogs.base import Dialog

MAX_SHOWN = 500
"""A larger group is read with --author."""


class AuthorDialog(Dialog[ChatAuthor]):
    """Answer with the author."""

    KEYS_LINE = "↑↓ move · enter choose · esc close"
    CSS = """
    AuthorDialog #box { padding: 0 1; }
    AuthorDialog OptionList {
        height: auto;
        max-height: 16;
        border: none;
        padding: 0;
        background: $surface;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        scrollbar-size-vertical: 1;
        &:focus { border: none; }
        & > .option-list--option-highlighted { background: $primary 30%; color: $foreground; }
    }
    .-tiny AuthorDialog OptionList, AuthorDialog.-tiny OptionList { max-height: 6; }
    """

    def __init__(self, chat: str, authors: Sequence[ChatAuthor]) -> None:
        """List the authors of the chat of that name, each with the number of messages."""
        super().__init__(f"Whose messages of {chat}?")
        self._authors = authors[:MAX_SHOWN]
        self._num_others = len(authors) - len(self._authors)

    def compose_body(self) -> ComposeResult:
        """Show the list, and what is done with the messages of others."""
        yield OptionList(*(each.shown for each in self._authors), markup=False)
        more = f" {self._num_others:,} others are not shown: --author names one of them." if self._num_others else ""
        yield Static(f"Only this author's messages are learnt.{more}", markup=False, id="hint")

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        """Answer with the author of the selected line."""
        self.dismiss(self._authors[event.option_index])

"""The help: a glossary, then every key with a sentence, made from the key table. Typing searches both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from engine.text import sanitize_line
from tui.screens.dialogs.base import Dialog
from tui.screens.dialogs.glossary import glossary
from tui.settings.key_table import KEY_TABLE
from tui.settings.keymap import KeyMap, mapped
from tui.settings.keys.key import Key
from tui.terminal.capabilities import GlyphSet
from tui.widgets.help_search import Groups, HelpEntry
from tui.widgets.help_text import HelpText
from tui.widgets.plot.glyphs import PLOT_GLYPHS

_MAX_QUERY_CHARS = 40


def key_entries(keys: Iterable[Key]) -> list[HelpEntry]:
    """Return an entry per key, found by the title of its action and by Textual's names of the keys, too."""
    return [HelpEntry(key.shown, key.sentence, f"{key.title} {key.keys.replace(',', ' ')}") for key in keys]


class HelpDialog(Dialog[None], inherit_bindings=False):
    """Show a glossary and keys. A typed character searches; none of them acts."""

    AUTO_FOCUS = "HelpText"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("backspace", "delete", show=False),
        Binding("question_mark", "close", show=False),
    ]
    KEYS_LINE = "↑ ↓ scroll · esc close"
    DEFAULT_CSS = """
    HelpDialog {
        #search { height: 1; color: $text-muted; text-wrap: nowrap; }
        #search.-typed { color: $foreground; }
    }
    """

    def __init__(self, words: Groups, keys: Groups) -> None:
        """Show `words`, then `keys`."""
        super().__init__("Help")
        self._text = HelpText(words, keys)

    def compose_body(self) -> ComposeResult:
        """Lay out the line of the search over the text."""
        yield Static(id="search")
        yield self._text

    def on_mount(self) -> None:
        """Invite to type."""
        self._search("")

    def on_key(self, event: events.Key) -> None:
        """Add a typed character to the search."""
        if event.character is not None and event.is_printable and event.key != "question_mark":
            event.stop()
            self._search(self._text.query_text + event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Search for what is pasted."""
        event.stop()
        self._search(self._text.query_text + sanitize_line(event.text, max_chars=_MAX_QUERY_CHARS))

    def action_delete(self) -> None:
        """Delete the last character of the search."""
        self._search(self._text.query_text[:-1])

    def action_back(self) -> None:
        """Clear the search, or else close."""
        if self._text.query_text:
            self._search("")
        else:
            self.dismiss(None)

    def _search(self, query: str) -> None:
        """Show what contains `query`."""
        query = query.lstrip()[:_MAX_QUERY_CHARS]
        self._text.query_text = query
        line = self.query_one("#search", Static)
        line.set_class(bool(query), "-typed")
        num = self._text.num_found
        what = f"{num} found" if num else "nothing found"
        line.update(Content(f"› {query}▏  {what} · esc clears" if query else "› type a key or a word to search"))


class HelpScreen(HelpDialog):
    """The help of the main screen."""

    def __init__(self, key_map: KeyMap | None = None, glyphs: GlyphSet = "braille", first: str = "") -> None:
        """Show the keys as `key_map` changes them, and the symbols of the plot in `glyphs`.

        The keys under the heading `first` come before the glossary.
        """
        keys = {heading: key_entries(mapped(rows, key_map or {})) for heading, rows in KEY_TABLE.items()}
        of_place = {heading: keys.pop(heading) for heading in (first,) if first}
        super().__init__({**of_place, **glossary(PLOT_GLYPHS[glyphs])}, keys)

"""The help: every key with a sentence, grouped, and how to read the screen. Made from the key table."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from tui.run.marks import MarkKind
from tui.screens.dialogs.base import Dialog
from tui.settings.key_table import KEY_TABLE
from tui.settings.keymap import KeyMap, mapped
from tui.settings.theme import NOVELTY_GLYPHS, NOVELTY_SENTENCES
from tui.widgets.feed.layout import PIN_GLYPH, SELECTED_GLYPH
from tui.widgets.help_text import Entries, HelpText
from tui.widgets.plot.glyphs import MARK_LETTERS

_MARKED: dict[MarkKind, str] = {
    "loaded": "a checkpoint was loaded",
    "learning rate": "the learning rate was changed",
    "batch size": "the batch size was changed",
    "finishing": "the run began to finish",
    "saved": "a checkpoint was saved",
    "temperature": "the temperature was changed",
    "paused": "the run was paused",
}
_READING = (
    ("step", "Each tweet begins with the step (one update of the weights) after which it was written,"),
    ("0.80", "then the temperature that its last character was drawn at,"),
    *(
        (f"{glyph} {novelty}", f"then how new it is: {NOVELTY_SENTENCES[novelty]}.")
        for novelty, glyph in NOVELTY_GLYPHS.items()
    ),
    ("62%", "of a near copy, the share of its characters in long runs that stand in one training tweet,"),
    ("2.40", "then its own bits per character: how badly it surprised the model that wrote it."),
    (SELECTED_GLYPH, "The tweet that is selected, or those written at the plot's cursor."),
    (PIN_GLYPH, "A tweet that is pinned."),
    ("…", "A tweet that ends so was cut at the greatest length."),
    *((letter, f"On the axis of the plot: {_MARKED[kind]}.") for kind, letter in MARK_LETTERS.items()),
    ("loss", "What the model has still to learn, in nats per character: how badly it is surprised by the next one."),
    ("bits", "The same in bits: 1 bit is a coin toss per character. Validation reads tweets kept out of training."),
)


class HelpScreen(Dialog[None]):
    """Show the help."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "close", "close", show=False)]
    KEYS_LINE = "↑ ↓ scroll · esc close"

    def __init__(self, key_map: KeyMap | None = None) -> None:
        """Make the help, with the keys as `key_map` has them."""
        super().__init__("Help")
        self._key_map = key_map or {}

    def compose_body(self) -> ComposeResult:
        """Lay out the groups of keys, then how to read the feed."""
        groups: dict[str, Entries] = {
            heading: [(key.shown, key.sentence) for key in mapped(keys, self._key_map)]
            for heading, keys in KEY_TABLE.items()
        }
        with VerticalScroll():
            yield HelpText(groups | {"Reading the screen": _READING})

"""The help: every key with a sentence, grouped, and how to read the screen. Made from the key table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from tui.keys import FEED_KEYS, MAIN_KEYS, RUN, SAVED, SCREEN, TWEETS
from tui.screens.dialog import Dialog
from tui.theme import NOVELTY_GLYPHS, NOVELTY_SENTENCES

_GROUPS = (RUN, TWEETS, SAVED, SCREEN)
_READING = (
    ("step", "Each tweet begins with the step (one update of the weights) after which it was written,"),
    ("0.80", "then the temperature that its last character was drawn at,"),
    *(
        (f"{glyph} {novelty}", f"then how new it is: {NOVELTY_SENTENCES[novelty]}.")
        for novelty, glyph in NOVELTY_GLYPHS.items()
    ),
    ("…", "A tweet that ends so was cut at the greatest length."),
    ("loss", "What the model has still to learn, in nats per character: how badly it is surprised by the next one."),
    ("bits", "The same in bits: 1 bit is a coin toss per character. Validation reads tweets kept out of training."),
)


class HelpScreen(Dialog[None]):
    """Show the help."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "close", "close", show=False)]
    KEYS_LINE = "↑ ↓ scroll · esc close"

    def __init__(self) -> None:
        """Make the help."""
        super().__init__("Help")

    def compose_body(self) -> ComposeResult:
        """Lay out the groups of keys, then how to read the feed."""
        with VerticalScroll():
            for group in _GROUPS:
                yield Static(group, markup=False, classes="heading")
                for key in (*MAIN_KEYS, *FEED_KEYS):
                    if key.group == group:
                        yield from _row(key.shown, key.sentence)
            yield Static("Reading the screen", markup=False, classes="heading")
            for term, sentence in _READING:
                yield from _row(term, sentence)


def _row(term: str, sentence: str) -> Iterator[Horizontal]:
    yield Horizontal(
        Static(term, markup=False, classes="term"),
        Static(sentence, markup=False, classes="sentence"),
        classes="row",
    )

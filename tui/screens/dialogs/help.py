"""The help: every key with a sentence, made from the key table, and how to read the screen."""

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
from tui.terminal.capabilities import GlyphSet
from tui.widgets.feed.layout import PIN_GLYPH, SELECTED_GLYPH
from tui.widgets.help_text import Entries, HelpText
from tui.widgets.plot.glyphs import MARK_LETTERS, PLOT_GLYPHS, PlotGlyphs

_MARKED: dict[MarkKind, str] = {
    "loaded": "checkpoint loaded",
    "level": "validation loss below a reference level, such as that of an n-gram",
    "learning rate": "learning rate changed",
    "batch size": "batch size changed",
    "finishing": "finishing began",
    "saved": "checkpoint saved",
    "temperature": "temperature changed",
    "paused": "paused",
}
_READING = (
    ("step", "A tweet begins with the step (one update of the weights) after which it was sampled,"),
    ("0.80", "its temperature at the last character,"),
    *((f"{glyph} {novelty}", f"{NOVELTY_SENTENCES[novelty]},") for novelty, glyph in NOVELTY_GLYPHS.items()),
    ("62%", "of a near-copy, the share of its characters in long runs copied from one training tweet,"),
    ("2.40", "and its loss: how much each character surprised the model that sampled it, on average."),
    (SELECTED_GLYPH, "The selected tweet, or the tweets sampled at the plot's cursor."),
    (PIN_GLYPH, "A pinned tweet."),
    ("…", "The tweet was cut at the maximum length."),
    ("loss", "Cross-entropy: how much the next character surprises the model, on average."),
    (
        "bits/char",
        (
            "The unit of a loss. 2 bits per character: as uncertain as a choice among 4 equally likely characters; "
            "each bit more doubles the choice. 1 bit is 0.693 nats (ln 2)."
        ),
    ),
    ("2.40 @900", "In the list of checkpoints: the loss is that of step 900, the latest evaluation."),
)


def _curves(glyphs: PlotGlyphs) -> Entries:
    """Return the symbols of the plot with their meanings."""
    return (
        (f"{glyphs.line_sample} train", "The loss on training tweets, smoothed."),
        (f"{glyphs.band_sample} raw", "The range of that loss over single steps."),
        (f"{glyphs.peak} peak", "The highest loss, above the top of the plot."),
        (f"{glyphs.validation} validation", "The loss on validation tweets, which are held out of training."),
        (f"{glyphs.best} best", "The lowest validation loss."),
        (f"{glyphs.overlay_sample} a run", "The train loss of the run that this one branched off."),
        *((letter, f"On the axis: {_MARKED[kind]}.") for kind, letter in MARK_LETTERS.items()),
    )


class HelpScreen(Dialog[None]):
    """Show keys and reading guide."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "close", "close", show=False)]
    KEYS_LINE = "↑ ↓ scroll · esc close"

    def __init__(self, key_map: KeyMap | None = None, glyphs: GlyphSet = "braille") -> None:
        """Show the keys as `key_map` changes them, and the symbols of the plot in `glyphs`."""
        super().__init__("Help")
        self._key_map = key_map or {}
        self._glyphs = glyphs

    def compose_body(self) -> ComposeResult:
        """Lay out the keys under their headings, then how to read the screen."""
        groups: dict[str, Entries] = {
            heading: [(key.shown, key.sentence) for key in mapped(keys, self._key_map)]
            for heading, keys in KEY_TABLE.items()
        }
        groups |= {"Reading the screen": _READING, "Reading the plot": _curves(PLOT_GLYPHS[self._glyphs])}
        with VerticalScroll():
            yield HelpText(groups)

"""`HelpText`: terms with sentences under headings, in one column or two; only the lines in view are rendered.

Search in the entries of a help: by a key, or by the beginnings of words. Pure.

The glossary of the help: what one sees on the main screen, one sentence each.

The help: a glossary, then every key with a sentence, made from the key table. Typing searches both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import ClassVar, Literal, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Static

from engine.text import sanitize_line
from tui.dialogs.base import Dialog
from tui.settings.key_table import KEY_TABLE
from tui.settings.keys import Key, KeyMap, mapped
from tui.terminal.capabilities import GlyphSet
from tui.text.cells import wrap
from tui.text.tweets import NOVELTY_GLYPHS, NOVELTY_SENTENCES
from tui.widgets.feed.columns import DRAFTS_MARK, FAILING_MARK, PIN_GLYPH, SELECTED_GLYPH
from tui.widgets.plot.cells import MARK_LETTERS, MARK_MEANINGS, PLOT_GLYPHS, PlotGlyphs

_TERM_CELLS = 14
_NARROW_TERM_CELLS = 11
_NARROW_CELLS = 60
"""In narrower columns, more terms get a line of their own, and sentences more room."""
_TWO_COLUMNS_CELLS = 130
_GAP = 3
Kind = Literal["heading", "term", "sentence"]
Line = list[tuple[str, Kind]]
"""Texts with the names of their styles."""


class HelpText(ScrollView, can_focus=True):
    """Show the entries that match the query, wrapped to the width.

    With room for two columns, the glossary begins the left one and the keys begin the right one.
    """

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"help-text--heading", "help-text--term", "help-text--sentence"}
    DEFAULT_CSS = """
    HelpText {
        height: 1fr;
        background: $surface;
        overflow: hidden scroll;
        scrollbar-size-vertical: 1;
        .help-text--heading { color: $text-primary; text-style: bold; }
        .help-text--term { color: $text-accent; }
        .help-text--sentence { color: $foreground; }
    }
    """

    query_text: reactive[str] = reactive("", init=False)
    """What the entries shown contain; all are shown for an empty text."""

    def __init__(self, glossary: Groups, keys: Groups) -> None:
        """Show the glossary, then the keys."""
        super().__init__()
        self.glossary = glossary
        self.keys = keys
        self._lines: list[Line] = []

    @property
    def num_found(self) -> int:
        """The number of entries shown."""
        groups = (*found(self.glossary, self.query_text).values(), *found(self.keys, self.query_text).values())
        return sum(map(len, groups))

    def watch_query_text(self) -> None:
        """Show the entries that match, from the first on."""
        self._lay_out()
        self.scroll_home(animate=False)

    def on_resize(self) -> None:
        """Wrap the lines again."""
        self._lay_out()

    def _lay_out(self) -> None:
        """Compute all lines."""
        width = self.scrollable_content_region.width
        glossary, keys = found(self.glossary, self.query_text), found(self.keys, self.query_text)
        if width >= _TWO_COLUMNS_CELLS:
            self._lines = _two_columns(glossary, keys, width)
        else:
            self._lines = [
                line
                for heading, entries in (*glossary.items(), *keys.items())
                for line in _group(heading, entries, width)
            ][1:]
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Return a line in view."""
        row = y + self.scroll_offset.y
        pieces = self._lines[row] if row < len(self._lines) else []
        background = self.rich_style
        strip = Strip(
            [
                Segment(text, background + self.get_component_rich_style(f"help-text--{kind}", partial=True))
                for text, kind in pieces
            ]
        )
        return strip.adjust_cell_length(self.size.width, background)


def _two_columns(glossary: Groups, keys: Groups, width: int) -> list[Line]:
    """Return both side by side; each group of keys goes to the shorter column."""
    column_width = (width - _GAP) // 2
    left = [line for heading, entries in glossary.items() for line in _group(heading, entries, column_width)]
    right: list[Line] = []
    for heading, entries in keys.items():
        shorter = left if len(left) < len(right) else right
        shorter += _group(heading, entries, column_width)
    nothing: Line = []
    return [_side_by_side(*lines, column_width) for lines in zip_longest(left[1:], right[1:], fillvalue=nothing)]


def _side_by_side(left: Line, right: Line, column_width: int) -> Line:
    num_cells = sum(cell_len(text) for text, _ in left)
    return [*left, (" " * (column_width - num_cells + _GAP), "sentence"), *right]


def _group(heading: str, entries: Sequence[HelpEntry], width: int) -> list[Line]:
    """Return an empty line, the heading, and the wrapped entries."""
    term_cells = _TERM_CELLS if width >= _NARROW_CELLS else _NARROW_TERM_CELLS
    lines: list[Line] = [[], [(heading, "heading")]]
    for term, sentence, _ in entries:
        before = term + " " * (term_cells - cell_len(term))
        if cell_len(term) >= term_cells:
            lines.append([(term, "term")])
            before = " " * term_cells
        for start, end in wrap(sentence, max(1, width - term_cells)):
            lines.append([(before, "term"), (sentence[start:end], "sentence")])
            before = " " * term_cells
    return lines


_WORD = re.compile(r"[^\s.,:;()“”]+")


class HelpEntry(NamedTuple):
    """A term with its sentence."""

    term: str
    sentence: str
    also: str = ""
    """Words that are searched but not shown."""


Groups = Mapping[str, Sequence[HelpEntry]]
"""Entries under their headings."""


def found(groups: Groups, query: str) -> Groups:
    """Return the entries that match, without empty groups; all for an empty query.

    A single character finds the entries of that key. Otherwise each word of the query has to begin a word of the entry
    or of its heading.
    """
    query = query.strip()
    of_key = {
        heading: [entry for entry in entries if query in entry.term.split()] for heading, entries in groups.items()
    }
    if len(query) == 1 and any(of_key.values()):
        return {heading: entries for heading, entries in of_key.items() if entries}
    words = query.casefold().split()
    matching = {
        heading: [
            entry for entry in entries if all(_begins_word(word, f"{heading} {' '.join(entry)}") for word in words)
        ]
        for heading, entries in groups.items()
    }
    return {heading: entries for heading, entries in matching.items() if entries}


def _begins_word(start: str, text: str) -> bool:
    text = text.casefold()
    return start in text and any(word.startswith(start) for word in (*_WORD.findall(text), *text.split()))


_WORDS = (
    HelpEntry("loss", "How much the next character surprises the model, on average (cross-entropy): lower is better."),
    HelpEntry(
        "bits/char",
        "The unit of a loss. 2 bits per character: as uncertain as a choice among 4 equally likely characters; each "
        "bit more doubles the choice. 1 bit is 0.693 nats (ln 2).",
    ),
    HelpEntry(
        "train",
        "The loss on the tweets that the model learns from: a mean of the latest steps, at most 100, without the "
        "highest and lowest tenth. A checkpoint has the loss of its last step; the plot's cursor shows the mean of the "
        "steps in its column.",
    ),
    HelpEntry(
        "validation",
        "The loss on tweets held out of training. If it rises while the train loss falls, the model learns its tweets "
        "by heart: it overfits.",
        "val",
    ),
    HelpEntry(
        "levels",
        "Losses that simple models reach on the same validation tweets: guessing (uniform), and counts of single "
        "characters (unigram), pairs (bigram) or longer pieces (n-gram). Below a level, the model has learned more "
        "than such counts contain.",
        "reference baseline",
    ),
    HelpEntry("step", "One update of the weights, computed from one batch of tweets."),
    HelpEntry("epoch", "One pass over all training tweets."),
    HelpEntry("learning rate", "How far a step moves the weights."),
    HelpEntry(
        "temperature",
        "How random the samples are: below 1 likely characters become likelier, above 1 unlikely ones do.",
    ),
    HelpEntry(
        "filter",
        "What a sampled tweet has to be: new, without some words, of a length. Whole tweets, the drafts, are sampled "
        "until one passes.",
        "draft",
    ),
    HelpEntry("prompt", "Text that one tweet begins with; the model continues it."),
    HelpEntry("prime", "Text that every new tweet begins with, until it is cleared."),
    HelpEntry("surprise", "The bits of a single character: the less likely it was to the model, the more."),
    HelpEntry(
        "checkpoint", "A file with the weights and all that is needed to resume; best has the lowest validation loss."
    ),
)
_FEED = (
    HelpEntry("1,200", "The step after which the tweet was sampled."),
    *(
        HelpEntry(
            f"{glyph} {novelty}", f"{NOVELTY_SENTENCES[novelty][0].upper()}{NOVELTY_SENTENCES[novelty][1:]}.", "novelty"
        )
        for novelty, glyph in NOVELTY_GLYPHS.items()
    ),
    HelpEntry(
        DRAFTS_MARK, "Beside novelty: the first draft did not pass the filter, or several were compared.", "filter"
    ),
    HelpEntry(
        FAILING_MARK,
        "Beside novelty: no draft passed the filter, and this one comes nearest. The rule above counts those since the "
        "filter changed.",
        "filter",
    ),
    HelpEntry("0.80", "Temperature at the last character of the tweet, in a wide terminal."),
    HelpEntry("2.40", "Loss of the tweet: the mean surprise of the model that sampled it."),
    HelpEntry(SELECTED_GLYPH, "The selected tweet, or the tweets sampled at the plot's cursor."),
    HelpEntry(PIN_GLYPH, "A pinned tweet."),
    HelpEntry("…", "The tweet was cut at the maximum length."),
    HelpEntry("2.40 @900", "In the list of checkpoints: the loss is that of step 900, the latest evaluation."),
)


def glossary(glyphs: PlotGlyphs) -> Groups:
    """Return words and symbols with their meanings; those of the plot in `glyphs`."""
    plot = (
        HelpEntry(f"{glyphs.line_sample} train", "The loss on training tweets, smoothed."),
        HelpEntry(f"{glyphs.band_sample} raw", "The range of that loss over single steps."),
        HelpEntry(f"{glyphs.peak} peak", "The highest loss, above the top of the plot."),
        HelpEntry(f"{glyphs.validation} validation", "The loss on validation tweets."),
        HelpEntry(f"{glyphs.best} best", "The lowest validation loss."),
        HelpEntry(glyphs.beaten, "Beside a level: the latest validation loss is below it."),
        HelpEntry(f"{glyphs.up} {glyphs.down}", "Beside a level: it is above or below the losses in view."),
        HelpEntry(f"{glyphs.overlay_sample} a run", "The train loss of the run that this one branched off."),
        *(HelpEntry(letter, f"On the axis: {MARK_MEANINGS[kind]}.", "mark") for kind, letter in MARK_LETTERS.items()),
    )
    return {"Words": _WORDS, "A line of the feed": _FEED, "The plot": plot}


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

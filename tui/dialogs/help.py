"""The help: a glossary, then every key with a sentence, made from the key table. Typing searches both."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.text import sanitize_line
from tui.dialogs.base import Dialog
from tui.settings.key_table import KEY_TABLE, Key
from tui.settings.keys import KeyMap, mapped
from tui.text.cells import cell_len, wrap
from tui.text.tweets import NOVELTY_GLYPHS, NOVELTY_SENTENCES
from tui.widgets.feed.columns import DRAFTS_MARK, FAILING_MARK, PIN_GLYPH, SELECTED_GLYPH
from tui.widgets.plot.cells import MARKS, PlotGlyphs

_TERM_CELLS, _NARROW_TERM_CELLS = 14, 11
_NARROW_CELLS = 60
"""In narrower columns, more terms get a line of their own, and sentences more room."""
_TWO_COLUMNS_CELLS = 130
_GAP = 3
_MAX_QUERY_CHARS = 40
_WORD = re.compile(r"[^\s.,:;()“”]+")


class HelpEntry(NamedTuple):
    """A term with its sentence."""

    term: str
    sentence: str
    also: str = ""
    """Words that are searched but not shown."""


Groups = Mapping[str, Sequence[HelpEntry]]
"""Entries under their headings."""
_WORDS = {
    "loss": "How much the next character surprises the model, on average (cross-entropy): lower is better.",
    "bits/char": "The unit of a loss. 2 bits per character: as uncertain as a choice among 4 equally likely "
    "characters; each bit more doubles the choice. 1 bit is 0.693 nats (ln 2).",
    "train": "The loss on the tweets that the model learns from: a mean of the latest steps, at most 100, without the "
    "highest and lowest tenth. A checkpoint has the loss of its last step; the plot's cursor shows the mean of the "
    "steps in its column.",
    "validation": "The loss on tweets held out of training. If it rises while the train loss falls, the model learns "
    "its tweets by heart: it overfits.",
    "levels": "Losses that simple models reach on the same validation tweets: guessing (uniform), and counts of single "
    "characters (unigram), pairs (bigram) or longer pieces (n-gram). Below a level, the model has learned more than "
    "such counts contain.",
    "step": "One update of the weights, computed from one batch of tweets.",
    "epoch": "One pass over all training tweets.",
    "learning rate": "How far a step moves the weights.",
    "temperature": "How random the samples are: below 1 likely characters become likelier, above 1 unlikely ones do.",
    "filter": "What a sampled tweet has to be: new, without some words, of a length. Whole tweets, the drafts, are "
    "sampled until one passes.",
    "prompt": "Text that one tweet begins with; the model continues it.",
    "prime": "Text that every new tweet begins with, until it is cleared.",
    "surprise": "The bits of a single character: the less likely it was to the model, the more.",
    "GRU": "The recurrent network that is trained: it reads one character at a time into its state.",
    "teacher forcing": "In training the model is fed the true characters, whatever it predicted. The X-ray compares "
    "that with its own draws, and the lesson explains it.",
    "checkpoint": "A file with the weights and all that is needed to resume; best has the lowest validation loss.",
}
_FEED = {
    "1,200": "The step after which the tweet was sampled.",
    **{
        f"{glyph} {novelty}": f"{NOVELTY_SENTENCES[novelty][0].upper()}{NOVELTY_SENTENCES[novelty][1:]}."
        for novelty, glyph in NOVELTY_GLYPHS.items()
    },
    DRAFTS_MARK: "Beside novelty: the first draft did not pass the filter, or several were compared.",
    FAILING_MARK: "Beside novelty: no draft passed the filter, and this one comes nearest. The rule above counts those "
    "since the filter changed.",
    "0.80": "Temperature at the last character of the tweet, in a wide terminal.",
    "2.40": "Loss of the tweet: the mean surprise of the model that sampled it.",
    SELECTED_GLYPH: "The selected tweet, or the tweets sampled at the plot's cursor.",
    PIN_GLYPH: "A pinned tweet.",
    "…": "The tweet was cut at the maximum length.",
    "2.40 @900": "In the list of checkpoints: the loss is that of step 900, the latest evaluation.",
    "in italics": "In that list: what this run can't load; in a folder: a file that may have no tweets.",
}
_ALSO = {"validation": "val", "levels": "reference baseline", "filter": "draft"}
_ALSO |= {**dict.fromkeys((DRAFTS_MARK, FAILING_MARK), "filter"), **{letter: "mark" for letter, _ in MARKS.values()}}
_ALSO |= {f"{glyph} {novelty}": "novelty" for novelty, glyph in NOVELTY_GLYPHS.items()}


def glossary(glyphs: PlotGlyphs) -> Groups:
    """Return words and symbols with their meanings; those of the plot in `glyphs`."""
    plot = {
        f"{glyphs.line_sample} train": "The loss on training tweets, smoothed.",
        f"{glyphs.band[-1]} raw": "The range of that loss over single steps.",
        f"{glyphs.peak} peak": "The highest loss, above the top of the plot.",
        f"{glyphs.validation} validation": "The loss on validation tweets.",
        f"{glyphs.best} best": "The lowest validation loss.",
        glyphs.beaten: "Beside a level: the latest validation loss is below it.",
        f"{glyphs.up} {glyphs.down}": "Beside a level: it is above or below the losses in view.",
        f"{glyphs.overlay_sample} a run": "The train loss of the run that this one branched off.",
        **{letter: f"On the axis: {meaning}." for letter, meaning in MARKS.values()},
    }
    groups = {"Words": _WORDS, "A line of the feed": _FEED, "The plot": plot}
    return {
        heading: [HelpEntry(term, sentence, _ALSO.get(term, "")) for term, sentence in words.items()]
        for heading, words in groups.items()
    }


def key_entries(keys: Iterable[Key]) -> list[HelpEntry]:
    """Return an entry per key, found by the title of its action and by Textual's names of the keys, too."""
    return [HelpEntry(key.shown, key.sentence, f"{key.title} {key.keys.replace(',', ' ')}") for key in keys]


def found(groups: Groups, query: str) -> Groups:
    """Return the entries that match, without empty groups; all for an empty query.

    A single character finds the entries of that key. Otherwise each word of the query has to begin a word of the entry
    or of its heading.
    """
    query, words = query.strip(), query.casefold().split()

    def matches(heading: str, entry: HelpEntry) -> bool:
        text = f"{heading} {' '.join(entry)}".casefold()
        starts = (*_WORD.findall(text), *text.split())
        return all(any(start.startswith(word) for start in starts) for word in words)

    of_key = {heading: [each for each in entries if query in each.term.split()] for heading, entries in groups.items()}
    if len(query) != 1 or not any(of_key.values()):
        of_key = {heading: [each for each in entries if matches(heading, each)] for heading, entries in groups.items()}
    return {heading: entries for heading, entries in of_key.items() if entries}


def _lines(heading: str, entries: Sequence[HelpEntry], width: int) -> list[Content]:
    """Return an empty line, the heading, and the entries wrapped to a width."""
    term_cells = _TERM_CELLS if width >= _NARROW_CELLS else _NARROW_TERM_CELLS
    lines = [Content(), Content.styled(heading, "bold $text-primary")]
    for term, sentence, _ in entries:
        before = term + " " * (term_cells - cell_len(term))
        if cell_len(term) >= term_cells:
            lines.append(Content.styled(term, "$text-accent"))
            before = " " * term_cells
        for start, end in wrap(sentence, max(1, width - term_cells)):
            lines.append(Content.styled(before, "$text-accent") + sentence[start:end])
            before = " " * term_cells
    return lines


class HelpText(VerticalScroll):
    """Show entries, wrapped to the width.

    With room for two columns, the glossary begins the left one and the keys begin the right one; each further group of
    keys goes to the shorter one.
    """

    ALLOW_SELECT = False

    def __init__(self) -> None:
        super().__init__(Static(id="left"), Static(id="right"))
        self._words: Groups = {}
        self._keys: Groups = {}

    def show(self, words: Groups, keys: Groups) -> None:
        """Show these entries, from the first on."""
        self._words, self._keys = words, keys
        self.on_resize()
        self.scroll_home(animate=False)

    def on_resize(self) -> None:
        if not (width := self.scrollable_content_region.width):
            return  # before the first layout
        has_two = width >= _TWO_COLUMNS_CELLS
        column = (width - _GAP) // 2 if has_two else width
        columns: list[list[Content]] = [[], []]
        for heading, entries in self._words.items():
            columns[0] += _lines(heading, entries, column)
        for heading, entries in self._keys.items():
            columns[has_two and len(columns[0]) >= len(columns[1])] += _lines(heading, entries, column)
        for static, lines in zip(self.query(Static), columns, strict=True):
            static.styles.width = column
            static.update(Content("\n").join(lines[1:]))
        self.set_class(has_two, "-two-columns")


class HelpDialog(Dialog[None], inherit_bindings=False):
    """Show words and keys. A typed character searches; none of them acts."""

    AUTO_FOCUS = "HelpText"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", show=False),
        Binding("backspace", "delete", show=False),
        Binding("question_mark", "close", show=False),
    ]
    KEYS_LINE = "↑ ↓ scroll · esc close"

    def __init__(self, words: Groups, keys: Groups) -> None:
        super().__init__("Help")
        self.words, self.keys = words, keys
        self._typed = ""

    def compose_body(self) -> ComposeResult:
        yield Static(id="search")
        yield HelpText()

    def on_mount(self) -> None:
        self._search("")

    def on_key(self, event: events.Key) -> None:
        if event.character is not None and event.is_printable and event.key != "question_mark":
            event.stop()
            self._search(self._typed + event.character)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self._search(self._typed + sanitize_line(event.text, max_chars=_MAX_QUERY_CHARS))

    def action_delete(self) -> None:
        self._search(self._typed[:-1])

    def action_back(self) -> None:
        if self._typed:
            self._search("")
        else:
            self.dismiss(None)

    def _search(self, query: str) -> None:
        self._typed = query = query.lstrip()[:_MAX_QUERY_CHARS]
        words, keys = found(self.words, query), found(self.keys, query)
        self.query_one(HelpText).show(words, keys)
        num = sum(map(len, (*words.values(), *keys.values())))
        what = f"{num} found" if num else "nothing found"
        line = self.query_one("#search", Static)
        line.set_class(bool(query), "-typed")
        line.update(Content(f"› {query}▏  {what} · esc clears" if query else "› type a key or a word to search"))


def main_help(key_map: KeyMap, glyphs: PlotGlyphs, first: str = "") -> HelpDialog:
    """Return the help of the main screen: the keys as `key_map` changes them, those under `first` before all else."""
    keys = {heading: key_entries(mapped(rows, key_map)) for heading, rows in KEY_TABLE.items()}
    of_place = {first: keys.pop(first)} if first else {}
    return HelpDialog({**of_place, **glossary(glyphs)}, keys)

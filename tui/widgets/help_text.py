"""`HelpText`: terms with sentences, under headings. One widget, since one per line takes half a second to lay out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from tui.formatting.cells import wrap

TERM_CELLS = 13

Entries = Sequence[tuple[str, str]]
"""Terms and their sentences."""


class HelpText(Widget):
    """Show entries under their headings, wrapped to the width."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"help-text--heading", "help-text--term", "help-text--sentence"}
    DEFAULT_CSS = """
    HelpText {
        height: auto;
        .help-text--heading { color: $text-primary; text-style: bold; }
        .help-text--term { color: $text-accent; }
        .help-text--sentence { color: $foreground; }
    }
    """

    def __init__(self, groups: Mapping[str, Entries]) -> None:
        """Show the entries of `groups` under its keys."""
        super().__init__()
        self.groups = groups

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002 - Textual's signature
        """Return the number of lines at that width."""
        return sum(1 for _ in self._lines(width))

    def render(self) -> Content:
        """Return the lines."""
        styles = {kind: self.get_visual_style(f"help-text--{kind}") for kind in ("heading", "term", "sentence")}
        return Content("\n").join(
            Content("").join(Content.styled(text, styles[kind]) for text, kind in line)
            for line in self._lines(self.size.width)
        )

    def _lines(self, width: int) -> Iterator[list[tuple[str, str]]]:
        """Yield each line in pieces: a text, and the name of its style."""
        for heading, entries in self.groups.items():
            yield []
            yield [(heading, "heading")]
            for term, sentence in entries:
                before = term + " " * (TERM_CELLS - cell_len(term))
                if cell_len(term) >= TERM_CELLS:
                    yield [(term, "term")]
                    before = " " * TERM_CELLS
                for start, end in wrap(sentence, max(1, width - TERM_CELLS)):
                    yield [(before, "term"), (sentence[start:end], "sentence")]
                    before = " " * TERM_CELLS

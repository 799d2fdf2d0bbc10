"""Two checkpoints side by side, with their differences highlighted."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from textual import work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.management import sample_of
from engine.text import ELLIPSIS, sanitize_line
from tui.formatting.checkpoint_facts import ComparedField, comparison
from tui.process.threads import on_own_thread
from tui.screens.dialogs.base import Dialog
from tui.widgets.terminal_info import loss_unit_of


class CompareDialog(Dialog[None]):
    """Show the metadata of two checkpoints and a tweet of each. Both have metadata."""

    DEFAULT_CSS = """
    CompareDialog {
        .row { height: auto; color: $text-muted; }
        .row > .name { width: 20%; min-width: 10; max-width: 20; margin-right: 1; }
        .row > .value { width: 1fr; height: auto; margin-right: 1; }
        .differs > .name { color: $text-accent; text-style: bold; }
        .differs > .value { color: $foreground; text-style: bold; }
        .heading > .value { color: $text-primary; text-style: bold; }
    }
    """

    def __init__(self, left: CheckpointEntry, right: CheckpointEntry) -> None:
        """Put `left` and `right` into the columns."""
        super().__init__("Compare checkpoints")
        self._entries = (left, right)

    def compose_body(self) -> ComposeResult:
        """Lay out a row per field of the metadata."""
        left, right = self._entries
        pairs = comparison(left.info, right.info, loss_unit_of(self)) if left.info and right.info else []
        with VerticalScroll():
            yield from _row(ComparedField("", left.name, right.name), "heading")
            for pair in pairs:
                yield from _row(pair, "differs" if pair.differs else "")
            yield from _row(ComparedField("a tweet", ELLIPSIS, ELLIPSIS), "", id="samples")

    def on_mount(self) -> None:
        """Find a tweet of each; name the keys that scroll while there is something to scroll."""
        self._find_samples()
        self.watch(self.query_one(VerticalScroll), "show_vertical_scrollbar", self._show_keys)

    def _show_keys(self, can_scroll: bool) -> None:  # noqa: FBT001 - a watcher's signature
        self.query_one("#box").border_subtitle = f"{'↑ ↓ scroll · ' if can_scroll else ''}{self.KEYS_LINE}"

    @work
    async def _find_samples(self) -> None:
        """Show a tweet sampled from each of the two, once it is found."""
        row = self.query_one("#samples")
        texts = []
        for entry, value in zip(self._entries, list(row.query(".value").results(Static)), strict=True):
            tweet = await on_own_thread(partial(sample_of, entry))
            texts.append(sanitize_line(tweet.text) if tweet else "–")
            value.update(texts[-1])
        row.set_class(len(set(texts)) > 1, "differs")


def _row(pair: ComparedField, classes: str, id: str | None = None) -> Iterator[Horizontal]:  # noqa: A002 - Textual's own name for it
    yield Horizontal(
        Static(pair.name, markup=False, classes="name"),
        *(Static(sanitize_line(value), markup=False, classes="value") for value in (pair.left, pair.right)),
        classes=f"row {classes}",
        id=id,
    )

"""What a terminal shows after any changes: the cells of the widgets, with no half of a wide character left over.

Between widgets and terminal are the regions that they repaint, Textual's compositor, our cropping of its updates, and
the compaction of output. The terminal is pyte's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from unicodedata import normalize

import pyte
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rich.cells import split_graphemes
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.events import Key
from textual.strip import Strip

from tests.fakes import tweet_sampled
from tests.tui.conftest import drawn, idle
from tui.run.fold import fold
from tui.run.view import RunView
from tui.terminal.app import TerminalApp
from tui.terminal.compaction import FrameBuffer
from tui.terminal.private import update_screen
from tui.text.cells import Line, Span
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.line_view import LineView, changed_cells

PIECES = st.sampled_from(("a", "b", " ", "é", "e\u0301", "日", "本", "😍", "ｱ", "⣀"))
TEXTS = st.lists(PIECES, max_size=40).map("".join)
SPANS = st.builds(Span, PIECES, st.sampled_from(("key", "label", "")))
WORDS = st.lists(st.lists(SPANS, min_size=1, max_size=30).map(tuple), min_size=1, max_size=4)
CHANGES = st.tuples(st.integers(0, 3), st.integers(0, 29), SPANS)
"""A line, a place in it, and what comes there."""
SIZES = st.tuples(st.integers(20, 60), st.integers(6, 12))
KEYS = st.sampled_from(("up", "down", "pageup", "home", "end")).map(lambda name: Key(name, None))
STEPS = st.lists(st.one_of(WORDS, CHANGES, CHANGES, CHANGES, TEXTS, SIZES, KEYS), min_size=12, max_size=30)


@pytest.fixture(autouse=True)
def _nothing_is_drawn_for_nobody() -> None:
    """Compute the updates of the terminal, in place of the fixture of this name, which drops them."""


class Words(LineView):
    """Shows any lines."""

    DEFAULT_CSS = "Words { height: 4; }"
    words: list[Line] = []  # noqa: RUF012 - only replaced

    def lines_for(self, width: int) -> list[Line]:
        return self.words


class TwoPanels(TerminalApp[None]):
    """Shows words above a feed, on a terminal."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.view, self.terminal, self._sync_available = RunView(), pyte.Screen(*size), True  # frames

    def compose(self) -> ComposeResult:
        yield Words()
        yield TweetFeed()

    def take(self, step: object) -> None:
        """Show other words or one changed, one more tweet or another size, or press a key."""
        words = self.query_one(Words)
        match step:
            case str():
                self.view = fold(self.view, [tweet_sampled(step, self.view.num_tweets + 1)])
                self.query_one(TweetFeed).show(self.view)
            case Key():
                self.post_message(step)
            case (int(y), int(x), Span() as span):
                words.words = [
                    (*line[:x], span, *line[x + 1 :]) if number == y else line
                    for number, line in enumerate(words.words)
                ]
            case list():
                words.words = step
        words.redraw()

    def cells_on(self, y: int) -> list[tuple[str, str, str, bool]]:
        """Return the cells of a line of the terminal, each as `cells_of` does."""
        cells = (self.terminal.buffer[y][x] for x in range(self.terminal.columns))
        return [(cell.data, cell.fg, cell.bg, cell.bold) for cell in cells]


def cells_of(strip: Strip) -> Iterator[tuple[str, str, str, bool]]:
    """Yield the cells of a line: character, "" for the second half of a wide one, both colours, whether bold."""
    for text, style, _ in strip:
        assert style is not None
        assert style.color is not None
        assert style.bgcolor is not None
        look = style.color.get_truecolor().hex[1:], style.bgcolor.get_truecolor().hex[1:], bool(style.bold)
        for start, end, width in split_graphemes(text)[0]:
            yield normalize("NFC", text[start:end]), *look
            yield from [("", *look)] * (width - 1)


@settings(max_examples=8, phases=[Phase.generate])  # to shrink a failure would take minutes
@given(SIZES, STEPS)
def test_the_terminal_shows_the_cells_of_the_widgets_after_every_change(
    size: tuple[int, int], steps: list[object]
) -> None:
    async def run() -> None:
        app, frames = TwoPanels(size), FrameBuffer()
        stream = pyte.Stream(app.terminal)
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setattr(HeadlessDriver, "is_headless", False)
            monkeypatch.setattr(HeadlessDriver, "write", lambda _, data: stream.feed(frames.add(data)))
            async with app.run_test(size=size) as pilot:
                for step in ("a", *steps):
                    match step:
                        case (int(width), int(height)):
                            app.terminal.resize(height, width)
                            await pilot.resize_terminal(width, height)
                        case _:
                            app.take(step)
                    await idle()
                    update_screen(app.screen)
                    for y, strip in enumerate(drawn(app)):
                        assert app.cells_on(y) == list(cells_of(strip)), (step, y, strip.text)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("abcd|ef", "abcd|ef", []),
        ("abcd|ef", "abXd|ef", [(2, 3)]),
        ("abcd|ef", "abcde|f", [(4, 5)]),
        ("abcd|ef", "ab日d|e", [(0, 6)]),
        ("a日e\u0347c|d", "a日e\u0347c|X", [(0, 6)]),  # a wide one and a mark
        (f"ab{' ' * 40}|e", f"Xb{' ' * 40}|Y", [(0, 1), (42, 43)]),  # what is far apart
    ],
)
def test_changed_cells_are_exact_and_lines_with_wide_characters_change_whole(
    old: str, new: str, expected: list[tuple[int, int]]
) -> None:
    """What is behind the bar is red."""
    styles = Style(), Style(color="red")
    strips = [Strip(map(Segment, text.split("|"), styles)) for text in (old, new)]
    assert list(changed_cells(*strips)) == expected

"""What a terminal shows after any changes: the cells of the widgets, with no half of a wide character left over.

Between widgets and terminal are the regions that they repaint, Textual's compositor, our cropping of its updates, and
the compaction of output. The terminal is pyte's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from textual.pilot import Pilot
from textual.strip import Strip

from tests.fakes import tweet_sampled
from tests.tui.conftest import drawn
from tui.run.fold import fold
from tui.run.view import RunView
from tui.terminal.app import TerminalApp
from tui.terminal.compaction import FrameBuffer
from tui.terminal.private import update_screen
from tui.text.cells import Line, Span
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.line_view import LineView, changed_cells

Cell = tuple[str, str, str, bool]
"""Its character, empty for the second half of a wide one, its colour, its background, and whether it is bold."""

PIECES = st.sampled_from(("a", "b", " ", "é", "e\u0301", "日", "本", "😍", "ｱ", "⣀"))
TEXTS = st.lists(PIECES, max_size=40).map("".join)
SPANS = st.builds(Span, PIECES, st.sampled_from(("key", "label", "")))
WORDS = st.lists(st.lists(SPANS, min_size=1, max_size=30), min_size=1, max_size=4)
CHANGES = st.tuples(st.integers(0, 3), st.integers(0, 29), SPANS)
"""A line, a place in it, and what comes there."""
SIZES = st.tuples(st.integers(20, 60), st.integers(6, 12))
KEYS = st.sampled_from((("up",), ("down",), ("pageup",), ("home",), ("end",)))
STEPS = st.lists(st.one_of(WORDS, CHANGES, CHANGES, CHANGES, TEXTS, SIZES, KEYS), min_size=12, max_size=30)


class Words(LineView):
    """Shows any lines."""

    DEFAULT_CSS = "Words { height: 4; }"
    words: Sequence[Sequence[Span]] = ()

    def lines_for(self, width: int) -> list[Line]:
        return [*map(tuple, self.words)]


class TwoPanels(TerminalApp[None]):
    """Shows words above a feed."""

    def compose(self) -> ComposeResult:
        yield Words()
        yield TweetFeed()


@pytest.fixture(autouse=True)
def _nothing_is_drawn_for_nobody() -> None:
    """Compute the updates of the terminal, in place of the fixture of this name, which drops them."""


@contextmanager
def terminal_of(width: int, height: int) -> Iterator[pyte.Screen]:
    """Have what an app draws meanwhile written to a terminal of that size."""
    screen = pyte.Screen(width, height)
    stream, frames = pyte.Stream(screen), FrameBuffer()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(HeadlessDriver, "is_headless", False)
        monkeypatch.setattr(HeadlessDriver, "write", lambda _, data: stream.feed(frames.add(data)))
        yield screen


def cells_of(strip: Strip) -> Iterator[Cell]:
    """Yield the cells of a line that a widget has drawn."""
    for text, style, _ in strip:
        assert style is not None
        assert style.color is not None
        assert style.bgcolor is not None
        look = style.color.get_truecolor().hex[1:], style.bgcolor.get_truecolor().hex[1:], bool(style.bold)
        for start, end, width in split_graphemes(text)[0]:
            yield normalize("NFC", text[start:end]), *look
            for _ in range(width - 1):
                yield "", *look


def cells_on(terminal: pyte.Screen, y: int) -> list[Cell]:
    """Return the cells of a line of the terminal."""
    found = (terminal.buffer[y][x] for x in range(terminal.columns))
    return [(cell.data, cell.fg, cell.bg, cell.bold) for cell in found]


async def take(step: object, pilot: Pilot[None], view: RunView, terminal: pyte.Screen) -> RunView:
    """Show other words or one changed, one more tweet or another size, or press a key; return the view of the feed."""
    app, words = pilot.app, pilot.app.query_one(Words)
    match step:
        case str():
            view = fold(view, [tweet_sampled(step, view.num_tweets + 1)])
            app.query_one(TweetFeed).show(view)
        case (int(width), int(height)):
            terminal.resize(height, width)
            await pilot.resize_terminal(width, height)
        case (str(key),):
            await pilot.press(key)
        case (int(y), int(x), Span() as span):
            words.words = [
                [*line[:x], span, *line[x + 1 :]] if number == y else line for number, line in enumerate(words.words)
            ]
            words.redraw()
        case list():
            words.words = step
            words.redraw()
    await pilot.pause()
    update_screen(app.screen)
    return view


@settings(max_examples=8, phases=[Phase.generate])  # to shrink a failure would take minutes
@given(SIZES, STEPS)
def test_the_terminal_shows_the_cells_of_the_widgets_after_every_change(
    size: tuple[int, int], steps: list[object]
) -> None:
    async def run() -> None:
        app, view = TwoPanels(), RunView()
        with terminal_of(*size) as terminal:
            async with app.run_test(size=size) as pilot:
                app._sync_available = True  # frames
                for step in ("a", *steps):
                    view = await take(step, pilot, view, terminal)
                    for y, strip in enumerate(drawn(app)):
                        assert cells_on(terminal, y) == list(cells_of(strip)), (step, y, strip.text)

    asyncio.run(run())


def test_changed_cells_are_exact_and_lines_with_wide_characters_change_whole() -> None:
    red, plain_style = Style(color="red"), Style()

    def cells(*texts: str) -> Strip:
        return Strip([Segment(text, style) for text, style in zip(texts, (plain_style, red), strict=True)])

    def changed(old: Strip, new: Strip) -> list[tuple[int, int]]:
        return list(changed_cells(old, new))

    old = cells("abcd", "ef")
    assert changed(old, cells("abcd", "ef")) == []
    assert changed(old, cells("abXd", "ef")) == [(2, 3)]
    assert changed(old, cells("abcde", "f")) == [(4, 5)]
    assert changed(old, cells("ab日d", "e")) == [(0, 6)]
    assert changed(cells("a日e\u0347c", "d"), cells("a日e\u0347c", "X")) == [(0, 6)], "a wide one and a mark"
    far = " " * 40
    assert changed(cells("ab" + far, "e"), cells("Xb" + far, "Y")) == [(0, 1), (42, 43)], "what is far apart"

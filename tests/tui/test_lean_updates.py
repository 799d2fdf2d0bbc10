"""Only cells that were asked to be repainted are sent."""

from __future__ import annotations

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.strip import Strip

from tui.lean_updates import TEXTUALS_OWN, render_cropped, send_only_changed_cells

CONSOLE = Console(color_system=None)


def update(*spans: tuple[int, int, int]) -> ChopsUpdate:
    """Return an update of two lines, each from a widget of 6 cells and one of 4."""
    line = {0: Strip([Segment("abc", Style()), Segment("def", Style())]), 6: Strip([Segment("ghij", Style())])}
    return ChopsUpdate([line, line], list(spans), [[6, 10], [6, 10]])


def sent(text: str) -> list[str]:
    """Return what is sent, cut where the cursor moves."""
    return [piece.replace("\x1b[", "") for piece in text.split("\x1b[") if piece]


def test_only_the_cells_of_each_span_are_sent() -> None:
    assert sent(render_cropped(update((0, 2, 4)), CONSOLE)) == ["1;3Hcd"]
    assert sent(render_cropped(update((0, 2, 3), (0, 8, 10), (1, 9, 10)), CONSOLE)) == ["1;3Hc\n", "1;9Hij\n", "2;10Hj"]


def test_a_span_across_widgets_is_sent_whole() -> None:
    assert sent(render_cropped(update((1, 5, 8)), CONSOLE)) == ["2;6Hf", "2;7Hgh"]


def test_textual_itself_still_sends_what_stands_left_of_it() -> None:
    """Once this fails, `tui.lean_updates` is no longer needed."""
    assert sent(TEXTUALS_OWN(update((0, 2, 4)), CONSOLE)) == ["1;1Habcd"]


def test_every_app_of_the_process_does_so() -> None:
    send_only_changed_cells()
    assert update((0, 2, 4)).render_segments(CONSOLE) == render_cropped(update((0, 2, 4)), CONSOLE)

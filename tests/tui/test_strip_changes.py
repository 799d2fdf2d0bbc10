"""Which cells of a line changed."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.widgets.strip_changes import changed_cells


def test_changed_cells_are_found_to_the_cell() -> None:
    red, plain = Style(color="red"), Style()
    old = Strip([Segment("abcd", plain), Segment("ef", red)])
    assert changed_cells(old, Strip([Segment("ab", plain), Segment("cd", plain), Segment("ef", red)])) is None
    assert changed_cells(old, Strip([Segment("abXd", plain), Segment("ef", red)])) == (2, 3)
    assert changed_cells(old, Strip([Segment("abcde", plain), Segment("f", red)])) == (4, 5)
    assert changed_cells(old, Strip([Segment("abc", plain)])) == (0, 3)
    assert changed_cells(old, Strip([Segment("ab日d", plain), Segment("e", red)])) == (0, 6)

"""Which cells of a line are repainted."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.widgets.line_view import changed_cells


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

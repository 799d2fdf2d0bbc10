"""The cells of a picture: curves without holes, and which cells change."""

from __future__ import annotations

import numpy as np

from tui.widgets.plot.axes import Limits
from tui.widgets.plot.cells import CellGrid, curve_dots


def test_a_curve_has_no_holes_however_steep_it_is() -> None:
    values, no_gap = np.array([np.nan, 0.0, 9.9, 5.0, np.nan, 0.0, np.nan]), np.zeros(7, bool)
    dots = curve_dots(values, values, no_gap, Limits(0, 10), 10)
    assert dots.sum(axis=0).tolist() == [0, 1, 9, 5, 2, 2, 0]
    assert np.flatnonzero(dots[:, 2]).tolist() == list(range(9))


def test_changed_cells_are_exact_and_wide_characters_change_whole() -> None:
    before = CellGrid.blank(60, 2)
    after = before.copy()
    assert list(after.changes(before)) == []
    after.write(3, 0, "x", "tick")
    after.write(40, 0, "日", "tick")
    after.write(6, 1, "", "tick")
    assert list(after.changes(before)) == [(3, 0, 1), (40, 0, 2)]
    again = after.copy()
    again.write(41, 0, "y", "tick")
    assert list(again.changes(after)) == [(40, 0, 2)]

"""The pages of the side panel: every line is on one, and the last row names the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.config.run import TrainingConfig
from tests.tui.widgets.status.test_facts import groups, running
from tui.text.cells import plain
from tui.widgets.status.side_panel import column_cells, page_lines, paged


@given(st.integers(20, 90), st.integers(3, 40))
def test_every_line_of_every_group_is_on_some_page_whose_last_row_names_groups_of_the_others(
    width: int, height: int
) -> None:
    view = running(TrainingConfig(max_steps=1200))
    cells = column_cells(width)
    pages = paged(groups(view, cells), width, height)
    shown = [page_lines(pages, number, width, height) for number in range(len(pages))]
    assert all(cell_len(plain([line])) <= width for lines in shown for line in lines)
    assert all(len(lines) == height for lines in shown)
    text = plain([line for lines in shown for line in lines])
    assert all(plain([line]) in text for group in groups(view, cells) for line in group.lines)
    for number, lines in enumerate(shown if len(pages) > 1 else ()):
        others = list(dict.fromkeys(name for each in [*pages[number + 1 :], *pages[:number]] for name in each.names))
        count, _, named = plain(lines[-1:]).removesuffix("  h").partition(": ")
        assert count == f"+{len(others)} more"
        assert ", ".join(others).startswith(named.removesuffix(" …"))
        assert named.endswith(" …") or not named or named == ", ".join(others)

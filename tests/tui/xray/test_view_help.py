"""Names, keys and help of the views."""

from __future__ import annotations

import pytest

from tui.xray.view_help import view_help
from tui.xray.view_names import VIEW_NAMES, VIEW_TITLES, ViewName, view_key


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_each_view_is_explained_in_five_sentences(view: ViewName) -> None:
    lines = view_help(view)
    assert len(lines) == 5
    assert all(not line[0].islower() and line[-1] in ".?" and len(line) <= 115 for line in lines)


def test_each_view_has_a_title_and_a_digit_in_order() -> None:
    assert tuple(VIEW_TITLES) == VIEW_NAMES
    assert "".join(map(view_key, VIEW_NAMES)) == "12345"

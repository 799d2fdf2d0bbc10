"""The help of the views."""

from __future__ import annotations

import pytest

from tui.xray.view_help import view_help
from tui.xray.view_names import VIEW_NAMES, ViewName


@pytest.mark.parametrize("view", VIEW_NAMES)
def test_each_view_is_explained_in_five_sentences(view: ViewName) -> None:
    lines = view_help(view)
    assert len(lines) == 5
    assert all(not line[0].islower() and line[-1] in ".?" and len(line) <= 115 for line in lines)

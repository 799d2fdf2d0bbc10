"""Five lines of help for each view: what is seen, how it is computed, what to look for."""

from __future__ import annotations

from tui.xray import gates_view, map_view, reach_view, step_view, units_view
from tui.xray.view_names import ViewName

_HELP: dict[ViewName, tuple[str, ...]] = {
    "step": step_view.HELP,
    "gates": gates_view.HELP,
    "reach": reach_view.HELP,
    "units": units_view.HELP,
    "map": map_view.HELP,
}


def view_help(view: ViewName) -> tuple[str, ...]:
    """Return the five lines that explain a view."""
    return _HELP[view]

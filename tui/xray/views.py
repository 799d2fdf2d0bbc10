"""`VIEWS`: the views of the X-ray in the order of their keys; and a view as a page."""

from __future__ import annotations

from collections.abc import Callable

from engine.protocol.insight import Insight, InsightEvent
from tui.xray import char_map, gates, reach, step, units
from tui.xray.drawing import Glyphs, Picture, wrapped
from tui.xray.state import Answers, View, ViewName, XrayState
from tui.xray.text_strip import TextStrip

VIEWS: dict[ViewName, View] = {
    view.name: view for view in (step.VIEW, gates.VIEW, reach.VIEW, units.VIEW, char_map.VIEW)
}
"""By name; the first has the key 1."""


def answered(state: XrayState, ask: Callable[[Insight], InsightEvent]) -> tuple[XrayState, Answers]:
    """Return the answers of `ask` to all that the view of `state` asks, and the state with an item selected."""
    view, answers = VIEWS[state.view], Answers()
    asked: set[Insight] = set()
    while due := [command for command in view.asks(state) if command not in asked]:
        for command in due:
            asked.add(command)
            answers.add(command, ask(command))
        if view.select is not None:
            state = view.select(state, answers, 0)
    return state, answers


def page(state: XrayState, answers: Answers, width: int, glyphs: Glyphs) -> Picture:
    """Return the text, what the view shows at the cursor, and its sentence, in `width` cells.

    All that the view asks must be answered.
    """
    view = VIEWS[state.view]
    shown = view.show(state, answers, glyphs)
    assert shown is not None  # noqa: S101 - all is answered
    strip = TextStrip(state.text, width, glyphs)
    legend = () if shown.shades is None else (shown.shades.legend(glyphs),)
    return (
        *strip.picture(state.cursor, 2 * strip.num_lines, shown.shades),
        *legend,
        (),
        *shown.render(width, view.height),
        (),
        *wrapped(shown.sentence, width, "title"),
    )

"""One view of the X-ray as a page: the text, what the view shows at the cursor, and its sentence. Pure."""

from __future__ import annotations

from typing import TypeAlias

from engine.protocol.insight import EmbeddingsMapped, ReachMeasured, TextTraced
from tui.xray import gates_view, map_view, reach_view, step_view, units_view
from tui.xray.glyphs import Glyphs
from tui.xray.layout import wrapped
from tui.xray.shades import Shades
from tui.xray.spans import Picture
from tui.xray.text_strip import TextStrip
from tui.xray.units_view import UnitAnswers
from tui.xray.view_names import ViewName

ViewAnswer: TypeAlias = TextTraced | ReachMeasured | UnitAnswers | EmbeddingsMapped
"""What a view draws."""
_HEIGHTS: dict[ViewName, int] = {"step": 22, "gates": 24, "reach": 13, "units": 26, "map": 28}
"""The most lines of a view."""


def page(view: ViewName, answer: ViewAnswer, text: str, cursor: int, width: int, glyphs: Glyphs) -> Picture:
    """Return the page in `width` cells, as high as its content."""
    body, shades, sentence = _parts(view, answer, text, cursor, width, glyphs)
    strip = TextStrip(text, width, glyphs)
    legend = () if shades is None else (shades.legend(glyphs),)
    return (
        *strip.picture(cursor, 2 * strip.num_lines, shades),
        *legend,
        (),
        *body,
        (),
        *wrapped(sentence, width, "title"),
    )


def _parts(
    view: ViewName, answer: ViewAnswer, text: str, cursor: int, width: int, glyphs: Glyphs
) -> tuple[Picture, Shades | None, str]:
    """Return what the view shows, its values along the text, and its sentence."""
    size = width, _HEIGHTS[view]
    match answer:
        case TextTraced():
            of_trace = step_view if view == "step" else gates_view
            body = of_trace.render(answer, cursor, *size, glyphs)
            return body, of_trace.shades(answer, cursor), of_trace.sentence(answer, cursor, glyphs)
        case ReachMeasured():
            body = reach_view.render(answer, cursor, *size, glyphs)
            return body, reach_view.shades(answer, cursor), reach_view.sentence(answer, cursor, glyphs)
        case UnitAnswers():
            body = units_view.render(answer, cursor, *size, glyphs)
            return body, units_view.shades(answer, cursor), units_view.sentence(answer, cursor, glyphs)
        case EmbeddingsMapped():
            char = text[cursor - 1] if cursor else ""
            body = map_view.render(answer, char, *size, glyphs)
            return body, map_view.shades(answer, text, char), map_view.sentence(answer)

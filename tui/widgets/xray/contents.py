"""What a view shows of the answers so far: a picture for any size, values along the text, and a sentence. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from engine.protocol.commands import MapEmbeddings, TraceText
from engine.protocol.events import EmbeddingsMapped, TextTraced
from tui.widgets.xray.questions import Questions
from tui.widgets.xray.state import XrayState
from tui.xray import gates_view, map_view, step_view
from tui.xray.glyphs import Glyphs
from tui.xray.shades import Shades
from tui.xray.spans import Picture


@dataclass(frozen=True, kw_only=True)
class Content:
    """One view of the latest answers."""

    render: Callable[[int, int], Picture]
    """Returns a picture of at most that many columns and lines."""
    sentence: str
    weights_step: int
    """Of the weights that are shown."""
    shades: Shades | None = None
    num_layers: int = 1


def content_of(state: XrayState, questions: Questions, glyphs: Glyphs) -> Content | None:
    """Return what is shown; None before the answers for this text."""
    match state.view:
        case "step" | "gates":
            traced = _traced(state, questions)
            return None if traced is None else _of_trace(state, traced, glyphs)
        case "map":
            answer = questions.answer(MapEmbeddings, EmbeddingsMapped)
            return None if answer is None else _of_map(state, answer[1], glyphs)
        case _:
            return None


def _of_trace(state: XrayState, traced: TextTraced, glyphs: Glyphs) -> Content:
    view = step_view if state.view == "step" else gates_view
    draw = step_view.render if state.view == "step" else partial(gates_view.render, gate=state.gate)
    return Content(
        render=lambda width, height: draw(traced, state.cursor, width, height, glyphs),
        sentence=view.sentence(traced, state.cursor, glyphs),
        shades=view.shades(traced, state.cursor),
        weights_step=traced.weights_step,
        num_layers=traced.num_layers,
    )


def _traced(state: XrayState, questions: Questions) -> TextTraced | None:
    """Return the trace of the text, without draws that are not those that the user wants to see."""
    answer = questions.answer(TraceText, TextTraced)
    if answer is None or answer[0].text != state.text:
        return None
    command, traced = answer
    is_wanted = (command.own_from, command.seed) == (state.own_from, state.seed)
    return traced if is_wanted else replace(traced, own=None)


def _of_map(state: XrayState, mapped: EmbeddingsMapped, glyphs: Glyphs) -> Content:
    read = state.text[state.cursor - 1 : state.cursor] if state.cursor else ""
    return Content(
        render=lambda width, height: map_view.render(mapped, width=width, height=height, glyphs=glyphs, selected=read),
        sentence=map_view.sentence(mapped),
        weights_step=mapped.weights_step,
    )

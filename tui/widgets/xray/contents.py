"""What a view shows of the answers so far: a picture for any size, values along the text, and a sentence. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import msgspec

from engine.model.vocab import UNK
from engine.protocol.insight import (
    EmbeddingsMapped,
    HoldUnit,
    MapEmbeddings,
    MeasureReach,
    ReachMeasured,
    ScoreUnits,
    TextTraced,
    TraceText,
    UnitHeld,
    UnitsScored,
)
from tui.widgets.xray.questions import Questions
from tui.widgets.xray.state import XrayState
from tui.xray import gates_view, map_view, reach_view, step_view, units_view
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
    unknown_chars: tuple[str, ...] = ()
    """Characters of the text outside the vocabulary; empty in views whose answer has no token ids."""


def content_of(state: XrayState, questions: Questions, glyphs: Glyphs) -> Content | None:
    """Return what is shown; None before the answers for this text."""
    match state.view:
        case "step" | "gates":
            return _of_trace(state, questions, glyphs)
        case "reach":
            return _of_reach(state, questions, glyphs)
        case "units":
            return _of_units(state, questions, glyphs)
        case "map":
            return _of_map(state, questions, glyphs)
        case _:
            assert_never(state.view)


def _of_trace(state: XrayState, questions: Questions, glyphs: Glyphs) -> Content | None:
    traced = _traced(state, questions)
    if traced is None:
        return None
    view = step_view if state.view == "step" else gates_view
    draw = step_view.render if state.view == "step" else partial(gates_view.render, gate=state.gate)
    pairs = zip(traced.text, traced.token_ids[1:], strict=False)
    return Content(
        render=lambda width, height: draw(traced, state.cursor, width, height, glyphs),
        sentence=view.sentence(traced, state.cursor, glyphs),
        weights_step=traced.weights_step,
        shades=view.shades(traced, state.cursor),
        num_layers=traced.num_layers,
        unknown_chars=tuple(dict.fromkeys(char for char, token_id in pairs if token_id == UNK)),
    )


def _traced(state: XrayState, questions: Questions) -> TextTraced | None:
    """Return the trace of the text; without own draws if they have another start or seed than the chosen one."""
    answer = questions.answer(TraceText, TextTraced)
    if answer is None or answer[0].text != state.text:
        return None
    command, traced = answer
    is_wanted = (command.own_from, command.seed) == (state.own_from, state.seed)
    return traced if is_wanted else msgspec.structs.replace(traced, own=None)


def _of_reach(state: XrayState, questions: Questions, glyphs: Glyphs) -> Content | None:
    answer = questions.answer(MeasureReach, ReachMeasured)
    if answer is None or answer[0].text != state.text:
        return None
    measured = answer[1]
    return Content(
        render=lambda width, height: reach_view.render(measured, state.cursor, width, height, glyphs),
        sentence=reach_view.sentence(measured, state.cursor, glyphs),
        weights_step=measured.weights_step,
        shades=reach_view.shades(measured, state.cursor),
    )


def _of_units(state: XrayState, questions: Questions, glyphs: Glyphs) -> Content | None:
    scored = questions.answer(ScoreUnits, UnitsScored)
    if scored is None:
        return None
    held = questions.answer(HoldUnit, UnitHeld)
    traced = _traced(state, questions)
    answers = units_view.UnitAnswers(
        scored=scored[1],
        held=held[1] if held is not None and held[0].text == state.text else None,
        free_chars=() if traced is None else traced.chars,
    )
    sentence = units_view.sentence(answers, state.cursor, glyphs)
    return Content(
        render=lambda width, height: units_view.render(answers, state.cursor, width, height, glyphs),
        sentence=_unanswered(state, None if held is None else held[0]) or sentence,
        weights_step=scored[1].weights_step if answers.held is None else answers.held.weights_step,
        shades=units_view.shades(answers, state.cursor),
    )


def _unanswered(state: XrayState, held: HoldUnit | None) -> str:
    """Return what is computed until the answer on a held unit is there; empty once it is, or if none is held."""
    if state.unit is None or state.value is None:
        return ""
    if held is not None and (held.layer, held.unit, held.value) == (*state.unit, state.value):
        return ""
    return f"Unit {state.unit[1]} is held at {state.value:+.2f}: its tweets and predictions are being computed…"


def _of_map(state: XrayState, questions: Questions, glyphs: Glyphs) -> Content | None:
    answer = questions.answer(MapEmbeddings, EmbeddingsMapped)
    if answer is None:
        return None
    mapped = answer[1]
    char = state.text[state.cursor - 1] if state.cursor else ""
    return Content(
        render=lambda width, height: map_view.render(mapped, char, width, height, glyphs),
        sentence=map_view.sentence(mapped),
        weights_step=mapped.weights_step,
        shades=map_view.shades(mapped, state.text, char),
    )

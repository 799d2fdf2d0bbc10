"""The rules of every stream of events, as one function."""

from __future__ import annotations

import dataclasses
import math
import unicodedata
from collections.abc import Iterator, Sequence

import msgspec

from engine.protocol import codec
from engine.protocol import events as e

MAX_CHARS = 4000
JOINERS = "\u200c\u200d"


def assert_valid_stream(emitted: Sequence[e.Event]) -> None:
    """Check a whole stream, from its first event to its last."""
    _begins_and_ends_as_it_should(emitted)
    _steps_go_on_without_gap(emitted)
    _nothing_is_learned_in_a_pause(emitted)
    for event in emitted:
        for value in values_in(event):
            if isinstance(value, float):
                assert math.isfinite(value), event
            elif isinstance(value, str):
                _is_harmless(value, event)
        assert e.from_json(codec.encode(event)) == event


def _begins_and_ends_as_it_should(emitted: Sequence[e.Event]) -> None:
    is_last = [isinstance(event, e.RunFinished | e.RunFailed) for event in emitted]
    assert is_last == [False] * (len(emitted) - 1) + [True]
    is_first = [isinstance(event, e.RunStarted) for event in emitted]
    has_failed_at_once = len(emitted) == 1 and isinstance(emitted[0], e.RunFailed) and emitted[0].step == 0
    assert has_failed_at_once or is_first == [True] + [False] * (len(emitted) - 1)


def _steps_go_on_without_gap(emitted: Sequence[e.Event]) -> None:
    step, seconds = emitted[0].step, emitted[0].elapsed_seconds
    for event in emitted:
        assert event.elapsed_seconds >= seconds, event
        seconds = event.elapsed_seconds
        match event:
            case e.CheckpointLoaded():
                pass
            case e.StepsFinished():
                assert event.first_step == step + 1, event
                assert len(event.train_losses) == len(event.grad_norms) == event.step - step, event
            case e.Warned():
                assert event.step in {step, step + 1}, event  # one more: a skipped step
            case _:
                assert event.step == step, event
        step = event.step


def _nothing_is_learned_in_a_pause(emitted: Sequence[e.Event]) -> None:
    paused: e.Paused | None = None
    for event in emitted:
        match event:
            case e.Paused():
                assert paused is None
                paused = event
            case e.Resumed():
                assert paused is not None
                paused = None
            case e.StepsFinished() | e.EvalFinished():
                assert paused is None, event
        assert paused is None or event.elapsed_seconds == paused.elapsed_seconds, event


def _is_harmless(text: str, event: e.Event) -> None:
    assert len(text) <= MAX_CHARS, event
    for char in text:
        category = unicodedata.category(char)
        assert category not in {"Zl", "Zp"}, (char, event)
        assert category[0] != "C" or char in JOINERS, (char, event)


def values_in(value: object) -> Iterator[object]:
    """Yield all numbers and strings in an event or another value, however deep."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from values_in(getattr(value, field.name))
    elif isinstance(value, msgspec.Struct):
        yield from values_in(tuple(getattr(value, name) for name in value.__struct_fields__))
    elif isinstance(value, dict):
        yield from values_in((*value, *value.values()))
    elif isinstance(value, tuple):
        for item in value:
            yield from values_in(item)
    else:
        yield value

"""The loss in words: where the model is among models that use less of the tweet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tui.run.marks import Baseline
from tui.text.numbers import format_bits
from tui.xray.drawing import Glyphs, Kind, Picture, Span, fitted, wrapped

_WIDE = 66
_NUMBER_CELLS = 11
_MAX_BAR_CELLS = 40
_SHORT_NAMES = {"uniform": "log2 V (uniform)"}
_MEANINGS = {
    "uniform": "log2 V: each character equally likely",
    "unigram": "unigram: only how frequent each is",
    "bigram": "bigram: 1 character before",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """One mark of the scale."""

    name: str
    bits: float
    meaning: str = ""
    """In place of the name where there is room."""
    kind: Kind = "text"


def place_of(baseline: Baseline) -> Place:
    """Return the place of a baseline, with what it uses of the tweet."""
    order = baseline.name.partition("-")[0]
    meaning = _MEANINGS.get(baseline.name) or f"{baseline.name}: {int(order) - 1} characters before"
    return Place(name=baseline.name, bits=baseline.bits_per_char, meaning=meaning)


def scale_picture(
    places: Sequence[Place], sentence: str, width: int, height: int, glyphs: Glyphs, note: str = ""
) -> Picture:
    """Return the places, the highest loss first, with bars, a sentence on where the model is, and a note if it fits."""
    last = wrapped(sentence, width, "title")
    below = wrapped(note, width, "muted") if note else ()
    last += below if len(places) + len(last) + len(below) <= height else ()
    places = _fitting(places, max(height - len(last), 1))
    highest = max((place.bits for place in places), default=1.0)
    is_wide = width >= _WIDE
    names = [(place.meaning if is_wide else "") or _SHORT_NAMES.get(place.name, place.name) for place in places]
    name_cells = max(map(len, names), default=0) + 1
    cells = max(min(width - name_cells - _NUMBER_CELLS, _MAX_BAR_CELLS), 1)
    rows = [
        (
            Span(name.ljust(name_cells), place.kind),
            Span(glyphs.bar(place.bits / highest, cells), "bar" if place.kind == "text" else place.kind),
            Span(f" {format_bits(place.bits)} bits", place.kind),
        )
        for place, name in sorted(zip(places, names, strict=True), key=lambda pair: -pair[0].bits)
    ]
    return fitted((*rows, *last), width, height, glyphs)


def _fitting(places: Sequence[Place], num_rows: int) -> Sequence[Place]:
    """Return at most `num_rows` places; the baselines with the lowest losses are left out first."""
    baselines = sorted((place for place in places if place.kind == "text"), key=lambda place: -place.bits)
    others = [place for place in places if place.kind != "text"]
    return [*others, *baselines[: max(num_rows - len(others), 0)]][:num_rows]


def sentence_on(bits: float | None, baselines: Sequence[Baseline]) -> str:
    """Return which baselines a validation loss has passed."""
    if bits is None or not baselines:
        return "The levels are being measured." if not baselines else "No validation yet: it comes every 100 steps."
    passed = [baseline.name for baseline in baselines if bits < baseline.bits_per_char]
    ahead = [baseline.name for baseline in baselines if bits >= baseline.bits_per_char]
    if not passed:
        return "It has passed none of them yet."
    rest = f"; next is the {ahead[0]}" if ahead else ": it uses more of the tweet than any of them"
    return f"It has passed the {passed[-1]}{rest}."


def note_on_units(baselines: Sequence[Baseline]) -> str:
    """Return the highest loss in bits and in nats; empty before the baselines are measured."""
    bits = next((baseline.bits_per_char for baseline in baselines if baseline.name == "uniform"), None)
    if bits is None:
        return ""
    return f"log2 V = {format_bits(bits)} bits is ln V = {format_bits(bits, 'nats')} nats, as PyTorch prints it."

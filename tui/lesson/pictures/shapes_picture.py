"""The parts of the model with the shapes that a batch has between them, and the parameters of each part."""

from __future__ import annotations

from dataclasses import dataclass

from engine.config.run import ModelConfig
from tui.text.numbers import format_count
from tui.xray.drawing import Glyphs, Kind, Line, Picture, Span, fitted, wrapped

_NAME_CELLS, _SHAPE_CELLS = 11, 15
_WIDE = 54
_TALL = 10
"""From here on each part has a line of its own, between the arrays."""
_GRU = 3
"""Its place among the parts."""
_GRU_FORMULA = "3: the gates r and z and the candidate n; 2: their biases for input and state, b_i and b_h."


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The numbers of a run and of its batch."""

    model: ModelConfig
    vocab_size: int
    num_tweets: int
    """B"""
    num_columns: int
    """T, with `<BOS>`"""


@dataclass(frozen=True)
class Part:
    """A part of the model: name, formula and number of parameters; name, letters and shape of the array it returns."""

    name: str
    formula: str
    num_parameters: int
    output: str
    letters: str
    shape: tuple[int, ...]


def parts(sizes: Sizes) -> tuple[Part, ...]:
    """Return the ids, then the three parts of a model with one layer."""
    embedding, hidden, vocab = sizes.model.embedding_size, sizes.model.hidden_size, sizes.vocab_size
    rows = sizes.num_tweets, sizes.num_columns
    return (
        Part("ids", "", 0, "ids", "(B, T)", rows),
        Part("embedding", "V x E", vocab * embedding, "embeddings", "(B, T, E)", (*rows, embedding)),
        Part(
            "GRU", "3 x H x (E + H + 2)", 3 * hidden * (embedding + hidden + 2), "states", "(B, T, H)", (*rows, hidden)
        ),
        Part("projection", "V x (H + 1)", vocab * (hidden + 1), "logits", "(B, T, V)", (*rows, vocab)),
    )


def shapes_picture(sizes: Sizes, num_seen: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the first `num_seen` parts with their numbers, and the others by name only."""
    shown = parts(sizes)
    total = sum(part.num_parameters for part in shown)
    lines: list[Line] = []
    for number, part in enumerate(shown):
        is_seen = number < num_seen
        if part.formula and height >= _TALL:
            lines.append(_connector(part, total, glyphs, is_seen=is_seen, width=width))
        lines.append(_array(part, width, is_seen=is_seen, is_short=height < _TALL))
    notes = wrapped(_sum(sizes, total, is_seen=num_seen >= len(shown)), width, "title")
    if num_seen >= _GRU:
        notes += wrapped(_GRU_FORMULA, width)
    if num_seen >= len(shown):
        notes += wrapped("Each place (b, t) holds V scores for its next character; softmax makes them sum to 1.", width)
    gap: Picture = ((),) if len(lines) + len(notes) < height else ()
    return fitted((*lines, *gap, *notes), width, height, glyphs)


def _array(part: Part, width: int, *, is_seen: bool, is_short: bool) -> Line:
    """Return the array after a part, with letters and numbers."""
    kind: Kind = "value" if is_seen else "muted"
    numbers = f"({', '.join(map(str, part.shape))})" if is_seen else "?"
    line = (
        Span(part.output.ljust(_NAME_CELLS), kind),
        Span(part.letters.ljust(_NAME_CELLS), "muted"),
        Span(numbers.ljust(_SHAPE_CELLS), kind),
    )
    if is_short and is_seen and part.num_parameters and width >= _WIDE:
        return (*line, Span(f"{format_count(part.num_parameters)} weights"))
    return line


def _connector(part: Part, total: int, glyphs: Glyphs, *, is_seen: bool, width: int) -> Line:
    """Return the line of a part between two arrays: its parameters, and a bar of their share."""
    arrow = "  v " if glyphs.part.isascii() else "  ↓ "
    if not is_seen:
        return (Span(f"{arrow}{part.name}", "muted"),)
    count = f"{part.formula} = {format_count(part.num_parameters)} parameters "
    line = (Span(arrow, "title"), Span(part.name.ljust(_NAME_CELLS), "title"), Span(count.ljust(_SHAPE_CELLS + 26)))
    used = len(arrow) + _NAME_CELLS + _SHAPE_CELLS + 26
    return (*line, Span(glyphs.bar(part.num_parameters / total, max(min(width - used, 20), 0)), "bar"))


def _sum(sizes: Sizes, total: int, *, is_seen: bool) -> str:
    letters = f"B = {sizes.num_tweets}, T = {sizes.num_columns}, E = {sizes.model.embedding_size}, "
    letters += f"H = {sizes.model.hidden_size}, V = {sizes.vocab_size}"
    return f"{format_count(total)} parameters in all; {letters}" if is_seen else letters

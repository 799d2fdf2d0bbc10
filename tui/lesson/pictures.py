"""What the stops draw beside the views of the X-ray: pure functions from numbers to pictures that fit a size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from engine.config.run import ModelConfig
from engine.model.vocab import BOS, EOS, SPECIALS, UNK
from engine.protocol.events import LadderTweet
from engine.protocol.insight import TextTraced
from engine.text import ELLIPSIS, counted
from tui.run.marks import Baseline
from tui.text.cells import safe_chars, set_cell_size
from tui.text.numbers import format_bits, format_rate
from tui.xray.drawing import Glyphs, Kind, Line, Picture, Span, fitted, percent, wrapped

# Stop 1: ids and one-hot rows -----------------------------------------------------------------------------------------

_SYMBOL_CELLS, _ID_CELLS = 6, 5
_BEYOND_CELLS = 12
"""Room for " 1 in N", where the 1 of a row is right of the columns shown."""
_MIN_COLUMNS = 8


def chars_picture(
    text: str, token_ids: Sequence[int], vocab_size: int, width: int, height: int, glyphs: Glyphs
) -> Picture:
    """Return one row per symbol of a tweet: symbol, id, the first columns of its one-hot row.

    `token_ids` are those of the characters. Where rows are missing, those of the first characters are left out.
    """
    rows = [("<BOS>", BOS), *zip(map(glyphs.label, text), token_ids, strict=False), ("<EOS>", EOS)]
    room = height - 2
    num_columns = max(min(width - _SYMBOL_CELLS - _ID_CELLS - _BEYOND_CELLS, vocab_size), _MIN_COLUMNS)
    title = f"one-hot row: columns 0 to {num_columns - 1} of V = {vocab_size}"
    names = f"{'symbol':<{_SYMBOL_CELLS}}{'id':>{_ID_CELLS - 1}} "
    lines: list[Line] = [(Span(names, "muted"), Span(title, "muted"))]
    if len(rows) > room > 2:
        lines += [_one_hot_row(*rows[0], num_columns, glyphs), (Span(glyphs.ellipsis, "muted"),)]
        rows = rows[-(room - 2) :]
    lines += [_one_hot_row(symbol, token_id, num_columns, glyphs) for symbol, token_id in rows]
    num_unknown, num_inputs = sum(token_id == UNK for token_id in token_ids), len(token_ids) + 1
    unknown = f", {num_unknown} of them {SPECIALS[UNK]}" if num_unknown else ""
    sentence = f"{counted(num_inputs, 'input')} from <BOS> on{unknown}: a matrix of {num_inputs} x {vocab_size}"
    return fitted((*lines, (Span(sentence, "title"),)), width, height, glyphs)


def _one_hot_row(symbol: str, token_id: int, num_columns: int, glyphs: Glyphs) -> Line:
    kind: Kind = "problem" if token_id == UNK else "good"
    zero = glyphs.padding
    name = Span(set_cell_size(symbol, _SYMBOL_CELLS), "problem" if token_id == UNK else "text")
    number = Span(f"{token_id:>{_ID_CELLS - 1}} ", "value")
    if token_id >= num_columns:
        return (name, number, Span(zero * num_columns, "muted"), Span(f" 1 in {token_id}", kind))
    before, after = Span(zero * token_id, "muted"), Span(zero * (num_columns - token_id - 1), "muted")
    return (name, number, before, Span("1", kind, shade=1.0), after)


# Stop 2: the parts of the model ---------------------------------------------------------------------------------------

_PART_CELLS, _SHAPE_CELLS, _COUNT_CELLS = 11, 15, 41
_WIDE_FOR_WEIGHTS = 54
_TALL = 10
"""From this height on, each part has a line of its own between the arrays."""
_GRU = 3
"""Parts up to the GRU."""
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
    gru = 3 * hidden * (embedding + hidden + 2)
    return (
        Part("ids", "", 0, "ids", "(B, T)", rows),
        Part("embedding", "V x E", vocab * embedding, "embeddings", "(B, T, E)", (*rows, embedding)),
        Part("GRU", "3 x H x (E + H + 2)", gru, "states", "(B, T, H)", (*rows, hidden)),
        Part("projection", "V x (H + 1)", vocab * (hidden + 1), "logits", "(B, T, V)", (*rows, vocab)),
    )


def shapes_picture(sizes: Sizes, num_seen: int, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the first `num_seen` parts with their numbers, and the others by name only."""
    shown = parts(sizes)
    total = sum(part.num_parameters for part in shown)
    are_all_seen = num_seen >= len(shown)
    lines: list[Line] = []
    for number, part in enumerate(shown):
        if part.formula and height >= _TALL:
            lines.append(_connector(part, total, width, glyphs, is_seen=number < num_seen))
        lines.append(_array(part, is_seen=number < num_seen, has_weights=height < _TALL and width >= _WIDE_FOR_WEIGHTS))
    letters = f"B = {sizes.num_tweets}, T = {sizes.num_columns}, E = {sizes.model.embedding_size}, "
    letters += f"H = {sizes.model.hidden_size}, V = {sizes.vocab_size}"
    notes = wrapped(f"{total:,} parameters in all; {letters}" if are_all_seen else letters, width, "title")
    if num_seen >= _GRU:
        notes += wrapped(_GRU_FORMULA, width)
    if are_all_seen:
        notes += wrapped("Each place (b, t) holds V scores for its next character; softmax makes them sum to 1.", width)
    gap: Picture = ((),) if len(lines) + len(notes) < height else ()
    return fitted((*lines, *gap, *notes), width, height, glyphs)


def _array(part: Part, *, is_seen: bool, has_weights: bool) -> Line:
    """Return the array after a part: letters, numbers, and with `has_weights` the number of the part's parameters."""
    kind: Kind = "value" if is_seen else "muted"
    numbers = f"({', '.join(map(str, part.shape))})" if is_seen else "?"
    line = (
        Span(part.output.ljust(_PART_CELLS), kind),
        Span(part.letters.ljust(_PART_CELLS), "muted"),
        Span(numbers.ljust(_SHAPE_CELLS), kind),
    )
    if has_weights and is_seen and part.num_parameters:
        return (*line, Span(f"{part.num_parameters:,} weights"))
    return line


def _connector(part: Part, total: int, width: int, glyphs: Glyphs, *, is_seen: bool) -> Line:
    """Return the line of a part between two arrays: its parameters, and a bar of their share."""
    arrow = "  v " if glyphs.part.isascii() else "  ↓ "
    if not is_seen:
        return (Span(f"{arrow}{part.name}", "muted"),)
    count = f"{part.formula} = {part.num_parameters:,} parameters "
    line = (Span(arrow, "title"), Span(part.name.ljust(_PART_CELLS), "title"), Span(count.ljust(_COUNT_CELLS)))
    cells = max(min(width - len(arrow) - _PART_CELLS - _COUNT_CELLS, 20), 0)
    return (*line, Span(glyphs.bar(part.num_parameters / total, cells), "bar"))


# Stop 5: temperature --------------------------------------------------------------------------------------------------

_LABEL_CELLS, _PERCENT_CELLS = 5, 7
_MIN_BAR_CELLS, _MAX_BAR_CELLS = 12, 40
_MIN_REPEATS = 3
_MAX_PERIOD = 40


def at_temperature(log_probs: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Return the probabilities at a temperature: p^(1/T), normalized; 0 is greedy."""
    if not log_probs:
        return ()
    highest = max(log_probs)
    if temperature == 0:
        best = log_probs.index(highest)
        return tuple(float(place == best) for place in range(len(log_probs)))
    weights = [math.exp((each - highest) / temperature) for each in log_probs]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def bars_picture(trace: TextTraced, temperature: float, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return bars of the likeliest characters after a text at a temperature, and of all others together."""
    chances = trace.chars[-1].likeliest
    shares = at_temperature(trace.next_log_probs, temperature)
    after = f"after {glyphs.quotes[0]}{safe_chars(trace.text)}{glyphs.quotes[1]}" if trace.text else "at the start"
    title = wrapped(f"next character {after} at temperature {temperature:g}", width, "title")
    rows = [(glyphs.label(chance.char), share) for chance, share in zip(chances, shares, strict=False)]
    others = shares[len(rows) :]
    rows = rows[: max(height - len(title) - bool(others), 0)]
    count = f" {counted(len(others), 'other')}"
    notes = (f"{count}, mean {percent(sum(others) / max(len(others), 1))}", count, "")
    room = width - _LABEL_CELLS - _PERCENT_CELLS
    note = next(note for note in notes if len(note) + _MIN_BAR_CELLS <= room or not note)
    cells = max(min(room - len(note), _MAX_BAR_CELLS), _MIN_BAR_CELLS)
    lines = [_chance_bar(label, share, cells, glyphs) for label, share in rows]
    if others:
        lines.append((*_chance_bar("rest", sum(others), cells, glyphs), Span(note, "muted")))
    return fitted((*title, *lines), width, height, glyphs)


def _chance_bar(label: str, share: float, cells: int, glyphs: Glyphs) -> Line:
    return (
        Span(set_cell_size(label, _LABEL_CELLS - 1) + " "),
        Span(glyphs.bar(share, cells), "bar"),
        Span(percent(share).rjust(_PERCENT_CELLS), "value"),
    )


def ladder_picture(rungs: Sequence[LadderTweet], width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return one tweet per temperature, wrapped where there is room, and where greedy sampling is caught in a loop."""
    if not rungs:
        return ()
    notes = [(Span(note, "problem"),) for note in map(_loop_note, rungs) if note][: 1 if height > len(rungs) else 0]
    room = height - len(rungs) - len(notes)
    lines: list[Line] = []
    for rung in rungs:
        label = Span(f"{rung.temperature:>3g} ", "value")
        text = safe_chars(rung.text) + ("" if rung.reached_eos else ELLIPSIS)
        body = wrapped(text, width - len(label.text) - 1)
        num_lines = min(len(body), 1 + max(room, 0))
        room -= num_lines - 1
        more = (Span(glyphs.ellipsis, "muted"),) if num_lines < len(body) else ()
        indent = Span(" " * len(label.text))
        lines += [(indent if number else label, *line) for number, line in enumerate(body[:num_lines])]
        lines[-1] += more
    return fitted((*lines, *notes), width, height, glyphs)


def _loop_note(rung: LadderTweet) -> str:
    block = repeated(rung.text) if rung.temperature == 0 else ""
    return f"Greedy is caught in a loop: {safe_chars(block).strip()!r} again and again." if block else ""


def repeated(text: str) -> str:
    """Return the block that a text repeats at least three times somewhere, from a word on; empty if it repeats none."""
    for period in range(2, _MAX_PERIOD):
        starts = range(len(text) - _MIN_REPEATS * period + 1)
        for start in sorted(starts, key=lambda start: start > 0 and text[start - 1] != " "):
            block = text[start : start + period]
            if len(set(block)) > 1 and text.startswith(block * _MIN_REPEATS, start):
                return block
    return ""


# Stop 6: batch sizes --------------------------------------------------------------------------------------------------

_SIZE_CELLS, _SPEED_CELLS, _NOISE_CELLS, _MAX_RATE_CELLS = 13, 14, 12, 12


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured while training at one batch size."""

    num_steps: int
    chars_per_second: float
    noise: float
    """Standard deviation of the loss from step to step, nats."""


def noise_of(losses: Sequence[float]) -> float:
    """Return how much losses scatter from step to step, without their trend: the root mean square change / sqrt 2."""
    changes = [(after - before) ** 2 for before, after in pairwise(losses)]
    return math.sqrt(sum(changes) / (2 * len(changes))) if changes else 0.0


def comparison_picture(
    measured: Sequence[tuple[int, Measured]], current: int, width: int, height: int, glyphs: Glyphs
) -> Picture:
    """Return speed and noise at each batch size, and once two are measured how they compare; `current` is in use."""
    fastest = max((each.chars_per_second for _, each in measured), default=0.0) or 1.0
    noisiest = max((each.noise for _, each in measured), default=0.0) or 1.0
    cells = min(max((width - _SIZE_CELLS - _SPEED_CELLS - _NOISE_CELLS) // 2, 0), _MAX_RATE_CELLS)
    lines: list[Line] = []
    for batch_size, each in measured:
        name = f"{glyphs.mark if batch_size == current else ' '} {batch_size} a step"
        lines.append(
            (
                Span(name.ljust(_SIZE_CELLS), "value" if batch_size == current else "text"),
                Span(glyphs.bar(each.chars_per_second / fastest, cells), "bar"),
                Span(f" {format_rate(each.chars_per_second)}".ljust(_SPEED_CELLS)),
                Span(glyphs.bar(each.noise / noisiest, cells), "bar"),
                Span(f" ±{each.noise / math.log(2):.2f} bits"),
            )
        )
    if len(measured) > 1:
        (small_size, small), (large_size, large) = min(measured), max(measured)
        if small.chars_per_second and large.noise:
            speed, noise = large.chars_per_second / small.chars_per_second, small.noise / large.noise
            sentence = f"{large_size} against {small_size}: {speed:.1f} times the characters a second, "
            lines += wrapped(f"{sentence}1/{noise:.1f} of the noise (±) from step to step.", width, "title")
    return fitted(tuple(lines), width, height, glyphs)


# Stop 7: the loss among models that use less of the tweet -------------------------------------------------------------

_WIDE_FOR_MEANINGS = 66
_BITS_CELLS = 11
_MAX_SCALE_CELLS = 40
_SHORT_NAMES = {"uniform": "log2 V (uniform)"}
_MEANINGS = {
    "uniform": "log2 V: each character equally likely",
    "unigram": "unigram: only how frequent each is",
    "bigram": "bigram: 1 character before",
}


@dataclass(frozen=True, kw_only=True)
class Place:
    """One row of the scale of losses."""

    name: str
    bits: float
    meaning: str = ""
    """Shown in place of the name where there is room."""
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
    is_wide = width >= _WIDE_FOR_MEANINGS
    names = [(place.meaning if is_wide else "") or _SHORT_NAMES.get(place.name, place.name) for place in places]
    name_cells = max(map(len, names), default=0) + 1
    cells = max(min(width - name_cells - _BITS_CELLS, _MAX_SCALE_CELLS), 1)
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
    if not baselines:
        return "The levels are being measured."
    if bits is None:
        return "No validation yet: it comes every 100 steps."
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

"""View 3: how much each earlier character matters to the prediction at the cursor.

Until the next answer, what is drawn is the prediction that was measured, which is that of an earlier cursor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

from engine.protocol.insight import MeasureReach, ReachMeasured
from tui.text.cells import cell_len
from tui.xray.drawing import Glyphs, Picture, Shades, Span, beside, fitted, padded, percent
from tui.xray.state import Answers, Shown, View, XrayState

_HELP = (
    "The brighter a character, the more it matters to the prediction of the one after the cursor.",
    "Occlusion hides one character at a time and runs the model again: it counts the bits that are lost by that.",
    "The gradient asks instead how a small change of each embedding would change those bits, in one backward pass.",
    "A negative number, ▾ below the text: the model would have predicted better without that character.",
    "Look at the @ of an @name, an opened quote, a link: how far back does the state of the model reach?",
)
_NOTICEABLE_BITS = 0.05
"""An effect below this is called none."""
_MOST_OF_IT = 0.8
_DISTANCES = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500)
_WIDTH_WITH_SHARES_BESIDE = 64
_SHARES_WIDTH = 30
_MIN_BAR = 4


@dataclass(frozen=True)
class _Input:
    """An input of the model before the prediction."""

    char: str
    """Empty for `<BOS>`."""
    distance: int
    """Characters before the predicted one; 1 was read last."""
    score: float


def _render(event: ReachMeasured, width: int, height: int, glyphs: Glyphs) -> Picture:
    """Return the inputs with the greatest effect, and the share of the reach within a number of characters."""
    target = glyphs.name(_target(event))
    is_gradient = event.method == "gradient"
    heading = (
        f"gradient of the bits of {target}: its norm" if is_gradient else f"occlusion: what hiding it costs {target}"
    )
    has_shares = width >= _WIDTH_WITH_SHARES_BESIDE
    left_width = width - _SHARES_WIDTH - 2 if has_shares else width
    rows = _strongest(event, left_width, height - 1, glyphs)
    if has_shares:
        rows = beside(rows, _shares(event, _SHARES_WIDTH, glyphs), left_width)
    return fitted(((Span(heading, "title"),), *rows), width, height, glyphs)


def _target(event: ReachMeasured) -> str:
    """Return the predicted character, empty for `<EOS>`."""
    return event.text[event.position : event.position + 1]


def _by_effect(event: ReachMeasured) -> list[_Input]:
    """Return the inputs up to the prediction, that with the greatest effect first."""
    inputs = (
        _Input(event.text[number - 1] if number else "", event.position + 1 - number, score)
        for number, score in enumerate(event.scores)
    )
    return sorted(inputs, key=lambda each: (-abs(each.score), each.distance))


def _shares_by_distance(event: ReachMeasured) -> list[float]:
    """Return the share of all effects, up or down, within 1, 2, 3, ... characters; empty if there are no effects."""
    effects = [abs(score) for score in reversed(event.scores)]
    total = sum(effects)
    return [part / total for part in accumulate(effects)] if total > 0 else []


def _named(each: _Input, glyphs: Glyphs) -> str:
    """Return an input in a sentence: "the ‘@’ 12 characters back"."""
    char = "the space" if each.char == " " else f"the {glyphs.name(each.char)}" if each.char else "<BOS>"
    return f"{char} {each.distance} characters back" if each.distance > 1 else f"{char} before it"


def _strongest(event: ReachMeasured, width: int, num_rows: int, glyphs: Glyphs) -> Picture:
    """Return a row with number and bar for each input with the greatest effect."""
    shown = _by_effect(event)[: max(num_rows, 0)]
    scale = max((abs(each.score) for each in shown), default=0.0) or 1.0
    labels = [glyphs.label(each.char) if each.char else "<BOS>" for each in shown]
    numbers = [f"{each.score:+.2f} bits" if event.method == "occlusion" else f"{each.score:.3f}" for each in shown]
    distances = [f"{each.distance} back" for each in shown]
    widths = [max(map(cell_len, column), default=0) for column in (labels, distances, numbers)]
    bar_cells = max(width - sum(widths) - 3, _MIN_BAR)
    return tuple(
        (
            *padded((Span(label, "value"),), widths[0] + 1),
            Span(f"{distance:>{widths[1]}} ", "muted"),
            Span(f"{number:>{widths[2]}} "),
            Span(glyphs.bar(abs(each.score) / scale, bar_cells).rstrip(), "bar" if each.score > 0 else "bad"),
        )
        for each, label, distance, number in zip(shown, labels, distances, numbers, strict=True)
    )


def _shares(event: ReachMeasured, width: int, glyphs: Glyphs) -> Picture:
    """Return the share of the reach within some distances."""
    shares = _shares_by_distance(event)
    if len(shares) < 2:
        return ()
    shown = [distance for distance in _DISTANCES if distance < len(shares)] + [len(shares)]
    label_cells = len(f"last {len(shares)}") + 1
    bar_cells = max(width - label_cells - len(" 99.9 %"), _MIN_BAR)
    rows = (
        (
            Span(f"last {distance}".ljust(label_cells), "muted"),
            Span(glyphs.bar(shares[distance - 1], bar_cells), "bar"),
            Span(f" {percent(shares[distance - 1]):>6}", "value"),
        )
        for distance in shown
    )
    return ((Span("share of the reach", "muted"),), *rows)


def _sentence(event: ReachMeasured, glyphs: Glyphs) -> str:
    """Return which input matters most, and how far back most of the reach lies."""
    if event.position == 0:
        return "At the start the model has read <BOS> only: there is nothing to reach back to"
    first = _by_effect(event)[0]
    target, source = glyphs.name(_target(event)), _named(first, glyphs)
    if event.method == "gradient":
        strongest = f"{target[0].upper()}{target[1:]} is most sensitive to {source}: gradient norm {first.score:.2g}"
    elif abs(first.score) < _NOTICEABLE_BITS:
        return f"Hiding any single character would change {target} by less than {_NOTICEABLE_BITS} bits"
    else:
        more_or_less = "more" if first.score > 0 else "less"
        strongest = f"Hiding {source} would cost {target} {abs(first.score):.1f} bits {more_or_less}"
    shares = _shares_by_distance(event)
    if not shares:
        return strongest
    near = next(distance for distance, share in enumerate(shares, 1) if share >= _MOST_OF_IT)
    chars = "character carries" if near == 1 else f"{near} characters carry"
    return f"{strongest}; the last {chars} {percent(shares[near - 1])} of the reach"


def _show(state: XrayState, answers: Answers, glyphs: Glyphs) -> Shown | None:
    found = answers.latest(MeasureReach, ReachMeasured)
    if found is None or found[0].text != state.text:
        return None
    measured = found[1]
    scale = max(map(abs, measured.scores)) or 1.0
    values = [score / scale for score in measured.scores]  # less than 0 if hiding it helps
    after = [None] * (len(measured.text) + 2 - len(values))
    what = "change in bits if hidden" if measured.method == "occlusion" else "norm of the gradient"
    return Shown(
        render=lambda width, height: _render(measured, width, height, glyphs),
        sentence=_sentence(measured, glyphs),
        weights_step=measured.weights_step,
        shades=Shades((*values, *after), what, "0", f"{scale:.2g}"),
    )


VIEW = View(
    name="reach",
    help=_HELP,
    height=13,
    asks=lambda state: (MeasureReach(text=state.text, position=state.cursor, method=state.method),),
    show=_show,
    keys=frozenset({"variant"}),
    variant="measure",
    with_next_variant=lambda state: replace(state, method="gradient" if state.method == "occlusion" else "occlusion"),
)

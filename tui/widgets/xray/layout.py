"""The lines of the X-ray's panel for a size: names of the views, text, view, sentence, state. Pure.

At 40 x 12 each part has at least a line; what remains is the view's.
"""

from __future__ import annotations

from collections.abc import Sequence

from tui.text.cells import Line, shown_char
from tui.text.numbers import format_count
from tui.widgets.line_view import Click
from tui.xray.drawing import Glyphs, Kind, Picture, Span, cut, wrapped
from tui.xray.state import Shown, ViewName, XrayState
from tui.xray.text_strip import TextStrip
from tui.xray.views import VIEWS

_LINES_WITH_LEGEND = 16
_NUM_SENTENCE_LINES, _LINES_PER_SENTENCE_LINE = 2, 6
"""Lines kept for the sentence; a longer one may have more in a higher panel."""


def laid_out(
    state: XrayState, shown: Shown | None, status: str, problem: str, *, width: int, height: int, glyphs: Glyphs
) -> tuple[Sequence[Line], TextStrip, range]:
    """Return `height` lines of the panel, the text and its lines, for the mouse.

    Where nothing is shown yet, it is still computed. `problem` is why there is no newer answer; empty if there is one.
    """
    strip = TextStrip(state.text, width, glyphs)
    num_text_lines = min(2 * strip.num_lines, max(2, height // 5 // 2 * 2))
    shades = None if shown is None else shown.shades
    text = strip.picture(state.cursor, num_text_lines, shades)
    legend = (shades.legend(glyphs),) if shades is not None and height >= _LINES_WITH_LEGEND else ()
    message, kind = _message(state, shown, problem)
    most_lines = max(_NUM_SENTENCE_LINES, height // _LINES_PER_SENTENCE_LINE)
    sentence = _filled(_in_lines(message, kind, width, most_lines, glyphs), _NUM_SENTENCE_LINES)
    facts = _in_lines(status, "muted", width, 2 if height >= _LINES_WITH_LEGEND else 1, glyphs)
    num_view_lines = height - 1 - len(text) - len(legend) - len(sentence) - len(facts)
    lines = (
        _view_names(state.view),
        *text,
        *(cut(line, width, glyphs) for line in legend),
        *_filled(() if shown is None else shown.render(width, num_view_lines), num_view_lines),
        *sentence,
        *facts,
    )
    return lines[:height], strip, range(1, 1 + len(text))


def _message(state: XrayState, shown: Shown | None, problem: str) -> tuple[str, Kind]:
    """Return what is written below the view, and its kind."""
    if problem:
        return problem, "problem"
    return (VIEWS[state.view].waiting, "muted") if shown is None else (shown.sentence, "text")


def status(state: XrayState, shown: Shown | None, source: str, *, is_following: bool) -> str:
    """Return which weights and which layer are shown, and which characters of the text the model lacks."""
    facts = []
    if shown is not None and shown.unknown_chars:
        facts.append(f"{' '.join(map(shown_char, shown.unknown_chars))} not in the vocabulary")
    if shown is not None:
        facts.append(f"weights of step {format_count(shown.weights_step)}")
    facts.append(source or ("follows the training (w)" if is_following else "holds still (w)"))
    if shown is not None and shown.num_layers > 1:
        facts.append(f"layer {state.layer + 1} of {shown.num_layers} (V)")
    return " · ".join(facts)


def explanation(view: ViewName, top: int, *, width: int, height: int, glyphs: Glyphs) -> tuple[Sequence[Line], int]:
    """Return the names of the views and the help on this one from line `top` on, and the line that is first."""
    texts = [wrapped(text, width) for text in VIEWS[view].help]
    is_loose = sum(map(len, texts)) + len(texts) <= height - 2
    lines = tuple(line for text in texts for line in (*text, *[()] * is_loose))
    last_top = max(len(lines) - (height - 2), 0)
    top = min(top, last_top)
    keys = "? or esc closes" + (" · ↑ ↓ scroll" if last_top else "")
    shown = _filled(lines[top : top + height - 2], height - 2)
    return (_view_names(view), *shown, cut((Span(keys, "muted"),), width, glyphs)), top


def _view_names(current: ViewName) -> Line:
    """Return a span per view, the current one in brackets; a click on it shows the view."""
    return tuple(
        Click(f"[{number} {name}] ", "title", f"view('{name}')")
        if name == current
        else Click(f"{number} {name} ", "muted", f"view('{name}')")
        for number, name in enumerate(VIEWS, 1)
    )


def _in_lines(text: str, kind: Kind, width: int, most_lines: int, glyphs: Glyphs) -> Picture:
    """Return a text in at most that many lines; where it is longer, the last one ends with an ellipsis."""
    lines = wrapped(text, width, kind)
    if len(lines) <= most_lines:
        return lines
    last = " ".join(span.text for line in lines[most_lines - 1 :] for span in line)
    return (*lines[: most_lines - 1], cut((Span(last, kind),), width, glyphs))


def _filled(picture: Picture, height: int) -> Picture:
    """Return a picture with empty lines up to `height`."""
    return (*picture, *[()] * (height - len(picture)))

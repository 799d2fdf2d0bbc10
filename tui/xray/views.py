"""`VIEWS`: the views of the X-ray in the order of their keys; and a view among its text and sentence, as lines.

`page` is as high as its content, `panel_lines` fill a given height: at 40 x 12 each part has at least a line, and what
remains is the view's.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.protocol.insight import Insight, InsightEvent
from tui.text.cells import shown_char
from tui.xray import char_map, gates, reach, step, units
from tui.xray.drawing import Glyphs, Kind, Picture, Span, cut, wrapped
from tui.xray.state import Answers, Shown, View, ViewName, XrayState
from tui.xray.text_strip import TextStrip

VIEWS: dict[ViewName, View] = {
    view.name: view for view in (step.VIEW, gates.VIEW, reach.VIEW, units.VIEW, char_map.VIEW)
}
"""The views by name; the first has the key 1."""
_LINES_WITH_LEGEND = 16
_NUM_SENTENCE_LINES, _LINES_PER_SENTENCE_LINE = 2, 6
"""Lines kept for the sentence; a longer one may have more in a higher panel."""


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


def panel_lines(
    state: XrayState, shown: Shown | None, source: str, problem: str, *, width: int, height: int, glyphs: Glyphs
) -> tuple[Picture, TextStrip, int]:
    """Return the lines of a panel of `height` lines below the first; the text, and its number of lines.

    The first line is that of the names of the views. Where nothing is shown yet, it is still computed. `source` names
    the weights; `problem` is why there is no newer answer, empty if there is one.
    """
    strip = TextStrip(state.text, width, glyphs)
    shades = None if shown is None else shown.shades
    text = strip.picture(state.cursor, min(2 * strip.num_lines, max(2, height // 5 // 2 * 2)), shades)
    legend = (shades.legend(glyphs),) if shades is not None and height >= _LINES_WITH_LEGEND else ()
    message: tuple[str, Kind] = (VIEWS[state.view].waiting, "muted") if shown is None else (shown.sentence, "text")
    if problem:
        message = problem, "problem"
    most_lines = max(_NUM_SENTENCE_LINES, height // _LINES_PER_SENTENCE_LINE)
    sentence = _filled(_in_lines(*message, width, most_lines, glyphs), _NUM_SENTENCE_LINES)
    num_facts = 2 if height >= _LINES_WITH_LEGEND else 1
    facts = _in_lines(_facts(state, shown, source), "muted", width, num_facts, glyphs)
    num_view_lines = height - 1 - len(text) - len(legend) - len(sentence) - len(facts)
    lines = (
        *text,
        *(cut(line, width, glyphs) for line in legend),
        *_filled(() if shown is None else shown.render(width, num_view_lines), num_view_lines),
        *sentence,
        *facts,
    )
    return lines[: height - 1], strip, len(text)


def _facts(state: XrayState, shown: Shown | None, source: str) -> str:
    """Return which weights and which layer are shown, and which characters of the text the model lacks."""
    if shown is None:
        return source
    facts = [f"weights of step {shown.weights_step:,}", source]
    if shown.unknown_chars:
        facts.insert(0, f"{' '.join(map(shown_char, shown.unknown_chars))} not in the vocabulary")
    if shown.num_layers > 1:
        facts.append(f"layer {state.layer + 1} of {shown.num_layers} (V)")
    return " · ".join(facts)


def explanation(view: ViewName, top: int, *, width: int, height: int, glyphs: Glyphs) -> tuple[Picture, int]:
    """Return the help on a view from line `top` on, for a panel of `height` lines, and the line that is first."""
    texts = [wrapped(text, width) for text in VIEWS[view].help]
    is_loose = sum(map(len, texts)) + len(texts) <= height - 2
    lines = tuple(line for text in texts for line in (*text, *[()] * is_loose))
    last_top = max(len(lines) - (height - 2), 0)
    top = min(top, last_top)
    keys = "? or esc closes" + (" · ↑ ↓ scroll" if last_top else "")
    shown = _filled(lines[top : top + height - 2], height - 2)
    return (*shown, cut((Span(keys, "muted"),), width, glyphs)), top


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

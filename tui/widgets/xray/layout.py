"""The lines of the X-ray's panel for a size: names of the views, text, view, sentence, state. Pure.

At 40 x 12 each part has at least a line; what remains is the view's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tui.text.cells import shown_char
from tui.text.numbers import format_count
from tui.widgets.xray.contents import Content
from tui.widgets.xray.state import XrayState
from tui.xray.glyphs import Glyphs
from tui.xray.layout import cut, wrapped
from tui.xray.spans import Kind, Line, Picture, Span
from tui.xray.text_strip import TextStrip
from tui.xray.view_help import view_help
from tui.xray.view_names import VIEW_NAMES, ViewName

_LINES_WITH_LEGEND = 16
_NUM_SENTENCE_LINES, _LINES_PER_SENTENCE_LINE = 2, 6
"""Lines kept for the sentence; a longer one may have more in a higher panel."""


@dataclass(frozen=True)
class PanelLayout:
    """The lines of the panel, and what is where for the mouse."""

    picture: Picture
    strip: TextStrip
    strip_rows: range
    """Lines of the text."""
    views: tuple[tuple[range, ViewName], ...]
    """Cells of the first line that name a view."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """The panel's own sentences."""

    status: str
    """Which weights are shown, in a few words."""
    waiting: str
    """What is computed, until there is an answer."""
    problem: str = ""
    """Why there is no newer answer."""


def laid_out(
    state: XrayState, content: Content | None, words: Words, *, width: int, height: int, glyphs: Glyphs
) -> PanelLayout:
    """Return `height` lines of the panel; without content it is still computed, or can't be."""
    strip = TextStrip(state.text, width, glyphs)
    num_text_lines = min(2 * strip.num_lines, max(2, height // 5 // 2 * 2))
    shades = None if content is None else content.shades
    text = strip.picture(state.cursor, num_text_lines, shades)
    legend = (shades.legend(glyphs),) if shades is not None and height >= _LINES_WITH_LEGEND else ()
    message, kind = _sentence(content, words)
    most_lines = max(_NUM_SENTENCE_LINES, height // _LINES_PER_SENTENCE_LINE)
    sentence = _filled(_in_lines(message, kind, width, most_lines, glyphs), _NUM_SENTENCE_LINES)
    num_facts = 2 if height >= _LINES_WITH_LEGEND else 1
    facts = _in_lines(words.status, "muted", width, num_facts, glyphs)
    num_view_lines = height - 1 - len(text) - len(legend) - len(sentence) - len(facts)
    picture = content.render(width, num_view_lines) if content is not None else ()
    lines = (
        view_names(state.view),
        *text,
        *(cut(line, width, glyphs) for line in legend),
        *_filled(picture, num_view_lines),
        *sentence,
        *facts,
    )
    return PanelLayout(lines[:height], strip, range(1, 1 + len(text)), tuple(_view_cells(state.view)))


def _sentence(content: Content | None, words: Words) -> tuple[str, Kind]:
    """Return what is written below the view, and its kind."""
    if words.problem:
        return words.problem, "problem"
    return (words.waiting, "muted") if content is None else (content.sentence, "text")


def status(state: XrayState, content: Content | None, source: str, *, is_following: bool) -> str:
    """Return which weights and which layer are shown, and which characters of the text the model lacks."""
    facts = []
    if content is not None and content.unknown_chars:
        facts.append(f"{' '.join(map(shown_char, content.unknown_chars))} not in the vocabulary")
    if content is not None:
        facts.append(f"weights of step {format_count(content.weights_step)}")
    facts.append(source or ("follows the training (w)" if is_following else "holds still (w)"))
    if content is not None and content.num_layers > 1:
        facts.append(f"layer {state.layer + 1} of {content.num_layers} (V)")
    return " · ".join(facts)


def explanation(view: ViewName, top: int, *, width: int, height: int, glyphs: Glyphs) -> tuple[Picture, int]:
    """Return the names of the views and the help on this one from line `top` on, and the line that is first."""
    texts = [wrapped(text, width) for text in view_help(view)]
    is_loose = sum(map(len, texts)) + len(texts) <= height - 2
    lines = tuple(line for text in texts for line in (*text, *[()] * is_loose))
    last_top = max(len(lines) - (height - 2), 0)
    top = min(top, last_top)
    keys = "? or esc closes" + (" · ↑ ↓ scroll" if last_top else "")
    shown = _filled(lines[top : top + height - 2], height - 2)
    return (view_names(view), *shown, cut((Span(keys, "muted"),), width, glyphs)), top


def view_names(current: ViewName) -> Line:
    """Return the line that names all views, the current one in brackets."""
    labels = (f"{number} {name}" for number, name in enumerate(VIEW_NAMES, 1))
    spans = (
        Span(f"[{label}] ", "title") if name == current else Span(f"{label} ", "muted")
        for label, name in zip(labels, VIEW_NAMES, strict=True)
    )
    return tuple(spans)


def _view_cells(current: ViewName) -> Iterator[tuple[range, ViewName]]:
    """Yield the cells of each view's name."""
    start = 0
    for span, name in zip(view_names(current), VIEW_NAMES, strict=True):
        end = start + len(span.text)
        yield range(start, end - 1), name
        start = end


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

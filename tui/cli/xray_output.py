"""Pictures of the X-ray on stdout and as SVG; a trace as JSON, one object per target."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.console import Console
from rich.style import Style
from rich.text import Text

from engine.model.vocab import EOS, SPECIALS
from engine.protocol.insight import TextTraced
from tui.cli.output import print_json
from tui.terminal.capabilities import glyphs_for, is_utf8
from tui.terminal.theme import HEAT_VARIABLES
from tui.text.cells import plain, with_placed_words
from tui.xray.drawing import ASCII, NUM_CELL_SHADES, UNICODE, Glyphs, Kind, Line, Picture, Span, share_of

SVG_COLUMNS = 100
_MIN_COLUMNS = 20
_EOS_NAME = SPECIALS[EOS]
_KIND_STYLES: dict[Kind, Style] = {
    "text": Style.null(),
    "muted": Style(dim=True),
    "title": Style(bold=True),
    "value": Style(bold=True),
    "bar": Style(color="cyan"),
    "cell": Style(color="cyan"),
    "cursor": Style(reverse=True, bold=True),
    "good": Style(color="green"),
    "bad": Style(color="red"),
    "problem": Style(color="yellow"),
}
_NEGATIVE_COLOURS = ("#16324f", "#1d4f7c", "#2a6ca8", "#3580c8")
_POSITIVE_COLOURS = ("#4a3414", "#6b4a17", "#8a601c", "#a8741f")
"""Backgrounds of shades, weak to strong, for white text on any terminal: blue below 0, amber above."""
_ZERO = ColorTriplet(16, 20, 24)
_NEGATIVE, _POSITIVE = (Color.parse(HEAT_VARIABLES[name]).get_truecolor() for name in ("negative", "positive"))
"""The colours of cells of a heat map at 0, -1 and 1."""


def print_targets(traced: TextTraced) -> None:
    """Print one JSON object per target, `<EOS>` last."""
    target_ids = (*traced.token_ids[1:], EOS)
    for read, token_id, gates in zip(traced.chars, target_ids, traced.gates, strict=True):
        print_json(
            {
                "char": read.char or _EOS_NAME,
                "token_id": token_id,
                "bits": read.bits,
                "top": [[chance.char or _EOS_NAME, chance.probability] for chance in read.likeliest],
                "hidden_change": gates.hidden_change,
                "reset_mean": gates.reset_mean,
                "update_mean": gates.update_mean,
                "saturated_share": gates.saturated_share,
            }
        )


def print_page(draw: Callable[[int, Glyphs], Picture]) -> None:
    """Print the picture of the terminal's width: with colours on a terminal, in ASCII where it shows no more."""
    console = Console(highlight=False)
    encoding = sys.stdout.encoding
    is_ascii = glyphs_for(os.environ, encoding) == "ascii"
    picture = draw(max(console.width, _MIN_COLUMNS), ASCII if is_ascii else UNICODE)
    if not is_utf8(os.environ, encoding):
        picture = tuple(map(_in_ascii, picture))
    if not console.is_terminal:
        sys.stdout.write(plain(picture) + "\n")
        return
    has_colours = console.color_system is not None and not console.no_color
    for line in picture:
        console.print(_styled(line, has_colours=has_colours), soft_wrap=True)


def svg_of(draw: Callable[[int, Glyphs], Picture], title: str) -> str:
    """Return an SVG picture of a terminal window, `SVG_COLUMNS` wide."""
    console = Console(
        file=io.StringIO(),
        width=SVG_COLUMNS,
        record=True,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
    )
    for line in draw(SVG_COLUMNS, UNICODE):
        console.print(_styled(line, has_colours=True), soft_wrap=True, highlight=False)
    return with_placed_words(console.export_svg(title=title))


def _in_ascii(line: Line) -> Line:
    """Return a line with `?` for what is not ASCII, in the same width."""
    from tui.terminal.glyphs import GlyphFilter

    translated = GlyphFilter("ascii", is_utf8=False).translated
    return tuple(Span(translated(span.text), span.style, span.shade) for span in line)


def _styled(line: Line, *, has_colours: bool) -> Text:
    """Return a line as rich draws it; the text is never read as markup."""
    text = Text(no_wrap=True, end="")
    for span in line:
        text.append(span.drawn(has_colours=has_colours), _KIND_STYLES[span.style] + _background(span))
    return text


def _background(span: Span) -> Style:
    """Return the background of a shade; of text none near 0 and below the cursor."""
    value = span.shade or 0.0
    if span.style == "cell":
        hue, share = _POSITIVE if value > 0 else _NEGATIVE, share_of(value, NUM_CELL_SHADES)
        colour = Color.from_triplet(blend_rgb(_ZERO, hue, share))
        return Style(color="black" if share > 0.5 else "white", bgcolor=colour)
    colours = _POSITIVE_COLOURS if value > 0 else _NEGATIVE_COLOURS
    step = round(len(colours) * share_of(value, len(colours)))
    if not step or span.style == "cursor":
        return Style.null()
    return Style(color="white", bgcolor=colours[step - 1])

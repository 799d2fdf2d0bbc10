"""Screens of a terminal as one animated SVG, which a README shows like any picture: without scripts or fonts.

Each line of the screen is written once for as long as it stays the same: a group that CSS makes visible for its share
of the loop. A viewer without animation shows the last screen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.sax.saxutils import escape

from tui.recording.frames import Frame, Line, Style

_HELD_SECONDS = 3.6
"""How much longer the last screen stays."""
CELL_HEIGHT = 24.4
_CELL_WIDTH, _FONT_SIZE = 12.2, 20
_MARGIN, _TITLE_HEIGHT = 10, 40
_FOREGROUND = "c5c8c6"
_BUTTONS = ("ff5f57", "febc2e", "28c840")


@dataclass(frozen=True)
class _Loop:
    """The slots of a loop over frames: one each, and more for the last one."""

    num_frames: int
    slot_seconds: float

    @property
    def num_held(self) -> int:
        """Slots that are added to the last frame's."""
        return max(round(_HELD_SECONDS / self.slot_seconds), 1)

    @property
    def num_slots(self) -> int:
        """All slots."""
        return self.num_frames + self.num_held


def animate(frames: Sequence[Frame], title: str, slot_seconds: float) -> str:
    """Return screens of one size, each shown for `slot_seconds`, as one SVG that loops over them."""
    loop = _Loop(len(frames), slot_seconds)
    classes: dict[str, str] = {}
    background = _most_frequent(style.background for line in frames[-1] for _, style in line)
    groups: list[str] = []
    durations: set[int] = set()
    for y in range(len(frames[0])):
        for start, end in _unchanged([frame[y] for frame in frames]):
            content = "".join(_cells(frames[start][y], background, classes))
            if not content:
                continue
            is_last = end == len(frames)
            duration = end - start + (loop.num_held if is_last else 0)
            durations.add(duration)
            groups.append(_group(y, content, start, duration, loop, is_last=is_last))
    return _document(frames[-1], title, background, _styles(classes, durations, loop), groups)


def _unchanged(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of frames in which a line stays the same."""
    start = 0
    for number in range(1, len(lines) + 1):
        if number == len(lines) or lines[number] != lines[start]:
            yield start, number
            start = number


def _group(y: int, content: str, start: int, duration: int, loop: _Loop, *, is_last: bool) -> str:
    place = f'transform="translate(0,{y * CELL_HEIGHT:.1f})"'
    if duration == loop.num_slots:
        return f"<g {place}>{content}</g>"
    delay = (start - loop.num_slots) * loop.slot_seconds  # negative: no wait before the first loop
    kind = f"v d{duration}{' last' if is_last else ''}"
    return f'<g class="{kind}" {place} style="animation-delay:{_number(delay)}s">{content}</g>'


def _cells(line: Line, background: str, classes: dict[str, str]) -> Iterator[str]:
    """Yield backgrounds and texts of a line; `classes`, from a style to its name, grows."""
    x = 0
    for style, cells in groupby(line, key=lambda cell: cell[1]):
        texts = [data for data, _ in cells]
        if style.background not in ("", background):
            name = _class(f"fill:#{style.background}", classes)
            yield f'<rect class="{name}" x="{_x(x)}" width="{_x(len(texts))}" height="{CELL_HEIGHT}"/>'
        for start, text, num_cells in _words(texts):
            name = _class(_text_style(style), classes)
            length = f' textLength="{_x(num_cells)}"' if num_cells > 1 else ""
            yield f'<text class="{name}" x="{_x(x + start)}" y="19"{length}>{escape(text)}</text>'
        x += len(texts)


def _words(texts: Sequence[str]) -> Iterator[tuple[int, str, int]]:
    """Yield column, text and number of cells of what to draw: no blanks around it, characters of two cells alone."""
    start = 0
    while start < len(texts):
        end = start + 1
        if texts[start] in (" ", ""):
            start = end
            continue
        is_wide = end < len(texts) and texts[end] == ""
        while not is_wide and end < len(texts) and not _is_boundary(texts, end):
            end += 1
        yield start, "".join(texts[start:end]), 2 if is_wide else end - start
        start = end


def _is_boundary(texts: Sequence[str], place: int) -> bool:
    """Return whether a word ends before a cell: at two blanks, at the end, or at a character of two cells."""
    following = [*texts[place + 1 : place + 3], "", " "]
    if texts[place] == " ":
        return place + 1 == len(texts) or following[0] == " " or following[1] == ""
    return place + 1 < len(texts) and following[0] == ""


def _x(num_cells: int) -> str:
    return _number(num_cells * _CELL_WIDTH)


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def _text_style(style: Style) -> str:
    rules = [f"fill:#{style.foreground or _FOREGROUND}"]
    rules += ["font-weight:bold"] if style.is_bold else []
    rules += ["font-style:italic"] if style.is_italic else []
    rules += ["text-decoration:underline"] if style.is_underlined else []
    return ";".join(rules)


def _class(rules: str, classes: dict[str, str]) -> str:
    return classes.setdefault(rules, f"c{len(classes)}")


def _most_frequent(colors: Iterable[str]) -> str:
    return next((color for color, _ in Counter(colors).most_common(1)), _FOREGROUND)


def _styles(classes: dict[str, str], durations: set[int], loop: _Loop) -> str:
    """Return the CSS of the texts, and of the groups, which are visible for a number of slots from their delay on."""
    rules = [f".{name}{{{rule}}}" for rule, name in classes.items()]
    seconds = _number(loop.num_slots * loop.slot_seconds)
    rules.append(f".v{{visibility:hidden;animation:{seconds}s step-end infinite}}.last{{visibility:visible}}")
    for duration in sorted(durations - {loop.num_slots}):
        share = 100 * duration / loop.num_slots
        rules.append(f".d{duration}{{animation-name:d{duration}}}")
        rules.append(f"@keyframes d{duration}{{0%{{visibility:visible}}{share:.3f}%{{visibility:hidden}}}}")
    rules.append("@media (prefers-reduced-motion:reduce){.v{animation:none}}")
    return "\n".join(rules)


def _document(frame: Frame, title: str, background: str, styles: str, groups: Sequence[str]) -> str:
    """Return the SVG: a window with a title, and the groups in it."""
    width = len(frame[0]) * _CELL_WIDTH + 2 * _MARGIN
    height = len(frame) * CELL_HEIGHT + _TITLE_HEIGHT + _MARGIN
    buttons = "".join(
        f'<circle cx="{22 + 22 * number}" cy="20" r="7" fill="#{color}"/>' for number, color in enumerate(_BUTTONS)
    )
    ink = _most_frequent(style.foreground or _FOREGROUND for line in frame for data, style in line if data.strip())
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}">
<title>{escape(title)}</title>
<style>
text{{font:{_FONT_SIZE}px "Fira Code",Menlo,Consolas,"DejaVu Sans Mono",monospace;white-space:pre}}
.title{{font:bold 18px arial,sans-serif;fill:#{ink};text-anchor:middle}}
{styles}
</style>
<rect width="100%" height="100%" rx="8" fill="#{background}"/>
{buttons}<text class="title" x="{width / 2:.0f}" y="26">{escape(title)}</text>
<g transform="translate({_MARGIN},{_TITLE_HEIGHT})" xml:space="preserve">
{chr(10).join(groups)}
</g>
</svg>
"""

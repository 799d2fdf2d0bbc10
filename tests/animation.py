"""Screenshots of Textual joined into one animated SVG, which a README shows like any picture.

Each frame is a group that CSS makes visible for its share of the loop. Window, background and styles are written once.
A viewer without animation shows the last frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

FRAME_SECONDS = 0.4
HELD_FRAMES = 8
"""The last frame stays for this many more."""
_RULE = re.compile(r"\.t-(r\d+) \{ (.*?) \}")
_CELLS = re.compile(r'(<g transform="[^"]*" clip-path="[^"]*">)(.*)(</g>\s*</svg>\s*)$', re.DOTALL)
_LINE_CLIPS = re.compile(r'<clipPath id="t-line-\d+">.*?</clipPath>\s*', re.DOTALL)
_EMPTY_TEXT = re.compile(r"<text [^>]*>(?:\s|&#160;)*</text>")


def animate(screenshots: Sequence[str]) -> str:
    """Return screenshots of one size as one SVG that loops over them."""
    frames = [re.sub(r"terminal-\d+-", "t-", each) for each in screenshots]
    classes: dict[str, str] = {}
    cells = [_cells(frame, classes) for frame in frames]
    before, _, after = _parts(frames[-1])
    styles = "\n".join([*(f".{name} {{ {rule} }}" for rule, name in classes.items()), _timing(len(frames))])
    before = _LINE_CLIPS.sub("", _RULE.sub("", before)).replace("</style>", f"{styles}\n</style>")
    kinds = ["frame"] * (len(frames) - 1) + ["frame last"]
    delays = [(number - len(frames) - HELD_FRAMES) * FRAME_SECONDS for number in range(len(frames))]  # no first wait
    groups = [
        f'<g class="{kind}" style="animation-delay: {delay:.1f}s">{each}</g>'
        for kind, delay, each in zip(kinds, delays, cells, strict=True)
    ]
    background = f'<rect fill="{_background(frames[-1])}" width="100%" height="100%"/>'
    return re.sub(r"\n\s*\n", "\n", before) + "\n".join((background, *groups)) + after


def _parts(frame: str) -> tuple[str, str, str]:
    """Return what precedes the cells of a screenshot, the cells, and what follows them."""
    found = _CELLS.search(frame)
    assert found is not None
    return frame[: found.start(2)], found[2], found[3]


def _background(frame: str) -> str:
    """Return the colour of the first cell."""
    [color] = re.findall(r'<rect fill="(#\w+)"', _parts(frame)[1])[:1]
    return str(color)


def _cells(frame: str, classes: dict[str, str]) -> str:
    """Return the cells of a screenshot, without background; their styles are those in `classes`, which grows."""
    names = {name: classes.setdefault(rule, f"c{len(classes)}") for name, rule in _RULE.findall(frame)}
    cells = re.sub(rf'<rect fill="{_background(frame)}"[^>]*/>', "", _parts(frame)[1])
    cells = re.sub(r'class="t-(r\d+)"', lambda found: f'class="{names[found[1]]}"', cells)
    cells = _EMPTY_TEXT.sub("", re.sub(r' clip-path="[^"]*"| shape-rendering="[^"]*"', "", cells))
    return re.sub(r">\s+<", "><", cells.strip())


def _timing(num_frames: int) -> str:
    """Return the CSS that shows one frame at a time, the last one for longer."""
    num_slots = num_frames + HELD_FRAMES
    slot = 100 / num_slots
    return f"""
.frame {{ visibility: hidden; animation: frame {num_slots * FRAME_SECONDS:.1f}s step-end infinite }}
.last {{ visibility: visible; animation-name: last }}
@keyframes frame {{ 0% {{ visibility: visible }} {slot:.3f}% {{ visibility: hidden }} }}
@keyframes last {{ 0% {{ visibility: visible }} {slot * (HELD_FRAMES + 1):.3f}% {{ visibility: hidden }} }}
@media (prefers-reduced-motion: reduce) {{ .frame {{ animation: none }} }}"""

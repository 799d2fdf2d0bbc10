"""`compacted`: the same picture in fewer bytes, by shorter SGR (colour and attribute) sequences. Pure.

Textual sets every segment's full style and resets it afterwards, two thirds of all output. Here a style is sent only
where it changes, of consecutive cursor moves only the last, and of frames without a change none.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m")
_OVERTAKEN_MOVES = re.compile(r"(?:\x1b\[[0-9;]*H|\n)+(?=\x1b\[[0-9;]*H)")
_NUM_COLOR_CODES = {"2": 5, "5": 3}
"""Number of codes in an extended colour, from its "38" or "48" on: RGB or palette index."""
_RESET = "\x1b[0m"

FRAME_START, FRAME_END = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: terminals that support it (DEC mode 2026) show the frame in between at once."""
_BARE_MOVE = re.compile(r"\x1b\[[0-9;]*H")

Style = tuple[tuple[str, str], ...]
"""The active attributes: (attribute, the codes that set it), sorted."""


def compacted(text: str) -> str:
    """Return shorter output that looks the same. `text` must not scroll; it begins and ends without a style."""
    text = _OVERTAKEN_MOVES.sub("", text)
    if "\x1b[" not in text:
        return text
    parts: list[str] = []
    target: Style = ()
    current: Style = ()
    position = 0
    for match in _SEQUENCE.finditer(text):
        if match.start() > position:
            if target != current:
                parts.append(_transition(current, target))
                current = target
            parts.append(text[position : match.start()])
        target = _after(target, match[1])
        position = match.end()
    if position < len(text):
        if target != current:
            parts.append(_transition(current, target))
            current = target
        parts.append(text[position:])
    if current:
        parts.append(_RESET)
    return "".join(parts)


class FrameBuffer:
    """Joins the parts of a frame and drops a frame that only moves the cursor to where it is."""

    def __init__(self) -> None:
        self._parts: list[str] | None = None
        self._last_move = ""

    def add(self, part: str) -> str:
        """Return the output due after this part: none inside a frame."""
        if part == FRAME_START:
            self._parts = []
            return ""
        if self._parts is None:
            return compacted(part)
        if part != FRAME_END:
            self._parts.append(part)
            return ""
        frame, self._parts = "".join(self._parts), None
        is_redundant = _BARE_MOVE.fullmatch(frame) is not None and frame == self._last_move
        self._last_move = frame[frame.rfind("\x1b") :]
        return "" if is_redundant else FRAME_START + compacted(frame) + FRAME_END


@lru_cache(maxsize=4096)
def _transition(current: Style, target: Style) -> str:
    """Return the shorter sequence from one style to another: the changed codes, or a reset and all codes."""
    whole = "\x1b[" + ";".join(["0", *(codes for _, codes in target)]) + "m"
    if {kind for kind, _ in current} - {kind for kind, _ in target}:
        return whole
    different = "\x1b[" + ";".join(item[1] for item in target if item not in current) + "m"
    return min(different, whole, key=len)


@lru_cache(maxsize=4096)
def _after(style: Style, codes: str) -> Style:
    """Return the style after an SGR sequence with these codes."""
    items = dict(style)
    parts = [part or "0" for part in codes.split(";")]
    index = 0
    while index < len(parts):
        part, count = parts[index], 1
        if part == "0":
            items = {}
        elif part in {"38", "48"} and index + 1 < len(parts):
            count = _NUM_COLOR_CODES.get(parts[index + 1], 1)
            items["text" if part == "38" else "ground"] = ";".join(parts[index : index + count])
        else:
            items[_attribute_of(part)] = part
        index += count
    return tuple(sorted(items.items()))


def _attribute_of(part: str) -> str:
    """Return the attribute that a code sets; all foreground colours are one, and all background colours."""
    number = int(part)
    if 30 <= number <= 39 or 90 <= number <= 97:
        return "text"
    if 40 <= number <= 49 or 100 <= number <= 107:
        return "ground"
    return part

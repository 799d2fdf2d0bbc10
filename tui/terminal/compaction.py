"""`compacted`: the same picture in fewer bytes, by shorter SGR (colour and attribute) sequences. Pure.

Textual sets every segment's full style and resets it afterwards, two thirds of all output. Here a style is sent only
where it changes, from one changed stretch to the next, too; of consecutive cursor moves only the last, and of frames
without a change none.
"""

from __future__ import annotations

import re
from functools import lru_cache

FRAME_START, FRAME_END = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: terminals that support it (DEC mode 2026) show the frame in between at once."""
_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m")
_BARE_MOVE = re.compile(r"\x1b\[[0-9;]*H")
_OVERTAKEN_MOVES = re.compile(r"(?:\x1b\[[0-9;]*H|\n)+(?=\x1b\[[0-9;]*H)")
_NUM_COLOR_CODES = {"2": 5, "5": 3}
"""Number of codes in an extended colour, from its "38" or "48" on: RGB or palette index."""
_RESET = "\x1b[0m"

Style = tuple[tuple[str, str], ...]
"""The active attributes: (attribute, the codes that set it), sorted."""


def compacted(text: str) -> str:
    """Return shorter output that looks the same. `text` must not scroll; it begins and ends without a style."""
    first, *rest = _SEQUENCE.split(_OVERTAKEN_MOVES.sub("", text))
    parts, target, current = [first], Style(), Style()
    for codes, piece in zip(rest[::2], rest[1::2], strict=True):
        target = _after(target, codes)
        if piece:
            if target != current and not _BARE_MOVE.fullmatch(piece):  # a move paints nothing
                parts.append(_transition(current, target))
                current = target
            parts.append(piece)
    return "".join([*parts, _RESET if current else ""])


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
    whole = f"\x1b[{';'.join(['0', *(codes for _, codes in target)])}m"
    if dict(current).keys() - dict(target).keys():
        return whole
    return min(f"\x1b[{';'.join(codes for kind, codes in target if (kind, codes) not in current)}m", whole, key=len)


@lru_cache(maxsize=4096)
def _after(style: Style, codes: str) -> Style:
    """Return the style after an SGR sequence with these codes."""
    items = dict(style)
    parts = [part or "0" for part in codes.split(";")]
    index = 0
    while index < len(parts):
        part, count = parts[index], 1
        number = int(part)
        if number == 0:
            items = {}
        elif number in {38, 48} and index + 1 < len(parts):
            count = _NUM_COLOR_CODES.get(parts[index + 1], 1)
            items["text" if number == 38 else "ground"] = ";".join(parts[index : index + count])
        elif 30 <= number <= 39 or 90 <= number <= 97:
            items["text"] = part
        elif 40 <= number <= 49 or 100 <= number <= 107:
            items["ground"] = part
        else:
            items[part] = part
        index += count
    return tuple(sorted(items.items()))

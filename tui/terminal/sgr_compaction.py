"""`slim`: the same picture in fewer bytes. Pure; knows no terminal and no framework.

Textual tells every piece of text its colours in full and takes them back after it, which is two thirds of all that goes
out. Here a colour or attribute is told only where it differs from what is in use, and a cursor that is moved twice in a
row is moved once. Frames in which nothing happens are left out.
"""

from __future__ import annotations

import re
from functools import lru_cache

_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)m")
_OVERTAKEN_MOVES = re.compile(r"(?:\x1b\[[0-9;]*H|\n)+(?=\x1b\[[0-9;]*H)")
_NUM_COLOR_PARTS = {"2": 5, "5": 3}
"""How many numbers a colour takes, from its "38" or "48" on: by red, green and blue, or by its number."""
_RESET = "\x1b[0m"

FRAME_START, FRAME_END = "\x1b[?2026h", "\x1b[?2026l"
"""Between these, a terminal that understands them shows nothing half drawn."""
_BARE_MOVE = re.compile(r"\x1b\[[0-9;]*H")

Style = tuple[tuple[str, str], ...]
"""What is in use: (what it is, the numbers that set it), in a fixed order."""


def slim(text: str) -> str:
    """Return what looks the same as `text`, which scrolls nothing and begins without a style; it also ends without."""
    text = _OVERTAKEN_MOVES.sub("", text)
    if "\x1b[" not in text:
        return text
    pieces: list[str] = []
    wanted: Style = ()
    used: Style = ()
    position = 0
    for match in _SEQUENCE.finditer(text):
        if match.start() > position:
            if wanted != used:
                pieces.append(_change(used, wanted))
                used = wanted
            pieces.append(text[position : match.start()])
        wanted = _after(wanted, match[1])
        position = match.end()
    if position < len(text):
        if wanted != used:
            pieces.append(_change(used, wanted))
            used = wanted
        pieces.append(text[position:])
    if used:
        pieces.append(_RESET)
    return "".join(pieces)


class Frames:
    """Puts together what comes in pieces, and leaves out a frame that only moves the cursor to where it is."""

    def __init__(self) -> None:
        """Begin outside a frame."""
        self._pieces: list[str] | None = None
        self._end = ""

    def take(self, piece: str) -> str:
        """Return what is to be sent after one more piece: nothing in the middle of a frame."""
        if piece == FRAME_START:
            self._pieces = []
            return ""
        if self._pieces is None:
            return slim(piece)
        if piece != FRAME_END:
            self._pieces.append(piece)
            return ""
        frame, self._pieces = "".join(self._pieces), None
        is_needless = _BARE_MOVE.fullmatch(frame) is not None and frame == self._end
        self._end = frame[frame.rfind("\x1b") :]
        return "" if is_needless else FRAME_START + slim(frame) + FRAME_END


@lru_cache(maxsize=4096)
def _change(used: Style, wanted: Style) -> str:
    """Return the shorter way from one style to another: what differs, or all of it after a reset."""
    whole = "\x1b[" + ";".join(["0", *(numbers for _, numbers in wanted)]) + "m"
    if {kind for kind, _ in used} - {kind for kind, _ in wanted}:
        return whole
    different = "\x1b[" + ";".join(item[1] for item in wanted if item not in used) + "m"
    return min(different, whole, key=len)


@lru_cache(maxsize=4096)
def _after(style: Style, numbers: str) -> Style:
    """Return the style after a sequence with these numbers."""
    items = dict(style)
    parts = [part or "0" for part in numbers.split(";")]
    index = 0
    while index < len(parts):
        part, count = parts[index], 1
        if part == "0":
            items = {}
        elif part in {"38", "48"} and index + 1 < len(parts):
            count = _NUM_COLOR_PARTS.get(parts[index + 1], 1)
            items["text" if part == "38" else "ground"] = ";".join(parts[index : index + count])
        else:
            items[_kind(part)] = part
        index += count
    return tuple(sorted(items.items()))


def _kind(part: str) -> str:
    """Return what a number sets: a colour of the sixteen, or an attribute of its own."""
    number = int(part)
    if 30 <= number <= 39 or 90 <= number <= 97:
        return "text"
    if 40 <= number <= 49 or 100 <= number <= 107:
        return "ground"
    return part

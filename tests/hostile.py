"""Hostile text and file names: attacks on terminals and markup, and detectors of leaks.

`obeyed` finds characters that a terminal would obey, `unknown_sequences` finds unexpected output of the program. The
payloads are invented, and escaped in this file. Every text contains "zqj", so that a test can assert that it was shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

PAYLOAD = "PWNED"
"""Part of every payload of an escape sequence: after an ESC in the output, it is a leak."""

ESCAPES = {
    "colour": "\x1b[31mzqj red\x1b[0m",
    "clears the screen": "zqj\x1b[2J\x1b[H\x1b[3J",
    "moves the cursor": "zqj\x1b[5;5Hhere\x1b[A\x1b[s\x1b[u",
    "resets": "zqj\x1bc\x1b[!p",
    "alternate screen": "zqj\x1b[?1049l\x1b[?25h\x1b[?1003h",
    "title": f"zqj\x1b]0;{PAYLOAD}\x07",
    "title asked back": "zqj\x1b[21t\x1b[c\x1b[6n\x1b[>q",
    "clipboard": f"zqj\x1b]52;c;{PAYLOAD}\x07",
    "link": f"zqj \x1b]8;;http://{PAYLOAD}.example\x1b\\click\x1b]8;;\x1b\\",
    "kitty picture": f"zqj\x1b_Ga=T,f=100;{PAYLOAD}\x1b\\",
    "sixel": f"zqj\x1bPq{PAYLOAD}\x1b\\",
    "private message and string": f"zqj\x1b^{PAYLOAD}\x1b\\\x1bX{PAYLOAD}\x1b\\",
    "tmux passthrough": f"zqj\x1bPtmux;\x1b\x1b]52;c;{PAYLOAD}\x07\x1b\\",
    "never ended": f"zqj\x1b]0;{PAYLOAD}",
    "bare escapes": "zqj\x1b\x1b\x1b[\x1b",
    "alternate characters": "zqj\x1b(0\x0e\x0f",
    "in one C1 character": f"zqj\x9b31m\x9d52;c;{PAYLOAD}\x9c\x90q{PAYLOAD}\x9c\x9f{PAYLOAD}\x9c\x9e\x98\x85\x84\x8d",
}
CONTROLS = {
    "all of C0": "zqj" + "".join(map(chr, range(32))),
    "DEL and all of C1": "zqj" + "".join(map(chr, range(0x7F, 0xA0))),
    "overwritten by CR": "zqj good\rbad",
    "separators": "zqj\u2028line\u2029paragraph\x85next",
}
UNSEEN = {
    "right to left override": "zqj \u202etxt.exe",
    "directions never ended": "zqj \u2066\u2067\u2068\u202a\u202b\u202d\u200e\u200f\u061c",
    "zero-width flood": "zqj" + "\u200b\u2060\ufeff" * 1500,
    "joiner flood": "zqj" + "\u200d" * 4000,
    "family that never ends": "zqj 👩" + "\u200d👩" * 800,
    "selector flood": "zqj❤" + "\ufe0f" * 4000,
    "ideographic selectors": "zqj" + "".join(map(chr, range(0xE0100, 0xE01F0))),
    "tags": "zqj" + "".join(chr(0xE0000 + ord(char)) for char in "[31mhidden") + "\U000e007f",
    "invisible operators": "zqj\u2061\u2062\u2063\u2064\u180e\u00ad\u034f",
    "fillers": "zqj\u3164\u115f\u1160\uffa0",
    "no characters": "zqj\ufffe\uffff\U0001ffff\ufdd0\ue000\U000f0000\U0010fffd\ufff9a\ufffab\ufffb",
}
FLOODS = {
    "4,000 marks": "zqja" + "\u0301" * 4000,
    "marks of many classes": "zqja" + "\u0316\u0301\u0345\u0591" * 1000,
    "marks before all": "\u0301" * 4000 + "zqj",
    "wide line": "zqj" + "漢" * 5000,
    "one long word": "zqj" + "w" * 20_000,
    "one ligature": "zqj" + "\ufdfd\u12031\U0001242b" * 300,
    "Hangul that never ends": "zqj\u1100" + "\u1161\u11a8" * 1500,
    "flags": "zqj" + "\U0001f1e6" * 3000,
}
MARKUP = {
    "action": "zqj [@click=app.bell]click[/] [@click='app.exit']x[/]",
    "closed too often": "zqj [/foo] [/] [/red]",
    "never closed": "zqj [bold red on blue] [reverse",
    "link in markup": f"zqj [link=http://{PAYLOAD}.example]x[/link]",
    "broken": "zqj [[[]]] [=] [@] [#] [$primary] [\\[ [/\\] [red",
    "emoji by name": "zqj :smile: :warning: :pile_of_poo:",
    "variables": "zqj $primary ${HOME} $(id) `id` %s %n {0} {app}",
    "backslashes": "zqj \\[red] \\\\ \\x1b[31m \\u001b[31m \\033[31m ^[[31m",
    "entities": "zqj &#27;[31m &#x1b;]0;x&#7; &amp;#27;[31m",
    "HTML": "zqj <script>alert(1)</script> <!-- --> ]]>",
}
SURROGATES = {
    "lone surrogates": "zqj\ud800 \udfff \udc80",
    "bytes of a name": "zqj\udcff\udc9b31m",
}
TEXTS = ESCAPES | CONTROLS | UNSEEN | SURROGATES | FLOODS | MARKUP
"""Texts by the attack."""
ALL_AT_ONCE = " ".join(text for text in TEXTS.values() if len(text) < 400)
MEGABYTE = {
    "a line": "zqj" + "w" * 1_000_000,
    "marks": "zqja" + "\u0316\u0301" * 500_000,
    "escapes": "zqj" + "\x1b[31m" * 200_000,
    "unended escapes": "zqj" + "\x1b]" * 500_000,
    "blanks": "zqj" + " \t\u3000" * 300_000 + "zqj",
    "nothing to be seen": "zqj" + "\u200b" * 1_000_000,
    "joiners": "zqj" + "👩\u200d" * 400_000,
    "entities": "zqj" + "&#27;" * 200_000,
}

FILE_NAMES = (
    b"zqj\x1b]52;c;PWNED\x07.txt",
    b"zqj\x1b[31m\x1b[2J.txt",
    "zqj \u202etxt.csv".encode(),
    b"zqj\nsecond line.txt",
    "zqj\x9b31m.txt".encode(),
    b"zqj bytes \xff\xfe\x9b31m.txt",
    b"zqj [@click=app.bell]x[].txt",
    b"zqja" + "\u0301".encode() * 100 + b".txt",
    "zqj\u200b\u200d\ufeff\U000e0041.txt".encode(),
    b"-zqj --help.txt",
    b"zqj" + b"w" * 240,
)
"""Valid file names, in bytes."""

# the sequences that the screen, Textual (8.2) and rich write themselves
_KNOWN = re.compile(
    r"""\x1b(?:
        \[\?(?:1|7|25|1000|1003|1004|1006|1015|1049|2004|2026|2031|2048)(?:;\d+)*[hl]  # modes
      | \[\?(?:2026|2048)\$p                                        # queries of modes
      | \[[<>=][\d;]*u | \[\?u                                      # the keyboard
      | \[[\d;]*m                                                   # colours
      | \[\d*;?\d*H | \[\d*[ABCDG] | \[[012]?[KJ]                   # cursor and erasing
      | \[\d*X | \[\d*b                                             # blanks by `sgr_compaction`
      | \[2[23];0t | \[1[48]t                                       # title stack; queries of size
      | \[c | \[>c | \[6n
      | \]0;[^\x00-\x1f\x7f-\x9f]*\x07                              # the title
      | \]22;[a-z-]*(?:\x07|\x1b\\)                                # pointer shape
      | _Gi=\d+,[^\x1b]*\x1b\\                                      # query for graphics
      | [78]
    )""",
    re.VERBOSE,
)


def obeyed(text: str) -> list[str]:
    """Return the characters that a terminal could obey, or that hide or reorder their neighbours.

    Joiners are allowed: families of emoji need them.
    """
    return [
        f"U+{ord(char):04X}"
        for char in text
        if (unicodedata.category(char)[0] == "C" and char not in "\u200c\u200d") or char in "\u2028\u2029"
    ]


def most_marks_on_one(text: str) -> int:
    """Return the length of the longest run of combining marks; a joiner does not end one."""
    runs = re.findall(r"M[MJ]*", "".join("J" if char == "\u200d" else unicodedata.category(char)[0] for char in text))
    return max((run.count("M") for run in runs), default=0)


def unknown_sequences(written: bytes) -> Iterator[str]:
    """Yield the sequences in a program's output that are not among the known ones, escaped."""
    rest = _KNOWN.sub("", written.decode("utf-8", "replace"))
    for found in re.finditer(r"[^\n\r\x20-\x7e\xa0-\U0010ffff].{0,20}", rest):
        yield ascii(found.group())
    for found in re.finditer("[\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]", rest):
        yield ascii(found.group())


def write_corpus(path: Path) -> Path:
    """Write a corpus of hostile lines, each often enough for its characters to enter the vocabulary."""
    lines = [text.replace("\n", " ") for text in TEXTS.values()] * 3 + list(MEGABYTE.values())[:3]
    harmless = [f"zqj tweet number {number} is quite harmless" for number in range(60)]
    path.write_bytes("\n".join([*lines, *harmless]).encode("utf-8", "surrogatepass"))
    return path

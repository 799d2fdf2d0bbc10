"""Text as roff source for the macros of man(7): nothing in it is a request, an escape or a typographic substitute."""

from __future__ import annotations

import re
import textwrap

_CHARS = {
    "\\": r"\(rs",
    "-": r"\-",
    "'": r"\(aq",
    '"': r"\(dq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
}
"""Characters that groff prints as others: a hyphen-minus as a hyphen, an apostrophe as a closing quote."""
_OPTION = re.compile(r"(?<!\S)(--?[a-z][a-z-]*)")
_MAX_WIDTH = 110


def escaped(text: str) -> str:
    """Return text that roff prints character by character."""
    return "".join(_CHARS.get(char) or (char if char < "\x7f" else rf"\[u{ord(char):04X}]") for char in text)


def bold(text: str) -> str:
    """Return text in bold: what is typed as it stands."""
    return rf"\fB{escaped(text)}\fR"


def italic(text: str) -> str:
    """Return text in italics: what stands for something else."""
    return rf"\fI{escaped(text)}\fR"


def label(text: str) -> str:
    """Return an argument or option as the help shows it: names in bold, the rest in italics, broken between choices."""
    return "".join(
        bold(piece) if _OPTION.fullmatch(piece) else italic(piece) if piece.strip(", ") else piece
        for piece in _OPTION.split(text)
    ).replace("|", r"|\:")


def paragraph(text: str) -> str:
    """Return one paragraph, filled; what stands between backquotes is bold."""
    pieces = " ".join(text.split()).split("`")
    source = "".join(bold(piece) if number % 2 else escaped(piece) for number, piece in enumerate(pieces))
    lines = textwrap.wrap(source, _MAX_WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(map(_as_text, lines))


def literal(lines: str) -> str:
    """Return lines that are printed as they are."""
    return "\n".join([".EX", *(_as_text(escaped(line)) for line in lines.splitlines()), ".EE"])


def tagged(tag: str, text: str) -> str:
    """Return an entry of a list: a tag, in roff, and an indented paragraph."""
    return f".TP\n{tag}\n{paragraph(text)}"


def heading(macro: str, text: str) -> str:
    """Return a heading: `SH` of a section, `SS` of a part of one."""
    return f'.{macro} "{escaped(text)}"'


def _as_text(line: str) -> str:
    """Return a line of source that is no request, although it may begin with a full stop."""
    return rf"\&{line}" if line.startswith(".") else line

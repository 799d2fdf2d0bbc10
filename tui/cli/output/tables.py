"""Tables on stdout: aligned columns a script can cut and a person can read; JSON lines where asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

import msgspec
from rich.cells import cell_len

from engine.text import harmless, harmless_char


def print_json(value: object) -> None:
    """Print one JSON object on a line, without any character in it that a terminal could obey."""
    sys.stdout.write(_with_escapes(_encoded(value)) + "\n")


def _encoded(value: object) -> str:
    """Return a value as JSON, also where it names a file by bytes that are no text."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))


def _with_escapes(text: str) -> str:
    """Return JSON that says the same, each character that is not safe to show written as its number."""
    if text.isprintable():
        return text
    # such a character can only stand within a string: all that is outside of one is plain ASCII
    return "".join(char if harmless_char(char) == char else json.dumps(char)[1:-1] for char in text)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns two blanks apart, as wide as their widest cell."""
    cells = [list(headings), *([harmless(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, the values aligned."""
    pairs = [(name, harmless(value)) for name, value in facts]
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        sys.stdout.write(f"{name:<{width}}  {value}\n")

"""Tables and JSON lines on stdout, without control characters."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

import msgspec
from rich.cells import cell_len

from engine.text import sanitize_char, sanitize_line


def print_json(value: object) -> None:
    """Print one JSON object on a line, control characters escaped."""
    sys.stdout.write(_with_escapes(_encoded(value)) + "\n")


def _encoded(value: object) -> str:
    """Return a value as JSON, also with file names that are not valid UTF-8."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), separators=(",", ":"))


def _with_escapes(text: str) -> str:
    """Return equivalent JSON with each unprintable character as an escape sequence."""
    if text.isprintable():
        return text
    # only strings can contain such a character: JSON outside of strings is ASCII
    return "".join(char if sanitize_char(char) == char else json.dumps(char)[1:-1] for char in text)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns, two spaces apart."""
    cells = [list(headings), *([sanitize_line(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(row[column]) for row in cells) for column in range(len(headings))]
    for row in cells:
        padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(padded).rstrip() + "\n")


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print one name and value per line, the values aligned."""
    pairs = [(name, sanitize_line(value)) for name, value in facts]
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        sys.stdout.write(f"{name:<{width}}  {value}\n")

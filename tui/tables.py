"""Tables on stdout: aligned columns a script can cut and a person can read; JSON lines where asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import msgspec
from rich.cells import cell_len

from engine.text import harmless


def print_json(value: object) -> None:
    """Print one JSON object on a line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


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

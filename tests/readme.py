"""What README, docs and manual page show of the program, made from the program.

    python -m tests.readme             the tables of keys and events, the manual page, the completion scripts
    python -m tests.readme pictures    these, and the pictures

Tests fail if the former are out of date; the pictures take minutes.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args
from unittest import mock

from engine.protocol.events import Event
from tests.manual_page import write_shared_files
from tests.pictures import take_pictures, take_recording
from tui.settings.key_table import KEY_TABLE, MAIN_KEYS
from tui.settings.keys.key import Key
from tui.settings.keys.lesson import LESSON_KEYS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PICTURES = ROOT / "assets" / "pictures"
TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def key_table() -> str:
    """Return the table of keys, in Markdown."""
    return "\n".join(["| key | does | in `[keys]` |", "|---|---|---|", *_key_rows()]) + "\n"


def _key_rows() -> Iterator[str]:
    for heading, keys in {**KEY_TABLE, "In the lesson": LESSON_KEYS}.items():
        yield f"| | **{heading}** | |"
        yield from map(_key_row, keys)


def _key_row(key: Key) -> str:
    names = " ".join(name if name in {"or", "to"} else f"`{name}`" for name in key.shown.replace("^", "ctrl+").split())
    if not key.keys and not key.symbols:
        names = f"`ctrl+p` {key.title}"
    name = f"`{key.name}`" if key in MAIN_KEYS else ""
    return f"| {names} | {key.sentence.replace('|', chr(92) + '|')} | {name} |"


def event_table() -> str:
    """Return the table of events with the fields that not all of them have, in Markdown."""
    return "\n".join(["| event | fields | meaning |", "|---|---|---|", *map(_event_row, get_args(Event))]) + "\n"


def _event_row(event_type: type[Event]) -> str:
    names = " ".join(f"`{field.name}`" for field in fields(event_type) if field.name not in {"step", "elapsed_seconds"})
    [sentence, *_] = (event_type.__doc__ or "").splitlines()
    return f"| `{event_type.__name__}` | {names} | {sentence} |"


TABLES = {
    "keys.md": ("keys", key_table),
    "commands.md": ("events", event_table),
}
"""Which file of the docs has which table."""


def table_in(file_name: str) -> str:
    """Return the table that a file of the docs has now."""
    return _split(file_name)[1]


def _split(file_name: str) -> tuple[str, str, str]:
    """Return a file of the docs before its table, the table, and after it."""
    name, _ = TABLES[file_name]
    begins, ends = f"<!-- the table of {name} -->\n", f"<!-- the table of {name} ends -->\n"
    before, _, rest = (DOCS / file_name).read_text(encoding="utf-8").partition(begins)
    table, _, after = rest.partition(ends)
    return before + begins, table, ends + after


def write_tables() -> None:
    """Put the tables into the docs."""
    for file_name, (_, make_table) in TABLES.items():
        before, _, after = _split(file_name)
        (DOCS / file_name).write_text(before + make_table() + after, encoding="utf-8")


def main() -> None:
    """Write the tables and the files of `assets/share/`, and the pictures if they are asked for."""
    write_tables()
    write_shared_files()
    if sys.argv[1:] == ["pictures"]:
        with tempfile.TemporaryDirectory() as home, mock.patch.dict("os.environ", TERMINAL | {"TWEETGEN_HOME": home}):
            take_recording(PICTURES, Path(home) / "recorded")
            asyncio.run(take_pictures(PICTURES))


if __name__ == "__main__":
    main()

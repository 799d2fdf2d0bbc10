"""What README and docs show of the program, made from the program.

    python -m tests.readme             the tables of keys and of events; a test fails if they are out of date
    python -m tests.readme pictures    these, and the pictures of the README

The pictures are the real app on the embedded corpus, over a minute or so of real training.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args
from unittest import mock

from engine.config.run import RunConfig
from engine.protocol.events import Event
from tests.animation import animate
from tui.app.app import TweetgenApp
from tui.settings.key_table import KEY_TABLE
from tui.settings.keys.key import Key

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PICTURES = ROOT / "assets" / "pictures"
STILL_SIZES = ((120, 40), (80, 24))
ANIMATION_SIZE = (100, 30)
TITLE = "tweetgen-tui"
TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
NUM_STEPS, STEPS_PER_FRAME = 1200, 40
DEADLINE_SECONDS = 600.0


def key_table() -> str:
    """Return the table of keys, in Markdown."""
    return "\n".join(["| key | does |", "|---|---|", *_key_rows()]) + "\n"


def _key_rows() -> Iterator[str]:
    for heading, keys in KEY_TABLE.items():
        yield f"| | **{heading}** |"
        yield from map(_key_row, keys)


def _key_row(key: Key) -> str:
    names = " ".join(name if name == "or" else f"`{name}`" for name in key.shown.replace("^", "ctrl+").split())
    if not key.keys:
        names = f"`ctrl+p` {key.title}"
    return f"| {names} | {key.sentence.replace('|', chr(92) + '|')} |"


def event_table() -> str:
    """Return the table of events with the fields that not all of them have, in Markdown."""
    return "\n".join(["| event | fields | meaning |", "|---|---|---|", *map(_event_row, get_args(Event))]) + "\n"


def _event_row(event_type: type[Event]) -> str:
    names = " ".join(f"`{field.name}`" for field in fields(event_type) if field.name not in {"step", "elapsed_seconds"})
    [sentence, *_] = (event_type.__doc__ or "").splitlines()
    return f"| `{event_type.__name__}` | {names} | {sentence} |"


TABLES = {"keys.md": ("keys", key_table), "commands.md": ("events", event_table)}
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


async def _take_pictures() -> None:
    """Train, and write the animation and the stills."""
    app = TweetgenApp(RunConfig(run_name="happy"))
    frames = []
    async with app.run_test(size=ANIMATION_SIZE) as pilot:
        for step in range(STEPS_PER_FRAME, NUM_STEPS + 1, STEPS_PER_FRAME):
            await _train_until(app, step)
            frames.append(app.export_screenshot(title=TITLE))
        (PICTURES / "training.svg").write_text(animate(frames), encoding="utf-8")
        for columns, rows in STILL_SIZES:
            await pilot.resize_terminal(columns, rows)
            await _train_until(app, app.summary_view.step + STEPS_PER_FRAME)  # drawn at this size
            picture = app.export_screenshot(title=TITLE)
            (PICTURES / f"screen-{columns}x{rows}.svg").write_text(picture, encoding="utf-8")
        app.bridge.stop("picture taken")
        app.bridge.join(DEADLINE_SECONDS)


async def _train_until(app: TweetgenApp, step: int) -> None:
    """Wait until the run has taken this many steps."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while app.summary_view.step < step:
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {app.summary_view.step} steps")
        await asyncio.sleep(0.05)


def main() -> None:
    """Write the tables, and the pictures if they are asked for."""
    write_tables()
    if sys.argv[1:] == ["pictures"]:
        with tempfile.TemporaryDirectory() as home, mock.patch.dict("os.environ", TERMINAL | {"TWEETGEN_HOME": home}):
            asyncio.run(_take_pictures())


if __name__ == "__main__":
    main()

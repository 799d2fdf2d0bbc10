"""What the README shows of the program, made from the program: `python -m tests.readme` writes it.

The table of keys comes from the key table, and a test fails where it is another one. The pictures are the real app on
the embedded corpus, after some hundred steps of real training, at 120x40 and 80x24.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from engine.config.run import RunConfig
from tui.app.app import TweetgenApp
from tui.settings.key_table import KEY_TABLE
from tui.settings.keys.key import Key

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURES = ROOT / "assets" / "pictures"
SIZES = ((120, 40), (80, 24))
TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
NUM_STEPS = 1200
DEADLINE_SECONDS = 600.0
TABLE_BEGINS, TABLE_ENDS = "<!-- the key table -->\n", "<!-- the key table ends -->\n"


def key_table() -> str:
    """Return the table of keys, in Markdown."""
    return "\n".join(["| key | does |", "|---|---|", *_rows()]) + "\n"


def _rows() -> Iterator[str]:
    for heading, keys in KEY_TABLE.items():
        yield f"| | **{heading}** |"
        yield from map(_row, keys)


def _row(key: Key) -> str:
    names = " ".join(name if name == "or" else f"`{name}`" for name in key.shown.replace("^", "ctrl+").split())
    return f"| {names} | {key.sentence.replace('|', chr(92) + '|')} |"


def write_table() -> None:
    """Put the table of keys into the README."""
    before, _, rest = README.read_text(encoding="utf-8").partition(TABLE_BEGINS)
    _, _, after = rest.partition(TABLE_ENDS)
    README.write_text(before + TABLE_BEGINS + key_table() + TABLE_ENDS + after, encoding="utf-8")


async def _take_picture(columns: int, rows: int) -> None:
    """Train for a while and write what the terminal then shows."""
    app = TweetgenApp(RunConfig(run_name="happy"))
    async with app.run_test(size=(columns, rows)):
        await _train(app)
        PICTURES.mkdir(exist_ok=True)
        picture = app.export_screenshot(title="tweetgen-tui")
        (PICTURES / f"screen-{columns}x{rows}.svg").write_text(picture, encoding="utf-8")
        app.bridge.stop("picture taken")
        app.bridge.join(DEADLINE_SECONDS)


async def _train(app: TweetgenApp) -> None:
    """Wait until enough steps are taken."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while app.summary_view.step < NUM_STEPS:
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {app.summary_view.step} steps")
        await asyncio.sleep(0.2)


def main() -> None:
    """Write all of it."""
    write_table()
    for columns, rows in SIZES:
        with tempfile.TemporaryDirectory() as home, mock.patch.dict("os.environ", TERMINAL | {"TWEETGEN_HOME": home}):
            asyncio.run(_take_picture(columns, rows))


if __name__ == "__main__":
    main()

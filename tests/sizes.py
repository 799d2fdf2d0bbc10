"""Draw the screen at sizes from 40x12 to 200x60, every STEP columns and rows, and at the largest.

python -m tests.sizes [STEP]     (12)
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile

from tests.fakes import FakeSession
from tests.tui.app.test_sizes import SCRIPT, WIDE, draw_at
from tests.tui.conftest import Stage, shows
from tui.terminal.capabilities import LARGEST_SIZE


async def draw_all(step: int) -> int:
    """Draw the screen at each size of a grid and at the largest; return the number of sizes."""
    stage = Stage()
    app = stage.app(FakeSession(SCRIPT))
    sizes = [(width, height) for width in range(40, 201, step) for height in range(12, 61, step)] + [LARGEST_SIZE]
    async with app.run_test(size=WIDE) as pilot:
        await shows(app, "number 8 is said")
        for size in sizes:
            try:
                await draw_at(app, pilot, size)
            except Exception as error:
                error.add_note(f"at {size[0]}x{size[1]}")
                raise
    app.connection.stop("all sizes drawn")
    return len(sizes)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TWEETGEN_HOME"] = folder
        num_sizes = asyncio.run(draw_all(int((*sys.argv[1:], "12")[0])))
        print(f"{num_sizes} sizes drawn")

"""The progress of a command: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import re

from rich.console import Console

from engine.progress import Stage as Moment
from tests import fakes
from tests.tui.widgets.status.test_stage_hint import REPORT
from tui.cli.output.progress_display import ProgressDisplay, show_progress
from tui.cli.output.run_progress import RunProgress


def test_plain_output_shows_a_stage_once_and_its_progress_every_few_seconds() -> None:
    lines: list[str] = []
    clock = fakes.FakeClock()
    display = RunProgress(ProgressDisplay(Console(file=io.StringIO()), write=lines.append, clock=clock))
    display.stage(Moment("loading torch"))
    for percent in range(100):
        clock.advance(0.125)
        display.stage(Moment("reading the tweets", percent / 100))
    display.stage(Moment("building the model", report=REPORT))
    display.stage(Moment("building the model", report=REPORT))
    assert lines == [
        "loading torch ...",
        "reading the tweets ... 0%",
        "reading the tweets ... 40%",
        "reading the tweets ... 80%",
        *REPORT,
        "building the model ...",
    ]


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_the_bar_moves_and_is_removed() -> None:
    file = io.StringIO()
    with show_progress(Console(file=file, force_terminal=True, width=80)) as on_progress:
        on_progress(0.25, "a.csv, \x1b[31m5,000 rows")
        on_progress(None, "a.csv, 9,000 rows")
    assert "25 %" in ESCAPES.sub("", file.getvalue())
    assert "9,000 rows" in file.getvalue()
    assert "\x1b[31m5,000" not in file.getvalue()
    assert file.getvalue().endswith("\x1b[2K"), "the line is empty again"
    assert file.getvalue().rindex("\x1b[?25h") > file.getvalue().rindex("\x1b[?25l")

"""The progress of a command: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import io
import re

import pytest

from engine.progress import Stage
from tests.cli.program import Terminal
from tests.fakes import FakeClock
from tests.tui.widgets.status.test_stage_hint import REPORT
from tui.cli.headless import _Output
from tui.cli.output import show_progress


def test_plain_output_shows_a_stage_once_and_its_progress_every_few_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    monkeypatch.setattr("tui.cli.output.time.monotonic", clock)
    output = _Output(as_json=False, on_start=None)
    output.on_stage(Stage("loading torch"))
    for percent in range(100):
        clock.advance(0.125)
        output.on_stage(Stage("reading the tweets", percent / 100))
    output.on_stage(Stage("building the model", report=REPORT))
    output.on_stage(Stage("building the model", report=REPORT))
    assert capsys.readouterr().err.splitlines() == [
        "loading torch ...",
        "reading the tweets ... 0%",
        "reading the tweets ... 40%",
        "reading the tweets ... 80%",
        *REPORT,
        "building the model ...",
    ]


ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_the_bar_moves_and_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", Terminal(written := io.BytesIO(), "utf-8", write_through=True))
    with show_progress() as on_progress:
        on_progress(0.25, "a.csv, \x1b[31m5,000 rows")
        on_progress(None, "a.csv, 9,000 rows")
    shown = written.getvalue().decode()
    assert "25 %" in ESCAPES.sub("", shown)
    assert "9,000 rows" in shown
    assert "\x1b[31m5,000" not in shown
    assert shown.endswith("\x1b[2K"), "the line is empty again"
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")

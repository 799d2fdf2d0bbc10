"""Before the first step: the stage, its progress, and the report of the corpus."""

from __future__ import annotations

import io
import queue
import re
import threading
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

import engine.protocol.stage
from engine.protocol import events
from engine.protocol.commands import Command
from engine.protocol.events import Event
from tests.fakes import FakeClock, FakeSession, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, Stage, screen_text, shows, text_of, toasted, trained_by, wait_until
from tui.cli.output.progress_display import ProgressDisplay
from tui.cli.output.run_progress import RunProgress
from tui.widgets.key_bar import KeyBar
from tui.widgets.panels import Panels
from tui.widgets.stage_hint import report_lines

REPORT = (
    "happy.csv, csv: 10,001 of 20,000 rows kept",
    "  column 6 (text): the longest; 12 lines read as Windows-1252",
    "dropped: 9,000 labelled sad, 999 duplicate",
)
Moment = engine.protocol.stage.Stage


class SlowSession(FakeSession):
    """Starts when the test allows it."""

    def __init__(self, script: tuple[Event, ...]) -> None:
        super().__init__(script)
        self.may_start = threading.Event()

    def run(self, emit: Callable[[Event], None], commands: queue.SimpleQueue[Command]) -> None:
        assert self.may_start.wait(DEADLINE_SECONDS)
        super().run(emit, commands)


async def test_a_starting_run_shows_its_stage_its_progress_the_report_and_an_invitation(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    session = SlowSession((steps_finished(1, [4.0]), tweet_sampled("hello there", 1)))
    app = stage.app(session)
    app.invite("New here? tweetgen-tui lesson")
    async with app.run_test(size=(80, 24)) as pilot:
        trained_by(app).stage = Moment("reading the tweets", 0.25)
        await shows(app, "reading the tweets", " 25 %", "New here?")
        await pilot.press("g")
        await toasted(app, "The run is still starting.")
        trained_by(app).stage = Moment("reading the tweets", 0.5)
        for size in ((40, 12), (120, 40), (80, 24)):
            await pilot.resize_terminal(*size)
            await wait_until(lambda: app.screen.query_one(KeyBar).size.width == size[0])  # noqa: B023 - awaited at once
            await shows(app, " 50 %", "New here?")
            assert text_of(app, "StageHint") == snapshot(name=f"{size[0]}x{size[1]}")
        trained_by(app).stage = Moment("building the model", 0.75, report=REPORT)
        await shows(app, "building the model", "happy.csv", " 75 %")
        assert text_of(app, "StageHint") == snapshot(name="with the report")
        trained_by(app).stage = Moment("building the model", report=REPORT)
        await wait_until(lambda: "%" not in text_of(app, "StageHint"), "no progress that is not known")
        session.may_start.set()
        await shows(app, "hello there")
        await wait_until(lambda: "New here?" not in screen_text(app), "the end of the report")


async def test_a_run_that_ends_before_its_first_step_shows_no_stage(stage: Stage) -> None:
    failed = events.RunFailed(step=0, elapsed_seconds=0.0, title="No", detail="It went wrong.", hint="")
    app = stage.app(FakeSession((failed,)))
    async with app.run_test(size=(80, 24)):
        await wait_until(lambda: app.summary_view.phase == "failed")
        await wait_until(lambda: not any(panels.has_class("-waiting") for panels in app.query(Panels)))


@pytest.mark.parametrize("width", [1, 20, 76])
def test_a_report_is_wrapped_and_cut_with_an_ellipsis(width: int) -> None:
    whole = report_lines(REPORT, width, 1000)
    assert all(cell_len(line) <= max(width, 3) for line in whole)
    assert re.sub(r"\s", "", "".join(whole)) == re.sub(r"\s", "", "".join(REPORT))
    assert report_lines(REPORT, width, len(whole)) == whole
    assert report_lines(REPORT, width, 3)[2] in ("…", whole[2])
    assert len(report_lines(REPORT, width, 3)) == 3
    assert report_lines(REPORT, width, 1) == []


def test_plain_output_shows_a_stage_once_and_its_progress_every_few_seconds() -> None:
    lines: list[str] = []
    clock = FakeClock()
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

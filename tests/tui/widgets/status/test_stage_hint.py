"""The stages before the first step, with their progress and the report."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion

from engine.protocol import events as e
from engine.protocol.commands import Command
from engine.protocol.progress import Stage as Moment
from tests import fakes
from tests.fakes import run_failed, steps_finished
from tests.tui.conftest import DEADLINE_SECONDS, Stage, screen_text, shows, text_of, trained_by, wait_until
from tui.widgets.panels import Panels
from tui.widgets.status.stage_hint import report_lines

REPORT = (
    "happy.csv, csv: 10,001 of 20,000 rows kept",
    "  column 6 (text): the longest; 12 lines read as Windows-1252",
    "dropped: 9,000 labelled sad, 999 duplicate",
)


class SlowSession(fakes.FakeSession):
    """Starts when the test allows it."""

    may_start = threading.Event()

    def run(self, emit: Callable[[e.Event], None], commands: queue.SimpleQueue[Command]) -> None:
        assert self.may_start.wait(DEADLINE_SECONDS)
        super().run(emit, commands)


async def test_a_starting_run_shows_its_progress_and_an_invitation_and_its_report_for_twenty_ticks_at_least(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    """What it shows at other sizes is recorded in `test_states`."""
    session = SlowSession((steps_finished(1, [4.0]), fakes.tweet_sampled("hello there", 1)))
    app = stage.app(session)
    app.main.invitation = "New here? tweetgen-tui lesson"
    async with app.run_test(size=(40, 12)) as pilot:
        trained_by(app).stage = Moment("reading the tweets", 0.5)
        await shows(app, "reading the tweets", " 50 %", "New here?")
        assert text_of(app, "StageHint") == snapshot
        await pilot.resize_terminal(80, 24)
        trained_by(app).stage = Moment("building the model", report=REPORT)
        await wait_until(lambda: "%" not in text_of(app, "StageHint"), "no progress that is not known")
        await shows(app, "building the model", "happy.csv", "New here?")
        session.may_start.set()
        await wait_until(lambda: app.main.run.view.step, "the first step")
        await shows(app, "training begins", "happy.csv")
        for _ in range(20):
            app.main.tick()
        await shows(app, "hello there")
        await wait_until(lambda: "New here?" not in screen_text(app), "the end of the report")


async def test_a_run_that_ends_before_its_first_step_shows_no_stage(stage: Stage) -> None:
    app = stage.app(fakes.FakeSession((run_failed(title="No"),)))
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

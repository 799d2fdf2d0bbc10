"""The list of checkpoints: what it shows, in which order, and two checkpoints side by side."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion
from textual.widgets import Static

from engine.checkpoints.catalog import CheckpointEntry, iterate_checkpoints, list_checkpoints
from engine.errors import StorageError
from engine.protocol import events as e
from engine.storage.folders import create_run_folder
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.fakes import run_started, tweet_sampled
from tests.tui.conftest import Running, Stage, text_of
from tests.tui.screens.dialogs.browser import NOW, Browsing, Entries, browsing, entry
from tests.tui.transcripts import Step, transcript
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.compare import CompareDialog
from tui.widgets.checkpoints.table import COMPARED, CheckpointTable


async def test_age_size_model_and_a_tweet_of_it_are_shown(stage: Stage) -> None:
    folder = create_run_folder("first")
    folder.config_path.write_text("{}")
    info = checkpoint_info()
    started = run_started(corpus=info.corpus_name, vocab_size=len(info.vocab) + 4)
    lines: list[e.Event] = [started, tweet_sampled("so sunny", 1)]
    folder.journal_path.write_text("".join(e.to_json(line) + "\n" for line in lines))
    path = write_checkpoint(folder.checkpoint_path("best"), run="first")
    os.utime(path, (NOW - 330, NOW - 330))
    async with browsing(stage, list_checkpoints, size=(120, 40)) as at:
        await at.press(shows=("“so sunny” (step 1)", "6 min", "kB", "GRU 1 x 8", "from the run first"))
        await at.resize(40, 12)
        await at.press(shows="“so sunny” (step 1)")


def failing() -> Iterator[CheckpointEntry]:
    yield entry("happy")
    raise StorageError("The folder can't be read.")


def of_two() -> list[CheckpointEntry]:
    return [entry(name, step=9, bits_per_char=2.0) for name in ("mine", "other")]


PLAYS: dict[str, tuple[Entries, tuple[Step, ...]]] = {
    "an empty list": (list, ("", "enter n delete R k = down end pagedown")),
    "an error while it is read": (failing, ("",)),
    "a filter without a match": (lambda: [entry("happy")], ("/ z q", "escape")),
    "all untrained": (lambda: [entry("then/latest", step=0)], ("", "/ u n t r a i n e d")),
    "headings are not selectable": (
        lambda: [entry("mine"), entry("now/best", step=9), entry("then/best", step=9)],
        ("", "down", "down", "down", "home"),
    ),
    "figures in the unit of the screen": (of_two, ("", "escape", "b l", "= down =")),
}


def current(at: Running) -> str:
    is_open = any(isinstance(screen, CheckpointBrowser) for screen in at.app.screen_stack)
    return f"{Browsing(*at).names}, at {Browsing(*at).current or 'none'}" if is_open else "closed"


@pytest.mark.parametrize("claim", PLAYS)
async def test_the_list_is_shown_as_recorded(stage: Stage, claim: str, snapshot: SnapshotAssertion) -> None:
    entries, steps = PLAYS[claim]
    async with browsing(stage, entries) as at:
        assert await transcript(at, *steps, note=current) == snapshot


async def test_the_equals_sign_marks_one_and_shows_it_beside_another(stage: Stage, snapshot: SnapshotAssertion) -> None:
    entries = [entry("happy", hours=1, step=1200, bits_per_char=2.22), entry("sad", step=7, bits_per_char=2.22)]
    async with browsing(stage, lambda: entries, size=(40, 12)) as at:
        await at.press("=", shows=("“happy” is marked", COMPARED))
        await at.press("=", lacks=COMPARED)  # on the same: takes the mark back
        await at.press("=", "down", "=", opens=CompareDialog, shows=("1,200", "↑ ↓ scroll · esc close"))
        rows = at.app.screen.query(".row")
        differs = {str(row.query(Static).first().render()): row.has_class("differs") for row in rows}
        assert (differs["step"], differs["validation bits/char"], differs["model"]) == (True, False, False)
        await at.resize(120, 60)
        await at.press(lacks="scroll")
        assert text_of(at.app) == snapshot
        await at.resize(40, 12)
        await at.press("escape", opens=CheckpointBrowser, lacks=COMPARED)


async def test_right_and_left_sort_by_the_columns_and_a_slash_filters(
    stage: Stage, saved: Path, snapshot: SnapshotAssertion
) -> None:
    steps = (*["right"] * 5, *["left"] * 4, "/ s t e p - 7", "escape", "/ o l d", "enter", "enter", "enter")
    async with browsing(stage, iterate_checkpoints, size=(60, 14)) as at:
        recorded = await transcript(at, *steps, note=current)
        assert re.sub(r"[\d.]+ kB", "N kB", recorded) == snapshot


def many() -> list[CheckpointEntry]:
    """Return 500 checkpoints of several runs, some with long names and wide characters."""
    runs = ("now", "2026-10-01-101530", "日本語の" * 20, "x" * 90)
    of_runs = [
        entry(f"{run}/step-{step}", step=step, run=run, bits_per_char=2.5) for run in runs for step in range(120)
    ]
    return [*of_runs, *(entry(f"{'日本' * number} {'y' * number}", step=number) for number in range(1, 21))]


async def test_hundreds_of_checkpoints_keep_the_cursor_its_heading_and_the_columns_in_view_at_every_size(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with browsing(stage, many) as at:
        for size in ((40, 12), (80, 24), (120, 40), (200, 60)):
            await at.resize(*size)
            await at.press(shows=("496 by age", "/untrained shows 4 of step 0", "saved by name · 20"))
            for key in ("end", "pageup", "up", "home"):
                await at.press(key)
                await at.press(shows=at.current.rpartition("/")[2][-5:])
            await at.press(shows="saved by name · 20")
            if size[0] <= 80:
                assert text_of(at.app, "CheckpointTable") == snapshot(name=f"{size[0]}x{size[1]}")
            at.table.move_to(at.names.index("now/step-119"))
            await at.press(shows="step-119")
            at.table.move_to(20)
            await at.press(shows="this run, now · 119")
            rows = [at.table.render_line(y).text for y in range(at.table.size.height)]
            assert {cell_len(row) for row in rows} == {at.table.scrollable_content_region.width}
            await at.press("home")


async def test_a_click_selects_a_checkpoint_and_on_a_heading_nothing(stage: Stage) -> None:
    async with browsing(stage, lambda: [entry("mine"), entry("now/best", step=9)]) as at:
        heading = next(y for y, line in enumerate(at.text.splitlines()) if "this run, now" in line)
        for below, name in ((0, "mine"), (1, "now/best")):
            await at.pilot.click(CheckpointTable, offset=(5, heading - at.table.region.y + below))
            assert at.current == name

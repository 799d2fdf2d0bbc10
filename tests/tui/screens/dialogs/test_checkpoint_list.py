"""The list of checkpoints: what it shows, in which order, and two checkpoints side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion
from textual.widgets import Input, Static

from engine.checkpoints.catalog import CheckpointEntry, iterate_checkpoints, list_checkpoints
from engine.errors import StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import create_run_folder
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.fakes import run_started, tweet_sampled
from tests.tui.conftest import Stage, text_of, wait_until
from tests.tui.screens.dialogs.browser import Entries, browsing, entry
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.checkpoint_load import LoadDialog
from tui.screens.dialogs.compare import CompareDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.checkpoints.table import COMPARED, CheckpointTable


async def test_age_size_model_and_a_tweet_of_it_are_shown(stage: Stage) -> None:
    folder = create_run_folder("first")
    folder.config_path.write_text("{}")
    info = checkpoint_info()
    lines: list[e.Event] = [
        run_started(corpus=info.corpus_name, vocab_size=len(info.vocab) + 4),
        tweet_sampled("so sunny", 1),
    ]
    folder.journal_path.write_text("".join(e.to_json(line) + "\n" for line in lines))
    path = write_checkpoint(folder.checkpoint_path("best"), run="first")
    os.utime(path, (time.time() - 330, time.time() - 330))
    async with browsing(stage, list_checkpoints, size=(120, 40)) as at:
        await at.press(shows=("“so sunny” (step 1)", "6 min", "kB", "GRU 1 x 8", "from the run first"))
        await at.pilot.resize_terminal(40, 12)
        await wait_until(lambda: text_of(at.app).count("\n") == 11)
        await at.press(shows="“so sunny” (step 1)")


def failing() -> Iterator[CheckpointEntry]:
    yield entry("happy")
    raise StorageError("The folder can't be read.")


@pytest.mark.parametrize(
    ("entries", "keys", "words"),
    [
        (list, (), ("No checkpoints yet: s saves one",)),
        (failing, (), ("The folder can't be read.",)),
        (lambda: [entry("happy")], ("slash", *"zq"), ("No checkpoint matches.",)),
        (
            lambda: [entry("then/latest", step=0)],
            (),
            ("No checkpoints yet: s saves one", "0 by age", "/untrained shows 1 of step 0"),
        ),
    ],
    ids=["empty", "an error", "no match", "all untrained"],
)
async def test_a_list_without_checkpoints_says_why(
    stage: Stage, entries: Entries, keys: tuple[str, ...], words: tuple[str, ...]
) -> None:
    async with browsing(stage, entries) as at:
        await at.press(*keys, shows=words)
        await at.press("escape") if keys else None
        for key in ("enter", "n", "delete", "R", "k", "=", "down", "end", "pagedown") if entries is list else ():
            await at.press(key)
        assert isinstance(at.app.screen, CheckpointBrowser)
        if "untrained" in words[-1]:
            await at.press("slash", *"untrained", lacks="of step 0")
            assert at.names == ["then/latest"]


async def test_the_equals_sign_marks_one_and_shows_it_beside_another(stage: Stage, snapshot: SnapshotAssertion) -> None:
    entries = [entry("happy", hours=1, step=1200, bits_per_char=2.22), entry("sad", step=7, bits_per_char=2.22)]
    async with browsing(stage, lambda: entries, size=(40, 12)) as at:
        await at.press("=", shows=("“happy” is marked", COMPARED))
        await at.press("=", lacks=COMPARED)  # on the same: takes the mark back
        await at.press("=", "down", "=", opens=CompareDialog, shows=("1,200", "↑ ↓ scroll · esc close"))
        rows = at.app.screen.query(".row")
        differs = {str(row.query(Static).first().render()): row.has_class("differs") for row in rows}
        assert (differs["step"], differs["validation bits/char"], differs["model"]) == (True, False, False)
        await at.pilot.resize_terminal(120, 60)
        await at.press(lacks="scroll")
        assert text_of(at.app) == snapshot
        await at.pilot.resize_terminal(40, 12)
        await at.press("escape", opens=CheckpointBrowser, lacks=COMPARED)


async def test_right_and_left_sort_by_the_columns_and_a_slash_filters(stage: Stage, saved: Path) -> None:
    async with browsing(stage, iterate_checkpoints) as at:
        await at.press(shows=("▲ age", "saved by name · 2", "this run, now · 3"))
        columns = [("name", "new"), ("step", "new"), ("loss", "old"), ("size", "new"), ("age", "new")]
        titles = {"name": "name ▲", "step": "▼ step", "loss": "▲ bits/char", "size": "▼ size", "age": "▲ age"}
        for key, order, first in [("right", *each) for each in columns] + [("left", *each) for each in columns[-2::-1]]:
            await at.press(key, shows=(f"5 by {order}", titles[order]))
            assert next(name for name in at.names if "/" not in name) == first
            assert at.current == "new"
        await at.press("slash", *"step-7", shows="1 of 5")
        assert at.names == ["now/step-7"]
        await at.press("escape", lacks="1 of 5")
        assert len(at.names) == 5
        assert at.app.screen.query_one("#filter", Input).display is False
        await at.press("slash", *"old", "enter")
        await wait_until(lambda: at.names == ["old"] and not isinstance(at.app.focused, Input), "the end of the filter")
        await at.press("enter", opens=LoadDialog)
        await at.press("enter", sends=c.LoadCheckpoint(name="old"))


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
            await at.pilot.resize_terminal(*size)
            await wait_until(lambda: at.app.screen.size == size)  # noqa: B023 - awaited at once
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


async def test_the_headings_of_groups_are_not_selectable(stage: Stage) -> None:
    entries = [entry("mine"), entry("now/best", step=9), entry("then/best", step=9)]
    async with browsing(stage, lambda: entries) as at:
        await at.press(shows=("saved by name · 1", "this run, now · 1", "other runs · 1"))
        for key, name in (("down", "now/best"), ("down", "then/best"), ("down", "then/best"), ("home", "mine")):
            await at.press(key)
            assert at.current == name
        heading = next(y for y, line in enumerate(at.text.splitlines()) if "this run, now" in line)
        top = at.table.region.y
        for below, name in ((0, "mine"), (1, "now/best")):
            await at.pilot.click(CheckpointTable, offset=(5, heading - top + below))
            assert at.current == name


async def test_the_figures_are_in_the_unit_of_the_screen(stage: Stage) -> None:
    entries = [entry(name, step=9, last_eval_step=9, bits_per_char=2.0) for name in ("mine", "other")]
    async with browsing(stage, lambda: entries) as at:
        await at.press(shows=("bits/char", "2.00", "bits/char: train (last step) 4.69, validation 2.00"))
        await at.press("escape", opens=MainScreen)
        await at.press("b", "l", opens=CheckpointBrowser)
        await at.press(shows=("nats/char", "1.386", "nats/char: train (last step) 3.250, validation 1.386"))
        await at.press("=", "down", "=", shows=("train (last", "step) nats/char", "validation", "1.386"))

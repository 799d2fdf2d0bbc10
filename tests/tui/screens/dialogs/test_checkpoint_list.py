"""The list of checkpoints: what it shows, in which order, and two checkpoints side by side."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.widgets import Input, Static

from engine.checkpoints.catalog import CheckpointEntry, iterate_checkpoints, list_checkpoints
from engine.errors import StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import create_run_folder
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.fakes import run_started, tweet_sampled
from tests.tui.conftest import Stage, opened, press, screen_text, shows, wait_until
from tests.tui.screens.dialogs.browser import browsing, entry
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
        await shows(at.app, "“so sunny” (step 1)", "6 min", "kB", "GRU 1 x 5", "from the run first")
        await at.pilot.resize_terminal(40, 12)
        await wait_until(lambda: len(screen_text(at.app).splitlines()) == 12)
        await shows(at.app, "“so sunny” (step 1)")


async def test_an_empty_list_explains_how_to_save(stage: Stage) -> None:
    async with browsing(stage, list) as at:
        await at.says("No checkpoints yet: s saves one")
        for key in ("enter", "n", "delete", "R", "k", "=", "down", "end", "pagedown"):
            await at.pilot.press(key)
        assert isinstance(at.app.screen, CheckpointBrowser)


async def test_an_error_while_reading_the_list_is_shown(stage: Stage) -> None:
    def fail() -> Iterator[CheckpointEntry]:
        yield entry("happy")
        raise StorageError("The folder can't be read.")

    async with browsing(stage, fail) as at:
        await at.says("The folder can't be read.")


async def test_a_filter_without_a_match_says_so(stage: Stage) -> None:
    async with browsing(stage, lambda: [entry("happy")]) as at:
        await at.pilot.press("slash", *"zq")
        await at.says("No checkpoint matches.")
        await at.pilot.press("escape")
        await wait_until(lambda: "No checkpoint matches." not in screen_text(at.app))


async def test_the_equals_sign_marks_one_and_shows_it_beside_another(stage: Stage) -> None:
    entries = [entry("happy", saved_at=2e9, step=1200, bits_per_char=2.22), entry("sad", step=7, bits_per_char=2.22)]
    async with browsing(stage, lambda: entries, size=(40, 12)) as at:
        await at.pilot.press("=")
        await at.says("“happy” is marked")
        await shows(at.app, COMPARED)
        await at.pilot.press("=")  # on the same: takes the mark back
        await wait_until(lambda: COMPARED not in screen_text(at.app))
        await at.pilot.press("=", "down", "=")
        await opened(at.app, CompareDialog)
        await shows(at.app, "happy", "sad", "1,200", "↑ ↓ scroll · esc close")
        rows = at.app.screen.query(".row")
        differs = {str(row.query(Static).first().render()): row.has_class("differs") for row in rows}
        assert (differs["step"], differs["validation bits/char"], differs["model"]) == (True, False, False)
        await at.pilot.press("escape")
        await opened(at.app, CheckpointBrowser)
        await wait_until(lambda: COMPARED not in screen_text(at.app))


async def test_a_comparison_with_nothing_to_scroll_offers_no_keys_for_it(stage: Stage) -> None:
    async with browsing(stage, lambda: [entry("happy"), entry("sad")], size=(120, 60)) as at:
        await at.pilot.press("=", "down", "=")
        await opened(at.app, CompareDialog)
        await shows(at.app, "esc close")
        await wait_until(lambda: "scroll" not in screen_text(at.app), "the keys that act")


async def test_right_and_left_sort_by_the_columns_and_a_slash_filters(stage: Stage, saved: Path) -> None:
    async with browsing(stage, iterate_checkpoints) as at:
        await shows(at.app, "▲ age", "saved by name · 2", "this run, now · 3")
        columns = [("name", "new"), ("step", "new"), ("loss", "old"), ("size", "new"), ("age", "new")]
        titles = {"name": "name ▲", "step": "▼ step", "loss": "▲ bits/char", "size": "▼ size", "age": "▲ age"}
        for key, order, first in [("right", *each) for each in columns] + [("left", *each) for each in columns[-2::-1]]:
            await at.pilot.press(key)
            await shows(at.app, f"5 by {order}", titles[order])
            assert next(name for name in at.names if "/" not in name) == first
            assert at.current == "new"
        await at.pilot.press("slash", *"step-7")
        await wait_until(lambda: at.names == ["now/step-7"])
        await shows(at.app, "1 of 5", "step-7")
        await at.pilot.press("escape")
        await wait_until(lambda: len(at.names) == 5)
        assert at.app.screen.query_one("#filter", Input).display is False
        await at.pilot.press("slash", *"old", "enter")
        await wait_until(lambda: at.names == ["old"] and not isinstance(at.app.focused, Input), "the end of the filter")
        await at.pilot.press("enter")
        await opened(at.app, LoadDialog)
        await press(at.pilot, at.session, "enter")
        assert at.session.received == [c.LoadCheckpoint(name="old")]


def many() -> list[CheckpointEntry]:
    """Return 500 checkpoints of several runs, some with long names and wide characters."""
    runs = ("now", "2026-10-01-101530", "日本語の" * 20, "x" * 90)
    of_runs = [
        entry(f"{run}/step-{step}", step=step, run=run, bits_per_char=2.5) for run in runs for step in range(120)
    ]
    return [*of_runs, *(entry(f"{'日本' * number} {'y' * number}", step=number) for number in range(1, 21))]


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (200, 60)])
async def test_hundreds_of_checkpoints_of_several_runs_keep_the_cursor_and_their_headings_in_view(
    stage: Stage, size: tuple[int, int]
) -> None:
    async with browsing(stage, many, size=size) as at:
        await shows(at.app, "496 by age", "/untrained shows 4 of step 0", "saved by name · 20")
        for key in ("end", "pageup", "up", "home"):
            await at.pilot.press(key)
            name = at.current.rpartition("/")[2][-5:]
            await wait_until(lambda: name in screen_text(at.app), name)  # noqa: B023 - awaited at once
        await shows(at.app, "saved by name · 20")
        at.table.move_to(at.names.index("now/step-119"))
        await shows(at.app, "step-119")
        at.table.move_to(20)
        await shows(at.app, "this run, now · 119")
        widths = {cell_len(line) for line in screen_text(at.app).splitlines()}
        assert widths == {size[0]}


@pytest.mark.parametrize("size", [(40, 12), (50, 12), (80, 24)])
async def test_a_long_name_leaves_the_figures_of_its_row_in_their_columns(stage: Stage, size: tuple[int, int]) -> None:
    names = ("then/step-2748-before-load-2", "a long name of a run/step-31-before-load", "then/best")
    async with browsing(stage, lambda: [entry(name, step=2748) for name in names], size=size) as at:
        await shows(at.app, "other runs · 3")
        rows = [at.table.render_line(y).text for y in range(5)]
        assert {cell_len(row) for row in rows} == {at.table.scrollable_content_region.width}
        assert {row.find("2,748") for row in rows[2:]} == {rows[0].find("step") - 1}


async def test_the_headings_of_groups_are_not_selectable(stage: Stage) -> None:
    entries = [entry("mine"), entry("now/best", step=9), entry("then/best", step=9)]
    async with browsing(stage, lambda: entries) as at:
        await shows(at.app, "saved by name · 1", "this run, now · 1", "other runs · 1")
        for key, name in (("down", "now/best"), ("down", "then/best"), ("down", "then/best"), ("home", "mine")):
            await at.pilot.press(key)
            assert at.current == name
        heading = next(y for y, line in enumerate(screen_text(at.app).splitlines()) if "this run, now" in line)
        top = at.table.region.y
        await at.pilot.click(CheckpointTable, offset=(5, heading - top))
        assert at.current == "mine"
        await at.pilot.click(CheckpointTable, offset=(5, heading - top + 1))
        assert at.current == "now/best"


async def test_where_all_are_untrained_the_list_says_how_to_see_them(stage: Stage) -> None:
    async with browsing(stage, lambda: [entry("then/latest", step=0)]) as at:
        await at.says("No checkpoints yet: s saves one")
        await shows(at.app, "0 by age", "/untrained shows 1 of step 0")
        await at.pilot.press("slash", *"untrained")
        await wait_until(lambda: at.names == ["then/latest"], "the hidden one")
        assert "of step 0" not in screen_text(at.app)


async def test_the_figures_are_in_the_unit_of_the_screen(stage: Stage) -> None:
    entries = [entry(name, step=9, last_eval_step=9, bits_per_char=2.0) for name in ("mine", "other")]
    async with browsing(stage, lambda: entries) as at:
        await shows(at.app, "bits/char", "2.00", "bits/char: train (last step) 4.69, validation 2.00")
        await at.pilot.press("escape")
        await opened(at.app, MainScreen)
        await at.pilot.press("b", "l")
        await shows(at.app, "nats/char", "1.386", "nats/char: train (last step) 3.250, validation 1.386")
        await at.pilot.press("=", "down", "=")
        await shows(at.app, "train (last", "step) nats/char", "validation", "1.386")

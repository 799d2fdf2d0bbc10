"""The checkpoint browser: what it shows, and what each of its keys does, at each size."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from engine import commands as c
from engine import events as e
from engine.checkpoint_list import CheckpointEntry, iterate_checkpoints, list_checkpoints
from engine.config import RunConfig
from engine.corpus_config import CorpusConfig
from engine.errors import CorpusError, StorageError
from engine.folders import create_run_folder, named_checkpoint_path
from tests.engine.checkpoints import checkpoint_info, write_checkpoint
from tests.fakes import FakeSession, run_started, steps_finished, tweet
from tests.tui.conftest import Stage, opened, press, screen_text, shows, toasted, until
from tui.app import TweetgenApp
from tui.keys import BROWSER_KEYS, LISTED
from tui.screens.checkpoint_browser import CheckpointBrowser
from tui.screens.checkpoint_questions import RenameDialog, YesDialog
from tui.screens.compare_dialog import CompareDialog
from tui.screens.dialog import FailureDialog, MessageDialog
from tui.screens.help_screen import HelpScreen
from tui.screens.main import MainScreen
from tui.widgets.checkpoint_table import COMPARED, PINNED, CheckpointTable
from tui.widgets.help_text import HelpText
from tui.widgets.key_bar import KeyBar
from tui.widgets.loss_plot import LossPlot

EVERY_SIZE = pytest.mark.parametrize("size", [(120, 40), (80, 24), (60, 20), (40, 12)], ids=str)
SMALL_AND_LARGE = pytest.mark.parametrize("size", [(120, 40), (40, 12)], ids=str)
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet("hello there", 3))
STARTED = run_started(run="now")


def entry(name: str, problem: str = "", saved_at: float = 1.79e9, **changes: Any) -> CheckpointEntry:
    """Return an entry of no file."""
    return CheckpointEntry(
        name=name,
        path=Path(f"/nowhere/{name}.safetensors"),
        saved_at=saved_at,
        num_bytes=1_800_000,
        info=None if problem else checkpoint_info(**changes),
        problem=problem,
    )


async def listed(pilot: Pilot[None], app: TweetgenApp, num_entries: int | None = None) -> CheckpointTable:
    """Open the browser over a run that is on screen; return its table once all is read."""
    await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
    await pilot.press("l")
    await opened(app, CheckpointBrowser)
    await until(lambda: "reading" not in str(app.screen.query_one("#box").border_title), "the end of reading")
    table = app.screen.query_one(CheckpointTable)
    if num_entries is not None:
        assert len(table.entries) == num_entries
    return table


def names(table: CheckpointTable) -> list[str]:
    return [each.name for each in table.entries]


def current(table: CheckpointTable) -> str:
    return table.current.name if table.current else ""


def advice(app: TweetgenApp) -> str:
    return str(app.screen.query_one("#advice", Static).render())


def notice(app: TweetgenApp) -> str:
    return str(app.screen.query_one("#notice", Static).render())


@EVERY_SIZE
async def test_a_checkpoint_is_listed_and_loaded(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session, entries=lambda: [entry("happy", step=1200), entry("[/sad]", bits_per_char=2.34)])
    async with app.run_test(size=size, notifications=True) as pilot:
        await listed(pilot, app, 2)
        await shows(app, "[/sad]", "1,200", "2.34")
        await pilot.press("down")
        await press(pilot, session, "enter")
        assert session.received == [c.LoadCheckpoint(name="[/sad]")]
        await shows(app, "Loaded [/sad]")


@EVERY_SIZE
async def test_a_damaged_checkpoint_is_shown_with_the_reason_and_not_loaded(
    stage: Stage, size: tuple[int, int]
) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session, entries=lambda: [entry("broken", problem="broken is cut short: [b]12[/b].")])
    async with app.run_test(size=size) as pilot:
        await listed(pilot, app, 1)
        await shows(app, "broken is cut short: [b]12[/b].", "damaged")
        await pilot.press("enter")
        await until(lambda: notice(app).startswith("It can't be loaded"))
        await pilot.press("n")
        await until(lambda: notice(app).startswith("No run can begin from it: broken is cut short"))
        await pilot.press("c")
        await until(lambda: "nothing of itself" in notice(app))
        assert isinstance(app.screen, CheckpointBrowser)
        assert session.received == []


@SMALL_AND_LARGE
async def test_age_size_model_and_a_tweet_of_it_are_shown(stage: Stage, home: Path, size: tuple[int, int]) -> None:
    folder = create_run_folder("first")
    folder.config_path.write_text("{}")
    info = checkpoint_info()
    lines: list[e.Event] = [run_started(corpus=info.corpus_name, vocab_size=len(info.vocab) + 4), tweet("so sunny", 1)]
    folder.journal_path.write_text("".join(e.to_json(line) + "\n" for line in lines))
    path = write_checkpoint(folder.checkpoint_path("best"), run="first")
    os.utime(path, (time.time() - 330, time.time() - 330))
    app = stage.app(FakeSession(SCRIPT), entries=list_checkpoints)
    async with app.run_test(size=size) as pilot:
        await listed(pilot, app, 1)
        await shows(app, "“so sunny” (step 1)")
        if size[0] >= 80:
            await shows(app, "6 min", "kB", "hidden 5 x 1", "from the run first")


async def test_before_anything_was_saved_the_list_says_how(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test() as pilot:
        await listed(pilot, app, 0)
        await shows(app, "Nothing is saved yet: s saves a checkpoint")
        for key in ("enter", "n", "x", "r", "k", "c", "down", "end", "pagedown"):
            await pilot.press(key)
        assert isinstance(app.screen, CheckpointBrowser)


async def test_a_list_that_cannot_be_read_is_told(stage: Stage) -> None:
    def fail() -> Iterator[CheckpointEntry]:
        yield entry("happy")
        raise StorageError("The folder can't be read.")

    app = stage.app(FakeSession(SCRIPT), entries=fail)
    async with app.run_test() as pilot:
        await listed(pilot, app)
        await shows(app, "The folder can't be read.")


async def test_what_is_read_already_is_shown_and_can_be_used_before_the_rest(stage: Stage) -> None:
    go_on = threading.Event()

    def slow() -> Iterator[CheckpointEntry]:
        yield entry("first")
        assert read.wait(10)
        yield entry("second")
        assert go_on.wait(10)
        yield entry("third")

    read = threading.Event()
    app = stage.app(FakeSession(SCRIPT), entries=slow)
    async with app.run_test() as pilot:
        await until(lambda: app.summary_view.num_tweets == 1)
        await pilot.press("l")
        await opened(app, CheckpointBrowser)
        threading.Timer(0.2, read.set).start()  # longer than a batch
        await shows(app, "first", "second", "reading…")
        table = app.screen.query_one(CheckpointTable)
        await pilot.press("down")
        assert current(table) == "second"
        go_on.set()
        await until(lambda: len(table.entries) == 3)
        assert current(table) == "second"


def of_other_vocabulary() -> list[CheckpointEntry]:
    foreign = entry("foreign", vocab=("a", "b"), corpus=CorpusConfig(files=("/data/b.csv",)))
    return [foreign, entry("now/latest", saved_at=1.7e9)]


@EVERY_SIZE
async def test_a_checkpoint_of_another_vocabulary_says_so_and_how_to_use_it(
    stage: Stage, size: tuple[int, int]
) -> None:
    session = FakeSession(SCRIPT, STARTED)
    app = stage.app(session, entries=of_other_vocabulary)
    async with app.run_test(size=size) as pilot:
        table = await listed(pilot, app, 2)
        assert current(table) == "foreign"
        await shows(app, "another vocabulary")
        await pilot.press("enter")
        await until(lambda: "n begins a new run from it" in notice(app))
        await pilot.press("down")
        await until(lambda: "another vocabulary" not in screen_text(app))
        assert session.received == []


def branchable(name: str = "happy") -> list[CheckpointEntry]:
    return [entry(name, step=2, corpus=CorpusConfig(files=("/data/small.txt",)))]


@SMALL_AND_LARGE
async def test_n_saves_the_run_and_begins_another_with_both_curves(stage: Stage, size: tuple[int, int]) -> None:
    first, second = FakeSession(SCRIPT, STARTED), FakeSession((steps_finished(3, [3.9]),), run_started(step=2))
    app = stage.app(first, entries=branchable, further=[second], config=RunConfig(settings={"hidden_size": 9}))
    async with app.run_test(size=size) as pilot:
        await listed(pilot, app, 1)
        before = app.summary_view
        await pilot.press("n")
        await opened(app, YesDialog)
        await shows(app, "The run now is saved")
        question = str(app.screen.query_one("#question", Static).render())
        assert question == "The run now is saved and ends. A new one begins from happy, at step 2, on small.txt."
        await pilot.press("y")
        await until(lambda: len(app.bridges) == 2 and app.summary_view.step == 3, "the new run")
        assert isinstance(first.received[-1], c.Stop)
        assert app.bridge.config == RunConfig(
            corpus=CorpusConfig(files=("/data/small.txt",)), checkpoint="happy", preset="tutorial"
        )
        assert stage.checked == [app.bridge.config]
        assert app.screen.query_one(LossPlot).overlay == ("now", before.train_losses)
        assert app.summary_view.train_losses.first_step == 3
        assert [view.started for view in app.earlier_views] == [STARTED]


async def test_a_new_run_begins_only_after_a_yes(stage: Stage) -> None:
    session = FakeSession(SCRIPT, STARTED)
    app = stage.app(session, entries=branchable)
    async with app.run_test() as pilot:
        await listed(pilot, app, 1)
        for key in ("enter", "n", "escape"):
            await pilot.press("n")
            await opened(app, YesDialog)
            await pilot.press(key)
            if key != "escape":
                assert isinstance(app.screen, YesDialog)
                await pilot.press("escape")
            await opened(app, CheckpointBrowser)
        assert session.received == []


async def test_a_new_run_that_could_not_begin_is_told_and_this_one_goes_on(stage: Stage) -> None:
    session = FakeSession(SCRIPT, STARTED)
    app = stage.app(session, entries=branchable)
    stage.errors["small.txt"] = CorpusError("small.txt is gone.", "Bring it back.")
    async with app.run_test() as pilot:
        await listed(pilot, app, 1)
        await pilot.press("n")
        await opened(app, MessageDialog)
        await shows(app, "small.txt is gone.", "Bring it back.")
        await pilot.press("escape")
        await opened(app, CheckpointBrowser)
        assert (session.received, len(app.bridges)) == ([], 1)


ENDS = [
    e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps", total_seconds=1.0, total_chars=9),
    e.RunFailed(step=3, elapsed_seconds=1.0, title="Training diverged", detail="It did.", hint="Do."),
]


@pytest.mark.parametrize("end", ENDS, ids=["over", "failed"])
async def test_after_its_end_a_run_takes_no_checkpoint_but_another_can_begin(stage: Stage, end: e.Event) -> None:
    first, second = FakeSession((*SCRIPT, end), STARTED), FakeSession((), run_started(run="then", step=2))
    app = stage.app(first, entries=branchable, further=[second])
    async with app.run_test() as pilot:
        await until(lambda: app.summary_view.ended is not None)
        if isinstance(end, e.RunFailed):
            await opened(app, FailureDialog)
            await pilot.press("escape")
        await listed(pilot, app, 1)
        await pilot.press("enter")
        await until(lambda: "The run is over: n begins a new one from it." in notice(app))
        await pilot.press("n")
        await opened(app, YesDialog)
        assert "is saved and ends" not in screen_text(app)
        await pilot.press("y")
        await until(lambda: app.summary_view.started is not None and app.summary_view.started.run == "then")
        assert app.screen.query_one(LossPlot).overlay is not None


@pytest.fixture
def saved(home: Path) -> Path:
    """Save two checkpoints, `old` and `new`, and the run `now`; returns their folder."""
    write_checkpoint(named_checkpoint_path("old"), step=5, bits_per_char=2.0)
    write_checkpoint(named_checkpoint_path("new"), step=9, bits_per_char=3.0)
    for number, name in enumerate(("old", "new")):
        path = named_checkpoint_path(name)
        os.utime(path, (1000 + number, 1000 + number))
    folder = create_run_folder("now")
    folder.config_path.write_text("{}")
    for name in ("latest", "best", "step-7"):
        write_checkpoint(folder.checkpoint_path(name))
    return home / "checkpoints"


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@SMALL_AND_LARGE
async def test_r_renames_a_named_one(stage: Stage, saved: Path, size: tuple[int, int]) -> None:
    app = stage.app(FakeSession(SCRIPT, STARTED), entries=iterate_checkpoints)
    async with app.run_test(size=size) as pilot:
        table = await listed(pilot, app, 5)
        await pilot.press("r")
        await opened(app, RenameDialog)
        assert app.screen.query_one(Input).value == "new"
        await pilot.press(*"old", "enter")
        await until(lambda: "already a checkpoint called old" in advice(app))
        app.screen.query_one(Input).value = "../up"
        await pilot.press("enter")
        await until(lambda: "beginning with a letter" in advice(app))
        app.screen.query_one(Input).value = "happy"
        await pilot.press("enter")
        await until(lambda: "happy" in names(table), "the new name")
        assert current(table) == "happy"
        assert files(saved) == {"old.safetensors", "happy.safetensors"}
        await toasted(app, "It is called happy now.")


async def test_a_runs_own_checkpoint_is_not_renamed(stage: Stage, saved: Path) -> None:
    app = stage.app(FakeSession(SCRIPT, STARTED), entries=iterate_checkpoints)
    async with app.run_test() as pilot:
        await listed(pilot, app, 5)
        await pilot.press("end", "r")
        await until(lambda: "its run's own" in notice(app))
        assert isinstance(app.screen, CheckpointBrowser)


@pytest.mark.parametrize(("size", "key"), [((120, 40), "x"), ((40, 12), "delete")], ids=str)
async def test_deleting_asks_and_says_what_it_frees(stage: Stage, saved: Path, size: tuple[int, int], key: str) -> None:
    app = stage.app(FakeSession(SCRIPT, STARTED), entries=iterate_checkpoints)
    async with app.run_test(size=size) as pilot:
        table = await listed(pilot, app, 5)
        await pilot.press("down", key)
        await opened(app, YesDialog)
        await shows(app, "Delete old for good?", "It frees")
        await pilot.press(key, "enter", "escape")
        await opened(app, CheckpointBrowser)
        assert "old.safetensors" in files(saved)
        await pilot.press(key, "y")
        await until(lambda: "old" not in names(table), "the end of it")
        assert files(saved) == {"new.safetensors"}
        await toasted(app, "old is deleted, ")


async def test_what_the_run_writes_itself_is_not_deleted_but_what_it_kept_is(stage: Stage, saved: Path) -> None:
    app = stage.app(FakeSession(SCRIPT, STARTED), entries=iterate_checkpoints)
    async with app.run_test() as pilot:
        table = await listed(pilot, app, 5)
        for name in ("now/latest", "now/best"):
            table.move_to(names(table).index(name))
            await pilot.press("x")
            await until(lambda name=name: f"{name} can't be deleted: this run goes on" in notice(app))  # type: ignore[misc]
        table.move_to(names(table).index("now/step-7"))
        await pilot.press("x", "y")
        await until(lambda: "now/step-7" not in names(table))


async def test_k_pins_to_the_top_and_guards_until_k_again(stage: Stage, saved: Path) -> None:
    app = stage.app(FakeSession(SCRIPT, STARTED), entries=iterate_checkpoints)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await listed(pilot, app, 5)
        await pilot.press("down", "k")
        await until(lambda: names(table)[0] == "old")
        assert current(table) == "old"
        await shows(app, f"{PINNED} old")
        await pilot.press("x")
        await until(lambda: "old is pinned: k unpins it" in notice(app))
        assert "old.pinned" in files(saved)
        await pilot.press("k")
        await until(lambda: names(table)[0] == "new")
        assert files(saved) == {"new.safetensors", "old.safetensors"}


async def test_a_change_that_fails_is_told(stage: Stage, saved: Path) -> None:
    app = stage.app(FakeSession(SCRIPT, STARTED), entries=iterate_checkpoints)
    async with app.run_test() as pilot:
        table = await listed(pilot, app, 5)
        named_checkpoint_path("new").unlink()
        await pilot.press("k")
        await opened(app, MessageDialog)
        await shows(app, "no checkpoint called new")
        await pilot.press("escape")
        assert names(table)[0] == "new"


@EVERY_SIZE
async def test_c_marks_one_and_shows_it_beside_another(stage: Stage, size: tuple[int, int]) -> None:
    entries = [entry("happy", saved_at=2e9, step=1200, bits_per_char=2.22), entry("sad", step=7, bits_per_char=2.22)]
    app = stage.app(FakeSession(SCRIPT), entries=lambda: entries)
    async with app.run_test(size=size) as pilot:
        await listed(pilot, app, 2)
        await pilot.press("c")
        await shows(app, COMPARED)
        await until(lambda: "happy is marked" in notice(app))
        await pilot.press("down", "c")
        await opened(app, CompareDialog)
        await shows(app, "happy", "sad", "1,200")
        rows = {str(row.query(Static).first().render()): row.has_class("differs") for row in app.screen.query(".row")}
        assert (rows["step"], rows["bits per character"], rows["model"]) == (True, False, False)
        await pilot.press("escape")
        await opened(app, CheckpointBrowser)
        await until(lambda: COMPARED not in screen_text(app))


async def test_c_twice_on_the_same_takes_the_mark_back(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT), entries=branchable)
    async with app.run_test() as pilot:
        await listed(pilot, app, 1)
        await pilot.press("c")
        await shows(app, COMPARED)
        await pilot.press("c")
        await until(lambda: COMPARED not in screen_text(app))
        assert isinstance(app.screen, CheckpointBrowser)


async def test_s_sorts_by_name_step_bits_and_age_again(stage: Stage, saved: Path) -> None:
    app = stage.app(FakeSession(SCRIPT, STARTED), entries=iterate_checkpoints)
    async with app.run_test() as pilot:
        table = await listed(pilot, app, 5)
        for order, first in (("name", "new"), ("step", "new"), ("bits", "old"), ("age", "new")):
            await pilot.press("s")
            await shows(app, f"5 by {order}")
            assert next(name for name in names(table) if "/" not in name) == first
            assert current(table) == "new"


@SMALL_AND_LARGE
async def test_a_slash_filters_and_escape_takes_it_back(stage: Stage, saved: Path, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT, STARTED)
    app = stage.app(session, entries=iterate_checkpoints)
    async with app.run_test(size=size) as pilot:
        table = await listed(pilot, app, 5)
        await pilot.press("slash", *"step-7")
        await until(lambda: names(table) == ["now/step-7"])
        await shows(app, "1 of 5", "step-7")
        await pilot.press("escape")
        await until(lambda: len(table.entries) == 5)
        assert app.screen.query_one("#filter", Input).display is False
        await pilot.press("slash", *"old", "enter")
        await until(lambda: names(table) == ["old"])
        await press(pilot, session, "enter")
        assert session.received == [c.LoadCheckpoint(name="old")]


async def test_a_click_moves_and_a_double_click_loads(stage: Stage, saved: Path) -> None:
    session = FakeSession(SCRIPT, STARTED)
    app = stage.app(session, entries=iterate_checkpoints)
    async with app.run_test(size=(80, 24)) as pilot:
        table = await listed(pilot, app, 5)
        await pilot.click(CheckpointTable, offset=(5, 2))
        assert current(table) == "old"
        await pilot.click(CheckpointTable, offset=(5, 0))
        assert current(table) == "old"
        assert session.received == []
        await pilot.double_click(CheckpointTable, offset=(5, 1))
        await until(lambda: session.received == [c.LoadCheckpoint(name="new")])


async def test_a_click_on_the_keys_does_what_they_do(stage: Stage, saved: Path) -> None:
    app = stage.app(FakeSession(SCRIPT, STARTED), entries=iterate_checkpoints)
    async with app.run_test(size=(80, 24)) as pilot:
        await listed(pilot, app, 5)
        [line] = [line for line in screen_text(app).splitlines() if "x delete" in line]
        bar = app.screen.query_one(KeyBar)
        await pilot.click(bar, offset=(line.index("x delete") - bar.region.x, 0))
        await opened(app, YesDialog)
        [line] = [line for line in screen_text(app).splitlines() if "y delete" in line]
        bar = app.screen.query_one(KeyBar)
        await pilot.click(bar, offset=(line.index("y delete") - bar.region.x, 0))
        await until(lambda: files(saved) == {"old.safetensors"})


@SMALL_AND_LARGE
async def test_of_hundreds_any_can_be_reached_and_is_in_view(stage: Stage, size: tuple[int, int]) -> None:
    entries = [entry(f"step-{number}", saved_at=1e9 - number, step=number) for number in range(700)]
    app = stage.app(FakeSession(SCRIPT), entries=lambda: entries)
    async with app.run_test(size=size) as pilot:
        table = await listed(pilot, app, 700)
        await pilot.press("end")
        assert current(table) == "step-699"
        await shows(app, "step-699")
        await pilot.press("pageup", "up")
        await shows(app, current(table))
        await pilot.press("home")
        await shows(app, "step-0 ")
        app.screen.query_one(CheckpointTable).move_to(350)
        await pilot.press("s")
        await shows(app, "step-350", "by name")


async def test_of_a_long_name_of_a_run_the_end_stays_in_view(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT), entries=lambda: [entry("2026-11-25-101112-of-today/latest")])
    async with app.run_test(size=(40, 12)) as pilot:
        await listed(pilot, app, 1)
        await shows(app, "…", "-today/latest")


async def test_while_the_run_starts_nothing_is_loaded(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session, entries=branchable)
    async with app.run_test() as pilot:
        await listed(pilot, app, 1)
        screen = app.screen_stack[-2]
        assert isinstance(screen, MainScreen)
        screen.run_view = replace(screen.run_view, phase="starting")
        await pilot.press("enter")
        await until(lambda: notice(app) == "The run is still starting.")
        assert session.received == []


async def test_the_help_tells_its_keys(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test() as pilot:
        await pilot.press("?")
        await opened(app, HelpScreen)
        told = [sentence for _, sentence in app.screen.query_one(HelpText).groups[LISTED]]
        assert told == [key.sentence for key in BROWSER_KEYS]

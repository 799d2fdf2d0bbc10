"""The checkpoint browser: loading, branching, renaming, pinning and deleting."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from engine.checkpoints.catalog import CheckpointEntry, iterate_checkpoints
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import named_checkpoint_path
from tests.fakes import FakeSession, run_started, steps_finished
from tests.tui.conftest import DEADLINE_SECONDS, Stage, opened, press, screen_text, shows, toasted, wait_until
from tests.tui.screens.dialogs.browser import STARTED, browsing, entry, files
from tui.run.branching import OverlayCurve
from tui.run.view import RunView
from tui.screens.dialogs.base import MessageDialog, YesDialog
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.checkpoint_load import LoadDialog
from tui.screens.dialogs.checkpoint_name import RenameDialog
from tui.screens.main.screen import MainScreen
from tui.widgets.checkpoints.table import PINNED
from tui.widgets.plot.loss_plot import LossPlot


async def test_enter_refuses_a_damaged_checkpoint_and_one_of_another_vocabulary_with_the_reason(stage: Stage) -> None:
    entries = [
        entry("broken", problem="broken is cut short: [b]12[/b].", saved_at=1.8e9),
        entry("foreign", vocab=("a", "b"), corpus=CorpusConfig(files=("/data/b.csv",))),
        entry("[/sad]", saved_at=1.7e9, step=1200, bits_per_char=2.34),
        entry("now/latest", saved_at=1.6e9),
    ]
    async with browsing(stage, lambda: entries) as at:
        await shows(at.app, "broken is cut short: [b]12[/b].", "damaged", "[/sad]", "1,200", "2.34")
        for key, words in (
            ("enter", "Can't be loaded"),
            ("n", "No run can start from it: broken is cut short"),
            ("=", "no readable metadata"),
        ):
            await at.pilot.press(key)
            await at.says(words)
        await at.pilot.press("down")
        await shows(at.app, "Its vocabulary differs")
        await at.pilot.press("enter")
        await at.says("n starts a new run from it")
        at.table.move_to(at.names.index("[/sad]"))
        await wait_until(lambda: "Its vocabulary differs" not in screen_text(at.app))
        await at.pilot.press("enter")
        await opened(at.app, LoadDialog)
        assert at.session.received == []
        await press(at.pilot, at.session, "enter")
        assert at.session.received == [c.LoadCheckpoint(name="[/sad]")]
        await shows(at.app, "Loaded [/sad]")


def branchable() -> list[CheckpointEntry]:
    return [entry("happy", step=2, corpus=CorpusConfig(files=("/data/small.txt",)))]


async def test_n_branches_after_a_yes_and_the_plot_shows_both_curves(stage: Stage) -> None:
    second = FakeSession((steps_finished(3, [3.9]),), run_started(step=2))
    config = RunConfig(settings={"hidden_size": 9})
    async with browsing(stage, branchable, further=[second], config=config) as at:
        app, before = at.app, at.app.summary_view
        await at.pilot.press("n")
        await opened(app, YesDialog)
        question = "The run now is saved and ends. A new one starts from “happy”, at step 2, on small.txt."
        await at.says(question, "#question")
        await at.pilot.press("enter", "n", "escape")
        await opened(app, CheckpointBrowser)
        assert at.session.received == []
        await at.pilot.press("n")
        await opened(app, YesDialog)
        await at.pilot.press("y")
        await wait_until(lambda: len(app.bridges) == 2 and app.summary_view.step == 3, "the new run")
        assert isinstance(at.session.received[-1], c.Stop)
        assert app.bridge.config == RunConfig(
            corpus=CorpusConfig(files=("/data/small.txt",)), checkpoint="happy", preset="tutorial"
        )
        assert stage.checked[-1] == app.bridge.config
        assert app.screen.query_one(LossPlot).overlay == OverlayCurve("now", before.train_losses)
        assert app.summary_view.train_losses.first_step == 3
        assert [view.started for view in app.earlier_views] == [STARTED]


async def test_n_on_latest_of_the_active_run_announces_a_branch_at_the_step_where_it_ends(stage: Stage) -> None:
    entries = [entry("now/latest", step=2, corpus=CorpusConfig(files=("/data/small.txt",)))]
    async with browsing(stage, lambda: entries) as at:
        await at.pilot.press("n")
        await opened(at.app, YesDialog)
        await at.says("A new one starts from “now/latest”, at the step where it ends, on small.txt.", "#question")


async def test_in_a_replay_nothing_is_loaded_and_the_question_before_a_new_run_announces_no_save(stage: Stage) -> None:
    entries = [entry("now/latest", step=2, corpus=CorpusConfig(files=("/data/small.txt",)))]
    async with browsing(stage, lambda: entries, history=RunView(is_replay=True)) as at:
        await at.pilot.press("enter")
        await at.says("This is a replay; n starts a run from it.")
        await at.pilot.press("n")
        await opened(at.app, YesDialog)
        await at.says("A new one starts from “now/latest”, at step 2, on small.txt.", "#question")
        assert "is saved" not in screen_text(at.app)


async def test_the_list_can_be_closed_while_n_checks_the_tweets(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(stage, "check", lambda _: may_end.wait(DEADLINE_SECONDS))
    async with browsing(stage, branchable) as at:
        await at.pilot.press("n")
        await at.says("checking the tweets of “happy”…")
        await at.pilot.press("escape")
        await opened(at.app, MainScreen)
        may_end.set()
        await at.pilot.press("l")
        await opened(at.app, CheckpointBrowser)
        assert at.app.failure is None


async def test_before_its_start_and_after_its_end_a_run_loads_no_checkpoint_but_another_can_start(
    stage: Stage,
) -> None:
    end = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps", total_seconds=1.0, total_chars=9)
    second = FakeSession((), run_started(run="then", step=2))
    async with browsing(stage, branchable, further=[second]) as at:
        screen = at.app.screen_stack[-2]
        assert isinstance(screen, MainScreen)
        screen.run.view = replace(screen.run.view, phase="starting")
        await at.pilot.press("enter")
        await at.says("The run is still starting.")
        at.session.emit(end)
        await wait_until(lambda: at.app.summary_view.ended is not None)
        await at.pilot.press("enter")
        await at.says("The run is finished; n starts a new one from it.")
        assert at.session.received == []
        await at.pilot.press("n")
        await opened(at.app, YesDialog)
        assert "is saved and ends" not in screen_text(at.app)
        await at.pilot.press("y")
        await wait_until(lambda: at.app.summary_view.started is not None and at.app.summary_view.started.run == "then")
        assert at.app.screen.query_one(LossPlot).overlay is not None


async def test_shift_r_renames_k_pins_to_the_top_and_a_failed_change_is_reported(stage: Stage, saved: Path) -> None:
    async with browsing(stage, iterate_checkpoints) as at:
        await at.pilot.press("R")
        await opened(at.app, RenameDialog)
        assert at.app.screen.query_one(Input).value == "new"
        for typed, hint in (("old", "A checkpoint called “old” exists already"), ("../up", "beginning with a letter")):
            at.app.screen.query_one(Input).value = typed
            await at.pilot.press("enter")
            await at.says(hint, "#hint")
        at.app.screen.query_one(Input).value = "happy"
        await at.pilot.press("enter")
        await wait_until(lambda: "happy" in at.names, "the new name")
        assert at.current == "happy"
        assert files(saved) == {"old.safetensors", "happy.safetensors"}
        await toasted(at.app, "Renamed to “happy”.")
        await at.pilot.press("end", "R")
        await at.says("belongs to its run")
        at.table.move_to(at.names.index("old"))
        await at.pilot.press("k")
        await wait_until(lambda: at.names[0] == "old")
        assert at.current == "old"
        await shows(at.app, f"{PINNED} old")
        await at.pilot.press("delete")
        await at.says("“old” is pinned: unpin it with k")
        assert "old.pinned" in files(saved)
        await at.pilot.press("k")
        await wait_until(lambda: at.names[0] == "happy")
        assert files(saved) == {"happy.safetensors", "old.safetensors"}
        named_checkpoint_path("old").unlink()
        await at.pilot.press("k")
        await opened(at.app, MessageDialog)
        await shows(at.app, "no checkpoint called old")


async def test_a_change_is_made_although_the_list_closes_right_after_its_key(stage: Stage, saved: Path) -> None:
    async with browsing(stage, iterate_checkpoints) as at:
        at.app.post_message(events.Key("k", "k"))
        at.app.post_message(events.Key("escape", None))
        await opened(at.app, MainScreen)
        await wait_until(lambda: "new.pinned" in files(saved), "the pin")


async def test_deleting_asks_and_refuses_the_own_checkpoints_of_the_active_run(stage: Stage, saved: Path) -> None:
    async with browsing(stage, iterate_checkpoints) as at:
        await at.pilot.press("down", "delete")
        await opened(at.app, YesDialog)
        await shows(at.app, "Delete “old”?", "This frees")
        await at.pilot.press("delete", "enter", "escape")
        await opened(at.app, CheckpointBrowser)
        assert "old.safetensors" in files(saved)
        await at.pilot.press("backspace", "y")
        await wait_until(lambda: "old" not in at.names, "the end of it")
        assert files(saved) == {"new.safetensors"}
        await toasted(at.app, "Deleted “old”: ")
        for name in ("now/latest", "now/best"):
            at.table.move_to(at.names.index(name))
            await at.pilot.press("delete")
            await at.says(f"“{name}” can't be deleted: this run can still write it")
            await at.pilot.press("k")
            await at.says(f"“{name}” can't be pinned: this run can still write it")
        at.table.move_to(at.names.index("now/step-7"))
        await at.pilot.press("backspace", "y")
        await wait_until(lambda: "now/step-7" not in at.names)

"""The question before a checkpoint is loaded: what it says, and what happens after it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import ModelConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import folder_of_run, named_checkpoint_path
from tests.fakes import run_started, steps_finished
from tests.tui.conftest import Stage, opened, toasted
from tests.tui.screens.dialogs.browser import browsing, entry
from tui.run.folding import fold
from tui.run.view import RunView
from tui.screens.dialogs.base import MessageDialog
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.checkpoint_load import LoadDialog, load_question
from tui.screens.main.screen import MainScreen

MODEL = ModelConfig(embedding_size=4, hidden_size=8)
NOW: dict[str, Any] = {"step": 2748, "elapsed_seconds": 9.0}


def view_after(*events: e.Event) -> RunView:
    """Return a run at step 2,748 after further events."""
    started = run_started(run="now", model=MODEL)
    return fold(RunView(), (started, steps_finished(1, [2.0] * 2748, elapsed_seconds=9.0), *events))


def saved(name: str) -> e.CheckpointSaved:
    path = named_checkpoint_path(name) if name == "mine" else folder_of_run("now").checkpoint_path(name)
    return e.CheckpointSaved(name=name, path=str(path), bits_per_char=2.0, weights_step=2748, **NOW)


def loaded(name: str) -> e.CheckpointLoaded:
    return e.CheckpointLoaded(step=9, elapsed_seconds=9.0, name=name, path="/best", bits_per_char=None, epochs=0.0)


def test_the_question_says_what_is_loaded_and_what_could_be_lost(snapshot: SnapshotAssertion) -> None:
    entries = {
        "back": ("now/step-911", {"step": 911}),
        "forward": ("now/step-3000", {"step": 3000}),
        "the same step": ("mine", {"step": 2748}),
        "of another run, by name": ("happy", {"step": 7, "run": "then"}),
        "of another run": ("then/best", {"step": 7, "run": "then"}),
        "another model": ("now/best", {"step": 9, "model": replace(MODEL, num_layers=2)}),
    }
    lines = [
        f"{what}: {load_question(entry(name, **{'model': MODEL, 'run': 'now', **changes}), view_after())}"
        for what, (name, changes) in entries.items()
    ]
    views = {
        "saved by name": view_after(saved("mine")),
        "saved by name before an autosave": view_after(saved("mine"), saved("latest")),
        "only as latest": view_after(saved("latest")),
        "a step since": view_after(saved("mine"), steps_finished(2749, [2.0])),
        "finishing": view_after(saved("best"), e.FinishPlanned(last_step=3000, **NOW)),
        "no step since the same load": view_after(loaded("now/best")),
        "no step since another load": view_after(loaded("now/step-9")),
        "no step at all": fold(RunView(), (run_started(run="now", model=MODEL),)),
    }
    best = entry("now/best", step=9, run="now", model=MODEL)
    lines += [f"{what}: {load_question(best, view)}" for what, view in views.items()]
    path = folder_of_run("now").checkpoint_path("step-2748-before-load")
    path.parent.mkdir(parents=True)
    path.touch()
    lines.append(f"the name is taken: {load_question(best, view_after())}")
    assert "\n".join(lines) == snapshot


@pytest.mark.parametrize("key", ["y", "enter"])
async def test_y_and_enter_load_escape_closes_and_the_question_follows_the_run(stage: Stage, key: str) -> None:
    async with browsing(stage, lambda: [entry("now/best", step=2, run="now")], size=(40, 12)) as at:
        first = "now at step 3, is saved first as step-3-before-load."
        await at.press("enter", opens=LoadDialog, shows=("Go back to step 2, “now/best”?", first, "y enter load"))
        await at.emit(steps_finished(4, [3.9, 3.8]))
        await at.press(shows="now at step 5, is saved first as step-5-before-load.")
        await at.press("escape", opens=CheckpointBrowser)
        assert at.session.received == []
        await at.press("enter", opens=LoadDialog)
        await at.press(key, opens=MainScreen, sends=c.LoadCheckpoint(name="now/best"))


async def test_after_a_load_a_toast_names_the_checkpoint_of_the_run_before_it_and_a_refused_load_says_why(
    stage: Stage,
) -> None:
    why = "The current weights can't be saved, so nothing was loaded. No space left on device"
    refused = e.CommandRefused(
        step=3, elapsed_seconds=1.0, command="LoadCheckpoint", title="The disk can't be used", detail=why, hint="Wait."
    )
    async with browsing(stage, list) as at:
        await at.press("escape", opens=MainScreen)
        await at.emit(replace(saved("step-2748-before-load"), step=3), replace(loaded("now/best"), step=2))
        before = "The run before it is saved as step-2748-before-load."
        await toasted(at.app, f"Loaded now/best: continuing from step 2. {before}")
        await at.emit(refused)
        await opened(at.app, MessageDialog)
        await at.press(shows=why)

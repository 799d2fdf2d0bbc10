"""The question before a checkpoint is loaded: what it says, and what happens after it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.config.run import ModelConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import folder_of_run, named_checkpoint_path
from tests.fakes import run_started, steps_finished
from tests.tui.conftest import Stage, opened, press, shows, toasted
from tests.tui.screens.dialogs.browser import browsing, entry
from tui.run.folding import fold
from tui.run.view import RunView
from tui.screens.dialogs.base import MessageDialog
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.checkpoint_load import LoadDialog, load_question
from tui.screens.main.screen import MainScreen

MODEL = ModelConfig(embedding_size=4, hidden_size=8)
NOW: dict[str, Any] = {"step": 2748, "elapsed_seconds": 9.0}
FIRST = "The run, now at step 2,748, is saved first as step-2748-before-load."


def view_after(*events: e.Event) -> RunView:
    """Return a run at step 2,748 after further events."""
    started = run_started(run="now", model=MODEL)
    return fold(RunView(), (started, steps_finished(1, [2.0] * 2748, elapsed_seconds=9.0), *events))


def saved(name: str) -> e.CheckpointSaved:
    path = named_checkpoint_path(name) if name == "mine" else folder_of_run("now").checkpoint_path(name)
    return e.CheckpointSaved(name=name, path=str(path), bits_per_char=2.0, weights_step=2748, **NOW)


@pytest.mark.parametrize(
    ("name", "changes", "question"),
    [
        ("now/step-911", {"step": 911, "run": "now"}, "Go back to step 911, “now/step-911”?"),
        ("now/step-3000", {"step": 3000, "run": "now"}, "Go forward to step 3,000, “now/step-3000”?"),
        ("mine", {"step": 2748, "run": "now"}, "Load “mine”, which is at this step, 2,748, too?"),
        (
            "happy",
            {"step": 7, "run": "then"},
            "Continue this run from “happy”, step 7 of the run then, trained on small.txt?",
        ),
        ("then/best", {"step": 7, "run": "then"}, "Continue this run from “then/best”, step 7, trained on small.txt?"),
        (
            "now/best",
            {"step": 9, "run": "now", "model": replace(MODEL, num_layers=2)},
            "Go back to step 9, “now/best”? The model becomes: GRU 2 x 5, embedding 4, dropout 0.",
        ),
    ],
)
def test_the_question_says_what_is_loaded_and_that_the_run_is_saved_first(
    name: str, changes: dict[str, Any], question: str
) -> None:
    assert load_question(entry(name, **{"model": MODEL, **changes}), view_after()) == f"{question} {FIRST}"


def test_a_name_that_is_taken_is_not_announced() -> None:
    path = folder_of_run("now").checkpoint_path("step-2748-before-load")
    path.parent.mkdir(parents=True)
    path.touch()
    question = load_question(entry("now/best", step=9, run="now", model=MODEL), view_after())
    assert question.endswith("is saved first as step-2748-before-load-2.")


@pytest.mark.parametrize(
    ("name", "events", "rest"),
    [
        ("mine", (), "The run, now at step 2,748, is saved as “mine”: nothing is lost."),
        ("latest", (), FIRST),
        ("mine", (steps_finished(2749, [2.0]),), FIRST.replace("2,748", "2,749").replace("2748", "2749")),
        ("best", (e.FinishPlanned(last_step=3000, **NOW),), f"{FIRST} Its finish is cancelled."),
    ],
    ids=["saved by name", "only as latest", "a step since", "finishing"],
)
def test_the_question_says_whether_anything_could_be_lost(name: str, events: tuple[e.Event, ...], rest: str) -> None:
    shown = load_question(entry("now/best", step=9, run="now", model=MODEL), view_after(saved(name), *events))
    assert shown == f"Go back to step 9, “now/best”? {rest}"


def test_an_autosave_after_a_save_by_name_does_not_hide_it() -> None:
    question = load_question(
        entry("now/best", step=9, run="now", model=MODEL), view_after(saved("mine"), saved("latest"))
    )
    assert question.endswith("The run, now at step 2,748, is saved as “mine”: nothing is lost.")


def test_without_a_step_since_the_start_or_the_same_load_nothing_is_lost() -> None:
    best = entry("now/best", step=9, run="now", model=MODEL)
    loaded = e.CheckpointLoaded(
        step=9, elapsed_seconds=9.0, name="now/best", path="/best", bits_per_char=None, epochs=0.0
    )
    assert load_question(best, view_after(loaded)).endswith("no step since it was loaded: nothing is lost.")
    assert load_question(best, view_after(replace(loaded, name="now/step-9"))).endswith("as step-9-before-load.")
    at_zero = fold(RunView(), (run_started(run="now", model=MODEL),))
    assert load_question(best, at_zero).endswith("The run has taken no step: nothing is lost.")


@pytest.mark.parametrize("key", ["y", "enter"])
async def test_y_and_enter_load_escape_closes_and_the_question_follows_the_run(stage: Stage, key: str) -> None:
    async with browsing(stage, lambda: [entry("now/best", step=2, run="now")], size=(40, 12)) as at:
        await at.pilot.press("enter")
        await opened(at.app, LoadDialog)
        await at.says("Go back to step 2, “now/best”?", "#question")
        await at.says("now at step 3, is saved first as step-3-before-load.", "#question")
        await shows(at.app, "y enter load", "esc close")
        at.session.emit(steps_finished(4, [3.9, 3.8]))
        await at.says("now at step 5, is saved first as step-5-before-load.", "#question")
        await at.pilot.press("escape")
        await opened(at.app, CheckpointBrowser)
        assert at.session.received == []
        await at.pilot.press("enter")
        await opened(at.app, LoadDialog)
        await press(at.pilot, at.session, key)
        await opened(at.app, MainScreen)
        assert at.session.received == [c.LoadCheckpoint(name="now/best")]


async def test_the_toast_after_a_load_names_the_checkpoint_of_the_run_before_it(stage: Stage) -> None:
    async with browsing(stage, list) as at:
        at.session.emit(replace(saved("step-2748-before-load"), step=3))
        at.session.emit(
            e.CheckpointLoaded(
                step=2, elapsed_seconds=1.0, name="now/best", path="/best", bits_per_char=None, epochs=0.0
            )
        )
        await toasted(
            at.app, "Loaded now/best: continuing from step 2. The run before it is saved as step-2748-before-load."
        )


async def test_a_load_that_is_refused_says_why(stage: Stage) -> None:
    refused = e.CommandRefused(
        step=3,
        elapsed_seconds=1.0,
        command="LoadCheckpoint",
        title="The disk can't be used",
        detail="The current weights can't be saved, so nothing was loaded. No space left on device",
        hint="Free some space.",
    )
    async with browsing(stage, list) as at:
        await at.pilot.press("escape")
        await opened(at.app, MainScreen)
        at.session.emit(refused)
        await opened(at.app, MessageDialog)
        await shows(at.app, "so nothing was loaded.", "left on device")

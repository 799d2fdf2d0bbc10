"""The checkpoint browser: loading, branching, renaming, pinning and deleting."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual import events

from engine.checkpoints.catalog import CheckpointEntry, iterate_checkpoints
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import named_checkpoint_path
from tests.fakes import FakeSession, run_started, steps_finished
from tests.tui.conftest import DEADLINE_SECONDS, Running, Stage, opened, shows, wait_until
from tests.tui.screens.dialogs.browser import STARTED, Browsing, Entries, browsing, entry, files
from tests.tui.transcripts import Step, Typed, transcript
from tui.run.branching import OverlayCurve
from tui.run.view import RunView
from tui.screens.dialogs.base import YesDialog
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.main.screen import MainScreen
from tui.widgets.plot.loss_plot import LossPlot

SMALL = CorpusConfig(files=("/data/small.txt",))
END = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps", total_seconds=1.0, total_chars=9)


def starting(at: Running) -> None:
    screen = at.app.screen_stack[-2]
    assert isinstance(screen, MainScreen)
    screen.run.view = replace(screen.run.view, phase="starting")


def refused() -> list[CheckpointEntry]:
    return [
        entry("broken", problem="broken is cut short: [b]12[/b].", hours=1),
        entry("foreign", hours=2, vocab=("a", "b"), corpus=CorpusConfig(files=("/data/b.csv",))),
        entry("[/sad]", hours=3, step=1200, bits_per_char=2.34),
        entry("now/latest", hours=4),
    ]


def one(name: str) -> Callable[[], list[CheckpointEntry]]:
    return lambda: [entry(name, corpus=SMALL)]


PLAYS: dict[str, tuple[Entries, tuple[Step, ...], dict[str, Any]]] = {
    "a damaged checkpoint and one of another vocabulary are refused with the reason": (
        refused,
        ("", "enter", "n", "=", "down", "enter", "down down", "enter", "enter"),
        {},
    ),
    "a branch of `latest` of the active run starts where that ends": (one("now/latest"), ("n", "escape"), {}),
    "in a replay nothing is loaded, and a new run saves nothing": (
        one("now/latest"),
        ("enter", "n", "escape"),
        {"history": RunView(is_replay=True)},
    ),
    "before its start and after its end a run loads none, but another can start": (
        one("happy"),
        (starting, "enter", END, "enter", "n", "y"),
        {"further": [FakeSession((), run_started(run="then", step=2))]},
    ),
}


@pytest.mark.parametrize("claim", PLAYS)
async def test_a_checkpoint_is_loaded_or_a_run_started_from_it_as_recorded(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    entries, steps, options = PLAYS[claim]
    async with browsing(stage, entries, **options) as at:
        assert await transcript(at, *steps) == snapshot


async def test_n_branches_after_a_yes_and_the_plot_shows_both_curves(stage: Stage) -> None:
    second = FakeSession((steps_finished(3, [3.9]),), run_started(step=2))
    options: dict[str, Any] = {"further": [second], "config": RunConfig(settings={"hidden_size": 9})}
    async with browsing(stage, one("happy"), **options) as at:
        app, before = at.app, at.app.summary_view
        question = "The run now is saved and ends. A new one starts from “happy”, at step 2, on small.txt."
        await at.press("n", opens=YesDialog, shows=question)
        await at.press("enter", "n", "escape", opens=CheckpointBrowser)
        assert at.session.received == []
        await at.press("n", opens=YesDialog)
        await at.press("y")
        await wait_until(lambda: len(app.bridges) == 2 and app.summary_view.step == 3, "the new run")
        await opened(app, MainScreen)
        assert isinstance(at.session.received[-1], c.Stop)
        assert app.bridge.config == RunConfig(corpus=SMALL, checkpoint="happy", preset="tutorial")
        assert stage.checked[-1] == app.bridge.config
        assert app.screen.query_one(LossPlot).overlay == OverlayCurve("now", before.train_losses)
        assert app.summary_view.train_losses.first_step == 3
        assert [view.started for view in app.earlier_views] == [STARTED]


async def test_the_list_can_be_closed_while_n_checks_the_tweets(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(stage, "check", lambda _: may_end.wait(DEADLINE_SECONDS))
    async with browsing(stage, one("happy")) as at:
        await at.pilot.press("n")
        await shows(at.app, "checking the tweets of “happy”…")
        await at.pilot.press("escape")
        await opened(at.app, MainScreen)
        may_end.set()
        await at.press("l", opens=CheckpointBrowser)
        assert at.app.failure is None


def at_entry(name: str) -> Callable[[Running], None]:
    """Return the step to a checkpoint."""

    def move(at: Running) -> None:
        browsing = Browsing(*at)
        browsing.table.move_to(browsing.names.index(name))

    move.__name__ = f"at {name}"
    return move


def remove_old(_: Running) -> None:
    named_checkpoint_path("old").unlink()


CHANGES: dict[str, tuple[Step, ...]] = {
    "R renames, k pins to the top, and a failed change is reported": (
        *("R", Typed("old"), "enter", Typed("../up"), "enter", Typed("happy"), "enter"),
        *("end", "R", at_entry("old"), "k", "delete", "k", at_entry("old"), remove_old, "k"),
    ),
    "deleting asks, and the own checkpoints of the active run stay": (
        *("down", "delete", "delete", "enter", "escape", "backspace", "y"),
        *(at_entry("now/latest"), "delete", "k", at_entry("now/best"), "delete", "k"),
        *(at_entry("now/step-7"), "backspace", "y"),
    ),
}


@pytest.mark.parametrize("claim", CHANGES)
async def test_files_are_changed_by_keys_as_recorded(
    stage: Stage, saved: Path, claim: str, snapshot: SnapshotAssertion
) -> None:
    def names_and_files(at: Running) -> str:
        browsing = Browsing(*at)
        return f"{browsing.names}, at {browsing.current}; {sorted(files(saved))}"

    async with browsing(stage, iterate_checkpoints, size=(40, 12)) as at:
        recorded = await transcript(at, *CHANGES[claim], note=names_and_files)
        assert re.sub(r"[\d.]+ kB", "N kB", recorded) == snapshot


async def test_a_change_is_made_although_the_list_closes_right_after_its_key(stage: Stage, saved: Path) -> None:
    async with browsing(stage, iterate_checkpoints) as at:
        at.app.post_message(events.Key("k", "k"))
        at.app.post_message(events.Key("escape", None))
        await opened(at.app, MainScreen)
        await wait_until(lambda: "new.pinned" in files(saved), "the pin")

"""The list of checkpoints: what it shows, in which order, two side by side; loading, branching and changing files."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs
from rich.cells import cell_len
from syrupy.assertion import SnapshotAssertion
from textual.widgets import Static

from engine.checkpoints.catalog import CheckpointEntry, iterate_checkpoints
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, RunConfig
from engine.errors import StorageError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import create_run_folder, folder_of_run, named_checkpoint_path
from engine.storage.folders import home as data_folder
from engine.storage.journal import to_line
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, SCRIPT, Running, Stage, opened, shows, text_of, wait_until
from tests.tui.transcripts import AtOnce, plays, set_up, transcript
from tui.dialogs import checkpoint_list, checkpoints
from tui.dialogs.ask import load_question
from tui.dialogs.checkpoint_list import CheckpointTable, CompareDialog
from tui.dialogs.checkpoints import CheckpointBrowser
from tui.run.fold import fold
from tui.run.new_run import OverlayCurve
from tui.run.view import RunView
from tui.widgets.plot.plot import LossPlot

NOW = datetime(2026, 11, 25, 15, 0).timestamp()  # noqa: DTZ001 - shown in local time, too
STARTED = run_started(run="now")
SMALL = CorpusConfig(files=("/data/small.txt",))
MODEL = ModelConfig(embedding_size=4, hidden_size=8)
END = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps", total_seconds=1.0, total_chars=9)
Entries = Callable[[], Iterable[CheckpointEntry]]


def entry(name: str, problem: str = "", hours: float = 5.2, **changes: Any) -> CheckpointEntry:
    """Return an entry without a file, saved some hours ago."""
    return CheckpointEntry(
        name=name,
        path=data_folder() / "checkpoints" / f"{name.replace('/', ' ')}.safetensors",
        saved_at=NOW - 3600 * hours,
        num_bytes=1_800_000,
        info=None if problem else checkpoint_info(**{"last_eval_step": changes.get("step", 2), **changes}),
        problem=problem,
    )


class Browsing(Running):
    """A browser that is open over a run."""

    @property
    def table(self) -> CheckpointTable:
        browser = next(screen for screen in self.app.screen_stack if isinstance(screen, CheckpointBrowser))
        return browser.query_one(CheckpointTable)

    @property
    def names(self) -> list[str]:
        return [option.id for option in self.table.options if option.id is not None]

    @property
    def current(self) -> str:
        option = self.table.highlighted_option
        return (option.id or "") if option is not None else ""


@asynccontextmanager
async def browsing(
    stage: Stage, entries: Entries, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[Browsing]:
    """Open the browser over a run whose script is on screen, and wait until the list has been read."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(checkpoint_list, "time", SimpleNamespace(time=lambda: NOW, monotonic=time.monotonic))
        monkeypatch.setattr(checkpoints, "_BATCH_SECONDS", DEADLINE_SECONDS)
        async with stage.running(FakeSession(SCRIPT, STARTED), size, entries=entries, **options) as at:
            await at.press("l", opens="CheckpointBrowser")
            yield Browsing(*at)


@pytest.fixture
def saved(home: Path) -> Path:
    """Save two checkpoints, `old` and `new`, and the run `now` with a tweet; returns their folder."""
    write_checkpoint(named_checkpoint_path("old"), step=5, bits_per_char=2.0)
    write_checkpoint(named_checkpoint_path("new"), step=9, bits_per_char=3.0)
    folder = create_run_folder("now")
    folder.config_path.write_text("{}")
    info = checkpoint_info()
    started = run_started(run="now", corpus=info.corpus_name, vocab_size=len(info.vocab) + 4)
    folder.journal_path.write_bytes(to_line(started) + to_line(tweet_sampled("so sunny", 1)))
    for name in ("latest", "best", "step-7"):
        write_checkpoint(folder.checkpoint_path(name), run="now")
    paths = (*map(named_checkpoint_path, ("old", "new")), *map(folder.checkpoint_path, ("latest", "best", "step-7")))
    for hours, path in enumerate(reversed(paths), start=1):
        os.utime(path, (NOW - 3600 * hours, NOW - 3600 * hours))
    return home / "checkpoints"


# The list -------------------------------------------------------------------------------------------------------------


def failing() -> Iterator[CheckpointEntry]:
    yield entry("happy")
    raise StorageError("The folder can't be read.")


def refused() -> list[CheckpointEntry]:
    return [
        entry("broken", problem="broken is cut short: [b]12[/b].", hours=1),
        entry("foreign", hours=2, vocab=("a", "b"), corpus=CorpusConfig(files=("/data/b.csv",))),
        entry("[/sad]", hours=3, step=1200, bits_per_char=2.34),
        entry("now/latest", hours=4),
    ]


def named(*names: str, **changes: Any) -> Entries:
    return lambda: [entry(name, corpus=SMALL, **changes) for name in names]


def in_turn(*listed: Entries) -> Entries:
    """Return another list each time the browser is opened."""
    remaining = list(listed)

    def read() -> Iterable[CheckpointEntry]:
        return remaining.pop(0)()

    return read


def starting(at: Running) -> None:
    run = at.app.main.run
    run.view = replace(run.view, phase="starting")


AT_2748: dict[str, Any] = {"step": 2748, "elapsed_seconds": 9.0}
NOT_LOADED = e.CommandRefused(
    command="LoadCheckpoint",
    title="The disk can't be used",
    detail="The current weights can't be saved, so nothing was loaded. No space left on device",
    hint="Wait.",
    **AT_2748,
)
BEFORE_LOAD = e.CheckpointSaved(
    step=3, elapsed_seconds=9.0, name="step-3-before-load", path="/a", bits_per_char=2.0, weights_step=3
)


async def two_steps_more(at: Running) -> None:
    await at.emit(steps_finished(4, [3.9, 3.8]))
    await at.press(shows="now at step 5, is saved first as step-N-before-load")


def written(name: str) -> e.CheckpointSaved:
    path = named_checkpoint_path(name) if name == "mine" else folder_of_run("now").checkpoint_path(name)
    return e.CheckpointSaved(name=name, path=str(path), bits_per_char=2.0, weights_step=2748, **AT_2748)


def loaded(name: str) -> e.CheckpointLoaded:
    return e.CheckpointLoaded(step=9, elapsed_seconds=9.0, name=name, path="/best", bits_per_char=None, epochs=0.0)


BEST_OF_2 = structs.replace(loaded("now/best"), step=2)
PLAYS = plays("checkpoints", globals())
SET_UP: dict[str, tuple[Entries, dict[str, Any]]] = {
    "an empty list": (in_turn(list, failing, named("happy"), named("then/latest", step=0)), {}),
    "headings": (lambda: [entry("mine"), entry("now/best", step=9), entry("then/best", step=9)], {}),
    "figures in the unit": (named("mine", "other", step=9, bits_per_char=2.0), {}),
    "a damaged": (refused, {}),
    "in a replay": (named("now/latest"), {"history": RunView(is_replay=True)}),
    "the question": (lambda: [entry("now/best", step=2, run="now")], {}),
    "the equals sign": (
        lambda: [entry("happy", step=1200, bits_per_char=2.22), entry("sad", step=7, bits_per_char=2.22, hours=6)],
        {},
    ),
    "before its start": (named("happy"), {"further": [FakeSession((), run_started(run="then", step=2))]}),
}


def current(at: Running) -> str:
    """Return the names in the list and that at the cursor; in a comparison the rows that differ."""
    if isinstance(at.app.screen, CompareDialog):
        differing = at.app.screen.query(".differs")
        return f"differ: {[str(row.query(Static).first().render()) for row in differing]}"
    is_open = any(isinstance(screen, CheckpointBrowser) for screen in at.app.screen_stack)
    return f"{Browsing(*at).names}, at {Browsing(*at).current or 'none'}" if is_open else "closed"


@pytest.mark.parametrize("claim", PLAYS)
async def test_checkpoints_are_listed_loaded_and_branched_from_as_recorded(
    stage: Stage, claim: str, snapshot: SnapshotAssertion
) -> None:
    entries, options = set_up(SET_UP, claim, (named("now/latest"), {}))
    async with browsing(stage, entries, **options) as at:
        assert await transcript(at, *PLAYS[claim], note=current) == snapshot


def many() -> list[CheckpointEntry]:
    """Return 260 checkpoints of several runs, some with long names and wide characters."""
    runs = ("now", "2026-10-01-101530", "日本語の" * 20, "x" * 90)
    of_runs = [entry(f"{run}/step-{step}", step=step, run=run, bits_per_char=2.5) for run in runs for step in range(60)]
    return [*of_runs, *(entry(f"{'日本' * number} {'y' * number}", step=number) for number in range(1, 21))]


async def test_hundreds_of_checkpoints_keep_the_cursor_its_heading_and_the_columns_in_view_at_every_size(
    stage: Stage, snapshot: SnapshotAssertion
) -> None:
    async with browsing(stage, many) as at:
        for size in ((40, 12), (80, 24), (200, 60)):
            await at.resize(*size)
            await at.press(shows=("256 by age", "/untrained shows 4 of step 0", "saved by name · 20"))
            for key in ("end", "pageup", "up", "home"):
                await at.press(key)
                await at.press(shows=at.current.rpartition("/")[2][-5:])
            await at.press(shows="saved by name · 20")
            if size[0] <= 80:
                assert text_of(at.app, "#table") == snapshot(name=f"{size[0]}x{size[1]}")
            at.table.move_to(at.names.index("now/step-59"))
            await at.press(shows="step-59")
            at.table.move_to(20)
            await at.press(shows="this run, now · 59")
            rows = [at.table.render_line(y).text for y in range(at.table.size.height)]
            assert {cell_len(row) for row in rows} == {at.table.scrollable_content_region.width}
            await at.press("home")


async def test_nothing_matches_a_filter_that_was_typed_before_the_files_were_read(stage: Stage) -> None:
    may_read = threading.Event()

    def read_late() -> list[CheckpointEntry]:
        assert may_read.wait(DEADLINE_SECONDS)
        return [entry("happy")]

    async with stage.running(entries=read_late) as at:
        AtOnce("l / 'next'").post_to(at.app)
        await shows(at.app, "0 of 0 by age, reading…")
        may_read.set()
        await shows(at.app, "0 of 1 by age", "No checkpoint matches.")


# A new run from a checkpoint ------------------------------------------------------------------------------------------


async def test_n_branches_after_a_yes_and_the_plot_shows_both_curves(stage: Stage) -> None:
    second = FakeSession((steps_finished(3, [3.9]),), run_started(step=2))
    options: dict[str, Any] = {"further": [second], "config": RunConfig(settings={"hidden_size": 9})}
    async with browsing(stage, named("happy"), **options) as at:
        app, before = at.app, at.app.summary_view
        question = "The run now is saved and ends. A new one starts from “happy”, at step 2, on small.txt."
        await at.press("n", opens="Question", shows=question)
        await at.press("enter", "n", "escape", opens="CheckpointBrowser")
        assert at.session.received == []
        await at.press("n", opens="Question")
        await at.press("y")
        await wait_until(lambda: len(stage.runs) == 2 and app.summary_view.step == 3, "the new run")
        await opened(app, "MainScreen")
        assert isinstance(at.session.received[-1], c.Stop)
        assert app.connection.config == RunConfig(corpus=SMALL, checkpoint="happy", preset="tutorial")
        assert stage.checked[-1] == app.connection.config
        assert app.screen.query_one(LossPlot).overlay == OverlayCurve("now", before.train_losses)
        assert app.summary_view.train_losses.first_step == 3
        assert [view.started for view in app.earlier_views] == [STARTED]


async def test_the_list_can_be_closed_while_n_checks_the_tweets(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(stage, "check", lambda _: may_end.wait(DEADLINE_SECONDS))
    async with browsing(stage, named("happy")) as at:
        await at.pilot.press("n")
        await shows(at.app, "checking the tweets of “happy”…")
        await at.pilot.press("escape")
        await opened(at.app, "MainScreen")
        may_end.set()
        await at.press("l", opens="CheckpointBrowser")
        assert at.app.failure is None


# Files that change ----------------------------------------------------------------------------------------------------


def at_entry(name: str) -> Callable[[Running], None]:
    """Return the step to a checkpoint."""

    def move(at: Running) -> None:
        Browsing(*at).table.move_to(Browsing(*at).names.index(name))

    move.__name__ = f"at {name}"
    return move


def remove_old(_: Running) -> None:
    named_checkpoint_path("old").unlink()


CHANGES = plays("files", globals())


@pytest.mark.parametrize("claim", CHANGES)
async def test_files_are_listed_and_changed_by_keys_as_recorded(
    stage: Stage, saved: Path, claim: str, snapshot: SnapshotAssertion
) -> None:
    async with browsing(stage, iterate_checkpoints, (60, 24)) as at:
        recorded = await transcript(
            at, *CHANGES[claim], note=lambda at: f"{current(at)}; {sorted(path.name for path in saved.iterdir())}"
        )
        assert re.sub(r"[\d.]+ kB", "N kB", recorded) == snapshot


# The question before a checkpoint is loaded ---------------------------------------------------------------------------


def view_after(*events: e.Event) -> RunView:
    """Return a run at step 2,748 after further events."""
    started = run_started(run="now", model=MODEL)
    return fold(RunView(), (started, steps_finished(1, [2.0] * 2748, elapsed_seconds=9.0), *events))


def test_the_question_says_what_is_loaded_and_what_could_be_lost(snapshot: SnapshotAssertion) -> None:
    entries: dict[str, tuple[str, dict[str, Any]]] = {
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
        "saved by name": view_after(written("mine")),
        "saved by name before an autosave": view_after(written("mine"), written("latest")),
        "only as latest": view_after(written("latest")),
        "a step since": view_after(written("mine"), steps_finished(2749, [2.0])),
        "finishing": view_after(written("best"), e.FinishPlanned(last_step=3000, **AT_2748)),
        "no step since the same load": view_after(loaded("now/best")),
        "no step since another load": view_after(loaded("now/step-9")),
        "no step at all": fold(RunView(), (run_started(run="now", model=MODEL),)),
    }
    best = entry("now/best", step=9, run="now", model=MODEL)
    lines += [f"{what}: {load_question(best, view)}" for what, view in views.items()]
    path = folder_of_run("now").checkpoint_path("step-2748-before-load")
    path.parent.mkdir(parents=True)
    path.touch()
    lines.append(f"paused, the name is taken: {load_question(best, view_after(e.Paused(**AT_2748)))}")
    assert "\n".join(lines) == snapshot

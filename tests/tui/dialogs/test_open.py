"""Other tweets: chosen in a path line or dropped, checked, and then a new run; or the old run continues."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from textual import events
from textual.containers import Vertical, VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.corpus.report import CorpusPreview, SourceReport
from engine.errors import CorpusError
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, RaisingSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, LateSession, Running, Stage, opened, shows, toasts, wait_until
from tests.tui.dialogs.test_checkpoints import entry
from tests.tui.transcripts import plays, transcript
from tui.app.app import TweetgenApp
from tui.app.main_screen import MainScreen
from tui.dialogs.folder import FileList, FolderEntry
from tui.process.threads import on_own_thread
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.plot.plot import LossPlot

NEW_RUN = "enter saves the run 2026-11-25-101112 and starts a new one on it."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of files to choose from, and a home elsewhere."""
    monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    folder = tmp_path / "in"
    (folder / "archive").mkdir(parents=True)
    (folder / "archive" / "tweets.js").touch()
    for name in ("first.csv", "second.csv", "third tweets.txt"):
        (folder / name).write_bytes(b"1234")
    return folder


class Opening(Running):
    """A run over which the dialog is open."""

    @property
    def chosen(self) -> str | None:
        """The name of the highlighted entry."""
        lists = list(self.app.screen.query(FileList))
        entry = lists[0].chosen if lists else None
        return None if entry is None else entry.path.name

    @property
    def line(self) -> str:
        return self.app.screen.query_one(Input).value

    async def chooses(self, name: str) -> None:
        await wait_until(lambda: self.chosen == name, name)

    async def paste(self, text: str, **then: Any) -> None:
        self.app.post_message(events.Paste(text))
        await self.press(**then)

    async def replace_run(self) -> None:
        """Choose the second file, and do not wait for the end of the first run."""
        await self.press("down", "enter", shows="can be used")
        await self.pilot.press("enter")

    async def quit_well(self) -> None:
        await self.press("q")
        await wait_until(lambda: not self.app.is_running)
        assert self.app.return_code == 0


def on_first(folder: Path) -> RunConfig:
    """Return the config of a run on the first file."""
    return RunConfig(corpus=CorpusConfig(files=(str(folder / "first.csv"),)), settings={"hidden_size": 16})


def second_session() -> FakeSession:
    return FakeSession((steps_finished(1, [3.5]), tweet_sampled("second to none", 1)), run_started(run="second-run"))


@asynccontextmanager
async def opening(
    stage: Stage,
    folder: Path,
    session: FakeSession | None = None,
    size: tuple[int, int] = (80, 24),
    further: Iterable[FakeSession] = (),
) -> AsyncIterator[Opening]:
    """Open the dialog over a run on the first file of a folder."""
    async with stage.running(session, size, further=further, config=on_first(folder)) as at:
        await at.press("o", opens="OpenDialog")
        opening = Opening(*at)
        await opening.chooses("first.csv")
        yield opening


async def has_no_worker(screen: Screen[Any]) -> None:
    """Wait until each worker of a screen has ended or was cancelled."""
    await wait_until(
        lambda: not any(each.node is screen and not each.is_finished for each in screen.workers), "their end"
    )


# The path line --------------------------------------------------------------------------------------------------------


PLAYS = plays("open", globals())


@pytest.mark.parametrize("claim", PLAYS)
async def test_the_line_is_typed_into_as_recorded(
    stage: Stage, folder: Path, claim: str, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    if "hostile" in claim:
        (folder / "a\x1b[31m[@click=app.bell]x[foo].csv").touch()

    def checked(_: Running) -> str:
        corpora = [config.corpus for config in stage.checked if config.corpus]
        options = [(corpus.column, corpus.label) for corpus in corpora if corpus.column or corpus.label]
        return f"checked {[Path(corpus.files[0]).name for corpus in corpora]} {options or ''}".rstrip()

    async with opening(stage, folder, further=[second_session()]) as at:
        assert await transcript(at, *PLAYS[claim], note=checked) == snapshot


@pytest.mark.parametrize(
    ("key", "dialog", "reader", "column"),
    [
        ("o", "OpenDialog", "tui.dialogs.open.list_folder", "hints"),
        ("l", "CheckpointBrowser", "tui.dialogs.checkpoints.files.sample_of", "detail"),
    ],
)
async def test_what_a_dialog_reads_while_it_closes_is_not_shown(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch, key: str, dialog: str, reader: str, column: str
) -> None:
    may_be_read = threading.Event()

    def read_late(_: Any) -> list[FolderEntry] | None:
        assert may_be_read.wait(DEADLINE_SECONDS)
        return [] if key == "o" else None

    async def go_late(widget: Widget) -> None:  # a part of it; the dialog goes after it
        if widget.id == column:
            may_be_read.set()
            await has_no_worker(widget.screen)

    monkeypatch.setattr(reader, read_late)
    for container in (Vertical, VerticalScroll):
        monkeypatch.setattr(container, "on_unmount", go_late, raising=False)
    async with stage.running(config=on_first(folder), entries=lambda: [entry("happy")]) as at:
        await at.pilot.press(key)
        await opened(at.app, dialog)
        if key == "l":
            await shows(at.app, "happy")
        closing = at.app.screen
        await at.pilot.press("escape")
        await wait_until(lambda: may_be_read.is_set() and not closing.is_attached and not closing.is_running, "its end")
        assert at.app.failure is None
        assert at.app.is_running


# The check and the new run ------------------------------------------------------------------------------------------


async def test_a_file_is_chosen_and_checked_and_a_new_run_starts_on_it(stage: Stage, folder: Path) -> None:
    async with opening(stage, folder, size=(40, 12), further=[second_session()]) as at:
        await at.press("down", shows="Open other tweets")
        await at.chooses("second.csv")
        await at.press("enter", shows=f"second.csv can be used; {NEW_RUN}")
        assert at.session.received == []
        await at.press("enter", shows="second to none", lacks="hello there", opens="MainScreen")
        app, other = at.app, CorpusConfig(files=(str(folder / "second.csv"),))
        assert [type(command) for command in at.session.received] == [c.Stop]
        assert isinstance(app.earlier_views[0].ended, e.RunFinished)
        assert app.summary_view.started == run_started(run="second-run")
        assert len(app.summary_view.train_losses) == 1
        assert stage.checked == [app.connection.config] == [RunConfig(corpus=other, settings={"hidden_size": 16})]
        await at.press("g", shows="asked-for tweet number 1")
        await at.quit_well()
    assert not any(bridge.is_alive for bridge in stage.runs)


async def test_a_file_that_can_not_be_used_or_is_doubted_is_reported_with_a_hint_and_the_run_continues(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.errors["second.csv"] = CorpusError("second.csv holds no tweets at all.", "Give a file with tweets.")
    stage.errors["first.csv"] = CorpusError("first.csv has no column of texts.", "Choose one with --column.")
    row = SourceReport(name="tweets.js", format="text", num_rows=60, num_kept=60, dropped={}, examples={})
    doubted = replace(row, doubt="100 % of its rows are markup or code")
    stage.previews["tweets.js"] = CorpusPreview(sources=(row, doubted), first_tweet="<p>", is_whole=True)
    problem = "second.csv holds no tweets at all. Give a file with tweets."
    async with opening(stage, folder) as at:
        await at.press("s", "enter", shows=problem)
        await at.press("escape", opens="MainScreen")
        await at.emit(tweet_sampled("still here", 4))
        await at.press(shows="still here")
        await at.paste(f"'{folder / 'second.csv'}'", shows=problem)
        await at.paste(str(folder / "third tweets.txt").replace(" ", "\\ "), shows="third tweets.txt can be used;")
        assert at.line == str(folder / "third tweets.txt")
        doubt = f"tweets.js does not look like text: 100 % of its rows are markup or code; {NEW_RUN}"
        await at.paste(str(folder / "archive" / "tweets.js"), shows=doubt, lacks="can be used")
        where = "An option follows the path: first.csv --option VALUE"
        await at.paste(f"'{folder / 'first.csv'}'", shows=f"Choose one with --column. {where}")
        assert at.session.received == []
        assert len(stage.runs) == 1
        await at.press("escape", opens="MainScreen")
        monkeypatch.setattr(TweetgenApp, "is_web", True)  # a browser shows for no path whether this machine has it
        await at.paste(str(folder / "second.csv"))
        await at.press("question_mark", opens="HelpDialog")
        assert toasts(at.app) == []


async def test_a_new_run_can_be_opened_after_one_failed_before_its_start(stage: Stage, folder: Path) -> None:
    error = CorpusError("first.csv changed while it was read.", "Try again.")
    second = second_session()
    app = stage.app(RaisingSession(error), further=[second], config=on_first(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        at = Opening(app, pilot, second)
        await opened(app, "Question")
        await at.press("o", opens="OpenDialog")
        await at.chooses("first.csv")
        await at.press("down", "enter", shows="second.csv can be used; enter starts a new run on it.")
        await at.press("enter", shows="second to none")
        await at.quit_well()


@pytest.mark.parametrize("key", ["?", "q"])
async def test_the_old_run_is_saved_before_the_new_one_takes_its_place_unless_q_quits_meanwhile(
    stage: Stage, folder: Path, key: str
) -> None:
    first = LateSession()
    async with opening(stage, folder, first, further=[second_session()]) as at:
        await at.replace_run()
        await shows(at.app, "saving…  then a new run on second.csv")
        await at.pilot.press(key)
        if key == "?":
            await opened(at.app, "HelpDialog")
        assert len(stage.runs) == 1
        first.may_answer.set()
        if key == "?":
            await at.press(shows="second to none", opens="MainScreen")
        else:
            await wait_until(lambda: not at.app.is_running)
            assert (len(stage.runs), at.app.return_code) == (1, 0)


async def test_results_of_workers_of_a_replaced_run_are_not_shown(
    stage: Stage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_be_read = threading.Event()

    async def show_late(screen: MainScreen) -> None:
        await on_own_thread(partial(may_be_read.wait, DEADLINE_SECONDS))
        screen.query_one(LossPlot)

    async def go_late(feed: TweetFeed) -> None:
        may_be_read.set()
        await has_no_worker(feed.screen)

    monkeypatch.setattr(TweetFeed, "on_unmount", go_late, raising=False)
    async with opening(stage, folder, further=[second_session()]) as at:
        first = at.app.screen_stack[-2]
        assert isinstance(first, MainScreen)
        await at.press("down", "enter", shows="can be used")
        first.run_worker(show_late(first))
        await at.pilot.press("enter")
        await shows(at.app, "second to none")
        await wait_until(lambda: may_be_read.is_set() and not first.is_running, "its end")
        assert at.app.failure is None
        assert at.app.is_running

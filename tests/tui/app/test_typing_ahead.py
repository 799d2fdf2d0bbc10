"""Keys that arrive in one go: those after a key that opens something are typed into it, and all act in their order."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.app import App
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, OptionList

from engine.checkpoints.catalog import iterate_checkpoints
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import create_run_folder, named_checkpoint_path
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import FakeClock, FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, Stage, opened, shows, toasted, wait_until
from tui.app import typing_ahead
from tui.app.app import TweetgenApp
from tui.app.typing_ahead import TypingAhead
from tui.process.outcome import Outcome
from tui.screens.dialogs.base import YesDialog
from tui.screens.dialogs.checkpoint_browser import CheckpointBrowser
from tui.screens.dialogs.checkpoint_list import ListCheckpoints
from tui.screens.dialogs.checkpoint_name import RenameDialog, SaveDialog
from tui.screens.dialogs.compare import CompareDialog
from tui.screens.dialogs.ladder import LadderDialog
from tui.screens.dialogs.settings import SettingsScreen
from tui.screens.main.screen import MainScreen
from tui.settings.keymap import key_named

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))
FINISHED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps reached", total_seconds=1.0, total_chars=99)


def post(app: App[Outcome], keys: Iterable[str]) -> None:
    """Have keys arrive in one go, as from one read of the terminal."""
    for key in keys:
        character = " " if key == "space" else key
        app.post_message(Key(key_named(key), character if len(character) == 1 else None))


@asynccontextmanager
async def running(
    stage: Stage, entries: ListCheckpoints = list
) -> AsyncIterator[tuple[TweetgenApp, Pilot[Outcome], FakeSession]]:
    """Run an app up to its first tweet."""
    session = FakeSession(SCRIPT)
    app = stage.app(session, entries=entries)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        await opened(app, MainScreen)
        yield app, pilot, session


def line(app: App[Outcome]) -> str:
    return app.screen.query_one(Input).value


async def test_text_typed_or_pasted_after_p_goes_into_its_input(stage: Stage) -> None:
    async with running(stage) as (app, _, _):
        screen = app.screen
        post(app, "phello")
        app.post_message(Paste("quick"))
        post(app, "z")
        await wait_until(lambda: line(app) == "helloquickz", "the paste between the keys")
        assert app.screen is screen
        assert not screen.query_one("Panels").has_class("-machine")


async def test_on_a_busy_machine_too_text_after_p_goes_into_its_input(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, press = FakeClock(), TypingAhead._press

    async def press_slowly(self: TypingAhead, key: Key | Paste) -> None:
        await press(self, key)
        clock.advance(3.0 if isinstance(key, Key) and key.key == "p" else 0.0)

    monkeypatch.setattr(typing_ahead, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(typing_ahead, "_POLL_SECONDS", 1e-4)
    monkeypatch.setattr(TypingAhead, "_press", press_slowly)
    async with running(stage) as (app, _, _):
        post(app, "phello")
        await wait_until(lambda: line(app) == "hello", "the text")


async def test_editing_keys_and_enter_keep_their_order_among_typed_characters(stage: Stage) -> None:
    async with running(stage) as (app, _, session):
        post(app, ["s", *"abc", "backspace", "Z", "left", "X"])
        await opened(app, SaveDialog)
        await wait_until(lambda: line(app) == "abXZ", "the edited name in the line")
        post(app, ["escape"])
        await opened(app, MainScreen)
        post(app, ["s", *"mi", "backspace", *"ine", "enter"])
        await wait_until(lambda: session.received == [c.SaveCheckpoint(name="mine", replace=False)], "the command")


async def test_keys_around_one_that_opens_a_dialog_keep_their_order(stage: Stage) -> None:
    async with running(stage) as (app, _, session):
        post(app, ["space", "g", ",", "down", "space", "escape"])
        await wait_until(lambda: not app.has_mouse, "the second of the settings")
        assert isinstance(app.screen, SettingsScreen) or app.screen is app.screen_stack[1]
        await wait_until(lambda: session.received == [c.Pause(), c.SampleNow()], "the commands before it")


async def test_in_a_dialog_without_an_input_keys_act_on_the_dialog(stage: Stage) -> None:
    async with running(stage) as (app, _, session):
        post(app, "tt")
        await opened(app, LadderDialog)
        await wait_until(lambda: len(session.received) == 2, "two rolls")


@pytest.mark.parametrize(
    ("keys", "dialog", "typed"),
    [
        (["/", *"best", "enter"], CheckpointBrowser, "best"),
        (["R", *"next"], RenameDialog, "next"),
        (["=", "down", "=", "enter"], CompareDialog, None),
        (["delete", "enter"], YesDialog, None),
    ],
)
@pytest.mark.usefixtures("home")
async def test_in_the_checkpoint_list_keys_go_to_the_dialog_or_input_that_a_key_before_them_opens(
    stage: Stage, keys: list[str], dialog: type[Screen[Any]], typed: str | None
) -> None:
    for name in ("happy", "sad"):
        write_checkpoint(named_checkpoint_path(name))
    async with running(stage, entries=iterate_checkpoints) as (app, pilot, session):
        post(app, "l")
        await shows(app, "2 by age ")
        post(app, keys)
        await opened(app, dialog)
        if typed is not None:
            await wait_until(lambda: line(app) == typed, f"{typed} in the line")
        await pilot.press("escape")
        await shows(app, "2 by age ")
        await pilot.press("right")
        await shows(app, "2 by name ")  # so none was loaded, which would have closed the list
        assert session.received == []


async def test_a_key_that_opens_a_dialog_can_be_followed_by_one_of_it_that_opens_a_line(stage: Stage) -> None:
    async with running(stage) as (app, _, _):
        post(app, "l/next")
        await opened(app, CheckpointBrowser)
        await wait_until(lambda: line(app) == "next", "the filter")


async def test_text_typed_together_with_a_refused_key_is_dropped_and_later_keys_act_on_the_screen(
    stage: Stage,
) -> None:
    session = FakeSession((*SCRIPT, FINISHED))
    app = stage.app(session)
    async with app.run_test(size=(80, 24)):
        await wait_until(lambda: app.summary_view.phase == "finished")
        post(app, "pquick")
        await toasted(app, "The run has ended; tweetgen-tui --resume")
        post(app, ",")
        await opened(app, SettingsScreen)
        assert app.screen.query_one(OptionList).has_focus
        post(app, ["escape"])
        await opened(app, MainScreen)
        post(app, ["space", *"l/next"])  # only the first is refused
        await opened(app, CheckpointBrowser)
        await wait_until(lambda: line(app) == "next", "the filter")


async def test_keys_of_the_same_read_that_arrive_after_a_refusal_are_dropped_except_ctrl_c(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typing_ahead, "DROP_SECONDS", 1000.0)
    app = stage.app(FakeSession((*SCRIPT, FINISHED)))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.summary_view.phase == "finished")
        post(app, "p")
        await toasted(app, "The run has ended; tweetgen-tui --resume")
        screen = app.screen
        post(app, "h,q")
        await pilot.pause()
        assert app.screen is screen
        assert not screen.query_one("Panels").has_class("-machine")
        assert app.is_running
        post(app, ["ctrl+c"])
        await wait_until(lambda: not app.is_running, "the end")


@pytest.mark.usefixtures("home")
async def test_in_the_checkpoint_list_keys_typed_right_after_a_refused_or_pending_one_are_dropped(
    stage: Stage,
) -> None:
    folder = create_run_folder("other")
    folder.config_path.write_text("{}")
    write_checkpoint(folder.checkpoint_path("best"), run="other")
    async with running(stage, entries=iterate_checkpoints) as (app, pilot, session):
        post(app, "l")
        await shows(app, "1 by age ", "other/best")
        post(app, ["R", "right", "enter"])
        await shows(app, "belongs to its run")
        await pilot.press("k")
        await shows(app, "kB, pinned")
        post(app, ["delete", "right", "enter"])
        await shows(app, "unpin it with k")
        post(app, ["n", "enter"])
        await opened(app, YesDialog)
        await pilot.press("escape")
        await opened(app, CheckpointBrowser)
        await pilot.press("right")
        await shows(app, "1 by name ")  # no other → has acted
        assert session.received == []
        assert len(app.bridges) == 1


@pytest.mark.parametrize("keys", ["pquick", "lq", "oq"])
async def test_keys_typed_while_a_run_ends_for_another_do_not_quit_the_program(
    stage: Stage, tmp_path: Path, keys: str
) -> None:
    may_answer = threading.Event()

    class Late(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            assert may_answer.wait(DEADLINE_SECONDS)
            return super().answer(command)

    other = tmp_path / "other.txt"
    other.write_text("hello\n")
    app = stage.app(Late(SCRIPT), further=[FakeSession(SCRIPT, run_started(run="second"))])
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(lambda: app.summary_view.num_tweets == 1)
        app.post_message(Paste(str(other)))
        await shows(app, "other.txt can be used;")
        await pilot.press("enter")
        await shows(app, "saving…")
        post(app, keys)
        await toasted(app, "The run is ending.")
        may_answer.set()
        await wait_until(lambda: app.summary_view.started == run_started(run="second"), "the new run")
        assert app.is_running


async def test_ctrl_c_after_a_key_that_opens_an_input_acts_at_once(stage: Stage) -> None:
    async with running(stage) as (app, _, _):
        post(app, ["p", *"quick", "ctrl+c"])
        await wait_until(lambda: not app.is_running, "the end")
    assert app.return_code == 130


async def test_ctrl_c_right_after_d_does_not_end_the_run_that_is_detached(stage: Stage) -> None:
    async with running(stage) as (app, _, _):
        post(app, ["d", "ctrl+c"])
        await wait_until(lambda: not app.is_running, "the end")
    assert (app.return_value, app.bridge.is_alive) == (Outcome(is_detached=True), True)

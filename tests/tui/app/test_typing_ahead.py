"""Keys that arrive in one go: those after a key that opens something are typed into it, and all act in their order."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec import structs
from textual.app import App
from textual.events import Key, Paste
from textual.widgets import Input, OptionList

from engine.checkpoints.catalog import iterate_checkpoints
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import create_run_folder, named_checkpoint_path
from tests.engine.checkpoints.saved import write_checkpoint
from tests.fakes import FakeClock, FakeSession, change, run_started
from tests.tui.conftest import SCRIPT, LateSession, Stage, opened, shows, toasted, wait_until
from tui.app import typing_ahead
from tui.app.typing_ahead import TypingAhead
from tui.dialogs.settings import SettingsDialog
from tui.process.exit import Outcome
from tui.settings.keys import key_named

BY_USER = "stopped by the user"
FINISHED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps reached", total_seconds=1.0, total_chars=99)


def post(app: App[Outcome], keys: Iterable[str]) -> None:
    """Have keys arrive in one go, as from one read of the terminal."""
    for key in keys:
        character = " " if key == "space" else key
        app.post_message(Key(key_named(key), character if len(character) == 1 else None))


def line(app: App[Outcome]) -> str:
    return app.screen.query_one(Input).value


async def test_text_typed_or_pasted_after_p_goes_into_its_input(stage: Stage) -> None:
    async with stage.running() as (app, _, _):
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
    async with stage.running() as (app, _, _):
        post(app, "phello")
        await wait_until(lambda: line(app) == "hello", "the text")


async def test_editing_keys_and_enter_keep_their_order_among_typed_characters(stage: Stage) -> None:
    async with stage.running() as (app, _, session):
        post(app, ["s", *"abc", "backspace", "Z", "left", "X"])
        await opened(app, "Ask")
        await wait_until(lambda: line(app) == "abXZ", "the edited name in the line")
        post(app, ["escape"])
        await opened(app, "MainScreen")
        post(app, ["s", *"mi", "backspace", *"ine", "enter"])
        await wait_until(lambda: session.received == [c.SaveCheckpoint(name="mine", replace=False)], "the command")


async def test_in_a_dialog_without_an_input_keys_act_on_the_dialog_or_open_a_line_of_it(stage: Stage) -> None:
    async with stage.running() as (app, _, session):
        post(app, "tt")
        await opened(app, "LadderDialog")
        await wait_until(lambda: len(session.received) == 2, "two rolls")
        post(app, ["escape"])
        await opened(app, "MainScreen")
        post(app, "l/next")
        await opened(app, "CheckpointBrowser")
        await wait_until(lambda: line(app) == "next", "the filter")


async def test_keys_around_one_that_opens_a_dialog_keep_their_order(stage: Stage) -> None:
    async with stage.running() as (app, _, session):
        post(app, ["space", "g", ",", "down", "space", "escape"])
        await wait_until(lambda: not app.has_mouse, "the second of the settings")
        assert isinstance(app.screen, SettingsDialog) or app.screen is app.screen_stack[1]
        await wait_until(lambda: session.received == [c.Pause(), c.SampleNow()], "the commands before it")


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        (["s", *"mine", "enter", "q"], [c.SaveCheckpoint(name="mine"), c.Stop(reason=BY_USER, unless_unsaved=True)]),
        ([",", "escape", "g"], [c.SampleNow()]),
        (["p", *"hello", "escape", "g"], [c.SampleNow()]),
        (["t", "q", "space"], [c.SampleLadder(seed=0), c.Pause()]),
        (["ctrl+p", *"batch size", "enter", *"64", "enter", "g"], [change(batch_size=64), c.SampleNow()]),
        (["ctrl+p", *"speed", "enter", "enter", "g"], [c.SampleNow()]),
        (["ctrl+p", "escape", "ctrl+p", "ctrl+p", *"tweet now", "enter"], [c.SampleNow()]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value[0], str) else "",
)
async def test_keys_typed_after_one_that_closes_something_act_on_what_is_below(
    stage: Stage, keys: list[str], sent: list[c.Command]
) -> None:
    async with stage.running() as (app, _, session):
        post(app, keys)
        await wait_until(lambda: session.received[-1:] == sent[-1:], "the last command")
        received = [
            structs.replace(each, seed=0) if isinstance(each, c.SampleLadder) else each for each in session.received
        ]
        assert [each for each in received if not isinstance(each, c.CompleteText)] == sent
        assert app.failure is None


@pytest.mark.usefixtures("home")
async def test_in_the_checkpoint_list_keys_go_to_the_dialog_or_input_that_a_key_before_them_opens(
    stage: Stage,
) -> None:
    for name in ("happy", "sad"):
        write_checkpoint(named_checkpoint_path(name))
    opening = (
        (["/", *"best", "enter"], "CheckpointBrowser", "best"),
        (["R", *"next"], "Ask", "next"),
        (["=", "down", "=", "enter"], "CompareDialog", ""),
        (["delete", "enter"], "Question", ""),
    )
    async with stage.running(entries=iterate_checkpoints) as (app, pilot, session):
        post(app, "l")
        await shows(app, "2 by age ")
        for keys, dialog, typed in opening:
            post(app, keys)
            await opened(app, dialog)
            if typed:
                await wait_until(lambda typed=typed: line(app) == typed, f"{typed} in the line")  # type: ignore[misc]
            await pilot.press("escape")
            await shows(app, "2 by age ")
            await pilot.press("right")
            await shows(app, "2 by name ")  # so none was loaded, which would have closed the list
            await pilot.press("left")
            await shows(app, "2 by age ")
        assert session.received == []


async def test_text_typed_together_with_a_refused_key_is_dropped_and_later_keys_act_on_the_screen(
    stage: Stage,
) -> None:
    async with stage.running(FakeSession((*SCRIPT, FINISHED))) as (app, _, _):
        await wait_until(lambda: app.summary_view.phase == "finished")
        post(app, "pquick")
        await toasted(app, "The run has ended; tweetgen-tui --resume")
        post(app, ",")
        await opened(app, "SettingsDialog")
        assert app.screen.query_one(OptionList).has_focus
        post(app, ["escape"])
        await opened(app, "MainScreen")
        post(app, ["space", *"l/next"])  # only the first is refused
        await opened(app, "CheckpointBrowser")
        await wait_until(lambda: line(app) == "next", "the filter")


async def test_keys_of_the_same_read_that_arrive_after_a_refusal_are_dropped_except_ctrl_c(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(typing_ahead, "DROP_SECONDS", 1000.0)
    async with stage.running(FakeSession((*SCRIPT, FINISHED))) as (app, pilot, _):
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
    async with stage.running(entries=iterate_checkpoints) as (app, pilot, session):
        post(app, "l")
        await shows(app, "1 by age ", "other/best")
        post(app, ["R", "right", "enter"])
        await shows(app, "belongs to its run")
        await pilot.press("k")
        await shows(app, "kB, pinned")
        post(app, ["delete", "right", "enter"])
        await shows(app, "unpin it with k")
        post(app, ["n", "enter"])
        await opened(app, "Question")
        await pilot.press("escape")
        await opened(app, "CheckpointBrowser")
        await pilot.press("right")
        await shows(app, "1 by name ")  # no other → has acted
        assert session.received == []
        assert len(stage.runs) == 1


@pytest.mark.parametrize("keys", ["pquick", "lq"])
async def test_keys_typed_while_a_run_ends_for_another_do_not_quit_the_program(
    stage: Stage, tmp_path: Path, keys: str
) -> None:
    session = LateSession()
    other = tmp_path / "other.txt"
    other.write_text("hello\n")
    further = [FakeSession(SCRIPT, run_started(run="second"))]
    async with stage.running(session, further=further) as (app, pilot, _):
        app.post_message(Paste(str(other)))
        await shows(app, "other.txt can be used;")
        await pilot.press("enter")
        await shows(app, "saving…")
        post(app, keys)
        await toasted(app, "The run is ending.")
        session.may_answer.set()
        await wait_until(lambda: app.summary_view.started == run_started(run="second"), "the new run")
        assert app.is_running


async def test_ctrl_c_after_a_key_that_opens_an_input_acts_at_once(stage: Stage) -> None:
    async with stage.running() as (app, _, _):
        post(app, ["p", *"quick", "ctrl+c"])
        await wait_until(lambda: not app.is_running, "the end")
    assert app.return_code == 130


async def test_ctrl_c_right_after_d_does_not_end_the_run_that_is_detached(stage: Stage) -> None:
    async with stage.running() as (app, _, _):
        post(app, ["d", "ctrl+c"])
        await wait_until(lambda: not app.is_running, "the end")
    assert (app.return_value, app.connection.is_alive) == (Outcome(is_detached=True), True)

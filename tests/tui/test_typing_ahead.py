"""Keys that arrive in one go: those after a key that opens something are typed into it, and all act in their order."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from textual.app import App
from textual.events import Key, Paste
from textual.widgets import Input, OptionList

from engine import commands as c
from engine import events as e
from tests.fakes import FakeSession, steps_finished, tweet
from tests.tui.conftest import Stage, opened, toasts, until
from tui.app import TweetgenApp
from tui.key_map import key_named
from tui.screens.ladder_dialog import LadderDialog
from tui.screens.main import MainScreen
from tui.screens.save_dialog import SaveDialog
from tui.screens.settings_screen import SettingsScreen

SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet("hello there", 3))
FINISHED = e.RunFinished(step=3, elapsed_seconds=1.0, reason="max_steps reached", total_seconds=1.0, total_chars=99)


def post(app: App[None], keys: Iterable[str]) -> None:
    """Have keys arrive in one go, as from one read of the terminal."""
    for key in keys:
        character = " " if key == "space" else key
        app.post_message(Key(key_named(key), character if len(character) == 1 else None))


async def started(app: TweetgenApp) -> MainScreen:
    await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
    await opened(app, MainScreen)
    assert isinstance(app.screen, MainScreen)
    return app.screen


def line(app: App[None]) -> str:
    return app.screen.query_one(Input).value


@pytest.mark.parametrize("word", ["quick", "hello"])
async def test_what_follows_p_is_typed_into_its_line(stage: Stage, word: str) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        screen = await started(app)
        post(app, "p" + word)
        await until(lambda: line(app) == word, f"{word} in the line")
        assert app.screen is screen
        assert not screen.query_one("Panels").has_class("-machine")


async def test_what_is_pasted_right_after_p_goes_into_its_line_too(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await started(app)
        post(app, "pa")
        app.post_message(Paste("quick"))
        post(app, "z")
        await until(lambda: line(app) == "aquickz", "the paste between the keys")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        ([*"abc", "backspace", "Z"], "abZ"),
        ([*"abc", "backspace", "Z", "left", "X", "ctrl+u", "m"], "mZ"),
    ],
)
async def test_editing_keys_act_before_the_characters_typed_after_them(
    stage: Stage, keys: list[str], value: str
) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await started(app)
        post(app, ["s", *keys])
        await opened(app, SaveDialog)
        await until(lambda: line(app) == value, f"{value} in the line")


async def test_a_name_typed_with_its_enter_is_saved(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)):
        await started(app)
        post(app, ["s", *"mine", "enter"])
        await until(lambda: session.received == [c.SaveCheckpoint(name="mine", replace=False)], "the command")


async def test_keys_before_and_after_keep_their_order(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)):
        await started(app)
        post(app, ["space", "g", ",", "down", "space", "escape"])
        await until(lambda: not app.has_mouse, "the second of the settings")
        assert isinstance(app.screen, SettingsScreen) or app.screen is app.screen_stack[1]
        assert session.received == [c.Pause(), c.SampleNow()]


async def test_in_a_dialog_without_a_line_the_keys_are_its_own(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=(80, 24)):
        await started(app)
        post(app, "tt")
        await opened(app, LadderDialog)
        await until(lambda: len(session.received) == 2, "two rolls")


async def test_where_nothing_opens_the_keys_are_the_screens(stage: Stage) -> None:
    app = stage.app(FakeSession((*SCRIPT, FINISHED)))
    async with app.run_test(size=(80, 24)):
        await until(lambda: app.summary_view.phase == "finished")
        post(app, "pp,")
        await opened(app, SettingsScreen)
        assert app.screen.query_one(OptionList).has_focus
        assert "The run is over; q leaves, o opens other tweets." in toasts(app)


async def test_ctrl_c_is_never_held_back(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await started(app)
        post(app, ["p", *"quick", "ctrl+c"])
        await until(lambda: not app.is_running, "the end")
    assert app.return_code == 130


async def test_ctrl_c_right_after_d_does_not_end_the_run_that_is_detached(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await started(app)
        post(app, ["d", "ctrl+c"])
        await until(lambda: not app.is_running, "the end")
    assert (app.return_code, app.is_detached, app.bridge.is_alive) == (0, True, True)

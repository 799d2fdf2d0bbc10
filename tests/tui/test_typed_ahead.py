"""Keys that arrive together: each finds what the one before it did. None is held back for nothing, or without end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual import events
from textual.screen import Screen
from textual.widgets import Input

from engine import commands as c
from tests.fakes import FakeSession, run_started, steps_finished, tweet
from tests.tui.conftest import SIZES, Stage, opened, shows, until
from tui.app import TweetgenApp
from tui.screens.help_screen import HelpScreen
from tui.screens.main import MainScreen
from tui.widgets.prompt_line import PromptLine
from tui.widgets.tweet_feed import TweetFeed

SCRIPT = (run_started(), steps_finished(1, [4.5, 4.2, 4.0]), tweet("hello there", 3))
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def key(name: str) -> events.Key:
    return events.Key("space", " ") if name == " " else events.Key(name, name if len(name) == 1 else None)


def type_at_once(app: TweetgenApp, *keys: str) -> None:
    """Let keys arrive in one read: nothing of the app runs in between."""
    for name in keys:
        app.post_message(key(name))


def line_of(app: TweetgenApp) -> str:
    return app.screen.query_one(PromptLine).query_one(Input).value


@sizes
async def test_what_is_typed_along_with_p_lands_in_the_line(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size):
        await shows(app, "hello there")
        type_at_once(app, "p", *"quiet so")
        await until(lambda: line_of(app) == "quiet so", "the line")
        assert isinstance(app.screen, MainScreen)
        assert app.bridge.is_alive
        assert not [each for each in session.received if not isinstance(each, c.CompleteText)]


async def test_what_is_pasted_right_after_p_lands_in_the_line(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test():
        await shows(app, "hello there")
        type_at_once(app, "p")
        app.post_message(events.Paste("quick "))
        type_at_once(app, "q")
        await until(lambda: line_of(app) == "quick q", "the line")


async def test_keys_after_the_escape_that_closes_the_line_are_commands_again(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test():
        await shows(app, "hello there")
        type_at_once(app, "p", "a", "escape", "g")
        await until(lambda: c.SampleNow() in session.received, "the command")
        assert line_of(app) == "a"


@sizes
async def test_a_name_typed_along_with_s_and_enter_is_the_name(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size):
        await shows(app, "hello there")
        type_at_once(app, "s", *"name1", "enter", "g")
        await until(lambda: len(session.received) > 1, "the commands")
        assert session.received == [c.SaveCheckpoint(name="name1"), c.SampleNow()]
        assert isinstance(app.screen, MainScreen)


async def test_the_help_is_closed_by_an_escape_that_came_along(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test():
        await shows(app, "hello there")
        shown: list[Screen[Any]] = []
        app.screen_change_signal.subscribe(app.screen, shown.append, immediate=True)
        type_at_once(app, "question_mark", "escape", "g")
        await until(lambda: c.SampleNow() in session.received, "the command")
        assert any(isinstance(screen, HelpScreen) for screen in shown)
        assert isinstance(app.screen, MainScreen)


async def test_keys_after_q_change_nothing_about_leaving(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test():
        await shows(app, "hello there")
        type_at_once(app, "q", "s", "p", "plus", "space", "enter")
        await until(lambda: not app.is_running, "the end")
    assert app.return_code == 0
    assert [type(each) for each in session.received] == [c.Stop]


async def test_keys_that_come_before_the_screen_is_composed_find_it_composed(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    type_at_once(app, "tab", "tab")
    async with app.run_test():
        await opened(app, MainScreen)
        type_at_once(app, "p", *"quit")
        await until(lambda: line_of(app) == "quit", "the line")
        assert app.bridge.is_alive


async def test_ctrl_c_passes_by_whatever_waits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    app = stage.app(FakeSession(SCRIPT))
    heard: list[tuple[int, str]] = []
    monkeypatch.setattr(MainScreen, "leave", lambda _self, code: heard.append((code, line_of(app))))
    async with app.run_test():
        await shows(app, "hello there")
        type_at_once(app, "p", "a", "b", "ctrl+c", "ctrl+c")
        await until(lambda: line_of(app) == "ab", "the line")
        assert heard == [(130, ""), (130, "")]


async def test_a_screen_that_does_not_settle_holds_keys_back_for_a_moment_only(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test():
        await shows(app, "hello there")
        may_go_on = asyncio.Event()
        app.screen.query_one(TweetFeed).call_later(may_go_on.wait)
        type_at_once(app, "g", "g")
        await until(lambda: app._key_order.num_waiting == 1, "the first to be handed on")
        await until(lambda: app._key_order.num_waiting == 0, "the second to be handed on")
        assert session.received == []
        may_go_on.set()
        await until(lambda: session.received == [c.SampleNow(), c.SampleNow()], "the commands")


async def test_a_single_key_is_handed_on_in_the_turn_it_arrives_in(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test() as pilot:
        await shows(app, "hello there")
        await pilot.pause()
        event = key("plus")
        await app.on_event(event)
        assert event.is_forwarded


async def test_a_key_that_is_held_down_does_not_queue_up(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test():
        await shows(app, "hello there")
        num_held = 0
        for _ in range(30):
            type_at_once(app, "g")
            await asyncio.sleep(1 / 30)
            num_held = max(num_held, app._key_order.num_waiting)
        assert num_held <= 2
        await until(lambda: len(session.received) == 30, "the commands")

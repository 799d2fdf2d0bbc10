"""Every key does what the key bar says, at each size."""

from __future__ import annotations

from itertools import chain

import pytest
from textual.command import CommandPalette, DiscoveryHit
from textual.containers import VerticalScroll

from engine import commands as c
from tests.fakes import FakeSession, steps_finished, tweet
from tests.tui.conftest import SIZES, Stage, opened, press, screen_text, shows, toasted, until
from tui.app import TweetgenApp
from tui.keys import FEED_KEYS, MAIN_KEYS, PALETTE_KEYS, PANEL_ACTIONS, PLOT_KEYS
from tui.screens.checkpoint_browser import CheckpointBrowser
from tui.screens.help_screen import HelpScreen
from tui.screens.ladder_dialog import LadderDialog
from tui.screens.main import MainScreen
from tui.screens.open_dialog import OpenDialog
from tui.screens.palette import KeyCommands
from tui.screens.save_dialog import SaveDialog
from tui.widgets.help_text import HelpText
from tui.widgets.key_bar import KeyBar
from tui.widgets.loss_plot import LossPlot

pytestmark = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet("hello there", 3))


async def started(app: TweetgenApp) -> MainScreen:
    """Wait until the run is on screen."""
    await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
    await shows(app, "hello there")
    screen = app.screen
    assert isinstance(screen, MainScreen)
    return screen


async def test_key_bar_names_every_key_that_has_a_word_for_it(stage: Stage, size: tuple[int, int]) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=size):
        await started(app)
        bar = screen_text(app).splitlines()[-1]
        words = bar.split()
        unnamed = [key.label for key in MAIN_KEYS if key.label and key.label not in words]
        assert set(unnamed) <= (
            {"bits", "end", "type"} if size == (80, 24) else set()
        )  # no room: help and menu tell them
        assert [key.shown for key in MAIN_KEYS if key.label not in [*unnamed, ""] and key.shown not in bar] == []
        assert len(bar.rstrip()) <= size[0]


async def test_space_pauses_and_resumes(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await started(app)
        await press(pilot, session, "space")
        assert session.received == [c.Pause()]
        await until(lambda: app.summary_view.phase == "paused")
        await shows(app, "space resume")
        assert screen_text(app).splitlines()[-1].rstrip().endswith("q quit")
        await press(pilot, session, "space")
        assert session.received[-1] == c.Resume()
        await until(lambda: app.summary_view.phase == "training")


async def test_space_twice_before_the_answer_is_pause_then_resume(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size):
        screen = await started(app)
        screen.action_pause()
        screen.action_pause()
        await until(lambda: len(session.received) == 2)
        assert session.received == [c.Pause(), c.Resume()]


@pytest.mark.parametrize(("key", "temperature"), [("+", 0.85), ("=", 0.85), ("-", 0.75), ("_", 0.75)])
async def test_plus_and_minus_turn_the_temperature(
    stage: Stage, size: tuple[int, int], key: str, temperature: float
) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await started(app)
        await press(pilot, session, key)
        command = session.received[-1]
        assert isinstance(command, c.SetSampling)
        assert command.sampling.temperature == temperature
        await until(lambda: app.summary_view.sampling.temperature == temperature)
        await shows(app, f"{temperature:.2f}")


async def test_temperature_adds_up_before_the_session_answers_and_stops_at_its_ends(
    stage: Stage, size: tuple[int, int]
) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size):
        screen = await started(app)
        for _ in range(100):
            screen.action_temperature(1)
        await until(lambda: app.summary_view.sampling.temperature == 5.0)
        for _ in range(200):
            screen.action_temperature(-1)
        await until(lambda: app.summary_view.sampling.temperature == 0.05)


async def test_g_writes_a_tweet_also_while_paused(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await started(app)
        await press(pilot, session, "g")
        await shows(app, "asked-for tweet number 1")
        await press(pilot, session, "space")
        await press(pilot, session, "g")
        assert session.received == [c.SampleNow(), c.Pause(), c.SampleNow()]
        await shows(app, "asked-for tweet number 2")


async def test_s_l_t_o_and_question_mark_open_their_dialogs(stage: Stage, size: tuple[int, int]) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=size) as pilot:
        screen = await started(app)
        for key, dialog in (
            ("s", SaveDialog),
            ("l", CheckpointBrowser),
            ("t", LadderDialog),
            ("o", OpenDialog),
            ("?", HelpScreen),
        ):
            await pilot.press(key)
            await opened(app, dialog)
            await pilot.press("escape")
            await until(lambda: app.screen is screen, f"the way back from {key}")


async def test_b_switches_the_unit(stage: Stage, size: tuple[int, int]) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=size) as pilot:
        screen = await started(app)
        units = [screen.query_one(LossPlot).unit]
        for _ in range(2):
            await pilot.press("b")
            units.append(screen.query_one(LossPlot).unit)
        assert units == ["nats", "bits", "nats"]


async def test_palette_holds_every_action_with_its_sentence(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        screen = await started(app)
        hits = [hit async for hit in KeyCommands(screen).discover() if isinstance(hit, DiscoveryHit)]
        with_key = [key for key in (*MAIN_KEYS, *chain(*PANEL_ACTIONS.values())) if key.action != "app.command_palette"]
        told = [(str(hit.display), hit.help) for hit in hits]
        expected = [(f"{key.title} ({key.shown})", key.sentence) for key in with_key]
        assert sorted(told) == sorted([*expected, *((key.title, key.sentence) for key in PALETTE_KEYS)])
        await pilot.press("ctrl+p")
        await opened(app, CommandPalette)
        await pilot.press(*"tweet now")
        await shows(app, "Write a tweet now", "Write one more tweet, also while paused.")
        await until(lambda: "Temperature ladder" not in screen_text(app), "the search")
        await pilot.press("enter")
        await until(lambda: session.received == [c.SampleNow()], "the palette's command")


async def test_a_click_on_the_key_bar_does_what_the_key_does(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await started(app)
        column = screen_text(app).splitlines()[-1].index("g tweet")
        await pilot.click(KeyBar, offset=(column + 2, 0))
        await until(lambda: session.received == [c.SampleNow()])


async def test_q_stops_the_session_and_leaves_with_0(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await started(app)
        await pilot.press("q")
        await until(lambda: not app.is_running, "the end")
    assert app.return_code == 0
    assert isinstance(session.received[-1], c.Stop)
    assert app.summary_view.phase == "finished"
    assert not app.bridge.is_alive


async def test_help_tells_every_key(stage: Stage, size: tuple[int, int]) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=size) as pilot:
        await pilot.press("?")
        await opened(app, HelpScreen)
        groups = app.screen.query_one(HelpText).groups
        for key in (*MAIN_KEYS, *PALETTE_KEYS, *FEED_KEYS, *PLOT_KEYS):
            assert (key.shown, key.sentence) in groups[key.group]
        for mark in ("● new", "◐ near-copy", "○ copy"):
            assert mark in dict(groups["Reading the screen"])
        await shows(app, "The run", "space        Pause the training, or go on with it.")
        await pilot.press("end")
        await until(lambda: app.screen.query_one(VerticalScroll).is_vertical_scroll_end, "the end of the help")


def test_no_key_clashes_with_terminal_or_multiplexer(size: tuple[int, int]) -> None:
    keys = {name for key in MAIN_KEYS for name in key.keys.split(",")}
    assert not keys & {"ctrl+a", "ctrl+b", "ctrl+s", "ctrl+q", "ctrl+z"}
    assert "ctrl+q" not in {binding for binding, *_ in TweetgenApp._merged_bindings or []}


async def test_f_finishes_and_takes_it_back(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await started(app)
        await press(pilot, session, "f")
        assert session.received == [c.Finish()]
        await shows(app, "▶ finishing")
        await toasted(app, "Finishing: the learning rate falls until step 23. f again: not yet.")
        await press(pilot, session, "f")
        assert session.received == [c.Finish(), c.CancelFinish()]
        await shows(app, "▶ training")


async def test_a_click_on_a_notice_presses_no_key(stage: Stage, size: tuple[int, int]) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
        app.screen.query_one(KeyBar).notice = "saving…"
        await shows(app, "saving…")
        await pilot.click(KeyBar, offset=(2, 0))
        await press(pilot, session, "f")
        assert session.received == [c.Finish()]

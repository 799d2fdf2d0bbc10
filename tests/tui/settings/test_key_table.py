"""The key table, the key bar, the palette and the help agree, and the keys steer the run."""

from __future__ import annotations

from itertools import chain

import pytest
from textual.command import CommandPalette, DiscoveryHit

from engine.protocol import commands as c
from tests.fakes import FakeSession, steps_finished, tweet_sampled
from tests.tui.conftest import Stage, opened, press, screen_text, shows, toasted, wait_until
from tui.app.app import TweetgenApp
from tui.screens.command_palette import KeyCommands
from tui.screens.dialogs.help import HelpScreen
from tui.screens.main.screen import MainScreen
from tui.settings.key_table import BAR_KEYS, KEY_TABLE, MAIN_KEYS, PANEL_ACTIONS
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.help_text import HelpText
from tui.widgets.key_bar import PAUSE_LABELS, KeyBar
from tui.widgets.plot.loss_plot import LossPlot

SIZE = (80, 24)
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))


async def started(app: TweetgenApp) -> MainScreen:
    """Wait until the run is on screen."""
    await wait_until(lambda: app.summary_view.num_tweets == 1, "the script's end")
    await shows(app, "hello there")
    screen = app.screen
    assert isinstance(screen, MainScreen)
    return screen


async def test_key_bar_names_every_key_that_there_is_room_for_and_cuts_none(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(120, 24)) as pilot:
        await started(app)
        for width in (160, 120, 80, 47, 40):
            await pilot.resize_terminal(width, 24)
            bar = app.screen.query_one(KeyBar)
            await wait_until(lambda bar=bar, width=width: bar.size.width == width, "the layout")  # type: ignore[misc]
            line = bar.render()
            assert line.cell_length <= width
            unnamed = {"batch", "bits/nats"} if width < 160 else set()
            unnamed |= {"step"} if width < 140 else set()
            unnamed |= {"finish", "ladder", "detach", "menu"} if width < 120 else set()
            keys = [key for key in BAR_KEYS if key.label not in unnamed] if width >= 80 else []
            words = ["space pause", "? help", "q quit", "+ - temp", *(key.label for key in keys)]
            words += [key.shown for key in keys]
            assert [word for word in words if word not in line.plain] == []


@pytest.mark.parametrize("label", ["pause", *PAUSE_LABELS.values()])
async def test_in_80_columns_the_key_bar_names_prompt_and_load_in_every_phase(stage: Stage, label: str) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await started(app)
        bar = app.screen.query_one(KeyBar)
        bar.set_reactive(KeyBar.pause_label, label)
        assert [word for word in (f"space {label}", "p prompt", "l load") if word not in bar.render().plain] == []


async def test_space_g_f_b_plus_and_minus_steer_the_run_and_the_screen_shows_it(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        screen = await started(app)
        await press(pilot, session, "space")
        await wait_until(lambda: app.summary_view.phase == "paused")
        await shows(app, "space resume")
        assert screen_text(app).splitlines()[-1].rstrip().endswith("q quit")
        await press(pilot, session, "g")
        await shows(app, "asked-for tweet number 1")
        await press(pilot, session, "space")
        await wait_until(lambda: app.summary_view.phase == "training")
        screen.steering.action_pause()
        screen.steering.action_pause()
        await wait_until(lambda: len(session.received) == 5)
        await press(pilot, session, "f")
        await shows(app, "▶ finishing")
        await toasted(app, "Finishing: the learning rate falls to zero until step")
        await press(pilot, session, "f")
        await shows(app, "▶ training")
        assert session.received == (
            [c.Pause(), c.SampleNow(), c.Resume(), c.Pause(), c.Resume(), c.Finish(), c.CancelFinish()]
        )
        for unit in ("nats", "bits"):
            await pilot.press("b")
            await wait_until(lambda: screen.query_one(LossPlot).unit == unit, unit)  # noqa: B023 - awaited at once
        for key, temperature in (("+", 0.85), ("=", 0.9), ("-", 0.85), ("_", 0.8)):
            await press(pilot, session, key)
            await wait_until(lambda: app.summary_view.sampling.temperature == temperature, key)  # noqa: B023 - awaited at once
            await shows(app, f"{temperature:.2f}")
        for direction, end in ((1, 5.0), (-1, 0.05)):
            for _ in range(100):
                screen.steering.action_temperature(direction)
            await wait_until(lambda: app.summary_view.sampling.temperature == end, str(end))  # noqa: B023 - awaited at once


async def test_the_table_marks_exactly_the_keys_that_open_a_dialog_or_an_input(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=SIZE):
        screen = await started(app)
        opening = set()
        for key in (key for key in MAIN_KEYS if key.name not in {"leave", "detach"}):
            await app.run_action(key.textual_action, screen)
            if app.screen is not screen or screen.sampling.prompt.is_open:
                opening.add(key.name)
            if app.screen is not screen:
                await wait_until(lambda: app.screen.focused is not None, key.title)
                await app.pop_screen()
            screen.sampling.prompt.close()
        assert opening == {key.name for key in MAIN_KEYS if key.opens}


async def test_the_palette_lists_every_action_with_its_description_and_runs_it(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        screen = await started(app)
        hits = [hit async for hit in KeyCommands(screen).discover() if isinstance(hit, DiscoveryHit)]
        keys = [key for key in chain(*PANEL_ACTIONS.values()) if key.action != "app.command_palette"]
        expected = [(f"{key.title} ({key.shown})" if key.keys else key.title, key.sentence) for key in keys]
        assert sorted((str(hit.display), hit.help) for hit in hits) == sorted(expected)
        (by_sentence,) = [hit async for hit in KeyCommands(screen).search("more random")]
        assert by_sentence.text == "Raise the temperature"
        await next(hit for hit in hits if "Move the plot's cursor" in str(hit.display)).command()
        await wait_until(lambda: isinstance(app.screen.focused, LossPlot), "the focus on the plot")
        await pilot.press("ctrl+p")
        await opened(app, CommandPalette)
        await pilot.press(*"tweet now")
        await shows(app, "Sample a tweet now", "Sample one more tweet, also while paused.")
        await wait_until(lambda: "Temperature ladder" not in screen_text(app), "the search")
        await pilot.press("enter")
        await wait_until(lambda: session.received == [c.SampleNow()], "the palette's command")


async def test_every_action_of_the_key_table_is_one_of_its_controller_or_panel(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=SIZE):
        owners = {"": await started(app), "LossPlot": LossPlot(), "TweetFeed": TweetFeed()}
        for panel, keys in PANEL_ACTIONS.items():
            for key in keys:
                owner, _, name = key.action.partition("(")[0].rpartition(".")
                acting = app if owner == "app" else getattr(owners[panel], owner) if owner else owners[panel]
                assert callable(getattr(acting, f"action_{name}")), key.action


async def test_a_click_on_a_key_in_the_key_bar_presses_it_and_on_a_notice_does_nothing(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        column = screen_text(app).splitlines()[-1].index("g tweet") + 2
        await pilot.click(KeyBar, offset=(column, 0))
        await wait_until(lambda: session.received == [c.SampleNow()])
        app.screen.query_one(KeyBar).notice = "saving…"
        await shows(app, "saving…")
        await pilot.click(KeyBar, offset=(column, 0))
        await press(pilot, session, "f")
        assert session.received == [c.SampleNow(), c.Finish()]


async def test_q_stops_the_session_and_exits_with_0_and_ctrl_q_does_nothing(stage: Stage) -> None:
    session = FakeSession(SCRIPT)
    app = stage.app(session)
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await pilot.press("ctrl+q")
        await press(pilot, session, "g")
        await pilot.press("q")
        await wait_until(lambda: not app.is_running, "the end")
    assert app.return_code == 0
    assert isinstance(session.received[-1], c.Stop)
    assert app.summary_view.phase == "finished"
    assert not app.bridge.is_alive


async def test_help_lists_every_key(stage: Stage) -> None:
    app = stage.app(FakeSession(SCRIPT))
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await pilot.press("?")
        await opened(app, HelpScreen)
        text = app.screen.query_one(HelpText)
        for heading, keys in KEY_TABLE.items():
            assert [entry[:2] for entry in text.keys[heading]] == [(key.shown, key.sentence) for key in keys]
        assert {"● new", "◐ near-copy", "○ copy"} <= {entry.term for entry in text.glossary["A line of the feed"]}
        await shows(app, "Words", "bits/char     The unit of a loss.")
        await pilot.press("end")
        await wait_until(lambda: text.is_vertical_scroll_end, "the end of the help")
        await shows(app, "In the other dialogs")


def test_the_names_of_keys_in_config_toml_stay_as_they_are() -> None:
    assert {key.name for key in MAIN_KEYS} == {
        *("pause", "step", "show_batch", "finish", "learning_rate_up", "learning_rate_down", "undo"),
        *("answer_alert", "dismiss_alert"),
        *("open", "detach", "leave", "temperature_up", "temperature_down", "ladder", "sample", "prompt", "filter"),
        *("open_xray", "clear_prime", "pin", "pins_only", "colours", "export", "save", "load", "unit", "log", "panes"),
        *("copy", "levels", "legend"),
        *("panel_up", "panel_down", "machine", "mouse", "settings", "help", "command_palette"),
    }

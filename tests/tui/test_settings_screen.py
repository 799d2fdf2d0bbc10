"""The settings: every entry from the keyboard, at once on the screen and in the file; the key map acts everywhere."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette, DiscoveryHit
from textual.widget import Widget
from textual.widgets import OptionList

from engine import commands as c
from engine import events as e
from engine.config import RunConfig, TrainingConfig
from tests.fakes import FakeSession, run_started, steps_finished, tweet
from tests.tui.conftest import DEADLINE_SECONDS, opened, press, screen_text, shows, toasted, toasts, until
from tui.app import TweetgenApp
from tui.bridge import EngineBridge
from tui.keys import PANEL_ACTIONS
from tui.preference_keeper import PreferenceKeeper
from tui.replay import TITLE
from tui.run_view import RunView
from tui.screens.help_screen import HelpScreen
from tui.screens.main import MainScreen
from tui.screens.palette import KeyCommands
from tui.screens.settings_screen import IntervalDialog, KeyDialog, SettingsScreen
from tui.widgets.key_bar import KeyBar
from tui.widgets.loss_plot import LossPlot
from tui.widgets.tweet_feed import TweetFeed

SIZES = [(80, 24), (60, 20)]
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet("hello there", 3))
Made = Callable[..., TweetgenApp]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def make_app(path: Path) -> Any:
    """Return what makes an app that keeps its preferences in a file; its threads end with the test."""
    apps: list[TweetgenApp] = []

    def make(session: FakeSession, text: str = "", history: RunView | None = None) -> TweetgenApp:
        if text:
            path.write_text(text, encoding="utf-8")
        bridge = EngineBridge(RunConfig(), lambda _config, _on_stage: session)
        apps.append(TweetgenApp(RunConfig(), bridge, history, keeper=PreferenceKeeper(path)))
        return apps[-1]

    yield make
    for app in apps:
        app.bridge.stop("end of the test")
        assert app.bridge.join(DEADLINE_SECONDS)


async def started(app: TweetgenApp) -> None:
    await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
    await opened(app, MainScreen)


async def at(app: TweetgenApp, name: str) -> None:
    """Open the settings, if they are not, with the cursor on an entry."""
    if not isinstance(app.screen, SettingsScreen):
        await app._main_screen.run_action("settings")
    await opened(app, SettingsScreen)
    options = app.screen.query_one(OptionList)
    options.highlighted = options.get_option_index(name)
    await until(lambda: options.highlighted_option and options.highlighted_option.id == name, name)


def has_mouse(app: TweetgenApp) -> bool:
    return app.has_mouse


def kept(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_settings_fit_and_a_switch_acts_at_once_and_is_kept(
    make_app: Made, path: Path, size: tuple[int, int]
) -> None:
    app = make_app(FakeSession(SCRIPT))
    async with app.run_test(size=size) as pilot:
        await started(app)
        await pilot.press(",")
        await opened(app, SettingsScreen)
        await shows(app, "Settings", "Theme", "Mouse", "Terminal title", "space change", "esc close")
        box = app.screen.query_one("#box").region
        assert box.x >= 0
        assert box.right <= size[0]
        assert box.bottom <= size[1]
        await shows(app, "The colours; auto takes")
        await pilot.press("down")
        await shows(app, "Whether the program takes the mouse")
        await pilot.press("space")
        assert not has_mouse(app)
        await until(lambda: kept(path) == {"screen": {"mouse": False}}, "the file")
        await pilot.press("r")
        assert has_mouse(app)
        await until(lambda: kept(path) == {"screen": {}}, "the file")
        await pilot.press("escape")
        await opened(app, MainScreen)


async def test_the_arrows_go_through_the_themes_and_the_screen_shows_each(make_app: Made, path: Path) -> None:
    app = make_app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await at(app, "theme")
        await pilot.press("right", "right")
        assert app.theme == "tweetgen-light"
        await until(lambda: kept(path) == {"theme": "tweetgen-light"}, "the file")
        await pilot.press("left")
        assert app.theme == "tweetgen"
        await until(lambda: kept(path) == {"theme": "tweetgen"}, "the file")


async def test_of_themes_that_change_quickly_the_last_one_stays(make_app: Made, path: Path) -> None:
    app = make_app(FakeSession(SCRIPT))
    async with app.run_test(size=(120, 40)):
        await started(app)
        chosen: list[str] = []
        app.theme_changed_signal.subscribe(app, lambda theme: chosen.append(theme.name))
        app.keeper.change({"theme": "tweetgen-light"})
        app.keeper.change({"theme": "tweetgen"})
        await until(lambda: len(chosen) == 2, "both changes")
        await until(lambda: kept(path) == {"theme": "tweetgen"}, "the file")
        assert (app.theme, app.keeper.preferences.theme) == ("tweetgen", "tweetgen")


async def test_a_theme_chosen_in_the_palette_is_kept(make_app: Made, path: Path) -> None:
    app = make_app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await started(app)
        app.theme = "tweetgen-light"
        await until(lambda: kept(path) == {"theme": "tweetgen-light"}, "the file")


async def test_a_theme_that_was_kept_is_there_at_the_start_and_not_written_again(make_app: Made, path: Path) -> None:
    app = make_app(FakeSession(SCRIPT), 'theme = "tweetgen-light"\n')
    before = path.stat().st_mtime_ns
    async with app.run_test(size=(80, 24)):
        await started(app)
        assert app.theme == "tweetgen-light"
    assert path.stat().st_mtime_ns == before


async def test_nothing_is_written_where_nothing_was_chosen(make_app: Made, path: Path) -> None:
    app = make_app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await pilot.press(",")
        await opened(app, SettingsScreen)
        await pilot.press("down", "up", "escape")
        await opened(app, MainScreen)
    assert not path.exists()


async def test_a_wrong_entry_is_told_in_a_toast_and_the_screen_opens(make_app: Made) -> None:
    app = make_app(FakeSession(SCRIPT), 'theme = "nosuch"\n[keys]\npause = "ctrl+b"\nsave = "x"\n')
    async with app.run_test(size=(80, 24)):
        await started(app)
        theme, key = toasts(app)
        assert theme.startswith('config.toml: theme: it is "nosuch"; it is one of auto, tweetgen')
        assert key == "config.toml: keys.pause: ^b can't be used: tmux takes it."
        await shows(app, "x save")


async def test_many_wrong_entries_do_not_cover_the_screen(make_app: Made) -> None:
    app = make_app(FakeSession(SCRIPT), "\n".join(f"a{number} = 1" for number in range(50)))
    async with app.run_test(size=(80, 24)):
        await started(app)
        await toasted(app, "47 more in the same file.")
        assert len(toasts(app)) == 4


async def test_a_change_that_cannot_be_kept_acts_all_the_same_and_is_told(make_app: Made, path: Path) -> None:
    app = make_app(FakeSession(SCRIPT), "theme = \n")
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await at(app, "mouse")
        await pilot.press("space")
        assert not has_mouse(app)
        await until(lambda: any("The change holds until you leave" in each for each in toasts(app)), "a toast")
    assert path.read_text() == "theme = \n"


async def test_an_interval_is_typed_kept_and_sent_to_the_run(make_app: Made, path: Path) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await at(app, "eval_every")
        await shows(app, "as the preset has it")
        await pilot.press("enter")
        await opened(app, IntervalDialog)
        await pilot.press("-", "3", "enter")
        await shows(app, "at least 0")
        await pilot.press("home", "delete", "enter")
        await opened(app, SettingsScreen)
        sample_every = TrainingConfig().sample_every
        await until(lambda: session.received == [c.SetIntervals(eval_every=3, sample_every=sample_every)], "a command")
        await until(lambda: kept(path) == {"intervals": {"eval_every": 3}}, "the file")
        await shows(app, "3  *")
        await pilot.press("enter")
        await opened(app, IntervalDialog)
        await pilot.press("backspace", "enter")
        await until(lambda: kept(path) == {"intervals": {}}, "the file")
        assert len(session.received) == 1


async def test_an_interval_for_saving_waits_for_the_next_run(make_app: Made, path: Path) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await at(app, "autosave_seconds")
        await pilot.press("enter")
        await opened(app, IntervalDialog)
        await pilot.press("7", ".", "5", "enter")
        await until(lambda: kept(path) == {"intervals": {"autosave_seconds": 7.5}}, "the file")
        assert session.received == []


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_key_that_is_given_acts_and_shows_in_bar_palette_and_help(
    make_app: Made, path: Path, size: tuple[int, int]
) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session)
    async with app.run_test(size=size) as pilot:
        await started(app)
        await at(app, "keys.pause")
        await pilot.press("enter")
        await opened(app, KeyDialog)
        await shows(app, "in place of space")
        await pilot.press("f5")
        await opened(app, SettingsScreen)
        await until(lambda: kept(path) == {"keys": {"pause": "f5"}}, "the file")
        await pilot.press("escape")
        await opened(app, MainScreen)
        await shows(app, "f5 pause")
        assert "space pause" not in screen_text(app)
        await pilot.press("space")
        await press(pilot, session, "f5")
        assert session.received == [c.Pause()]
        assert any("Pause or resume (f5)" in str(hit.display) for hit in await offered(app))
        await app._main_screen.run_action("help")
        await opened(app, HelpScreen)
        await shows(app, "f5           Pause the training")


async def offered(app: TweetgenApp) -> list[DiscoveryHit]:
    provider = KeyCommands(app.screen)
    return [hit async for hit in provider.discover() if isinstance(hit, DiscoveryHit)]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("ctrl+b", "tmux takes it"),
        ("ctrl+a", "screen takes it"),
        ("ctrl+s", "stops the output"),
        ("g", "Write a tweet"),
    ],
)
async def test_a_key_that_is_taken_is_refused_with_the_reason(make_app: Made, path: Path, key: str, words: str) -> None:
    app = make_app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await at(app, "keys.pause")
        await pilot.press("enter")
        await opened(app, KeyDialog)
        await pilot.press(key)
        await shows(app, words)
        await pilot.press("escape")
        await opened(app, SettingsScreen)
    assert not path.exists()


async def test_a_key_goes_back_to_its_default_unless_that_is_taken_meanwhile(make_app: Made, path: Path) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session, '[keys]\npause = "g"\nsample = "space"\n')
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await press(pilot, session, "g")
        assert session.received == [c.Pause()]
        await at(app, "keys.pause")
        await pilot.press("r")
        await shows(app, "space is taken already: Write a tweet now.")
        await at(app, "keys.sample")
        await pilot.press("enter")
        await opened(app, KeyDialog)
        await pilot.press("w")
        await at(app, "keys.pause")
        await pilot.press("r")
        await until(lambda: kept(path) == {"keys": {"sample": "w"}}, "the file")
        await pilot.press("escape")
        await opened(app, MainScreen)
        await press(pilot, session, "space")
        await press(pilot, session, "w")
        assert session.received == [c.Pause(), c.Resume(), c.SampleNow()]


async def test_a_click_in_the_bar_does_what_the_mapped_key_does(make_app: Made) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session, '[keys]\npause = "x"\n')
    async with app.run_test(size=(120, 40)) as pilot:
        await started(app)
        await shows(app, "x pause")
        await pilot.click(KeyBar, offset=(screen_text(app).splitlines()[-1].index("x pause"), 0))
        await until(lambda: session.received == [c.Pause()], "a command")


async def test_the_palette_opens_with_the_key_that_was_given_to_it_and_no_other(make_app: Made) -> None:
    app = make_app(FakeSession(SCRIPT), '[keys]\ncommand_palette = "f10"\n')
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await pilot.press("ctrl+p")
        assert isinstance(app.screen, MainScreen)
        await pilot.press("f10")
        await opened(app, CommandPalette)


async def test_the_palette_over_the_help_closes_it_and_does_what_was_chosen(make_app: Made) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await pilot.press("?")
        await opened(app, HelpScreen)
        await pilot.press("ctrl+p")
        await opened(app, CommandPalette)
        await pilot.press(*"pause or")
        await shows(app, "Pause or resume")
        await pilot.press("enter")
        await opened(app, MainScreen)
        await until(lambda: session.received == [c.Pause()], "a command")


@pytest.mark.parametrize("widget_type", [LossPlot, TweetFeed])
def test_what_the_palette_offers_of_a_panel_is_what_the_panels_keys_do(widget_type: type[Widget]) -> None:
    bound = {binding.key: binding.action for _, binding in widget_type._merge_bindings()}
    offered = PANEL_ACTIONS[widget_type.__name__]
    assert {key.keys: key.action for key in offered}.items() <= bound.items()


async def test_the_palette_does_what_a_panel_does(make_app: Made) -> None:
    app = make_app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await started(app)
        (read,) = [hit for hit in await offered(app) if "Read the plot" in str(hit.display)]
        await read.command()
        await until(lambda: isinstance(app.screen.focused, LossPlot), "the focus")


async def test_the_palette_finds_an_action_by_a_word_of_its_sentence(make_app: Made) -> None:
    app = make_app(FakeSession(SCRIPT))
    async with app.run_test(size=(80, 24)):
        await started(app)
        provider = KeyCommands(app.screen)
        hits = [hit async for hit in provider.search("wilder")]
        assert [hit.text for hit in hits] == ["Raise the temperature"]


async def test_the_end_of_a_run_is_told_and_leaving_is_not(make_app: Made) -> None:
    session = FakeSession((*SCRIPT,), run_started(training=TrainingConfig(max_steps=3)))
    app = make_app(session)
    told: list[str] = []
    app._main_screen._runs = replace(app._main_screen._runs, notify=told.append)
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        session.play(e.Paused(step=3, elapsed_seconds=1.0))
        await until(lambda: told, "a notice")
        await pilot.press("q")
    assert told == ["tweetgen-tui: run 2026-11-25-101112 is over at 3 steps."]


REFUSAL = e.CommandRefused(
    step=3,
    elapsed_seconds=1.0,
    command="SampleNow",
    title=TITLE,
    detail="This is a replay: it can be paused, and left.",
    hint="",
)


class RefusingSession(FakeSession):
    """Writes no tweets when asked to, as in a replay."""

    def answer(self, command: c.Command) -> e.Event:
        return REFUSAL if isinstance(command, c.SampleNow) else super().answer(command)


async def test_a_replay_says_so_and_refuses_in_a_toast(make_app: Made) -> None:
    session = RefusingSession(SCRIPT)
    app = make_app(session, history=RunView(is_replay=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await started(app)
        await shows(app, "▶ replay")
        await press(pilot, session, "g")
        await until(lambda: toasts(app) == [REFUSAL.detail], "a toast")
        assert isinstance(app.screen, MainScreen)
        await press(pilot, session, "space")
        await shows(app, "replay, paused")

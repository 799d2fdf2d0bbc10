"""The settings: every entry from the keyboard, at once on the screen and in the file; the key map acts everywhere."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette, DiscoveryHit
from textual.widgets import OptionList

from engine import commands as c
from engine import events as e
from engine.config import RunConfig, TrainingConfig
from tests.fakes import FakeSession, run_started, steps_finished, tweet
from tests.tui.conftest import DEADLINE_SECONDS, opened, press, screen_text, shows, toasted, toasts, until
from tui.app import TweetgenApp
from tui.bridge import EngineBridge
from tui.preference_keeper import PreferenceKeeper
from tui.replay import TITLE
from tui.run_view import RunView
from tui.screens.help_screen import HelpScreen
from tui.screens.main import MainScreen
from tui.screens.palette import KeyCommands
from tui.screens.settings_screen import IntervalDialog, KeyDialog, SettingsScreen
from tui.widgets.key_bar import KeyBar

SIZE = (80, 24)
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet("hello there", 3))
Made = Callable[..., TweetgenApp]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def make_app(path: Path) -> Iterator[Made]:
    """Return what makes an app that keeps its preferences in a file; its threads end with the test."""
    apps: list[TweetgenApp] = []

    def make(session: FakeSession | None = None, text: str = "", history: RunView | None = None) -> TweetgenApp:
        if text:
            path.write_text(text, encoding="utf-8")
        bridge = EngineBridge(RunConfig(), lambda _config, _on_stage: session or FakeSession(SCRIPT))
        apps.append(TweetgenApp(RunConfig(), bridge, history, keeper=PreferenceKeeper(path)))
        return apps[-1]

    yield make
    for app in apps:
        app.bridge.stop("end of the test")
        assert app.bridge.join(DEADLINE_SECONDS)


async def started(app: TweetgenApp) -> MainScreen:
    await until(lambda: app.summary_view.num_tweets == 1, "the script's end")
    await opened(app, MainScreen)
    assert isinstance(app.screen, MainScreen)
    return app.screen


async def at(app: TweetgenApp, name: str) -> None:
    """Open the settings, if they are not, with the cursor on an entry."""
    if isinstance(app.screen, MainScreen):
        await app.screen.run_action("settings")
    await opened(app, SettingsScreen)
    options = app.screen.query_one(OptionList)
    options.highlighted = options.get_option_index(name)
    await until(lambda: options.highlighted_option and options.highlighted_option.id == name, name)


def has_mouse(app: TweetgenApp) -> bool:
    return app.has_mouse


def kept(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@pytest.mark.parametrize("size", [SIZE, (60, 20)], ids=str)
async def test_the_settings_fit_and_a_switch_acts_at_once_and_is_kept(
    make_app: Made, path: Path, size: tuple[int, int]
) -> None:
    app = make_app()
    async with app.run_test(size=size) as pilot:
        await started(app)
        await pilot.press(",")
        await opened(app, SettingsScreen)
        await shows(app, "Settings", "Theme", "Mouse", "Terminal title", "space change", "esc close")
        assert app.screen.region.contains_region(app.screen.query_one("#box").region)
        await shows(app, "The colours; auto takes")
        await pilot.press("down")
        await shows(app, "Whether the program takes the mouse")
        assert not path.exists(), "nothing was chosen"
        await pilot.press("space")
        assert not has_mouse(app)
        await until(lambda: kept(path) == {"screen": {"mouse": False}}, "the file")
        await pilot.press("r")
        assert has_mouse(app)
        await until(lambda: kept(path) == {"screen": {}}, "the file")
        await pilot.press("escape")
        await opened(app, MainScreen)


async def test_the_arrows_go_through_the_themes_and_the_palette_keeps_one_too(make_app: Made, path: Path) -> None:
    app = make_app()
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await at(app, "theme")
        for key, theme in (("right", "tweetgen"), ("right", "tweetgen-light"), ("left", "tweetgen")):
            await pilot.press(key)
            assert app.theme == theme
            await until(lambda: kept(path) == {"theme": theme}, "the file")  # noqa: B023 - awaited at once
        app.theme = "tweetgen-colour-blind"  # as the palette does
        await until(lambda: kept(path) == {"theme": "tweetgen-colour-blind"}, "the file")


async def test_of_changes_that_follow_quickly_the_last_one_stays_whichever_thread_writes_first(
    make_app: Made, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves: list[Callable[[], None]] = []

    async def late(save: Callable[[], None], *, writes: bool) -> None:
        assert writes
        saves.append(save)

    monkeypatch.setattr("tui.choosing_app.on_own_thread", late)
    app = make_app()
    async with app.run_test(size=SIZE):
        await started(app)
        for theme in ("tweetgen-light", "dracula", "tweetgen"):
            app.keeper.change({"theme": theme})
        await until(lambda: len(saves) >= 3, "all writers")
        assert app.theme == "tweetgen"
    for save in reversed(saves):
        save()
    assert kept(path) == {"theme": "tweetgen"}


async def test_a_theme_that_was_kept_is_there_at_the_start_and_not_written_again(make_app: Made, path: Path) -> None:
    app = make_app(text='theme = "tweetgen-light"\n')
    before = path.stat().st_mtime_ns
    async with app.run_test(size=SIZE):
        await started(app)
        assert app.theme == "tweetgen-light"
    assert path.stat().st_mtime_ns == before


async def test_wrong_entries_are_told_in_a_few_toasts_and_the_others_are_used(make_app: Made) -> None:
    wrong = "\n".join(f"a{number} = 1" for number in range(50))
    app = make_app(text=f'theme = "nosuch"\n{wrong}\n[keys]\nsave = "x"\n')
    async with app.run_test(size=SIZE):
        await started(app)
        await toasted(app, "48 more in the same file.")
        assert toasts(app)[0].startswith('config.toml: theme: it is "nosuch"; it is one of auto, tweetgen')
        assert len(toasts(app)) == 4
        await shows(app, "x save")


async def test_a_change_that_cannot_be_kept_acts_all_the_same_and_is_told(make_app: Made, path: Path) -> None:
    app = make_app(text="theme = \n")
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await at(app, "mouse")
        await pilot.press("space")
        assert not has_mouse(app)
        await until(lambda: any("The change holds until you leave" in each for each in toasts(app)), "a toast")
    assert path.read_text() == "theme = \n"


async def test_an_interval_is_checked_kept_and_set_in_this_run_where_it_says_so(make_app: Made, path: Path) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session)
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await at(app, "sample_every")
        await shows(app, "as the preset has it", "in this run and in new ones")
        await pilot.press("enter")
        await opened(app, IntervalDialog)
        await pilot.press(*"abc", "enter")
        await shows(app, "it is a whole number.")
        await pilot.press("ctrl+u", "-", "3", "enter")
        await shows(app, "at least 0")
        await pilot.press("home", "delete", "enter")
        await opened(app, SettingsScreen)
        now = c.SetIntervals(eval_every=TrainingConfig().eval_every, sample_every=3)
        await until(lambda: session.received == [now], "a command")
        await until(lambda: kept(path) == {"intervals": {"sample_every": 3}}, "the file")
        await shows(app, "3  *")
        await pilot.press("enter")
        await opened(app, IntervalDialog)
        await pilot.press("backspace", "enter")
        await until(lambda: kept(path) == {"intervals": {}}, "the file")
        await at(app, "autosave_seconds")
        await shows(app, "latest checkpoint, in new runs")
        await pilot.press("enter")
        await opened(app, IntervalDialog)
        await pilot.press(*"7.5", "enter")
        await until(lambda: kept(path) == {"intervals": {"autosave_seconds": 7.5}}, "the file")
        assert session.received == [now]


async def test_a_key_that_is_given_acts_and_shows_in_bar_palette_and_help(make_app: Made, path: Path) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session)
    async with app.run_test(size=SIZE) as pilot:
        screen = await started(app)
        await at(app, "keys.pause")
        await pilot.press("enter")
        await opened(app, KeyDialog)
        await shows(app, "in place of space")
        for key, words in (("ctrl+b", "tmux takes it"), ("g", "Write a tweet")):
            await pilot.press(key)
            await shows(app, words)
        await pilot.press("f5")
        await opened(app, SettingsScreen)
        await until(lambda: kept(path) == {"keys": {"pause": "f5"}}, "the file")
        await pilot.press("escape")
        await opened(app, MainScreen)
        await shows(app, "f5 pause")
        assert "space pause" not in screen_text(app)
        await pilot.press("space")
        await press(pilot, session, "f5")
        await pilot.click(KeyBar, offset=(screen_text(app).splitlines()[-1].index("f5 "), 0))
        await until(lambda: session.received == [c.Pause(), c.Resume()], "a command")
        hits = [str(hit.display) async for hit in KeyCommands(screen).discover() if isinstance(hit, DiscoveryHit)]
        assert "Pause or resume (f5)" in hits
        await pilot.press("?")
        await opened(app, HelpScreen)
        await shows(app, "f5           Pause the training")


async def test_a_key_goes_back_to_its_default_unless_that_is_taken_meanwhile(make_app: Made, path: Path) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session, '[keys]\npause = "g"\nsample = "space"\n')
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await press(pilot, session, "g")
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


async def test_the_palette_opens_with_its_own_key_and_closes_what_is_over_the_screen(make_app: Made) -> None:
    session = FakeSession(SCRIPT)
    app = make_app(session, '[keys]\ncommand_palette = "f10"\n')
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await pilot.press("ctrl+p", "?")
        await opened(app, HelpScreen)
        await pilot.press("f10")
        await opened(app, CommandPalette)
        await pilot.press(*"pause or")
        await shows(app, "Pause or resume")
        await pilot.press("enter")
        await opened(app, MainScreen)
        await until(lambda: session.received == [c.Pause()], "a command")


async def test_the_end_of_a_run_is_told_and_leaving_is_not(make_app: Made) -> None:
    session = FakeSession(SCRIPT, run_started(training=TrainingConfig(max_steps=3)))
    app = make_app(session)
    told: list[str] = []
    app._main_screen._runs = replace(app._main_screen._runs, notify=told.append)
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        session.play(e.Paused(step=3, elapsed_seconds=1.0))
        await until(lambda: told, "a notice")
        await pilot.press("q")
    assert told == ["tweetgen-tui: run 2026-11-25-101112 is over at 3 steps."]


async def test_a_replay_says_so_and_refuses_in_a_toast(make_app: Made) -> None:
    refusal = e.CommandRefused(
        step=3, elapsed_seconds=1.0, command="SampleNow", title=TITLE, detail="It can be paused, and left.", hint=""
    )

    class RefusingSession(FakeSession):
        def answer(self, command: c.Command) -> e.Event:
            return refusal if isinstance(command, c.SampleNow) else super().answer(command)

    session = RefusingSession(SCRIPT)
    app = make_app(session, history=RunView(is_replay=True))
    async with app.run_test(size=SIZE) as pilot:
        await started(app)
        await shows(app, "▶ replay")
        await press(pilot, session, "g")
        await until(lambda: toasts(app) == [refusal.detail], "a toast")
        assert isinstance(app.screen, MainScreen)
        await press(pilot, session, "space")
        await shows(app, "replay, paused")

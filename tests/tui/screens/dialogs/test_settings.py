"""The settings: every entry by keyboard, applied at once and saved; changed keys act everywhere."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot
from textual.widgets import OptionList

from engine.config.run import RunConfig, TrainingConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from tests.fakes import FakeSession, run_started, steps_finished, tweet_sampled
from tests.tui.conftest import DEADLINE_SECONDS, opened, press, screen_text, shows, toasted, toasts, wait_until
from tui.app.app import TweetgenApp
from tui.app.notifications import Notifications
from tui.process.outcome import Outcome
from tui.run.engine_bridge import EngineBridge
from tui.run.replay import REASON
from tui.run.view import RunView
from tui.screens.dialogs.help import HelpScreen
from tui.screens.dialogs.setting_values import ValueDialog
from tui.screens.dialogs.settings import SettingsScreen
from tui.screens.main.screen import MainScreen
from tui.settings.store import PreferencesStore

SIZE = (80, 24)
SCRIPT = (steps_finished(1, [4.5, 4.2, 4.0]), tweet_sampled("hello there", 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@asynccontextmanager
async def running(
    path: Path,
    session: FakeSession | None = None,
    text: str = "",
    history: RunView | None = None,
    size: tuple[int, int] = SIZE,
) -> AsyncIterator[tuple[TweetgenApp, Pilot[Outcome]]]:
    """Run an app that keeps its preferences in a file, up to its first tweet; its thread ends with it."""
    if text:
        path.write_text(text, encoding="utf-8")
    bridge = EngineBridge(RunConfig(), lambda _config, _on_stage: session or FakeSession(SCRIPT))
    app = TweetgenApp(RunConfig(), bridge, history, store=PreferencesStore(path))
    try:
        async with app.run_test(size=size) as pilot:
            await wait_until(lambda: app.summary_view.num_tweets == 1, "the script's end")
            await opened(app, MainScreen)
            yield app, pilot
    finally:
        bridge.stop("end of the test")
        assert bridge.join(DEADLINE_SECONDS)


async def at(app: TweetgenApp, name: str) -> None:
    """Open the settings, if they are not, with the cursor on an entry."""
    if isinstance(app.screen, MainScreen):
        app.screen.preferences.action_settings()
    await opened(app, SettingsScreen)
    options = app.screen.query_one(OptionList)
    options.highlighted = options.get_option_index(name)
    await wait_until(lambda: options.highlighted_option and options.highlighted_option.id == name, name)


def has_mouse(app: TweetgenApp) -> bool:
    return app.has_mouse


def kept(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


async def test_the_settings_fit_and_a_changed_switch_or_theme_applies_at_once_and_is_saved(path: Path) -> None:
    async with running(path, size=(60, 20)) as (app, pilot):
        await pilot.press(",")
        await opened(app, SettingsScreen)
        await shows(app, "Settings", "Theme", "Mouse", "Terminal title", "space change", "esc close")
        assert app.screen.region.contains_region(app.screen.query_one("#box").region)
        await shows(app, "Colours; auto: those")
        await pilot.press("down")
        await shows(app, "Capture the mouse; off")
        assert not path.exists(), "nothing was chosen"
        await pilot.press("space")
        await wait_until(lambda: not has_mouse(app), "no mouse")
        await wait_until(lambda: kept(path) == {"screen": {"mouse": False}}, "the file")
        await pilot.press("delete")
        await wait_until(lambda: has_mouse(app), "the mouse")
        await wait_until(lambda: kept(path) == {"screen": {}}, "the file")
        await at(app, "theme")
        for key, theme in (("right", "tweetgen"), ("right", "tweetgen-light"), ("left", "tweetgen")):
            await pilot.press(key)
            await wait_until(lambda: app.theme == theme, theme)  # noqa: B023 - awaited at once
            await wait_until(lambda: kept(path).get("theme") == theme, "the file")  # noqa: B023 - awaited at once
        await pilot.press("escape")
        await opened(app, MainScreen)
        app.theme = "tweetgen-colour-blind"  # as the palette does
        await wait_until(lambda: kept(path).get("theme") == "tweetgen-colour-blind", "the file")


async def test_a_saved_theme_is_applied_at_the_start_and_not_written_again(path: Path) -> None:
    path.write_text('theme = "tweetgen-light"\n', encoding="utf-8")
    before = path.stat().st_mtime_ns
    async with running(path) as (app, _):
        assert app.theme == "tweetgen-light"
    assert path.stat().st_mtime_ns == before


async def test_the_unit_of_losses_is_set_at_the_start_and_changes_at_once(path: Path) -> None:
    async with running(path, text='[screen]\nloss_unit = "nats"\n', size=(120, 40)) as (app, pilot):
        await shows(app, "nats/char")
        await at(app, "loss_unit")
        await pilot.press("space")
        await wait_until(lambda: app.loss_unit == "bits", "the unit")
        await wait_until(lambda: kept(path) == {"screen": {"loss_unit": "bits"}}, "the file")
        await pilot.press("escape")
        await shows(app, "bits/char")
        assert "nats/char" not in screen_text(app)


async def test_invalid_entries_are_reported_in_a_few_toasts_and_the_others_are_used(path: Path) -> None:
    wrong = "\n".join(f"a{number} = 1" for number in range(50))
    async with running(path, text=f'theme = "nosuch"\n{wrong}\n[keys]\nsave = "z"\n') as (app, _):
        await toasted(app, "48 more in the same file.")
        assert toasts(app)[0].startswith('config.toml: theme: it is "nosuch"; it must be one of auto, tweetgen')
        assert len(toasts(app)) == 4
        await shows(app, "z save")


async def test_a_setting_that_can_not_be_saved_applies_and_is_reported(path: Path) -> None:
    async with running(path, text="theme = \n") as (app, pilot):
        await at(app, "mouse")
        await pilot.press("space")
        await wait_until(lambda: not has_mouse(app), "no mouse")
        await wait_until(lambda: any("The change lasts until you quit" in each for each in toasts(app)), "a toast")
    assert path.read_text() == "theme = \n"


async def test_an_interval_is_validated_saved_and_if_labelled_so_set_in_this_run(path: Path) -> None:
    session = FakeSession(SCRIPT)
    async with running(path, session) as (app, pilot):
        await at(app, "sample_every")
        await shows(app, "from the preset", "in this run and in new ones")
        await pilot.press("enter")
        await opened(app, ValueDialog)
        await pilot.press(*"abc")
        await shows(app, "It must be a whole number.")
        await pilot.press("enter", "ctrl+u")
        await shows(app, "Steps between two tweets, 0: none")
        assert isinstance(app.screen, ValueDialog), "an invalid value is not set"
        await pilot.press("-", "3", "enter")
        await shows(app, "at least 0")
        await pilot.press("home", "delete", "enter")
        await opened(app, SettingsScreen)
        now = c.SetIntervals(eval_every=TrainingConfig().eval_every, sample_every=3)
        await wait_until(lambda: session.received == [now], "a command")
        await wait_until(lambda: kept(path) == {"intervals": {"sample_every": 3}}, "the file")
        await shows(app, "3  *")
        await pilot.press("enter")
        await opened(app, ValueDialog)
        await pilot.press("backspace", "enter")
        await wait_until(lambda: kept(path) == {"intervals": {}}, "the file")
        await at(app, "autosave_seconds")
        await shows(app, "latest checkpoint, in new runs")
        await pilot.press("enter")
        await opened(app, ValueDialog)
        await pilot.press(*"7.5", "enter")
        await wait_until(lambda: kept(path) == {"intervals": {"autosave_seconds": 7.5}}, "the file")
        assert session.received == [now]


async def test_the_palette_opens_with_its_changed_key_over_a_dialog_and_closes_it(path: Path) -> None:
    session = FakeSession(SCRIPT)
    async with running(path, session, '[keys]\ncommand_palette = "f10"\n') as (app, pilot):
        await pilot.press("ctrl+p", "?")
        await opened(app, HelpScreen)
        await pilot.press("f10")
        await opened(app, CommandPalette)
        await pilot.press(*"pause or")
        await shows(app, "Pause or resume")
        await pilot.press("enter")
        await opened(app, MainScreen)
        await wait_until(lambda: session.received == [c.Pause()], "a command")


async def test_the_end_of_a_run_is_a_desktop_notification_and_quitting_is_not(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = FakeSession(SCRIPT, run_started(training=TrainingConfig(max_steps=3)))
    told: list[str] = []
    monkeypatch.setattr(Notifications, "notify", lambda _, text: told.append(text))
    async with running(path, session) as (_, pilot):
        session.emit(e.Paused(step=3, elapsed_seconds=1.0))
        await wait_until(lambda: told, "a notice")
        await pilot.press("q")
    assert told == ["tweetgen-tui: run 2026-11-25-101112 finished after 3 steps."]


async def test_a_replay_is_labelled_and_shows_refusals_as_toasts(path: Path) -> None:
    session = FakeSession(SCRIPT)
    async with running(path, session, history=RunView(is_replay=True)) as (app, pilot):
        await shows(app, "▶ replay")
        await pilot.press("g")
        await wait_until(lambda: toasts(app) == [REASON], "a toast")
        assert session.received == []
        assert isinstance(app.screen, MainScreen)
        await press(pilot, session, "space")
        await shows(app, "replay, paused")
